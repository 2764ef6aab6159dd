"""Trees: every kind of value comes back as it was, and hostile trees do no harm."""

import collections
import contextlib
import dataclasses
import datetime
import decimal
import enum
import fractions
import json
import math
import pathlib
import random
import re
import socket
import struct
import sys
import types
import typing
import uuid
import zoneinfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from round_trips import (
    assert_same,
    changed_trees,
    member_of,
    plain_data,
    round_trip,
    through_file,
)

from nbcache.errors import DamagedEntry, UnstorableValue
from nbcache.storage import codec

# ---------------------------------------------------------------- the user's classes


class Point(typing.NamedTuple):
    """A namedtuple with types."""

    x: object
    y: object


class NamedPoint(collections.namedtuple("NamedPoint", "x y")):
    """A namedtuple with a method."""

    __slots__ = ()

    def norm(self):
        """Give the length."""
        return abs(self.x) + abs(self.y)


class Color(enum.Enum):
    """An enumeration."""

    RED = 1
    GREEN = "g"


class Access(enum.Flag):
    """Flags, which can be combined."""

    READ = 1
    WRITE = 2


class Level(enum.IntEnum):
    """An enumeration of ints."""

    LOW = 1


@dataclasses.dataclass
class Model:
    """A dataclass with a dictionary."""

    name: str
    weights: object = None


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    """A dataclass with slots, whose attributes cannot be set."""

    a: int
    b: object


class Slotted:
    """A class with slots, one of them private."""

    __slots__ = ("__private", "a", "b")

    def __init__(self, a, private):
        self.a = a
        self.__private = private


class SlottedChild(Slotted):
    """Slots and a dictionary."""

    def __init__(self):
        super().__init__([1], "p")
        self.own = self


class Guarded:
    """A class whose attributes cannot be set from outside."""

    def __init__(self, value):
        vars(self)["value"] = value

    def __setattr__(self, name, value):
        raise AttributeError(name)


class Temperature:
    """A type of its own, registered by a test."""

    def __init__(self, values):
        self.values = values

    def __new__(cls, values):
        """Need what was written."""
        return super().__new__(cls)


class Rule:
    """Counts the classes of this module as the user's; their digest is their name."""

    def digest_of(self, cls):
        """Give the name."""
        return cls.__qualname__ if cls.__module__ == __name__ else None

    def resolve(self, module, qualname, digest):
        """Give the class of the name."""
        cls = globals().get(qualname)
        if cls is None or digest != qualname:
            raise LookupError(f"{qualname} is not the class it was")
        return cls


class Without(Rule):
    """The process in which the user's classes are gone."""

    def resolve(self, module, qualname, digest):
        """Give nothing."""
        raise LookupError(f"{qualname} is gone")


def cyclic_tuple():
    value = ([], 1)
    value[0].append(value)
    return value


