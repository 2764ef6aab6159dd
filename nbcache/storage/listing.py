"""All entries at a glance: columns, in which what many entries share stands once.

A hundred thousand entries come from few functions and cells.  What a listing shows of
them differs in key, size, cost and time only; the rest is an `Alike`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from nbcache.storage.entry import Entry
from nbcache.storage.folder import key_of

__all__ = ["SCHEMA", "Alike", "Listing", "enter", "remove"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS alike (number INTEGER PRIMARY KEY, text TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS listed (
    file TEXT PRIMARY KEY, key TEXT NOT NULL, alike INTEGER NOT NULL,
    created REAL NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL
    ) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS listed_by_key ON listed (key);
CREATE INDEX IF NOT EXISTS listed_by_alike ON listed (alike);
CREATE INDEX IF NOT EXISTS listed_by_bytes ON listed (bytes);
CREATE TABLE IF NOT EXISTS folders (name TEXT PRIMARY KEY, mtime INTEGER NOT NULL);
"""

_LIBRARY = "library "
_CODE = "code"


@dataclass(frozen=True, slots=True)
class Alike:
    """What a listing tells of entries beyond key, size, cost and time.

    Parameters
    ----------
    kind, name, notebook : str
        As in `Entry`.
    variables, tags : str
        Joined by commas.
    pickled : bool
        Whether parts of them are.
    code : str
        Digest of the code.
    python : str
        Version that they were made with.
    libraries : list of [name, digest]
        What the key says of packages.
    expires_after : float or None
        In s.
    failure : bool
        Whether the function raised.
    seen : list
        Rows of the entry's `trace` and `written`.
    """

    kind: str
    name: str
    notebook: str
    variables: str
    tags: str
    pickled: bool
    code: str
    python: str
    libraries: list[list[str]]
    expires_after: float | None
    failure: bool
    seen: list[list[Any]]

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Give what an entry has in common with others."""
        labels = [(str(part[0]), str(part[1])) for part in entry.parts]
        return cls(
            entry.kind,
            entry.name,
            entry.notebook,
            ", ".join(str(one[0]) for one in entry.variables),
            ", ".join(map(str, entry.tags)),
            bool(entry.pickled),
            next((digest for label, digest in labels if label == _CODE), ""),
            str(entry.packages.get("python", "")),
            [
                [label.removeprefix(_LIBRARY), digest]
                for label, digest in labels
                if label.startswith(_LIBRARY)
            ],
            entry.expires_after,
            "failure" in entry.state,
            [*entry.trace, *entry.written],
        )

    def to_text(self) -> str:
        """Give it as JSON, equal for equal ones; ASCII, as SQLite takes no other."""
        return json.dumps([getattr(self, name) for name in self.__slots__])

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read it back."""
        return cls(*json.loads(text))


@dataclass(frozen=True, slots=True)
class Listing:
    """Entries, newest first.

    Parameters
    ----------
    alike : list of Alike
        Each once.
    places : ndarray of int
        Of each entry, the place in `alike`.
    keys : list of str
        Of each entry.
    created : ndarray of float
        In s since 1970.
    seconds : ndarray of float
        Cost, in s.
    bytes : ndarray of int
        Size of each file.
    """

    alike: list[Alike]
    places: np.ndarray
    keys: list[str]
    created: np.ndarray
    seconds: np.ndarray
    bytes: np.ndarray

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Give the listing of entries, in their order."""
        known = list(entries)
        places: dict[str, int] = {}
        found = [
            places.setdefault(Alike.of(one).to_text(), len(places)) for one in known
        ]
        return cls(
            [Alike.from_text(text) for text in places],
            np.array(found, np.intp),
            [one.key for one in known],
            np.array([one.created for one in known], float),
            np.array([one.seconds for one in known], float),
            np.array([one.bytes for one in known], np.int64),
        )

    @classmethod
    def read(cls, database: sqlite3.Connection) -> Self:
        """Read all entries of an index."""
        texts = database.execute("SELECT number, text FROM alike").fetchall()
        rows = database.execute(
            "SELECT key, alike, created, seconds, bytes FROM listed "
            # somebody else may have written here
            "WHERE key NOT GLOB '*[^0-9a-f]*' AND typeof(created) = 'real' "
            "AND typeof(seconds) = 'real' AND typeof(bytes) = 'integer'"
        ).fetchall()
        columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * 5
        keys, numbers, created, seconds, sizes = columns
        places = {number: place for place, (number, _) in enumerate(texts)}
        when = np.array(created, float)
        # sorted here: SQLite takes several times as long
        order = np.argsort(-when, kind="stable")
        return cls(
            [Alike.from_text(text) for _, text in texts],
            np.fromiter(map(places.__getitem__, numbers), np.intp, len(rows))[order],
            np.array(keys, object)[order].tolist(),
            when[order],
            np.array(seconds, float)[order],
            np.array(sizes, np.int64)[order],
        )

    def column(self, name: str) -> list[Any]:
        """Give a field of `Alike` for each entry."""
        values = np.empty(len(self.alike), object)
        values[:] = [getattr(one, name) for one in self.alike]
        return values[self.places].tolist()  # type: ignore[no-any-return]


def enter(database: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Enter or replace entries."""
    known = [(one, Alike.of(one).to_text()) for one in entries]
    database.executemany(
        "INSERT OR IGNORE INTO alike (text) VALUES (?)",
        [(text,) for text in dict.fromkeys(text for _, text in known)],
    )
    database.executemany(
        "INSERT OR REPLACE INTO listed SELECT ?, ?, number, ?, ?, ? FROM alike "
        "WHERE text = ?",
        [
            (one.file, one.key, one.created, one.seconds, one.bytes, text)
            for one, text in known
        ],
    )
    # what was written late may have gone meanwhile
    database.executemany(
        "DELETE FROM folders WHERE name = ?",
        [(folder,) for folder in {one.key[:2] for one, _ in known}],
    )


def remove(database: sqlite3.Connection, files: Iterable[str]) -> None:
    """Drop entries by the names of their files, and what no entry has in common."""
    gone = list(files)
    rows = [(file,) for file in gone]
    database.executemany("DELETE FROM listed WHERE file = ?", rows)
    folders = {(key[:2],) for file in gone if (key := key_of(file))}
    database.executemany("DELETE FROM folders WHERE name = ?", folders)
    database.execute("DELETE FROM alike WHERE number NOT IN (SELECT alike FROM listed)")
