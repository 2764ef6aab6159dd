"""User code that must type-check under mypy --strict; it is never run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

import numpy as np
import pandas as pd

import nbcache
from nbcache.decorator.function import CachedFunction
from nbcache.keys.key import Key


@nbcache.cached
def plain(x: int, scale: float = 1.0) -> float:
    return x * scale


@nbcache.cached(ignore=("verbose",), version=2, compress=True)
def configured(x: np.ndarray, verbose: bool = False) -> dict[str, float]:
    return {"sum": float(x.sum())}


@nbcache.cached
async def later(x: int, *, scale: float = 1.0) -> float:
    return x * scale


@nbcache.cached(
    expires_after="12h",
    validate=lambda entry: bool(entry["seconds"]),
    lock_timeout=timedelta(minutes=1),
    cache_exceptions=(ValueError, OSError),
    min_seconds=0.5,
    tags=("a", "b"),
    private=True,
    memory=False,
    mmap=None,
)
async def configured_later(x: int) -> list[int]:
    return [x]


async def use_later() -> None:
    assert_type(await later(2, scale=3.0), float)
    assert_type(await later.refresh(2), float)
    assert_type(await later.uncached(2), float)
    assert_type(later.peek(2), float)
    assert_type(await later.ref(2), nbcache.CachedRef[float])
    assert_type(await configured_later(2), list[int])
    assert_type((await configured_later.ref(2)).load(), list[int])


def use() -> None:
    assert_type(plain.ref(2), nbcache.CachedRef[float])
    assert_type(plain.ref(2).load(), float)
    assert_type(plain.put(1.0, 2), bool)
    assert_type(plain.cache_info().saved, float)
    assert_type(plain(2), float)
    assert_type(plain.refresh(2), float)
    assert_type(plain.peek(2, scale=3.0), float)
    assert_type(plain.uncached(2), float)
    assert_type(plain.is_cached(2), bool)
    assert_type(plain.key(2), Key)
    assert_type(plain.explain(2), str)
    assert_type(configured(np.zeros(3)), dict[str, float])
    plain.put(1.5, 2)
    plain.clear(2)
    cache = nbcache.Cache("folder", verify="always")
    with cache:
        assert_type(cache.entries(), pd.DataFrame)
        assert_type(cache.clear("plain"), int)
    assert_type(nbcache.entries(), pd.DataFrame)
    assert_type(nbcache.load("plain"), dict[str, Any])
    nbcache.cached(depends_on=nbcache.File("data.csv"))
    nbcache.configure(verbosity="full")
    nbcache.register_hash(np.ndarray, lambda array: array.tobytes())


def is_generic(function: CachedFunction[[int], str]) -> str:
    return function(1)