VALUES = {
    "none": None,
    "bools": [True, False],
    "ints": [0, -1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**5000],
    "floats": [0.0, -0.0, 1e300, 5e-324, math.inf, -math.inf, math.nan],
    "nan_payload": struct.unpack("<d", b"\x01\0\0\0\0\0\xf8\xff")[0],
    "complex": complex(-0.0, math.nan),
    "texts": ["", "a", "é", "\0", "\ud800", "\ud83d\ude00", "😀", "x" * 5000],
    "bytes": [b"", b"\0\xff", bytes(1000)],
    "ellipsis": [..., NotImplemented],
    "list": [1, [2, [3, []]]],
    "tuple": (1, (2, ()), [3]),
    "dict": {"b": 1, "a": 2, 3: 4, (5, 6): 7, None: 8, 1.5: 9, b"k": 10, True: 11},
    "set": {1, "a", (2, 3), frozenset({4})},
    "frozenset": frozenset({1, frozenset({2})}),
    "bytearray": bytearray(b"abc"),
    "deque": collections.deque([1, [2]], maxlen=5),
    "unbounded_deque": collections.deque([1]),
    "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    "counter": collections.Counter("abca"),
    "long_counter": collections.Counter({i: i for i in range(100)}),
    "defaultdict": collections.defaultdict(list, {"a": [1]}),
    "no_factory": collections.defaultdict(None, {1: 2}),
    "simple": types.SimpleNamespace(a=1, b=[2]),
    "long_ints": list(range(-50, 50)),
    "long_big_ints": [2**70 + i for i in range(50)],
    "long_floats": [0.1 * i for i in range(50)] + [math.nan, -0.0],
    "long_texts": [chr(0xD7F0 + i) * (i % 3) for i in range(100)],
    "long_bytes": [bytes([i]) * (i % 3) for i in range(100)],
    "long_bools": [i % 3 == 0 for i in range(100)],
    "long_mixed": [1, 1.0, True, "1"] * 20,
    "long_scalars": [np.float32(i) for i in range(50)],
    "long_dict": {f"k{i}": i / 3 for i in range(100)},
    "long_dict_of_lists": {i: [i] for i in range(100)},
    "long_tuple": tuple(range(100)),
    "long_set": set(range(100)),
    "slice": slice(1, None, [2]),
    "range": range(10, 0, -3),
    "decimal": [decimal.Decimal(x) for x in ("1.10", "-0", "NaN123", "sNaN", "1E+99")],
    "fraction": fractions.Fraction(-3, 7),
    "uuid": uuid.UUID(int=5),
    "date": datetime.date(1, 2, 3),
    "naive": datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    "zone": datetime.datetime(
        2020, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")
    ),
    "fixed": datetime.datetime(
        2020, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2), "X")
    ),
    "utc": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "time": datetime.time(1, 2, 3, 4, fold=1),
    "timedelta": datetime.timedelta(-1, 2, 3),
    "timezone": datetime.timezone(datetime.timedelta(minutes=-5)),
    "paths": [pathlib.Path("/a/b"), pathlib.PurePosixPath("c"), pathlib.Path("\udcff")],
    "windows": pathlib.PureWindowsPath("C:\\x"),
    "builtin": len,
    "class": collections.OrderedDict,
    "functions": [np.mean, np.sin, math.sqrt, json.dumps],
    "module": math,
    "submodule": np.linalg,
    "stdlib_enum": [socket.AF_INET, re.IGNORECASE, re.IGNORECASE | re.MULTILINE],
    "user_class": [Model, Model],
    "enum": [Color.RED, Color.GREEN, Level.LOW],
    "flags": [Access.READ, Access.READ | Access.WRITE, Access(0)],
    "namedtuple": [Point(1, [2]), NamedPoint(3, 4)],
    "instance": Model("m", np.arange(3)),
    "frozen_slots": Frozen(1, [2]),
    "slots": Slotted([1], "p"),
    "slots_and_dict": SlottedChild(),
    "guarded": Guarded([1]),
    "cyclic_tuple": cyclic_tuple(),
}


@pytest.mark.parametrize("name", VALUES)
def test_value_comes_back(name):
    """In type, value and order, without pickle."""
    value = VALUES[name]
    read = round_trip({"value": value}, classes=Rule())["value"]
    assert_same(value, read)


def test_all_values_in_one_file(tmp_path):
    """Everything in one tree, through a real entry file."""
    read = through_file(tmp_path / "x.npz", VALUES, classes=Rule())
    assert_same(VALUES, read)


def test_nothing_of_these_is_pickled():
    """None of the plain kinds needs the user's signature."""
    assert codec.encode(VALUES, classes=Rule()).pickled == ()


# ---------------------------------------------------------------- numpy

_FIELDS = np.dtype([("a", "<i4"), ("b", ">f8", (2,)), ("c", "U3")])

ARRAYS = {
    "one": np.arange(5.0),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "fortran_small": np.asfortranarray(np.arange(6, dtype="i1").reshape(2, 3)),
    "fortran_large": np.asfortranarray(np.arange(6000).reshape(60, 100)),
    "scalar": np.array(3.5),
    "empty": np.empty((0, 3), "f4"),
    "empty_fortran": np.empty((3, 0), order="F"),
    "big_endian": np.arange(3, dtype=">u2"),
    "bool": np.array([True, False]),
    "half": np.array([1, np.nan], "f2"),
    "long_double": np.array([1.5, np.inf], np.longdouble),
    "complex": np.array([1j, complex(math.nan, -0.0)]),
    "text": np.array(["a", "b\0c", "é"]),
    "bytes": np.array([b"a", b""]),
    "empty_text": np.array(["", ""]),
    "void": np.array([b"ab", b"c\0"], "V2"),
    "dates": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "steps": np.array([1, 2], "m8[25us]"),
    "fields": np.zeros(3, _FIELDS),
    "aligned": np.zeros(3, np.dtype("i1,f8", align=True)),
    "titles": np.zeros(2, [(("title", "a"), "i4")]),
    "overlapping": np.zeros(
        2, {"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]}
    ),
    "many_fields": np.zeros(2, [(f"field_{i:04}", "f4") for i in range(1000)]),
    "unicode_fields": np.zeros(2, [("größe", "f4"), ("長さ", "i2")]),
    "no_fields": np.zeros(3, np.dtype([])),
    "record": np.rec.array([(1, 2.0)], dtype="i4,f8"),
    "matrix": np.arange(4).reshape(2, 2).view(np.matrix),
    "objects": np.array([1, "a", None, [2], np.arange(2)], dtype=object),
    "objects_0d": np.array({"a": 1}, dtype=object),
    "objects_2d": np.array([[1, 2], ["a", None]], dtype=object, order="F"),
    "objects_empty": np.empty((0, 2), object),
    "objects_of_arrays": np.array([np.arange(2), np.array(3), None], dtype=object),
    "objects_of_text": np.array([f"t{i}" for i in range(100)], dtype=object),
    "masked": np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=-1),
    "masked_none": np.ma.array([1.0, 2.0]),
    "masked_hard": np.ma.array([[1, 2]], mask=[[0, 1]], hard_mask=True),
    "masked_fields": np.ma.zeros(2, _FIELDS),
    "masked_constant": np.ma.masked,
    "scalars": [
        np.float32(1),
        np.int64(-1),
        np.bool_(True),
        np.datetime64("2020", "D"),
        np.datetime64("NaT", "us"),
        np.timedelta64(3, "ms"),
        np.complex64(1j),
        np.str_("a\0"),
        np.bytes_(b"a\0"),
        np.longdouble(1) / 3,
        np.void(b"ab"),
        np.zeros((), _FIELDS)[()],
        np.uint8(255),
    ],
    "dtypes": [
        np.dtype("<f8"),
        np.dtype(">f8"),
        np.dtype(object),
        np.dtype("M8[ns]"),
        _FIELDS,
        np.dtype(("i4", (2, 3))),
        np.dtype([("o", object)]),
    ],
    "rng": [np.random.default_rng(1), np.random.default_rng([1, 2]).spawn(2)[1]],
    "bits": [
        getattr(np.random, name)(3)
        for name in ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
    ],
    "old_rng": np.random.RandomState(5),
    "seeds": np.random.SeedSequence(3, spawn_key=(1, 2)),
    "python_rng": random.Random(4),
}

