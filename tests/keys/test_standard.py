"""Digests of Python's own types and those of its standard library."""

from __future__ import annotations

import array
import collections
import copy
import copyreg
import datetime
import decimal
import enum
import fractions
import io
import pathlib
import re
import struct
import types
import typing
import uuid
import zoneinfo

import pytest

from nbcache.errors import UnhashableValue
from nbcache.keys.hashing import digest

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
UTC = datetime.UTC


def nan(bits):
    """A NaN with a payload."""
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


class Color(enum.Enum):
    """A user's enumeration."""

    RED = 1
    BLUE = 2


class Shade(enum.Enum):
    """Another one with the same names and values."""

    RED = 1


class Level(enum.IntEnum):
    """Members that are numbers."""

    LOW = 1


class Way(enum.Flag):
    """Members that can be combined."""

    UP = 1
    DOWN = 2


class Text(str):
    """A subclass of a built-in type with attributes."""


class Number(int):
    """A subclass without attributes."""

    __slots__ = ()


class Row(list):
    """A subclass of list."""


class Table(dict):
    """A subclass of dict."""


class Bag(set):
    """A subclass of set."""


class Clock(datetime.datetime):
    """A subclass of a value type."""


class Zone(datetime.tzinfo):
    """A user's time zone."""

    def __init__(self, hours=0):
        self.hours = hours

    def utcoffset(self, when):
        """A fixed offset."""
        return datetime.timedelta(hours=self.hours)


def with_attribute(value, **held):
    """The value with attributes set."""
    vars(value).update(held)
    return value


