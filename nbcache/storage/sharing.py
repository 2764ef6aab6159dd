"""Arrays that share memory: which ones, and how to make the views again."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final

import numpy as np

from nbcache.storage.codec_nodes import Array

__all__ = [
    "MUST",
    "View",
    "cover",
    "extent",
    "flags_of",
    "groups",
    "is_writeable",
    "memory",
    "most_spread",
    "own_memory",
    "separate",
    "spread",
    "strided",
    "view_of",
]

# [offset in bytes, shape, strides in bytes, writable]
View = list[Any]
# in place of writable: what it is a view of must be writable too (True is 1)
MUST: Final = 2

# exact overlap of strided arrays is a hard problem; beyond this they count as shared
_MOST_WORK: Final[Any] = 1000
# NPY_ARRAY_WRITEABLE of numpy's C API
_WRITEABLE = 0x400
# pairs to look at one by one; more of them count as shared
_MOST_PAIRS = 10_000

# these are asked of ten thousand arrays at once
flags_of, _base_of = attrgetter("flags.num"), attrgetter("base")
OWNDATA = 0x4
_NONE = id(None)


def is_writeable(array: Array) -> bool:
    """Say whether an array may be written to.

    The flag itself warns where numpy made the array by broadcasting.
    """
    return bool(array.flags.num & _WRITEABLE)


def extent(array: Array) -> tuple[int, int]:
    """Give the first address of an array's data and the one after the last."""
    low = high = array.__array_interface__["data"][0]
    if array.flags.c_contiguous:
        return low, low + array.nbytes
    for length, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (length - 1) * stride
        else:
            high += (length - 1) * stride
    return low, high + array.itemsize


def separate(arrays: Sequence[Array]) -> bool:
    """Say whether each array has memory of its own, and so cannot share any."""
    flags = functools.reduce(operator.and_, set(map(flags_of, arrays)), OWNDATA)
    return own_memory(arrays, flags)


def own_memory(arrays: Sequence[Array], flags: int) -> bool:
    """Say the same where the flags that all have are known."""
    return bool(flags & OWNDATA) and {_NONE}.issuperset(map(id, map(_base_of, arrays)))


def groups(arrays: Sequence[Array]) -> list[list[int]]:
    """Give the places of arrays that share memory with others, or with themselves.

    Arrays without data belong to no group.
    """
    if separate(arrays):
        return []
    extents = {i: extent(array) for i, array in enumerate(arrays) if array.size}
    found: list[list[int]] = []
    group: list[int] = []
    end = -1
    for place in sorted(extents, key=lambda i: extents[i]):
        low, high = extents[place]
        if low >= end:
            found.extend(_sharing(arrays, extents, group))
            group = []
        group.append(place)
        end = max(end, high)
    found.extend(_sharing(arrays, extents, group))
    return found


def _sharing(
    arrays: Sequence[Array], extents: dict[int, tuple[int, int]], group: list[int]
) -> list[list[int]]:
    """Split arrays whose extents touch into those that do share memory."""
    if len(group) == 1:
        low, high = extents[group[0]]
        # a broadcast array has fewer bytes than elements would need
        return [group] if arrays[group[0]].nbytes > high - low else []
    if not group:
        return []
    whole = cover([arrays[place] for place in group])
    if whole is not None or len(group) ** 2 > 2 * _MOST_PAIRS:
        return [group]
    parts: list[list[int]] = []
    for place in group:
        touching = [
            part
            for part in parts
            if any(_share(arrays[place], arrays[other]) for other in part)
        ]
        parts = [part for part in parts if part not in touching]
        parts.append([*chain.from_iterable(touching), place])
    return [
        part
        for part in parts
        if len(part) > 1
        or arrays[part[0]].nbytes > extents[part[0]][1] - extents[part[0]][0]
    ]


def _share(one: Array, other: Array) -> bool:
    try:
        return np.shares_memory(one, other, max_work=_MOST_WORK)
    except np.exceptions.TooHardError:
        return True


