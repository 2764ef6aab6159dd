"""Kinds of nodes: Python's own types."""

from __future__ import annotations

import collections
import datetime
import struct
import types
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import (
    Node,
    Unresolved,
    Write,
    encoders,
    finders,
    kind,
    named_encoders,
)
from nbcache.storage.codec_sequences import SHORTEST, unpacked

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["fill_dict", "pairs"]

# longer bytes stand outside the tree
_LONGEST_BYTES = 64
# nodes of keys and values that stand one after the other
_MOST_IN_TURN = 2 * SHORTEST
_ANY_TEXT = ("utf-8", "surrogatepass")
_DOUBLE = struct.Struct("<d")
_BITS = struct.Struct("<Q")


def _spelled(
    cls: type | str, name: str, write: Callable[[Any], Any], read: Callable[[Any], Any]
) -> None:
    """Enter a type whose content is a plain value, which `write` gives."""
    _enter(cls, lambda _, value: [name, write(value)])
    kind(name, lambda _, content: read(content))


def _composed(
    cls: type | str,
    name: str,
    parts: Callable[[Any], Iterable[Any]],
    make: Callable[..., Any],
) -> None:
    """Enter an immutable type that ``make(*parts(value))`` makes again."""
    _enter(
        cls,
        lambda encoder, value: [name, [encoder.node(part) for part in parts(value)]],
    )
    kind(name, lambda decoder, content: make(*map(decoder.value, content)))


def _enter(cls: type | str, write: Write) -> None:
    """Enter how a type is written; one that is named need not be imported."""
    if isinstance(cls, str):
        module, _, name = cls.partition(".")
        named_encoders[module, name] = write
    else:
        encoders[cls] = write


def _late(module: str, name: str) -> Callable[..., Any]:
    """Give a constructor that is imported when it is first called."""
    return lambda *parts: getattr(import_module(module), name)(*parts)


# ---------------------------------------------------------------- what JSON lacks


def _write_str(encoder: Encoder, value: str) -> Node:
    data = value.encode(*_ANY_TEXT)
    if len(data) > encoder.longest_text:
        return ["str", encoder.blob(np.frombuffer(data, np.uint8))]
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON would join a pair of surrogates
        return ["str", data.hex()]
    return value


def _write_bytes(encoder: Encoder, value: bytes) -> Node:
    if len(value) <= _LONGEST_BYTES:
        return ["bytes", value.hex()]
    return ["bytes", encoder.blob(np.frombuffer(value, np.uint8))]


def _bytes(decoder: Decoder, content: Any) -> bytes:
    if type(content) is str:
        return bytes.fromhex(content)
    return decoder.blob(content).tobytes()


# hexadecimal: decimal digits are limited to 4300
_spelled(int, "int", hex, lambda content: int(content, 16))
_spelled(
    float,
    "float",
    lambda value: _BITS.unpack(_DOUBLE.pack(value))[0],
    lambda content: _DOUBLE.unpack(_BITS.pack(content))[0],
)
encoders[str] = _write_str
kind("str", lambda decoder, content: _bytes(decoder, content).decode(*_ANY_TEXT))
encoders[bytes] = _write_bytes
kind("bytes", _bytes)
_composed(complex, "complex", lambda value: (value.real, value.imag), complex)
_spelled(type(...), "...", lambda _: None, lambda _: ...)
_spelled(
    type(NotImplemented), "NotImplemented", lambda _: None, lambda _: NotImplemented
)

# ---------------------------------------------------------------- references


def _last(decoder: Decoder, content: Any) -> Any:
    return [decoder.value(node) for node in content][-1]


kind("=", lambda decoder, content: decoder.numbered(content))
kind("seq", _last)

# ---------------------------------------------------------------- containers


def _write_list(encoder: Encoder, value: list[Any]) -> Node:
    node = encoder.begin(value, "list")
    encoder.items(value, node, 1)
    return node


def _extend(decoder: Decoder, value: Any, content: Any) -> None:
    value.extend(unpacked(decoder, content))


