"""Hypothesis strategies for values, and what can be changed about a value."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import math
import pathlib
import uuid
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Pair = collections.namedtuple("Pair", "first second")


@dataclass
class Record:
    """A user's mutable class with fields."""

    name: str
    items: list = field(default_factory=list)


@dataclass(frozen=True)
class Point:
    """A user's immutable class."""

    x: object
    y: object


class Thing:
    """A user's class without declared fields."""

    def __init__(self, **held):
        vars(self).update(held)


# --- plain values

texts = st.text(st.characters(), max_size=8)  # lone surrogates too
numbers = st.integers() | st.floats() | st.complex_numbers() | st.booleans()
atoms = st.none() | numbers | texts | st.binary(max_size=8) | st.just(...)


def containers(inner):
    """Lists, tuples and dicts of other values."""
    return (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    )


keys = texts | st.integers()


def plain(max_leaves=12):
    """Lists, tuples and dicts of atoms, in each other."""
    return st.recursive(atoms, containers, max_leaves=max_leaves)


def hashables(max_leaves=6):
    """What can be a key or the element of a set."""
    return st.recursive(
        atoms | immutables,
        lambda inner: (
            st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3)
        ),
        max_leaves=max_leaves,
    )


# deferred: a recursive strategy spells out the strategies inside it
few = st.deferred(lambda: hashables(3))

# --- the standard library

zones = st.sampled_from(
    [
        None,
        datetime.UTC,
        datetime.timezone(datetime.timedelta(hours=2)),
        datetime.timezone(datetime.timedelta(0), "zero"),
    ]
)
immutables = (
    st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.times(timezones=zones)
    | st.datetimes(timezones=zones)
    | st.timedeltas()
    | st.uuids()
    | st.sampled_from([pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("a")])
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9))
    | st.builds(fractions.Fraction, st.integers(), st.integers(1, 9))
)


def standard(inner):
    """Collections and user classes around other values."""
    return (
        st.lists(inner, max_size=3).map(collections.deque)
        | st.dictionaries(texts, inner, max_size=3).map(collections.OrderedDict)
        | st.builds(Pair, inner, inner)
        | st.builds(Record, texts, st.lists(inner, max_size=2))
        | st.builds(Point, inner, inner)
        | st.dictionaries(st.sampled_from(["a", "b", "_c"]), inner, max_size=3).map(
            lambda held: Thing(**held)
        )
        | st.sets(few, max_size=3)
        | st.frozensets(few, max_size=3)
        | st.binary(max_size=4).map(bytearray)
    )


# --- numpy and pandas

# numpy pickles the other byte order as its own
dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="=")
    | hnp.floating_dtypes(endianness="=", sizes=(16, 32, 64))
    | hnp.complex_number_dtypes(endianness="=", sizes=(64, 128))
    | hnp.datetime64_dtypes(endianness="=")
    | hnp.timedelta64_dtypes(endianness="=")
    | hnp.unicode_string_dtypes(endianness="=", max_len=4)
    | hnp.byte_string_dtypes(max_len=4)
    | st.just(np.dtype([("a", "<i2"), ("b", "<f8")]))
)


@st.composite
def arrays(draw, max_side=4):
    """C- or F-ordered arrays of many dtypes, 0-d ones too."""
    shape = draw(
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=max_side)
    )
    array = draw(hnp.arrays(draw(dtypes), shape))
    return np.asfortranarray(array) if array.ndim and draw(st.booleans()) else array


def _column(length):
    many = {"min_size": length, "max_size": length}
    missing = st.none()
    words = st.text("abc", max_size=3)
    return st.one_of(
        st.lists(st.floats(), **many).map(pd.array),
        st.lists(st.integers(-9, 9), **many).map(np.array),
        st.lists(words | missing, **many).map(lambda v: pd.array(v, "str")),
        st.lists(words, **many).map(lambda v: np.array(v, object)),
        st.lists(st.integers(0, 9) | missing, **many).map(
            lambda v: pd.array(v, "Int16")
        ),
        st.lists(st.sampled_from("xyz"), **many).map(pd.Categorical),
        st.lists(st.integers(0, 10**6), **many).map(
            lambda v: pd.array(np.array(v, "M8[s]"))
        ),
    )


@st.composite
def frames(draw, max_rows=4):
    """Frames with columns of several kinds."""
    length = draw(st.integers(0, max_rows))
    names = draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=True))
    columns = {name: draw(_column(length)) for name in names}
    return pd.DataFrame(columns, index=pd.RangeIndex(length))


def values(max_leaves=8):
    """All of the above inside each other."""
    return st.recursive(
        _leaves,
        lambda inner: containers(inner) | _standard(inner),
        max_leaves=max_leaves,
    )


_leaves = st.deferred(lambda: atoms | immutables | arrays(3) | frames(3))


def _standard(inner):
    return st.deferred(lambda: standard(inner))


# --- what can be changed


def changes(value):
    """Yield copies of a value with one thing changed.

    Of atoms: another value, the same value of another type.  Of collections: an item
    less, one more, two swapped, one changed, another kind.
    """
    kind = type(value)
    if kind in (bool, int, float, complex, str, bytes) or value is None:
        yield from _atom_changes(value)
    elif kind is dict:
        yield from _dict_changes(value)
    elif kind in (list, tuple):
        yield from _sequence_changes(value, kind)
    elif kind is np.ndarray:
        yield from _array_changes(value)


def _atom_changes(value):
    yield [value]
    yield (value,)
    yield repr(value) + "'"
    if isinstance(value, bool | int | float):
        if not (isinstance(value, float) and (math.isnan(value) or math.isinf(value))):
            yield value + 1 if abs(value) < 2**53 else value / 2 + 1
            yield str(value)
            yield decimal.Decimal(value)
        if isinstance(value, bool):
            yield int(value)
        if isinstance(value, float):
            yield np.float64(value)
    elif isinstance(value, str | bytes):
        yield value + value[:1] if value else value + kind_of_one(value)
        yield np.array(value)
        yield (
            bytearray(value)
            if isinstance(value, bytes)
            else value.encode("utf-8", "surrogatepass")
        )


def kind_of_one(value):
    """One character or byte."""
    return "x" if isinstance(value, str) else b"x"


def _dict_changes(value):
    pairs = list(value.items())
    yield pairs
    yield collections.OrderedDict(pairs)
    yield {**value, uuid.UUID(int=7): None}
    if pairs:
        yield dict(pairs[1:])
    if len(pairs) > 1:
        yield dict(pairs[::-1])
    for key, held in pairs:
        for other in changes(held):
            yield {**value, key: other}


def _sequence_changes(value, kind):
    yield list(value) if kind is tuple else tuple(value)
    yield kind([*value, None])
    yield kind([value])
    yield collections.deque(value)
    if value:
        yield kind(value[1:])
    for number, held in enumerate(value):
        for other in changes(held):
            yield kind([*value[:number], other, *value[number + 1 :]])


def _array_changes(value):
    yield value.tolist()
    yield value.reshape(1, *value.shape)
    yield value.astype(object)
    if value.size:
        raw = bytearray(value.tobytes())
        if raw:
            raw[0] ^= 1
            yield np.frombuffer(bytes(raw), value.dtype).reshape(value.shape)
        yield value.ravel()[1:]
