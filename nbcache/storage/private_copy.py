"""Files that others could write to while they are read: read from a copy.

What was verified must be what is decoded.  An entry that belongs to another user, or
that others may write to, can become another one between the two, and a mapped file that
is truncated kills the process.
"""

from __future__ import annotations

import os
import stat
import tempfile

__all__ = ["is_at_risk", "private_copy"]

_BLOCK = 1 << 20


def is_at_risk(status: os.stat_result) -> bool:
    """Say whether another user could change an open file."""
    owner = getattr(os, "geteuid", lambda: status.st_uid)()
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return status.st_uid not in (owner, 0) or bool(others)


def private_copy(descriptor: int, limit_bytes: int) -> int:
    """Give a descriptor of a copy without a name, at most so many bytes; close the old.

    Raises
    ------
    OSError
        It cannot be read, or there is no room for a copy.
    """
    with tempfile.TemporaryFile() as file:
        place = 0
        while place < limit_bytes:
            block = os.pread(descriptor, min(_BLOCK, limit_bytes - place), place)
            if not block:
                break
            file.write(block)
            place += len(block)
        file.flush()
        copy = os.dup(file.fileno())
    os.close(descriptor)
    return copy
