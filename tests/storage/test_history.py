"""Statistics and pins that persist, and what becomes of them when they cannot."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from nbcache.storage import history as module
from nbcache.storage.history import History, Tally, Use

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def history(tmp_path) -> History:
    """Give a history that nothing was noted in."""
    return History(tmp_path / "history.sqlite")


def again(history: History) -> History:
    """Give what another process would read."""
    return History(history.path)


def hit(saved=2.0, **more):
    """An outcome."""
    return {"kind": "cell", "hit": True, "saved": saved, "seconds": 0.5, **more}


def miss(reason="new", **more):
    """An outcome."""
    return {"kind": "cell", "hit": False, "reason": reason, "seconds": 3.0, **more}


def test_uses_and_tallies_add_up_over_processes(history):
    """Hits of a key; hits and misses by reason of a name."""
    for _ in range(2):
        one = again(history)
        one.note_hit(KEY, 1.5)
        one.note_outcome("fit", "", hit(bytes=10))
        one.note_outcome("fit", "", miss(bytes=7))
        one.note_outcome("fit", "", miss("code"))
        one.flush()
    use = history.uses()[KEY]
    assert (use.hits, use.saved) == (2, 3.0)
    assert abs(use.last - time.time()) < 60
    assert history.tallies() == [
        Tally("fit", "cell", "code", 2, 6.0, 0.0, 0),
        Tally("fit", "cell", "hit", 2, 1.0, 4.0, 20),
        Tally("fit", "cell", "new", 2, 6.0, 0.0, 14),
    ]


def test_a_hit_writes_nothing_to_the_disk(history):
    """Only a batch of them does."""
    for _ in range(module.FLUSH_AFTER_USES):
        history.note_hit(KEY, 1.0)
    assert not history.path.exists()
    history.note_hit(KEY, 1.0)
    assert again(history).uses()[KEY].hits == module.FLUSH_AFTER_USES + 1


def test_what_is_noted_is_written_at_the_end_of_a_process(history):
    """Without anybody asking for it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from nbcache.storage.history import History\n"
        "History(Path(sys.argv[1])).note_hit('a', 1.0)\n"
        "history = History(Path(sys.argv[1])); history.note_hit('b', 1.0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(history.path)], check=True)
    assert set(history.uses()) == {"b"}  # the first had no owner when it ended


def test_a_forked_child_does_not_count_again(history):
    """What the parent noted is the parent's to write."""
    history.note_hit(KEY, 1.0)
    child = os.fork()
    if not child:
        history.note_hit("child", 1.0)
        history.flush()
        os._exit(0)
    os.waitpid(child, 0)
    history.flush()
    assert {key: use.hits for key, use in again(history).uses().items()} == {
        KEY: 1,
        "child": 1,
    }


def test_a_history_of_the_first_version_opens(history):
    """Its uses and outcomes are kept, the new tables are there."""
    with closing(sqlite3.connect(history.path)) as database, database:
        database.executescript(
            """
CREATE TABLE IF NOT EXISTS uses (
    key TEXT PRIMARY KEY, hits INTEGER NOT NULL, saved REAL NOT NULL,
    last REAL NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (
    name TEXT NOT NULL, notebook TEXT NOT NULL, time REAL NOT NULL,
    outcome TEXT NOT NULL, PRIMARY KEY (name, notebook));
"""
            "INSERT INTO uses VALUES ('k', 3, 4.5, 6.0);"
        )
        told = json.dumps({"hit": False})
        database.execute("INSERT INTO outcomes VALUES ('fit', 'n', 7.0, ?)", (told,))
    assert history.uses() == {"k": Use(3, 4.5, 6.0)}
    assert history.outcomes("fit") == [{"hit": False, "time": 7.0, "notebook": "n"}]
    history.pin(["fit"])
    history.note_hit("k", 0.5)
    assert history.uses()["k"].hits == 4
    assert history.pins() == {"fit"}


def test_a_history_of_a_later_version_opens(history):
    """With a table more, as a later version may add one."""
    history.note_hit(KEY, 1.0)
    history.flush()
    with closing(sqlite3.connect(history.path)) as database, database:
        database.execute("CREATE TABLE later (name TEXT)")
        database.execute("PRAGMA user_version = 99")
    history.note_hit(KEY, 1.0)
    history.flush()
    assert again(history).uses()[KEY].hits == 2
    with closing(sqlite3.connect(history.path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (99,)


@pytest.mark.parametrize("damage", ["deleted", "nonsense", "cut", "foreign"])
def test_a_lost_history_costs_only_the_statistics(history, damage):
    """It begins anew; what was broken stands aside."""
    history.pin(["fit"])
    history.note_hit(KEY, 1.0)
    history.flush()
    for path in history.path.parent.glob("history.sqlite-*"):
        path.unlink()
    data = history.path.read_bytes()
    history.path.unlink()
    if damage == "nonsense":
        history.path.write_bytes(b"nonsense" * 600)
    elif damage == "cut":
        history.path.write_bytes(data[: len(data) // 2 + 100])
    elif damage == "foreign":
        with closing(sqlite3.connect(history.path)) as database, database:
            database.execute("CREATE TABLE uses (something TEXT)")
            database.execute("PRAGMA user_version = 1")
    history.note_hit("new", 1.0)
    history.flush()
    assert again(history).uses().keys() <= {"new", KEY}
    assert again(history).uses()["new"].hits == 1
    aside = history.path.with_name("history.sqlite.bad")
    assert aside.exists() == (damage != "deleted")


def test_a_busy_database_is_tried_again(history, monkeypatch):
    """What could not be written is kept for later, and counted once."""
    history.note_hit(KEY, 1.0)
    history.flush()
    monkeypatch.setattr(history._database, "_wait_s", 0.01)
    history.note_hit(KEY, 1.0)
    history.note_outcome("fit", "", hit())
    with closing(sqlite3.connect(history.path)) as other, other:
        other.execute("BEGIN EXCLUSIVE")
        history.flush()
        history.note_hit(KEY, 1.0)
        history.note_outcome("fit", "", hit())
    history.flush()
    assert again(history).uses()[KEY].hits == 3
    assert [tally.count for tally in history.tallies()] == [2]
    assert len(history.outcomes("fit")) == 1


def test_pins_come_and_go(history):
    """Any text, twice is once; another process sees them."""
    names = ["fit", "\ud800", "a'b", KEY]
    history.pin(names)
    history.pin(["fit"])
    assert len(again(history).pins()) == 4
    history.unpin([*names[:2], "nothing"])
    assert again(history).pins() == {"a'b", KEY}


def test_levels_are_kept_in_order_and_do_not_grow_without_bound(history, monkeypatch):
    """The newest ones."""
    monkeypatch.setattr(module, "MOST_LEVELS", 3)
    for level in range(5):
        history.note_level(float(level))
    assert [level for _, level in again(history).levels()] == [2.0, 3.0, 4.0]


def test_nothing_is_made_where_there_is_no_store(tmp_path):
    """Neither by noting nor by reading."""
    history = History(tmp_path / "none" / "history.sqlite")
    history.note_hit(KEY, 1.0)
    history.flush()
    assert (history.uses(), history.tallies(), history.pins()) == ({}, [], set())
    assert not history.path.parent.exists()
