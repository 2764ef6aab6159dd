"""SQLite index of the entries: a cache of their manifests.

The entries are the truth: the index can be deleted at any time and is made anew from
them, and rows are reconciled with the folder's file names before they are believed.
"""

from __future__ import annotations

import atexit
import json
import sqlite3
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from nbcache.errors import DamagedEntry
from nbcache.storage import listing
from nbcache.storage.database import Database, stored_text
from nbcache.storage.entry import Entry
from nbcache.storage.folder import key_of
from nbcache.storage.forking import ForkLock

__all__ = ["Index", "Row", "stored_text"]

Result = TypeVar("Result")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    file TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    created REAL NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL,
    meta TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_name ON entries (name);
CREATE INDEX IF NOT EXISTS entries_by_key ON entries (key);
"""
_WHOLE = _SCHEMA + listing.SCHEMA
_VERSION = 2
WRITE_AFTER_S = 5.0
WRITE_AFTER_ENTRIES = 256
LATEST_ENTRIES = 256
# above, reading all is faster than asking for each
_FEW_FOLDERS = 32


class Row(NamedTuple):
    """What is known of an entry without its metadata."""

    file: str
    key: str
    name: str
    bytes: int
    seconds: float
    created: float
    kind: str = ""


class Index:
    """Rows of metadata, one an entry.

    Parameters
    ----------
    path : Path
        The database file.
    lock : Path, optional
        The evictor's lock file; None: beside the database.

    Notes
    -----
    What is noted is written in batches, at the latest before anything is read here: a
    transaction for each takes longer than all else that storing a number does.  What a
    killed process did not write, and what others read before, `reconcile` finds.
    """

    def __init__(self, path: Path, lock: Path | None = None) -> None:
        self.path = path
        lock = path.with_name(f"{path.name}.lock") if lock is None else lock
        self._database = Database(path, _WHOLE, _VERSION, lock=lock)
        self._lock = ForkLock()
        self._waiting: dict[str, Entry] = {}
        self._latest: dict[str, Entry] = {}
        self._written = time.monotonic()
        # a weak reference: the exit hook must not keep stores of the past alive
        atexit.register(_flush_if_alive, weakref.ref(self))

    def note(self, entry: Entry) -> None:
        """Enter or replace a row, soon."""
        with self._lock.lock:
            self._latest.pop(entry.file, None)
            self._waiting[entry.file] = self._latest[entry.file] = entry
            if len(self._latest) > LATEST_ENTRIES:
                del self._latest[next(iter(self._latest))]
            due = time.monotonic() - self._written > WRITE_AFTER_S
            due = due or len(self._waiting) >= WRITE_AFTER_ENTRIES
        if due:
            self.flush()

    def flush(self) -> None:
        """Write what was noted; where that fails, the listing finds the files."""
        if self._waiting and self.path.parent.is_dir():
            with suppress(OSError, sqlite3.Error):
                self._run(lambda _database: None)

    def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do something in a database that has all that was noted."""
        with self._lock.lock:
            waiting, self._waiting = list(self._waiting.values()), {}
            self._written = time.monotonic()

            def whole(database: sqlite3.Connection) -> Result:
                _enter(database, waiting)
                return work(database)

            return self._database.run(whole)

    def add(self, entries: Iterable[Entry]) -> None:
        """Enter or replace rows."""
        known = list(entries)
        if known:
            self._run(lambda database: _enter(database, known))

    def remove(self, files: Iterable[str]) -> None:
        """Drop rows by the names of their files."""
        gone = [(file,) for file in files]
        if not gone:
            return
        for (file,) in gone:
            self._latest.pop(file, None)

        def work(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM entries WHERE file = ?", gone)
            listing.remove(database, (file for (file,) in gone))

        self._run(work)

    def files(self, folders: Collection[str]) -> set[str]:
        """Give the names of the files in some folders that have a row."""
        if len(folders) > _FEW_FOLDERS:
            found = self.all_files()
            return {one for one in found if (key_of(one) or "")[:2] in folders}
        # all that begins so: no hexadecimal digit comes after g
        query = "SELECT file FROM listed WHERE key >= ? AND key < ?"

        def work(database: sqlite3.Connection) -> set[str]:
            rows = (database.execute(query, (one, f"{one}g")) for one in folders)
            return {row[0] for some in rows for row in some}

        return self._run(work)

    def all_files(self) -> set[str]:
        """Give the names of all files that have a row."""
        query = "SELECT file FROM listed"
        return self._run(lambda database: {row[0] for row in database.execute(query)})

    def folders(self) -> dict[str, int]:
        """Give the folders whose rows were right, and their times then in ns."""
        query = "SELECT name, mtime FROM folders"
        return self._run(lambda database: dict(database.execute(query).fetchall()))

    def note_folders(self, right: Mapping[str, int], gone: Iterable[str]) -> None:
        """Keep when folders had the files that their rows tell."""
        dropped, kept = [(name,) for name in gone], list(right.items())

        def work(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM folders WHERE name = ?", dropped)
            database.executemany("INSERT OR REPLACE INTO folders VALUES (?, ?)", kept)

        self._run(work)

    def listing(self) -> listing.Listing:
        """Give all entries as columns, newest first."""
        return self._run(listing.Listing.read)

    def sums(self) -> tuple[int, int]:
        """Give the number of entries and their bytes."""
        query = "SELECT count(*), coalesce(sum(bytes), 0) FROM listed"
        count, size = self._run(lambda database: database.execute(query).fetchone())
        return count, size

    def short_rows(self) -> list[Row]:
        """Give all entries without their metadata."""
        query = (
            "SELECT file, key, alike, bytes, seconds, created FROM listed "
            # somebody else may have written here
            "WHERE typeof(created) = 'real' AND typeof(seconds) = 'real' "
            "AND typeof(bytes) = 'integer'"
        )

        def work(database: sqlite3.Connection) -> list[Row]:
            alike = database.execute("SELECT number, text FROM alike")
            told = {number: _name_and_kind(text) for number, text in alike}
            rows = database.execute(query)
            return [
                Row(file, key, name, size, seconds, created, kind)
                for file, key, number, size, seconds, created in rows
                if key_of(str(file)) == key
                for name, kind in (told.get(number, ("", "")),)
            ]

        return self._run(work)

    def of_files(self, files: Iterable[str]) -> list[Entry]:
        """Give the entries of some files, as far as they have rows."""
        query = "SELECT file, bytes, meta FROM entries WHERE file = ?"
        wanted = [(file,) for file in files]
        found = self._run(
            lambda database: [
                row for one in wanted for row in database.execute(query, one)
            ]
        )
        return [entry for row in found if (entry := _entry(*row)) is not None]

    def latest(self, name: str, limit: int) -> list[Entry]:
        """Give the newest entries of a name: those noted here, if they are enough."""
        with self._lock.lock:
            found = [one for one in reversed(self._latest.values()) if one.name == name]
        return found[:limit] if len(found) >= limit else self.rows(name, limit=limit)

    def rows(
        self, name: str | None = None, key: str | None = None, limit: int = -1
    ) -> list[Entry]:
        """Give entries, newest first; of one name or key if given, at most limit."""
        query = "SELECT file, bytes, meta FROM entries"
        values: tuple[str, ...] = ()
        if name is not None:
            query, values = f"{query} WHERE name = ?", (stored_text(name),)
        elif key is not None:
            query, values = f"{query} WHERE key = ?", (key,)
        query = f"{query} ORDER BY created DESC LIMIT ?"
        found = self._run(
            lambda database: database.execute(query, (*values, limit)).fetchall()
        )
        return [entry for row in found if (entry := _entry(*row)) is not None]


def _enter(database: sqlite3.Connection, entries: list[Entry]) -> None:
    if not entries:
        return
    rows = [
        (
            entry.file,
            entry.key,
            stored_text(entry.name),
            entry.kind,
            entry.created,
            entry.seconds,
            entry.bytes,
            _meta(entry),
        )
        for entry in entries
    ]
    database.executemany(
        "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
    )
    listing.enter(database, entries)


def _flush_if_alive(reference: weakref.ref[Index]) -> None:
    index = reference()
    if index is not None:
        index.flush()


def _meta(entry: Entry) -> str:
    """Give the metadata for a row, without what only one entry at a time is asked."""
    plain = entry.to_json()
    plain["parts"] = [row[:3] for row in entry.parts]
    return json.dumps(plain)


def _name_and_kind(text: Any) -> tuple[str, str]:
    try:
        alike = listing.Alike.from_text(text)
    except (ValueError, TypeError, RecursionError):
        return "", ""
    return str(alike.name), str(alike.kind)


def _entry(file: Any, size: Any, meta: Any) -> Entry | None:
    """Give the entry of a row; None if the row is not one that was made here."""
    try:
        entry = Entry.from_json(json.loads(meta), file=file, bytes=size)
    except (ValueError, TypeError, AttributeError, RecursionError, DamagedEntry):
        return None
    return entry if key_of(entry.file) == entry.key else None
