"""Rows: what metrics cost that are stored, in a chain of five levels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import nbcache

from .rows import OURS, AtMost, Row, Setup, benchmarks
from .subjects import peer
from .timing import Case, measure

LEVELS = 5
_FILES = f"{OURS}, NpzStorage"

Read = Callable[[], object]


def _ours(where: Any, count: int) -> Read:
    """Give what reads all metrics of a collection, which is filled."""
    m = nbcache.Metrics(where)
    each = range(count)

    @m.collect(params_list=each)
    def level_1(i: int) -> np.ndarray:
        return np.arange(i, i + 10)

    @m.collect(params_list=each)
    def level_2(i: int) -> np.ndarray:
        return m.level_1(i, verbose=False) + 1

    @m.collect(params_list=each)
    def level_3(i: int) -> np.ndarray:
        return m.level_2(i, verbose=False) * 2

    @m.collect(params_list=each)
    def level_4(i: int) -> np.ndarray:
        return m.level_3(i, verbose=False) - 1

    @m.collect(params_list=each)
    def level_5(i: int) -> np.ndarray:
        return m.level_4(i, verbose=False) / 2

    return lambda: [one.get_all() for one in m.parameterized_metrics]


def _joblib(folder: Path, count: int) -> Read:
    """Give what reads a chain of functions that joblib caches."""
    cache = peer("joblib").Memory(folder, verbose=0).cache

    @cache
    def level_1(i: int) -> np.ndarray:
        return np.arange(i, i + 10)

    @cache
    def level_2(i: int) -> np.ndarray:
        return level_1(i) + 1

    @cache
    def level_3(i: int) -> np.ndarray:
        return level_2(i) * 2

    @cache
    def level_4(i: int) -> np.ndarray:
        return level_3(i) - 1

    @cache
    def level_5(i: int) -> np.ndarray:
        return level_4(i) / 2

    levels = level_1, level_2, level_3, level_4, level_5
    return lambda: [one(i) for one, i in itertools.product(levels, range(count))]


@benchmarks("metrics")
def stored(setup: Setup) -> Iterator[Row]:
    """Measure what is stored already, a metric."""
    folder, count = setup.fresh("metrics"), setup.size(200, 3)
    reads = {
        OURS: _ours(nbcache.Cache(folder / "ours"), count),
        _FILES: _ours(nbcache.NpzStorage(folder / "files"), count),
    }
    if peer("joblib"):
        reads["joblib"] = _joblib(folder / "joblib", count)
    for read in reads.values():
        read()
    cases = [Case(name, read) for name, read in reads.items()]
    taken = measure(cases, setup.size(5, 1))
    yield Row(
        f"a stored metric, {LEVELS * count} in a chain of {LEVELS} levels, get_all",
        {name: seconds / (LEVELS * count) for name, seconds in taken.items()},
        (AtMost(1e-3),),
        remark="joblib does not look whether what it depends on has changed",
    )
