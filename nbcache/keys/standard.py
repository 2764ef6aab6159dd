"""Digests of the types of Python and its standard library, and of their subclasses."""

from __future__ import annotations

import array
import collections
import datetime
import enum
import io
import pathlib
import re
import sys
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from nbcache.keys import plain
from nbcache.keys.instances import (
    put_instance,
    put_reduction,
    put_subclass,
    refusal,
)
from nbcache.keys.registry import (
    Identity,
    Sink,
    Walker,
    mark,
    qualified_name,
    register,
)
from nbcache.scripts import module_of

__all__ = ["Unordered", "teach"]

_Content = Callable[[Walker, Sink, Any, str], None]


class Unordered:
    """A collection whose order does not count.

    Parameters
    ----------
    content : iterable
        An iterator is used up.
    """

    __slots__ = ("content",)

    def __init__(self, content: Iterable[Any]) -> None:
        self.content = content if isinstance(content, Collection) else list(content)


def teach() -> None:
    """Register the handlers of this module."""
    for base, identity, content in _BUILT_IN:
        _teach_built_in(base, identity, content)
    for kind, parts in _VALUES.items():
        _teach_value(kind, parts)
    for handled, identity, handler in _OTHERS:
        register(handled, handler, identity=identity)


# --- built-in types: content, and what a subclass adds


def _teach_built_in(base: type, bare: Identity, content: _Content) -> None:
    """Register a type and its subclasses, which may carry attributes."""
    tag = qualified_name(base)

    def handler(walk: Walker, sink: Sink, value: Any, path: str) -> None:
        mark(sink, tag)
        if type(value) is not base:
            put_subclass(walk, sink, value, base, path)
        content(walk, sink, value, path)

    def identity(kind: type) -> Identity:
        return Identity.COUNTS if _adds_attributes(kind, base) else bare

    register(base, handler, identity=identity)


def _adds_attributes(kind: type, base: type) -> bool:
    return (
        kind.__dictoffset__ != base.__dictoffset__
        or kind.__basicsize__ != base.__basicsize__
    )


def _atom(base: Any, exact: Callable[[Any], Any]) -> tuple[type, Identity, _Content]:
    """Make the row of an immutable type; `exact` strips a value of its subclass."""

    def content(_walk: Walker, sink: Sink, value: Any, _path: str) -> None:
        plain.put_atom(sink, exact(value))

    return base, Identity.ATOMIC, content


