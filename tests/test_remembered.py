"""What is remembered to save time: the thing it depends on is changed here."""

import os
import random
import shutil
import sys
import types
import warnings

import numpy as np

import nbcache
from nbcache import config, randomness
from nbcache.storage.described import package_versions
from nbcache.storage.trust import secret_path


def test_a_drawn_number_changes_the_digest_of_its_generator():
    """And the state of before has the digest of before."""
    for library, draw, get, put in (
        ("random", random.random, random.getstate, random.setstate),
        ("numpy", np.random.rand, np.random.get_state, np.random.set_state),
        ("random", lambda: random.gauss(0, 1), random.getstate, random.setstate),
        ("numpy", np.random.randn, np.random.get_state, np.random.set_state),
    ):
        state, before = get(), randomness._digest(library)
        draw()
        drawn = randomness._digest(library)
        assert drawn != before
        draw()
        assert randomness._digest(library) not in (drawn, before)
        put(state)
        assert randomness._digest(library) == before


def test_a_package_that_was_loaded_since_has_its_version_told(monkeypatch):
    """At once, not a second later."""
    package_versions()
    module = types.ModuleType("nbcache_test_package")
    module.__version__ = "7.8"
    monkeypatch.setitem(sys.modules, "nbcache_test_package", module)
    assert package_versions()["nbcache_test_package"] == "7.8"


def test_the_secret_moves_with_jupyters_folder(monkeypatch, tmp_path):
    """Its place is found anew when the environment changes."""
    monkeypatch.delenv("NBCACHE_SECRET_FILE", raising=False)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "a"))
    assert secret_path() == tmp_path / "a" / "nbcache" / "secret"
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "b"))
    assert secret_path() == tmp_path / "b" / "nbcache" / "secret"


def test_the_environment_is_looked_at_on_every_call(monkeypatch, tmp_path):
    """Folder and switch take effect at once, and are gone at once."""
    config.configure(dir=None)
    monkeypatch.setenv("NBCACHE_DIR", str(tmp_path / "a"))
    assert config.cache_dir() == tmp_path / "a"
    monkeypatch.setenv("NBCACHE_DIR", str(tmp_path / "b"))
    assert config.cache_dir() == tmp_path / "b"
    monkeypatch.setenv("NBCACHE_ENABLED", "0")
    assert not config.current().enabled
    monkeypatch.delenv("NBCACHE_ENABLED")
    assert config.current().enabled


def test_a_folder_that_was_removed_is_made_anew(tmp_path):
    """Whole or in part."""
    cache = nbcache.Cache(tmp_path / "c")
    f = cache.cached(lambda x: x, name="f", track="none")
    f(1)
    for gone in ("", "tmp", "entries", "locks"):
        shutil.rmtree(cache.directory / gone)
        f(len(gone) + 10)
        assert f.is_cached(len(gone) + 10)


def test_a_deleted_entry_is_not_compared_with(tmp_path):
    """Though the entries of the name were read a moment ago."""
    cache = nbcache.Cache(tmp_path / "c")
    f = cache.cached(lambda x: x, name="f", track="none")
    for number in range(3):
        f(number)
    assert nbcache.last().changes == ("argument x: 1 → 2",)
    f.clear(2)
    f(3)
    assert nbcache.last().changes == ("argument x: 1 → 3",)
    f.clear()
    f(4)
    assert nbcache.last().reason == "evicted"


def test_the_source_of_a_function_with_other_code_is_its_own(tmp_path):
    """Found once for each code, not once for each function."""
    scope = {}
    exec("def f(x): return x\ndef g(x): return -x", scope)
    cache = nbcache.Cache(tmp_path / "c")

    def first(x):
        return [x]

    def second(x):
        return (x,)

    f = cache.cached(first, name="f")
    f(1)
    first.__code__ = second.__code__
    f(1)
    sources = {one.source for one in cache.core.store.by_name("f")}
    assert len(sources) == 2
    assert any("return (x,)" in one for one in sources)


def test_repeated_hits_are_counted_once_and_in_full(tmp_path):
    """In the uses of the entry and in the sums by name, also beside a fork."""
    cache = nbcache.Cache(tmp_path / "c")
    f = cache.cached(lambda x: x, name="f", track="none")
    for _ in range(30):
        f(1)
    child = os.fork()
    if not child:
        cache.core.store.history.flush()
        os._exit(0)
    os.waitpid(child, 0)
    (use,) = cache.core.store.history.uses().values()
    assert use.hits == 29
    found = {(one.what, one.count) for one in cache.core.store.history.tallies()}
    assert found == {("hit", 29), ("new", 1)}


def test_an_entry_of_somebody_else_does_not_take_the_short_way(tmp_path):
    """With ``trust = "none"``, nothing stored is used, learnt or not."""
    cache = nbcache.Cache(tmp_path / "c")
    ran = []
    f = cache.cached(lambda x: ran.append(x) or x, name="f", track="none")
    for _ in range(5):
        f(1)
    with config.using(trust="none"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f(1)
    assert ran == [1, 1]
