"""What a computation touches while it runs, seen by an audit hook.

One hook, installed once in a process at the first recording; recording covers the
whole process, worker threads included: overlap may add a file, never lose one.  What
the events mean stands in `touched`; which of them are the user's, in `attribution`.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from nbcache.storage.forking import ForkLock
from nbcache.trace import attribution
from nbcache.trace.named import Named
from nbcache.trace.observed import Observed
from nbcache.trace.touched import Settled, Trace

__all__ = [
    "Settled",
    "Trace",
    "apart",
    "depend",
    "inherit",
    "is_recording",
    "recording",
    "refuse",
    "unseen",
]

_active: list[Trace] = []
_numbers = itertools.count(1)


class _Own(threading.local):
    """What a thread is at.

    Attributes
    ----------
    work : int
        How deep it is in work of the cache's own.
    since : int
        Number of the first recording that hears of it.
    """

    work = 0
    since = 0


_own = _Own()
_guard = ForkLock()
_installed = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    handle = _HANDLERS.get(event)
    if handle is None or not _active or _own.work:
        return
    # what this does must not raise into the user's code, nor be heard itself
    _own.work = 1
    try:
        if attribution.is_own_affair(event, sys._getframe(1)):
            # files that worker processes open are heard by nobody
            if event in _STARTS:
                for trace in _hearing():
                    trace.has_workers = True
            return
        for trace in _hearing():
            try:
                handle(trace, *arguments)
            except Exception as error:
                trace.give_up(f"what it did to files cannot be followed: {error!r}")
    finally:
        _own.work = 0


def _hearing() -> list[Trace]:
    """Give the recordings that hear of what this thread does."""
    since = _own.since
    return [trace for trace in tuple(_active) if trace.number >= since]


def _opened(trace: Trace, path: object, mode: object, flags: object) -> None:
    named = _text(path)
    if named is None:
        return  # a descriptor: its file was opened before
    bits = flags if isinstance(flags, int) else 0
    if isinstance(mode, str):
        reads, appends = "r" in mode, "a" in mode
        updates = "r" in mode and "+" in mode
        writes = not reads
    else:
        reads = not bits & (os.O_WRONLY | os.O_RDWR)
        appends = bool(bits & os.O_APPEND)
        updates = not reads and not bits & (os.O_TRUNC | os.O_EXCL)
        writes = not reads
    if appends:
        trace.append(named)
    elif updates:
        trace.update(named)
    elif writes:
        trace.write(named, needs=bool(bits & os.O_EXCL))
    else:
        trace.read(named)


def _text(path: object) -> str | None:
    if isinstance(path, str | bytes | os.PathLike):
        return os.fsdecode(path)
    return None


def _place(path: object, descriptor: object = -1) -> str | None:
    """Give a path that may be relative to an open folder."""
    named = _text(path)
    if named is None or not isinstance(descriptor, int) or descriptor < 0:
        return named
    return os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), named)


def _listed(trace: Trace, path: object = None, *_: object) -> None:
    named = "." if path is None else _text(path)
    if named is not None:
        trace.list_folder(named)


def _removed(trace: Trace, path: object, descriptor: object = -1) -> None:
    named = _place(path, descriptor)
    if named is not None:
        trace.write(named, needs=True)


def _made(trace: Trace, path: object, _: object, descriptor: object = -1) -> None:
    named = _place(path, descriptor)
    if named is not None:
        trace.write(named, needs=not attribution.may_exist(sys._getframe(2)))


def _renamed(
    trace: Trace, old: object, new: object, at: object = -1, to: object = -1
) -> None:
    source, target = _place(old, at), _place(new, to)
    if source is not None and target is not None:
        trace.rename(source, target)


def _linked(trace: Trace, _: object, target: object, *__: object) -> None:
    named = _text(target)
    if named is not None:
        trace.write(named, needs=True)


def _truncated(trace: Trace, path: object, *_: object) -> None:
    named = _text(path)
    if named is not None:
        trace.update(named)


def _database(trace: Trace, path: object, *_: object) -> None:
    named = _text(path)
    if named and named != ":memory:" and not named.startswith("file:"):
        trace.open_native(named)
    elif named and "mode=memory" not in named and ":memory:" not in named:
        trace.outside.add("a database")


def _ran(trace: Trace, *_: object) -> None:
    trace.outside.add("another program")


def _forked(trace: Trace, *_: object) -> None:
    trace.has_workers = True


def _connected(trace: Trace, *_: object) -> None:
    trace.outside.add("the network")


_HANDLERS: dict[str, Callable[..., None]] = {
    "open": _opened,
    "os.listdir": _listed,
    "os.scandir": _listed,
    "os.remove": _removed,
    "os.rmdir": _removed,
    "os.mkdir": _made,
    "os.rename": _renamed,
    "os.link": _linked,
    "os.symlink": _linked,
    "os.truncate": _truncated,
    "sqlite3.connect": _database,
    "subprocess.Popen": _ran,
    "os.system": _ran,
    "os.posix_spawn": _ran,
    "os.exec": _ran,
    "pty.spawn": _ran,
    "os.fork": _forked,
    "os.forkpty": _forked,
    "socket.connect": _connected,
    "socket.sendto": _connected,
    "socket.getaddrinfo": _connected,
}


_STARTS = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork"})


@contextmanager
def unseen() -> Iterator[None]:
    """Record nothing that this thread does inside a ``with`` block.

    For the cache's own work: a cached call inside a recorded one reads the store.
    """
    _own.work = _own.work + 1
    try:
        yield
    finally:
        _own.work -= 1


@contextmanager
def recording(named: Named | None = None) -> Iterator[Trace]:
    """Record what is touched inside a ``with`` block.

    Parameters
    ----------
    named : Named, optional
        What the code names and gets: native readers open files unheard.
    """
    global _installed
    if not _installed:
        # an audit hook cannot be removed: one for the life of the process
        sys.addaudithook(_hook)
        _installed = True
    # what the user's code opens is the user's, also below the cache's own work
    outer, _own.work = _own.work, 1
    try:
        trace = Trace(number=next(_numbers))
        if named is not None:
            trace.expect(named)
    finally:
        _own.work = 0
    with _guard.lock:
        _active.append(trace)
    try:
        yield trace
    finally:
        with _guard.lock:
            _active[:] = [one for one in _active if one is not trace]
        _own.work = outer


@contextmanager
def apart() -> Iterator[None]:
    """Let recordings under way hear nothing that this thread does inside a block.

    For what they depend on as a whole, by `depend`, and not by its parts.
    """
    outer, _own.since = _own.since, next(_numbers)
    try:
        yield
    finally:
        _own.since = outer


def depend(one: Observed, seconds: float) -> None:
    """Tell every recording that hears this thread what it depends on.

    Parameters
    ----------
    one : Observed
        As it was found.
    seconds : float
        s that making it took, which a run would have taken as well.
    """
    for trace in _hearing():
        trace.note([one])
        trace.seconds += seconds


def refuse(why: str) -> None:
    """Tell every recording that hears this thread that no hit could stand for it."""
    for trace in _hearing():
        trace.give_up(why)


def is_recording() -> bool:
    """Say whether anything is being recorded in this process."""
    return bool(_active)


def inherit(
    found: Iterable[list[Any]], written: Iterable[list[Any]], seconds: float
) -> None:
    """Lend what a restored result depends on to every recording under way.

    Parameters
    ----------
    found, written : iterable of rows
        Of an entry.
    seconds : float
        s that computing it took.
    """
    for trace in _hearing():
        trace.inherit(found, written, seconds)
