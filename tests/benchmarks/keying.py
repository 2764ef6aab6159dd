"""Rows: how long it takes to find out what a value is."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

import nbcache
from nbcache.keys import hashing

from . import work
from .rows import OURS, AtMost, Faster, Row, Setup, benchmarks, text_of
from .subjects import peer
from .timing import Case, measure


def _read_in_two_threads(array: np.ndarray) -> None:
    half = len(array) // 2
    other = threading.Thread(target=array[:half].max)
    other.start()
    array[half:].max()
    other.join()


@benchmarks("keys")
def arrays(setup: Setup) -> Iterator[Row]:
    """Measure keys of arrays."""
    joblib = peer("joblib")
    for size in (1 << 20, *((100_000_000, 1_000_000_000) if not setup.quick else ())):
        array = work.numbers(size)
        limit = "reading it in two threads"
        cases = [
            Case(OURS, lambda array=array: hashing.digest(array), calls=3),
            Case(limit, lambda array=array: _read_in_two_threads(array), calls=3),
        ]
        if joblib:
            cases.append(Case("joblib.hash", lambda array=array: joblib.hash(array)))
        figures = measure(cases, setup.rounds if size < 1e9 else 3)
        # below 4 MiB one thread reads from the processor's cache
        near = (Faster(0.9, limit),) if size > 1 << 22 else ()
        work_done = f"key of a float64 array, {text_of(size, 'B')}"
        yield Row(work_done, figures, (*near, Faster(25, "joblib.hash")))


@benchmarks("rekey")
def unmodified(setup: Setup) -> Iterator[Row]:
    """Measure the key of what a read-only hit gave."""
    size = setup.size(256 << 20, 1 << 20)
    cache = nbcache.Cache(setup.fresh("rekey"))
    function = cache.cached(mmap="read")(work.numbers)
    function(size)
    array = function(size)
    joblib = peer("joblib")
    cases = [Case(OURS, lambda: hashing.digest(array))]
    if joblib:
        cases.append(Case("joblib.hash", lambda: joblib.hash(array)))
    yield Row(
        f"key of an unmodified result again, {text_of(size, 'B')}",
        measure(cases, setup.rounds),
        (AtMost(1e-3),),
    )


@benchmarks("key-frame")
def frames(setup: Setup) -> Iterator[Row]:
    """Measure the key of a DataFrame."""
    import pandas as pd

    rows = setup.size(1_000_000, 1_000)
    frame = work.frame(rows)
    joblib = peer("joblib")
    cases = [
        Case(OURS, lambda: hashing.digest(frame)),
        Case("hash_pandas_object", lambda: pd.util.hash_pandas_object(frame)),
    ]
    if joblib:
        cases.append(Case("joblib.hash", lambda: joblib.hash(frame)))
    yield Row(
        f"key of a mixed DataFrame, {rows} × 8",
        measure(cases, setup.rounds),
        (Faster(10, "joblib.hash"), Faster(3, "hash_pandas_object")),
    )
