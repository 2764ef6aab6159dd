"""Locks of threads that do no harm to a process forked while another thread has one.

In the child that thread does not exist: the lock would be taken for ever.
"""

from __future__ import annotations

import os
import threading
import weakref

from nbcache.storage.interrupts import uninterrupted

__all__ = ["ForkLock"]

# databases answer within milliseconds, or are busy for seconds
_LONGEST_S = 1.0


class ForkLock:
    """A lock that is free in a forked child: ``with it.lock``.

    Not ``with it``: an interrupt between a method's getting the lock and its end would
    leave it taken for ever, which cannot happen to a lock that C code enters.

    Parameters
    ----------
    is_waited_for : bool
        Whether a fork waits, for a second at most, until nobody has it: what it guards
        cannot be begun anew in a child.  SQLite's own locks are so.
    """

    def __init__(self, *, is_waited_for: bool = False) -> None:
        self.lock = threading.Lock()
        self._is_waited_for = is_waited_for
        self._is_taken = False
        _all.add(self)

    def take(self) -> None:
        """Take it for the time of a fork."""
        if self._is_waited_for:
            with uninterrupted():
                self._is_taken = self.lock.acquire(timeout=_LONGEST_S)

    def give_back(self) -> None:
        """Give back what was taken for a fork."""
        if self._is_taken:
            self._is_taken = False
            self.lock.release()

    def begin_anew(self) -> None:
        """Forget who had it."""
        self._is_taken = False
        self.lock = threading.Lock()


_all: weakref.WeakSet[ForkLock] = weakref.WeakSet()


def _take() -> None:
    for lock in list(_all):
        lock.take()


def _give_back() -> None:
    for lock in list(_all):
        lock.give_back()


def _begin_anew() -> None:
    for lock in list(_all):
        lock.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_take, after_in_parent=_give_back, after_in_child=_begin_anew
    )
