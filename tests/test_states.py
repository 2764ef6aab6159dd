"""The state of entries in listings: what is stale, told without running anything."""

from __future__ import annotations

import os
import time

import pytest

import nbcache


def states(cache: nbcache.Cache) -> list[str]:
    """Give the states, oldest entry first."""
    return list(cache.entries()["state"])[::-1]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Give a cache in a folder of its own, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    return nbcache.Cache(tmp_path / "c")


def test_entries_are_current_as_long_as_nothing_says_otherwise(cache):
    """Other arguments do not make a result stale."""

    @cache.cached
    def double(x):
        return 2 * x

    double(1)
    double(2)
    assert states(cache) == ["current", "current"]


def test_a_file_that_changed_is_seen_and_one_that_changed_back(cache, tmp_path):
    """Content counts, not the time of the file."""
    data = tmp_path / "data.txt"
    data.write_text("1")

    @cache.cached
    def load():
        return data.read_text()

    load()
    assert states(cache) == ["current"]
    data.write_text("2")
    assert states(cache) == ["file changed"]
    load()
    assert states(cache) == ["file changed", "current"]
    data.write_text("1")
    os.utime(data, (time.time() + 50,) * 2)
    assert states(cache) == ["current", "file changed"]
    data.unlink()
    assert states(cache) == ["file changed", "file changed"]


def test_a_written_file_that_is_gone_is_seen(cache, tmp_path):
    """The entry cannot stand for the run any more."""

    @cache.cached
    def write():
        (tmp_path / "out.txt").write_text("x")

    write()
    (tmp_path / "out.txt").unlink()
    assert states(cache) == ["file changed"]


def test_age_other_code_and_failure_are_seen(cache):
    """Expired, superseded, failure."""

    @cache.cached(name="short", expires_after=0.2)
    def short():
        return 1

    short()
    assert states(cache) == ["current"]
    time.sleep(0.25)
    assert states(cache) == ["expired"]
    cache.clear(all=True)

    @cache.cached(name="f")
    def before(x):
        return x

    @cache.cached(name="f")
    def after(x):
        return x + 0

    before(1)
    before(2)
    after(1)
    assert states(cache) == ["superseded", "superseded", "current"]
    cache.clear(all=True)

    @cache.cached(cache_exceptions=True)
    def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fails()
    assert states(cache) == ["failure"]


def test_a_library_of_another_version_is_seen(cache, tmp_path, monkeypatch):
    """As much of the version counts as belongs to keys."""
    import sys

    package = tmp_path / "site-packages" / "statefake"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '1.2.3'\ndef f(): return 1\n")
    monkeypatch.syspath_prepend(str(package.parent))
    import statefake

    @cache.cached
    def use():
        return statefake.f()

    use()
    assert states(cache) == ["current"]
    for version, state in (("1.2.9", "current"), ("1.3.0", "library changed")):
        monkeypatch.setattr(sys.modules["statefake"], "__version__", version)
        nbcache.keys.origin.version.cache_clear()
        assert states(cache) == [state]
    nbcache.keys.origin.version.cache_clear()
