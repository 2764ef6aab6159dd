"""Kinds of nodes: sparse matrices and arrays of scipy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import Node, Write, finders, kind
from nbcache.storage.codec_types import fill_dict, pairs

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__: list[str] = []

_CLASSES = {
    f"{form}_{shape}"
    for form in ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")
    for shape in ("matrix", "array")
}


def _find(_: Encoder, cls: type) -> Write | None:
    named = cls.__module__.startswith("scipy.sparse") and cls.__name__ in _CLASSES
    return _write if named else None


finders.append(_find)


def _write(encoder: Encoder, value: Any) -> Node:
    content: list[Any] = []
    node = encoder.begin(value, "sparse", [type(value).__name__, content])
    pairs(encoder, vars(value), content)
    return node


def _make(_: Decoder, content: Any) -> Any:
    if content[0] not in _CLASSES:
        raise ValueError(f"scipy has no {content[0]}")
    cls: Any = getattr(import_module("scipy.sparse"), content[0])
    # not the constructor: it would give indices another type
    return cls.__new__(cls)


def _fill(decoder: Decoder, value: Any, content: Any) -> None:
    fill_dict(decoder, vars(value), content[1])
    if not decoder.trusted:
        _check(value)


def _check(value: Any) -> None:
    """Fail if compiled code would follow an index out of its array."""
    form = type(value).__name__[:3]  # the attribute may be one of the entry's
    if form in ("csr", "csc", "bsr"):
        state = dict(vars(value))
        value.check_format(full_check=True)
        vars(value).update(state)  # the check puts copies in their place
    elif form == "coo":
        value._check()
    elif form == "lil":
        _check_rows(value)
    elif form == "dia":
        rows, _ = value.data.shape
        if value.offsets.shape != (rows,) or len(np.unique(value.offsets)) != rows:
            raise ValueError("a matrix by diagonals has wrong offsets")


def _check_rows(value: Any) -> None:
    """Fail unless a matrix by rows has a column in range for each of its values."""
    count, width = value.shape
    rows, data = value.rows, value.data
    if not rows.shape == data.shape == (count,):
        raise ValueError("a matrix by rows has more or fewer rows than it says")
    for places, items in zip(rows.tolist(), data.tolist(), strict=True):
        sound = type(places) is type(items) is list and len(places) == len(items)
        if not sound or any(
            type(place) is not int or not 0 <= place < width for place in places
        ):
            raise ValueError("a matrix by rows has values outside it")


kind("sparse", _make, _fill)
