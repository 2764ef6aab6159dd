"""SQLite index of the entries: a cache of their manifests.

The entries are the truth: the index can be deleted at any time and is made anew from
them, and rows are reconciled with the folder's file names before they are believed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from nbcache.errors import DamagedEntry
from nbcache.storage.database_guard import (
    SUFFIXES,
    guarded,
    require_files,
    require_schema,
)
from nbcache.storage.entry import Entry
from nbcache.storage.folder import key_of

__all__ = ["Index", "connect", "stored_text"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    file TEXT PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
    created REAL NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL,
    meta TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_name ON entries (name);
CREATE INDEX IF NOT EXISTS entries_by_key ON entries (key);
"""


@contextmanager
def connect(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """Open a database of ours for one transaction; a broken one is begun anew.

    Parameters
    ----------
    path : Path
        The file; made with mode 0600 if missing.
    schema : str
        Statements that make its tables, harmless when repeated.

    Raises
    ------
    OSError, sqlite3.Error
        It can neither be opened nor made.
    """
    try:
        connection = _open(path, schema)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        _set_aside(path)
        connection = _open(path, schema)
    with closing(connection), connection:
        yield connection


def _open(path: Path, schema: str) -> sqlite3.Connection:
    require_files(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    os.close(os.open(path, flags, 0o600))
    connection = guarded(sqlite3.connect(path, timeout=10.0))
    try:
        require_schema(connection, schema)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(path: Path) -> None:
    """Move a database that SQLite does not know as one out of the way."""
    for suffix in SUFFIXES:
        found = path.with_name(path.name + suffix)
        if os.path.lexists(found):
            found.replace(path.with_name(f"{path.name}.bad{suffix}"))


def stored_text(text: str) -> str:
    """Give a name as SQLite takes it: a lone surrogate has no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Index:
    """Rows of metadata, one an entry.

    Parameters
    ----------
    path : Path
        The database file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def add(self, entries: Iterable[Entry]) -> None:
        """Enter or replace rows."""
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
        with self._lock, connect(self.path, _SCHEMA) as database:
            database.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )

    def remove(self, files: Iterable[str]) -> None:
        """Drop rows by the names of their files."""
        with self._lock, connect(self.path, _SCHEMA) as database:
            database.executemany(
                "DELETE FROM entries WHERE file = ?", [(file,) for file in files]
            )

    def files(self) -> set[str]:
        """Give the names of all files that have a row."""
        with self._lock, connect(self.path, _SCHEMA) as database:
            found = database.execute("SELECT file FROM entries").fetchall()
        return {row[0] for row in found if type(row[0]) is str}

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
        with self._lock, connect(self.path, _SCHEMA) as database:
            found = database.execute(
                f"{query} ORDER BY created DESC LIMIT ?", (*values, limit)
            ).fetchall()
        return [entry for row in found if (entry := _entry(*row)) is not None]


def _meta(entry: Entry) -> str:
    """Give the metadata for a row, without what only one entry at a time is asked."""
    plain = entry.to_json()
    plain["parts"] = [row[:3] for row in entry.parts]
    return json.dumps(plain)


def _entry(file: Any, size: Any, meta: Any) -> Entry | None:
    """Give the entry of a row; None if the row is not one that was made here."""
    try:
        entry = Entry.from_json(json.loads(meta), file=file, bytes=size)
    except (ValueError, TypeError, AttributeError, RecursionError, DamagedEntry):
        return None
    return entry if key_of(entry.file) == entry.key else None
