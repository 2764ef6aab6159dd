"""Arrays that pandas lends out: read-only, and yet they change with their frame.

With copy-on-write, ``frame["x"].to_numpy()`` is a view of the frame's own memory that
cannot be written to.  pandas writes into that memory as long as no other frame has it,
so a copy in the place of the view would not change with the frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage import sharing
from nbcache.storage.codec_dtypes import spec_of
from nbcache.storage.codec_nodes import Array, Node
from nbcache.storage.frames_arrays import shares_memory
from nbcache.storage.live_parts import blocks, spot

if TYPE_CHECKING:
    from nbcache.storage.codec_encode import Encoder
    from nbcache.storage.live import LiveIndex

__all__ = ["borrow", "follows", "lends", "live_view"]


def lends(block: Any) -> bool:
    """Say whether arrays that share a block's memory change with its frame."""
    refs = getattr(block, "refs", None)
    return not shares_memory() and refs is not None and not refs.has_reference()


def borrow(places: Iterable[Any], encoder: Encoder) -> None:
    """Make read-only views of what pandas has, there already or in the same tree.

    Parameters
    ----------
    places : iterable
        The arrays of a tree and their nodes, see `codec_arrays`.
    encoder : Encoder
        Of the tree.
    """
    known = list(places)
    borrowers = [one for one in known if not one.alone and _is_borrowed(one.array)]
    if not borrowers:
        return
    own = [place for place in known if place.lends]
    there = list(_live_lenders(encoder.live))
    lenders = [*(place.array for place in own), *(array for array, _ in there)]
    for place in borrowers:
        number = _lender_of(place.array, lenders)
        if number is None or place.fixed:
            continue
        if number < len(own):
            lender = own[number]
            lender.node = encoder.hoist(lender.node)
            view = sharing.view_of(place.array, sharing.extent(lender.array)[0])
            content = [encoder.reference(lender.node), place.spec, view]
        else:
            base, node = there[number - len(own)]
            content = live_view(place.array, place.spec, base, node)
        place.node[:2] = ["view", content]
        place.done = True


def live_view(array: Array, spec: Any, base: Array, node: Node) -> list[Any]:
    """Give the content of the node of a part of a live array."""
    layout = [spec_of(base.dtype), list(base.shape), list(base.strides)]
    view = sharing.view_of(array, sharing.extent(base)[0])
    # as writable as that one is by then
    view[3] = view[3] or not sharing.is_writeable(base)
    return [node, spec, view, layout]


def follows(value: Any, others: Iterable[Any]) -> bool:
    """Say whether an array changes with others: a read-only part of their memory.

    Parameters
    ----------
    value : object
        Anything.
    others : iterable of object
        Arrays, which are written to, and frames.
    """
    if not (type(value) is np.ndarray and value.size and value.base is not None):
        return False
    if sharing.is_writeable(value) or value.dtype.hasobject:
        return False
    lenders = [
        one
        for one in others
        if type(one) is np.ndarray and one is not value and sharing.is_writeable(one)
    ]
    lenders += [values for frame in others for values, _, _ in _lent_by(frame)]
    return _lender_of(value, lenders) is not None


def _is_borrowed(array: Array) -> bool:
    """Say whether an array may be one that pandas lent out."""
    return (
        array.base is not None
        and array.size > 0
        and not array.dtype.hasobject
        and not sharing.is_writeable(array)
    )


def _live_lenders(live: LiveIndex) -> Iterator[tuple[Array, Node]]:
    """Give the memory of live frames with the nodes that lead to it."""
    for frame in live.objects():
        for values, number, block in _lent_by(frame):
            yield values, ["live", [*live.path(frame), ["b", spot(number, block)]]]


def _lent_by(frame: Any) -> Iterator[tuple[Array, int, Any]]:
    """Give the memory of a frame that it lends, with number and block."""
    if type(frame).__module__.partition(".")[0] != "pandas":
        return
    for number, block in enumerate(blocks(frame)):
        values = block.values
        if type(values) is np.ndarray and values.dtype.kind != "O" and lends(block):
            yield values, number, block


def _lender_of(array: Array, lenders: list[Array]) -> int | None:
    """Give the place of the memory that an array is a part of, if there is one."""
    low, high = sharing.extent(array)
    for place, lender in enumerate(lenders):
        first, last = sharing.extent(lender)
        inside = first <= low and high <= last
        if inside and sharing.cover([lender, array]) == 0:
            return place
    return None