# Each row: values of which no two have the same digest.
DIFFERENT = {
    "none": [None, False, 0, "", b"", (), "None"],
    "bool": [True, 1, 1.0, "True", 1 + 0j],
    "int": [1, -1, 2**31, 2**31 - 1, 2**32 + 1, 2**64, -(2**64), 10**400, True, "1"],
    "float": [1.0, 1, 1.5, -1.0, 0.0, -0.0, float("inf"), -float("inf"), 5e-324],
    "nan": [nan(0x7FF8000000000000), nan(0x7FF8000000000001), nan(0xFFF8000000000000)],
    "complex": [1j, 1 + 0j, 1.0, complex(0.0, -0.0), complex(-0.0, 0.0), 0j],
    "str": [
        "a",
        "b",
        "a\0",
        "",
        "é",
        "e\u0301",
        "\ud800",
        "\udc80",
        "\U0001f600",
        b"a",
    ],
    "bytes": [b"a", bytearray(b"a"), "a", memoryview(b"a"), b"", b"a\0"],
    "decimal": [
        *map(decimal.Decimal, ["1", "1.0", "1.00", "-1", "0", "-0", "1E+1", "10"]),
        *map(decimal.Decimal, ["NaN", "sNaN", "-NaN", "NaN1", "Infinity", "-Infinity"]),
        1,
        1.0,
        "1",
    ],
    "fraction": [fractions.Fraction(1, 2), fractions.Fraction(1), 0.5, 1],
    "date": [datetime.date(2020, 1, 2), datetime.date(2020, 2, 1), "2020-01-02"],
    "time": [
        datetime.time(1),
        datetime.time(1, fold=1),
        datetime.time(1, tzinfo=UTC),
        datetime.time(1, microsecond=1),
        datetime.timedelta(hours=1),
    ],
    "datetime": [
        datetime.datetime(2020, 1, 2),
        datetime.date(2020, 1, 2),
        datetime.datetime(2020, 1, 2, fold=1),
        datetime.datetime(2020, 1, 2, tzinfo=UTC),
        datetime.datetime(2020, 1, 2, tzinfo=BERLIN),
        datetime.datetime(2020, 1, 2, tzinfo=zoneinfo.ZoneInfo("UTC")),
        datetime.datetime(2020, 1, 2, tzinfo=Zone()),
        datetime.datetime(2020, 1, 2, tzinfo=Zone(1)),
        datetime.datetime(2020, 1, 2, microsecond=1),
        Clock(2020, 1, 2),
    ],
    "timedelta": [datetime.timedelta(1), datetime.timedelta(0, 1), 86400],
    "timezone": [
        UTC,
        datetime.timezone(datetime.timedelta(0), "UTC"),
        datetime.timezone(datetime.timedelta(0), "zero"),
        datetime.timezone(datetime.timedelta(hours=1)),
        zoneinfo.ZoneInfo("UTC"),
        BERLIN,
        Zone(),
        Zone(1),
    ],
    "uuid": [uuid.UUID(int=1), uuid.UUID(int=2), 1, str(uuid.UUID(int=1))],
    "path": [
        pathlib.PurePosixPath("a/b"),
        pathlib.PureWindowsPath("a/b"),
        pathlib.Path("a/b"),
        pathlib.Path("a/c"),
        pathlib.Path("a") / "b" / "..",
        "a/b",
    ],
    "enum": [Color.RED, Color.BLUE, Shade.RED, Level.LOW, 1, "RED", Color],
    "flag": [Way.UP, Way.DOWN, Way.UP | Way.DOWN, Way(0), 1],
    "range": [range(3), range(0), range(1, 1), range(0, 3, 2), [0, 1, 2]],
    "slice": [slice(3), slice(0, 3), slice(3, None), slice(0, 3, 1), slice([3])],
    "constants": [..., NotImplemented, None],
    "list": [[], (), {}, set(), [None], [[]], Row(), [1, 2], [2, 1], [1, 2, None]],
    "tuple": [(), ((),), (1, 2), (1, (2,)), ((1, 2),), ((1,), 2)],
    "dict": [
        {},
        {"a": 1},
        {"a": None},
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        {"a": 1.0},
        {b"a": 1},
        Table(a=1),
        types.MappingProxyType({"a": 1}),
        collections.OrderedDict(a=1),
        collections.Counter(a=1),
        collections.defaultdict(None, a=1),
        collections.defaultdict(int, a=1),
        collections.defaultdict(list, a=1),
        collections.ChainMap({"a": 1}),
        collections.ChainMap({"a": 1}, {}),
        types.SimpleNamespace(a=1),
        {"a": 1}.items(),
        collections.UserDict(a=1),
    ],
    "views": [{1: 2}.keys(), {1: 2}.values(), {1: 2}.items(), [1], {1}],
    "set": [set(), frozenset(), {1}, frozenset([1]), {1.0}, {True}, {1, 2}, Bag([1])],
    "deque": [*(collections.deque([1], size) for size in (None, 1, 2)), [1]],
    "array": [
        array.array("i", [1]),
        array.array("l", [1]),
        array.array("b", [1]),
        array.array("i", [1, 2]),
        [1],
    ],
    "memoryview": [
        memoryview(b"ab"),
        memoryview(b"ab")[:1],
        memoryview(bytearray(b"ab")),
        memoryview(b"ab").cast("b"),
        memoryview(b"abcd").cast("B", (2, 2)),
        memoryview(b"abcd"),
    ],
    "subclasses": [
        Text("a"),
        "a",
        with_attribute(Text("a"), lang="en"),
        with_attribute(Text("a"), lang="de"),
        Number(1),
        1,
        Row([1]),
        with_attribute(Row([1]), name="x"),
        Table(a=1),
        with_attribute(Table(a=1), name="x"),
        Bag([1]),
        with_attribute(Bag([1]), name="x"),
    ],
    "files in memory": [
        io.BytesIO(b"ab"),
        io.StringIO("ab"),
        io.StringIO("ab", newline="\r\n"),
        io.BytesIO(b"abc"),
    ],
    "patterns": [
        re.compile("a"),
        re.compile("a", re.IGNORECASE),
        re.compile(b"a"),
        "a",
    ],
    "types": [list[int], list[str], typing.Optional[int], int | str, int, list],  # noqa: UP045
    "exceptions": [
        ValueError("a"),
        ValueError("b"),
        TypeError("a"),
        ValueError(),
        with_attribute(ValueError("a"), code=1),
    ],
}


@pytest.mark.parametrize("values", DIFFERENT.values(), ids=DIFFERENT)
def test_different_values_have_different_digests(values):
    """No two of a row are equal in type and value."""
    digests = [digest(value) for value in values]
    for number, value in enumerate(values):
        assert digests.count(digests[number]) == 1, value


@pytest.mark.parametrize("values", DIFFERENT.values(), ids=DIFFERENT)
def test_copies_have_the_digest_of_the_original(values):
    """A deep copy is equal in type and value."""
    for value in values:
        if not isinstance(value, memoryview | types.MappingProxyType) and not (
            type(value).__name__.startswith("dict_")
        ):
            assert digest(copy.deepcopy(value)) == digest(value), value


@pytest.mark.parametrize("values", DIFFERENT.values(), ids=DIFFERENT)
def test_digests_inside_a_list_differ_too(values):
    """Also beside a neighbour that the encoding could run into."""
    digests = [digest([0, value, 0]) for value in values]
    assert len(set(digests)) == len(values)


