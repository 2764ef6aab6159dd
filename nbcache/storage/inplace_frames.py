"""Series, frames and indexes of pandas, and frames of polars, written in place.

What is stored of a frame is its blocks that changed: those that did not are kept, so
that a new column costs only itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import Node, encoders, kind
from nbcache.storage.frames_arrays import check, inner, shares_memory
from nbcache.storage.inplace_form import Digest, Form
from nbcache.storage.live_parts import blocks
from nbcache.storage.sharing import is_writeable

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["form_of"]

# number of a block of before, dtype, shape and columns of it
Kept = tuple[int, str, tuple[int, ...], bytes]


@dataclass(frozen=True)
class _Block:
    """A block of a changed frame.

    Parameters
    ----------
    places : ndarray
        Its columns.
    kept : tuple or None
        Which of the blocks of before it is, or is written into.
    values : array or None
        None: those of the block that it is.
    """

    places: Any
    kept: Kept | None
    values: Any


@dataclass(frozen=True)
class _State:
    """The content of a series or frame; `name` is that of a series."""

    blocks: list[_Block]
    axes: list[Any]
    attrs: dict[Any, Any]
    duplicates: bool
    name: Any


def _places(block: Any) -> Any:
    """Give the columns of a block; none for a series."""
    return block.mgr_locs.as_array if block.ndim == 2 else np.empty(0, np.intp)


def _kept(number: int, block: Any) -> Kept:
    values, places = block.values, _places(block)
    return number, str(values.dtype), tuple(values.shape), places.tobytes()


class _Frame(Form):
    restless = True  # pandas joins blocks

    def note(self, value: Any, digest: Digest) -> Any:
        noted = tuple(
            (one.values, _kept(i, one), _block_digest(one.values, digest))
            for i, one in enumerate(blocks(value))
        )
        attrs = digest(value.attrs) if value.attrs else ""
        duplicates = value.flags.allows_duplicate_labels
        return noted, tuple(value.axes), attrs, duplicates, _label(value)

    def refusal(self, value: Any, before: Any, digest: Digest) -> str:
        if not shares_memory():
            return ""
        was = {id(values): found for values, _, found in before[0]}
        for block in blocks(value):
            found = was.get(id(block.values))
            if found and found != _block_digest(block.values, digest):
                return "holds an array that others may share, and that was changed"
        return ""

    def content(self, value: Any, before: Any, digest: Digest) -> Any:
        was = {id(values): (kept, found) for values, kept, found in before[0]}
        found = []
        for block in blocks(value):
            kept, earlier = was.get(id(block.values), (None, ""))
            is_same = not earlier or earlier == _block_digest(block.values, digest)
            values = None if kept is not None and is_same else block.values
            found.append(_Block(_places(block), kept, values))
        return _state(value, found)

    def copied(self, value: Any) -> Any:
        held = [
            (_Block(_places(one), None, one.values), one.refs, one.values.copy())
            for one in blocks(value)
        ]
        return _Backup(held, _state(value, []))

    def earlier(self, before: Any) -> Any:
        return None

    def misfit(self, value: Any, content: Any) -> str:
        import pandas as pd

        if type(content) is not _State or len(content.axes) != value.ndim:
            return "is another kind of object now"
        if not all(isinstance(axis, pd.Index) for axis in content.axes):
            return "is another kind of object now"
        today = blocks(value)
        shape = tuple(len(axis) for axis in content.axes)
        taken = [np.empty(0, np.intp)]
        for one in content.blocks:
            if not _fits(one, today, shape):
                return "is laid out anew"
            taken.append(one.places)
        places = np.sort(np.concatenate(taken))
        if value.ndim == 1:
            whole = len(content.blocks) == 1 and not places.size
        else:
            whole = np.array_equal(places, np.arange(shape[1]))
        return "" if whole else "is laid out anew"

    def write(self, value: Any, content: Any) -> None:
        if type(content) is _Backup:
            _put_back(value, content)
            return
        today = blocks(value)
        made = [_block(value.ndim, one, today) for one in content.blocks]
        _set(value, _assembled(value, made, content.axes), content)


def _label(value: Any) -> Any:
    return value.name if value.ndim == 1 else None


def _block_digest(values: Any, digest: Digest) -> str:
    if type(values) is np.ndarray and shares_memory():
        return ""  # noted for itself
    try:
        return digest(values)
    except Exception:  # what is inside belongs to no key
        return "?"


def _state(value: Any, found: list[_Block]) -> _State:
    return _State(
        found,
        list(value.axes),
        dict(value.attrs),
        value.flags.allows_duplicate_labels,
        _label(value),
    )


@dataclass(frozen=True)
class _Backup:
    """What a frame was: its blocks, who else has them, copies of them; the rest."""

    held: list[tuple[_Block, Any, Any]]
    state: _State


def _put_back(value: Any, backup: _Backup) -> None:
    made = []
    for one, refs, copy in backup.held:
        values = one.values
        if type(values) is np.ndarray:
            if is_writeable(values):
                np.copyto(values, copy)
        elif not refs.has_reference():  # else pandas itself wrote elsewhere
            values, refs = copy, None
        made.append(_new_block(value.ndim, one.places, values, refs))
    _set(value, _assembled(value, made, backup.state.axes), backup.state)


def _fits(one: _Block, today: list[Any], shape: tuple[int, ...]) -> bool:
    """Say whether a block is one of a frame of a shape, and fits today's."""
    rows, count = shape[0], len(one.places)
    if type(one.places) is not np.ndarray or one.places.dtype.kind != "i":
        return False
    if one.kept is not None:
        number = one.kept[0]
        known = type(number) is int and 0 <= number < len(today)
        if not known or _layout(one.kept) != _layout(_kept(number, today[number])):
            return False
    values = one.values
    if values is None and one.kept is not None:
        values = today[one.kept[0]].values
    check(values, "biufcO", (1, 2))
    if len(shape) == 1:
        return bool(values.shape == (rows,))
    if values.ndim == 1 and type(values) is not np.ndarray:
        return bool(values.shape == (rows,) and count == 1)
    return bool(values.shape == (count, rows))


