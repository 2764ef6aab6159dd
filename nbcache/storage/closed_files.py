"""Closed files: what ``with open(path) as f`` leaves behind has a name and a mode."""

from __future__ import annotations

import io
import os
from typing import Any

from nbcache.errors import DamagedEntry
from nbcache.storage.codec_decode import Decoder
from nbcache.storage.codec_encode import Encoder
from nbcache.storage.codec_nodes import Node, encoders, kind

__all__ = ["described"]

_BUFFERED: dict[str, Any] = {
    "BufferedReader": io.BufferedReader,
    "BufferedWriter": io.BufferedWriter,
    "BufferedRandom": io.BufferedRandom,
}
_TYPES = (io.TextIOWrapper, io.FileIO, *_BUFFERED.values())


def described(file: Any) -> list[Any] | None:
    """Give all that is left of a closed file; None for another, or one of a number.

    Parameters
    ----------
    file : object
        Of a class of `io`.

    Returns
    -------
    list or None
        Class, name and mode; for text the class, name and mode of what is below it, its
        own mode, encoding and handling of errors.
    """
    try:
        if type(file) not in _TYPES or not file.closed:
            return None
        if type(file) is io.TextIOWrapper:
            inner = described(file.buffer)
            own = [getattr(file, "mode", None), file.encoding, file.errors]
            return None if inner is None else ["TextIOWrapper", *inner[:3], *own]
        raw = file if type(file) is io.FileIO else file.raw
        name, mode = raw.name, raw.mode
    except (AttributeError, ValueError):
        return None  # detached, or above something else than a file
    if type(raw) is not io.FileIO or type(name) not in (str, bytes):
        return None
    return [type(file).__name__, name, mode]


def _write(encoder: Encoder, file: Any) -> Node:
    parts = described(file)
    if parts is None:
        return encoder.leaf(file)
    return encoder.begin(file, "closed_file", [encoder.node(part) for part in parts])


def _make(decoder: Decoder, content: Any) -> Any:
    name, *parts = (decoder.value(part) for part in content)
    if name == "TextIOWrapper":
        inner, path, mode, text_mode, encoding, errors = parts
        file: Any = io.TextIOWrapper(_binary(inner, path, mode), encoding, errors)
        if text_mode is not None:
            vars(file)["mode"] = text_mode
    else:
        file = _binary(name, *parts)
    file.close()
    return file


def _binary(name: str, path: Any, mode: str) -> Any:
    """Give a binary file of this name that is open, on nothing."""
    if type(path) not in (str, bytes):
        raise DamagedEntry("the entry's tree holds a file without a name")
    raw = io.FileIO(path, mode, opener=_open_nothing)
    return raw if name == "FileIO" else _BUFFERED[name](raw)


def _open_nothing(_path: Any, _flags: int) -> int:
    return os.open(os.devnull, os.O_RDWR)


kind("closed_file", _make)
for _type in _TYPES:
    encoders[_type] = _write
