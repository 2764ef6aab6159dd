"""What the tests of cached functions share."""

from __future__ import annotations

import counting
import pytest

import nbcache


@pytest.fixture(autouse=True)
def runs():
    """Give the list of executions, emptied."""
    counting.ran.clear()
    return counting.ran


@pytest.fixture
def cache(tmp_path) -> nbcache.Cache:
    """Give a cache of its own."""
    return nbcache.Cache(tmp_path / "cache")
