"""Computing a call again from the arguments that its entry kept."""

from __future__ import annotations

import asyncio
import gc
import importlib
import subprocess
import sys
import textwrap

import counting
import numpy as np
import pytest
from kernel import environment

import nbcache
from nbcache.decorator.recompute import recompute_call
from nbcache.errors import NotCached, UnhashableValue, UntrustedEntry


def newest(cache, name: str):
    """Give the newest entry of a name."""
    return cache.core.store.by_name(name)[0]


def recompute(cache, name: str):
    """Compute the newest entry of a name again."""
    return recompute_call(cache.core, newest(cache, name))


# --- what is replaced


def test_recompute_calls_with_the_same_arguments(cache, runs):
    """Positional, keyword, variable; numbers, text, arrays, nested."""

    @cache.cached(name="f")
    def f(a, /, b, *rest, c=3, **more):
        counting.count(a, b.tolist(), rest, c, more)
        return 1

    f(1, np.arange(3.0), "x", {"k": (None, 2.5)}, c=b"c", d=[1])
    outcome = recompute(cache, "f")
    assert (outcome.stored, outcome.reason, outcome.changes) == (True, "refreshed", ())
    assert len(runs) == 2
    assert runs[0] == runs[1]


def test_recompute_replaces_the_result(cache):
    """The entry of the same key has the new value; there is no second one."""

    @cache.cached(name="f")
    def f(x):
        return importlib.import_module("time").perf_counter_ns()

    first = f(1)
    assert recompute(cache, "f").key == f.key(1).digest
    assert f(1) > first
    assert len(f.entries()) == 1


def test_recompute_keeps_a_readable_file_name(cache):
    """The entry's file is the one that is replaced."""

    @cache.cached(name="f", key="readable")
    def f(x):
        return x

    f(5)
    file = newest(cache, "f").file
    assert file.startswith("f_5-")
    recompute(cache, "f")
    assert [entry.file for entry in cache.core.store.entries()] == [file]


def test_recompute_stores_also_where_writing_is_off(cache):
    """As `refresh` does: it was asked for."""

    def f(x):
        return x

    cache.cached(f, name="f")(1)
    before = newest(cache, "f").created
    reading = cache.cached(f, name="f", write=False)
    recompute(cache, "f")
    assert newest(cache, "f").created > before
    assert reading.is_cached(1)


def test_recompute_goes_to_the_cache_that_it_was_asked_of(cache, tmp_path):
    """Also if the function of that name by now belongs to another."""

    def f(x):
        return x

    cache.cached(f, name="f")(1)
    other = nbcache.Cache(tmp_path / "other")
    kept = other.cached(f, name="f")
    before = newest(cache, "f").created
    recompute(cache, "f")
    assert newest(cache, "f").created > before
    assert kept.entries() == []


def test_an_edited_function_is_stored_beside_the_old_entry(cache):
    """Nothing is deleted that was not asked for; the outcome names the change."""
    scope = {"cache": cache}
    code = "@cache.cached(name='f')\ndef f(x):\n    return x + {}"
    exec(code.format(1), scope)
    assert scope["f"](1) == 2
    old = newest(cache, "f")
    exec(code.format(2), scope)
    outcome = recompute(cache, "f")
    assert outcome.stored
    assert outcome.key != old.key
    assert "code" in outcome.changes[0]
    assert {entry.key for entry in cache.core.store.by_name("f")} == {
        old.key,
        outcome.key,
    }
    assert scope["f"].peek(1) == 3


# --- where the function is found

MODULE = """
import nbcache

cache = nbcache.Cache({folder!r})

class Model:
    @staticmethod
    @cache.cached
    def fit(x):
        return x * 2

@cache.cached(name="named")
def wash(x):
    return x
"""


