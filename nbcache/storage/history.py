"""What entries cannot tell: uses, seconds saved, last outcomes, sums by name, pins.

Lost, it loses only that.  A hit is noted in memory and written in batches, so that the
way of a hit writes nothing to the disk.
"""

from __future__ import annotations

import atexit
import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbcache.storage.database import Database, stored_text
from nbcache.storage.repeated import Repeated, RepeatedHits, Use
from nbcache.storage.tallies import HIT, Tally

__all__ = ["HIT", "History", "Tally", "Use"]

FLUSH_AFTER_S = 5.0
FLUSH_AFTER_USES, FLUSH_AFTER_AGAIN = 256, 10_000
MOST_HELD = 10_000
"""Notes that are kept in memory while they cannot be written."""
MOST_LEVELS = 1000

_VERSION = 1
# `database_guard` takes a table that is made otherwise for somebody else's: what a
# later version has to add goes into tables of its own
_SCHEMA = """
CREATE TABLE IF NOT EXISTS uses (
    key TEXT PRIMARY KEY, hits INTEGER NOT NULL, saved REAL NOT NULL,
    last REAL NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (
    name TEXT NOT NULL, notebook TEXT NOT NULL, time REAL NOT NULL,
    outcome TEXT NOT NULL, PRIMARY KEY (name, notebook));
CREATE TABLE IF NOT EXISTS tallies (
    name TEXT NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL,
    count INTEGER NOT NULL, seconds REAL NOT NULL, saved REAL NOT NULL,
    bytes INTEGER NOT NULL, PRIMARY KEY (name, kind, what));
CREATE TABLE IF NOT EXISTS pins (name TEXT PRIMARY KEY, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS levels (time REAL PRIMARY KEY, level REAL NOT NULL);
"""


def _flush_if_alive(reference: weakref.ref[History]) -> None:
    history = reference()
    if history is not None:
        history.flush()


_histories: weakref.WeakSet[History] = weakref.WeakSet()


def _forget_in_child() -> None:
    """Leave to the parent what it noted: it would be counted twice."""
    for history in list(_histories):
        history.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


