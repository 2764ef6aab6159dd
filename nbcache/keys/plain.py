"""Encoding of plain values: the atoms of Python, and lists, tuples and dicts of them.

The encoding is marshal's format 2, which writes each value by itself (no references,
whatever is interned), so that a tree can be written in one call or node by node with
the same bytes.  It is used only where every leaf is known to be exactly one of
`ATOMS`: marshal writes whatever else exports a buffer, a numpy scalar too, as bytes.

Types outside this module are written by `registry.mark`, whose first byte begins no
marshal value.
"""

from __future__ import annotations

import marshal
import struct
from dataclasses import dataclass
from itertools import chain
from types import EllipsisType, NoneType
from typing import Any

from nbcache.keys.registry import Sink, mark

__all__ = [
    "ATOMS",
    "CONTAINERS",
    "LARGE_TUPLE",
    "Survey",
    "dumps",
    "put_atom",
    "put_atoms",
    "put_head",
    "sort_atoms",
    "survey",
]

ATOMS: frozenset[type] = frozenset(
    {NoneType, bool, int, float, complex, str, bytes, EllipsisType}
)
CONTAINERS: frozenset[type] = frozenset({list, tuple, dict})

LARGE_TUPLE = 4096
"""Nodes of a tree of tuples above which a tuple is written as a digest of its own, so
that shared tuples cannot make a walk exponential.  Part of the encoding."""

_DEEPEST = 200  # marshal gives up at 2000 (1000 on Windows)
_LONG = 1 << 20  # bytes that are worth not being copied
_LIMIT = (1 << 31) - 1  # what marshal's length field holds
_HEADS: dict[type, bytes] = {list: b"[", tuple: b"("}


def dumps(value: Any) -> bytes:
    """Encode a plain tree."""
    return marshal.dumps(value, 2)


def put_atom(sink: Sink, value: Any) -> None:
    """Write one atom; large bytes without copying them."""
    kind = type(value)
    if kind is bytes and len(value) > _LONG:
        if len(value) > _LIMIT:
            mark(sink, "long bytes", len(value))
        else:
            sink.update(b"s" + struct.pack("<I", len(value)))
        sink.update(value)
    elif kind is str and len(value) > _LIMIT // 4:
        _put_long_text(sink, value)
    else:
        sink.update(dumps(value))


def _put_long_text(sink: Sink, value: str) -> None:
    data = value.encode("utf-8", "surrogatepass")
    if len(data) > _LIMIT:
        mark(sink, "long str", len(data))
    else:
        sink.update(b"u" + struct.pack("<I", len(data)))
    sink.update(data)


def put_atoms(sink: Sink, atoms: list[Any]) -> None:
    """Write atoms one after the other, in one call if possible.

    One call: each `marshal.dumps` is an audit event, which costs where hooks listen.
    """
    if _has_long_bytes(atoms):
        for atom in atoms:
            put_atom(sink, atom)
        return
    try:
        sink.update(memoryview(dumps(atoms))[5:])  # without the head of the list
    except ValueError:
        for atom in atoms:
            put_atom(sink, atom)


def put_head(sink: Sink, kind: type, size: int) -> None:
    """Write what precedes the items of a list or tuple."""
    sink.update(_HEADS[kind] + struct.pack("<I", size))


def sort_atoms(atoms: list[Any]) -> list[Any]:
    """Order atoms by type and value, the same for every hash seed."""
    kinds = sorted(set(map(type, atoms)), key=lambda kind: kind.__name__)
    ordered: list[Any] = []
    for kind in kinds:
        chosen = atoms if len(kinds) == 1 else [x for x in atoms if type(x) is kind]
        # floats may be NaN, which has no order; the encoding always has one
        by_value = kind in (int, str, bytes, bool)
        ordered += sorted(chosen) if by_value else sorted(chosen, key=dumps)
    return ordered


def _has_long_bytes(values: list[Any]) -> bool:
    return any(type(x) is bytes and len(x) > _LONG for x in values)


@dataclass(slots=True)
class Survey:
    """What a tree of containers holds, found level by level at C speed.

    Parameters
    ----------
    plain : bool
        It can be encoded in one call: plain leaves, no list or dict twice, neither
        very deep nor with large tuples.
    mutable : set of int
        Ids of the lists and dicts below the root.
    visited : int
        Nodes that were looked at.
    """

    plain: bool
    mutable: set[int]
    visited: int


def survey(
    root: Any, atoms: frozenset[type], containers: frozenset[type] = CONTAINERS
) -> Survey:
    """Look through a list, tuple or dict whether it is a plain tree.

    The answer may be no for a tree that would be plain: the walk then writes the same
    bytes node by node.
    """
    found = Survey(True, set(), 1)
    level: dict[type, list[Any]] = {type(root): [root]}
    expanded = 1
    for _ in range(_DEEPEST):
        tuples = level.get(tuple)
        expanded = expanded * (max(map(len, tuples)) + 1) if tuples else 1
        if expanded > LARGE_TUPLE:
            break
        children = _children(level, atoms)
        found.visited += len(children)
        kinds = set(map(type, children))
        inner = kinds - atoms
        if not inner <= containers or (bytes in kinds and _has_long_bytes(children)):
            break
        if not inner:
            return found
        level = _by_kind(children, kinds, inner)
        if not _all_new(level, found.mutable):
            break
    found.plain = False
    return found


def _children(level: dict[type, list[Any]], atoms: frozenset[type]) -> list[Any]:
    """Give items and values of containers, and keys unless all of them are atoms."""
    children: list[Any] = []
    for kind, containers in level.items():
        if kind is not dict:
            children += chain.from_iterable(containers)
            continue
        children += chain.from_iterable(map(dict.values, containers))
        if not set(map(type, chain.from_iterable(containers))) <= atoms:
            children += chain.from_iterable(containers)
    return children


def _by_kind(
    children: list[Any], kinds: set[type], inner: set[type]
) -> dict[type, list[Any]]:
    if len(kinds) == 1:
        return {next(iter(kinds)): children}
    return {kind: [x for x in children if type(x) is kind] for kind in inner}


def _all_new(level: dict[type, list[Any]], mutable: set[int]) -> bool:
    """Enter the lists and dicts of a level; False if one was there already."""
    for kind in (list, dict):
        containers = level.get(kind)
        if containers:
            wanted = len(mutable) + len(containers)
            mutable.update(map(id, containers))
            if len(mutable) != wanted:
                return False
    return True
