"""How files come into a folder that people share: whole, or not at all."""

from __future__ import annotations

import os
import re
import stat
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from nbcache.errors import NbcacheError, UnstorableValue
from nbcache.storage.locks import exclusive
from nbcache.storage.plain_files import MAKE_FLAGS
from nbcache.storage.publishing import flush_to_disk

__all__ = [
    "LOCKS",
    "locked",
    "move",
    "naming",
    "refused",
    "settle",
    "sweep",
    "temporary",
    "write_new",
    "written_beside",
]

LOCKS = ".locks"
# a lock is held for some renames; who holds it longer was stopped
_WAIT_S = 10.0
_HOUR_S = 3600.0
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp(?:\..*)?")
_swept: dict[str, float] = {}
_MANY = 10_000


def temporary(folder: Path, suffix: str = "") -> Path:
    """Give a place for a file that is not ready yet."""
    return folder / f".{uuid.uuid4().hex}.tmp{suffix}"


def write_new(path: Path, *parts: bytes | memoryview) -> None:
    """Write a file that is not there yet, with the usual permissions.

    Raises
    ------
    OSError
        It is there, or cannot be written.
    """
    with os.fdopen(os.open(path, MAKE_FLAGS, 0o666), "wb") as file:
        for part in parts:
            file.write(part)


@contextmanager
def written_beside(place: Path, data: bytes) -> Iterator[Path]:
    """Give a file with this content in the folder of another; removed at the end.

    Raises
    ------
    OSError
        It cannot be written.
    """
    path = temporary(place.parent)
    try:
        write_new(path, data)
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


def settle(path: Path, writer: str) -> None:
    """Bring a file that was written to the disk, and date it exactly.

    Raises
    ------
    OSError
        It is no regular file, or cannot be flushed.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        raise OSError(f"{writer} wrote no file to the path that it was given") from None
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{writer} wrote no regular file to the path that it was given")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        flush_to_disk(descriptor)
    finally:
        os.close(descriptor)
    # finer than the clock of the file system: no two files of a name look the same
    with suppress(OSError):
        os.utime(path, ns=(time.time_ns(),) * 2)


@contextmanager
def locked(folder: Path, stems: Iterable[str]) -> Iterator[None]:
    """Keep others from replacing what has these file names, without suffix.

    Notes
    -----
    Where there are no locks, metadata may be lost, and then count as none.
    """
    locks = folder / LOCKS
    with suppress(OSError):
        locks.mkdir(exist_ok=True)
    with ExitStack() as stack:
        # in one order, or two would wait for each other
        for stem in sorted({stem.casefold() for stem in stems}):
            stack.enter_context(exclusive(locks / f"{stem}.lock", _WAIT_S))
        yield


def move(path: Path, target: Path) -> None:
    """Give a file a name that nothing has.

    Raises
    ------
    OSError
        Something has it, or the file is gone.
    """
    try:
        os.link(path, target, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # a file system without links
        path.rename(target)
        return
    path.unlink()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the system name the file that was wanted, not a temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and not isinstance(error, NbcacheError):
            named = error.filename
            if not isinstance(named, str | os.PathLike) or _is_temporary(named):
                error.filename = os.fspath(path)
                error.filename2 = None
        raise


def _is_temporary(name: str | os.PathLike[str]) -> bool:
    return _TEMPORARY.fullmatch(Path(name).name) is not None


def sweep(folder: Path) -> None:
    """Remove what the dead left in a folder; looked for once an hour."""
    last = _swept.get(str(folder))
    if last is not None and time.monotonic() - last < _HOUR_S:
        return
    if len(_swept) >= _MANY:
        _swept.clear()
    _swept[str(folder)] = time.monotonic()
    with suppress(OSError), os.scandir(folder) as found:
        for one in found:
            if _is_temporary(one.name):
                _remove_old(one)


def _remove_old(one: os.DirEntry[str]) -> None:
    with suppress(OSError):
        status = one.stat(follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > _HOUR_S:
            Path(one.path).unlink()


def refused(path: str, value: object, reason: str) -> UnstorableValue:
    """Give the error for a part of a value that a format cannot keep."""
    cls = type(value)
    return UnstorableValue(path, f"{cls.__module__}.{cls.__qualname__}", reason)
