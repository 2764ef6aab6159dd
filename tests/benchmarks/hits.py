"""Rows: how long a hit takes, small and large, from disk and memory."""

from __future__ import annotations

import functools
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import work
from .children import seconds_in_a_new_process
from .rows import OURS, AtMost, Faster, Row, Setup, benchmarks, text_of
from .subjects import cached_by, peer
from .timing import Case, measure

_CACHES = ("joblib", "diskcache", "cachier", "marimo")


@benchmarks("tiny")
def tiny(setup: Setup) -> Iterator[Row]:
    """Measure hits of a function of a number."""
    names = (f"{OURS} from disk", OURS, "joblib", "joblib mmap", *_CACHES[1:])
    known = cached_by(names, work.small, setup.fresh("tiny"))
    known["lru_cache"] = functools.lru_cache(work.small)
    calls = setup.size(100, 3)
    cases = [
        Case(name, functools.partial(function, 3.0), calls=calls)
        for name, function in known.items()
    ]
    found = measure(cases, setup.rounds)
    memory, disk = found.pop(OURS), found.pop(f"{OURS} from disk")
    lru = {"lru_cache": found.pop("lru_cache")}
    yield Row(
        "hit, tiny arguments and result, from disk",
        {OURS: disk, **found},
        (AtMost(25e-6), Faster(12, "joblib"), Faster(3, "diskcache")),
    )
    yield Row("the same, in memory", {OURS: memory, **lru}, (AtMost(3e-6),))


def _sizes(setup: Setup) -> tuple[int, ...]:
    return (1_000_000,) if setup.quick else (100_000_000, 1_000_000_000)


@benchmarks("large")
def large(setup: Setup) -> Iterator[Row]:
    """Measure later hits of a large array, and the use of all of it."""
    for size in _sizes(setup):
        folder = setup.fresh(f"large-{size}")
        names = (OURS, "joblib", "joblib mmap")
        if size < 1e9:
            names = (*names, "diskcache")
        known: dict[str, Callable[[int], Any]] = cached_by(names, work.numbers, folder)
        np.savez(folder / "array.npz", value=work.numbers(size))
        known["np.load"] = lambda _, folder=folder: _loaded(folder)
        for function in known.values():
            function(size)
        said = text_of(size, "B")
        cases = [
            Case(name, functools.partial(function, size), calls=_calls(name, setup))
            for name, function in known.items()
        ]
        rounds = setup.rounds if size < 1e9 else 3
        yield Row(
            f"hit of {said}, verified before, writable",
            measure(cases, rounds),
            (AtMost(60e-6), Faster(7, "joblib mmap"), Faster(500, "joblib")),
        )
        used = [
            Case(name, lambda f=function, n=size: f(n).max())
            for name, function in known.items()
        ]
        yield Row(
            f"hit of {said}, then every value read",
            measure(used, rounds),
            (Faster(3, "joblib"), Faster(6, "np.load")),
        )


def _calls(name: str, setup: Setup) -> int:
    return setup.size(10 if name in (OURS, "joblib mmap") else 1, 1)


def _loaded(folder: Path) -> np.ndarray:
    with np.load(folder / "array.npz") as file:
        return file["value"]  # type: ignore[no-any-return]


@benchmarks("first")
def first(setup: Setup) -> Iterator[Row]:
    """Measure the first hit of a process, digest compared."""
    for size in _sizes(setup):
        folder = setup.fresh(f"first-{size}")
        names = (OURS, "joblib", "diskcache") if size < 1e9 else (OURS, "joblib")
        known = cached_by(names, work.numbers, folder)
        for function in known.values():
            function(size)
        np.savez(folder / "array.npz", value=work.numbers(size))
        figures = seconds_in_a_new_process(
            [*known, "np.load"], folder, size, setup.size(5, 1)
        )
        yield Row(
            f"the first hit of a process, {text_of(size, 'B')}, BLAKE3 compared",
            figures,
            (Faster(2.5, "np.load"), Faster(1.5, "joblib")),
            remark="the others compare nothing, or a CRC (np.load)",
        )


@benchmarks("memory")
def memory(setup: Setup) -> Iterator[Row]:
    """Measure what a hit takes of memory before it is used."""
    size = setup.size(100_000_000, 1_000_000)
    names = (OURS, "joblib", "joblib mmap", "diskcache")
    known = cached_by(names, work.numbers, setup.fresh("memory"))
    figures = {}
    for name, function in known.items():
        function(size)
        function(size)
        figures[name] = peak_bytes(functools.partial(function, size))
    yield Row(f"memory of a hit of {text_of(size, 'B')}", figures, (AtMost(1e6),), "B")


def peak_bytes(run: Callable[[], object]) -> float:
    """Give the most memory that was taken at once during a call."""
    tracemalloc.start()
    try:
        value = run()
        found = tracemalloc.get_traced_memory()[1]
        del value
    finally:
        tracemalloc.stop()
    return float(found)


@benchmarks("frame")
def frame(setup: Setup) -> Iterator[Row]:
    """Measure hits of a DataFrame."""
    rows = setup.size(1_000_000, 1_000)
    folder = setup.fresh("frame")
    names = (OURS, "joblib", "joblib mmap", "diskcache")
    known: dict[str, Callable[[int], Any]] = cached_by(names, work.table, folder)
    if peer("pyarrow"):
        import pandas as pd

        path = folder / "frame.parquet"
        work.frame(rows).to_parquet(path)
        known["parquet"] = lambda _: pd.read_parquet(path)
    for function in known.values():
        function(rows)
        function(rows)
    cases = [
        Case(name, functools.partial(function, rows), calls=setup.size(5, 1))
        for name, function in known.items()
    ]
    yield Row(
        f"hit of a mixed DataFrame, {rows} × 8",
        measure(cases, setup.rounds),
        (AtMost(1e-3), Faster(10, "joblib mmap"), Faster(50, "parquet")),
    )
    figures = {
        name: peak_bytes(functools.partial(function, rows))
        for name, function in known.items()
    }
    remark = "Arrow's own memory, which parquet takes, is not counted"
    yield Row("memory of the same", figures, (AtMost(4e6),), "B", remark)