if hasattr(np.dtypes, "StringDType"):  # numpy 2
    ARRAYS |= {
        "string": np.array(["a", "", "é\0"] * 20, np.dtypes.StringDType()),
        "string_missing": np.array(
            ["a", math.nan], np.dtypes.StringDType(na_object=math.nan, coerce=False)
        ),
        "string_none": np.array(["a", None], np.dtypes.StringDType(na_object=None)),
        "string_dtype": [np.dtypes.StringDType()],
    }


@pytest.mark.parametrize("name", ARRAYS)
def test_array_comes_back(name, tmp_path):
    """In class, dtype, shape, order and bytes, through a real file."""
    value = ARRAYS[name]
    for values in ({"value": value}, {"nested": [value, 1]}):
        read = through_file(tmp_path / "x.npz", values)
        assert_same(values, read)
        assert codec.encode(values).pickled == ()


@pytest.mark.parametrize("name", ARRAYS)
def test_numpy_load_reads_an_array_by_its_name(name, tmp_path):
    """`np.load(file)["value"]` gives a plain array, whatever its dtype."""
    value = ARRAYS[name]
    through_file(tmp_path / "x.npz", {"value": value})
    with np.load(tmp_path / "x.npz", allow_pickle=False) as loaded:
        for member in loaded.files:
            assert isinstance(loaded[member], np.ndarray)
        if type(value) is np.ndarray and not value.dtype.hasobject:
            assert loaded["value"].tobytes() == value.tobytes()


@pytest.mark.parametrize(
    "name",
    ["__nbcache__", "__nbcache__/1", "../x", "a/b", "", "x y", "x" * 300, "\ud800"],
)
def test_names_that_are_no_identifiers_never_name_a_member(name):
    """A name cannot escape, nor collide with what is ours."""
    encoded = codec.encode({name: np.arange(3)})
    assert all(member.startswith("__nbcache__/") for member in encoded.members)
    assert round_trip({name: np.arange(3)})[name].tolist() == [0, 1, 2]


def test_one_array_under_two_names():
    """The first name gets the member; both names get the one array."""
    array = np.arange(3)
    encoded = codec.encode({"x": array, "y": array})
    assert list(encoded.members) == ["x"]
    read = round_trip({"x": array, "y": array})
    assert read["x"] is read["y"]


def test_generators_continue_where_they_stopped():
    """A generator gives the same numbers next, and shares its bits as before."""
    rng, old, python = ARRAYS["rng"][0], np.random.RandomState(5), random.Random(4)
    rng.random(3), old.normal(), python.gauss(0, 1)
    same_bits = np.random.Generator(rng.bit_generator)
    read = round_trip({"a": rng, "b": old, "c": python, "d": same_bits})
    assert read["a"].bit_generator is read["d"].bit_generator
    assert read["a"].random() == rng.random()
    assert read["b"].normal() == old.normal()
    assert read["c"].gauss(0, 1) == python.gauss(0, 1)
    assert read["a"].spawn(1)[0].random() == rng.spawn(1)[0].random()


