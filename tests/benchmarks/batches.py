"""Rows: what a batch costs beside computing its runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nbcache

from . import work
from .hits import peak_bytes
from .rows import OURS, AtMost, Faster, Row, Setup, benchmarks, text_of
from .subjects import peer
from .timing import Case, measure

_NAMED_READ = f"{OURS}, results read"
_READ = "joblib and Dask give the results too, ours in the case that is named so"

Sweep = Callable[[Sequence[float]], object]


def _ours(folder: Path, **how: Any) -> Sweep:
    """Give what runs calls as a batch of ours."""
    cache = nbcache.Cache(folder)

    def sweep(values: Sequence[float]) -> nbcache.Batch:
        batch = nbcache.Batch("sweep", cache=cache)
        batch.add_runs(work.one, {"x": list(values)})
        batch(progress=False, **how)
        return batch

    return sweep


def _read(sweep: Sweep) -> Sweep:
    """Give what reads the results of a batch, too."""
    return lambda values: sweep(values).res  # type: ignore[attr-defined]


def _joblib(folder: Path, workers: int) -> Sweep:
    """Give what runs calls by joblib: in parallel, of a function that it caches."""
    joblib = peer("joblib")
    function = joblib.Memory(folder, verbose=0).cache(work.one)

    def sweep(values: Sequence[float]) -> object:
        calls = (joblib.delayed(function)(one) for one in values)
        return joblib.Parallel(n_jobs=workers)(calls)

    return sweep


def _dask(client: Any) -> Sweep:
    """Give what runs calls on a cluster and keeps nothing."""

    def sweep(values: Sequence[float]) -> object:
        return client.gather(client.map(work.one, list(values), pure=False))

    return sweep


def _rows(
    setup: Setup, said: str, sweeps: dict[str, Sweep], limit: float
) -> Iterator[Row]:
    """Measure calls that are new, and the same calls again.

    Their work takes no time worth mentioning, so that all of it is overhead.
    """
    number = itertools.count()
    for runs in (20,) if setup.quick else (200, 2_000):
        rounds = setup.size(5 if runs < 1_000 else 2, 1)
        cold = [
            # other values each time, so that nothing is stored
            Case(name, lambda s=sweep, n=runs: s(_new(n, next(number))))
            for name, sweep in sweeps.items()
        ]
        known = _new(runs, next(number))
        for sweep in sweeps.values():
            sweep(known)
        again = [
            Case(name, lambda s=sweep, v=known: s(v)) for name, sweep in sweeps.items()
        ]
        faster = [Faster(1, name) for name in ("joblib",) if name in sweeps]
        for kind, cases, most in (("new", cold, limit), ("stored", again, 1e-3)):
            taken = measure(cases, rounds)
            yield Row(
                f"a run of a batch of {runs}, {said}, {kind}",
                {name: seconds / runs for name, seconds in taken.items()},
                (AtMost(most), *faster),
                remark="" if kind == "new" else _READ,
            )


def _new(runs: int, number: int) -> list[float]:
    """Give values that no other number has."""
    return [number + place / (runs + 1) for place in range(runs)]


@benchmarks("batch")
def here(setup: Setup) -> Iterator[Row]:
    """Measure batches in this process."""
    folder = setup.fresh("batch")
    sweeps = {OURS: _ours(folder / "ours"), _NAMED_READ: _read(_ours(folder / "read"))}
    if peer("joblib"):
        sweeps["joblib"] = _joblib(folder / "joblib", 1)
    yield from _rows(setup, "in this process", sweeps, 1e-3)


@benchmarks("batch-loky")
def loky(setup: Setup) -> Iterator[Row]:
    """Measure batches on two processes of loky, which were started before."""
    folder = setup.fresh("batch-loky")
    sweeps = {OURS: _ours(folder / "ours", workers=2)}
    if peer("joblib"):
        sweeps["joblib"] = _joblib(folder / "joblib", 2)
    yield from _rows(setup, "on loky, 2 workers", sweeps, 5e-3)


@benchmarks("batch-dask")
def dask(setup: Setup) -> Iterator[Row]:
    """Measure batches on a cluster of two processes of Dask."""
    distributed = peer("distributed")
    if distributed is None:
        return
    folder = setup.fresh("batch-dask")
    with ExitStack() as stack:
        cluster = distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            local_directory=str(folder),
        )
        client = stack.enter_context(stack.enter_context(cluster).get_client())
        sweeps = {
            OURS: _ours(folder / "ours", executor=client),
            "dask, storing nothing": _dask(client),
        }
        yield from _rows(setup, "on Dask, 2 workers", sweeps, 5e-3)


@benchmarks("batch-growth")
def growth(setup: Setup) -> Iterator[Row]:
    """Measure a stored batch as it becomes larger, a run."""
    folder = setup.fresh("batch-growth")
    steps = (10, 30) if setup.quick else (100, 1_000, 10_000)
    cache = nbcache.Cache(folder / "ours")
    function = cache.cached(work.one)
    values = _new(steps[-1], 0)
    for one in values:
        function.put(one * 2.0, one)
    figures = {}
    for step in steps:

        def resumed(step: int = step) -> None:
            batch = nbcache.Batch(f"of {step}", cache=cache)
            batch.add_runs(function, {"x": values[:step]})
            batch(progress=False)

        case = Case(OURS, resumed)
        figures[step] = measure([case], setup.size(3, 1))[OURS] / step
    told = ", ".join(f"{text_of(one, 's')} at {step}" for step, one in figures.items())
    yield Row(
        f"a stored run, batches of {steps[0]} → {steps[-1]}",
        {OURS: figures[steps[-1]] / figures[steps[0]]},
        (AtMost(1.3),),
        "×",
        remark=told,
    )


@benchmarks("batch-memory")
def memory(setup: Setup) -> Iterator[Row]:
    """Measure what a batch takes of memory where it is, with large results."""
    size = setup.size(1_000_000, 10_000)
    runs = setup.size(100, 5)
    folder = setup.fresh("batch-memory")
    cache = nbcache.Cache(folder / "ours")
    seeds = list(range(runs))

    def ours(size: int) -> float:
        def run() -> None:
            batch = nbcache.Batch("large", cache=cache)
            batch.add_runs(work.numbers, {"size": size, "seed": seeds})
            batch(progress=False, workers=2)

        return peak_bytes(run)

    ours(8)  # what is imported late
    small = ours(80)
    figures = {OURS: ours(size)}
    if peer("joblib"):
        joblib = peer("joblib")
        function = joblib.Memory(folder / "joblib", verbose=0).cache(work.numbers)

        def theirs() -> object:
            calls = (joblib.delayed(function)(size, seed) for seed in seeds)
            return joblib.Parallel(n_jobs=2)(calls)

        figures["joblib"] = peak_bytes(theirs)
    yield Row(
        f"memory of the client, {runs} new results of {text_of(size, 'B')} on loky",
        figures,
        (AtMost(4e6),),
        "B",
        remark=f"{text_of(small, 'B')} with results of 80 B",
    )
