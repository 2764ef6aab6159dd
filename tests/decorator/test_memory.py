"""What a process keeps of entries: nothing that a caller could corrupt, nothing old."""

import collections
import datetime
import itertools
import os
import random
import threading
from dataclasses import dataclass

import counting
import numpy as np
import pandas as pd
import pytest

import nbcache
from nbcache.storage import store as storage
from nbcache.storage.recent import Recent


@dataclass
class Point:
    """An instance of a user's class."""

    x: int
    rest: list


def spoil_list(value):
    value.append(3)
    value[0] = "spoilt"


def spoil_array(value):
    value[...] = 0


def spoil_frame(value):
    value.loc[0, "a"] = 99
    value["new"] = 1
    value.attrs["x"] = 2


VALUES = {
    "list": (lambda: [1, [2]], spoil_list),
    "nested": (lambda: {"a": [1]}, lambda value: value["a"].append(2)),
    "in a tuple": (lambda: (1, [2]), lambda value: value[1].append(2)),
    "set": (lambda: {1, 2}, lambda value: value.add(3)),
    "bytearray": (lambda: bytearray(b"ab"), lambda value: value.extend(b"c")),
    "deque": (lambda: collections.deque([1]), lambda value: value.append(2)),
    "small array": (lambda: np.arange(5), spoil_array),
    "large array": (lambda: np.arange(10**5), spoil_array),
    "array in a tuple": (lambda: (np.arange(5),), lambda value: spoil_array(value[0])),
    "object array": (
        lambda: np.array([[1], None], dtype=object),
        lambda value: value[0].append(5),
    ),
    "structured": (
        lambda: np.zeros(3, dtype=[("a", "i4"), ("b", "f8")]),
        lambda value: value.__setitem__("a", 7),
    ),
    "frame": (lambda: pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), spoil_frame),
    "series": (lambda: pd.Series([1.5, 2.5]), lambda value: value.__setitem__(0, 9.0)),
    "instance": (lambda: Point(1, [2]), lambda value: value.rest.append(3)),
    "generator": (lambda: np.random.default_rng(1), lambda value: value.random(5)),
    "masked": (
        lambda: np.ma.array([1, 2, 3], mask=[0, 1, 0]),
        lambda value: value.__setitem__(0, 9),
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_spoilt_result_reaches_nobody(cache, runs, name):
    """However often it is handed out, each caller gets an object of its own."""
    make, spoil = VALUES[name]

    def f():
        counting.count()
        return make()

    f = cache.cached(f, name=name, track="none")
    expected = repr(make())
    if name == "generator":
        expected = make().bit_generator.state
    for _ in range(5):
        got = f()
        shown = got.bit_generator.state if name == "generator" else repr(got)
        assert shown == expected
        spoil(got)
    assert len(runs) == 1


FROZEN = [
    None,
    5,
    2.5,
    1j,
    "text",
    b"bytes",
    (1, ("a", frozenset([1, 2]))),
    datetime.date(2026, 1, 1),
    datetime.timedelta(1),
]


@pytest.mark.parametrize("value", FROZEN)
def test_immutable_results_are_handed_out_as_they_are(cache, value):
    """Equal in value and type, and the same object from the second hit on."""
    f = cache.cached(lambda: value, name="f", version=repr(value), track="none")
    f()
    first, second = f(), f()
    assert first == second == value
    assert type(second) is type(value)
    assert first is second


class Text(str):
    """A subclass may have attributes that can be changed."""

    __slots__ = ("note",)


def test_a_subclass_of_an_immutable_type_is_not_trusted(cache):
    """It can have state."""

    @cache.cached
    def f():
        text = Text("a")
        text.note = []
        return text

    f(), f()
    f().note.append(1)
    assert f().note == []


def test_a_deleted_entry_is_noticed(cache, runs):
    """Cleared by anyone, by whatever way."""

    @cache.cached
    def f(x):
        counting.count()
        return x

    f(1), f(1), f(1)
    f.clear()
    f(1), f(1), f(1)
    assert len(runs) == 2
    cache.clear(all=True)
    f(1), f(1), f(1)
    assert len(runs) == 3
    for path in (cache.directory / "entries").rglob("*.npz"):
        path.unlink()
    f(1)
    assert len(runs) == 4


def test_a_replaced_entry_is_noticed(cache):
    """The newest file counts, also if another process wrote it."""

    def f():
        return 1

    f = cache.cached(f, name="f")
    f(), f(), f()
    for number in range(2, 6):
        f.put(number)
        assert [f(), f(), f()] == [number] * 3
    child = os.fork()
    if not child:
        f.put(7)
        os._exit(0)
    os.waitpid(child, 0)
    assert f() == f() == 7


def test_a_damaged_file_is_noticed(cache, runs):
    """Bytes changed in place change the file's times."""

    @cache.cached
    def f():
        counting.count()
        return [1, 2, 3]

    f(), f(), f()
    (path,) = (cache.directory / "entries").rglob("*.npz")
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    with pytest.warns(nbcache.CacheWarning, match="damaged"):
        assert f() == [1, 2, 3]
    assert len(runs) == 2


def test_a_hit_from_memory_counts_as_a_hit(cache):
    """In the outcome, the history and cache_info."""

    @cache.cached
    def f():
        return 1

    for _ in range(6):
        f()
    assert nbcache.last().hit
    assert nbcache.last().bytes > 0
    assert f.cache_info().hits == 5


def test_the_switches_reach_the_memory(cache, runs):
    """Disabled and refreshing run, whatever is kept."""

    def f():
        counting.count()
        return len(runs)

    f = cache.cached(f, ignore_globals="runs")
    f(), f(), f()
    assert len(runs) == 1
    with nbcache.disabled():
        f()
    assert len(runs) == 2
    with nbcache.refreshing():
        assert f() == 3
    assert f() == f() == 3
    with nbcache.read_only():
        assert f() == 3


def test_memory_off_reads_the_file_each_time(cache, monkeypatch):
    """Nothing is kept of its entries."""
    kept = Recent(10**6)
    monkeypatch.setattr(storage, "_recent", kept)
    f = cache.cached(lambda: 1, memory=False, name="f", track="none")
    f(), f(), f()
    assert kept.bytes == 0
    g = cache.cached(lambda: 1, name="g", track="none")
    g(), g()
    assert kept.bytes > 0


def test_always_verifying_reads_the_file_each_time(tmp_path, monkeypatch):
    """``verify="always"`` wants the bytes on the disk compared."""
    kept = Recent(10**6)
    monkeypatch.setattr(storage, "_recent", kept)
    cache = nbcache.Cache(tmp_path, verify="always")
    f = cache.cached(lambda: 1, name="f", track="none")
    f(), f(), f()
    assert kept.bytes == 0


def test_memory_is_bounded(cache, monkeypatch):
    """What was used longest ago goes first."""
    kept = Recent(400_000)
    monkeypatch.setattr(storage, "_recent", kept)

    def f(x):
        return (x, "-" * 1000)

    f = cache.cached(f)
    for x in range(40):
        f(x), f(x)
        assert f(0) == (0, "-" * 1000)
    assert 100_000 < kept.bytes <= 400_000
    names = list(kept._kept)
    assert cache.core.store.place.name(f.key(0).digest) in names
    assert cache.core.store.place.name(f.key(1).digest) not in names


def test_large_arrays_of_every_mode(cache):
    """Each mode does what it says, on repeated hits too."""

    def f():
        return {"x": np.arange(10**5), "small": np.arange(3)}

    for mode, writeable in (("copy", True), ("read", False), (None, True)):
        g = cache.cached(f, mmap=mode, name=f"f{mode}")
        g()
        for _ in range(4):
            got = g()
            assert got["x"][1] == 1
            assert got["small"][1] == 1
            assert got["x"].flags.writeable is writeable
            assert got["small"].flags.writeable is writeable
            if writeable:
                got["x"][1] = got["small"][1] = 7


def test_threads_share_nothing(cache):
    """Many hits at once, each spoilt."""

    @cache.cached
    def f(x):
        return {"a": np.arange(100) + x, "b": [x]}

    for x in range(3):
        f(x)
    wrong = []

    def work():
        for x in itertools.islice(itertools.cycle(range(3)), 150):
            got = f(x)
            if got["a"][0] != x or got["b"] != [x]:
                wrong.append(got)
            got["a"][:] = -1
            got["b"].append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_random_states_are_restored_each_time(cache):
    """Also when the value is immutable, and a run ended in the state it began in."""

    @cache.cached
    def f():
        random.seed(5)
        return random.random()

    f()
    f.refresh()
    after = random.getstate()
    for _ in range(4):
        random.seed(99)
        f()
        assert random.getstate() == after


def test_a_returned_argument_is_that_object_each_time(cache):
    """What the entry refers to is looked for in today's arguments."""

    @cache.cached
    def f(x):
        return x, 1

    for _ in range(5):
        x = [1, 2]
        assert f(x)[0] is x
