"""Single flight: one computation for each key among threads and processes.

Never needed for a right answer, only to save work: where a lock cannot be had, the
caller computes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self

from nbcache.storage.interrupts import uninterrupted
from nbcache.storage.locks import POLL_S, Hold, names

if TYPE_CHECKING:
    from nbcache.storage.host_leases import HostLease

__all__ = ["Flight"]

NOTICE_AFTER_S = 2.0


class Flight:
    """Holds a key while its value is computed: ``with``, or ``async with``.

    Parameters
    ----------
    path : Path or None
        The key's lock file; None: nothing is held.
    ready : callable
        Says whether the value is there; waiting ends then.
    notice : callable
        Called once after 2 s of waiting.
    timeout_s : float, optional
        s after which the caller goes on without the lock; None: waits while the
        holder lives.
    lease : HostLease, optional
        Holds the key among the hosts that share the store, after this host's own lock.

    Notes
    -----
    Waiting is interruptible, and leaves nothing behind then.  Reentrant in a thread,
    but for another task of the same thread, which waits; a plain call in a thread in
    which a task holds the key does not, since it would wait for ever.

    A class, not a generator: one that an interrupt stops between its caller and its
    body stays as it is for as long as somebody keeps the traceback.
    """

    def __init__(
        self,
        path: Path | None,
        ready: Callable[[], bool] = lambda: False,
        notice: Callable[[], None] = lambda: None,
        timeout_s: float | None = None,
        lease: HostLease | None = None,
    ) -> None:
        self._path = path
        self._ready = ready
        self._notice = notice
        self._timeout_s = timeout_s
        self._lease = lease
        self._hold: Hold | None = None
        self._is_named = False

    def __enter__(self) -> Self:
        if self._path is None or names()[str(self._path)]:
            return self
        try:
            for pause in self._pauses(self._path):
                time.sleep(pause)
            self._name()
        except BaseException:
            self.release()
            raise
        return self

    async def __aenter__(self) -> Self:
        if self._path is None:
            return self
        import asyncio  # 40 ms, of use to async functions only

        try:
            for pause in self._pauses(self._path):
                await asyncio.sleep(pause)
            self._name()
        except BaseException:
            self.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the key back; may be called again, as an interrupt may cut it short."""
        try:
            if self._lease is not None:
                self._lease.release()
        finally:
            self._release_here()

    def _release_here(self) -> None:
        with uninterrupted():
            if self._is_named:
                self._is_named = False
                held = names()
                held[str(self._path)] -= 1
                if held[str(self._path)] <= 0:
                    del held[str(self._path)]
            if self._hold is not None:
                self._hold.release()

    def _has_lease(self) -> bool:
        return self._lease is None or self._lease.attempt()

    def _name(self) -> None:
        with uninterrupted():
            names()[str(self._path)] += 1
            self._is_named = True

    def _pauses(self, path: Path) -> Iterator[float]:
        """Give s to wait until the key is held, the value is there, or time is up."""
        hold = self._hold = Hold(path)
        limit = self._timeout_s
        began = time.monotonic()
        told = False
        pause, longest = POLL_S
        is_held = False
        while not ((is_held := is_held or hold.attempt()) and self._has_lease()):
            waited = time.monotonic() - began
            if self._ready() or (limit is not None and waited >= limit):
                return
            if not told and waited > NOTICE_AFTER_S:
                told = True
                self._notice()
            yield pause if limit is None else min(pause, limit - waited)
            pause = min(pause * 1.5, longest)
