"""How a plain file is opened for reading, and told from any other."""

from __future__ import annotations

import os
import stat

from nbcache.errors import DamagedEntry

__all__ = ["OPEN_FLAGS", "require_plain", "stat_id_of"]

# neither through a link, nor waiting for the other end of a pipe
OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


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
