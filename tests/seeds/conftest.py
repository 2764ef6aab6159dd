"""What the scenarios share: a folder with a cache of its own, and a count."""

import counting
import pytest

from nbcache import set_cache_dir
from nbcache.metrics import live


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    """Work in a folder with a cache of its own; give the list of executions."""
    monkeypatch.chdir(tmp_path)
    set_cache_dir("_cache")
    # metrics of other tests, until they are collected, have names like these
    monkeypatch.setattr(live, "_defined", {})
    counting.ran.clear()
    return counting.ran