def pairs(encoder: Encoder, value: dict[Any, Any], content: list[Any]) -> None:
    """Append keys and values to `content`: in turn, or as two long sequences."""
    if len(value) < SHORTEST:
        for key, item in value.items():
            content += (encoder.key(key), encoder.node(item))
        return
    both: list[Any] = [None, None]
    content.append({"keys": both})
    encoder.keys(list(value), both, 0)
    encoder.items(list(value.values()), both, 1)


def fill_dict(decoder: Decoder, value: dict[Any, Any], content: Any) -> None:
    """Put keys and values, as `pairs` wrote them, into a dictionary."""
    if len(content) == 1 and type(content[0]) is dict:
        keys, items = content[0]["keys"]
        names = decoder.keys(keys)
        # not Counter's update, which adds
        dict.update(value, zip(names, unpacked(decoder, items), strict=True))
        return
    if not decoder.trusted and len(content) > _MOST_IN_TURN:
        raise ValueError("a dictionary as no encoder writes it")
    nodes = iter(content)
    for node in nodes:
        key = decoder.key(node)
        value[key] = decoder.value(next(nodes))


def _dictionary(cls: type[dict[Any, Any]]) -> None:
    """Enter a type of dictionaries without state of its own."""

    def write(encoder: Encoder, value: dict[Any, Any]) -> Node:
        content: list[Any] = []
        node = encoder.begin(value, cls.__name__, content)
        pairs(encoder, value, content)
        return node

    encoders[cls] = write
    kind(cls.__name__, lambda _, __: cls(), fill_dict)


def _write_defaultdict(
    encoder: Encoder, value: collections.defaultdict[Any, Any]
) -> Node:
    content: list[Any] = [None]
    node = encoder.begin(value, "defaultdict", content)
    content[0] = encoder.node(value.default_factory)
    pairs(encoder, value, content)
    return node


def _fill_defaultdict(decoder: Decoder, value: Any, content: Any) -> None:
    value.default_factory = decoder.value(content[0])
    fill_dict(decoder, value, content[1:])


def _write_deque(encoder: Encoder, value: collections.deque[Any]) -> Node:
    content = [value.maxlen, None]
    node = encoder.begin(value, "deque", content)
    encoder.items(list(value), content, 1)
    return node


def _write_set(encoder: Encoder, value: set[Any]) -> Node:
    content: list[Any] = [None]
    node = encoder.begin(value, "set", content)
    encoder.keys(list(value), content, 0)
    return node


def _write_namespace(encoder: Encoder, value: types.SimpleNamespace) -> Node:
    content: list[Any] = []
    node = encoder.begin(value, "namespace", content)
    pairs(encoder, vars(value), content)
    return node


encoders[list] = _write_list
kind("list", lambda _, __: [], _extend)
encoders[tuple] = lambda encoder, value: encoder.frozen(value, "tuple", value)
kind("tuple", lambda decoder, content: tuple(unpacked(decoder, content)))
_dictionary(dict)
_dictionary(collections.OrderedDict)
_dictionary(collections.Counter)
encoders[collections.defaultdict] = _write_defaultdict
kind("defaultdict", lambda _, __: collections.defaultdict(None), _fill_defaultdict)
encoders[collections.deque] = _write_deque
kind(
    "deque",
    lambda _, content: collections.deque(maxlen=content[0]),
    lambda decoder, value, content: _extend(decoder, value, content[1]),
)
encoders[set] = _write_set
kind(
    "set",
    lambda _, __: set(),
    lambda decoder, value, content: value.update(decoder.keys(content[0])),
)
encoders[frozenset] = lambda encoder, value: encoder.frozen(
    value, "frozenset", list(value)
)
kind("frozenset", lambda decoder, content: frozenset(decoder.keys(content)))
encoders[types.SimpleNamespace] = _write_namespace
kind(
    "namespace",
    lambda _, __: types.SimpleNamespace(),
    lambda decoder, value, content: fill_dict(decoder, vars(value), content),
)
encoders[slice] = lambda encoder, value: encoder.frozen(
    value, "slice", (value.start, value.stop, value.step)
)
kind("slice", lambda decoder, content: slice(*unpacked(decoder, content)))
_composed(range, "range", lambda value: (value.start, value.stop, value.step), range)