def _layout(kept: Kept) -> tuple[Any, ...]:
    # columns may move when others are deleted, so only those of before are compared
    return tuple(kept[1:])


def _block(dimensions: int, one: _Block, today: list[Any]) -> Any:
    """Make a block; what is kept stays the very memory that others may see."""
    values, refs = one.values, None
    old = today[one.kept[0]] if one.kept is not None else None
    if old is not None and (values is None or _is_written(old, values)):
        if values is not None:
            np.copyto(old.values, values)
        values, refs = old.values, old.refs
    return _new_block(dimensions, one.places, values, refs)


def _new_block(dimensions: int, places: Any, values: Any, refs: Any) -> Any:
    library: Any = import_module("pandas.core.internals.blocks")
    where = places if dimensions == 2 else slice(0, len(values))
    placement = library.BlockPlacement(where)
    return library.new_block(values, placement, ndim=dimensions, refs=refs)


def _is_written(old: Any, values: Any) -> bool:
    """Say whether pandas itself would write into a block: no other frame has it."""
    return (
        type(values) is np.ndarray
        and type(old.values) is np.ndarray
        and is_writeable(old.values)
        and not old.refs.has_reference()
    )


def _assembled(value: Any, made: list[Any], axes: list[Any]) -> Any:
    internals: Any = import_module("pandas.core.internals.managers")
    if value.ndim == 1:
        return internals.SingleBlockManager(made[0], axes[0])
    return internals.BlockManager(tuple(made), axes[::-1])


def _set(value: Any, data: Any, state: _State) -> None:
    # the names that pandas 2 has besides for its caches
    for name in ("_reset_cache", "_clear_item_cache"):
        if hasattr(value, name):
            getattr(value, name)()
    object.__setattr__(value, "_mgr", data)
    value.attrs = state.attrs
    value.flags._allows_duplicate_labels = state.duplicates
    if value.ndim == 1:
        object.__setattr__(value, "_name", state.name)


class _Index(Form):
    """Labels do not change; their names do."""

    def note(self, value: Any, digest: Digest) -> Any:
        return tuple(value.names)

    def copied(self, value: Any) -> Any:
        return list(value.names)

    def misfit(self, value: Any, content: Any) -> str:
        fits = type(content) is list and len(content) == value.nlevels
        return "" if fits else "has other levels now"

    def write(self, value: Any, content: Any) -> None:
        value.names = list(content)


def _write_state(encoder: Encoder, state: _State) -> Node:
    alone = not shares_memory()
    rows = [
        [
            encoder.blob(one.places.astype(np.int64)),
            None if one.kept is None else encoder.node(one.kept),
            None if one.values is None else inner(encoder, one.values, alone=alone),
        ]
        for one in state.blocks
    ]
    others = [state.axes, state.attrs, state.duplicates, state.name]
    return ["frame state", [rows, encoder.node(encoder.keep(others))]]


def _read_state(decoder: Decoder, content: Any) -> _State:
    rows, others = content
    found = [
        _Block(
            decoder.blob(places).astype(np.intp),
            decoder.value(kept),
            decoder.value(values),
        )
        for places, kept, values in rows
    ]
    return _State(found, *decoder.value(others))


encoders[_State] = _write_state
kind("frame state", _read_state)


class _Polars(Form):
    """Content: another series or frame with the same data, which nothing changes."""

    def note(self, value: Any, digest: Digest) -> Any:
        return digest(value)

    def copied(self, value: Any) -> Any:
        return value.clone()

    def earlier(self, before: Any) -> Any:
        return None

    def misfit(self, value: Any, content: Any) -> str:
        return "" if type(content) is type(value) else "is another kind of object now"

    def write(self, value: Any, content: Any) -> None:
        name = "_df" if hasattr(value, "_df") else "_s"
        setattr(value, name, getattr(content, name))


_POLARS = _Polars()
_FRAME, _INDEX = _Frame(), _Index()


def form_of(value: Any) -> Form | None:
    """Give how a table or column is written; None for other objects."""
    library = type(value).__module__.partition(".")[0]
    if library == "polars" and type(value).__name__ in ("DataFrame", "Series"):
        return _POLARS
    if library != "pandas":
        return None
    import pandas as pd

    if type(value) in (pd.Series, pd.DataFrame):
        return _FRAME
    return _INDEX if isinstance(value, pd.Index) else None
