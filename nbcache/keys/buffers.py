"""Digests of memory, at the speed of memory.

Up to `TREE_ABOVE` bytes: xxh3_128.  Beyond: xxh3_128 of the digests of chunks, which
two threads work through; one core does not read as fast as the memory gives.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import xxhash

__all__ = ["MemoryDigest", "digest_memory", "digest_strided"]

TREE_ABOVE = 4 << 20  # bytes; below, a second thread costs more than it gives
CHUNK = 2 << 20  # bytes of contiguous memory
PIECE = 1 << 19  # bytes of a copy that is still in the cache when it is digested

# np.ndarray without its parameters, which nothing here depends on
_Array = np.ndarray[Any, Any]


def digest_memory(array: _Array) -> bytes:
    """Give the digest of a C-contiguous array's bytes.

    Parameters
    ----------
    array : ndarray
        Of any shape and dtype without objects.

    Returns
    -------
    bytes
        16 of them.
    """
    view = _as_bytes(array)
    size = view.nbytes
    if size <= TREE_ABOVE:
        return xxhash.xxh3_128_digest(view)

    def chunk(index: int) -> bytes:
        return xxhash.xxh3_128_digest(view[index * CHUNK : (index + 1) * CHUNK])

    return _join(_in_two_threads(chunk, -(-size // CHUNK)))


def digest_strided(array: _Array) -> bytes:
    """Give the digest of an array's elements in C order, without copying all of it.

    Parameters
    ----------
    array : ndarray
        Of any strides and dtype without objects.

    Returns
    -------
    bytes of length 16
        That of a contiguous copy.
    """
    running = MemoryDigest(array.nbytes)
    for piece in _pieces(array):
        running.update(np.ascontiguousarray(piece))
    return running.digest()


class MemoryDigest:
    """The digest of `digest_memory`, from bytes that come bit by bit.

    Parameters
    ----------
    size : int
        Bytes in all.
    """

    def __init__(self, size: int) -> None:
        self._is_tree = size > TREE_ABOVE
        self._running = xxhash.xxh3_128()
        self._room = CHUNK
        self._chunks: list[bytes] = []

    def update(self, array: _Array) -> None:
        """Add the bytes of a C-contiguous array."""
        view = _as_bytes(array)
        while self._is_tree and view.nbytes >= self._room:
            self._running.update(view[: self._room])
            self._chunks.append(self._running.digest())
            view = view[self._room :]
            self._running, self._room = xxhash.xxh3_128(), CHUNK
        self._running.update(view)
        self._room -= view.nbytes

    def digest(self) -> bytes:
        """Give the digest of all bytes."""
        if not self._is_tree:
            return self._running.digest()
        if self._room < CHUNK:
            self._chunks.append(self._running.digest())
        return _join(self._chunks)


def _as_bytes(array: _Array) -> Any:
    if array.nbytes == 0:
        return np.empty(0, np.uint8)
    return array.reshape(-1).view(np.uint8)


def _join(digests: list[bytes]) -> bytes:
    return xxhash.xxh3_128_digest(b"".join(digests))


def _pieces(array: _Array) -> Iterator[_Array]:
    """Cut an array into parts of at most `PIECE` bytes, in C order."""
    if array.nbytes <= PIECE or array.ndim == 0:
        yield array
        return
    rows = PIECE // (array.nbytes // len(array))
    if rows:
        for start in range(0, len(array), rows):
            yield array[start : start + rows]
    else:
        for row in array:
            yield from _pieces(row)


def _in_two_threads(work: Callable[[int], bytes], count: int) -> list[bytes]:
    """Give the results of `work` for 0 to count - 1."""
    results = [b""] * count
    waiting = deque(range(count))

    def labour() -> None:
        while True:
            try:
                index = waiting.popleft()
            except IndexError:
                return
            results[index] = work(index)

    second = threading.Thread(target=labour, daemon=True)
    try:
        if _cores() > 1:
            second.start()
    except RuntimeError:
        pass  # no threads here (WebAssembly), or no more of them
    labour()
    if second.ident is not None:
        second.join()
    return results


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
