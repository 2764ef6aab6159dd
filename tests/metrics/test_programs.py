"""Whatever a program of metrics asks, it gets what it would get without any store."""

import tempfile
from pathlib import Path

import pytest
from metrics.programs import PLACES, phases_of, run_all


def _differences(seed, place, folder):
    processes = phases_of(seed, place)
    stored = run_all(processes, folder / "stored", True)
    computed = run_all(processes, folder / "computed", False)
    return stored, computed


@pytest.mark.parametrize("place", PLACES)
def test_programs_get_what_they_would_without_a_store(place, tmp_path):
    """A few programs, in several processes each, with edits between."""
    for seed in range(3):
        stored, computed = _differences(
            seed, place, Path(tempfile.mkdtemp(dir=tmp_path))
        )
        assert stored == computed, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize("place", PLACES)
def test_many_programs_get_what_they_would_without_a_store(place, part, tmp_path):
    """More of them."""
    for seed in range(1000 + 20 * part, 1020 + 20 * part):
        stored, computed = _differences(
            seed, place, Path(tempfile.mkdtemp(dir=tmp_path))
        )
        assert stored == computed, f"seed {seed}"
