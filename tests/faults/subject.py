"""Cached functions whose results are known, as a user's module holds them."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nbcache import Cache

__all__ = ["KINDS", "Subject", "is_right"]


class _Told:
    """Counts computations, on a descriptor where the cache does not look."""

    def __init__(self) -> None:
        self.file = -1

    def to(self, path: Path) -> None:
        if self.file >= 0:
            os.close(self.file)
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, number: int) -> None:
        if self.file >= 0:
            os.write(self.file, b"%d\n" % number)


told = _Told()


def small(number):
    """Give a few numbers: an entry of one write."""
    told(number)
    return np.random.default_rng(number).standard_normal(16)


def large(number):
    """Give 400 kB: an entry of several writes, mapped on a hit."""
    told(number)
    return np.random.default_rng(number).standard_normal(50_000)


def tree(number):
    """Give plain objects of many types."""
    told(number)
    return {
        "number": number,
        "texts": ["ä" * number, b"bytes", None, True, 1.5, 2j],
        ("tuple", 1): {1, 2, number},
        "range": range(number),
    }


def table(number):
    """Give a DataFrame."""
    import pandas as pd

    told(number)
    return pd.DataFrame(
        {"a": np.arange(5) + number, "b": [f"text {number}", None, "c", "d", "e"]}
    )


class Leaf:
    """Something that is pickled: its state is none of the codec's types."""

    def __init__(self, number):
        self.number = number
        self.compiled = compile(f"{number}", "leaf", "eval")

    def __reduce__(self):
        return Leaf, (self.number,)

    def __eq__(self, other):
        return type(other) is Leaf and other.number == self.number

    __hash__ = None


def leaf(number):
    """Give an object that only a pickle can hold."""
    told(number)
    return [Leaf(number)]


def drawn(number):
    """Give something else each time."""
    told(number)
    time.sleep(0.05)
    return os.urandom(16)


def slow(number):
    """Take a while."""
    told(number)
    time.sleep(0.2)
    return np.arange(8) * number


KINDS: dict[str, Callable[[int], Any]] = {
    one.__name__: one for one in (small, large, tree, table, leaf, drawn, slow)
}
_known: dict[tuple[str, int], Any] = {}


def _truth(kind: str, number: int) -> Any:
    if (kind, number) not in _known:
        before, told.file = told.file, -1
        _known[kind, number] = KINDS[kind](number)
        told.file = before
    return _known[kind, number]


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if hasattr(one, "equals"):
        return bool(one.equals(other) and list(one.dtypes) == list(other.dtypes))
    return bool(one == other)


def is_right(kind: str, number: int, value: Any) -> bool:
    """Say whether a value is the one that the function gives."""
    if kind == "drawn":
        return isinstance(value, bytes) and len(value) == 16
    return _same(value, _truth(kind, number))


class Subject:
    """A cached function in a store of its own, used as a user does.

    Parameters
    ----------
    folder : Path
        Holds the store, and beside it the count of computations.
    kind : str
        One of `KINDS`.
    **options
        Of `nbcache.Cache` (durability, verify) and `nbcache.cached`.
    """

    def __init__(self, folder: Path, kind: str = "small", **options: Any) -> None:
        own = {name: options.pop(name) for name in _OF_CACHE if name in options}
        self.folder, self.kind = Path(folder), kind
        self.store = self.folder / "store"
        self.calls = self.folder / "calls"
        self.cache = Cache(self.store, **own)
        self.call = self.cache.cached(ignore_globals="told", **options)(KINDS[kind])
        self.folder.mkdir(parents=True, exist_ok=True)
        told.to(self.calls)

    def is_right(self, number: int) -> bool:
        """Call, and say whether the value is right."""
        return is_right(self.kind, number, self.call(number))

    def computed(self) -> Counter[int]:
        """Tell how often each number was computed, by whomever."""
        return Counter(map(int, self.calls.read_text().split()))


_OF_CACHE = ("verify", "durability")
