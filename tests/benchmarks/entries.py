"""Rows: what many entries cost."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbcache
from nbcache import info
from nbcache.storage.entry import Entry
from nbcache.storage.store import Store

from . import work
from .rows import OURS, AtMost, Faster, Row, Setup, benchmarks, text_of
from .subjects import peer
from .timing import Case, measure

_PARTS = [
    ["code", "a" * 32, "def f(x): ..."],
    ["x", "b" * 32, "3"],
    ["library numpy", "c" * 32, "2"],
]


def _fill(store: Store, count: int) -> None:
    """Make files of entries and their rows; nothing is in the files."""
    store.prepare()
    draw = random.Random(count)
    entries = []
    for number in range(count):
        key = f"{draw.getrandbits(128):032x}"
        path = Path(store.place.entry(key, "f"))
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch()
        entries.append(
            Entry(
                key,
                "function",
                f"f{number % 50}",
                parts=_PARTS,
                variables=[["value", "float", 8]],
                created=1e9 + number,
                seconds=1.0,
                packages={"python": "3.11.7", "numpy": "2.4.6"},
                source="def f(x):\n    return x\n",
                bytes=1000,
                file=path.name,
            )
        )
    for start in range(0, count, 1000):
        store.index.add(entries[start : start + 1000])


@benchmarks("listing")
def listing(setup: Setup) -> Iterator[Row]:
    """Measure the list of all entries, and their totals."""
    length = setup.size(100_000, 300)
    folder = setup.fresh("listing")
    cache = nbcache.Cache(folder / "ours")
    _fill(cache.core.store, length)
    if not setup.quick:
        time.sleep(4)  # folders that changed just now are looked into again
    figures = measure([Case(OURS, cache.entries)], min(5, setup.rounds))
    remark = ""
    if peer("joblib"):
        # its list opens a file for each entry: a fiftieth shows it as well
        part = max(20, length // 50)
        memory = peer("joblib").Memory(folder / "joblib", verbose=0)
        function = memory.cache(work.one)
        for number in range(part):
            function(float(number))
        cases = [Case("joblib", memory.store_backend.get_items)]
        taken = measure(cases, min(3, setup.rounds))
        figures["joblib"] = taken["joblib"] * length / part
        remark = f"joblib: {part} entries, scaled up"
    yield Row(
        f"list {length} entries as a DataFrame",
        figures,
        (AtMost(0.4), Faster(8, "joblib")),
        remark=remark,
    )
    totals = Case(OURS, lambda: info.all_totals(cache.core))
    yield Row("totals of the same", measure([totals], setup.rounds), (AtMost(0.02),))


def _hundred_hits(function: Callable[[float], object]) -> None:
    for number in range(100):
        function(float(number))


@benchmarks("growth")
def growth(setup: Setup) -> Iterator[Row]:
    """Measure hits of the same function as entries become more."""
    folder = setup.fresh("growth")
    steps = (100, 300) if setup.quick else (100, 1_000, 10_000, 100_000)
    cases = []
    for step in steps:
        cache = nbcache.Cache(folder / str(step))
        function = cache.cached(memory=False)(work.small)
        for number in range(100):
            function(float(number))
        _fill(cache.core.store, step - 100)
        name = f"at {step} entries"
        cases.append(Case(name, functools.partial(_hundred_hits, function)))
    taken = measure(cases, setup.rounds)
    figures = {name: seconds / 100 for name, seconds in taken.items()}
    first, last = (figures[f"at {step} entries"] for step in (steps[0], steps[-1]))
    told = ", ".join(f"{text_of(one, 's')} {name}" for name, one in figures.items())
    yield Row(
        f"hit latency, {steps[0]} → {steps[-1]} entries",
        {OURS: last / first},
        (AtMost(1.3),),
        "×",
        remark=told,
    )
