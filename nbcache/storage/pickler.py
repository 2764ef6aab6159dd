"""The pickler of leaves; a module of its own, as cloudpickle takes 5 ms to import."""

from __future__ import annotations

import io
import pickle
import sys
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np

from nbcache.scripts import MAIN, module_of, plain_name
from nbcache.storage import functions
from nbcache.storage.codec_dtypes import spec_of
from nbcache.storage.finished import reduce_finished

if TYPE_CHECKING:
    from nbcache.storage.codec_encode import Encoder
    from nbcache.storage.codec_nodes import Array

__all__ = ["ATOMS", "LeafPickler"]

# smaller buffers stay in the stream
SMALL_BUFFER = 1 << 12

ATOMS = frozenset(
    (type(None), bool, int, float, complex, str, bytes, type(...), tuple, frozenset)
)
# their pickles come back as something else, or not at all
_REFUSED = (memoryview, io.IOBase)
_ACCEPTED = (io.StringIO, io.BytesIO)


class LeafPickler(cloudpickle.Pickler):  # type: ignore[misc]
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
        if cls in ATOMS:
            return None
        encoder = self._encoder
        node = encoder.found(value)
        if node is not None:
            return self._in_tree(value, encoder.current(node))
        if id(value) in encoder.live.ids():
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
            if encoder.live.holds(value):
                return ("live", encoder.live.path(value))
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
        left = reduce_finished(value)
        if left is not None:
            return left
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
        elif (
            (isinstance(value, _REFUSED) and not isinstance(value, _ACCEPTED))
            or _has_slots(value)
            or (cls not in self.dispatch_table and _is_named(value))
        ):
            raise pickle.PicklingError(f"cannot pickle {cls.__name__!r} objects")
        reduced = super().reducer_override(value)
        return _new_class(value, reduced) if isinstance(value, type) else reduced


def _new_class(value: type, reduced: Any) -> Any:
    """Have cloudpickle make a class anew, as running its code does.

    It would look for one that this process made from the same class, and forget that
    instances have no dictionary, and attributes that a base has too.
    """
    if reduced is NotImplemented or reduced[0] is not _make_skeleton_class:
        return reduced
    kind, name, bases, body, _, extra = reduced[1]
    if vars(value).get("__slots__") == ():
        body = {**body, "__slots__": ()}
    (state, slots), *rest = reduced[2:]
    again = {
        label: held
        for label, held in vars(value).items()
        if not (label.startswith("__") and label.endswith("__"))
        and any(vars(base).get(label, state) is held for base in value.__mro__[1:])
    }
    made = (kind, name, bases, body, None, extra)
    return reduced[0], made, ({**again, **state}, slots), *rest


_make_skeleton_class = getattr(cloudpickle.cloudpickle, "_make_skeleton_class", None)


def _has_slots(value: Any) -> bool:
    """Say whether it is a class that cloudpickle would make without its slots."""
    if not isinstance(value, type) or module_of(value) != MAIN:
        return False
    return bool(vars(value).get("__slots__"))


def _is_named(value: Any) -> bool:
    """Say whether pickle would find an object again by a name of the notebook.

    By then the name may stand for something else.
    """
    # asking for the dictionary of a partial gives it one, which shows
    if isinstance(value, type | partial):
        return False
    home = getattr(value, "__dict__", {}).get("__module__")
    return plain_name(str(home)) == MAIN and isinstance(value.__reduce_ex__(5), str)
