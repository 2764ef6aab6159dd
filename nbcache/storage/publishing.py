"""A written file comes into its place, whole or not at all, and survives what it must.

Which of several writers is first decides: what stands in a place stays there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["flush_folders", "flush_to_disk", "publish"]

Standing = TypeVar("Standing")

# what file systems say that have no hard links: FAT, exFAT, some of FUSE and SMB
_NO_LINKS = frozenset(
    (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)
)
# and what those say that cannot flush
_NO_FLUSH = frozenset((errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS))


def publish(
    temporary: Path, path: Path, *, standing: Callable[[], Standing | None] | None
) -> Standing | None:
    """Put a written file into its place; give what was there first.

    Parameters
    ----------
    temporary : Path
        Written and closed; the caller removes it.
    path : Path
        Its place, in the same file system.
    standing : callable, optional
        Gives what stands there, if that is good; what is not is replaced.  None: all
        is replaced.

    Raises
    ------
    OSError
        It cannot be put there.
    """
    if standing is not None:
        try:
            os.link(temporary, path, follow_symlinks=False)
            return None
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        if os.path.lexists(path) and (first := standing()) is not None:
            return first
    temporary.replace(path)
    return None


def flush_to_disk(descriptor: int) -> None:
    """Flush a file or folder, where the file system can.

    Raises
    ------
    OSError
        It could not be written.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise


def flush_folders(folder: Path, root: Path) -> None:
    """Flush a folder and those above it, up to the root's own: names are in folders.

    Raises
    ------
    OSError
        It could not be written.
    """
    for one in (folder, *folder.parents):
        descriptor = os.open(one, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            flush_to_disk(descriptor)
        finally:
            os.close(descriptor)
        if one == root.parent:
            return
