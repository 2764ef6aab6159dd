"""Expiry, validate, min_seconds, tags, private: conditions on entries, and marks."""

import copy
import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import timedelta

import counting
import numpy as np
import pytest

import nbcache
from nbcache import durations


def age(cache, name, seconds):
    """Make the entries of a name older, as if they had been stored before."""
    store = cache.core.store
    for entry in store.by_name(name):
        opened = store.get(entry.key)
        content = _content(opened)
        older = replace(opened.entry, created=entry.created - seconds)
        opened.close()
        store.put(older, content, overwrite=True)


def _content(opened):
    from nbcache.storage.store import Content

    names = [one for one in opened.archive.names if not one.endswith("manifest")]
    members = {name: opened.archive.read(name, None) for name in names}
    return Content(opened.tree, members, opened.outputs)


DURATIONS = [
    ("12h", 43200.0),
    ("90", 90.0),
    ("1d 6h", 108000.0),
    ("1h30m", 5400.0),
    ("250 ms", 0.25),
    ("2w", 1209600.0),
    (5, 5.0),
    (np.float64(2.5), 2.5),
    (timedelta(minutes=3), 180.0),
    ("0", 0.0),
]


@pytest.mark.parametrize(("given", "expected"), DURATIONS)
def test_durations_are_read(given, expected):
    """Texts with units, numbers and timedeltas."""
    assert durations.seconds(given) == expected


@pytest.mark.parametrize(
    "given", ["", "x", "12 parsecs", "h", "1h -3m", -1, True, None, [], "inf"]
)
def test_what_is_no_duration_is_refused(given):
    """The error names the value."""
    with pytest.raises(ValueError, match="not a duration"):
        durations.seconds(given)


def test_an_entry_that_is_too_old_is_replaced(cache, runs):
    """After its time the function runs again, and the new result counts."""

    def f():
        counting.count()
        return len(runs)

    f = cache.cached(f, expires_after="1h", ignore_globals="runs")
    assert f() == f() == 1
    age(cache, f._own_name, 3000)
    assert f() == 1
    age(cache, f._own_name, 14400)
    assert "expired" in f.explain()
    assert not f.is_cached()
    with pytest.raises(nbcache.NotCached, match="expired"):
        f.peek()
    assert f() == 2
    assert nbcache.last().reason == "expired"
    assert "expired 3" in nbcache.last().changes[0]
    assert f() == f() == 2
    assert len(f.entries()) == 1


def test_todays_request_decides_the_lifetime(cache, runs):
    """What was asked for when it was stored is kept for listings only."""

    def f():
        counting.count()
        return 1

    cache.cached(f, expires_after="1s", name="f")()
    age(cache, "f", 60)
    cache.cached(f, name="f")()
    cache.cached(f, expires_after="1h", name="f")()
    assert len(runs) == 1
    assert cache.core.store.by_name("f")[0].expires_after == 1.0
    cache.cached(f, expires_after=0, name="f")()
    cache.cached(f, expires_after=0, name="f")()
    assert len(runs) == 3


def test_an_entry_of_the_future_is_too_old(cache, runs):
    """Nobody can tell its age."""

    def f():
        counting.count()

    f = cache.cached(f, expires_after="1h")
    f()
    age(cache, f._own_name, -7200)
    f()
    assert len(runs) == 2


def test_an_entry_expires_in_memory_too(cache, runs):
    """The copy that the process keeps is as old as the file."""

    def f():
        counting.count()
        return 1

    f = cache.cached(f, expires_after=0.3)
    f(), f(), f()
    assert len(runs) == 1
    time.sleep(0.35)
    f()
    assert len(runs) == 2


def test_validate_sees_metadata_and_decides(cache, runs):
    """A falsy answer is a miss; what it does to the metadata harms nothing."""
    seen = []

    def f(x):
        counting.count()
        return x

    def validate(entry):
        seen.append(copy.deepcopy(entry))
        entry["variables"].clear()
        entry["parts"].clear()
        return entry["seconds"] < 100 and entry["tags"] == ["a"]

    f = cache.cached(f, validate=validate, tags="a", name="f")
    f(1), f(1), f(1)
    assert len(runs) == 1
    first = seen[0]
    assert first["name"] == "f"
    assert first["variables"] == [["value", "int", 0]]
    assert set(first) >= {"key", "created", "bytes", "packages"}
    strict = cache.cached(f, validate=lambda entry: None, name="f")
    strict(1)
    assert len(runs) == 2
    assert nbcache.last().reason == "invalid"
    assert nbcache.last().stored


def test_an_error_in_validate_is_a_miss_with_a_warning(cache, runs):
    """The call goes on."""

    def f(x):
        counting.count()
        return x

    def validate(entry):
        return entry["no such"]

    f = cache.cached(f, validate=validate)
    assert f(1) == 1
    with pytest.warns(nbcache.CacheWarning, match="validate failed with KeyError"):
        assert f(1) == 1
    assert f(1) == 1
    assert len(runs) == 3


