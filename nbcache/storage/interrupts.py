"""A few lines that no KeyboardInterrupt cuts in two: it comes at their end.

The handler is exchanged, not the signal masked: a kernel has other threads, which
would get the signal then.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from importlib import import_module
from signal import SIGINT
from types import FrameType
from typing import Any

__all__ = ["uninterrupted"]

# what `signal` is made of: without its enumerations, ten times faster
_signal: Any = import_module("_signal")
_INTERRUPT = int(SIGINT)


class uninterrupted:
    """Puts an interrupt off until the end of the block.

    Notes
    -----
    For a few microseconds' work only, such as taking a lock and noting that it is
    taken; itself it takes one.  Does nothing outside the main thread, where no
    interrupt ever arrives.
    """

    __slots__ = ("_before", "_number")

    def __init__(self) -> None:
        self._before: Callable[[int, FrameType | None], Any] | None = None
        self._number: int | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        before = _signal.getsignal(_INTERRUPT)
        if callable(before):
            self._before = before
            _signal.signal(_INTERRUPT, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        # not the frame: it would keep what its variables hold
        self._number = number

    def __exit__(self, *_: object) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        _signal.signal(_INTERRUPT, before)
        if self._number is not None:
            before(self._number, sys._getframe())
