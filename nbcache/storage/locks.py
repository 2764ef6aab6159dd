"""Single flight: one computation for each key among threads and processes.

Never needed for a right answer, only to save work: where a lock cannot be had, the
caller computes.  Processes of one host exclude each other by ``flock``; POSIX record
locks will not do, since closing any other descriptor of the file drops them, and
threads of a process share them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_fcntl: Any
try:
    import fcntl as _fcntl
except ImportError:  # not on Windows: no lock between processes there
    _fcntl = None

__all__ = ["single_flight"]

NOTICE_AFTER_S = 2.0
_POLL_S = (0.002, 0.1)

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
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


@contextmanager
def single_flight(
    path: Path, ready: Callable[[], bool], notice: Callable[[], None]
) -> Iterator[None]:
    """Hold a key while its value is computed.

    Parameters
    ----------
    path : Path
        The key's lock file.
    ready : callable
        Says whether the value is there; waiting ends then.
    notice : callable
        Called once after 2 s of waiting.

    Notes
    -----
    Waits while the holder lives and is interruptible.  Reentrant in a thread.
    """
    name = str(path)
    mine: set[str] = _here.__dict__.setdefault("names", set())
    if name in mine:
        yield
        return
    lock = _enter(name)
    owned = False
    try:
        owned = _poll(lambda: lock.acquire(blocking=False), ready, notice)
        descriptor = _acquire(path, ready, notice) if owned else None
        mine.add(name)
        try:
            yield
        finally:
            mine.discard(name)
            _release(path, descriptor)
    finally:
        if owned:
            lock.release()
        _leave(name)


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


def _poll(
    attempt: Callable[[], bool], ready: Callable[[], bool], notice: Callable[[], None]
) -> bool:
    """Try until it succeeds (True) or the value is there (False)."""
    began = time.monotonic()
    told = False
    pause, longest = _POLL_S
    while not attempt():
        if ready():
            return False
        if not told and time.monotonic() - began > NOTICE_AFTER_S:
            told = True
            notice()
        time.sleep(pause)
        pause = min(pause * 1.5, longest)
    return True


def _acquire(
    path: Path, ready: Callable[[], bool], notice: Callable[[], None]
) -> int | None:
    """Take the lock of processes; None where there is none to be had."""
    if _fcntl is None:
        return None
    found: list[int] = []
    try:
        _poll(lambda: _try(path, found), ready, notice)
    except OSError:
        return None
    return found[0] if found else None


def _try(path: Path, found: list[int]) -> bool:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    _held.add(descriptor)
    try:
        _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        # the holder before us removed the file: a lock on it excludes nobody
        if _is_same_file(descriptor, path):
            found.append(descriptor)
            return True
    except BlockingIOError:
        pass
    finally:
        if not found:
            _held.discard(descriptor)
            os.close(descriptor)
    return False


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except OSError:
        return False


def _release(path: Path, descriptor: int | None) -> None:
    if descriptor is None:
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)
