"""Notebooks made up by hypothesis: cached runs leave and show what plain runs do."""

from __future__ import annotations

import os

import pytest
from differential.compare import Laboratory
from differential.programs import Program, programs
from hypothesis import HealthCheck, Phase, assume, given, settings

# as many as a normal run has time for
NORMAL = 60
# how many others the long run takes, and whether a normal failure is made smaller
MANY = int(os.environ.get("NBCACHE_TEST_PROGRAMS", "5000"))
SHRINK = "NBCACHE_TEST_SHRINK" in os.environ
# whether the long run takes others each time, to find what nobody has seen
RANDOM = "NBCACHE_TEST_RANDOM" in os.environ
PHASES = [Phase.generate, *([Phase.shrink] if SHRINK else [])]


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """Give the place where programs are run, plain and cached."""
    laboratory = Laboratory(tmp_path_factory.mktemp("laboratory"))
    yield laboratory
    laboratory.close()


def _agree(laboratory: Laboratory, program: Program) -> None:
    verdict = laboratory.judge(program)
    assume(not verdict.unfit)
    if verdict.wrong or verdict.needless:
        # the fault may be the program's own
        assume(not laboratory.repeatable(program))
        pytest.fail(f"{verdict}\n\n{program!r}", pytrace=False)


@pytest.mark.timeout(600)
@settings(
    max_examples=NORMAL,
    derandomize=True,
    deadline=None,
    database=None,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)
@given(program=programs())
def test_cached_runs_agree_with_plain_ones(laboratory, program):
    """A cached run leaves what a plain one does, and again after an edit."""
    _agree(laboratory, program)


@pytest.mark.slow
@pytest.mark.timeout(0)
@settings(
    max_examples=MANY,
    derandomize=not RANDOM,
    deadline=None,
    database=None,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)
@given(program=programs())
def test_thousands_of_cached_runs_agree_with_plain_ones(laboratory, program):
    """The same for as many programs as are asked for."""
    _agree(laboratory, program)