def test_the_global_generators_stay_the_global_ones():
    """`np.random.mtrand._rand` is not copied."""
    value = [np.random.mtrand._rand, random._inst]
    read = round_trip({"x": value})["x"]
    assert read[0] is value[0]
    assert read[1] is value[1]


def test_memmap_comes_back_as_memmap(tmp_path):
    """A mapped file becomes an array of the same class; the data is the entry's."""
    mapped = np.memmap(tmp_path / "data", "f4", "w+", shape=(3,))
    mapped[:] = [1, 2, 3]
    read = round_trip({"x": mapped})["x"]
    assert type(read) is np.memmap
    assert read.tolist() == [1, 2, 3]


def test_dtype_with_metadata_is_kept():
    """What an npy header cannot hold is pickled."""
    array = np.zeros(3, np.dtype("f8", metadata={"unit": "m"}))
    read = round_trip({"x": array}, allow_pickle=True)["x"]
    assert read.dtype.metadata == {"unit": "m"}


def test_many_small_arrays_share_one_member():
    """Ten thousand arrays do not make ten thousand members."""
    same = [np.full(3, i) for i in range(10_000)]
    ragged = tuple(np.arange(i % 7) for i in range(1000))
    mixed = {i: np.full(i % 3, 1, f"i{1 << i % 4}") for i in range(1000)}
    shapes = [np.full((i % 4 + 1, 2), i, f"f{4 << i % 2}") for i in range(1000)]
    empty = [np.zeros((i % 2, 2), f"f{4 << i % 2}") for i in range(5000)]
    values = {"same": same, "ragged": ragged, "mixed": mixed}
    values |= {"shapes": shapes, "empty": empty}
    encoded = codec.encode(values)
    assert len(encoded.members) < 12
    assert_same(values, round_trip(values))


def test_long_lists_that_begin_with_an_array():
    """What follows may be anything: objects, bytes, repeated, views, other arrays."""
    array = np.arange(4)
    others = [
        np.array([1, None], dtype=object),
        bytearray(b"abc"),
        np.ma.array([1, 2]),
        np.array(3),
        array[1:],
        np.zeros(2, np.dtype("i1,f8", align=True)),
        np.asfortranarray(np.ones((2, 3))),
        None,
        [array],
    ]
    empty = {"x": [np.zeros(0)] * 1 + [np.zeros((0, 2)) for _ in range(2000)]}
    assert_same(empty, round_trip(empty))
    for other in others:
        values = {"x": [np.zeros(2)] + [np.ones(i % 3) for i in range(40)] + [other]}
        values["y"] = array
        assert_same(values, round_trip(values))


def test_long_lists_of_arrays_that_something_else_knows():
    """A view, a name, a leaf, another list: each array stays one, stored once."""
    first = [np.full(3, i) for i in range(50)]
    second = [np.full(2, i) for i in range(50)]
    for other in (first[3], first[3][1:], [first[3]] * 20, dict(enumerate(first))):
        values = {"a": first, "b": second, "other": other}
        assert_same(values, round_trip(values))
        encoded = codec.encode(values)
        assert sum(array.nbytes for array in encoded.members.values()) < 6000
    values = {"a": first, "leaf": collections.ChainMap({"x": first[3]}), "b": second}
    read = round_trip(values, allow_pickle=True)
    assert read["leaf"]["x"] is read["a"][3]
    live = {"in": first}
    read = round_trip({"x": [*first], "y": [*second]}, live=live)
    assert read["x"][5] is first[5]


def test_members_of_a_stack_are_independent():
    """Writing to one array of a list leaves the others alone."""
    values = [np.full(3, i) for i in range(100)]
    read = round_trip({"x": values})["x"]
    read[0][:] = -1
    assert read[1].tolist() == [1, 1, 1]


def test_list_of_one_array_many_times_stays_one():
    """A repeated array is not stacked."""
    array = np.arange(3)
    read = round_trip({"x": [array] * 50, "y": array})
    assert all(item is read["y"] for item in read["x"])


# ---------------------------------------------------------------- references


@pytest.mark.parametrize("name", [*VALUES, *ARRAYS])
def test_repeated_value_comes_back(name):
    """Whatever it is, it may stand in a tree any number of times."""
    value = (VALUES | ARRAYS)[name]
    parts = list(value) if isinstance(value, list) else [value]
    values = {"a": parts, "b": [parts[0], {"k": parts[-1]}], "c": (parts[0], parts)}
    assert_same(values, round_trip(values, classes=Rule()))


