"""Closed files as inputs: by class, name, mode and encoding; open ones are refused."""

from __future__ import annotations

import io
from typing import Any

from nbcache import finished
from nbcache.keys.instances import refusal
from nbcache.keys.registry import Identity, Sink, Walker, mark, register

__all__ = ["teach"]

_TYPES = (
    io.TextIOWrapper,
    io.BufferedReader,
    io.BufferedWriter,
    io.BufferedRandom,
    io.FileIO,
)
# what of it can still be asked; a detached buffer raises ValueError
_ATTRIBUTES = ("name", "mode", "encoding", "errors")


def _put_file(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    if type(value) not in _TYPES or not _is_closed(value):
        raise refusal(value, path, "an open file")
    mark(sink, "closed file")
    attributes = (getattr(value, name, None) for name in _ATTRIBUTES)
    left = finished.described(value)
    above = () if left is None else left.told
    walk.put(sink, (type(value).__name__, *attributes, *above), path)


def _is_closed(file: Any) -> bool:
    try:
        return bool(file.closed)
    except ValueError:
        return False


def teach() -> None:
    """Register the files of `io`."""
    for kind in _TYPES:
        register(kind, _put_file, identity=Identity.COUNTS)
