"""C functions that are called when an object is gone.

Not finalizers in Python: an interrupt that arrives in one of these is printed and lost.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import weakref
from typing import Any

__all__ = ["close", "library", "when_gone"]

library: Any = ctypes.CDLL(None, use_errno=True) if sys.platform != "win32" else None
close: Any = library.close if library else None
if close:
    close.argtypes = (ctypes.c_int,)


class _Watch(weakref.ref[Any]):
    """A weak reference that a C function takes for an argument more, which is 0."""

    __slots__ = ()
    _as_parameter_ = 0


def when_gone(thing: object, function: Any, *arguments: int) -> object:
    """Call a function of ctypes when a thing is gone, as long as the result is kept."""
    return _Watch(thing, functools.partial(function, *arguments))