def test_shared_objects_stay_shared_within_and_between_names():
    """`b = a` and `[a, a]` hold one list afterwards too."""
    a = [1]
    values = {"a": a, "b": a, "c": [a, a, {"k": a}, (a,)], "d": [1]}
    read = round_trip(values)
    assert_same(values, read)
    assert read["a"] is read["b"] is read["c"][0] is read["c"][2]["k"]
    assert read["d"] is not read["a"]


def test_cycles_of_every_container():
    """Lists, dicts, instances, deques, arrays of objects that contain themselves."""
    a: list = []
    a.append(a)
    d: dict = {}
    d["self"] = d
    m = Model("m")
    m.weights = [m]
    q: collections.deque = collections.deque()
    q.append((q,))
    o = np.empty(2, object)
    o[0], o[1] = o, [o]
    n = types.SimpleNamespace()
    n.me = n
    k: collections.defaultdict = collections.defaultdict(list)
    k[1] = (k, [k])
    values = {"a": a, "d": d, "m": m, "q": q, "o": o, "n": n, "k": k}
    read = round_trip(values, classes=Rule())
    assert_same(values, read)


def test_an_instance_that_is_a_key_of_what_it_holds_is_refused():
    """Its hash could not be taken while it is made."""
    model = Guarded({})
    model.value[model] = 1
    with pytest.raises(UnstorableValue, match="holds"):
        codec.encode({"m": model}, classes=Rule())


def test_attributes_of_an_instance_and_the_instance():
    """`vars(m)` stays the very dictionary of m, whichever comes first."""
    m = Model("m", [1])
    for values in ({"m": m, "d": vars(m)}, {"d": vars(m), "m": m}):
        read = round_trip(values, classes=Rule())
        assert vars(read["m"]) is read["d"]
        assert read["m"].name == "m"


def test_deep_nesting_is_kept():
    """Four hundred levels are no reason to refuse."""
    value: list = []
    for _ in range(400):
        value = [value]
    read = round_trip({"x": value}, allow_pickle=True)["x"]
    depth = 0
    while read:
        (read,) = read
        depth += 1
    assert depth == 400


# ---------------------------------------------------------------- live objects


@pytest.fixture
def live():
    model = Model("m", {"w": [1]})
    return {"d": {"k": [1], ("t",): [2], 5: ([3],)}, "m": model, "a": np.arange(10)}


def test_live_objects_and_their_parts_are_referred_to(live):
    """What is live comes back as the very object, at any depth."""
    d, m = live["d"], live["m"]
    values = {
        "same": d,
        "part": d["k"],
        "by_tuple": d["t",],
        "nested": d[5][0],
        "attribute": m.weights["w"],
        "inside": [m, {"x": d["k"]}],
        "array": live["a"],
    }
    encoded = codec.encode(values, live=live, classes=Rule())
    assert encoded.members == {}
    read = round_trip(values, live=live, classes=Rule())
    for name in ("same", "part", "by_tuple", "nested", "attribute", "array"):
        assert read[name] is values[name], name
    assert read["inside"][0] is m
    assert read["inside"][1]["x"] is d["k"]


def test_other_process_resolves_live_objects_by_name_and_path(live):
    """The objects of the same name there are taken, not copies of those here."""
    encoded = codec.encode({"x": live["d"][5][0]}, live=live)
    there = {"d": {"k": 0, ("t",): 0, 5: (["other"],)}}
    read = codec.decode(encoded.tree, member_of(encoded), live=there)
    assert read["x"] is there["d"][5][0]


@pytest.mark.parametrize("there", [{}, {"d": {}}, {"d": []}, {"d": None}])
def test_live_object_that_is_missing_is_a_lookup_error(live, there):
    """The entry is whole; this process lacks what it refers to."""
    encoded = codec.encode({"x": live["d"]["k"]}, live=live)
    with pytest.raises(LookupError, match="'d'"):
        codec.decode(encoded.tree, member_of(encoded), live=there)


def test_live_objects_are_never_changed(live):
    """Decoding makes new objects only."""
    before = repr(live)
    round_trip({"x": [live["d"], live["a"][2:]]}, live=live)
    assert repr(live) == before


def test_values_whose_identity_never_shows_are_stored_though_live():
    """The empty tuple, classes, enumerations are the same everywhere."""
    live = {"d": {"t": (), "c": dict, "m": Color.RED, "z": datetime.UTC, "n": np.sin}}
    values = {"x": [(), dict, Color.RED, datetime.UTC, np.sin]}
    encoded = codec.encode(values, live=live, classes=Rule())
    read = codec.decode(encoded.tree, member_of(encoded), classes=Rule())
    assert read == values


def test_live_tuple_by_name_is_referred_to():
    """`b = a` costs nothing, however long the tuple is."""
    live = {"a": tuple(range(10_000))}
    encoded = codec.encode({"b": live["a"]}, live=live)
    assert encoded.members == {}
    assert round_trip({"b": live["a"]}, live=live)["b"] is live["a"]