def _put_items(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    walk.put_items(sink, list(_iterate(value)), path)


def _put_set(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    walk.put_unordered(sink, list(_iterate(value)), path)


def _iterate(value: Any) -> Iterator[Any]:
    """Iterate over the content itself, whatever a subclass makes of ``__iter__``."""
    base: Any
    for base in (list, tuple, set, frozenset, collections.deque):
        if isinstance(value, base):
            return iter(base.__iter__(value))
    return iter(value)


def _put_dict(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    walk.put_pairs(sink, dict(dict.items(value)), path)


def _put_ordered_dict(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    # move_to_end changes an order that the underlying dict does not know
    ordered = dict(collections.OrderedDict.items(value))
    walk.put_pairs(sink, ordered, path)


def _put_default_dict(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    walk.put(sink, value.default_factory, f"{path}.default_factory")
    _put_dict(walk, sink, value, path)


def _put_deque(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    sink.update(plain.dumps(value.maxlen))
    _put_items(walk, sink, value, path)


def _put_buffer(_walk: Walker, sink: Sink, value: Any, _path: str) -> None:
    with memoryview(value) as view:
        mark(sink, view.format, view.nbytes)
        sink.update(view)


_BUILT_IN: list[tuple[Any, Identity, _Content]] = [
    _atom(bool, bool),
    _atom(type(None), lambda value: value),
    _atom(type(...), lambda value: value),
    _atom(int, int.__int__),
    _atom(float, float.__pos__),
    _atom(complex, complex.__pos__),
    _atom(str, str.__str__),
    _atom(bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (list, Identity.COUNTS, _put_items),
    (tuple, Identity.NESTED, _put_items),
    (dict, Identity.COUNTS, _put_dict),
    (collections.Counter, Identity.COUNTS, _put_dict),
    (collections.OrderedDict, Identity.COUNTS, _put_ordered_dict),
    (collections.defaultdict, Identity.COUNTS, _put_default_dict),
    (collections.deque, Identity.COUNTS, _put_deque),
    (set, Identity.COUNTS, _put_set),
    (frozenset, Identity.NESTED, _put_set),
    (bytearray, Identity.COUNTS, _put_buffer),
    (array.array, Identity.COUNTS, _put_buffer),
]


# --- immutable values made of a few plain parts


def _teach_value(base: type | str, parts: Callable[[Any], tuple[Any, ...]]) -> None:
    """Register a type by the parts that make up its value, and its subclasses."""
    tag = base if isinstance(base, str) else qualified_name(base)

    def own(kind: type) -> type:
        return next(cls for cls in kind.__mro__ if qualified_name(cls) == tag)

    def handler(walk: Walker, sink: Sink, value: Any, path: str) -> None:
        mark(sink, tag)
        kind = type(value)
        if qualified_name(kind) != tag:
            put_subclass(walk, sink, value, own(kind), path)
        sink.update(plain.dumps(parts(value)))
        if isinstance(value, datetime.datetime | datetime.time):
            walk.put(sink, value.tzinfo, f"{path}.tzinfo")

    def identity(kind: type) -> Identity:
        adds = _adds_attributes(kind, own(kind))
        return Identity.COUNTS if adds else Identity.ATOMIC

    register(base, handler, identity=identity)


_VALUES: dict[type | str, Callable[[Any], tuple[Any, ...]]] = {
    # as_tuple also for signalling NaN, which refuses nearly everything else
    "decimal.Decimal": lambda value: tuple(value.as_tuple()),
    "fractions.Fraction": lambda value: (value.numerator, value.denominator),
    datetime.date: lambda value: (value.year, value.month, value.day),
    datetime.time: lambda value: (
        *(value.hour, value.minute, value.second, value.microsecond, value.fold),
    ),
    datetime.datetime: lambda value: (
        *(value.year, value.month, value.day, value.hour, value.minute),
        *(value.second, value.microsecond, value.fold),
    ),
    datetime.timedelta: lambda value: (value.days, value.seconds, value.microseconds),
    "uuid.UUID": lambda value: (value.int, value.is_safe.name),
    range: lambda value: (value.start, value.stop, value.step),
    re.Pattern: lambda value: (value.pattern, value.flags),
    type(NotImplemented): lambda _: (),
}


# --- the rest


def _put_timezone(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write a time zone by what it is made of; which object it is never shows."""
    mark(sink, "tzinfo")
    if type(value) is datetime.timezone:
        arguments: Any = value.__reduce__()[1]
        walk.put_items(sink, list(arguments), path)
    else:
        walk.put_alone(sink, value, put_instance, path)


def _put_zone(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    if value.key is None:
        raise refusal(value, path, "made from a file, without a key")
    mark(sink, "zone")
    if qualified_name(type(value)) != "zoneinfo.ZoneInfo":
        walk.put_alone(sink, value, put_instance, path)
    walk.put(sink, value.key, path)


def _put_path(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    kind = type(value)
    if kind.__module__.partition(".")[0] == "pathlib":
        mark(sink, f"pathlib.{kind.__name__}")
    else:
        # the slots hold only what was worked out from the text
        named = dict(getattr(value, "__dict__", {}))
        walk.keep(named)
        mark(sink, "path")
        walk.put(sink, kind, path)
        walk.put_named(sink, named, path)
    sink.update(plain.dumps(pathlib.PurePath.__str__(value)))


def _path_identity(kind: type) -> Identity:
    return Identity.COUNTS if kind.__dictoffset__ else Identity.ATOMIC


def _put_slice(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "slice")
    walk.put_items(sink, [value.start, value.stop, value.step], path)


_ENUM_NAMES = frozenset({"_value_", "_name_", "__objclass__", "_sort_order_"})


def _put_enum(walk: Walker, sink: Sink, value: enum.Enum, path: str) -> None:
    mark(sink, "enum")
    walk.put(sink, type(value), path)
    walk.put(sink, value._name_, path)
    walk.put(sink, value._value_, f"{path}.value")
    own = {n: held for n, held in vars(value).items() if n not in _ENUM_NAMES}
    walk.keep(own)
    walk.put_named(sink, own, path)


def _put_view(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write the keys, values or items of a dict."""
    mark(sink, type(value).__name__)
    walk.put_items(sink, list(value), path)


def _put_proxy(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "mappingproxy")
    walk.put_pairs(sink, dict(value), path)


def _put_memoryview(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    try:
        shape = value.format, value.shape, value.strides, value.readonly
    except ValueError as error:
        raise refusal(value, path, "released") from error
    mark(sink, "memoryview", value.nbytes)
    sink.update(plain.dumps(shape))
    sink.update(value.tobytes())
    # what it looks at can be changed through it
    walk.put(sink, value.obj, f"{path}.obj")


def _put_memory_file(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "memory file")
    if type(value) not in (io.BytesIO, io.StringIO):
        walk.put(sink, type(value), path)
    try:
        state = value.__getstate__()
    except ValueError as error:
        raise refusal(value, path, "closed") from error
    walk.keep(state)
    walk.put(sink, state, path)


def _put_exception(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    if value.__traceback__ is not None:
        reason = "it holds the frames of its traceback: keep e.with_traceback(None)"
        raise refusal(value, path, reason)
    mark(sink, "exception")
    put_reduction(walk, sink, value, path)
    walk.put(sink, value.__cause__, f"{path}.__cause__")
    walk.put(sink, value.__context__, f"{path}.__context__")
    walk.put(sink, value.__suppress_context__, path)


def _put_unordered(walk: Walker, sink: Sink, value: Unordered, path: str) -> None:
    content: Any = value.content
    mark(sink, "unordered")
    walk.put(sink, type(content), path)
    if not isinstance(content, Mapping):
        walk.put_unordered(sink, list(content), path)
        return
    pairs = dict(content.items())
    atoms = plain.sort_atoms([key for key in pairs if type(key) in plain.ATOMS])
    others = [key for key in pairs if type(key) not in plain.ATOMS]
    others.sort(key=lambda key: walk.order_key(key, f"a key of {path}"))
    walk.put_pairs(sink, {key: pairs[key] for key in (*atoms, *others)}, path)


def _put_type_by_name(_walk: Walker, sink: Sink, value: type, _path: str) -> None:
    # as long as nobody registered what the code of a class is
    mark(sink, "class name")
    sink.update(plain.dumps(qualified_name(value)))


def _put_function_by_name(_walk: Walker, sink: Sink, value: Any, path: str) -> None:
    # as long as nobody registered what the code of a function is
    found: Any = sys.modules.get(value.__module__)
    for step in value.__qualname__.split("."):
        found = getattr(found, step, None)
    if found is not value:
        raise refusal(value, path, "not found under its name")
    mark(sink, "function name")
    sink.update(plain.dumps((module_of(value), value.__qualname__)))


_OTHERS: list[tuple[type | str, Any, Any]] = [
    (datetime.tzinfo, Identity.ATOMIC, _put_timezone),
    ("zoneinfo.ZoneInfo", Identity.ATOMIC, _put_zone),
    (pathlib.PurePath, _path_identity, _put_path),
    (slice, Identity.NESTED, _put_slice),
    (enum.Enum, Identity.NESTED, _put_enum),
    (type({}.keys()), Identity.NESTED, _put_view),
    (type({}.values()), Identity.NESTED, _put_view),
    (type({}.items()), Identity.NESTED, _put_view),
    (types.MappingProxyType, Identity.NESTED, _put_proxy),
    (memoryview, Identity.COUNTS, _put_memoryview),
    (io.BytesIO, Identity.COUNTS, _put_memory_file),
    (io.StringIO, Identity.COUNTS, _put_memory_file),
    (BaseException, Identity.COUNTS, _put_exception),
    (types.GenericAlias, Identity.NESTED, put_reduction),
    ("typing._Final", Identity.NESTED, put_reduction),
    (type(int | str), Identity.NESTED, put_reduction),
    (Unordered, Identity.NESTED, _put_unordered),
    (type, Identity.NESTED, _put_type_by_name),
    (types.FunctionType, Identity.NESTED, _put_function_by_name),
]
