"""Finished handles as inputs: by what is left of them; others are refused."""

from __future__ import annotations

from types import GeneratorType
from typing import Any

from nbcache import finished
from nbcache.keys.instances import refusal
from nbcache.keys.registry import Identity, Sink, Walker, mark, register

__all__ = ["teach"]

_REASONS = {
    "builtins.generator": "an iterator is used up by reading it",
    "re.Match": "it is not found again by matching",
    "_io.TextIOWrapper": "an open file",
    "gzip.GzipFile": "an open file",
    "bz2.BZ2File": "an open file",
    "lzma.LZMAFile": "an open file",
    "zipfile.ZipFile": "an open file",
    "_csv.reader": "it reads an open file",
    "_csv.writer": "it writes to an open file",
    "sqlite3.Connection": "a live connection",
    "socket.socket": "a live connection",
    "http.client.HTTPResponse": "a live connection",
}
_OTHERWISE = "a running computation"
_TYPES: dict[str, type] = {"builtins.generator": GeneratorType}
# these have a handler, which asks here first
_TAUGHT_ELSEWHERE = ("_io.TextIOWrapper",)


def _put(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    left = finished.described(value)
    if left is None:
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        raise refusal(value, path, _REASONS.get(name, _OTHERWISE))
    mark(sink, "finished")
    told = (left.module, left.name, *left.told)
    walk.keep(told)
    walk.put(sink, told, path)


def teach() -> None:
    """Register the classes whose finished values can be told."""
    for name in finished.names():
        if name not in _TAUGHT_ELSEWHERE:
            register(_TYPES.get(name, name), _put, identity=Identity.COUNTS)