def test_mutable_parts_of_live_tuples_are_referred_to():
    """The list in a tuple in a list is that list."""
    live = {"a": [([1], {"k": [2]})]}
    values = {"x": live["a"][0], "y": live["a"][0][1]["k"]}
    read = round_trip(values, live=live)
    assert read["x"][0] is live["a"][0][0]
    assert read["y"] is live["a"][0][1]["k"]


# ---------------------------------------------------------------- classes


def test_classes_are_listed_with_their_digest():
    """The entry says which classes it depends on."""
    encoded = codec.encode({"m": Model("a"), "c": Color.RED}, classes=Rule())
    assert set(encoded.classes) == {
        (__name__, "Model", "Model"),
        (__name__, "Color", "Color"),
    }


def test_class_that_is_gone_is_a_lookup_error_with_the_reason():
    """The rule's reason reaches the caller."""
    encoded = codec.encode({"m": Model("a")}, classes=Rule())
    with pytest.raises(LookupError, match="Model is gone"):
        codec.decode(encoded.tree, member_of(encoded), classes=Without())
    with pytest.raises(LookupError, match="Model"):
        codec.decode(encoded.tree, member_of(encoded))


def test_constructors_are_not_called():
    """Instances are made without `__init__`, attributes without `__setattr__`."""
    read = round_trip({"x": Guarded(5)}, classes=Rule())["x"]
    assert type(read) is Guarded
    assert vars(read) == {"value": 5}


@pytest.fixture
def registered():
    codec.register_type(Temperature, lambda t: {"v": t.values}, _temperature, "temp")
    yield
    from nbcache.storage import codec_classes, codec_nodes

    codec_nodes.encoders.pop(Temperature, None)
    codec_classes._registered.pop("temp", None)


def _temperature(tree):
    return Temperature(tree["v"])


@pytest.mark.usefixtures("registered")
def test_registered_type_is_written_and_read_by_its_functions():
    """Its parts are stored like any other, references included."""
    array = np.arange(3)
    t = Temperature(array)
    read = round_trip({"t": t, "again": [t], "a": array})
    assert type(read["t"]) is Temperature
    assert read["t"] is read["again"][0]
    assert read["t"].values is read["a"]


def test_unregistered_type_is_a_lookup_error(registered):
    """Entries with a type nobody registered say so."""
    from nbcache.storage import codec_classes

    encoded = codec.encode({"t": Temperature([1])})
    del codec_classes._registered["temp"]
    with pytest.raises(LookupError, match="'temp'"):
        codec.decode(encoded.tree, member_of(encoded))


@pytest.mark.usefixtures("registered")
def test_registered_type_that_contains_itself_is_refused():
    """It could not be made before its parts."""
    t = Temperature(None)
    t.values = [t]
    with pytest.raises(UnstorableValue, match="contains itself"):
        codec.encode({"t": t})


# ---------------------------------------------------------------- hostile trees


