"""Values to a tree: the walk, with shared and cyclic references."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.errors import UnstorableValue
from nbcache.scripts import module_of
from nbcache.storage.codec_arrays import FEWEST_IN_STACK, ArrayPlaces, Members
from nbcache.storage.codec_nodes import (
    Array,
    Node,
    Write,
    encoders,
    finders,
    named_encoders,
)
from nbcache.storage.codec_sequences import packed
from nbcache.storage.codec_types import pairs
from nbcache.storage.live import LiveIndex

if TYPE_CHECKING:
    from nbcache.storage.codec import ClassRule

__all__ = ["Encoder"]

# each level takes four Python frames, in reading too; what is deeper is pickled, which
# takes no frames when it is read
DEEPEST = 100
# longer text stands outside the tree
LONGEST_TEXT = 512
_LARGEST = 1 << 63
_ALWAYS_ATOMS = (type(None), bool)


class Encoder:
    """One walk over some values.

    Parameters
    ----------
    live : LiveIndex
        Objects that are referred to, not stored.
    classes : ClassRule, optional
        Says which classes are the user's.
    namespace : dict, optional
        Globals of the functions that are stored by code.
    pickled : set of int
        Ids of objects that must be pickled though they need not: pickled ones that
        they contain refer to them.
    """

    longest_text = LONGEST_TEXT

    def __init__(
        self,
        live: LiveIndex,
        classes: ClassRule | None,
        namespace: dict[str, Any] | None,
        pickled: set[int],
    ) -> None:
        self.live = live
        self._live: set[int] | None = None
        self.rule = classes
        self.namespace = namespace
        self.pickled = pickled
        self.classes: dict[tuple[str, str, str], int] = {}
        self.leaves: list[tuple[object, Node]] = []
        # nodes that do not stand in the tree, by number
        self.extra: dict[int, list[Any]] = {}
        self.arrays = ArrayPlaces()
        self.members = Members()
        self._nodes: dict[int, list[Any]] = {}
        self._writers: dict[type, Write] = {}
        # ids are good for as long as the objects live, temporary ones too
        self._kept: list[object] = []
        self._open: set[int] = set()
        self._hashing = 0
        self._digests: dict[type, str | None] = {}
        if namespace is not None:
            self.begin(namespace, "scope")
        self._numbers: list[list[Any]] = []
        self._depth = 0

    # ------------------------------------------------------------ the walk

    def node(self, value: Any) -> Node:
        """Give the node of a value."""
        kind = type(value)
        if kind is str:
            if len(value) < LONGEST_TEXT and value.isascii():
                return value
        elif kind is int:
            if -_LARGEST <= value < _LARGEST:
                return value
        elif kind is float:
            if value - value == 0:  # finite
                return value
        elif kind in _ALWAYS_ATOMS:
            return value
        known = self.known(value)
        if known is not None:
            return known
        write = encoders.get(kind) or self._writers.get(kind) or self._find(kind)
        self._depth += 1
        if self._depth > DEEPEST:
            write = Encoder.leaf
        node = write(self, value)
        self._depth -= 1
        return node

    def known(self, value: Any) -> Node | None:
        """Give the node of a value that was met before, is live or must be pickled."""
        key = id(value)
        node = self._nodes.get(key)
        if node is None:
            if self._live is None:
                self._live = self.live.ids()
            if key in self._live:
                return self.live.node(value)
            if key in self.live.unnamed():
                reason = "is a member of a set that is an input, which no path leads to"
                raise UnstorableValue("", _name(type(value)), reason)
            return self.leaf(value) if key in self.pickled else None
        if self._hashing:
            if type(value) in (tuple, frozenset):
                return None
            if key in self._open:
                raise UnstorableValue(
                    "", _name(type(value)), "is a key of something that it holds"
                )
        if node[0] == "vars":
            return ["vars", self.reference(node[1])]
        return [*node] if node[0] == "scope" else self.reference(node)

    def begin(self, value: Any, kind: str, content: Any = None) -> list[Any]:
        """Give a new node for a value, which from now on is known."""
        node = [kind, content]
        self._nodes[id(value)] = node
        self._kept.append(value)
        return node

    def reference(self, node: list[Any]) -> Node:
        """Give a node that refers to another, which gets a number."""
        if node[0] == "=":
            return ["=", node[1]]
        if len(node) == 2:
            node.append(len(self._numbers))
            self._numbers.append(node)
        return ["=", node[2]]

    def current(self, node: list[Any]) -> list[Any]:
        """Give the node itself, also after it was moved."""
        return self._numbers[node[1]] if node[0] == "=" else node

    def numbered(self, number: int) -> list[Any] | None:
        """Give the node with a number, if there is one."""
        return self._numbers[number] if 0 <= number < len(self._numbers) else None

    def hoist(self, node: list[Any]) -> list[Any]:
        """Move a node out of the tree, so that it can be read before its place comes.

        What it refers to must move along.
        """
        reference = self.reference(node)
        number = reference[1]
        if number not in self.extra:
            moved = list(node)
            self._numbers[number] = self.extra[number] = moved
            node[:] = reference
        return self.extra[number]

    def aside(self, node: list[Any]) -> Node:
        """Put a new node outside the tree; give a reference to it."""
        reference = self.reference(node)
        self.extra[node[2]] = node
        return reference

    def found(self, value: Any) -> list[Any] | None:
        """Give the node of a value that was met before."""
        return self._nodes.get(id(value))

    def keep(self, value: Any) -> Any:
        """Keep a temporary object, so that no other gets its id."""
        self._kept.append(value)
        return value

    def frozen(self, value: Any, kind: str, items: Any, *head: Node) -> Node:
        """Give the node of a value that can only be made after its items.

        Where a cycle leads through it, its items hold it already: then they are made
        first and it is taken from there, as pickle does it.
        """
        new: list[Any] = [kind, [*head, None]] if head else [kind, None]
        if kind == "frozenset":
            self._hashing += 1
        self.items(items, *((new[1], len(head)) if head else (new, 1)))
        if kind == "frozenset":
            self._hashing -= 1
        elif self._hashing:  # equal keys are equal, shared or not
            return new
        node = self._nodes.get(id(value))
        if node is not None:
            return ["seq", [new, self.reference(node)]]
        self._nodes[id(value)] = new
        self._kept.append(value)
        return new

    def attributes(self, state: dict[str, Any], owner: list[Any]) -> Any:
        """Give the content for the dictionary of an instance with node `owner`."""
        known = self._nodes.get(id(state))
        if known is not None:
            return self.reference(known)
        self.begin(state, "vars", owner)
        content: list[Any] = []
        pairs(self, state, content)
        return content

    @contextmanager
    def filling(self, value: Any) -> Iterator[None]:
        """While its attributes are written, a value can be no part of a key."""
        self._open.add(id(value))
        yield
        self._open.discard(id(value))

    def digest_of(self, cls: type) -> str | None:
        """Give the digest of a class's code if it is the user's."""
        if cls not in self._digests:
            rule = self.rule
            self._digests[cls] = None if rule is None else rule.digest_of(cls)
        return self._digests[cls]

    def guarded(self, value: Any, kind: str, write: Any) -> Node:
        """Give the node of a value that is made from what ``write()`` gives.

        Raises
        ------
        UnstorableValue
            If that leads back to the value.
        """
        key = id(value)
        if key in self._open:
            raise UnstorableValue("", _name(type(value)), "contains itself")
        self._open.add(key)
        content = write()
        self._open.discard(key)
        return self.begin(value, kind, content)

    def key(self, value: Any) -> Node:
        """Give the node of a value that will be hashed when it is read."""
        if type(value) is str:
            return self.node(value)
        self._hashing += 1
        node = self.node(value)
        self._hashing -= 1
        return node

    def keys(self, values: list[Any], parent: list[Any], place: int) -> None:
        """Put the contents of a sequence of keys at ``parent[place]``."""
        self._hashing += 1
        self.items(values, parent, place)
        self._hashing -= 1

    def items(self, values: Any, parent: list[Any], place: int) -> None:
        """Put the contents of a sequence at ``parent[place]``."""
        content = packed(self, values)
        if content is not None:
            parent[place] = content
            return
        if len(values) < FEWEST_IN_STACK or type(values[0]) is not np.ndarray:
            parent[place] = [self.node(value) for value in values]
            return
        if not self._many_arrays(values, parent, place):
            parent[place] = [self.node(value) for value in values]
            self.arrays.may_stack(parent, place)

    def _many_arrays(self, values: Any, parent: list[Any], place: int) -> bool:
        """Write plain arrays never met before, many times as fast; False: they are not.

        Ten thousand small arrays are a usual result.
        """
        ids = list(map(id, values))
        unknown = (
            set(map(type, values)) == {np.ndarray}
            and len(set(ids)) == len(ids)
            and self._nodes.keys().isdisjoint(ids)
            and self.pickled.isdisjoint(ids)
            and self.live.ids().isdisjoint(ids)
        )
        specs = self.arrays.plain_specs(values) if unknown else None
        if specs is None:
            return False
        nodes: list[Node] = [["a", None] for _ in ids]
        arrays = list(values)
        if not self.arrays.add_many(arrays, nodes, specs, (parent, place)):
            return False
        self._nodes.update(zip(ids, nodes, strict=True))
        self._kept.append(arrays)
        parent[place] = nodes
        return True

    # ------------------------------------------------------------ other nodes

    def leaf(self, value: Any) -> Node:
        """Give the node of a value that only pickle keeps."""
        node = self.begin(value, "pickle", len(self.leaves))
        self.leaves.append((value, node))
        return node

    def alone(self, array: Array, *, lends: bool = False) -> Node:
        """Give the node of an array whose memory nobody else is to share again.

        But for read-only views of it, where it lends them.
        """
        write = encoders[np.ndarray]
        node = write(self, array.view())
        if type(node) is list:
            self.arrays.alone(node, lends=lends)
        return node

    def blob(self, array: Array) -> Any:
        """Give the place of data that is ours, not the user's."""
        return self.members.blob(array)

    def class_number(self, cls: type, digest: str) -> int:
        """Give the place of a user's class in the table of classes."""
        key = (str(module_of(cls)), cls.__qualname__, digest)
        return self.classes.setdefault(key, len(self.classes))

    def _find(self, kind: type) -> Write:
        """Give how instances of a class without an entry in the table are written."""
        write = named_encoders.get((kind.__module__.partition(".")[0], kind.__name__))
        if write is None:
            found = (find(self, kind) for find in finders)
            write = next(filter(None, found), Encoder.leaf)
        self._writers[kind] = write
        return write


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
