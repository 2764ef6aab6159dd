"""``cache_exceptions``: failures as results."""

import subprocess
import sys

import counting
import pytest

import nbcache


class Refused(Exception):
    """An exception with a state."""

    def __init__(self, code, *, text):
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text

    def __reduce__(self):
        return _refused, (self.code, self.text), dict(self.__dict__)


def _refused(code, text):
    return Refused(code, text=text)


class Odd(Exception):
    """An exception that pickle cannot make again."""

    def __init__(self, a, b):
        super().__init__(f"{a}{b}")


def test_by_default_no_exception_is_kept(cache, runs):
    """The call runs each time."""

    @cache.cached
    def f():
        counting.count()
        raise ValueError("no")

    for _ in range(3):
        with pytest.raises(ValueError, match="no"):
            f()
    assert len(runs) == 3
    assert f.entries() == []


def test_a_hit_raises_the_exception_again(cache, runs):
    """A fresh one each time, with a note, its type and its attributes."""

    @cache.cached(cache_exceptions=True)
    def f(x):
        counting.count()
        raise Refused(x, text="no")

    caught = []
    for _ in range(4):
        with pytest.raises(Refused, match="3: no") as info:
            f(3)
        caught.append(info.value)
        assert (info.value.code, info.value.text) == (3, "no")
        info.value.code = "spoilt"
    assert len(runs) == 1
    assert len(set(map(id, caught))) == 4
    assert not hasattr(caught[0], "__notes__")
    for one in caught[1:]:
        (note,) = one.__notes__
        assert note.startswith("from the cache: raised 20")
        assert "counting.count()" not in note
        assert "raise Refused" in note
    assert nbcache.last().hit
    (entry,) = cache.core.store.by_name(f._own_name)
    opened = cache.core.store.get(entry.key)
    assert opened.entry.state["failure"]["message"] == "3: no"
    assert opened.entry.variables == [["error", "Refused", 0]]
    opened.close()


def test_only_the_wanted_kinds_are_kept(cache, runs):
    """The others run each time."""

    @cache.cached(cache_exceptions=LookupError)
    def f(x):
        counting.count()
        if x:
            raise KeyError(x)
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(KeyError):
            f(1)
        with pytest.raises(ValueError, match="no"):
            f(0)
    assert len(runs) == 3


@pytest.mark.parametrize(
    "kind", [KeyboardInterrupt, SystemExit, GeneratorExit, RecursionError, MemoryError]
)
def test_what_ends_programs_is_never_kept(cache, runs, kind):
    """Nor what tells of the process only."""

    @cache.cached(cache_exceptions=True)
    def f():
        counting.count()
        raise kind

    for _ in range(2):
        with pytest.raises(kind):
            f()
    assert len(runs) == 2


def test_an_exception_that_cannot_be_made_again_is_not_kept(cache, runs):
    """Who catches it could not catch what a hit raises."""

    @cache.cached(cache_exceptions=True)
    def f():
        counting.count()
        raise Odd(1, 2)

    with (
        pytest.warns(nbcache.CacheWarning, match="cannot be made again"),
        pytest.raises(Odd, match="12"),
    ):
        f()
    with pytest.raises(Odd, match="12"):
        f()
    assert len(runs) == 2


def test_a_failure_that_changed_its_argument_is_not_kept(cache, runs):
    """As any other result."""

    @cache.cached(cache_exceptions=True)
    def f(x):
        counting.count()
        x.append(1)
        raise ValueError("no")

    with (
        pytest.warns(nbcache.CacheWarning, match="changed its argument"),
        pytest.raises(ValueError, match="no"),
    ):
        f([])
    x = []
    with pytest.raises(ValueError, match="no"):
        f(x)
    assert x == [1]


def test_other_conditions_hold_for_failures_too(cache, runs):
    """Expiry, min_seconds, refresh, peek, clear."""

    def f():
        counting.count()
        raise ValueError("a")

    kept = cache.cached(f, cache_exceptions=True, name="f")
    for call in (kept, kept.peek, kept):
        with pytest.raises(ValueError, match="a"):
            call()
    assert kept.is_cached()
    assert len(runs) == 1
    old = cache.cached(f, cache_exceptions=True, expires_after=0, name="f")
    with pytest.raises(ValueError, match="a"):
        old()
    with pytest.raises(ValueError, match="a"):
        kept.refresh()
    assert len(runs) == 3
    assert kept.clear() == 1
    quick = cache.cached(f, cache_exceptions=True, min_seconds=9, name="f")
    for _ in range(2):
        with pytest.raises(ValueError, match="a"):
            quick()
    assert len(runs) == 5


def test_a_refresh_that_succeeds_replaces_a_failure(cache, runs):
    """And the other way round."""

    def f():
        counting.count()
        if len(runs) % 2:
            raise ValueError("odd")
        return 5

    f = cache.cached(f, cache_exceptions=True, ignore_globals="runs")
    with pytest.raises(ValueError, match="odd"):
        f()
    assert f.refresh() == 5
    assert f() == 5
    with pytest.raises(ValueError, match="odd"):
        f.refresh()
    with pytest.raises(ValueError, match="odd"):
        f()


def test_without_the_option_a_kept_failure_is_not_used(cache, runs):
    """By default no exception comes from the cache, whoever stored it."""

    def f():
        counting.count()
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        cache.cached(f, cache_exceptions=True, name="f")()
    plain = cache.cached(f, name="f")
    other = cache.cached(f, name="f", cache_exceptions=KeyError)
    for function in (plain, other):
        assert not function.is_cached()
        with pytest.raises(ValueError, match="x") as info:
            function()
        assert not hasattr(info.value, "__notes__")
        with pytest.raises(nbcache.NotCached, match="exception"):
            function.peek()
    assert len(runs) == 3
    plain.put(7)
    assert cache.cached(f, cache_exceptions=True, name="f")() == 7


SCRIPT = """
import sys, nbcache
cache = nbcache.Cache(sys.argv[1])
@cache.cached(cache_exceptions=True)
def f(x):
    print("ran")
    return {}[x]
try:
    f("k")
except KeyError as error:
    print(error.args, len(getattr(error, "__notes__", [])))
"""


def test_failures_are_kept_for_other_processes(tmp_path):
    """By type and arguments."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "c")]
    told = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert told == ["ran\n('k',) 0\n", "('k',) 1\n"]