class History:
    """Uses, outcomes, sums and pins of one store.

    Parameters
    ----------
    path : Path
        The database file.
    lock : Path, optional
        The evictor's lock file; None: beside the database.

    Notes
    -----
    What is promised to who notes something: `note_hit` and `note_outcome` touch
    memory only, but for one call in 256 or in 5 s, which writes the batch; they raise
    nothing, whatever becomes of the disk.  Each request is to end in one
    `note_outcome`, from which the sums by name are made, and each hit in one
    `note_hit` besides, from which the uses of its entry are.  Reading writes the batch
    first, so that a process always sees what itself noted; others see it when it is
    written.  Thread-safe.
    """

    def __init__(self, path: Path, lock: Path | None = None) -> None:
        self.path = path
        lock = path.with_name(f"{path.name}.lock") if lock is None else lock
        self._database = Database(
            path, _SCHEMA, _VERSION, lock=lock, wait_s=2.0, durable=True
        )
        self.forget()
        _histories.add(self)
        # a weak reference: the exit hook must not keep stores of the past alive
        atexit.register(_flush_if_alive, weakref.ref(self))

    def forget(self) -> None:
        """Drop what is held in memory."""
        self._lock = threading.Lock()
        self._uses: dict[str, Use] = {}
        self._outcomes: dict[tuple[str, str], tuple[float, Mapping[str, Any]]] = {}
        self._tallies: dict[tuple[str, str, str], Tally] = {}
        self._again = RepeatedHits()
        self._noted = 0
        self._flushed = time.monotonic()

    # --- noting

    def note_hit(self, key: str, saved: float) -> None:
        """Count a hit that saved some seconds."""
        with self._lock:
            self._uses[key] = self._uses.get(key, Use()).and_again(saved, time.time())
            self._noted += 1
        self._flush_when_due()

    def note_outcome(
        self, name: str, notebook: str, outcome: Mapping[str, Any]
    ) -> None:
        """Keep the latest outcome of a name, and count it."""
        with self._lock:
            self._outcomes[name, notebook] = time.time(), outcome
            self._count(name, outcome)
            self._noted += 1
        self._flush_when_due()

    def _count(self, name: str, outcome: Mapping[str, Any], times: int = 1) -> None:
        """Count an outcome, or several that are alike, in the sums of its name."""
        what = HIT if outcome.get("hit") else str(outcome.get("reason") or "new")
        place = name, str(outcome.get("kind", "")), what
        tally = self._tallies.get(place) or Tally(*place)
        self._tallies[place] = tally.and_again(outcome, times)

    def note_again(self, told: Repeated, seconds: float, notebook: str) -> None:
        """Note a repeated hit of an entry, like an earlier one, that took some s."""
        self._again.note(told, seconds, notebook)
        due = time.monotonic() - self._flushed > FLUSH_AFTER_S
        if due or len(self._again) > FLUSH_AFTER_AGAIN:
            self.flush()

    def _take_again(self) -> None:
        """Count the repeated hits; of each name, the last is its latest outcome."""
        with self._lock:
            for one in self._again.taken():
                use = self._uses.get(one.key, Use())
                saved, last = use.saved + one.saved, max(use.last, one.when)
                self._uses[one.key] = Use(use.hits + one.times, saved, last)
                self._count(one.name, {**one.outcome, "seconds": one.mean}, one.times)
                place = one.name, one.notebook
                if self._outcomes.get(place, (0.0,))[0] <= one.when:
                    self._outcomes[place] = one.when, one.outcome

    def _flush_when_due(self) -> None:
        due = time.monotonic() - self._flushed > FLUSH_AFTER_S
        if due or self._noted > FLUSH_AFTER_USES:
            self.flush()

    def flush(self) -> None:
        """Write what is held in memory; where that fails, it is tried again later."""
        self._take_again()
        with self._lock:
            uses, self._uses = self._uses, {}
            outcomes, self._outcomes = self._outcomes, {}
            tallies, self._tallies = self._tallies, {}
            self._noted, self._flushed = 0, time.monotonic()
        if not (uses or outcomes or tallies) or not os.path.isdir(self.path.parent):
            return
        # statistics are not worth a warning in somebody's cell
        try:
            self._write(uses, outcomes, tallies.values())
        except (OSError, sqlite3.Error):
            self._hold_again(uses, outcomes, tallies)

    def _hold_again(
        self,
        uses: Mapping[str, Use],
        outcomes: Mapping[tuple[str, str], tuple[float, Mapping[str, Any]]],
        tallies: Mapping[tuple[str, str, str], Tally],
    ) -> None:
        """Take back what could not be written, as far as that is little."""
        with self._lock:
            if len(self._uses) + len(uses) + len(tallies) > MOST_HELD:
                return
            for key, use in uses.items():
                now = self._uses.get(key, Use())
                last = max(use.last, now.last)
                self._uses[key] = Use(use.hits + now.hits, use.saved + now.saved, last)
            for place, tally in tallies.items():
                now_told = self._tallies.get(place, Tally(*place))
                self._tallies[place] = replace(
                    tally,
                    count=tally.count + now_told.count,
                    seconds=tally.seconds + now_told.seconds,
                    saved=tally.saved + now_told.saved,
                    bytes=tally.bytes + now_told.bytes,
                )
            self._outcomes = {**outcomes, **self._outcomes}

    def _write(
        self,
        uses: Mapping[str, Use],
        outcomes: Mapping[tuple[str, str], tuple[float, Mapping[str, Any]]],
        tallies: Iterable[Tally],
    ) -> None:
        rows = [(key, use.hits, use.saved, use.last) for key, use in uses.items()]
        told = [
            (stored_text(name), stored_text(notebook), when, json.dumps(outcome))
            for (name, notebook), (when, outcome) in outcomes.items()
        ]
        sums = [
            (
                *(stored_text(text) for text in (one.name, one.kind, one.what)),
                *(one.count, one.seconds, one.saved, one.bytes),
            )
            for one in tallies
        ]

        def work(database: sqlite3.Connection) -> None:
            database.executemany(
                "INSERT INTO uses (key, hits, saved, last) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET "
                "hits = hits + excluded.hits, saved = saved + excluded.saved, "
                "last = max(last, excluded.last)",
                rows,
            )
            database.executemany(
                "INSERT OR REPLACE INTO outcomes (name, notebook, time, outcome) "
                "VALUES (?, ?, ?, ?)",
                told,
            )
            database.executemany(
                "INSERT INTO tallies (name, kind, what, count, seconds, saved, bytes) "
                "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, kind, what) "
                "DO UPDATE SET count = count + excluded.count, "
                "seconds = seconds + excluded.seconds, saved = saved + excluded.saved, "
                "bytes = bytes + excluded.bytes",
                sums,
            )

        self._database.run(work)

    # --- reading

    def _told(self, query: str, *values: Any) -> list[Any]:
        """Read what nobody depends on: nothing where it cannot be read."""
        try:
            return self._read(query, *values)
        except (OSError, sqlite3.Error):
            return []

    def _read(self, query: str, *values: Any) -> list[Any]:
        self.flush()
        if not os.path.lexists(self.path):
            return []
        return self._database.run(
            lambda database: database.execute(query, values).fetchall()
        )

    def uses(self) -> dict[str, Use]:
        """Give the uses of all entries, by key."""
        rows = self._told("SELECT key, hits, saved, last FROM uses")
        return {key: Use(*use) for key, *use in rows if _are_numbers(use)}

    def sums(self) -> tuple[int, float]:
        """Give all hits there ever were, and the seconds that they saved."""
        query = "SELECT coalesce(sum(hits), 0), coalesce(sum(saved), 0.0) FROM uses"
        rows = self._told(query)
        return rows[0] if rows and _are_numbers(rows[0]) else (0, 0.0)

    def tallies(self) -> list[Tally]:
        """Give the sums of all outcomes so far; a name as `stored_text` gives it."""
        columns = "name, kind, what, count, seconds, saved, bytes"
        rows = self._told(f"SELECT {columns} FROM tallies ORDER BY name, kind, what")
        return [
            Tally(str(name), str(kind), str(what), *figures)
            for name, kind, what, *figures in rows
            if _are_numbers(figures)
        ]

    def outcomes(self, name: str | None = None) -> list[dict[str, Any]]:
        """Give the last outcomes, newest first; of one name if given."""
        query = "SELECT time, notebook, outcome FROM outcomes"
        if name is None:
            rows = self._told(f"{query} ORDER BY time DESC")
        else:
            query = f"{query} WHERE name = ? ORDER BY time DESC"
            rows = self._told(query, stored_text(name))
        return [
            {**found, "time": float(when), "notebook": str(notebook)}
            for when, notebook, told in rows
            if _are_numbers([when]) and (found := _outcome(told))
        ]

    # --- pins

    def pins(self) -> set[str]:
        """Give the names and keys that are pinned, as `stored_text` gives them."""
        return {str(row[0]) for row in self._read("SELECT name FROM pins")}

    def pin(self, names: Iterable[str]) -> None:
        """Pin names, or keys of single entries.

        Raises
        ------
        OSError, sqlite3.Error
            It cannot be written.
        """
        rows = [(stored_text(name), time.time()) for name in names]
        self._database.run(
            lambda database: database.executemany(
                "INSERT OR IGNORE INTO pins (name, time) VALUES (?, ?)", rows
            )
        )

    def unpin(self, names: Iterable[str]) -> None:
        """Take pins away.

        Raises
        ------
        OSError, sqlite3.Error
            It cannot be written.
        """
        rows = [(stored_text(name),) for name in names]
        self._database.run(
            lambda database: database.executemany(
                "DELETE FROM pins WHERE name = ?", rows
            )
        )

    # --- ageing

    def levels(self) -> list[tuple[float, float]]:
        """Give when the evictor's level rose, and to what, oldest first."""
        rows = self._read("SELECT time, level FROM levels ORDER BY time")
        return [row for row in rows if _are_numbers(row)]

    def note_level(self, level: float) -> None:
        """Note that the evictor's level rose; lost, entries only age later."""
        with suppress(OSError, sqlite3.Error):
            self._database.run(lambda database: _enter_level(database, level))


def _are_numbers(values: Iterable[Any]) -> bool:
    """Say whether a row is one of ours: anybody may have written to the file."""
    return all(type(one) in (int, float) for one in values)


def _outcome(text: Any) -> dict[str, Any]:
    """Read an outcome back; {} if it is none."""
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    return found if type(found) is dict else {}


def _enter_level(database: sqlite3.Connection, level: float) -> None:
    database.execute(
        "INSERT OR REPLACE INTO levels (time, level) VALUES (?, ?)",
        (time.time(), level),
    )
    database.execute(
        "DELETE FROM levels WHERE time NOT IN "
        "(SELECT time FROM levels ORDER BY time DESC LIMIT ?)",
        (MOST_LEVELS,),
    )
