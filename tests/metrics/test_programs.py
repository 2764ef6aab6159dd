"""Whatever a program of metrics asks, it gets what it would get without any store."""

import os

import pytest
from metrics.programs import PLACES, phases_of, run_all

# for each part and place
MANY = int(os.environ.get("NBCACHE_TEST_PROGRAMS", "1000")) // 60

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def _check(seeds, place, folder):
    for seed in seeds:
        processes = phases_of(seed, place)
        stored = run_all(processes, folder / f"{seed}stored", stores=True)
        computed = run_all(processes, folder / f"{seed}computed", stores=False)
        assert stored == computed, f"seed {seed}"


@pytest.mark.parametrize("place", PLACES)
def test_programs_get_what_they_would_without_a_store(place, tmp_path):
    """A few programs, in several processes each, with edits between."""
    _check(range(2), place, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("place", PLACES)
def test_many_programs_get_what_they_would_without_a_store(place, part, tmp_path):
    """More of them."""
    first = 1000 + part * MANY
    _check(range(first, first + MANY), place, tmp_path)
