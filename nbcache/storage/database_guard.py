"""Databases in the store that somebody else may have made: none of their code runs.

A view or trigger in a database runs with every statement on its table, and may run for
ever; a journal beside it can name any file to be deleted; a link in the place of its
log is written to.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import stat
import uuid
from contextlib import closing, suppress
from pathlib import Path

__all__ = ["SUFFIXES", "guarded", "require_files", "require_schema"]

SUFFIXES = ("", "-wal", "-shm", "-journal")
_MOST_BYTES = 1 << 26
_ME = getattr(os, "geteuid", None)


def require_files(path: Path) -> None:
    """Move files beside a database out of the way that are not its own.

    Raises
    ------
    OSError
        It belongs to another user, or cannot be looked at.
    """
    for suffix in SUFFIXES:
        file = path.with_name(path.name + suffix)
        try:
            found = os.lstat(file)
        except FileNotFoundError:
            continue
        plain = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
        # ours are in WAL mode, which has no journal but while the file is made
        if not plain or (suffix == "-journal" and found.st_size):
            _move_aside(file)
        elif _ME is not None and found.st_uid != _ME():
            raise PermissionError(f"{file} belongs to another user")


def _move_aside(file: Path) -> None:
    file.replace(file.with_name(f"{file.name}.bad-{uuid.uuid4().hex[:8]}"))


def guarded(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Have a connection refuse values and statements of a size that is none of ours."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def require_schema(connection: sqlite3.Connection, schema: str) -> None:
    """See that a database holds tables and indexes of ours, as we make them.

    Raises
    ------
    sqlite3.DatabaseError
        It holds others of their names, or views or triggers.
    """
    wanted = _made_by(schema)
    rows = connection.execute("SELECT name, type, sql FROM sqlite_master").fetchall()
    for name, kind, text in rows:
        if kind not in ("table", "index") or (name in wanted and wanted[name] != text):
            raise sqlite3.DatabaseError(f"a {kind} {name!r} that is not ours")


@functools.lru_cache(maxsize=8)
def _made_by(schema: str) -> dict[str, str | None]:
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(schema)
        return dict(fresh.execute("SELECT name, sql FROM sqlite_master").fetchall())
