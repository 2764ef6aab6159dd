"""Where arrays go: members of their own, one member for all small ones, views."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage import lent, sharing
from nbcache.storage.codec_dtypes import spec_of
from nbcache.storage.codec_members import SMALL, Members
from nbcache.storage.codec_nodes import Array, Node
from nbcache.storage.codec_stacks import stacked

if TYPE_CHECKING:
    from nbcache.storage.codec_encode import Encoder

__all__ = ["ArrayPlaces", "Inseparable", "Members", "most_shared_objects"]

# shorter sequences, and those of larger arrays, are not made one array
FEWEST_IN_STACK = 16
LARGEST_IN_STACK = 1 << 16
# numpy.load refuses longer headers
LONGEST_HEADER = 4096

# read for ten thousand arrays at once: `array.flags` alone takes longer than all this
_dtype_of, _shape_of = attrgetter("dtype"), attrgetter("shape")
_nbytes_of, _ndim_of = attrgetter("nbytes"), attrgetter("ndim")
# bits of `array.flags.num`
_CONTIGUOUS, _WRITEABLE = 0x1, 0x400


class Inseparable(Exception):
    """Arrays share memory in a way that cannot be made again.

    Parameters
    ----------
    array : ndarray
        One of them.
    node : list
        Its node.
    reason : str
        What it shares with.
    """

    def __init__(self, place: _Place, reason: str) -> None:
        self.array = place.array
        self.node = place.node
        self.reason = reason
        super().__init__(reason)


def most_shared_objects(count: int) -> int:
    """Give how many objects a memory may hold of which one view has `count`."""
    return 1_000_000 + 1000 * count


@dataclass(slots=True)
class _Place:
    """An array and its node; `fixed`: the memory of something that is no array."""

    array: Array
    node: list[Any]
    spec: Any
    fixed: bool = False
    alone: bool = False
    lends: bool = False
    name: str | None = None
    done: bool = False


@dataclass(frozen=True, slots=True)
class _Many:
    """Arrays, their nodes and types, and where the list of nodes stands.

    `whole`: each is small and has memory of its own.
    """

    arrays: list[Array]
    nodes: list[Node]
    specs: list[Any]
    where: tuple[list[Any], int]
    whole: bool

    def are_unknown(self) -> bool:
        """Say whether nothing refers to any of them, so far."""
        return self.nodes.count(["a", None]) == len(self.nodes)


class ArrayPlaces:
    """The arrays of one tree.

    Their nodes are filled when all are known: only then is it clear which share
    memory.
    """

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._by_node: dict[int, _Place] = {}
        self._sequences: list[tuple[list[Any], int]] = []
        self._many: list[_Many] = []
        self._object_groups = 0

    def add(
        self, array: Array, node: list[Any], spec: Any, *, fixed: bool = False
    ) -> None:
        """Take in an array whose node is to be filled."""
        place = _Place(array, node, spec, fixed)
        self._places.append(place)
        self._by_node[id(node)] = place

    def plain_specs(self, arrays: Sequence[Array]) -> list[Any] | None:
        """Give the data types of arrays as plain data; None if one is not so plain."""
        dtypes = list(map(_dtype_of, arrays))
        specs: dict[np.dtype[Any], Any] = {}
        for dtype in set(dtypes):
            if dtype.hasobject:
                return None
            try:
                specs[dtype] = spec_of(dtype)
            except TypeError:
                return None
        # equal structures need not be the same, nor those with metadata
        if not all(type(spec) is str for spec in specs.values()):
            return None
        each = dict(zip(map(id, dtypes), dtypes, strict=True)).values()
        if any(dtype.metadata is not None for dtype in each):
            return None
        return list(map(specs.__getitem__, dtypes))

    def add_many(
        self,
        arrays: list[Array],
        nodes: list[Node],
        specs: list[Any],
        where: tuple[list[Any], int],
    ) -> bool:
        """Take in a sequence of plain arrays, which may become one array.

        Gives False, and takes in nothing, if one is read-only.
        """
        flags = functools.reduce(operator.and_, set(map(sharing.flags_of, arrays)))
        if not flags & _WRITEABLE:
            return False
        whole = (
            bool(flags & _CONTIGUOUS)
            and min(map(_ndim_of, arrays)) > 0
            and 0 < max(map(_nbytes_of, arrays)) <= LARGEST_IN_STACK
            and sharing.own_memory(arrays, flags)
        )
        self._many.append(_Many(arrays, nodes, specs, where, whole))
        return True

    def _part(self) -> None:
        """Take in one by one what was taken in as sequences."""
        for many in self._many:
            parts = zip(many.arrays, many.nodes, many.specs, strict=True)
            for array, node, spec in parts:
                self.add(array, node, spec)
            self.may_stack(*many.where)
        self._many.clear()

    def _stack_many(self, encoder: Encoder) -> None:
        """Make sequences one array each, unless something else knows their arrays."""
        if not self._many:
            return
        views = [place.array for place in self._places if not place.alone]
        if not (
            sharing.separate([*views, *encoder.live.arrays()])
            and all(many.whole and many.are_unknown() for many in self._many)
        ):
            self._part()
        for many in self._many:
            parent, index = many.where
            few = stacked(many.arrays, many.specs, encoder.members)
            encoder.current(parent)[index] = few

    def name(self, node: list[Any], name: str) -> None:
        """Ask for the member of an array to have a name."""
        if id(node) not in self._by_node:
            self._part()
        place = self._by_node.get(id(node))
        if place is not None and place.name is None:
            place.name = name

    def alone(self, node: list[Any], *, lends: bool = False) -> None:
        """Ask for an array to have memory of its own, whatever it shares now."""
        place = self._by_node.get(id(node))
        if place is not None:
            place.alone, place.lends = True, lends

    def may_stack(self, parent: list[Any], index: int) -> None:
        """Take in a sequence of nodes that may become one array."""
        self._sequences.append((parent, index))

    def release(self) -> None:
        """Let go of all arrays, whoever still holds this, such as a traceback."""
        self._places.clear()
        self._by_node.clear()
        self._many.clear()

    def finish(self, encoder: Encoder) -> None:
        """Fill the nodes of all arrays.

        Parameters
        ----------
        encoder : Encoder
            Knows the live arrays; gets the members, and buffers that only views use.

        Raises
        ------
        Inseparable
            If arrays share memory in a way that cannot be made again.
        """
        self._stack_many(encoder)
        for place in self._places:
            if place.node[0] == "=":
                place.node = encoder.current(place.node)
        lent.borrow(self._places, encoder)
        sharers = [one for one in self._places if not (one.alone or one.done)]
        live = encoder.live.arrays() if sharers else []
        known = [*(place.array for place in sharers), *live]
        count = len(sharers)
        for group in sharing.groups(known):
            places = [sharers[i] for i in group if i < count]
            sources = [live[i - count] for i in group if i >= count]
            if places and sources:
                _share_live(places, sources, encoder)
            elif places and any(place.array.dtype.hasobject for place in places):
                self._share_objects(places)
            elif places:
                _share(places, encoder)
        for parent, index in self._sequences:
            self._stack(encoder.current(parent), index, encoder.members)
        for place in self._places:
            if not (place.done or place.fixed):
                self._store(place, encoder.members)

    def _share_objects(self, places: list[_Place]) -> None:
        """Give arrays of objects one memory: whichever comes first makes it."""
        dtype = places[0].array.dtype
        extents = [sharing.extent(place.array) for place in places]
        low = min(start for start, _ in extents)
        length = (max(stop for _, stop in extents) - low) // dtype.itemsize
        self._object_groups += 1
        if length > most_shared_objects(max(place.array.size for place in places)):
            raise Inseparable(places[0], "shares memory with distant objects")
        for place in places:
            if place.array.dtype != dtype or place.fixed:
                raise Inseparable(place, "shares memory with an array of another dtype")
            view = sharing.view_of(place.array, low)
            place.node[1].append([self._object_groups, length, view])
            place.done = True

    def _store(self, place: _Place, members: Members) -> None:
        """Keep an array that shares no memory, with the gaps between its elements."""
        gaps = None if place.alone else sharing.spread(place.array)
        if not place.array.dtype.hasobject:
            _store(place, members)
            if gaps is not None:
                place.node[:2] = ["spread", [place.node[1], *gaps]]
        elif gaps is not None:
            self._object_groups += 1
            length = gaps[0] // place.array.itemsize
            place.node[1].append([self._object_groups, length, gaps[1]])

    def _stack(self, parent: list[Any], index: int, members: Members) -> None:
        """Turn a sequence of arrays alike into one array, if nothing refers to them."""
        places: list[_Place] = []
        for node in parent[index]:
            place = self._by_node.get(id(node))
            if place is None or not _may_stack(place):
                return
            places.append(place)
        arrays = [place.array for place in places]
        if not any(array.nbytes for array in arrays):
            return
        specs = [place.spec for place in places]
        parent[index] = stacked(arrays, specs, members)
        for place in places:
            place.done = True


def _may_stack(place: _Place) -> bool:
    array = place.array
    return (
        # neither objects nor bytes, neither a view nor referred to
        place.node[0] == "a"
        and len(place.node) == 2
        and not (place.done or place.name or array.dtype.hasobject)
        and sharing.is_writeable(array)
        and type(place.spec) is str
        and _is_small(array)
    )


def _is_small(array: Array) -> bool:
    whole = array.flags.c_contiguous and array.ndim > 0
    return whole and array.nbytes <= LARGEST_IN_STACK


def _share(places: list[_Place], encoder: Encoder) -> None:
    """Make arrays views of the largest of them, or of a buffer that holds all."""
    arrays = [place.array for place in places]
    fixed = [i for i, place in enumerate(places) if place.fixed]
    base = fixed[0] if fixed else sharing.cover(arrays)
    extents = [sharing.extent(array) for array in arrays]
    low, high = min(low for low, _ in extents), max(high for _, high in extents)
    if fixed and (len(fixed) > 1 or extents[fixed[0]] != (low, high)):
        raise Inseparable(places[0], "shares memory with bytes that are stored too")
    if base is None:
        data = np.array(sharing.memory(arrays))
        source = encoder.aside(["a", encoder.members.number(data)])
    else:
        places[base].node = encoder.hoist(places[base].node)
        source = encoder.reference(places[base].node)
    for i, place in enumerate(places):
        if i != base:
            view = sharing.view_of(place.array, low)
            place.node[:2] = ["view", [source, place.spec, view]]
            place.done = True


def _share_live(places: list[_Place], live: list[Array], encoder: Encoder) -> None:
    """Make arrays views of one that is there already."""
    for place in places:
        for base in live:
            if sharing.cover([base, place.array]) == 0 and not place.fixed:
                node = encoder.live.node(base)
                content = lent.live_view(place.array, place.spec, base, node)
                # that one may become read-only after this was made
                content[2][3] = sharing.is_writeable(place.array) and sharing.MUST
                place.node[:2] = ["view", content]
                place.done = True
                break
        else:
            raise Inseparable(
                place, "shares memory with an input, but not as a part of it"
            )


def _store(place: _Place, members: Members) -> None:
    array, spec = place.array, place.spec
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    plain = type(spec) is str
    if array.nbytes < SMALL and plain and place.name is None:
        start = members.add_small(array if fortran else np.ascontiguousarray(array))
        content = [start, spec, list(array.shape)]
        place.node[1] = [*content, 1] if fortran else content
    elif plain or _npy_keeps(array.dtype):
        place.node[1] = members.add(array, place.name)
    else:
        if not _npy_reads(array.dtype):
            array = np.asarray(array, order="A").view(f"V{array.itemsize}")
        place.node[1] = {"in": members.add(array, place.name), "dtype": spec}
    if not (sharing.is_writeable(place.array) or place.alone):
        place.node[0] = "read-only"
    place.done = True


def _npy_keeps(dtype: np.dtype[Any]) -> bool:
    """Say whether a structured type comes back from an npy header as it was."""
    exact = dtype.type is np.void and not dtype.isalignedstruct
    return exact and _npy_reads(dtype)


def _npy_reads(dtype: np.dtype[Any]) -> bool:
    """Say whether an npy header can hold a type, by and large."""
    try:
        descr = np.lib.format.dtype_to_descr(dtype)
        read = np.lib.format.descr_to_dtype(descr)
    except (TypeError, ValueError):
        return False
    return bool(read == dtype) and len(repr(descr)) < LONGEST_HEADER
