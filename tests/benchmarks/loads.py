"""Rows: what sizes and many processes cost."""

from __future__ import annotations

from collections.abc import Iterator

from . import work
from .children import at_once
from .rows import OURS, Faster, Row, Setup, benchmarks, text_of
from .subjects import cached_by, peer
from .timing import Case, measure


@benchmarks("sizes")
def sizes(setup: Setup) -> Iterator[Row]:
    """Measure hits and misses from 1 kB to 1 GB."""
    names = (OURS, "joblib", "joblib mmap", "diskcache")
    found = (1_000, 100_000) if setup.quick else (10**3, 10**4, 10**5, 10**6, 10**7)
    for size in found:
        known = cached_by(names, work.numbers, setup.fresh(f"sizes-{size}"))
        cases = []
        for name, function in known.items():
            function(size)
            cases.append(
                Case(name, lambda f=function, n=size: f(n), calls=setup.size(20, 1))
            )
        yield Row(f"hit of {text_of(size, 'B')}", measure(cases, setup.rounds))


@benchmarks("processes")
def processes(setup: Setup) -> Iterator[Row]:
    """Measure eight processes on one store."""
    number, seconds = setup.size(8, 2), 2.0 if not setup.quick else 0.1
    names = [OURS, *(name for name in ("joblib", "diskcache") if peer(name))]
    for kind, targets in (
        ("hits", (Faster(15, "joblib"), Faster(3, "diskcache"))),
        ("misses", (Faster(4, "joblib"),)),
    ):
        folder = setup.fresh(f"processes-{kind}")
        figures = {name: at_once(kind, name, folder, number, seconds) for name in names}
        said = f"{number} processes on one store, {kind}"
        yield Row(said, figures, targets, "/s")
