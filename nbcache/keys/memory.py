"""Which arrays share memory, and how.

Arrays are compared by where they lie, not by `base`: two views of one buffer share
nothing if no byte is in both.  Interleaved views (columns of a C-ordered matrix) count
as apart if a period of their strides keeps them apart; in doubt they share.

Arrays that share directly or through others are a *family* with a common origin, the
first of them.  An array is placed by its offset from the origin, so that one number
says how it lies to all others.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

__all__ = ["MemoryMap", "Relation", "Span", "span_of"]


class Span(NamedTuple):
    """Where an array lies: blocks of bytes, a common divisor of their distances.

    Parameters
    ----------
    start : int
        Address of the first element.
    low, high : int
        Addresses of the first byte and after the last one.
    gap : int
        What divides the distances between blocks, in bytes; 0 for one block.
    block : int
        Length of a block in bytes.
    """

    start: int
    low: int
    high: int
    gap: int
    block: int


@dataclass(frozen=True, slots=True)
class Relation:
    """How an array lies to one that was entered before.

    Parameters
    ----------
    owner : object
        What the earlier array was entered with.
    part : int
        Which array of the owner.
    offset : int
        Bytes from the first element of that array to that of this one.
    """

    owner: Any
    part: int
    offset: int


def span_of(array: np.ndarray[Any, Any]) -> Span | None:
    """Give where an array lies; None if it has no bytes."""
    if array.nbytes == 0:
        return None
    start = array.__array_interface__["data"][0]
    if array.flags.c_contiguous:
        return Span(start, start, start + array.nbytes, 0, array.nbytes)
    axes = [
        (stride, count)
        for stride, count in zip(array.strides, array.shape, strict=True)
        if count > 1
    ]
    ends = [stride * (count - 1) for stride, count in axes]
    low = start + sum(end for end in ends if end < 0)
    high = start + sum(end for end in ends if end > 0) + array.itemsize
    return Span(start, low, high, *_period(axes, array.itemsize))


def _period(axes: list[tuple[int, int]], itemsize: int) -> tuple[int, int]:
    """Join axes without holes to a block; give the divisor of the other strides."""
    block = itemsize
    outer = []
    for stride, count in sorted((abs(stride), count) for stride, count in axes):
        if stride <= block:
            block = max(block, stride * (count - 1) + block)
        else:
            outer.append(stride)
    return math.gcd(*outer), block


_LOW, _HIGH, _GAP, _BLOCK, _QUIET, _FAMILY = range(6)


class _Region:
    """Addresses that arrays cover without a hole, and these arrays as rows."""

    __slots__ = ("_new", "_rows", "cover", "high", "low")

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.cover: tuple[int, int, int] | None = None
        """Range and family of one block in which all other arrays lie."""
        self._rows: np.ndarray[Any, Any] | None = None
        self._new: list[tuple[int, ...]] = []

    def add(self, span: Span, quiet: bool, family: int) -> None:
        self._new.append((span.low, span.high, span.gap, span.block, quiet, family))

    def rows(self) -> np.ndarray[Any, Any]:
        """Give one column for each array: low, high, gap, block, quiet, family."""
        if self._rows is None:
            self._rows = np.empty((6, 0), np.int64)
        if self._new:
            new = np.array(self._new, np.int64).T
            self._rows = np.concatenate([self._rows, new], axis=1)
            self._new = []
        return self._rows

    def take(self, others: list[_Region]) -> None:
        """Take over the arrays of regions that are now part of this one."""
        if others:
            self._rows = np.concatenate([other.rows() for other in others], axis=1)

    def families(self, span: Span, quiet: bool) -> list[int]:
        """Give the families with which an array shares memory."""
        rows = self.rows()
        apart = (span.low >= rows[_HIGH]) | (span.high <= rows[_LOW])
        gaps = np.gcd(rows[_GAP], span.gap)
        distance = (span.low - rows[_LOW]) % np.maximum(gaps, 1)
        between = (distance >= rows[_BLOCK]) & (distance + span.block <= gaps)
        shared = ~(apart | between)
        if quiet:
            shared &= rows[_QUIET] == 0
        return [int(family) for family in np.unique(rows[_FAMILY][shared])]

    def unite(self, families: list[int]) -> None:
        """Make the arrays of several families one family, the first."""
        own = self.rows()[_FAMILY]
        own[np.isin(own, families[1:])] = families[0]


class MemoryMap:
    """The arrays of one walk, by address."""

    def __init__(self) -> None:
        self._lows: list[int] = []
        self._regions: list[_Region] = []
        self._origins: list[tuple[Any, int, int]] = []  # owner, part, start
        self._log: list[tuple[Span, Any, int, bool]] = []

    def __len__(self) -> int:
        return len(self._log)

    def rewind(self, count: int) -> None:
        """Forget all arrays but the first ones."""
        if count == len(self._log):
            return
        log = self._log[:count]
        self.__init__()  # type: ignore[misc]
        for row in log:
            self.enter(*row)

    def enter(self, span: Span, owner: Any, part: int, quiet: bool) -> list[Relation]:
        """Enter an array and say with which earlier ones it shares memory.

        Parameters
        ----------
        span : Span
            Where it lies.
        owner : object
            By which it can be referred to later.
        part : int
            Which array of its owner.
        quiet : bool
            Whether it belongs to a pandas object: what these share among themselves
            is their own affair.

        Returns
        -------
        list of Relation
            One for each family that the array is now part of.
        """
        self._log.append((span, owner, part, quiet))
        region = self._region(span)
        if region is None:
            found = []
            region = self._insert(span.low, span.high, [])
        elif region.cover and _within(span, region.cover):
            # whatever shares with this array shares with the one around it
            return [self._relation(span, region.cover[2])]
        else:
            found = region.families(span, quiet)
        relations = [self._relation(span, family) for family in found]
        if quiet or not found:
            found = [len(self._origins)]
            self._origins.append((owner, part, span.start))
        elif len(found) > 1:
            region.unite(found)
        region.add(span, quiet, found[0])
        whole = span.low == region.low and span.high == region.high
        if whole and span.gap == 0 and not quiet:
            region.cover = span.low, span.high, found[0]
        return relations

    def _relation(self, span: Span, family: int) -> Relation:
        owner, part, start = self._origins[family]
        return Relation(owner, part, span.start - start)

    def _region(self, span: Span) -> _Region | None:
        """Give the region of an array, made of all those that it bridges."""
        lows, regions = self._lows, self._regions
        first = bisect.bisect_right(lows, span.low)
        if first and regions[first - 1].high > span.low:
            first -= 1
        last = bisect.bisect_left(lows, span.high, first)
        if first == last:
            return None
        met = regions[first:last]
        low, high = min(met[0].low, span.low), max(met[-1].high, span.high)
        if len(met) == 1 and (low, high) == (met[0].low, met[0].high):
            return met[0]
        del lows[first:last], regions[first:last]
        return self._insert(low, high, met)

    def _insert(self, low: int, high: int, parts: list[_Region]) -> _Region:
        region = _Region(low, high)
        region.take(parts)
        place = bisect.bisect_left(self._lows, low)
        self._lows.insert(place, low)
        self._regions.insert(place, region)
        return region


def _within(span: Span, cover: tuple[int, int, int]) -> bool:
    return cover[0] <= span.low and span.high <= cover[1]
