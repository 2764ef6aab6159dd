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
import sys
from collections.abc import Iterator
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from nbcache.errors import DamagedEntry, UnstorableValue, UntrustedEntry
from nbcache.storage import functions
from nbcache.storage.codec_dtypes import spec_of
from nbcache.storage.codec_nodes import Array, Unresolved, kind

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["paths", "pickle_leaves"]

# smaller buffers stay in the stream
SMALL_BUFFER = 1 << 12

_ATOMS = frozenset(
    (type(None), bool, int, float, complex, str, bytes, type(...), tuple, frozenset)
)
# their pickles come back as something else, or not at all
_REFUSED = (memoryview, io.IOBase)
_ACCEPTED = (io.StringIO, io.BytesIO)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles the leaves of one tree.

    Attributes
    ----------
    absorbed : set of int
        Ids of objects that stand in the tree but must be pickled.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.stream = io.BytesIO()
        self.buffers: list[int] = []
        self.absorbed: set[int] = set()
        self._encoder = encoder
        self._modules: dict[int, str] = {}
        self._clean: set[int] = set()
        super().__init__(self.stream, 5, buffer_callback=self._take)

    def _take(self, buffer: pickle.PickleBuffer) -> bool:
        """Keep a large buffer outside the stream; True: leave it in."""
        try:
            data = buffer.raw()
        except BufferError:  # with gaps
            return True
        if data.nbytes < SMALL_BUFFER:
            return True
        self.buffers.append(self._encoder.members.number(np.frombuffer(data, np.uint8)))
        return False

    def persistent_id(self, value: Any) -> Any:
        """Give what the stream holds in place of a value; None: the value."""
        cls = type(value)
        if cls in _ATOMS:
            return None
        encoder = self._encoder
        node = encoder.found(value)
        if node is not None:
            return self._in_tree(value, encoder.current(node))
        if id(value) in encoder.live:
            return ("live", encoder.live.path(value))
        if cls is dict:
            name = self._modules.get(id(value))
            return None if name is None else ("globals", name)
        if cls is np.ndarray:
            return self._array(value)
        if isinstance(value, ModuleType) and sys.modules.get(value.__name__) is value:
            return ("module", value.__name__)
        if isinstance(value, type):
            digest = encoder.digest_of(value)
            if digest is not None:
                return ("class", encoder.class_number(value, digest))
        return None

    def _in_tree(self, value: Any, node: list[Any]) -> Any:
        if node[0] in ("pickle", "scope"):
            return None if node[0] == "pickle" else node
        owner = node[1] if node[0] == "vars" else node
        reached = self._reached(owner)
        if reached is None:
            self.absorbed.add(id(value))
            return None
        for each in reached:
            self._encoder.hoist(each)
        moved = self._encoder.hoist(owner)
        return ("vars" if owner is not node else "number", moved[2])

    def _reached(self, node: list[Any]) -> list[list[Any]] | None:
        """Give the nodes that a node refers to; None if one of them is pickled."""
        reached = []
        seen: set[int] = set()
        pending: list[Any] = [node]
        while pending:
            part = pending.pop()
            if type(part) is dict:
                pending.extend(part.values())
            if type(part) is not list:
                continue
            # the user's own lists may look like this too: then too much is moved
            if len(part) >= 2 and type(part[1]) is int:
                if part[0] == "pickle":
                    return None
                if part[0] == "=" and part[1] not in seen | self._clean:
                    target = self._encoder.numbered(part[1])
                    seen.add(part[1])
                    if target is not None:
                        reached.append(target)
                        pending.append(target)
                    continue
            pending.extend(part)
        self._clean |= seen
        return reached

    def _array(self, value: Array) -> Any:
        if value.dtype.hasobject:
            return None
        try:
            spec_of(value.dtype)
        except TypeError:
            return None
        node = self._encoder.node(value)
        self._encoder.aside(node)
        return ("number", node[2])

    def reducer_override(self, value: Any) -> Any:
        """Say how a value is pickled, where cloudpickle does not know it best."""
        cls = type(value)
        if cls is FunctionType:
            encoder = self._encoder
            reduced = functions.reduce_function(
                value, encoder.namespace, encoder.digest_of
            )
            if reduced is not None:
                name = value.__module__
                if value.__globals__ is not encoder.namespace:
                    self._modules[id(value.__globals__)] = name
                return reduced
        elif cls is functions.Cell:
            return functions.reduce_cell(value)
        elif cls is MethodType:
            reduced = functions.reduce_method(value)
            if reduced is not None:
                return reduced
        elif isinstance(value, _REFUSED) and not isinstance(value, _ACCEPTED):
            raise pickle.PicklingError(f"cannot pickle {cls.__name__!r} objects")
        return super().reducer_override(value)


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
    pickler = _Pickler(encoder)
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

