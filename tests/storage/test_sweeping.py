"""What the dead left behind goes; what anybody may still use stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from full_stores import DAY, key, put, there

from nbcache.storage.locks import exclusive
from nbcache.storage.store import Store
from nbcache.storage.sweeping import sweep, sweep_when_due

HOUR = 3600.0


@pytest.fixture
def store(tmp_path) -> Store:
    """Give a store with one entry."""
    store = Store(tmp_path / "store")
    put(store, 0)
    return store


def made(path, age: float):
    """Make a file that is some seconds old."""
    path.write_bytes(b"x" * 100)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def temporary(store, age: float, *, host: str | None = None, pid: int | None = None):
    """Make what a put that was killed leaves."""
    host = store.place.origin if host is None else host
    pid = os.getpid() if pid is None else pid
    return made(store.folder / "tmp" / f"{host}-{pid}-{os.urandom(16).hex()}", age)


@pytest.fixture
def dead() -> int:
    """Give the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(20)
    return process.pid


def test_temporaries_of_the_dead_go_after_an_hour(store, dead):
    """On this host it can be known who is dead; elsewhere after a day."""
    gone = [
        temporary(store, HOUR + 60, pid=dead),
        temporary(store, DAY + 60),
        temporary(store, DAY + 60, host="elsewhere", pid=dead),
        made(store.folder / "tmp" / f"removed-{'0' * 32}", 0),
    ]
    stay = [
        temporary(store, HOUR - 60, pid=dead),
        temporary(store, DAY - 60),
        temporary(store, DAY - 60, host="elsewhere", pid=dead),
        made(store.folder / "tmp" / "somebodys.file", 9 * DAY),
    ]
    swept = sweep(store.place)
    assert [path for path in gone if path.exists()] == []
    assert [path for path in stay if not path.exists()] == []
    assert (swept.temporaries, swept.bytes) == (4, 400)
    assert there(store) == {0}


def test_only_locks_that_nobody_holds_go(store):
    """And leases; a file of another name is none of ours."""
    locks = store.folder / "locks"
    free = [made(store.place.lock(key(1)), 0), made(locks / f"{'1' * 32}.lease", 0)]
    other = made(locks / "note.lock", 9 * DAY)
    with exclusive(store.place.lock(key(2))) as mine:
        assert mine
        assert sweep(store.place).locks == 2
        assert store.place.lock(key(2)).exists()
    assert [path for path in free if path.exists()] == []
    assert other.exists()


def test_damaged_files_go_after_a_week(store, monkeypatch):
    """By the time at which they were set aside, which no write can change."""
    path = store.place.files()[f"{key(0)}.npz"]
    path.write_bytes(b"nonsense")
    store.set_aside(path)
    (aside,) = (store.folder / "damaged").iterdir()
    os.utime(aside, (0, 0))
    assert sweep(store.place).damaged == 0
    assert aside.exists()
    monkeypatch.setattr("nbcache.storage.sweeping.WEEK_S", -1.0)
    assert sweep(store.place).damaged == 1
    assert not aside.exists()


def test_links_are_neither_followed_nor_swept(store, tmp_path):
    """A folder of somebody's, linked to where temporaries are."""
    precious = tmp_path / "precious"
    precious.mkdir()
    file = made(precious / f"removed-{'0' * 32}", 9 * DAY)
    (store.folder / "tmp").rmdir()
    (store.folder / "tmp").symlink_to(precious)
    (store.folder / "locks" / f"{'2' * 32}.lease").symlink_to(file)
    sweep(store.place)
    assert file.exists()


def test_a_store_is_swept_once_a_day(store):
    """At the first result that a process stores."""
    left = temporary(store, 2 * DAY)
    assert sweep_when_due(store.place) is not None
    assert not left.exists()
    left = temporary(store, 2 * DAY)
    assert sweep_when_due(store.place) is None
    stamp = store.folder / "locks" / "swept"
    os.utime(stamp, (time.time() - DAY - 60,) * 2)
    Store(store.folder).prepare()
    assert not left.exists()


def test_what_a_killed_clear_left_is_finished(store):
    """The folder that it had renamed away."""
    aside = store.folder / "tmp" / f"cleared-{'0' * 32}"
    store.place.entries.rename(aside)
    store.place.make()
    put(store, 1)
    assert sweep(store.place).temporaries == 0  # it may be at it still
    (stat,) = [os.stat(aside)]
    before = time.time() - stat.st_ctime
    assert before < 60
