"""The runs of a batch are computed: found, sent out, heard of, noted."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbcache import trace
from nbcache.batch.failures import Failure, drop_failure, keep_failure
from nbcache.batch.listed import Listed, keep_listed
from nbcache.batch.result_run import ResultRun
from nbcache.batch.run import Run
from nbcache.cache import Core, warn
from nbcache.errors import BatchError, NbcacheError, UnstorableValue
from nbcache.executors.attempt import attempt_here
from nbcache.executors.drive import Drive
from nbcache.executors.point import FAILED, RETURNED, Point, Report
from nbcache.executors.pools import Pool, pool_of
from nbcache.executors.travelling import Travelling
from nbcache.storage import codec

if TYPE_CHECKING:
    from nbcache.batch.batch import Batch

__all__ = ["call_runs"]

# so many results of a function tell what its next ones take
_RECENT = 20
_ON_ERROR = ("raise", "keep", "stop")


def call_runs(
    batch: Batch,
    runs: list[Run],
    *,
    executor: Any,
    workers: int,
    progress: bool,
    on_error: str,
    refresh: bool,
) -> None:
    """Compute runs; see `Batch`."""
    if on_error not in _ON_ERROR:
        raise ValueError(f"on_error is {', '.join(_ON_ERROR)}, not {on_error!r}")
    pool = pool_of(executor, workers)
    work = _Work(batch, on_error == "stop")
    work.gather(runs, refresh)
    try:
        with _bar(batch.name, len(runs), work.done, progress) as bar:
            work.bar = bar
            if pool is None:
                work.here()
            else:
                work.on(pool)
    finally:
        work.end()
    if work.failures and on_error == "keep":
        warn(_told(batch, work.failures))
    elif work.failures:
        raise BatchError(_told(batch, work.failures), tuple(work.failures)) from (
            work.failures[0].error
        )


def _told(batch: Batch, failures: list[Failure]) -> str:
    count = len(failures)
    lines = [f"{count} of {len(batch.run)} runs of {batch.name!r} failed:"]
    return "\n".join([*lines, *(f"  {one}" for one in failures)])


@contextmanager
def _bar(name: str, total: int, done: int, wanted: bool) -> Iterator[Any]:
    """Show a bar with rate, time left and failures; None if nothing is to be shown."""
    if not wanted or done == total:
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, initial=done, desc=name, unit="run") as bar:
        yield bar


@dataclass
class _Work:
    """The runs that are to be computed, each call once.

    Attributes
    ----------
    done : int
        Runs that have their results.
    failures : list of Failure
        Of this call.
    """

    batch: Batch
    stops: bool
    points: list[Point] = field(default_factory=list)
    runs: list[list[Run]] = field(default_factory=list)
    cores: list[Core] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unstored: dict[str, list[str]] = field(default_factory=dict)
    done: int = 0
    bar: Any = None

    def gather(self, runs: Iterable[Run], refresh: bool) -> None:
        """Find out which calls are to be made."""
        known: dict[Any, int] = {}
        for run in runs:
            if isinstance(run, ResultRun):
                self.done += 1
                continue
            point, is_done = run._looked_up(refresh)
            core = run._inside.core()
            if is_done:
                self.done += 1
                self._finish(run, run.id, point)
                continue
            call = (point.key, point.folder, point.keep) if point.key else id(run)
            if call in known:
                self.runs[known[call]].append(run)
                continue
            known[call] = len(self.points)
            self.points.append(point)
            self.runs.append([run])
            self.cores.append(core)

    def here(self) -> None:
        """Compute all in this process, in order."""
        for number, point in enumerate(self.points):
            wrapper = self.runs[number][0]._inside.wrapper
            report = attempt_here(number, point, wrapper, self.cores[number])
            if not self.heard(report):
                return

    def on(self, pool: Pool) -> None:
        """Compute all in a pool."""
        if not self.points:
            pool.close()
            return
        self._estimate()
        with Travelling(self.points, self.cores, pool.needs_canary) as travelling:
            Drive(travelling.points, pool, travelling.work, travelling.inline).run(
                self.heard
            )

    def _estimate(self) -> None:
        """Say what calls took when they last ran: short ones are sent together."""
        known: dict[tuple[str, str], float | None] = {}
        for point, core in zip(self.points, self.cores, strict=True):
            named = point.callee.name, point.folder
            if named not in known:
                found = core.store.by_name(named[0], _RECENT)
                seconds = [one.seconds for one in found if one.kind == "function"]
                known[named] = statistics.mean(seconds) if seconds else None
            point.seconds = known[named]

    def heard(self, report: Report) -> bool:
        """Take in what came of a point; say whether to go on."""
        # while other threads compute
        with trace.unseen():
            return self._heard(report)

    def _heard(self, report: Report) -> bool:
        number = report.number
        point, core = self.points[number], self.cores[number]
        if report.entry is not None and report.content is not None:
            self._store(report, point, core)
        failed = report.status == FAILED
        first, *_ = self.runs[number]
        for run in self.runs[number]:
            run._heard(report)
            if failed:
                self._fail(run, report, point, core)
            else:
                self.done += 1
                known = point.state["run"]["id"] if run is first else run.id
                self._finish(run, known, point)
            if self.bar is not None:
                self.bar.update()
        if not failed and point.keep:
            drop_failure(core, point.key)
        if report.status == RETURNED and report.why and point.keep:
            self.unstored.setdefault(report.why, []).append(point.label)
        if failed and self.bar is not None:
            self.bar.set_postfix(failed=len(self.failures))
        return not (failed and self.stops)

    def _fail(self, run: Run, report: Report, point: Point, core: Core) -> None:
        assert report.failed is not None
        if point.keep and point.key:
            run._inside.failure = keep_failure(core, run, point.key, report.failed)
        failure = run._inside.failure
        assert failure is not None
        self.failures.append(failure)

    def _store(self, report: Report, point: Point, core: Core) -> None:
        """Store what a worker that does not see the store has sent."""
        assert report.entry is not None
        assert report.content is not None
        reason = "refreshed" if point.refresh else "new"
        try:
            core.put_entry(report.entry, report.content, "", reason)
        except (UnstorableValue, NbcacheError, OSError) as error:
            report.why = f"the store failed: {error}"
            report.value = _decoded(report)
            report.entry = report.content = None
        else:
            warn(
                "workers do not see the store: results travel through this process. "
                "Keep the cache in a folder that all of them share, or use remote="
            )

    def _finish(self, run: Run, id: str, point: Point) -> None:
        if point.keep and point.key:
            core = run._inside.core()
            known = self.batch._finished.setdefault(core.store.folder, (core, {}))[1]
            known[run.index or 0] = Listed(id, point.key)

    def end(self) -> None:
        """Note which runs are finished; say which results were not stored, and why."""
        for why, labels in self.unstored.items():
            others = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
            verb = "were" if others else "was"
            warn(f"{labels[0]}{others} {verb} run, not stored: {why}")
        self._enter()

    def _enter(self) -> None:
        own = self.batch.cache_core
        every = {
            index: one
            for _, listed in self.batch._finished.values()
            for index, one in listed.items()
        }
        # cached functions may keep their results elsewhere: there is a list as well
        lists = {**self.batch._finished, own.store.folder: (own, every)}
        for core, listed in lists.values():
            if core.settings.read_only or not listed:
                continue
            try:
                keep_listed(core, self.batch.name, [listed[i] for i in sorted(listed)])
            except OSError as error:
                warn(f"the list of {self.batch.name!r} could not be written: {error}")


def _decoded(report: Report) -> Any:
    assert report.content is not None
    members = report.content.members
    return codec.decode(report.content.tree, members.__getitem__).get("value")
