"""Objects that a process holds already: referred to by name and path, not stored."""

from __future__ import annotations

import datetime
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from nbcache.storage.codec_nodes import Array, Node, Unresolved, kind
from nbcache.storage.frames_arrays import shares_memory

__all__ = ["LiveIndex", "resolve"]

# parts beyond this many are not looked for
MOST_PARTS = 1_000_000

# whether two of them are one object never shows
_VALUES = (
    *(type(None), bool, int, float, complex, str, bytes, type(...)),
    *(type(NotImplemented), np.dtype, np.generic, np.ufunc, range, slice),
    *(type, ModuleType, BuiltinFunctionType, Enum),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
)
_MODULES_OF_VALUES = ("decimal", "fractions", "uuid", "pathlib")
_PLAIN = frozenset((type(None), bool, int, float, str, bytes))
_DICTS = (dict, OrderedDict, defaultdict)
# ["i", place] | ["k", key] | ["n", place in order] | ["a", attribute]
# | ["f", place in an array of objects] | ["b", block of a frame]
Step = list[Any]


class LiveIndex:
    """Live objects and their parts by identity.

    Parameters
    ----------
    live : mapping of str to object
        Objects that will exist under the same name when the tree is decoded.
    """

    def __init__(self, live: Mapping[str, object]) -> None:
        self._live = live
        # id -> (object, id of what holds it or name, step)
        self._found: dict[int, tuple[object, int | str, Step]] = {}
        self._ids: set[int] = set()
        self._arrays: list[Array] = []
        self._complete = not live

    def ids(self) -> set[int]:
        """Give the identities of live objects and parts, which are now looked for.

        Not those of tuples inside others: whether they are one object never shows.
        """
        if not self._complete:
            self._complete = True
            queue: deque[object] = deque()
            for name, value in self._live.items():
                self._enter(value, name, [], queue)
            while queue and len(self._found) < MOST_PARTS:
                owner = queue.popleft()
                for step, part in _parts(owner):
                    self._enter(part, id(owner), step, queue)
        return self._ids

    def _enter(
        self, value: object, owner: int | str, step: Step, queue: deque[object]
    ) -> None:
        if isinstance(value, _VALUES) or id(value) in self._found:
            return
        module = type(value).__module__
        if module.startswith("pandas._libs") or (  # NA, offsets
            module.partition(".")[0] in _MODULES_OF_VALUES
        ):
            return
        self._found[id(value)] = (value, owner, step)
        if not isinstance(value, tuple | frozenset) or (type(owner) is str and value):
            self._ids.add(id(value))
        if type(value) is np.ndarray and value.size:
            self._arrays.append(value)
        queue.append(value)

    def path(self, value: object) -> list[Any]:
        """Give name and steps that lead to a live object."""
        steps: list[Any] = []
        key: int | str = id(value)
        while isinstance(key, int):
            _, key, step = self._found[key]
            steps.append(step)
        return [key, *reversed(steps[:-1])]

    def node(self, value: object) -> Node:
        """Give the node of a live object."""
        return ["live", self.path(value)]

    def arrays(self) -> list[Array]:
        """Give the live arrays."""
        self.ids()
        return self._arrays


def _parts(owner: Any) -> Iterator[tuple[Step, object]]:
    """Give the objects that an object holds, with the step that leads to each."""
    cls = type(owner)
    if cls in (list, tuple, deque):
        if not _PLAIN.issuperset(map(type, owner)):
            yield from _numbered("i", owner)
    elif cls in _DICTS:
        if _PLAIN.issuperset(map(type, owner.values())):
            return
        for i, (key, part) in enumerate(owner.items()):
            plain = type(key) is str or (type(key) is int and abs(key) < 1 << 63)
            yield (["k", key] if plain else ["n", i]), part
    elif cls is np.ndarray:
        yield from _numbered("f", owner.flat if owner.dtype.kind == "O" else ())
    elif _is_frame(cls):
        yield from _numbered("b", _blocks(owner))
    elif cls is not FunctionType:
        yield from ((["a", name], part) for name, part in _attributes(owner).items())


def _numbered(step: str, parts: Iterable[object]) -> Iterator[tuple[Step, object]]:
    return (([step, i], part) for i, part in enumerate(parts))


def _is_frame(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("pandas", "polars", "pyarrow")


def _blocks(frame: Any) -> list[Any]:
    """Give the arrays of a frame whose memory others may share for good."""
    if type(frame).__module__.partition(".")[0] != "pandas" or not shares_memory():
        return []
    return [
        block.values for block in getattr(getattr(frame, "_mgr", None), "blocks", ())
    ]


def _attributes(owner: object) -> dict[str, object]:
    """Give what stands in an object's dictionary and slots, without running code."""
    try:
        found = dict(object.__getattribute__(owner, "__dict__"))
    except (AttributeError, TypeError):
        found = {}
    for cls in type(owner).__mro__:
        for name, member in vars(cls).items():
            if type(member) is _SlotType and "__slots__" in vars(cls):
                try:
                    found[name] = member.__get__(owner)
                except AttributeError:  # not set
                    continue
    return found


class _Slot:
    __slots__ = ("slot",)


_SlotType: Any = type(vars(_Slot)["slot"])


def resolve(live: Mapping[str, object], path: list[Any]) -> Any:
    """Give the live object at a path.

    Raises
    ------
    Unresolved
        If there is nothing at that place now.
    """
    name, *steps = path
    if name not in live:
        raise Unresolved(f"{name!r}, which the entry refers to, does not exist")
    value = live[name]
    try:
        for step, where in steps:
            value = _follow(value, step, where)
    except (LookupError, TypeError, StopIteration) as error:
        raise Unresolved(f"{name!r} is not what the entry refers to") from error
    return value


def _follow(value: Any, step: str, where: Any) -> Any:
    cls = type(value)
    if step == "i" and cls in (list, tuple, deque):
        return value[where]
    if step == "k" and cls in _DICTS:
        return value[where]
    if step == "n" and cls in _DICTS:
        return next(islice(value.values(), where, None))
    if step == "f" and cls is np.ndarray:
        return value.flat[where]
    if step == "b":
        return _blocks(value)[where]
    if step == "a":
        return _attributes(value)[where]
    raise TypeError(f"no step {step!r} into {cls.__name__}")


kind("live", lambda decoder, content: resolve(decoder.live, content))
