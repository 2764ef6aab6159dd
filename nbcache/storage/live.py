"""Objects that a process holds already: referred to by name and path, not stored."""

from __future__ import annotations

import datetime
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np

from nbcache.storage.codec_nodes import Array, Node, Unresolved, kind
from nbcache.storage.live_parts import PLAIN, Step, follow, parts

__all__ = ["LiveIndex", "Reach", "is_plain_value", "resolve"]

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
            self._follow(queue)
        return self._ids

    def _follow(self, queue: deque[object]) -> None:
        while queue and len(self._found) < MOST_PARTS:
            owner = queue.popleft()
            for step, part in self._parts(owner):
                self._enter(part, id(owner), step, queue)
        self.complete = self.complete and not queue

    def add(self, more: Mapping[str, object]) -> None:
        """Take in objects that exist by now."""
        self.ids()
        queue: deque[object] = deque()
        for name, value in more.items():
            self._enter(value, name, [], queue)
        self._follow(queue)

    def holds(self, value: object) -> bool:
        """Say whether a path leads to a value, also to a class, module or tuple."""
        self.ids()
        return id(value) in self._found

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
        cls = type(value)
        if cls in _CONTAINERS:
            if id(value) not in self._found:
                self._found[id(value)] = (value, owner, step)
                self._ids.add(id(value))
                queue.append(value)
            return
        if cls in PLAIN:
            return
        is_holder = isinstance(value, type | ModuleType)
        if is_holder:
            # of what containers hold, only a class of the notebook has no other name
            is_inside = type(owner) is int and step[0] not in ("t", "r")
            if is_inside and value.__dict__.get("__module__") != "__main__":
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
        if cls in _CONTAINERS:
            yield from parts(owner)
            return
        if self._reach is not None and isinstance(owner, type | FunctionType):
            # what those with a name read has names of its own
            if type(self._found[id(owner)][1]) is not str:
                yield from ((["r", k], v) for k, v in self._reach(owner).items())
            return
        if cls in (set, frozenset):
            if not PLAIN.issuperset(map(type, owner)):
                self._unnamed.update(_unnamed(owner))
            return
        yield from parts(owner)
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


_CONTAINERS = frozenset((list, dict))
_HEAP_TYPE = 1 << 9
_IDENTITY_HASH: Any = object.__hash__


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
                value = follow(value, step, where)
    except (LookupError, TypeError, StopIteration) as error:
        raise Unresolved(f"{name!r} is not what the entry refers to") from error
    return value


kind("live", lambda decoder, content: resolve(decoder.live, content, decoder.reach))
