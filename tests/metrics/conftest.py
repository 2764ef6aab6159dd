"""What tests of metrics share: a folder and metrics of their own, and a count."""

import counting
import pytest

from nbcache import NpzStorage
from nbcache.metrics import live


@pytest.fixture(autouse=True)
def calls(tmp_path, monkeypatch):
    """Work in a folder of its own; give the list of executions."""
    monkeypatch.chdir(tmp_path)
    # metrics of other tests, until they are collected, have names like these
    monkeypatch.setattr(live, "_defined", {})
    counting.ran.clear()
    return counting.ran


@pytest.fixture(params=["cache", "files"])
def where(request):
    """Give where values are kept: the default cache, or a folder of files."""
    return NpzStorage("metrics") if request.param == "files" else None