def test_order_of_an_ordered_dict_is_its_own():
    """The dict underneath does not know of ``move_to_end``."""
    one = collections.OrderedDict(a=1, b=2)
    before = digest(one)
    one.move_to_end("a")
    assert digest(one) != before
    assert digest(one) == digest(collections.OrderedDict(b=2, a=1))


def test_position_in_a_file_counts():
    """Reading goes on from there."""
    one, other = io.BytesIO(b"ab"), io.BytesIO(b"ab")
    other.read(1)
    assert digest(one) != digest(other)


def test_a_closed_file_in_memory_is_refused():
    """It has no content any more."""
    one = io.BytesIO(b"ab")
    one.close()
    with pytest.raises(UnhashableValue, match="closed"):
        digest(one)


def test_a_released_memoryview_is_refused():
    """It has no content any more."""
    view = memoryview(b"ab")
    view.release()
    with pytest.raises(UnhashableValue, match="released"):
        digest(view)


def test_what_a_memoryview_shows_is_shared():
    """Writing through it changes the bytearray."""
    data = bytearray(b"ab")
    shared = digest([data, memoryview(data)])
    assert shared != digest([data, memoryview(bytearray(b"ab"))])


def test_time_zones_are_values():
    """Which object of an equal zone it is does not show."""
    times = [datetime.datetime(2020, 1, day, tzinfo=Zone(1)) for day in (1, 2)]
    zone = Zone(1)
    again = [datetime.datetime(2020, 1, day, tzinfo=zone) for day in (1, 2)]
    assert digest(times) == digest(again)


def test_a_zone_without_a_key_is_refused(tmp_path):
    """Nothing says which file it was read from."""
    for folder in zoneinfo.TZPATH:
        source = pathlib.Path(folder) / "Europe/Berlin"
        if source.exists():
            break
    else:
        pytest.skip("no zone files on this machine")
    with source.open("rb") as file:
        zone = zoneinfo.ZoneInfo.from_file(file)
    with pytest.raises(UnhashableValue, match="without a key"):
        digest(zone)


def test_how_others_pickle_exceptions_does_not_count(monkeypatch):
    """As dask has them pickled with tracebacks, from when it is imported."""
    before = digest(ValueError("a"))
    reducer = lambda error: (make_exception, (type(error), {"args": error.args}))  # noqa: E731
    monkeypatch.setitem(copyreg.dispatch_table, ValueError, reducer)
    assert digest(ValueError("a")) == before
    assert digest(ValueError("b")) != before


def make_exception(kind, attributes):
    return kind(*attributes["args"])


def test_an_exception_with_its_traceback_is_refused():
    """Its frames hold the variables of the functions that failed."""
    try:
        raise ValueError("a")
    except ValueError as error:
        caught = error
    with pytest.raises(UnhashableValue, match="with_traceback"):
        digest(caught)
    assert digest(caught.with_traceback(None))


def test_the_cause_of_an_exception_counts():
    """It is shown with it."""
    one, other = ValueError("a"), ValueError("a")
    other.__cause__ = KeyError("b")
    assert digest(one) != digest(other)


def test_members_of_enums_are_digested_with_what_they_carry():
    """Attributes that ``__init__`` sets, or somebody later."""

    class Planet(enum.Enum):
        EARTH = 1

    before = digest(Planet.EARTH)
    Planet.EARTH.mass = 5
    assert digest(Planet.EARTH) != before


def test_a_path_is_digested_by_its_text_alone():
    """What it has worked out meanwhile does not show."""
    one, other = pathlib.Path("a/b.txt"), pathlib.Path("a/b.txt")
    hash(other), other.suffix, other.parts, str(other)
    assert digest(one) == digest(other)


def test_overridden_methods_do_not_hide_content():
    """The items themselves count, not what ``__iter__`` makes of them."""

    class Odd(list):
        def __iter__(self):
            return iter(())

        def __len__(self):
            return 0

    assert digest(Odd([1])) != digest(Odd([2]))


def test_a_named_tuple_is_not_a_tuple():
    """Nor another one with the same fields."""
    one = collections.namedtuple("One", "a b")
    other = collections.namedtuple("Other", "a b")
    digests = {digest(value) for value in [one(1, 2), other(1, 2), (1, 2), one(2, 1)]}
    assert len(digests) == 4
    same = one(1, [2])
    assert digest([same, same]) == digest([same, one(1, same.b)])
