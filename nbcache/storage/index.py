"""SQLite index of the entries: a cache of their manifests.

The entries are the truth: the index can be deleted at any time and is made anew from
them, and rows are reconciled with the folder's file names before they are believed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from nbcache.errors import DamagedEntry
from nbcache.storage.database import Database, stored_text
from nbcache.storage.entry import Entry
from nbcache.storage.forking import ForkLock

__all__ = ["Index", "Row", "stored_text"]

Result = TypeVar("Result")

_VERSION = 1
# sums and the evictor's choice come from the last index alone, which is a hundred
# times smaller than the rows
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    file TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    created REAL NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL,
    meta TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_name ON entries (name);
CREATE INDEX IF NOT EXISTS entries_by_key ON entries (key);
CREATE INDEX IF NOT EXISTS entries_in_short
    ON entries (bytes, seconds, created, key, name, file);
"""


class Row(NamedTuple):
    """What is known of an entry without its metadata; name as `stored_text` gives."""

    file: str
    key: str
    name: str
    bytes: int
    seconds: float
    created: float


class Index:
    """Rows of metadata, one an entry.

    Parameters
    ----------
    path : Path
        The database file.
    lock : Path, optional
        The evictor's lock file; None: beside the database.
    """

    def __init__(self, path: Path, lock: Path | None = None) -> None:
        self.path = path
        lock = path.with_name(f"{path.name}.lock") if lock is None else lock
        self._database = Database(path, _SCHEMA, _VERSION, lock=lock)
        self._lock = ForkLock()

    def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._lock.lock:
            return self._database.run(work)

    def add(self, entries: Iterable[Entry]) -> None:
        """Enter or replace rows."""
        rows = _rows(entries)
        self._run(lambda database: database.executemany(_INSERT, rows))

    def remove(self, files: Iterable[str]) -> None:
        """Drop rows by the names of their files."""
        gone = [(file,) for file in files]
        self._run(
            lambda database: database.executemany(
                "DELETE FROM entries WHERE file = ?", gone
            )
        )

    def reconcile(self, entries: Iterable[Entry], gone: Iterable[str]) -> None:
        """Enter and drop rows; from now on the index counts as `is_whole`."""
        rows, files = _rows(entries), [(file,) for file in gone]

        def work(database: sqlite3.Connection) -> None:
            database.executemany(_INSERT, rows)
            database.executemany("DELETE FROM entries WHERE file = ?", files)
            database.execute("INSERT OR REPLACE INTO facts VALUES ('whole', 1)")

        self._run(work)

    def is_whole(self) -> bool:
        """Say whether it was ever compared with the folder: a new one was not."""
        query = "SELECT 1 FROM facts WHERE name = 'whole'"
        return self._run(lambda database: bool(database.execute(query).fetchall()))

    def files(self) -> set[str]:
        """Give the names of all files that have a row."""
        query = "SELECT file FROM entries"
        return self._run(lambda database: {row[0] for row in database.execute(query)})

    def totals(self) -> tuple[int, int]:
        """Give number and bytes of all entries; no file is looked at."""
        query = "SELECT count(*), coalesce(sum(bytes), 0) FROM entries"
        count, size = self._run(lambda database: database.execute(query).fetchone())
        return int(count), int(size)

    def short_rows(self) -> list[Row]:
        """Give all entries without their metadata."""
        query = f"SELECT {', '.join(Row._fields)} FROM entries"
        found = self._run(lambda database: database.execute(query).fetchall())
        return [Row(*row) for row in found]

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


_INSERT = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def _rows(entries: Iterable[Entry]) -> list[tuple[object, ...]]:
    return [
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


def _meta(entry: Entry) -> str:
    """Give the metadata for a row, without what only one entry at a time is asked."""
    plain = entry.to_json()
    plain["parts"] = [row[:3] for row in entry.parts]
    return json.dumps(plain)


def _entry(file: str, size: int, meta: str) -> Entry | None:
    try:
        return Entry.from_json(json.loads(meta), file=file, bytes=size)
    except (ValueError, DamagedEntry):
        return None
