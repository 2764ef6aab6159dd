"""Values through the codec and back, and what it means that they are the same."""

from __future__ import annotations

import collections
import datetime
import functools
import json
import operator
import random
import struct
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from nbcache.storage import codec, npz

KEY = "0123456789abcdef" * 2


def nobody(key: str, length: int, digest: str) -> str:
    """Sign nothing."""
    return ""


def write_file(path, members, manifest=b"{}", **options):
    """Write an entry file and give its trailer."""
    with open(path, "wb", buffering=0) as file:
        options = {"key": KEY, "sign": nobody, **options}
        return npz.write(file, members, manifest, **options)


def round_trip(values: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Encode, send the tree through JSON and the arrays through memory, decode."""
    trusted = options.pop("allow_pickle", False)
    encoded = codec.encode(values, **options)
    text = json.dumps(encoded.tree, allow_nan=False)
    return codec.decode(
        json.loads(text), member_of(encoded), allow_pickle=trusted, **options
    )


def member_of(encoded: codec.Encoded) -> Callable[[str], np.ndarray]:
    """Give the reader of members that stay in memory."""
    return lambda name: encoded.members[name].copy("A")


def through_file(path, values: dict[str, Any], mode="copy", **options: Any):
    """Encode into a file, open it again, decode."""
    trusted = options.pop("allow_pickle", False)
    encoded = codec.encode(values, **options)
    manifest = json.dumps(encoded.tree).encode()
    write_file(path, encoded.members.items(), manifest)
    with npz.Archive.open(path) as archive:
        archive.verify()
        return codec.decode(
            json.loads(archive.manifest()),
            lambda name: archive.read(name, mode),
            allow_pickle=trusted,
            **options,
        )


# ---------------------------------------------------------------- sameness

_MUTABLE = (list, dict, set, bytearray, collections.deque, np.ndarray)


def assert_same(one: Any, other: Any, path: str = "value") -> None:
    """Fail unless two values agree in type, content, order and shared references."""
    _Comparison().compare(one, other, path)


class _Comparison:
    def __init__(self) -> None:
        self.pairs: dict[int, Any] = {}
        self.back: dict[int, Any] = {}

    def compare(self, one: Any, other: Any, path: str) -> None:
        assert type(one) is type(other), (path, type(one), type(other))
        if isinstance(one, type | types.ModuleType | types.FunctionType):
            assert one is other, path
            return
        if isinstance(one, _MUTABLE) or hasattr(one, "__dict__"):
            if id(one) in self.pairs or id(other) in self.back:
                assert self.pairs.get(id(one)) is other, (path, "shared otherwise")
                return
            self.pairs[id(one)], self.back[id(other)] = other, one
        for cls in type(one).__mro__:
            method = getattr(self, f"_{cls.__name__}", None)
            if method is not None:
                method(one, other, path)
                return
        if hasattr(one, "__dict__") or hasattr(one, "__slots__"):
            self._attributes(one, other, path)
            return
        assert one == other, (path, one, other)

    def _attributes(self, one, other, path):
        if hasattr(one, "__dict__"):
            self.compare(vars(one), vars(other), path + ".__dict__")
        for cls in type(one).__mro__:
            for name in vars(cls).get("__slots__", ()):
                if name.startswith("__") and not name.endswith("__"):
                    name = f"_{cls.__name__}{name}"
                assert hasattr(one, name) == hasattr(other, name), (path, name)
                if hasattr(one, name):
                    one_item, other_item = getattr(one, name), getattr(other, name)
                    self.compare(one_item, other_item, f"{path}.{name}")

    def _Enum(self, one, other, path):
        assert one is other, path

    def _Decimal(self, one, other, path):
        assert one.as_tuple() == other.as_tuple(), path

    def _Path(self, one, other, path):
        assert one == other, path

    _PurePath = _UUID = _Fraction = _ZoneInfo = _Path

    def _float(self, one, other, path):
        assert struct.pack("<d", one) == struct.pack("<d", other), path

    def _complex(self, one, other, path):
        self._float(one.real, other.real, path + ".real")
        self._float(one.imag, other.imag, path + ".imag")

    def _list(self, one, other, path):
        assert len(one) == len(other), path
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            self.compare(a, b, f"{path}[{i}]")

    def _deque(self, one, other, path):
        assert one.maxlen == other.maxlen, path
        self._list(one, other, path)

    _tuple = _list

    def _set(self, one, other, path):
        assert one == other, path
        kinds = [collections.Counter(map(type, value)) for value in (one, other)]
        assert kinds[0] == kinds[1], path

    _frozenset = _set

    def _dict(self, one, other, path):
        self._list(list(one), list(other), path + ".keys()")
        self._list(list(one.values()), list(other.values()), path + ".values()")

    def _defaultdict(self, one, other, path):
        assert one.default_factory is other.default_factory, path
        self._dict(one, other, path)

    def _datetime(self, one: datetime.datetime, other, path):
        assert one.isoformat() == other.isoformat(), path
        assert one.fold == other.fold, path
        assert one.tzinfo == other.tzinfo, path

    def _time(self, one: datetime.time, other, path):
        assert one.isoformat() == other.isoformat(), path
        assert one.fold == other.fold, path

    def _ndarray(self, one, other, path):
        assert one.shape == other.shape, (path, one.shape, other.shape)
        self._dtype(one.dtype, other.dtype, path + ".dtype")
        for flag in ("c_contiguous", "f_contiguous"):
            if one.flags.c_contiguous or one.flags.f_contiguous:
                assert getattr(one.flags, flag) == getattr(other.flags, flag), path
        if one.dtype.hasobject:
            self._list(one.ravel().tolist(), other.ravel().tolist(), path)
        elif one.dtype.names:
            for name in one.dtype.names:  # what lies between fields is not data
                assert one[name].tobytes() == other[name].tobytes(), (path, name)
        else:
            assert one.tobytes() == other.tobytes(), path

    def _MaskedArray(self, one, other, path):
        self._ndarray(one.data, other.data, path + ".data")
        if one.mask is np.ma.nomask:
            assert other.mask is np.ma.nomask, path
        else:
            self._ndarray(one.mask, other.mask, path + ".mask")
        assert repr(one._fill_value) == repr(other._fill_value), path
        assert one.hardmask == other.hardmask, path

    def _dtype(self, one, other, path):
        assert one == other, (path, one, other)
        assert one.isalignedstruct == other.isalignedstruct, path
        assert one.type is other.type, path

    def _generic(self, one, other, path):
        self._dtype(one.dtype, other.dtype, path + ".dtype")
        assert one.tobytes() == other.tobytes(), (path, one, other)

    def _Random(self, one: random.Random, other, path):
        assert one.getstate() == other.getstate(), path

    def _BitGenerator(self, one, other, path):
        assert repr(one.state) == repr(other.state), path

    def _SeedSequence(self, one, other, path):
        assert one.state == other.state, path

    def _Generator(self, one, other, path):
        self.compare(one.bit_generator, other.bit_generator, path)
        self.compare(one.bit_generator.seed_seq, other.bit_generator.seed_seq, path)

    def _RandomState(self, one, other, path):
        assert repr(one.get_state()) == repr(other.get_state()), path


# ---------------------------------------------------------------- changed trees


def plain_data():
    """Give anything that JSON can hold."""
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=20,
    )


@st.composite
def changed_trees(draw, encoded: codec.Encoded):
    """Give a tree with one part replaced by another part, or by anything."""
    tree = json.loads(json.dumps(encoded.tree))
    paths = list(_paths(tree))
    path, other = draw(st.sampled_from(paths)), draw(st.sampled_from(paths))
    part = functools.reduce(operator.getitem, other, tree)
    huge = st.integers(-(1 << 70), 1 << 70)
    return _replaced(tree, path, draw(st.just(part) | plain_data() | huge))


def _paths(tree, path=()):
    yield path
    if isinstance(tree, list | dict):
        for key in range(len(tree)) if isinstance(tree, list) else tree:
            yield from _paths(tree[key], (*path, key))


def _replaced(tree, path, new):
    if not path:
        return new
    copy = tree.copy()
    copy[path[0]] = _replaced(tree[path[0]], path[1:], new)
    return copy