def test_what_took_less_than_min_seconds_is_not_stored(cache, runs):
    """Quietly: the outcome says so."""

    def f(pause):
        counting.count()
        time.sleep(pause)

    f = cache.cached(f, min_seconds="100ms")
    f(0), f(0)
    assert len(runs) == 2
    assert "min_seconds" in nbcache.last().refused
    assert not nbcache.last().stored
    f(0.12), f(0.12)
    assert len(runs) == 3


def test_a_refresh_replaces_also_what_took_less(cache, runs):
    """Else the old result would come back."""

    def f():
        counting.count()
        return len(runs)

    f = cache.cached(f, name="f", ignore_globals="runs", min_seconds=5)
    f.put(99)
    assert f() == 99
    assert f.refresh() == 1
    assert f() == 1


def test_tags_and_lifetime_stand_in_the_entry(cache):
    """For listings; of a value that was put there too."""

    @cache.cached(tags=("a", "b"), expires_after="1d", name="f")
    def f(x):
        return x

    f(1)
    f.put(5, 2)
    for entry in cache.core.store.by_name("f"):
        assert entry.tags == ["a", "b"]
        assert entry.expires_after == 86400.0
    assert f(2) == 5


def test_a_private_entry_holds_no_summary_of_a_value(cache):
    """Not in the parts, not as arguments, not in the file's name or the history."""
    secret = 7424242

    def f(x, text):
        return secret

    f = cache.cached(f, private=True, key="readable", name="f")
    f(8515151, "sesame open")
    f(8515152, "sesame open")
    for entry in cache.core.store.by_name("f"):
        assert entry.private
        assert entry.call is None
        plain = json.dumps(entry.to_json())
        for told in ("8515151", "8515152", "sesame", "7424242"):
            assert told not in plain.replace(entry.source, "")
            assert told not in entry.file
    told = json.dumps(cache.core.store.history.outcomes())
    assert "8515151" not in told
    assert "sesame" not in told
    assert f(8515151, "sesame open") == secret


def test_put_obeys_the_switches(cache):
    """Where nothing may be written, nothing is."""

    def f(x):
        return x

    assert cache.cached(f).put(1, 5) is True
    assert cache.cached(f, write=False).put(2, 5) is False
    assert cache.cached(f, enabled=False).put(2, 5) is False
    with nbcache.read_only():
        assert cache.cached(f).put(2, 5) is False
    with nbcache.disabled():
        assert cache.cached(f).put(2, 5) is False
    assert cache.cached(f)(5) == 1
    with pytest.raises(nbcache.UnstorableValue):
        cache.cached(f).put(sys._getframe(), 6)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("expires_after", "soon"),
        ("expires_after", -1),
        ("lock_timeout", "x"),
        ("min_seconds", "x"),
        ("validate", 3),
        ("memory", "yes"),
        ("private", 2),
        ("tags", (1,)),
        ("name", ""),
        ("mmap", "w"),
        ("cache_exceptions", "all"),
        ("cache_exceptions", (KeyboardInterrupt,)),
        ("enabled", None),
    ],
)
def test_wrong_options_are_refused_at_decoration(cache, option, value):
    """The error names the option."""
    with pytest.raises(ValueError, match=option):
        cache.cached(lambda x: x, **{option: value})


WAITING = """
import sys, time, nbcache
cache = nbcache.Cache(sys.argv[1])
def f():
    time.sleep(float(sys.argv[2]))
    return 1
print("go", flush=True)
f = cache.cached(f, name="f", version=1, lock_timeout=sys.argv[3] or None)
began = time.time()
f()
print(time.time() - began, nbcache.last().hit)
"""


def test_after_lock_timeout_the_call_is_computed_here_too(tmp_path):
    """A process that waits longer than that computes itself."""

    def start(pause, timeout):
        command = [sys.executable, "-c", WAITING, str(tmp_path / "c"), pause, timeout]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    # the code is the same: only what it sleeps is told from outside
    slow = start("6", "")
    assert slow.stdout.readline() == "go\n"
    time.sleep(1.0)
    quick, patient = start("0.1", "0.5"), start("0.1", "")
    took, hit = quick.communicate(timeout=60)[0].split()[1:]
    assert (hit, float(took) < 4) == ("False", True)
    # the one who waits for the lock is content with any result
    took, hit = patient.communicate(timeout=60)[0].split()[1:]
    assert hit == "True"
    slow.communicate(timeout=60)


def test_a_stampede_on_an_expired_entry_computes_once(tmp_path):
    """Who waits for the new result does not take the old one for it."""
    cache = nbcache.Cache(tmp_path / "c")

    def f():
        counting.count()
        time.sleep(0.4)
        return len(counting.ran)

    f = cache.cached(f, expires_after="1h", name="f", ignore_globals="counting")
    f()
    age(cache, "f", 7200)
    results = []
    threads = [threading.Thread(target=lambda: results.append(f())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [2] * 5
