"""How plain files are opened and made, and told from any other."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nbcache.errors import DamagedEntry

__all__ = [
    "MAKE_FLAGS",
    "OPEN_FLAGS",
    "beside",
    "open_plain",
    "require_plain",
    "stat_id_of",
]

# neither through a link, nor waiting for the other end of a pipe
OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)

# new, or not at all, and not through a link
MAKE_FLAGS = (
    os.O_RDWR
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_plain(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading.

    Raises
    ------
    OSError
        It cannot be opened, or is a link.
    """
    return os.fdopen(os.open(path, OPEN_FLAGS), "rb")


@contextmanager
def beside(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new private file in the folder of another; removed at the end."""
    path = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with os.fdopen(os.open(path, MAKE_FLAGS, 0o600), "w+b") as file:
            yield file, path
    finally:
        path.unlink(missing_ok=True)


def stat_id_of(status: os.stat_result) -> tuple[int, ...]:
    """Give what is the same as long as a file is: with its times, in ns."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def require_plain(status: os.stat_result, least: int, most: int | None) -> None:
    """Refuse what is no regular file of a size, in bytes.

    Raises
    ------
    DamagedEntry
        It is not.
    """
    if not stat.S_ISREG(status.st_mode):
        raise DamagedEntry("not a regular file")
    if status.st_size < least:
        raise DamagedEntry("shorter than any entry")
    if most is not None and status.st_size > most:
        raise DamagedEntry(f"{status.st_size} bytes, more than the {most} allowed")
