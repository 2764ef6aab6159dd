"""SQLite databases of a store: views and statistics, never the truth."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from nbcache.storage.database_guard import (
    SUFFIXES,
    guarded,
    require_files,
    require_schema,
)
from nbcache.storage.filesystems import is_local
from nbcache.storage.forking import ForkLock
from nbcache.storage.interrupts import uninterrupted
from nbcache.storage.locks import exclusive

__all__ = ["Database", "stored_text"]

Result = TypeVar("Result")

_ATTEMPTS = 3
_REPLACING_S = 5.0
# the last: it has not the tables that its version says
_BAD = frozenset([sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR])


def stored_text(text: str) -> str:
    """Give a name as SQLite takes it: a lone surrogate has no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Database:
    """A database file that may be deleted, or be found broken, at any moment.

    Parameters
    ----------
    path : Path
        Made with mode 0600 if missing.
    schema : str
        Statements that make its tables, harmless when repeated: a file of an earlier
        version gets the tables that it lacks.
    version : int
        Number of the schema.
    lock : Path
        The evictor's lock file, under which a broken database is set aside.
    wait_s : float
        s to wait for another process that is writing.
    durable : bool
        Whether what is written survives a power cut.
    """

    def __init__(
        self,
        path: Path,
        schema: str,
        version: int,
        *,
        lock: Path,
        wait_s: float = 10.0,
        durable: bool = False,
    ) -> None:
        self.path = path
        self._schema = schema
        self._version = version
        self._lock = lock
        self._wait_s = wait_s
        # one at a time: a fork must not come while SQLite holds its own locks
        self._busy = ForkLock(is_waited_for=True)
        self._synchronous = "NORMAL" if durable else "OFF"

    def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do something in one transaction.

        Parameters
        ----------
        work : callable (Connection) -> Result
            Called again if the file was replaced meanwhile: what was written to the
            old one would be lost without an error.

        Raises
        ------
        OSError, sqlite3.Error
            The database can neither be opened nor made, or is busy for too long; on a
            file system that is not on the list, always.
        """
        if not is_local(str(self.path.parent)):
            raise OSError(f"no database on the file system of {self.path}")
        for attempt in range(_ATTEMPTS):
            file = self._file()
            try:
                with self._busy.lock:
                    result = self._once(work)
            except sqlite3.Error as error:
                if attempt + 1 == _ATTEMPTS:
                    raise
                if _is_bad(error):
                    self._set_aside(file)
                elif self._file() == file:
                    raise
                continue
            if file is None or self._file() == file:
                return result
        return result

    def _once(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        require_files(self.path)
        self._make()
        with closing(sqlite3.connect(self.path, timeout=self._wait_s)) as connection:
            guarded(connection)
            require_schema(connection, self._schema)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            if version < self._version:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(self._schema)
                connection.execute(f"PRAGMA user_version = {self._version:d}")
            with connection:
                return work(connection)

    def _make(self) -> None:
        """Make the file, private; one that is there is not opened.

        Closing any descriptor of it would drop the locks that SQLite holds on it for
        other threads (https://www.sqlite.org/howtocorrupt.html, 2.2).

        Raises
        ------
        OSError
            It cannot be made, or is no plain file.
        """
        try:
            if stat.S_ISREG(os.lstat(self.path).st_mode):
                return
        except FileNotFoundError:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with suppress(FileExistsError), uninterrupted():
                os.close(os.open(self.path, flags, 0o600))
            return
        raise OSError(f"{self.path} is no plain file")

    def _file(self) -> tuple[int, int] | None:
        """Tell which file is there now."""
        try:
            found = os.lstat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _set_aside(self, file: tuple[int, int] | None) -> None:
        """Move a broken file out of the way, once, whoever else found it broken.

        Raises
        ------
        OSError
            The folder cannot be written.
        sqlite3.OperationalError
            Another process keeps the lock for too long.
        """
        with exclusive(self._lock, wait_s=_REPLACING_S) as is_mine:
            if not is_mine:
                raise sqlite3.OperationalError(f"{self.path} is being replaced")
            if file is not None and self._file() != file:
                return
            for suffix in SUFFIXES:
                found = self.path.with_name(self.path.name + suffix)
                if os.path.lexists(found):
                    found.replace(self.path.with_name(f"{self.path.name}.bad{suffix}"))


def _is_bad(error: sqlite3.Error) -> bool:
    """Say whether an error means that the file is no sound database of ours."""
    if type(error) is sqlite3.DatabaseError:  # also what the guard raises
        return True
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BAD
