"""Objects that a process holds already: referred to by name and path, not stored."""

from __future__ import annotations

import datetime
import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from nbcache.storage.codec_nodes import Array, Node, Unresolved, kind
from nbcache.storage.frames_arrays import shares_memory

__all__ = ["LiveIndex", "Reach", "attributes", "blocks", "is_plain_value", "resolve"]

# what a function or class of the user's reads, by label; told by who knows code
Reach = Callable[[Any], Mapping[str, object]]

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
_DICTS = (dict, OrderedDict, defaultdict, Counter)
# ["i", place] | ["k", key] | ["n", place in order] | ["q", place of a key in order]
# | ["a", attribute] | ["f", place in an array of objects] | ["b", block of a frame]
# | ["v", 0] the array under one of a subclass | ["t", 0] the class of an instance
# | ["r", label] what a function or class reads
Step = list[Any]


class LiveIndex:
    """Live objects and their parts by identity, as they are when they are looked for.

    Parameters
    ----------
    live : mapping of str to object
        Objects that will exist under the same name when the tree is decoded.
    reach : callable (function or class) -> mapping of str to object, optional
        Gives what functions and classes of the user's among the parts read.

    Attributes
    ----------
    complete : bool
        Whether all parts were found; there is a limit to their number.
    """

    def __init__(self, live: Mapping[str, object], reach: Reach | None = None) -> None:
        self._live = live
        self._reach = reach
        # id -> (object, id of what holds it or name, step)
        self._found: dict[int, tuple[object, int | str, Step]] = {}
        self._ids: set[int] = set()
        self._arrays: list[Array] = []
        self._unnamed: dict[int, object] = {}
        self._looked = not live
        self.complete = True

    def ids(self) -> set[int]:
        """Give the identities of live objects and parts, which are now looked for.

        Not those of tuples inside others: whether they are one object never shows.
        """
        if not self._looked:
            self._looked = True
            queue: deque[object] = deque()
            for name, value in self._live.items():
                self._enter(value, name, [], queue)
            while queue and len(self._found) < MOST_PARTS:
                owner = queue.popleft()
                for step, part in self._parts(owner):
                    self._enter(part, id(owner), step, queue)
            self.complete = not queue
        return self._ids

    def add(self, more: Mapping[str, object]) -> None:
        """Take in objects, without their parts, that exist by now."""
        self.ids()
        for name, value in more.items():
            self._enter(value, name, [], deque())

    def objects(self) -> list[object]:
        """Give all live objects and parts that were found."""
        self.ids()
        return [value for value, _, _ in self._found.values()]

    def unnamed(self) -> dict[int, object]:
        """Give live objects to which no path leads, by identity: members of sets."""
        self.ids()
        return self._unnamed

    def _enter(
        self, value: object, owner: int | str, step: Step, queue: deque[object]
    ) -> None:
        is_holder = isinstance(value, type | ModuleType)
        if is_holder:
            if type(owner) is int and step[0] not in ("t", "r"):
                return
        elif is_plain_value(value):
            return
        if id(value) in self._found:
            return
        self._found[id(value)] = (value, owner, step)
        if not is_holder and (
            not isinstance(value, tuple | frozenset) or (type(owner) is str and value)
        ):
            self._ids.add(id(value))
        if type(value) is np.ndarray and value.size:
            self._arrays.append(value)
        queue.append(value)

    def _parts(self, owner: Any) -> Iterator[tuple[Step, object]]:
        cls = type(owner)
        if self._reach is not None and isinstance(owner, type | FunctionType):
            # what those with a name read has names of its own
            if type(self._found[id(owner)][1]) is not str:
                yield from ((["r", k], v) for k, v in self._reach(owner).items())
            return
        if cls in (set, frozenset):
            if not _PLAIN.issuperset(map(type, owner)):
                self._unnamed.update(_unnamed(owner))
            return
        yield from _parts(owner)
        if self._reach is not None and cls.__flags__ & _HEAP_TYPE:
            yield ["t", 0], cls

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


def _unnamed(members: Iterable[Any]) -> dict[int, object]:
    """Give the members of a set that are told apart by identity."""
    return {
        id(member): member
        for member in members
        if getattr(type(member), "__hash__", None) is _IDENTITY_HASH
        and not is_plain_value(member)
    }


def is_plain_value(value: object) -> bool:
    """Say whether it never shows which of several equal objects a value is."""
    if isinstance(value, _VALUES):
        return True
    module = type(value).__module__
    return module.startswith("pandas._libs") or (  # NA, offsets
        module.partition(".")[0] in _MODULES_OF_VALUES
    )


_HEAP_TYPE = 1 << 9
_IDENTITY_HASH: Any = object.__hash__


