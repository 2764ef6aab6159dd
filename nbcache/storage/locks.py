"""Single flight: one computation for each key among threads and processes.

Never needed for a right answer, only to save work: where a lock cannot be had, the
caller computes.  Processes of one host exclude each other by ``flock``; POSIX record
locks will not do, since closing any other descriptor of the file drops them, and
threads of a process share them.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

_fcntl: Any
try:
    import fcntl as _fcntl
except ImportError:  # not on Windows: no lock between processes there
    _fcntl = None

__all__ = [
    "exclusive",
    "is_held",
    "lock_for_life",
    "single_flight",
    "single_flight_async",
    "unlock",
]

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
    path: Path,
    ready: Callable[[], bool],
    notice: Callable[[], None],
    timeout_s: float | None = None,
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
    timeout_s : float, optional
        s after which the caller goes on without the lock; None: waits while the
        holder lives.

    Notes
    -----
    Waiting is interruptible.  Reentrant in a thread.
    """
    if _names()[str(path)]:
        yield
        return
    with _holding(path) as hold:
        for pause in _pauses(hold, ready, notice, timeout_s):
            time.sleep(pause)
        with _named(str(path)):
            yield


@asynccontextmanager
async def single_flight_async(
    path: Path,
    ready: Callable[[], bool],
    notice: Callable[[], None],
    timeout_s: float | None = None,
) -> AsyncIterator[None]:
    """Do what `single_flight` does; the event loop goes on while this waits.

    Notes
    -----
    Not reentrant: another task of the same thread waits.  A call of `single_flight` in
    this thread meanwhile does not, since it would wait for ever.
    """
    import asyncio  # 40 ms, of use to async functions only

    with _holding(path) as hold:
        for pause in _pauses(hold, ready, notice, timeout_s):
            await asyncio.sleep(pause)
        with _named(str(path)):
            yield


@contextmanager
def exclusive(path: Path, wait_s: float = 0.0) -> Iterator[bool]:
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
    if _names()[str(path)]:
        yield True
        return
    with _holding(path) as hold:
        held = hold.attempt()
        until = time.monotonic() + wait_s
        while not held and time.monotonic() < until:
            time.sleep(_POLL_S[0])
            held = hold.attempt()
        if not held:
            yield False
            return
        with _named(str(path)):
            yield True


def _names() -> Counter[str]:
    """Give how often this thread holds, or goes on without, each name."""
    names: Counter[str] = _here.__dict__.setdefault("names", Counter())
    return names


@contextmanager
def _named(name: str) -> Iterator[None]:
    names = _names()
    names[name] += 1
    try:
        yield
    finally:
        names[name] -= 1
        if not names[name]:
            del names[name]


class _Hold:
    """The two locks of a key: that of threads first, then that of processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = _enter(str(path))
        self.owned = False
        self.descriptor: int | None = None

    def attempt(self) -> bool:
        """Try to get both; where there is no lock of processes, the first is enough."""
        if not self.owned:
            self.owned = self.lock.acquire(blocking=False)
        if not self.owned or _fcntl is None:
            return self.owned
        try:
            self.descriptor = _try(self.path)
        except OSError:
            return True
        return self.descriptor is not None

    def release(self) -> None:
        _release(self.path, self.descriptor)
        if self.owned:
            self.lock.release()
        _leave(str(self.path))


@contextmanager
def _holding(path: Path) -> Iterator[_Hold]:
    hold = _Hold(path)
    try:
        yield hold
    finally:
        hold.release()


def _pauses(
    hold: _Hold,
    ready: Callable[[], bool],
    notice: Callable[[], None],
    timeout_s: float | None,
) -> Iterator[float]:
    """Give s to wait until the locks are held, the value is there, or time is up."""
    began = time.monotonic()
    told = False
    pause, longest = _POLL_S
    while not hold.attempt():
        waited = time.monotonic() - began
        if ready() or (timeout_s is not None and waited >= timeout_s):
            return
        if not told and waited > NOTICE_AFTER_S:
            told = True
            notice()
        yield pause if timeout_s is None else min(pause, timeout_s - waited)
        pause = min(pause * 1.5, longest)


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
            os.close(descriptor)
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
    with suppress(OSError):
        path.unlink(missing_ok=True)
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


# --- files that a process has locked for as long as it lives


def lock_for_life(path: Path) -> int:
    """Make a locked file, and give its descriptor; children do not hold it.

    Raises
    ------
    OSError
        It is there already, or cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags | os.O_APPEND, 0o600)
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
