"""Whoever is killed while storing leaves a whole entry or none, and nothing else."""

from __future__ import annotations

import pytest


def test_a_killed_put_leaves_a_whole_entry_or_none(campaign):
    """At every tenth line, and after that the same process's work is there."""
    campaign("kills", "lines", step=60)


def test_random_kills_lose_nothing_that_was_acknowledged(campaign):
    """A hundred writers, each killed after up to 60 ms."""
    campaign("kills", "randomly", times=30)


def test_a_put_killed_at_some_file_calls(campaign, library):
    """Before a call, and after half of a write."""
    campaign("kills", "calls", library=library, step=35)


@pytest.mark.faults
@pytest.mark.parametrize("doing", ["put", "get", "clear", "list"])
def test_killed_at_every_line(campaign, doing):
    """Each line of the storing code, the first time that it runs."""
    campaign("kills", "lines", doing=doing, step=1 if doing == "put" else 6)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["small", "large"])
def test_killed_at_every_file_call(campaign, library, kind):
    """Each call of a put, flushed to the disk."""
    campaign("kills", "calls", library=library, kind=kind, durability="always")


@pytest.mark.faults
def test_five_hundred_random_kills(campaign):
    """Of writers of 400 kB entries."""
    campaign("kills", "randomly", times=520, seed=2)