# ---------------------------------------------------------------- numbers and times


def _datetime(*parts: Any) -> datetime.datetime:
    return datetime.datetime(*parts[:8], fold=parts[8])


def _time(*parts: Any) -> datetime.time:
    return datetime.time(*parts[:5], fold=parts[5])


def _datetime_parts(value: datetime.datetime) -> tuple[Any, ...]:
    day = (value.year, value.month, value.day)
    return (*day, *_time_parts(value))


def _time_parts(value: datetime.datetime | datetime.time) -> tuple[Any, ...]:
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return (*clock, value.tzinfo, value.fold)


def _timezone_parts(value: Any) -> tuple[Any, ...]:
    # UTC is one object, with no parts
    return () if value is datetime.UTC else value.__getinitargs__()


def _timezone(*parts: Any) -> datetime.timezone:
    return datetime.timezone(*parts) if parts else datetime.UTC


def _write_zone(encoder: Encoder, value: Any) -> Node:
    # without a key it came from a file, and pickle says what is wrong with that
    return ["ZoneInfo", value.key] if value.key else encoder.leaf(value)


def _fraction(numerator: Any, denominator: Any) -> Any:
    if type(numerator) is not int or type(denominator) is not int:
        raise TypeError("a fraction is made of whole numbers")  # "1e999999999" is none
    return import_module("fractions").Fraction(numerator, denominator)


_composed(
    "fractions.Fraction",
    "Fraction",
    lambda value: (value.numerator, value.denominator),
    _fraction,
)
_spelled("decimal.Decimal", "Decimal", str, _late("decimal", "Decimal"))
_spelled("uuid.UUID", "UUID", lambda value: value.hex, _late("uuid", "UUID"))
_composed(
    datetime.date,
    "date",
    lambda value: (value.year, value.month, value.day),
    datetime.date,
)
_composed(datetime.datetime, "datetime", _datetime_parts, _datetime)
_composed(datetime.time, "time", _time_parts, _time)
_composed(
    datetime.timedelta,
    "timedelta",
    lambda value: (value.days, value.seconds, value.microseconds),
    datetime.timedelta,
)
_composed(datetime.timezone, "timezone", _timezone_parts, _timezone)
named_encoders["zoneinfo", "ZoneInfo"] = _write_zone


def _zone(_: Decoder, content: Any) -> datetime.tzinfo:
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(content)
    except zoneinfo.ZoneInfoNotFoundError as error:
        raise Unresolved(f"this system has no time zone {content!r}") from error


kind("ZoneInfo", _zone)


def _find_pytz(_: Encoder, cls: type) -> Write | None:
    """Give how the zones of pytz are written, which pandas 2 uses."""
    return _write_pytz if cls.__module__.partition(".")[0] == "pytz" else None


def _write_pytz(encoder: Encoder, value: Any) -> Node:
    name = getattr(value, "zone", None)
    if name and _pytz(None, name) is value:
        return ["pytz", name]
    return encoder.leaf(value)


def _pytz(_: Decoder | None, content: Any) -> Any:
    return import_module("pytz").timezone(content)


finders.append(_find_pytz)
kind("pytz", _pytz)

# ---------------------------------------------------------------- paths, bytes


for _path in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"):
    _composed(
        f"pathlib.{_path}",
        _path,
        lambda value: (str(value),),
        _late("pathlib", _path),
    )


def _write_bytearray(encoder: Encoder, value: bytearray) -> Node:
    data = np.frombuffer(value, np.uint8)
    # a copy: as long as its own memory is in use, the user cannot resize it
    node = encoder.begin(value, "bytearray", encoder.blob(data.copy()))
    # arrays made from it share its memory
    encoder.arrays.add(data, node, "|u1", fixed=True)
    return node


encoders[bytearray] = _write_bytearray
kind("bytearray", lambda decoder, content: bytearray(decoder.blob(content)))
