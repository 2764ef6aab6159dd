"""Locks among the threads and processes of a host; the dead hold none.

Processes exclude each other by ``flock``; POSIX record locks will not do, since closing
any other descriptor of the file drops them, and threads of a process share them.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbcache.storage.filesystems import is_local
from nbcache.storage.interrupts import uninterrupted
from nbcache.storage.plain_files import MAKE_FLAGS

_fcntl: Any
try:
    import fcntl as _fcntl
except ImportError:  # not on Windows: no lock between processes there
    _fcntl = None

__all__ = [
    "Hold",
    "exclusive",
    "is_held",
    "lock_for_life",
    "names",
    "unlock",
]

POLL_S = (0.002, 0.1)

_threads: dict[str, tuple[threading.Lock, int]] = {}
_guard = threading.Lock()
_held: set[int] = set()
_here = threading.local()


def _forget_in_child() -> None:
    """Drop what a fork inherited: closing frees nothing of the parent's lock."""
    global _guard
    _guard = threading.Lock()
    _threads.clear()
    for descriptor in list(_held):
        _close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


class exclusive:
    """Hold a lock file that nobody else holds; give whether it is held.

    Parameters
    ----------
    path : Path
        Removed at the end.
    wait_s : float
        s to wait for who holds it; 0: not at all.

    Notes
    -----
    Reentrant in a thread.  Where no lock can be had, it counts as held.
    """

    def __init__(self, path: Path, wait_s: float = 0.0) -> None:
        self._path = path
        self._wait_s = wait_s
        self._hold: Hold | None = None
        self._is_named = False

    def __enter__(self) -> bool:
        if names()[str(self._path)]:
            return True
        try:
            return self._enter()
        except BaseException:
            self._leave()
            raise

    def _enter(self) -> bool:
        hold = self._hold = Hold(self._path)
        held = hold.attempt()
        until = time.monotonic() + self._wait_s
        while not held and time.monotonic() < until:
            time.sleep(POLL_S[0])
            held = hold.attempt()
        if held:
            with uninterrupted():
                names()[str(self._path)] += 1
                self._is_named = True
        return held

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _leave(self) -> None:
        with uninterrupted():
            if self._is_named:
                self._is_named = False
                names()[str(self._path)] -= 1
            if self._hold is not None:
                self._hold.release()


def names() -> Counter[str]:
    """Give how often this thread holds, or goes on without, each name."""
    found: Counter[str] = _here.__dict__.setdefault("names", Counter())
    return found


class Hold:
    """The two locks of a file: that of threads first, then that of processes.

    Parameters
    ----------
    path : Path
        The lock file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process = os.getpid()
        self._lock: threading.Lock | None = _enter(str(path))
        self._owned = False
        self._descriptor: int | None = None

    def attempt(self) -> bool:
        """Try to get both; where there is no lock of processes, the first is enough."""
        with uninterrupted():
            return self._attempt()

    def _attempt(self) -> bool:
        if self._lock is None:
            return False
        if not self._owned:
            self._owned = self._lock.acquire(blocking=False)
        if not self._owned or not _is_lockable(self._path):
            return self._owned
        try:
            self._descriptor = _try(self._path)
        except OSError:
            return True
        return self._descriptor is not None

    def release(self) -> None:
        """Give both back, if they are held; may be called again."""
        with uninterrupted():
            lock, self._lock = self._lock, None
            if lock is None:
                return
            # a child has closed what it inherited, and must not remove the file
            if self._process == os.getpid():
                _release(self._path, self._descriptor)
            if self._owned:
                lock.release()
            _leave(str(self._path))


def _is_lockable(path: Path) -> bool:
    # network file systems say yes to everybody, or hang
    return _fcntl is not None and is_local(str(path.parent))


def _enter(name: str) -> threading.Lock:
    with _guard:
        lock, users = _threads.get(name, (None, 0))
        if lock is None:
            lock = threading.Lock()
        _threads[name] = (lock, users + 1)
        return lock


def _leave(name: str) -> None:
    with _guard:
        lock, users = _threads.get(name, (None, 1))
        if lock is None or users <= 1:
            _threads.pop(name, None)
        else:
            _threads[name] = (lock, users - 1)


def _try(path: Path) -> int | None:
    """Take the lock of processes; None while another one has it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    _held.add(descriptor)
    taken = False
    try:
        _require_own(descriptor, path)
        _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        # the holder before us removed the file: a lock on it excludes nobody
        taken = _is_same_file(descriptor, path)
    except BlockingIOError:
        pass
    finally:
        if not taken:
            _held.discard(descriptor)
            _close(descriptor)
    return descriptor if taken else None


def _require_own(descriptor: int, path: Path) -> None:
    """Refuse to wait for a lock that somebody else made, who may never let it go.

    Raises
    ------
    OSError
        It is theirs, or no file.
    """
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
        raise PermissionError(f"{path} is a lock of another user")


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def _release(path: Path, descriptor: int | None) -> None:
    if descriptor is None:
        return
    # another file there is another holder's
    if _is_same_file(descriptor, path):
        with suppress(OSError):
            path.unlink(missing_ok=True)
    if descriptor in _held:
        _held.discard(descriptor)
        _close(descriptor)


def _close(descriptor: int) -> None:
    """Close, whatever the disk says: the descriptor is free, and the lock with it."""
    with suppress(OSError):
        os.close(descriptor)


# --- files that a process has locked for as long as it lives


def lock_for_life(path: Path) -> int:
    """Make a locked file, and give its descriptor; children do not hold it.

    Raises
    ------
    OSError
        It is there already, or cannot be made.
    """
    descriptor = os.open(path, MAKE_FLAGS | os.O_APPEND, 0o600)
    _held.add(descriptor)
    if _fcntl is not None:
        # waits for an instant at most, while somebody asks whether it is held
        _fcntl.flock(descriptor, _fcntl.LOCK_EX)
    return descriptor


def unlock(owner: int, descriptor: int, path: Path) -> None:
    """Remove a file that the process `owner` got from `lock_for_life`."""
    if owner == os.getpid():
        _release(path, descriptor)


def is_held(path: Path) -> bool:
    """Say whether a living process has a file locked; this one counts.

    Raises
    ------
    OSError
        It cannot be opened.
    """
    if _fcntl is None:
        return True
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags)
    try:
        _fcntl.flock(descriptor, _fcntl.LOCK_SH | _fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
