"""No error of the file system reaches the user, nor costs a result."""

from __future__ import annotations

import pytest

SOME = ("EIO", "ENOSPC")


@pytest.mark.parametrize("doing", ["put", "get"])
def test_failing_calls_cost_no_result(campaign, library, doing):
    """Some calls fail, once or from then on; the result is there, later ones too."""
    campaign("errnos", "every", library=library, doing=doing, names=("EIO",), step=25)


def test_lost_writes_are_recognised(campaign, library):
    """A disk that says it wrote, or writes half."""
    campaign("errnos", "silent", library=library, step=35)


@pytest.mark.faults
@pytest.mark.parametrize("doing", ["put", "get"])
def test_every_error_at_every_call(campaign, library, doing):
    """Seven errors: once at each call; at each fifth and all after it."""
    campaign("errnos", "every", library=library, doing=doing, lasting=[False])
    campaign("errnos", "every", library=library, doing=doing, lasting=[True], step=5)


@pytest.mark.faults
@pytest.mark.parametrize("doing", ["list", "clear", "clear one"])
def test_errors_while_listing_and_clearing(campaign, library, doing):
    """At each sixth call."""
    campaign("errnos", "every", library=library, doing=doing, names=SOME, step=6)


@pytest.mark.faults
def test_lost_writes_at_every_call(campaign, library):
    """Dropped or halved, once and from then on."""
    campaign("errnos", "silent", library=library, step=2)
