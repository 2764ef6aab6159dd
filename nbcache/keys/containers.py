"""The part of a walk that writes plain containers and knows what it has met.

What is met twice: a mutable object is written once and then referred to, so `[a, a]`
is not `[a, copy(a)]`.  Immutable objects are written by value each time, or as a digest
of their own where sharing would make that exponential.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from nbcache.keys import plain
from nbcache.keys.identity import Numbers
from nbcache.keys.registry import Handler, Sink, mark

__all__ = ["ContainerWalk", "ImpureValue", "step_into"]


class ImpureValue(BaseException):
    """Something mutable was met where only immutable values are asked for.

    No `Exception`: handlers that catch those must not stop it.
    """


def step_into(path: str, key: Any) -> str:
    """Give the path of the value under a key of a dict."""
    if type(key) not in plain.ATOMS:
        return f"{path}[<{type(key).__name__}>]"
    text = repr(key[:40] if isinstance(key, str | bytes) else key)
    return f"{path}[{text[:60]}]"


class ContainerWalk(ABC):
    """Writes lists, tuples and dicts; `put` and `put_nested` are the whole walk's."""

    def __init__(self, atoms: frozenset[type], containers: frozenset[type]) -> None:
        # types with a user's hash are missing from these
        self._atoms, self._containers = atoms, containers
        self._numbers = Numbers()
        self._references = 0
        self._walked = self._wasted = 0
        self._is_pure = False
        self._held: list[Any] = []
        self._tuple_sizes: dict[int, int] = {}

    @abstractmethod
    def put(self, sink: Sink, value: Any, path: str) -> None:
        """Feed one value into a running digest."""

    @abstractmethod
    def put_nested(self, sink: Sink, value: Any, handler: Handler, path: str) -> None:
        """Write an immutable holder of others as a digest."""

    def put_container(self, sink: Sink, value: Any, path: str) -> None:
        """Write a list, tuple or dict."""
        kind = type(value)
        if kind is tuple:
            self._put_tuple(sink, value, path)
            return
        if self.seen(sink, value):
            return
        self.number(value)
        if self._put_tree(sink, value):
            return
        if kind is list:
            plain.put_head(sink, list, len(value))
            self._put_each(sink, value, lambda index: f"{path}[{index}]")
        else:
            self._put_pairs(sink, value, lambda key: step_into(path, key))

    # --- identity

    def seen(self, sink: Sink, value: Any) -> bool:
        """Write a reference if a mutable value was met before."""
        if value not in self._numbers:
            return False
        self._references += 1
        mark(sink, "back")
        sink.update(plain.dumps(self._numbers.place(value)))
        return True

    def number(self, value: Any) -> None:
        """Give the next number to a mutable value."""
        if self._is_pure:
            raise ImpureValue
        self._numbers.add(value)

    def place(self, value: Any) -> tuple[int, int]:
        """Digest and position in it at which a mutable value was first met."""
        self._references += 1
        return self._numbers.place(value)

    def note(self, value: Any) -> None:
        """Give a number to a part of the value being walked, writing nothing."""
        if not self._is_pure and value not in self._numbers:
            self._numbers.add(value)

    def keep(self, value: Any) -> None:
        """Hold a temporary until the walk ends, so that its id is not used again."""
        self._held.append(value)

    # --- plain containers

    def _put_tree(self, sink: Sink, root: Any, skip: int = 0) -> bool:
        """Write a container in one call if all of it is plain and new."""
        if type(root) is not dict:
            kinds = set(map(type, root))
            if kinds <= self._atoms and bytes not in kinds:
                sink.update(memoryview(plain.dumps(root))[skip:])
                return True
        if self._wasted > 4 * self._walked + 1000:
            return False  # too many trees turned out not to be plain
        found = plain.survey(root, self._atoms, self._containers)
        if found.plain and found.mutable and self._is_pure:
            raise ImpureValue
        if found.plain and self._numbers.add_tree(root, found.mutable):
            sink.update(memoryview(plain.dumps(root))[skip:])
            return True
        self._wasted += found.visited
        return False

    def _put_each(self, sink: Sink, items: Any, name: Callable[[int], str]) -> None:
        atoms: list[Any] = []
        for index, item in enumerate(items):
            if type(item) in self._atoms:
                atoms.append(item)
                continue
            if atoms:
                plain.put_atoms(sink, atoms)
                atoms = []
            self._walked += 1
            self.put(sink, item, name(index))
        if atoms:
            plain.put_atoms(sink, atoms)

    def _put_pairs(
        self, sink: Sink, pairs: Mapping[Any, Any], name: Callable[[Any], str]
    ) -> None:
        flat = list(chain.from_iterable(pairs.items()))
        sink.update(b"{")
        # a key and the value after it go by the same name
        self._put_each(sink, flat, lambda index: name(flat[index - index % 2]))
        sink.update(b"0")

    def put_items(self, sink: Sink, items: list[Any], path: str) -> None:
        """Feed values one after the other, with their number but no identity."""
        mark(sink, "items", len(items))
        if not self._put_tree(sink, items, skip=5):
            self._put_each(sink, items, lambda index: f"{path}[{index}]")

    def put_pairs(self, sink: Sink, pairs: Mapping[Any, Any], path: str) -> None:
        """Feed the keys and values of a dict, but no identity of its own."""
        self._put_pairs(sink, pairs, lambda key: step_into(path, key))

    def put_attributes(self, sink: Sink, state: dict[str, Any], path: str) -> None:
        """Feed a dict, naming its values as attributes of `path`."""
        if type(state) not in self._containers:
            self.put(sink, state, path)
        elif not self.seen(sink, state):
            self.number(state)
            if not self._put_tree(sink, state):
                self._put_pairs(sink, state, lambda key: f"{path}.{key}")

    def put_named(self, sink: Sink, named: dict[str, Any], path: str) -> None:
        """Feed names and values, the values as attributes of `path`."""
        self._put_pairs(sink, named, lambda key: f"{path}.{key}")

    def _put_tuple(self, sink: Sink, value: tuple[Any, ...], path: str) -> None:
        if self._expanded(value) > plain.LARGE_TUPLE:
            self.put_nested(sink, value, ContainerWalk._put_tuple_items, path)
        elif not self._put_tree(sink, value):
            plain.put_head(sink, tuple, len(value))
            self._put_each(sink, value, lambda index: f"{path}[{index}]")

    def _put_tuple_items(self, sink: Sink, value: tuple[Any, ...], path: str) -> None:
        mark(sink, "large tuple")
        self.put_items(sink, list(value), path)

    def _expanded(self, value: tuple[Any, ...]) -> int:
        """Nodes of a tree of tuples, shared ones counted each time."""
        nodes = 1 + len(value)
        if nodes > plain.LARGE_TUPLE or tuple not in set(map(type, value)):
            return nodes
        sizes = self._tuple_sizes
        if id(value) not in sizes:
            inner = (item for item in value if type(item) is tuple)
            sizes[id(value)] = nodes + sum(self._expanded(item) - 1 for item in inner)
            self.keep(value)
        return sizes[id(value)]
