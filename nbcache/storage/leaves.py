"""Kinds of nodes: what only pickle keeps.

All such parts of a tree go into one pickle stream, so that they may share and refer to
each other.  What stands in the tree, is live, or is a class of the user's, the stream
refers to; arrays it holds become arrays of the tree.  A part of the tree that is
referred to and itself holds pickled parts is pickled too: so no cycle leads from the
stream through the tree and back.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from functools import partial
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.errors import DamagedEntry, UnstorableValue, UntrustedEntry
from nbcache.storage.codec_nodes import Array, Unresolved, kind
from nbcache.storage.codec_paths import node_paths

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["leaf_paths", "pickle_leaves"]

_ATOMS = frozenset((type(None), bool, int, float, complex, str, bytes, type(...)))


def pickle_leaves(encoder: Encoder, nodes: list[Any]) -> tuple[Any, set[int]]:
    """Pickle the leaves that an encoder met.

    Returns
    -------
    tree or None
        Plain data for the decoder.
    set of int
        Ids of objects that should have been leaves too; not empty: encode again.

    Raises
    ------
    UnstorableValue
        If one cannot be pickled.
    """
    if not encoder.leaves:
        return None, set()
    from nbcache.storage.pickler import LeafPickler

    pickler = LeafPickler(encoder)
    try:
        pickler.dump([value for value, _ in encoder.leaves])
    except Exception as error:  # whatever a class's own reduction raises
        raise _culprit(encoder, nodes, error) from error
    data = np.frombuffer(pickler.stream.getbuffer(), np.uint8)
    stream = {"stream": encoder.blob(data), "buffers": pickler.buffers}
    return stream, pickler.absorbed


# ---------------------------------------------------------------- reading


class _Unpickler(pickle.Unpickler):
    def __init__(self, decoder: Decoder, data: Array, buffers: Iterator[Any]) -> None:
        super().__init__(io.BytesIO(data.data), buffers=buffers)
        self._decoder = decoder

    def persistent_load(self, reference: Any) -> Any:
        where, what = reference
        decoder = self._decoder
        if where == "number":
            return decoder.numbered(what)
        if where == "globals":
            return vars(decoder.value(["module", what]))
        node = ["vars", ["=", what]] if where == "vars" else [where, what]
        return decoder.value(node)


def _leaf(decoder: Decoder, content: Any) -> Any:
    decoder.demand_trust("pickled Python objects")
    if decoder.leaves is None:
        stream = decoder.tree["pickle"]
        buffers = (decoder.member(number).data for number in stream["buffers"])
        try:
            unpickler = _Unpickler(decoder, decoder.blob(stream["stream"]), buffers)
            decoder.leaves = unpickler.load()
        except (DamagedEntry, UntrustedEntry, Unresolved):
            raise
        except Exception as error:  # a class that changed, a package that is gone
            raise Unresolved(
                f"a pickled part cannot be loaded: {type(error).__name__}: {error}"
            ) from error
    return decoder.leaves[content]


kind("pickle", _leaf)

# ---------------------------------------------------------------- what cannot be


def leaf_paths(nodes: list[Any]) -> Iterator[tuple[str, int]]:
    """Give path and number of each leaf of a tree.

    Parameters
    ----------
    nodes : list of [name, node]
        The values of a tree.
    """
    for path, node in node_paths(nodes):
        if node[0] == "pickle":
            yield path, node[1]


def _culprit(encoder: Encoder, nodes: list[Any], error: Exception) -> UnstorableValue:
    """Find the part that cannot be pickled, by trying one at a time."""
    found = {number: path for path, number in leaf_paths(nodes)}
    for number, (value, _) in enumerate(encoder.leaves):
        reason = _failure(encoder, value)
        if reason is not None:
            path = found.get(number, "")
            path, value, reason = _innermost(encoder, value, path, reason)
            cls = type(value)
            return UnstorableValue(path, f"{cls.__module__}.{cls.__qualname__}", reason)
    return UnstorableValue("", type(error).__name__, str(error))


def _failure(encoder: Encoder, value: Any) -> str | None:
    from nbcache.storage.pickler import LeafPickler

    try:
        LeafPickler(encoder).dump(value)
    except Exception as error:
        return str(error) or type(error).__name__
    return None


def _innermost(
    encoder: Encoder, value: Any, path: str, reason: str
) -> tuple[str, Any, str]:
    """Follow the first part that fails, as far as parts can be looked at."""
    seen = {id(value)}
    for _ in range(_DEEPEST):
        for step, part in _parts_of(value):
            if id(part) in seen or type(part) in _ATOMS:
                continue
            seen.add(id(part))
            why = _failure(encoder, part)
            if why is not None:
                value, path, reason = part, path + step, why
                break
        else:
            break
    return path, value, reason


_DEEPEST = 20
_OF_PARTIALS = ("func", "args", "keywords")


def _parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    yield from _items_of(value)
    if isinstance(value, partial):  # which would get a dictionary if asked for it
        yield from ((f".{name}", getattr(value, name)) for name in _OF_PARTIALS)
        return
    if isinstance(value, type | ModuleType):
        return
    state = getattr(value, "__dict__", None)
    if isinstance(state, dict):
        for name, part in list(state.items()):
            yield f".{name}", part
    if isinstance(value, FunctionType):
        closure = value.__closure__ or ()
        for name, cell in zip(value.__code__.co_freevars, closure, strict=True):
            try:
                yield f".{name}", cell.cell_contents
            except ValueError:  # empty
                continue


def _items_of(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in list(value.items())[:1000]:
            yield f"[{key!r}]", part
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value[:1000]):
            yield f"[{i}]", part