# ---------------------------------------------------------------- where leaves are


def paths(nodes: list[Any]) -> Iterator[tuple[str, int]]:
    """Give path and number of each leaf, as the user would write it.

    Parameters
    ----------
    nodes : list of [name, node]
        The values of a tree.
    """
    for name, node in nodes:
        yield from _paths(node, name if type(name) is str else "?")


def _paths(node: Any, path: str) -> Iterator[tuple[str, int]]:
    if type(node) is not list or len(node) < 2:
        return
    name, content = node[0], node[1]
    if name == "pickle":
        yield path, content
    elif name in _PAIRS:
        yield from _dict_paths(content, path, _PAIRS[name])
    elif name == "defaultdict":
        yield from _paths(content[0], f"{path}.default_factory")
        yield from _dict_paths(content[1:], path, "[{!r}]")
    elif name == "object":
        yield from _object_paths(content, path)
    elif type(content) is list:
        for i, item in enumerate(content):
            inside = f"{path}[{i}]" if name in ("list", "tuple") else path
            if type(item) is list and item and type(item[0]) is list:
                item = ["list", item]
            yield from _paths(item, inside)


_PAIRS = {
    "dict": "[{!r}]",
    "OrderedDict": "[{!r}]",
    "Counter": "[{!r}]",
    "namespace": ".{}",
}


def _object_paths(content: list[Any], path: str) -> Iterator[tuple[str, int]]:
    _, state, slots = content
    if state and state[0] != "=":
        yield from _dict_paths(state, path, ".{}")
    for attribute, item in zip(slots[1::3], slots[2::3], strict=True):
        yield from _paths(item, f"{path}.{attribute}")


def _dict_paths(content: list[Any], path: str, form: str) -> Iterator[tuple[str, int]]:
    if len(content) == 1:
        keys, items = content[0]["keys"]
        keys = keys if type(keys) is list else [None] * len(items)
        pairs = zip(keys, items if type(items) is list else (), strict=False)
    else:
        pairs = zip(content[::2], content[1::2], strict=True)
    for key, item in pairs:
        label = "..." if isinstance(key, list | None) else key
        yield from _paths(key, path)
        yield from _paths(item, path + form.format(label))


def _culprit(encoder: Encoder, nodes: list[Any], error: Exception) -> UnstorableValue:
    """Find the part that cannot be pickled, by trying one at a time."""
    found = {number: path for path, number in paths(nodes)}
    for number, (value, _) in enumerate(encoder.leaves):
        reason = _failure(encoder, value)
        if reason is not None:
            path = found.get(number, "")
            path, value, reason = _innermost(encoder, value, path, reason)
            cls = type(value)
            return UnstorableValue(path, f"{cls.__module__}.{cls.__qualname__}", reason)
    return UnstorableValue("", type(error).__name__, str(error))


def _failure(encoder: Encoder, value: Any) -> str | None:
    try:
        _Pickler(encoder).dump(value)
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
            if id(part) in seen or type(part) in _ATOMS - {tuple, frozenset}:
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


def _parts_of(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in list(value.items())[:1000]:
            yield f"[{key!r}]", part
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value[:1000]):
            yield f"[{i}]", part
    state = getattr(value, "__dict__", None)
    if isinstance(state, dict) and not isinstance(value, type | ModuleType):
        for name, part in list(state.items()):
            yield f".{name}", part
    if isinstance(value, FunctionType):
        closure = value.__closure__ or ()
        for name, cell in zip(value.__code__.co_freevars, closure, strict=True):
            try:
                yield f".{name}", cell.cell_contents
            except ValueError:  # empty
                continue