@pytest.fixture
def module(tmp_path, monkeypatch, cache):
    """Make a module whose functions another process has called."""
    monkeypatch.syspath_prepend(tmp_path)
    folder = str(cache.directory)
    (tmp_path / "washing.py").write_text(MODULE.format(folder=folder))
    ran = subprocess.run(
        [sys.executable, "-c", "import washing as w; w.Model.fit(1); w.wash(1)"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    yield "washing"
    sys.modules.pop("washing", None)
    gc.collect()  # its functions are known as long as they live


def test_the_module_of_a_function_is_imported(cache, module):
    """A class's function too; nothing of it is loaded beforehand."""
    assert module not in sys.modules
    outcome = recompute(cache, "washing.Model.fit")
    assert (outcome.stored, outcome.changes) == (True, ())


def test_a_function_under_a_name_of_its_own_is_not_searched_for(cache, module):
    """Its entry does not tell its module, so that must be imported before."""
    with pytest.raises(NotCached, match="no cached function 'named' is defined here"):
        recompute(cache, "named")
    importlib.import_module(module)
    assert recompute(cache, "named").stored


def test_a_module_that_fails_to_import_is_named(cache, module, tmp_path):
    """The reason stands in the text."""
    (tmp_path / "washing.py").write_text("import surely_not_there")
    with pytest.raises(
        NotCached, match=r"washing cannot be imported.*surely_not_there"
    ):
        recompute(cache, "washing.Model.fit")


def test_a_function_that_is_gone_is_refused(cache):
    """As after a restart, before its cell has run."""

    @cache.cached(name="passing")
    def passing(x):
        return x

    passing(1)
    del passing
    with pytest.raises(NotCached, match=r"no cached function 'passing'.*run the cell"):
        recompute(cache, "passing")


# --- what is refused before anything runs


class Opaque:
    """Something that only pickle can keep."""


@pytest.mark.parametrize(
    ("argument", "reason"),
    [
        (np.zeros(20_000), r"larger than 64 KiB.*x = .*20000"),
        (Opaque(), r"needs pickle.*x = .*Opaque"),
    ],
)
def test_arguments_that_were_not_kept_are_named(cache, runs, argument, reason):
    """With why, and what to do."""

    @cache.cached(name="f")
    def f(x):
        counting.count()
        return 1

    f(argument)
    with pytest.raises(NotCached, match=f"arguments of 'f' were not kept.*{reason}"):
        recompute(cache, "f")
    assert len(runs) == 1


def test_an_argument_that_sounds_like_a_secret_is_named(cache, runs):
    """No argument of such a call is written down."""

    @cache.cached(name="f")
    def f(x, api_token=None):
        counting.count()
        return 1

    f(1)
    with pytest.raises(NotCached, match="'api_token' sounds like a secret"):
        recompute(cache, "f")
    assert len(runs) == 1


def test_a_function_that_takes_other_arguments_now_is_refused(cache, runs):
    """The text is Python's own."""
    scope = {"cache": cache, "counting": counting}
    exec("@cache.cached(name='f')\ndef f(x):\n    return x", scope)
    scope["f"](1)
    exec("@cache.cached(name='f')\ndef f(x, y):\n    counting.count()", scope)
    with pytest.raises(NotCached, match=r"takes other arguments now: missing.*'y'"):
        recompute(cache, "f")
    assert runs == []


def test_a_function_that_reads_what_has_no_key_is_refused(cache, runs):
    """Its result could not be stored: it is not run in vain."""
    scope = {"cache": cache, "counting": counting, "rows": [1]}
    code = "@cache.cached(name='f')\ndef f(x):\n    counting.count()\n    return rows"
    exec(textwrap.dedent(code), scope)
    scope["f"](1)
    scope["rows"] = (row for row in ())
    with pytest.raises(UnhashableValue, match="rows"):
        recompute(cache, "f")
    assert len(runs) == 1


def test_an_entry_of_somebody_else_is_not_run(cache, runs, tmp_path, monkeypatch):
    """What it says to import and to call is theirs."""

    @cache.cached(name="f")
    def f(x):
        counting.count()
        return x

    f(1)
    entry = newest(cache, "f")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "other"))
    with nbcache.Cache(tmp_path / "elsewhere") as elsewhere:
        store = type(elsewhere.core.store)(cache.directory)
    with pytest.raises(UntrustedEntry):
        recompute_call(type(cache.core)(store), entry)
    assert len(runs) == 1


def test_a_deleted_entry_is_refused(cache):
    """It may have been cleared by another process since it was listed."""

    @cache.cached(name="f")
    def f(x):
        return x

    f(1)
    entry = newest(cache, "f")
    cache.clear(all=True)
    with pytest.raises(NotCached, match="'f' has been deleted"):
        recompute_call(cache.core, entry)


# --- what stays if it fails


def test_an_error_leaves_the_entry(cache, monkeypatch):
    """It is the function's own; the old result is still a hit."""

    @cache.cached(name="f")
    def f(x):
        if getattr(sys, "nbcache_test", 0):
            raise OSError("gone")
        return x

    f(1)
    before = newest(cache, "f")
    monkeypatch.setattr(sys, "nbcache_test", 1, raising=False)
    with pytest.raises(OSError, match="gone"):
        recompute(cache, "f")
    assert newest(cache, "f") == before
    assert f(1) == 1


def test_a_result_that_may_not_be_kept_leaves_the_entry(cache, tmp_path, monkeypatch):
    """The outcome says why it was not stored."""

    @cache.cached(name="f")
    def f(x):
        if getattr(sys, "nbcache_test", 0):
            with (tmp_path / "written").open("a") as file:
                file.write("w")
        return x

    f(1)
    before = newest(cache, "f")
    monkeypatch.setattr(sys, "nbcache_test", 1, raising=False)
    (tmp_path / "written").write_text("w")
    with pytest.warns(nbcache.CacheWarning, match="appends to the file"):
        outcome = recompute(cache, "f")
    assert not outcome.stored
    assert "appends to the file" in outcome.refused
    assert newest(cache, "f") == before


# --- kinds of functions


def test_recompute_runs_a_coroutine_function_to_its_end(cache, runs):
    """With a loop of its own, as one may be running here."""

    @cache.cached(name="f")
    async def f(x):
        counting.count()
        await asyncio.sleep(0)
        return x

    async def main():
        await f(3)
        return recompute(cache, "f")

    assert asyncio.run(main()).stored
    assert len(runs) == 2
    assert f.peek(3) == 3


def test_recompute_refuses_a_private_entry(cache):
    """Its arguments were not kept, and the error does not name them."""

    @cache.cached(name="f", private=True)
    def f(x):
        return x

    f("sesame")
    with pytest.raises(NotCached, match="the entry is private") as info:
        recompute(cache, "f")
    assert "sesame" not in str(info.value)
