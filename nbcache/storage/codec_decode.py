"""Trees to values; whatever a tree holds, it runs nobody's code but ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.storage.codec_dtypes import Layout, layout
from nbcache.storage.codec_nodes import INTERNAL, Array, Node, Unresolved, decoders
from nbcache.storage.codec_sequences import unpacked
from nbcache.storage.foreign import data_kinds

if TYPE_CHECKING:
    from nbcache.storage.codec import ClassRule
    from nbcache.storage.live import Reach

__all__ = ["Decoder"]

# going through items that take no space would not end
_MOST_EMPTY = 1000
# more keys stand in the tree only if someone wants them to
_FEW_KEYS, _MOST_ALIKE = 1000, 100
_PLAIN = frozenset((type(None), bool, int, float, str))


def _require_spread(keys: list[Any]) -> None:
    """Refuse keys that were chosen so that they hash alike: they take hours to enter.

    Raises
    ------
    DamagedEntry
        They were.
    """
    hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
    _, counts = np.unique(hashes, return_counts=True)
    if counts.max() > _MOST_ALIKE:
        raise DamagedEntry("the keys of the entry's tree collide")


class Decoder:
    """One reading of a tree.

    Parameters
    ----------
    tree : dict
        As an `Encoder` made it, or as an attacker did.
    read : callable (name) -> ndarray
        Gives a member.
    live, classes, namespace
        As for the encoder.
    trusted : bool
        Whether pickled parts may be loaded and modules imported.
    most_bytes : int, optional
        Given for what this user did not sign: only data is decoded, out of arrays of so
        many bytes in all, however often the tree refers to them.
    """

    def __init__(
        self,
        tree: dict[str, Any],
        read: Callable[[str], Array],
        live: Mapping[str, object],
        classes: ClassRule | None,
        namespace: dict[str, Any] | None,
        trusted: bool,
        most_bytes: int | None = None,
    ) -> None:
        self.tree = tree
        self._kinds = decoders if most_bytes is None else data_kinds()
        self._room = most_bytes
        self.live: Mapping[str, object] = live
        self.reach: Reach | None = None
        self.rule = classes
        self.namespace = namespace
        self.trusted: bool = trusted
        self.object_groups: dict[int, Array] = {}
        self.leaves: list[Any] | None = None
        self.read_error: OSError | None = None
        self._read = read
        self._small: memoryview | None = None
        self._numbered: dict[int, Any] = {}
        self._extra = {node[2]: node for node in tree.get("extra", ())}
        self._classes: dict[int, type] = {}
        self._hashing = 0

    def value(self, node: Node) -> Any:
        """Give the value of a node."""
        if type(node) is not list:
            if type(node) in _PLAIN:
                return node
            raise DamagedEntry("the entry's tree holds what is no node")
        if len(node) == 3:
            return self._numbered_value(node)
        name, content = node
        kind = self._kinds[name]
        value = kind.make(self, content)
        if kind.fill is not None:
            kind.fill(self, value, content)
        return value

    def _numbered_value(self, node: list[Any]) -> Any:
        name, content, number = node
        if number in self._numbered:  # something before referred to it
            return self._numbered[number]
        kind = self._kinds[name]
        value = kind.make(self, content)
        if kind.fill is None:
            # a cycle made it already
            return self._numbered.setdefault(number, value)
        self._numbered[number] = value
        kind.fill(self, value, content)
        return value

    def numbered(self, number: int) -> Any:
        """Give the value of the node with a number."""
        if number not in self._numbered:
            self._numbered_value(self._extra[number])
        value = self._numbered[number]
        if self._hashing and type(value) in (tuple, frozenset):
            # hashing nested shared tuples takes exponential time
            raise DamagedEntry("a key of the entry's tree refers to another")
        return value

    def key(self, node: Node) -> Any:
        """Give the value of a node that will be hashed."""
        if type(node) is str:
            return node
        self._hashing += 1
        value = self.value(node)
        self._hashing -= 1
        return value

    def keys(self, content: Any) -> list[Any]:
        """Give the items of a sequence that will be hashed."""
        self._hashing += 1
        values = unpacked(self, content)
        self._hashing -= 1
        if not self.trusted and len(values) > _FEW_KEYS:
            _require_spread(values)
        return values

    # ------------------------------------------------------------ data

    def member(self, name: str | int) -> Array:
        """Give a member by name, or by number."""
        try:
            array = self._read(name if type(name) is str else f"{INTERNAL}{name:d}")
        except OSError as error:
            self.read_error = error
            raise
        if type(array) is not np.ndarray or array.dtype.hasobject:
            raise DamagedEntry(f"member {name!r} is no plain array")
        self._take(array.nbytes)
        return array

    def _take(self, nbytes: int) -> None:
        """Keep count of what a foreign tree makes out of its file."""
        if self._room is not None:
            self._room -= nbytes
            if self._room < 0:
                raise DamagedEntry("the entry's tree takes too much memory")

    def blob(self, content: Any) -> Array:
        """Give data that is ours, not the user's."""
        if type(content) is list:
            start, spec, shape = content
            array = self.small(start, layout(spec, shape))
        else:
            array = self.member(content)
        if array.nbytes == 0 and array.shape[:1] > (_MOST_EMPTY,):
            raise DamagedEntry("the entry's tree holds billions of nothing")
        return array

    def small(self, start: int, described: Layout, fortran: int = 0) -> Array:
        """Give an array out of the member of small ones."""
        data = self._small
        if data is None:
            data = self._small = self.member(int(self.tree["small"])).data
        dtype, shape, nbytes = described
        # numpy overflows, takes negative offsets, and reads memory that is not ours
        if not 0 <= start <= len(data) - nbytes:
            raise ValueError("an array outside its member")
        array = np.ndarray(shape, dtype, data, start, order="F" if fortran else "C")
        if nbytes == 0 and array.size:
            return array  # of items without bytes, of which there may be billions
        self._take(nbytes)
        # copied, as arrays with memory of their own can be resized
        own = array.copy("K")
        own.flags.writeable = array.flags.writeable
        return own

    # ------------------------------------------------------------ names

    def class_at(self, number: int) -> type:
        """Give a user's class by its place in the table of classes.

        Raises
        ------
        Unresolved
            If it is not there, or its code is another.
        """
        if number not in self._classes:
            module, name, digest = self.tree["classes"][number]
            if self.rule is None:
                raise Unresolved(f"the class {module}.{name} cannot be looked up")
            try:
                cls = self.rule.resolve(module, name, digest)
            except LookupError as error:
                raise Unresolved(*error.args) from error
            if not isinstance(cls, type):
                raise Unresolved(f"{module}.{name} is no class")
            self._classes[number] = cls
        return self._classes[number]

    def digest_of(self, cls: type) -> str | None:
        """Give the digest of a class's code if it is the user's."""
        return None if self.rule is None else self.rule.digest_of(cls)

    def demand_trust(self, what: str) -> None:
        """Go on only if the entry's pickled parts may be loaded.

        Raises
        ------
        UntrustedEntry
            If they may not.
        """
        if not self.trusted:
            raise UntrustedEntry(
                f"the entry holds {what}, which could run code when loaded, and you "
                "did not sign it; `nbcache trust FILE` shows what it holds and signs"
            )
