"""Whether the small file that stands in a place is one that is known, in few calls."""

from __future__ import annotations

import os

from nbcache.storage.plain_files import OPEN_FLAGS

__all__ = ["is_at", "is_in"]


def is_at(path: str, stat_id: tuple[int, ...]) -> bool:
    """Say whether the file at a path is the one with a device, inode, size and times.

    Parameters
    ----------
    path : str
        Not followed if it is a link.
    stat_id : tuple of int
        As `Archive.stat_id` has it.
    """
    try:
        found = os.lstat(path)
    except OSError:
        return False
    device, inode, size, written, changed = stat_id
    return (
        found.st_ino == inode
        and found.st_mtime_ns == written
        and found.st_ctime_ns == changed
        and found.st_size == size
        and found.st_dev == device
    )


def is_in(path: str, data: bytes) -> bool:
    """Say whether a file, read now, has these bytes and no others."""
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except OSError:
        return False
    try:
        # one more than there should be: a longer file is another
        return os.read(descriptor, len(data) + 1) == data
    except OSError:
        return False
    finally:
        os.close(descriptor)
