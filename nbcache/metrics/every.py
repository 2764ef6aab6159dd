"""All values of a metric, computed in order, or by many workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nbcache import trace
from nbcache.cache import Core, warn
from nbcache.errors import UnhashableValue
from nbcache.executors.callee import Callee
from nbcache.executors.drive import Drive
from nbcache.executors.point import Point, Report
from nbcache.executors.pools import pool_of
from nbcache.executors.travelling import Travelling
from nbcache.metrics import names
from nbcache.metrics.fetching import stored
from nbcache.metrics.names import Given
from nbcache.metrics.telling import quietly, tell
from nbcache.wording import one_line

if TYPE_CHECKING:
    from nbcache.metrics.metric import Metric

__all__ = ["get_all"]


def get_all(
    metric: Metric, *, use_stored: bool, verbose: bool, executor: Any, workers: int
) -> list[Any]:
    """Give the values for all declared parameters; see `Metric.get_all`."""
    every = [(metric._said(one), one) for one in map(names.given, metric.params_list)]
    pool = pool_of(executor, workers)
    work = _Work(metric, not use_stored)
    with quietly(not verbose):
        if pool is not None:
            work.gather(every)
            work.on(pool)
        values = []
        for number, (said, given) in enumerate(every, 1):
            tell(f"get_all {number}/{len(every)}: {said}")
            if said in work.unstored:
                values.append(work.unstored[said])
                continue
            computes = not use_stored and pool is None
            values.append(
                metric._owner._get(
                    metric, given, use_stored=not computes, verbose=verbose
                )
            )
    return values


@dataclass
class _Work:
    """The values that are to be computed by others.

    Attributes
    ----------
    unstored : dict of str to object
        Values that could not be stored.
    """

    metric: Metric
    refresh: bool
    unstored: dict[str, Any] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)

    @property
    def core(self) -> Core:
        """Where values are kept."""
        return self.metric._owner._core()

    def gather(self, every: list[tuple[str, Given]]) -> None:
        """Find out what is missing, each name once."""
        core, callee = self.core, Callee(self.metric._wrapper)
        for said, given in dict(every).items():
            if self.refresh or stored(self.metric, core, given) is None:
                self.points.append(self._point(said, given, core, callee))

    def _point(self, said: str, given: Given, core: Core, callee: Callee) -> Point:
        owner, wrapper = self.metric._owner, self.metric._wrapper
        owner._held.pop(said, None)
        args, kwargs = given
        point = Point(
            callee,
            args,
            kwargs,
            key="",
            label=said,
            folder=str(core.store.folder),
            settings=core.settings,
            keep=not wrapper._is_off(core),
            refresh=self.refresh or core.settings.refresh,
            sends=owner._shelves is not None,
        )
        try:
            with trace.unseen():
                request, _ = wrapper._request(args, kwargs, refresh=self.refresh)
        except UnhashableValue:
            return point
        point.key, point.state = request.key.digest, request.state
        point.parts = {part.label: part.digest for part in request.key.parts}
        return point

    def on(self, pool: Any) -> None:
        """Compute all in a pool.

        Raises
        ------
        Exception
            What the first metric raised that failed; the others are stored.
        """
        if not self.points:
            pool.close()
            return
        cores = [self.core] * len(self.points)
        with Travelling(self.points, cores, pool.needs_canary) as travelling:
            Drive(travelling.points, pool, travelling.work, travelling.inline).run(
                self._heard
            )
        if self.failed:
            said, error = self.failed[0]
            more = f", and {len(self.failed) - 1} more" if len(self.failed) > 1 else ""
            error.add_note(f"raised by the metric {said}{more}; the others are stored")
            raise error

    def _heard(self, report: Report) -> bool:
        with trace.unseen():
            said = self.points[report.number].label
            if report.failed is not None:
                self.failed.append((said, report.failed.error))
            elif report.entry is not None and report.content is not None:
                self._store(said, report)
            elif report.status == "returned":
                self.unstored[said] = report.value
                if report.why:
                    warn(f"{said!r} was run, not stored: {report.why}")
        return True

    def _store(self, said: str, report: Report) -> None:
        """Store what a worker sent."""
        assert report.entry is not None
        assert report.content is not None
        reason = "refreshed" if self.refresh else "new"
        try:
            self.core.put_entry(report.entry, report.content, "", reason)
        except Exception as error:  # whatever a storage of the user's raises
            # it is computed here when it is asked for, which says it again
            warn(f"{said!r} was run, not stored: {one_line(error)}")
