"""Digests of values: equal for equal values, different for all others, everywhere."""

from __future__ import annotations

import copy
import datetime
import itertools
import json
import os
import pickle
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import strategies
import xxhash
from hypothesis import given, settings

from nbcache.keys.hashing import Walk, digest, digest_bytes

ROOT = Path(__file__).parents[2]

# Stored entries are found by these: they change only with a new KEY_SCHEMA.
GOLDEN: list[tuple[object, str]] = [
    (None, "626d368fe0e74b4f1a038927df1311d6"),
    (True, "1d33c0bd3511c80d20948828081ddcb4"),
    (1, "b43a4514c6d4d1e4e99dcaa8de4d257c"),
    (2**100, "15c170300f8bc66df3c9e20d63bd7357"),
    (-1.5, "2da778ae90f808518ac79fcfa79f9018"),
    ("text é", "a51c0308a5f317c48b46f31b1b1844f4"),
    (b"bytes", "41d7b1ed8fee44ed7dc7a63a0defa124"),
    ([1, [2, (3, None)]], "88d316040a2ff26205db7c9f4bc26c32"),
    ({"b": 1, "a": {"c": [2.5]}}, "9e1fb4cbb749d40ec4e4499d46ff450c"),
    ({"x", 1, None}, "b321e273cd952a82cc393ab51f601861"),
    (range(3), "48dc5059f26fd0a1a3a6b6de2b81e260"),
    (Decimal("1.50"), "82878ecf891d65cb74ae6c7150e52e78"),
    (
        datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
        "d5a2703f6965be75f80d49df6d45993e",
    ),
    (PurePosixPath("a/b"), "242a01b5ecf7fce13cf910d13abfb072"),
    (np.arange(6.0).reshape(2, 3), "333c5f2fe9b1bf1a9a0fce0c30a20dc8"),
    (np.asfortranarray(np.eye(2)), "f77627d8ccfd64d472992cfdb9053afb"),
    (np.float32(1.5), "d26960da1979ac6c825b5fe0b4d4b343"),
    (np.array(["a", None], object), "d4145e306a590ca5dd25647efd4cc79f"),
    (np.zeros(2**20), "ec65b0f71365407193f9b65df69d4354"),
]


# --- properties


@given(strategies.values())
@settings(max_examples=300, deadline=None)
def test_a_deep_copy_has_the_same_digest(value):
    """What a copy keeps is what counts."""
    assert digest(copy.deepcopy(value)) == digest(value)


@given(strategies.values())
@settings(max_examples=300, deadline=None)
def test_a_pickled_value_has_the_same_digest(value):
    """A value that another process would get has the digest of the original."""
    assert digest(pickle.loads(pickle.dumps(value))) == digest(value)


@given(strategies.plain())
@settings(max_examples=200, deadline=None)
def test_any_change_gives_another_digest(value):
    """No change of a leaf, an item, an order or a kind goes unnoticed."""
    before = digest(value)
    for changed in strategies.changes(value):
        assert digest(changed) != before, (value, changed)


@given(strategies.arrays())
@settings(max_examples=200, deadline=None)
def test_any_change_of_an_array_gives_another_digest(array):
    """Dtype, shape and every byte count."""
    before = digest(array)
    for changed in strategies.changes(array):
        assert digest(changed) != before, (array, changed)


@given(strategies.values())
@settings(max_examples=200, deadline=None)
def test_writing_node_by_node_gives_the_same_digest(value):
    """A tree written in one call and node by node cannot be told apart."""
    slow = Walk()
    slow._wasted = 10**12  # no more trees in one call
    assert slow.digest(value, "value") == digest(value)


@given(strategies.values(), strategies.values())
@settings(max_examples=100, deadline=None)
def test_what_was_digested_before_does_not_matter(first, second):
    """The digest of a value that shares nothing is that of the value alone."""
    walk = Walk()
    walk.digest(first, "first")
    assert walk.digest(copy.deepcopy(second), "second") == digest(second)


# --- a large corpus without collisions


def groupings(low, high, kind):
    """All ways to group the numbers from low to high in two or more, nested."""
    for stop in range(low + 1, high):
        rest = [(tree,) for tree in trees(stop, high, kind)]
        rest += groupings(stop, high, kind)
        for first, others in itertools.product(trees(low, stop, kind), rest):
            yield (first, *others)


def trees(low, high, kind):
    """All nested collections of the numbers from low to high."""
    if high - low == 1:
        return [low, kind([low])]
    return [kind(group) for group in groupings(low, high, kind)]


def families(number):
    """Values made of one number that all differ."""
    text, odd = str(number), number + 0.25
    yield from (number, float(number), complex(number), Decimal(number), text)
    yield from (text.encode(), bytearray(text.encode()), odd, -odd, str(odd))
    yield from ([number], (number,), {number}, frozenset([number]), {number: None})
    yield from (
        {None: number},
        [text],
        (text,),
        [[number]],
        [number, []],
        range(number),
    )
    yield from (
        np.int64(number),
        np.float64(number),
        np.int32(number),
        np.array(number),
    )
    yield from (
        np.array([number]),
        np.array([[number]]),
        np.zeros(number % 997 + 1_000),
    )