def _parts(owner: Any) -> Iterator[tuple[Step, object]]:
    """Give the objects that an object holds, with the step that leads to each."""
    cls = type(owner)
    if cls in (list, deque) or isinstance(owner, tuple):
        if not _PLAIN.issuperset(map(type, owner)):
            yield from _numbered("i", owner)
    elif cls in _DICTS:
        yield from _dict_parts(owner)
    elif isinstance(owner, np.ndarray):
        yield from _array_parts(owner)
    elif _is_frame(cls):
        yield from _frame_parts(owner)
    elif cls is not FunctionType and not isinstance(owner, type | ModuleType):
        yield from ((["a", name], part) for name, part in attributes(owner).items())


def _dict_parts(owner: dict[Any, Any]) -> Iterator[tuple[Step, object]]:
    if not _PLAIN.issuperset(map(type, owner)):
        yield from _numbered("q", owner)
    if type(owner) is defaultdict:
        yield ["a", "default_factory"], owner.default_factory
    if _PLAIN.issuperset(map(type, owner.values())):
        return
    for i, (key, part) in enumerate(owner.items()):
        plain = type(key) is str or (type(key) is int and abs(key) < 1 << 63)
        yield (["k", key] if plain else ["n", i]), part


def _array_parts(owner: Any) -> Iterator[tuple[Step, object]]:
    if type(owner) is np.ndarray:
        yield from _numbered("f", owner.flat if owner.dtype.kind == "O" else ())
        return
    yield ["v", 0], owner.view(np.ndarray)
    yield from ((["a", name], part) for name, part in attributes(owner).items())


def _numbered(step: str, parts: Iterable[object]) -> Iterator[tuple[Step, object]]:
    return (([step, i], part) for i, part in enumerate(parts))


def _is_frame(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("pandas", "polars", "pyarrow")


def blocks(frame: Any) -> list[Any]:
    """Give the blocks of a series or frame of pandas."""
    return list(getattr(getattr(frame, "_mgr", None), "blocks", ()))


def _frame_parts(frame: Any) -> Iterator[tuple[Step, object]]:
    """Give labels, and the arrays whose memory others may share for good."""
    if type(frame).__module__.partition(".")[0] != "pandas":
        return
    found = blocks(frame)
    if found:
        yield from ((["x", i], axis) for i, axis in enumerate(frame.axes))
        if shares_memory():
            for i, one in enumerate(found):
                yield ["b", _spot(i, one)], one.values


def _spot(number: int, block: Any) -> list[int]:
    """Give number and columns of a block: equal frames may have others."""
    return [number, zlib.crc32(block.mgr_locs.as_array.tobytes())]


# read-only names of what some standard types hold
_INNER = {
    "method": ("__self__", "__func__"),
    "partial": ("func", "args", "keywords"),
    "Generator": ("bit_generator",),
    "RandomState": ("_bit_generator",),
    **dict.fromkeys(
        ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"), ("seed_seq",)
    ),
}


def attributes(owner: object) -> dict[str, object]:
    """Give what stands in an object's dictionary and slots, without running code."""
    cls = type(owner)
    if cls.__module__.partition(".")[0] in ("builtins", "functools", "numpy"):
        names = _INNER.get(cls.__name__, ())
        if names:
            return {name: getattr(owner, name) for name in names}
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


def resolve(
    live: Mapping[str, object], path: list[Any], reach: Reach | None = None
) -> Any:
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
            if step == "r" and reach and isinstance(value, type | FunctionType):
                value = reach(value)[where]
            else:
                value = _follow(value, step, where)
    except (LookupError, TypeError, StopIteration) as error:
        raise Unresolved(f"{name!r} is not what the entry refers to") from error
    return value


def _follow(value: Any, step: str, where: Any) -> Any:
    cls = type(value)
    if step == "i" and (cls in (list, deque) or isinstance(value, tuple)):
        return value[where]
    if cls in _DICTS and step in _IN_DICTS:
        return _IN_DICTS[step](value, where)
    if isinstance(value, np.ndarray) and step in ("f", "v"):
        return value.flat[where] if step == "f" else value.view(np.ndarray)
    if step == "x" and _is_frame(cls):
        return value.axes[where]
    if step == "b" and shares_memory():
        block = blocks(value)[where[0]]
        if _spot(where[0], block) != where:
            raise LookupError("a frame that is laid out anew")
        return block.values
    if step == "a":
        return attributes(value)[where]
    if step == "t":
        return cls
    raise TypeError(f"no step {step!r} into {cls.__name__}")


_IN_DICTS: dict[str, Callable[[Any, Any], Any]] = {
    # not `value[where]`, which makes an item of a defaultdict
    "k": lambda value, key: dict.__getitem__(value, key) if key in value else _no(key),
    "n": lambda value, place: next(islice(value.values(), place, None)),
    "q": lambda value, place: next(islice(value, place, None)),
    "a": lambda value, name: getattr(value, name),
}


def _no(key: Any) -> Any:
    raise LookupError(key)


kind("live", lambda decoder, content: resolve(decoder.live, content, decoder.reach))
