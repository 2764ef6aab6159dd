"""Values to and from plain data and arrays, exactly, references included.

`encode` gives a tree that JSON can hold and the arrays it refers to; `decode` gives the
values back, equal in value, type, dtype and order, and as shared as they were.  A plain
array directly under a name becomes the member of that name.  How nodes look stands in
`codec_nodes`; the kinds of nodes, each with both directions side by side, in
`codec_types` (Python's own), `codec_numpy`, `codec_classes`, `frames` and `leaves`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from nbcache.errors import DamagedEntry, UnstorableValue, UntrustedEntry
from nbcache.storage import (
    closed_files,
    codec_numpy,
    codec_random,
    frames,
    frames_arrow,
    frames_sparse,
    leaves,
)
from nbcache.storage.codec_arrays import Inseparable
from nbcache.storage.codec_classes import register_type
from nbcache.storage.codec_decode import Decoder
from nbcache.storage.codec_encode import Encoder
from nbcache.storage.codec_nodes import INTERNAL, Array, Unresolved
from nbcache.storage.codec_paths import node_paths
from nbcache.storage.live import LiveIndex, Reach

__all__ = [
    "ClassRule",
    "Encoded",
    "Unresolved",
    "decode",
    "encode",
    "register_type",
]

# that they are imported enters their kinds of nodes into the table

_KINDS = (
    *(closed_files, codec_numpy, codec_random),
    *(frames, frames_arrow, frames_sparse, leaves),
)
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Encoded:
    """Values as they are stored.

    Parameters
    ----------
    tree : dict
        Plain data, for JSON.
    members : dict of str to ndarray
        What the tree refers to.
    pickled : tuple of str
        Paths of the parts that only the user who signs the entry may decode.
    classes : tuple of (module, qualified name, digest)
        The user's classes that it refers to.
    """

    tree: dict[str, Any]
    members: dict[str, Array]
    pickled: tuple[str, ...]
    classes: tuple[tuple[str, str, str], ...]


class ClassRule(Protocol):
    """Which classes are the user's, told by who knows code and keys."""

    def digest_of(self, cls: type) -> str | None:
        """Give the digest of the code of a user's class; None for other classes."""

    def resolve(self, module: str, qualname: str, digest: str) -> type:
        """Give a user's class back; LookupError with a reason if it is another."""


def encode(
    values: Mapping[str, object],
    *,
    live: Mapping[str, object] | LiveIndex | None = None,
    classes: ClassRule | None = None,
    namespace: dict[str, Any] | None = None,
    allow_pickle: bool = True,
) -> Encoded:
    """Give values as plain data and arrays.

    Parameters
    ----------
    values : mapping of str to object
        One tree: what they share is shared again when they are decoded.
    live : mapping of str to object, or LiveIndex, optional
        Objects that will exist under the same name then; they and their mutable parts
        are referred to, not stored.  An index tells how they were when it was made.
    classes : ClassRule, optional
        Says which classes are stored by name and digest.
    namespace : dict, optional
        Functions with these globals are stored by code, and get those of the same
        argument of `decode`.
    allow_pickle : bool
        Whether parts may be kept that only pickle keeps.

    Raises
    ------
    UnstorableValue
        Naming the first part that cannot be stored.
    """
    index = live if isinstance(live, LiveIndex) else LiveIndex(live or {})
    pickled: set[int] = set()
    while True:
        encoder = Encoder(index, classes, namespace, pickled)
        try:
            nodes = [
                _named_node(encoder, name, value) for name, value in values.items()
            ]
            if encoder.leaves and not allow_pickle:
                raise _needs_pickle(encoder.leaves[0][0])
            stream, found = leaves.pickle_leaves(encoder, nodes)
            if found <= pickled:
                return _encoded(encoder, values, nodes, stream)
        finally:
            encoder.arrays.release()
        # pickled parts that they contain refer to these
        pickled |= found


