"""What the dead left behind in a store: temporaries, locks, removed and damaged files.

Ages are told by the store's own clock, that of the host that keeps its files.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nbcache.storage.folder import Folder, key_of
from nbcache.storage.locks import exclusive, is_held
from nbcache.storage.removal import empty

__all__ = ["Swept", "sweep", "sweep_when_due"]

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
WEEK_S = 7 * DAY_S

_STAMP = "swept"
_TEMPORARY = re.compile(r"([A-Za-z0-9_]{1,40})-(\d{1,10})-[0-9a-f]{32}")
_REMOVED = re.compile(r"removed-[0-9a-f]{32}")
_CLEARED = re.compile(r"cleared-[0-9a-f]{32}")
_LOCK = re.compile(r"[0-9a-f]{32,64}\.lock")
_LEASE = re.compile(r"[0-9a-f]{32}\.lease")
_DAMAGED = re.compile(r"\d{1,20}-(.+)")
_BAD = re.compile(
    r"(?:index|history)\.sqlite(?:-journal|-wal|-shm)?\.bad(?:-[0-9a-f]{8}|-wal|-shm)?"
)


@dataclass(frozen=True, slots=True)
class Swept:
    """How much was swept: temporaries, locks, removed and damaged files, bytes."""

    temporaries: int = 0
    locks: int = 0
    damaged: int = 0
    bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self.temporaries or self.locks or self.damaged)


def sweep_when_due(place: Folder) -> Swept | None:
    """Sweep a store that was not swept today; None if it was, or cannot be."""
    stamp = place.path / "locks" / _STAMP
    try:
        if time.time() - stamp.stat().st_mtime < DAY_S:
            return None
    except OSError:
        pass  # never yet
    try:
        return sweep(place)
    except OSError:
        return None


def sweep(place: Folder) -> Swept:
    """Sweep a store now.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    if not place.is_ours():
        return Swept()
    now = _touched(place.path / "locks" / _STAMP)
    temporaries = size = damaged = 0
    for path, found in _listed(place.path / "tmp"):
        if _CLEARED.fullmatch(path.name) and now - found.st_ctime > HOUR_S:
            empty(path)
            temporaries += 1
        elif _is_left(path.name, now - found.st_mtime, place) and _unlink(path, found):
            temporaries, size = temporaries + 1, size + found.st_size
    for path, found in _listed(place.path / "damaged"):
        match = _DAMAGED.fullmatch(path.name)
        is_old = now - found.st_ctime > WEEK_S
        if match and key_of(match[1]) and is_old and _unlink(path, found):
            damaged, size = damaged + 1, size + found.st_size
    for path, found in _listed(place.path):
        is_old = now - found.st_ctime > WEEK_S
        if _BAD.fullmatch(path.name) and is_old and _unlink(path, found):
            damaged, size = damaged + 1, size + found.st_size
    return Swept(temporaries, _sweep_locks(place), damaged, size)


def _touched(stamp: Path) -> float:
    """Mark that the store is swept now; give the time by its own clock."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(stamp, flags, 0o600)
    try:
        os.utime(descriptor)
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)


def _listed(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Give the files of a folder that is no link, with their stats."""
    if os.path.islink(folder):
        return
    with suppress(OSError):
        for path in folder.iterdir():
            with suppress(OSError):
                yield path, path.lstat()


def _is_left(name: str, age: float, place: Folder) -> bool:
    """Say whether nobody will use something in ``tmp/`` any more."""
    if _REMOVED.fullmatch(name):
        return True
    match = _TEMPORARY.fullmatch(name)
    if match is None:
        return False
    is_here = match[1] == place.origin
    return age > DAY_S or (age > HOUR_S and is_here and _is_dead(int(match[2])))


def _is_dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _unlink(path: Path, found: os.stat_result) -> bool:
    if not stat.S_ISREG(found.st_mode):
        return False
    try:
        path.unlink()
    except OSError:
        return False
    return True


def _sweep_locks(place: Folder) -> int:
    count = 0
    for path, found in _listed(place.path / "locks"):
        if not stat.S_ISREG(found.st_mode):
            continue
        with suppress(OSError):
            if is_held(path):
                continue
            if _LEASE.fullmatch(path.name):
                path.unlink()
                count += 1
            elif _LOCK.fullmatch(path.name):
                with exclusive(path) as is_mine:  # which removes it
                    count += is_mine
    return count
