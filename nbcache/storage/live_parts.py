"""What live objects hold, and the steps that lead to it."""

from __future__ import annotations

import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from nbcache.storage.codec_nodes import Array
from nbcache.storage.frames_arrays import shares_memory
from nbcache.storage.slots import members

__all__ = ["PLAIN", "Step", "attributes", "blocks", "follow", "parts", "spot"]

PLAIN = frozenset((type(None), bool, int, float, str, bytes))
_DICTS = (dict, OrderedDict, defaultdict, Counter)
# ["i", place] | ["k", key] | ["n", place in order] | ["q", place of a key in order]
# | ["a", attribute] | ["f", place in an array of objects] | ["b", block of a frame]
# | ["e", [block of a frame, place in it]] | ["x", axis of a frame]
# | ["v", 0] the array under one of a subclass | ["t", 0] the class of an instance
# | ["r", label] what a function or class reads
Step = list[Any]


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


OPAQUE = "__nbcache_opaque__"
"""True in classes of ours whose instances hold nothing that a result could refer to."""


def attributes(owner: object) -> dict[str, object]:
    """Give what stands in an object's dictionary and slots, without running code."""
    cls = type(owner)
    if cls.__module__.partition(".")[0] in ("builtins", "functools", "numpy"):
        names = _INNER.get(cls.__name__, ())
        if names:
            return {name: getattr(owner, name) for name in names}
    try:
        # of a class or module too
        found = dict(object.__getattribute__(owner, "__dict__"))
    except (AttributeError, TypeError):
        found = {}
    for _, name, member in members(type(owner)):
        try:
            found[name] = member.__get__(owner)
        except AttributeError:  # not set
            continue
    return found


def parts(owner: Any) -> Iterator[tuple[Step, object]]:
    """Give the objects that an object holds, with the step that leads to each."""
    cls = type(owner)
    if getattr(cls, OPAQUE, False):
        return
    if cls in (list, deque) or isinstance(owner, tuple):
        if not PLAIN.issuperset(map(type, owner)):
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
    if not PLAIN.issuperset(map(type, owner)):
        yield from _numbered("q", owner)
    if type(owner) is defaultdict:
        yield ["a", "default_factory"], owner.default_factory
    if PLAIN.issuperset(map(type, owner.values())):
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
        is_shared = shares_memory()
        for i, one in enumerate(found):
            if is_shared:
                yield ["b", spot(i, one)], one.values
            elif type(one.values) is np.ndarray and one.values.dtype.kind == "O":
                yield from _cells(spot(i, one), one.values)


def _cells(spot: list[int], values: Array) -> Iterator[tuple[Step, object]]:
    """Give the objects in a block of a frame."""
    items = values.ravel().tolist()
    if not PLAIN.issuperset(map(type, items)):
        yield from ((["e", [*spot, i]], part) for i, part in enumerate(items))


def spot(number: int, block: Any) -> list[int]:
    """Give number and columns of a block: equal frames may have others."""
    return [number, zlib.crc32(block.mgr_locs.as_array.tobytes())]


def follow(value: Any, step: str, where: Any) -> Any:
    """Give what a step leads to; a LookupError or TypeError if it leads nowhere."""
    cls = type(value)
    if step == "i" and (cls in (list, deque) or isinstance(value, tuple)):
        return value[where]
    if cls in _DICTS and step in _IN_DICTS:
        return _IN_DICTS[step](value, where)
    if isinstance(value, np.ndarray) and step in ("f", "v"):
        return value.flat[where] if step == "f" else value.view(np.ndarray)
    if _is_frame(cls) and step in ("x", "b", "e"):
        return _follow_frame(value, step, where)
    if step == "a":
        return attributes(value)[where]
    if step == "t":
        return cls
    raise TypeError(f"no step {step!r} into {cls.__name__}")


def _follow_frame(frame: Any, step: str, where: Any) -> Any:
    if step == "x":
        return frame.axes[where]
    number, columns, *place = where
    block = blocks(frame)[number]
    if spot(number, block) != [number, columns]:
        raise LookupError("a frame that is laid out anew")
    if step == "e":
        return block.values.flat[place[0]]
    if shares_memory():
        return block.values
    # as pandas lends it out
    view = block.values.view()
    view.flags.writeable = False
    return view


_IN_DICTS: dict[str, Callable[[Any, Any], Any]] = {
    # not `value[where]`, which makes an item of a defaultdict
    "k": lambda value, key: dict.__getitem__(value, key) if key in value else _no(key),
    "n": lambda value, place: next(islice(value.values(), place, None)),
    "q": lambda value, place: next(islice(value, place, None)),
    "a": lambda value, name: getattr(value, name),
}


def _no(key: Any) -> Any:
    raise LookupError(key)