HOSTILE = [
    None,
    [],
    {},
    {"values": None},
    {"values": [["x"]]},
    {"values": [[["list", []], 1]]},
    {"values": [["x", {}]]},
    {"values": [["x", []]]},
    {"values": [["x", ["list"]]]},
    {"values": [["x", ["nothing", None]]]},
    {"values": [["x", [["list"], None]]]},
    {"values": [["x", ["list", None]]]},
    {"values": [["x", ["list", {"int": 5}]]]},
    {"values": [["x", ["list", {"evil": 5}]]]},
    {"values": [["x", ["=", 0]]]},
    {"values": [["x", ["=", {}]]]},
    {"values": [["x", ["a", "missing"]]]},
    {"values": [["x", ["a", [0, "<f8", [1 << 60]]]]], "small": 0},
    {"values": [["x", ["a", [0, "O", [1]]]]], "small": 0},
    {"values": [["x", ["a", [-8, "<f8", [1]]]]], "small": 0},
    {"values": [["x", ["a", [(1 << 63) - 1, "<f8", [1]]]]], "small": 0},
    {"values": [["x", ["a", [1, "<f8", [1]]]]], "small": 0},
    {"values": [["x", ["a", [0, "<f8", [1 << 31, 1 << 31, 1 << 2]]]]], "small": 0},
    {"values": [["x", ["a", [0, "<f8", [-1]]]]], "small": 0},
    {"values": [["x", ["a", {"in": 0, "dtype": "O"}]]]},
    {"values": [["x", ["list", {"int": [0, "|V0", [1 << 40]]}]]], "small": 0},
    {"values": [["x", ["list", {"stack": [0, "<f8", [1 << 40, 0]]}]]], "small": 0},
    {"values": [["x", ["list", {"stacks": [[[0, "<f8", [1]]], [0, "<i4", [2]]]}]]]},
    {"values": [["x", ["list", {"stacks": [[[0, "<f8", []]], [0, "<i4", [2]]]}]]]},
    {"values": [["x", ["list", {"stacks": [[], [0, "<i4", [2]]]}]]]},
    {"values": [["x", ["text", 1 << 33]]]},
    {"values": [["x", ["scalar", ["|b1", 1 << 33]]]]},
    {"values": [["x", ["objects", ["O", [1 << 33, [1]], 0, [1]]]]]},
    {"values": [["x", ["SeedSequence", [1, ["tuple", []], 1 << 33, 0]]]]},
    {"values": [["x", ["SeedSequence", [["a", 0], ["tuple", []], 4, 0]]]]},
    {"values": [["x", ["view", [["a", 0], "<f8", [0, [9], [8], True]]]]]},
    {"values": [["x", ["view", [["a", 0], "<f8", [-64, [1], [8], True]]]]]},
    {"values": [["x", ["view", [["a", 0], "<f8", [0, [2], [1 << 40], True]]]]]},
    {"values": [["x", ["view", [["a", 0], "O", [0, [1], [8], True]]]]]},
    {"values": [["x", ["objects", ["O", [1 << 50], 0, []]]]]},
    {"values": [["x", ["objects", ["O", [-1], 0, []]]]]},
    {"values": [["x", ["objects", ["<f8", [0], 0, []]]]]},
    {
        "values": [
            ["x", ["objects", ["O", [1], 0, [1], [1, 1, [8, [1], [8], True]]]]],
        ]
    },
    {
        "values": [
            ["x", ["objects", ["O", [1], 0, [1], [1, 1 << 50, [0, [1], [8], True]]]]],
        ]
    },
    {"values": [["x", ["dict", [["list", []], 1]]]]},
    {"values": [["x", ["dict", ["k"]]]]},
    {"values": [["x", ["set", [[["list", []]]]]]]},
    {"values": [["x", ["datetime", [1, 2]]]]},
    {"values": [["x", ["ZoneInfo", "../../etc/passwd"]]]},
    {"values": [["x", ["Decimal", "x"]]]},
    {"values": [["x", ["Fraction", [1, 0]]]]},
    {"values": [["x", ["bytes", "zz"]]]},
    {"values": [["x", ["float", -1]]]},
    {"values": [["x", ["deque", [-1, []]]]]},
    {"values": [["x", ["bits", ["PCG64", None, None]]]]},
    {"values": [["x", ["bits", ["getattr", None, None]]]]},
    {"values": [["x", ["Generator", [5]]]]},
    {"values": [["x", ["object", [["name", ["builtins", "int"]], None, []]]]]},
    {"values": [["x", ["namedtuple", [["name", ["builtins", "tuple"]], []]]]]},
    {"values": [["x", ["member", [["name", ["builtins", "int"]], "x"]]]]},
    {"values": [["x", ["vars", 5]]]},
    {"values": [["x", ["dtype", "O,O"]]]},
    {"values": [["x", ["scalar", ["<f8", ["bytes", "00"]]]]]},
    {"values": [["x", ["masked", [5, None, None, 0]]]]},
    {"values": [["x", ["subclass", ["matrix", 5]]]]},
    {"values": [["x", ["subclass", ["getattr", ["a", 0]]]]]},
    {"values": [["x", ["seq", []]]]},
    {"values": [["x", ["tuple", [["=", 0]], 0]]]},
    {"values": [["x", ["=", 0]]], "extra": [["tuple", [["=", 0]], 0]]},
    {"values": [["x", 1]], "extra": [["list", []]]},
]


@pytest.mark.parametrize("tree", HOSTILE)
def test_hostile_tree_is_damage(tree):
    """Whatever it holds, it is refused as damaged, before memory or time is spent."""

    def read(name):
        return np.zeros(8, np.uint8) if name.endswith("0") else fail(name)

    def fail(name):
        raise DamagedEntry(f"no member {name}")

    with pytest.raises(DamagedEntry):
        codec.decode(tree, read)


def test_deep_tree_is_damage():
    """A tree as deep as JSON can be is no RecursionError."""
    node: list = []
    for _ in range(100_000):
        node = ["list", [node]]
    with pytest.raises(DamagedEntry):
        codec.decode({"values": [["x", node]]}, None)


def test_exponential_key_is_damage():
    """Hashing nested shared tuples would take for ever."""
    extra = [["tuple", [1], 0]]
    extra += [["tuple", [["=", i], ["=", i]], i + 1] for i in range(100)]
    tree = {"values": [["x", ["set", [[["=", 100]]]]]], "extra": extra}
    with pytest.raises(DamagedEntry):
        codec.decode(tree, None)


