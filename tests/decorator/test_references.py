"""`ref`: small, picklable, in the key as the value it stands for."""

import asyncio
import pickle
import random
import subprocess
import sys
from dataclasses import dataclass

import counting
import numpy as np
import pandas as pd
import pytest

import nbcache
from nbcache.keys import hashing


@dataclass
class Point:
    """An instance of a user's class."""

    x: int


VALUES = [
    5,
    "text",
    [1, [2]],
    {"a": np.arange(3), "b": (1, None)},
    np.arange(10**5),
    pd.DataFrame({"a": [1, 2]}),
    pd.Series(["a", None]),
    Point(1),
    [Point(1), Point(2)],
    np.array([[1], None], dtype=object),
    {1, 2},
    pytest.param(
        np.random.default_rng(3),
        marks=pytest.mark.skipif(
            np.__version__ < "2", reason="its pickle is of another generator"
        ),
    ),
    np.arange(6).reshape(2, 3).T,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_reference_and_its_value_have_equal_keys(cache, runs, value):
    """On a miss, on a hit and from a fresh computation."""

    @cache.cached(track="none")
    def g(seed):
        return pickle.loads(pickle.dumps(value))

    @cache.cached(track="none")
    def f(x, y=1):
        counting.count()
        return type(x)

    fresh = g.ref(1)
    stored = g.ref(1)
    g(2)
    later = g.ref(2)
    assert fresh.digest == stored.digest == later.digest
    assert f.key(fresh) == f.key(g(1)) == f.key(g(2)) == f.key(later)
    assert f.key(fresh, y=fresh) == f.key(g(1), y=g(2))
    assert f(fresh) == f(g(1)) == f(x=later)
    assert len(runs) == 1
    assert hashing.digest(fresh.load()) == hashing.digest(g(1)) == fresh.digest


def test_a_reference_is_small_and_loads_late(cache, runs):
    """A hit of the function that takes it loads nothing."""

    @cache.cached
    def g():
        counting.count("g")
        return np.zeros(10**6)

    @cache.cached
    def f(x):
        counting.count("f")
        return float(x.sum())

    ref = g.ref()
    assert len(pickle.dumps(ref)) < 1000
    assert "g" in repr(ref)
    assert f(ref) == 0.0
    assert runs == [("g",), ("f",)]
    g.clear()
    # the value is gone, but the result for it is known
    assert f(g.ref()) == 0.0
    g.clear()
    assert f(ref) == 0.0
    with pytest.raises(nbcache.NotCached, match=r"g\.ref\(\.\.\.\) again"):
        ref.load()
    f.clear()
    with pytest.raises(nbcache.NotCached, match=r"g\.ref\(\.\.\.\) again"):
        f(ref)


def test_the_value_of_a_replaced_entry_is_not_taken_for_the_old_one(cache):
    """The function gets what its key says, or nothing."""

    def g():
        return [1]

    g = cache.cached(g, name="g")

    @cache.cached
    def f(x):
        return x[0] * 10

    old = g.ref()
    g.put([2])
    with pytest.raises(nbcache.NotCached, match="replaced"):
        f(old)
    new = g.ref()
    assert new.digest != old.digest
    assert f(new) == 20
    g.put([1])
    # another file with the same value is as good
    assert f(old) == 10


def test_what_the_function_gets_is_its_own(cache):
    """Changing it changes nobody's."""

    @cache.cached
    def g():
        return [1]

    @cache.cached
    def f(x, other):
        x.append(2)
        return x, len(other)

    ref = g.ref()
    assert f(ref, 1 * [0]) == ([1, 2], 1)
    assert f(ref, [0]) == ([1, 2], 1)
    assert ref.load() == [1]
    got = ref.load()
    got.append(5)
    assert ref.load() == [1]


def test_a_result_that_holds_the_value_is_whole(cache):
    """There is no live object that it could refer to."""

    @cache.cached
    def g():
        return [1, {"a": 2}]

    def f(x):
        return x[1], x

    f = cache.cached(f, name="f")
    first = f(g.ref())
    again = f(g.ref())
    assert first == again == ({"a": 2}, [1, {"a": 2}])
    assert again[0] is again[1][1]
    value = g()
    assert f(value) == first
    f.clear()
    # stored with the value itself: a hit finds its parts in it
    assert f(value)[1] is value
    assert f(value)[1] is value
    assert f(g.ref()) == first


def test_references_in_all_places_of_a_signature(cache):
    """Positional, keyword, in ``*args`` and ``**kwargs``."""

    @cache.cached
    def g(x):
        return [x]

    @cache.cached
    def f(a, *rest, b=None, **more):
        return a, rest, b, more

    refs = [g.ref(number) for number in range(4)]
    for _ in range(3):
        got = f(refs[0], refs[1], 5, b=refs[2], c=refs[3])
        assert got == ([0], ([1], 5), [2], {"c": [3]})
    assert f.key(refs[0], refs[1]) != f.key(refs[0], refs[2])
    assert f.key(refs[0], c=refs[1]) != f.key(refs[0], c=refs[2])


def test_where_nothing_is_looked_up_the_function_gets_the_value_too(cache):
    """Switched off, uncached, refreshed, or without a key."""

    @cache.cached
    def g():
        return [1]

    @cache.cached
    def f(x, other=None):
        return x

    ref = g.ref()
    with nbcache.disabled():
        assert f(ref) == f.refresh(ref) == [1]
    assert f.uncached(x=ref) == f.refresh(ref) == [1]
    with pytest.warns(nbcache.CacheWarning, match="part of a key"):
        assert f(ref, sys._getframe()) == [1]


def test_inside_a_container_it_stays_a_reference(cache, runs):
    """The function loads it itself; the key knows its value."""

    @cache.cached
    def g(x):
        return [x]

    @cache.cached
    def f(refs):
        counting.count()
        return [ref.load() for ref in refs]

    assert f([g.ref(1), g.ref(2)]) == [[1], [2]]
    assert f([g.ref(1), g.ref(2)]) == [[1], [2]]
    assert f([g.ref(2), g.ref(1)]) == [[2], [1]]
    assert len(runs) == 2


def test_a_result_that_refers_to_its_arguments_has_no_reference(cache):
    """Nobody could load it without the call."""

    @cache.cached
    def g(x):
        return [x]

    with pytest.raises(nbcache.UnstorableValue, match="return a copy"):
        g.ref([1, 2])
    assert g.ref(1).load() == [1]


def test_what_cannot_be_stored_has_no_reference(cache):
    """Neither where the cache is off."""

    @cache.cached
    def g(x):
        return sys._getframe()

    with (
        pytest.warns(nbcache.CacheWarning, match="cannot store"),
        pytest.raises(nbcache.UnstorableValue, match="result of"),
    ):
        g.ref(1)
    with nbcache.disabled(), pytest.raises(nbcache.NotCached, match="off"):
        g.ref(1)
    with nbcache.read_only(), pytest.raises(nbcache.UnstorableValue):
        cache.cached(lambda: 1, name="h").ref()


def test_min_seconds_does_not_stand_in_the_way(cache):
    """A reference needs its entry."""
    f = cache.cached(lambda: [1], name="h", min_seconds=10)
    assert f.ref().load() == [1]


def test_a_changed_class_is_no_old_value(cache):
    """The digest of what holds user classes is taken anew each time."""
    scope = {"__name__": "__main__", "cached": cache.cached}
    text = "class K:\n    n = 1\n"
    exec(text, scope)
    sys.modules["__main__"].__dict__["K"] = scope["K"]
    try:
        made = cache.cached(lambda: sys.modules["__main__"].K(), name="k", track="none")
        first = made.ref().digest
        exec("class K:\n    n = 2\n", scope)
        sys.modules["__main__"].__dict__["K"] = scope["K"]
        assert made.ref().digest != first
    finally:
        del sys.modules["__main__"].__dict__["K"]


def test_references_and_random_numbers(cache):
    """Loading leaves the global generators alone."""

    @cache.cached
    def g():
        random.seed(3)
        return [random.random()]

    ref = g.ref()
    random.seed(77)
    before = random.getstate()
    ref.load()
    assert random.getstate() == before


def test_making_a_reference_leaves_what_the_call_leaves(cache, runs):
    """The global generators are afterwards as if the call had run."""

    @cache.cached
    def g(x):
        counting.count()
        random.seed(x)
        return [random.random()]

    g.ref(3)
    after = random.getstate()
    for _ in range(2):
        random.seed(77)
        assert g.ref(3).load() == g(3)
        assert random.getstate() == after
    assert len(runs) == 1


def test_a_reference_to_a_failure_raises_it(cache):
    """There is no value."""

    @cache.cached(cache_exceptions=True)
    def g():
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            g.ref()


def test_refreshing_makes_a_new_value(cache, runs):
    """The reference is to what was computed last."""

    def g():
        counting.count()
        return [len(runs)]

    g = cache.cached(g, ignore_globals="runs", name="g")
    assert g.ref().load() == [1]
    with nbcache.refreshing():
        assert g.ref().load() == [2]
    assert g() == [2]


def test_methods_have_references(cache):
    """The instance is filled in."""

    class Model:
        def __init__(self, n):
            self.n = n

        @cache.cached
        def f(self, x):
            return [self.n, x]

    assert Model(3).f.ref(4).load() == [3, 4]


def test_coroutine_functions_take_references(cache):
    """They get the value."""
    g = cache.cached(lambda x: [x], name="g", track="none")

    @cache.cached
    async def f(x):
        return x[0]

    assert asyncio.run(f(g.ref(4))) == 4


SCRIPT = """
import pickle, sys, nbcache
ref = pickle.load(open(sys.argv[1], "rb"))
print(ref.load())
cache = nbcache.Cache(sys.argv[2])
@cache.cached(name="f")
def f(x):
    print("ran")
    return sum(x)
print(f(ref), nbcache.CachedRef is type(ref))
"""


def test_a_reference_travels_to_other_processes(cache, tmp_path):
    """By pickle, with the folder of the store."""
    g = cache.cached(lambda: [1, 2, 3], name="g", track="none")
    path = tmp_path / "ref"
    path.write_bytes(pickle.dumps(g.ref()))
    command = [sys.executable, "-c", SCRIPT, str(path), str(cache.directory)]
    for ran in ("ran\n", ""):
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        assert told.stdout == f"[1, 2, 3]\n{ran}6 True\n"
