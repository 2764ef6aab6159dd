"""A few lines that no KeyboardInterrupt cuts in two: it comes at their end.

The handler is exchanged, not the signal masked: a kernel has other threads, which
would get the signal then.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["uninterrupted"]


class uninterrupted:
    """Puts an interrupt off until the end of the block.

    Notes
    -----
    For a few microseconds' work only, such as taking a lock and noting that it is
    taken.  Does nothing outside the main thread, where no interrupt ever arrives.
    """

    __slots__ = ("_before", "_number")

    def __init__(self) -> None:
        self._before: Callable[[int, FrameType | None], Any] | None = None
        self._number: int | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        before = signal.getsignal(signal.SIGINT)
        if callable(before):
            self._before = before
            signal.signal(signal.SIGINT, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # not the frame: it would keep what its variables hold
        self._number = number

    def __exit__(self, *_: object) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        signal.signal(signal.SIGINT, before)
        if self._number is not None:
            before(self._number, sys._getframe())
