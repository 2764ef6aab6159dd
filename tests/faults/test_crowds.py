"""Many at once: computed once, one value, and nobody is harmed by who deletes."""

from __future__ import annotations

import pytest


def test_processes_compute_a_key_once(campaign):
    """Thirty-two of them, which begin at one instant."""
    campaign("crowds", "stampede", keys=1)


def test_one_key_has_one_value(campaign):
    """Also of a function that gives another one each time."""
    campaign("crowds", "stampede", kind="drawn", processes=16, keys=2)


def test_who_stores_second_takes_the_first_value(campaign):
    """Where callers do not wait for each other, they still agree."""
    campaign("crowds", "stampede", kind="drawn", processes=16, keys=2, lock_timeout=0)


@pytest.mark.parametrize("kind", ["slow", "drawn"])
def test_threads_compute_a_key_once(campaign, kind):
    """Thirty-two of one process."""
    campaign("crowds", "threads", kind=kind, keys=2)


def test_readers_are_not_harmed(campaign):
    """By who clears, evicts, removes the folder or its databases."""
    campaign("crowds", "mixed", readers=8, seconds=1)


@pytest.mark.faults
def test_many_readers_are_not_harmed(campaign):
    """Sixteen, for longer, with entries that are mapped and with small ones."""
    campaign("crowds", "mixed", seconds=6)
    campaign("crowds", "mixed", kind="small", seconds=3)


@pytest.mark.faults
def test_many_stampedes(campaign):
    """Six keys."""
    campaign("crowds", "stampede", keys=6)
    campaign("crowds", "stampede", kind="drawn", keys=6)