@pytest.mark.parametrize(
    "node",
    [
        ["name", ["os", "system"]],
        ["name", ["nothing.such", "f"]],
        ["name", ["os", "environ"]],
        ["module", "antigravity"],
        ["class", 0],
    ],
)
def test_names_are_never_imported_nor_run(node, monkeypatch):
    """A tree names only what is loaded and is function or class, or is refused."""
    monkeypatch.delitem(sys.modules, "antigravity", raising=False)
    tree = {"values": [["x", node]], "classes": [["os", "system", "d"]]}
    try:
        value = codec.decode(tree, None)["x"]
    except LookupError:
        assert "antigravity" not in sys.modules
    else:
        assert callable(value)


def _nodes():
    from nbcache.storage.codec_nodes import decoders

    names = st.sampled_from(sorted(decoders))
    return st.recursive(
        plain_data(),
        lambda inner: (
            st.tuples(names, st.lists(inner, max_size=4) | inner).map(list)
            | st.tuples(names, st.lists(inner, max_size=4), st.integers(0, 3)).map(list)
        ),
        max_leaves=20,
    )


@settings(max_examples=500, deadline=None)
@given(node=_nodes(), extra=st.lists(_nodes(), max_size=2))
def test_random_trees_end_in_a_value_or_a_known_error(node, extra):
    """No tree makes decode fail with anything but its documented errors."""
    tree = {"values": [["x", node]], "extra": extra, "small": 0}
    with contextlib.suppress(DamagedEntry, LookupError, PermissionError):
        codec.decode(tree, lambda name: np.arange(64, dtype=np.uint8))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_trees_end_in_a_value_or_a_known_error(data):
    """One part of a real tree replaced by another, or by anything."""
    known = VALUES | ARRAYS
    name = data.draw(st.sampled_from(sorted(known)))
    encoded = codec.encode({name: known[name]}, classes=Rule())
    tree = data.draw(changed_trees(encoded))
    with contextlib.suppress(DamagedEntry, LookupError, PermissionError):
        codec.decode(tree, member_of(encoded), classes=Rule())


# ---------------------------------------------------------------- properties

_ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=40)
    | st.binary(max_size=80)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([Color.RED, np.sin, dict, math, slice(1), range(3)])
)
_HASHABLE = st.recursive(
    st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.booleans(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
_DTYPES = (
    nps.scalar_dtypes()
    | nps.unicode_string_dtypes()
    | nps.array_dtypes(nps.scalar_dtypes(), max_size=3)
)
_ARRAYS = nps.arrays(_DTYPES, nps.array_shapes(min_dims=0, min_side=0, max_side=4))


def _objects(items):
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array


_MAKERS = [
    list,
    tuple,
    collections.deque,
    _objects,
    lambda items: Model("m", items),
    lambda items: dict(enumerate(items)),
    lambda items: types.SimpleNamespace(**{f"a{i}": x for i, x in enumerate(items)}),
]


@st.composite
def _graphs(draw):
    """Give values that share parts and contain themselves."""
    pool = [draw(_ATOMS | _ARRAYS) for _ in range(draw(st.integers(1, 5)))]
    pool.append(draw(st.sets(_HASHABLE, max_size=3)))
    pool.append(draw(st.dictionaries(_HASHABLE, st.sampled_from(pool), max_size=3)))
    for _ in range(draw(st.integers(1, 6))):
        items = draw(st.lists(st.sampled_from(pool), max_size=4))
        pool.append(draw(st.sampled_from(_MAKERS))(items))
    for value in pool:
        if isinstance(value, list | collections.deque):
            value.extend(draw(st.lists(st.sampled_from(pool), max_size=2)))
    return {name: draw(st.sampled_from(pool)) for name in ("x", "y", "z")}


@settings(max_examples=300, deadline=None)
@given(values=_graphs())
def test_generated_values_come_back(values):
    """decode(encode(x)) is x in value, type, order and references."""
    assert_same(values, round_trip(values, classes=Rule()))


@settings(max_examples=200, deadline=None)
@given(array=_ARRAYS, fortran=st.booleans(), reverse=st.booleans())
def test_generated_arrays_come_back(array, fortran, reverse):
    """Every dtype, shape and order."""
    array = np.asfortranarray(array) if fortran and array.ndim else array
    array = array[::-1] if reverse and array.ndim else array
    assert_same({"x": array}, round_trip({"x": array}))


def test_what_cannot_be_stored_leaves_no_hold_on_memory():
    """A bytearray can be resized afterwards, though the error is still at hand."""
    raw = bytearray(b"abc")
    for other in (1, (x for x in [])):
        try:
            codec.encode({"raw": raw, "other": other})
        except UnstorableValue as error:
            held = error
        raw += b"d"
    assert held
