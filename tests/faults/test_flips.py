"""A damaged entry is never returned: each bit, each length, blocks lost and moved."""

from __future__ import annotations

import pytest


def test_some_damages_of_a_small_entry(campaign):
    """Bits and lengths drawn at random, all kinds of blocks."""
    campaign("flips", "everything", most=400)


def test_some_damages_of_a_pickled_entry(campaign):
    """The same for one that only its signature lets in."""
    campaign("flips", "everything", kind="leaf", most=100)


@pytest.mark.faults
def test_every_damage_of_a_small_entry(campaign):
    """Each bit flipped, the file cut at each length."""
    campaign("flips", "everything")


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["tree", "table", "leaf", "large"])
def test_damages_of_each_codec(campaign, kind):
    """A sample of bits and lengths, with and without compression."""
    campaign("flips", "everything", kind=kind, most=600)
    campaign("flips", "everything", kind=kind, most=300, compress=True)
