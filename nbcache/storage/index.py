"""SQLite index of the entries: a cache of their manifests.

The entries are the truth: the index can be deleted at any time and is made anew from
them, and rows are reconciled with the folder's file names before they are believed.
"""

from __future__ import annotations

import atexit
import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from nbcache.errors import DamagedEntry
from nbcache.storage import listing
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
_WHOLE = _SCHEMA + listing.SCHEMA
WRITE_AFTER_S = 5.0
WRITE_AFTER_ENTRIES = 256
LATEST_ENTRIES = 256
# above, reading all is faster than asking for each
_FEW_FOLDERS = 32


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
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    os.close(os.open(path, flags, 0o600))
    connection = sqlite3.connect(path, timeout=10.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(path: Path) -> None:
    """Move a database that SQLite does not know as one out of the way."""
    for suffix in ("", "-wal", "-shm"):
        found = path.with_name(path.name + suffix)
        if found.exists():
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

    Notes
    -----
    What is noted is written in batches, at the latest before anything is read here: a
    transaction for each takes longer than all else that storing a number does.  What a
    killed process did not write, and what others read before, `reconcile` finds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._waiting: dict[str, Entry] = {}
        self._latest: dict[str, Entry] = {}
        self._written = time.monotonic()
        # a weak reference: the exit hook must not keep stores of the past alive
        atexit.register(_flush_if_alive, weakref.ref(self))

    def note(self, entry: Entry) -> None:
        """Enter or replace a row, soon."""
        with self._lock:
            self._latest.pop(entry.file, None)
            self._waiting[entry.file] = self._latest[entry.file] = entry
            if len(self._latest) > LATEST_ENTRIES:
                del self._latest[next(iter(self._latest))]
            due = time.monotonic() - self._written > WRITE_AFTER_S
            if due or len(self._waiting) >= WRITE_AFTER_ENTRIES:
                self.flush()

    def flush(self) -> None:
        """Write what was noted; where that fails, the listing finds the files."""
        if self._waiting and self.path.parent.is_dir():
            with suppress(OSError, sqlite3.Error), self._database():
                pass

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """Open the database with all that was noted in it."""
        with self._lock:
            waiting, self._waiting = list(self._waiting.values()), {}
            self._written = time.monotonic()
            with connect(self.path, _WHOLE) as database:
                _enter(database, waiting)
                yield database

    def add(self, entries: Iterable[Entry]) -> None:
        """Enter or replace rows."""
        known = list(entries)
        if known:
            with self._database() as database:
                _enter(database, known)

    def remove(self, files: Iterable[str]) -> None:
        """Drop rows by the names of their files."""
        gone = [(file,) for file in files]
        if not gone:
            return
        for (file,) in gone:
            self._latest.pop(file, None)
        with self._database() as database:
            database.executemany("DELETE FROM entries WHERE file = ?", gone)
            listing.tidy(database)

    def files(self, folders: Collection[str]) -> set[str]:
        """Give the names of the files in some folders that have a row."""
        query = "SELECT file FROM listed"
        with self._database() as database:
            if len(folders) > _FEW_FOLDERS:
                found = {row[0] for row in database.execute(query)}
                return {one for one in found if (key_of(one) or "")[:2] in folders}
            # all that begins so: no hexadecimal digit comes after g
            query = f"{query} WHERE key >= ? AND key < ?"
            rows = (database.execute(query, (one, f"{one}g")) for one in folders)
            return {row[0] for some in rows for row in some}

    def folders(self) -> dict[str, int]:
        """Give the folders whose rows were right, and their times then in ns."""
        with self._database() as database:
            return dict(database.execute("SELECT name, mtime FROM folders"))

    def note_folders(self, right: Mapping[str, int], gone: Iterable[str]) -> None:
        """Keep when folders had the files that their rows tell."""
        with self._database() as database:
            database.executemany(
                "DELETE FROM folders WHERE name = ?", [(name,) for name in gone]
            )
            database.executemany(
                "INSERT OR REPLACE INTO folders VALUES (?, ?)", right.items()
            )

    def listing(self) -> listing.Listing:
        """Give all entries as columns, newest first."""
        with self._database() as database:
            return listing.Listing.read(database)

    def sums(self) -> tuple[int, int]:
        """Give the number of entries and their bytes."""
        with self._database() as database:
            query = "SELECT count(*), coalesce(sum(bytes), 0) FROM listed"
            count, size = database.execute(query).fetchone()
        return count, size

    def latest(self, name: str, limit: int) -> list[Entry]:
        """Give the newest entries of a name: those noted here, if they are enough."""
        with self._lock:
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
        with self._database() as database:
            found = database.execute(
                f"{query} ORDER BY created DESC LIMIT ?", (*values, limit)
            ).fetchall()
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


def _entry(file: str, size: int, meta: str) -> Entry | None:
    try:
        return Entry.from_json(json.loads(meta), file=file, bytes=size)
    except (ValueError, DamagedEntry):
        return None