def near_misses():
    """Values that careless hashes take for each other."""
    square = np.arange(9.0).reshape(3, 3)
    yield from (True, False, None, ..., NotImplemented, 0.0, -0.0, "", b"", (), [], {})
    yield from (float("nan"), float("inf"), -float("inf"), set(), frozenset())
    yield from (np.bool_(True), np.str_("1x"), np.bytes_(b"1x"), "1x", b"1x")
    yield from (square, square.T, square[::-1], square.astype("f4"), square.tolist())
    yield from (np.zeros(4), np.zeros((2, 2)), np.zeros((4, 1)), np.zeros((1, 4)))
    yield from (np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0)), np.zeros(0, "i8"))
    yield from ({"a": 1, "b": 2}, {"b": 2, "a": 1}, [("a", 1), ("b", 2)])
    yield from (["ab"], ["a", "b"], ["", "ab"], ["ab", ""], ("a", "b"), ["a,b"])
    yield from ([None], [[None]], [[], []], [[[]]], [[], [[]]], [()], [{}], ((),))
    yield from ({"a": {}}, {"a": []}, {"a": None}, {"a": {"b": 1}}, {"a": 1, "b": {}})
    yield from (slice(1, 2), slice(1, 2, 1), range(0), range(0, 2, 3), slice(2))


def corpus():
    """More than 20 000 values, no two of which are equal in type and content."""
    yield from itertools.chain.from_iterable(map(families, range(1, 900)))
    for leaves in range(3, 7):
        yield from trees(1, leaves, list)
        yield from trees(1, leaves, tuple)
    yield from near_misses()


def test_no_two_values_of_a_large_corpus_have_the_same_digest():
    """More than 20 000 values, near misses and regroupings among them."""
    found: dict[str, object] = {}
    for value in corpus():
        key = digest(value)
        if key in found:
            pytest.fail(f"{value!r} and {found[key]!r} have one digest")
        found[key] = value
    assert len(found) > 20_000


# --- interface


@pytest.mark.parametrize(("value", "expected"), GOLDEN, ids=range(len(GOLDEN)))
def test_digests_are_as_they_always_were(value, expected):
    """A changed encoding would lose every stored entry without a word."""
    assert digest(value) == expected


def test_digests_are_32_hexadecimal_digits():
    """They are names of files later."""
    assert len(digest("x")) == 32
    assert set(digest("x")) <= set("0123456789abcdef")


def test_digest_bytes_is_plain_xxh3():
    """Files are digested with it: anyone can check."""
    assert digest_bytes(b"abc") == xxhash.xxh3_128_hexdigest(b"abc")
    assert digest_bytes(np.arange(3)) == xxhash.xxh3_128_hexdigest(np.arange(3))


# --- other processes

PRINT_DIGESTS = """
import collections, datetime, decimal, enum, json, pathlib, random, sys, uuid
import numpy as np
from nbcache.keys.hashing import digest
values = [
    None, True, 1, 2**70, -1.5, float('nan'), 1j, 'text \\u00e9 \\ud800', b'bytes', ...,
    [1, 'a', [2.5, None]], (1, (2, (3,))), {'b': 1, 'a': {'c': [1]}}, range(3),
    {'x', 'y', 'z', 'hello', 'world'}, frozenset([('a', 1), ('b', 2), 'c', 4.5, None]),
    {'k': {'s1', 's2', 's3'}}, tuple(range(5000)), slice(1, 2), bytearray(b'x'),
    decimal.Decimal('1.50'), datetime.date(2020, 1, 2), datetime.timedelta(1, 2, 3),
    datetime.datetime(2020, 1, 2, fold=1, tzinfo=datetime.timezone.utc),
    uuid.UUID(int=5), pathlib.PurePosixPath('a/b'), collections.deque([1, 2], 3),
    collections.OrderedDict(a=1), np.arange(6).reshape(2, 3), np.float32(1.5),
    np.array(['a', 'bc']), np.array([1, 'x', None], object), np.dtype('>i4'),
    np.array([(1, 2.5)], [('a', 'i4'), ('b', 'f8')]), np.zeros(0), np.zeros(2**20),
    np.array(['2020', 'NaT'], 'M8[D]'), np.random.default_rng(1), random.Random(1),
]
try:
    import pandas as pd
except ImportError:
    pass
else:
    values += [
        pd.DataFrame({'a': [1, 2], 'b': ['x', None], 'c': pd.Categorical(['u', 'v'])}),
        pd.Series([1.5, None], name='s', index=['a', 'b']), pd.Timestamp('2020'),
        pd.date_range('2020', periods=3, tz='UTC'), pd.array([1, None]), pd.NA, pd.NaT,
    ]
print(json.dumps([digest(value) for value in values]))
"""


def run(python, code, **environment):
    """A process of its own that can import nbcache from here."""
    return subprocess.run(
        [python, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=False,
    )


def digests_of(python, **environment):
    """Digests of the values above in a process of its own."""
    process = run(python, PRINT_DIGESTS, **environment)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_digests_do_not_depend_on_the_hash_seed():
    """Sets and dicts of strings have another order in each process."""
    found = [digests_of(sys.executable, PYTHONHASHSEED=str(seed)) for seed in range(6)]
    assert all(digests == found[0] for digests in found)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_digests_do_not_depend_on_the_version_of_python(version):
    """An upgrade alone does not lose the digests of values."""
    python = shutil.which(f"python{version}")
    if python is None or run(python, "import nbcache").returncode != 0:
        pytest.skip(f"no Python {version} with the packages of nbcache on the path")
    ours, theirs = digests_of(sys.executable), digests_of(python)
    shared = min(len(ours), len(theirs))  # pandas may be missing
    assert theirs[:shared] == ours[:shared]