def cover(arrays: Sequence[Array]) -> int | None:
    """Give the place of a gapless array that holds the memory of all.

    It is writable, unless nothing is.
    """
    extents = [extent(array) for array in arrays]
    low = min(start for start, _ in extents)
    high = max(stop for _, stop in extents)
    fixed = not any(is_writeable(array) for array in arrays)
    covering = [
        place
        for place, array in enumerate(arrays)
        if extents[place] == (low, high)
        and (array.flags.c_contiguous or array.flags.f_contiguous)
        and (fixed or is_writeable(array))
    ]
    # the array itself rather than one that views all of it
    return min(covering, key=lambda i: not arrays[i].flags.owndata, default=None)


class _Memory:
    """Some bytes of memory that others own."""

    def __init__(self, low: int, high: int) -> None:
        self.__array_interface__ = {
            "data": (low, True),
            "shape": (high - low,),
            "typestr": "|u1",
            "version": 3,
        }


def memory(arrays: Sequence[Array]) -> Array:
    """Give the bytes from the first to the last of arrays of one group.

    Their extents touch, so nothing but memory that they or their owner hold lies in
    between.  Good for as long as the arrays are.
    """
    extents = [extent(array) for array in arrays]
    low = min(start for start, _ in extents)
    return np.asarray(_Memory(low, max(stop for _, stop in extents)))


def view_of(array: Array, low: int) -> View:
    """Say where an array lies in memory that starts at address `low`."""
    start = array.__array_interface__["data"][0] - low
    return [start, list(array.shape), list(array.strides), is_writeable(array)]


def most_spread(array: Array) -> int:
    """Give the most bytes that an array may be spread over."""
    return 4 * array.nbytes + (1 << 16)


def spread(array: Array) -> tuple[int, View] | None:
    """Say where a view lies in a memory of its own with the smallest possible gaps.

    Which axes could be merged stays as it is, so that `numpy.reshape` copies, or does
    not, as it would have.  The memory that the gaps belong to is not kept.

    Parameters
    ----------
    array : ndarray
        None of its elements share memory.

    Returns
    -------
    int, view
        Bytes of that memory, and the place in it as of `view_of`; None for what is
        contiguous, or needs more than `most_spread`.
    """
    if array.flags.forc or not array.size:
        return None
    size = array.itemsize
    steps = [size] * array.ndim
    before, inner = size, size
    for axis in sorted(range(array.ndim), key=lambda one: abs(array.strides[one])):
        length, stride = array.shape[axis], array.strides[axis]
        if length == 1:
            continue
        step = inner if abs(stride) == before else inner + size
        before, inner = abs(stride) * length, step * length
        steps[axis] = step if stride > 0 else -step
    reach = [(n - 1) * step for n, step in zip(array.shape, steps, strict=True)]
    start = -sum(one for one in reach if one < 0)
    total = sum(map(abs, reach)) + size
    if total > most_spread(array):
        return None
    return total, [start, list(array.shape), steps, is_writeable(array)]


def strided(base: Array, dtype: np.dtype[Any], view: View) -> Array:
    """Give the view of an array's memory; its bounds are checked.

    Raises
    ------
    ValueError
        If it would reach beyond the memory of `base`, or `base` has gaps.
    """
    start, shape, strides, writable = view
    if any(type(number) is not int for number in (start, *shape, *strides)):
        raise TypeError("a view is described by whole numbers")
    flat = base if base.flags.c_contiguous else base.T
    if not flat.flags.c_contiguous:
        raise ValueError("a view needs memory without gaps")
    steps = [(n - 1) * stride for n, stride in zip(shape, strides, strict=True)]
    first = start + sum(step for step in steps if step < 0)
    last = start + sum(step for step in steps if step > 0)
    if min(shape, default=1) < 1 or first < 0 or last + dtype.itemsize > base.nbytes:
        raise ValueError("a view reaches beyond its memory")
    flat = flat.reshape(-1)
    if dtype.hasobject:
        array = _strided_objects(flat, dtype, view)
    else:
        data = flat.view(np.uint8).data
        array = np.ndarray(tuple(shape), dtype, data, start, tuple(strides))
    if not writable:
        array.flags.writeable = False
    return array


def _strided_objects(flat: Array, dtype: np.dtype[Any], view: View) -> Array:
    """Give a strided view of objects; numpy makes none from a buffer."""
    start, shape, strides, _ = view
    size = flat.itemsize
    if dtype != flat.dtype or any(number % size for number in (start, *strides)):
        raise ValueError("a view of objects needs objects")
    return np.lib.stride_tricks.as_strided(flat[start // size :], shape, strides)
