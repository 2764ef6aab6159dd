"""Files mapped into memory, as arrays of bytes."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

import numpy as np

from nbcache.storage.when_gone import library, when_gone

__all__ = ["Mapping", "can_map", "mapped"]

_READ, _WRITE = 1, 2
_SHARED, _PRIVATE = 1, 2
_FAILED = ctypes.c_void_p(-1).value

if sys.platform != "win32":
    _map = library.mmap
    _map.restype = ctypes.c_void_p
    _map.argtypes = (
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_long,
    )
    _unmap = library.munmap
    _unmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
can_map = sys.platform != "win32"


# by address: those that are gone are replaced when their address is used again
_watches: dict[int, object] = {}


class Mapping:
    """A mapped file; unmapped when the last array over it is gone.

    Not the standard library's `mmap`: that keeps a descriptor for as long as the
    mapping lives (until Python 3.13), and a thousand live results would leave the
    process without any.

    Parameters
    ----------
    descriptor : int
        The open file; may be closed afterwards.
    size : int
        Bytes to map, > 0.
    writable : bool
        True: changes stay in this process's memory (copy on write).
    """

    def __init__(self, descriptor: int, size: int, writable: bool) -> None:
        protection = _READ | _WRITE if writable else _READ
        flags = _PRIVATE if writable else _SHARED
        address = _map(None, size, protection, flags, descriptor, 0)
        if address == _FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        _watches[address] = when_gone(self, _unmap, address, size)
        self.__array_interface__ = {
            "data": (address, not writable),
            "shape": (size,),
            "typestr": "|u1",
            "version": 3,
        }


def mapped(descriptor: int, size: int, *, writable: bool) -> np.ndarray[Any, Any]:
    """Give a file's first `size` bytes as an array over its pages.

    Raises
    ------
    OSError
        If the file system cannot map it, or the address space is full.
    """
    return np.asarray(Mapping(descriptor, size, writable))