def _encoded(
    encoder: Encoder, values: Mapping[str, object], nodes: list[Any], stream: Any
) -> Encoded:
    for name, value in values.items():
        node = encoder.found(value)
        if type(value) is np.ndarray and node is not None and _is_member_name(name):
            encoder.arrays.name(node, name)
    try:
        encoder.arrays.finish(encoder)
    except Inseparable as error:
        raise _shared_otherwise(nodes, error) from error
    found_paths = leaves.leaf_paths(nodes) if encoder.leaves else ()
    paths = tuple(dict.fromkeys(path for path, _ in found_paths))
    tree = _tree(encoder, nodes, stream)
    return Encoded(tree, encoder.members.arrays, paths, tuple(encoder.classes))


def _named_node(encoder: Encoder, name: str, value: object) -> list[Any]:
    try:
        return [encoder.node(name), encoder.node(value)]
    except UnstorableValue as error:
        raise _at(name, error) from error


def _at(name: str, error: UnstorableValue) -> UnstorableValue:
    return UnstorableValue(error.path or name, error.type_name, error.reason)


def _needs_pickle(value: object) -> UnstorableValue:
    cls = type(value)
    return UnstorableValue("?", f"{cls.__module__}.{cls.__qualname__}", "needs pickle")


def _shared_otherwise(nodes: list[Any], error: Inseparable) -> UnstorableValue:
    found = (path for path, node in node_paths(nodes) if node is error.node)
    cls = type(error.array)
    name = f"{cls.__module__}.{cls.__qualname__}"
    return UnstorableValue(next(found, "?"), name, error.reason)


def _tree(encoder: Encoder, nodes: list[Any], stream: Any) -> dict[str, Any]:
    tree: dict[str, Any] = {"values": nodes}
    if encoder.extra:
        tree["extra"] = list(encoder.extra.values())
    if encoder.classes:
        tree["classes"] = [list(key) for key in encoder.classes]
    if stream is not None:
        tree["pickle"] = stream
    small = encoder.members.finish()
    if small is not None:
        tree["small"] = small
    return tree


def _is_member_name(name: str) -> bool:
    return (
        name.isidentifier()
        and len(name) <= _LONGEST_NAME
        and not name.startswith(INTERNAL.rstrip("/"))
    )


def decode(
    tree: Any,
    read: Callable[[str], Array],
    *,
    live: Mapping[str, object] | None = None,
    classes: ClassRule | None = None,
    namespace: dict[str, Any] | None = None,
    reach: Reach | None = None,
    allow_pickle: bool = False,
    most_bytes: int | None = None,
) -> dict[str, Any]:
    """Give the values back; nothing that exists is changed.

    Parameters
    ----------
    tree : dict
        `Encoded.tree`, also after JSON.
    read : callable (name) -> ndarray
        Gives a member.
    live, classes, namespace
        As for `encode`.
    reach : callable, optional
        As for the `LiveIndex` of `encode`.
    allow_pickle : bool
        Whether pickled parts may be loaded, which runs code of the entry, and modules
        be imported.  Without it, no tree makes anything run but our own constructors,
        the user's classes and what `register_type` was given.
    most_bytes : int, optional
        For what this user did not sign: only data is decoded (`storage.foreign`), and
        no more than so many bytes are taken from members.

    Raises
    ------
    UntrustedEntry
        If there are pickled parts and they may not be loaded.
    LookupError
        If something the tree refers to is not here: a live object, a class, a module.
    DamagedEntry
        If the tree is not one that `encode` makes.
    OSError
        Whatever `read` raises.
    """
    decoder: Decoder | None = None
    try:
        decoder = Decoder(
            tree, read, live or {}, classes, namespace, allow_pickle, most_bytes
        )
        decoder.reach = reach
        return {
            decoder.value(name): decoder.value(node) for name, node in tree["values"]
        }
    except (DamagedEntry, UntrustedEntry, Unresolved):
        raise
    except (RecursionError, MemoryError) as error:
        if not allow_pickle:
            raise DamagedEntry("the entry's tree takes too much memory") from error
        raise Unresolved("there is not enough memory to decode the entry") from error
    except Exception as error:  # whatever a hostile tree makes numpy or pandas raise
        if decoder is not None and error is decoder.read_error:
            raise
        raise DamagedEntry(f"the entry's tree is not one of ours: {error}") from error
