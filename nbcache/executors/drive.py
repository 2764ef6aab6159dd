"""Many points are sent to a pool, and each of them ends: computed, or said to fail.

A worker that dies takes all with it that it had, and with some executors all that the
others had: no executor says which call it was.  What was on its way is then sent again,
each point alone; what ends its worker three times is given up.
"""

from __future__ import annotations

import queue
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nbcache.errors import NbcacheError, NotCached
from nbcache.executors.attempt import failed_report
from nbcache.executors.point import FAILED, Point, Report, Work
from nbcache.executors.pools import Pool
from nbcache.keys import hashing

__all__ = ["Drive", "WorkerDied"]

MOST_DEATHS = 3
MOST_CANCELLED = 20
ALONE_S = 1.0
"""What takes longer is sent by itself."""
CHUNK_S = 2.0
MOST_IN_CHUNK = 1000
CHECK_S = 2.0
"""How often is looked whether there still are workers."""


class WorkerDied(NbcacheError, RuntimeError):
    """A call ended its worker, each time it was tried."""


@dataclass(slots=True)
class Drive:
    """Points on their way.

    Parameters
    ----------
    points : list of Point
        Each is computed once.
    pool : Pool
        Where.
    work_of : callable
        Makes `Work` of numbered points.
    inline : callable
        Gives a point that carries its large arguments itself, for workers that do not
        see the store; None if it does so already.
    """

    points: list[Point]
    pool: Pool
    work_of: Callable[[list[tuple[int, Point]]], Work]
    inline: Callable[[int], Point | None]
    _waiting: deque[int] = field(default_factory=deque)
    _suspects: deque[int] = field(default_factory=deque)
    _flying: dict[int, tuple[Any, list[int], int]] = field(default_factory=dict)
    _done: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    _deaths: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _cancelled: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _seconds: dict[str, list[float]] = field(default_factory=dict)
    _sent: set[int] = field(default_factory=set)
    _generation: int = 0
    _losses: int = 0
    _ready: deque[Report] = field(default_factory=deque)

    def run(self, tell: Callable[[Report], bool]) -> None:
        """Compute all points.

        Parameters
        ----------
        tell : callable
            Hears of each point once; says whether to go on.

        Raises
        ------
        RuntimeError
            The executor takes no work, or cannot go on.
        """
        self._waiting.extend(range(len(self.points)))
        try:
            while self._waiting or self._suspects or self._flying or self._ready:
                self._fill()
                if not self._ready and self._flying:
                    self._wait()
                while self._ready:
                    if not tell(self._ready.popleft()):
                        return
        finally:
            self.pool.release([one[0] for one in self._flying.values()])
            self.pool.close()

    def _wait(self) -> None:
        """Take what is done next.

        Raises
        ------
        RuntimeError
            Nothing will be done any more.
        """
        while True:
            try:
                future = self._done.get(timeout=CHECK_S)
            except queue.Empty:
                gone = self.pool.gone()
                # what was done meanwhile is told before
                if gone and self._done.empty():
                    raise RuntimeError(
                        f"{gone}. What is done is kept: call the batch again to go on"
                    ) from None
            else:
                self._take(future)
                return

    # --- sending

    def _fill(self) -> None:
        if self._suspects:
            # alone: whatever happens is its own doing
            if not self._flying:
                self._send([self._suspects.popleft()])
            return
        while self._waiting and len(self._flying) < self.pool.most_sent:
            self._send(self._chunk())

    def _chunk(self) -> list[int]:
        """Take points that together are worth being sent."""
        chunk = [self._waiting.popleft()]
        share = -(-len(self._waiting) // (4 * self.pool.workers))
        most = min(MOST_IN_CHUNK, max(1, share))
        seconds = self._cost(chunk[0])
        while self._waiting and seconds is not None and len(chunk) < most:
            more = self._cost(self._waiting[0])
            if seconds > ALONE_S or more is None or seconds + more > CHUNK_S:
                break
            chunk.append(self._waiting.popleft())
            seconds += more
        return chunk

    def _cost(self, number: int) -> float | None:
        """Give what a point takes, in s, as far as it is known."""
        point = self.points[number]
        if point.seconds is not None:
            return point.seconds
        known = self._seconds.get(point.callee.name)
        return sum(known) / len(known) if known else None

    def _send(self, chunk: list[int]) -> None:
        try:
            packed = self.pool.pack(
                self.work_of([(one, self.points[one]) for one in chunk])
            )
        except Exception as error:
            self._unsendable(chunk, error)
            return
        try:
            future = self.pool.submit(self._name(chunk), packed)
        except Exception as error:
            if self.pool.lost(error) != "killed":
                raise RuntimeError(
                    f"the executor takes no work ({error}). What is done is kept: "
                    "call the batch again with another executor"
                ) from error
            self._waiting.extendleft(reversed(chunk))
            self._renew(self._generation)
            return
        self._flying[id(future)] = future, chunk, self._generation
        future.add_done_callback(self._done.put)

    def _unsendable(self, chunk: list[int], error: Exception) -> None:
        if len(chunk) > 1:
            for one in chunk:
                self._send([one])
            return
        point = self.points[chunk[0]]
        told = TypeError(
            f"{point.label} cannot be sent to a worker: {error}. Leave out executor= "
            "and workers=, or give parameters that can be pickled"
        )
        told.__cause__ = error
        self._ready.append(failed_report(chunk[0], told))

    def _name(self, chunk: list[int]) -> str:
        """Give what equal work is known by; "" where it must not be shared."""
        points = [self.points[one] for one in chunk]
        if any(one.refresh or not one.keep or not one.key for one in points):
            return ""
        again = self._sent.intersection(chunk)
        self._sent.update(chunk)
        if again:
            # a cluster may still have what came of the first time
            return ""
        keys = [one.key for one in points]
        key = keys[0] if len(keys) == 1 else hashing.digest(keys)
        # others may keep the same call elsewhere, and would look for it there
        return f"{key}-{hashing.digest([one.folder for one in points])[:8]}"

    # --- hearing

    def _take(self, future: Any) -> None:
        _, chunk, generation = self._flying.pop(id(future))
        try:
            reports = self.pool.reports(future)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self._lost(chunk, generation, error)
            return
        self._losses = 0
        # whoever else sent the same may have numbered it in another way
        for number, report in zip(chunk, reports, strict=True):
            report.number = number
            self._heard(report)

    def _heard(self, report: Report) -> None:
        failed = report.failed
        if failed is not None and isinstance(failed.error, NotCached):
            point = self.inline(report.number)
            if point is not None:
                self.points[report.number] = point
                self._waiting.appendleft(report.number)
                return
        if report.status != FAILED:
            name = self.points[report.number].callee.name
            known = self._seconds.setdefault(name, [])
            known.append(report.seconds)
            del known[:-100]
        self._ready.append(report)

    def _lost(self, chunk: list[int], generation: int, error: BaseException) -> None:
        """Send what came to nothing again, or give it up."""
        how = self.pool.lost(error)
        if how in ("killed", "alone"):
            self._renew(generation)
        if how == "cancelled":
            self._again(chunk, error)
            return
        if not how:
            # not the call's own error, which would have been reported
            if len(chunk) > 1:
                self._suspects.extend(chunk)
            else:
                self._ready.append(failed_report(chunk[0], error))
            return
        for number in chunk:
            # some executors have tried several times already
            self._deaths[number] += 2 if how == "alone" else 1
            if self._deaths[number] >= MOST_DEATHS:
                self._ready.append(self._dead(number))
            else:
                self._suspects.append(number)

    def _again(self, chunk: list[int], error: BaseException) -> None:
        for number in chunk:
            self._cancelled[number] += 1
            if self._cancelled[number] > MOST_CANCELLED:
                self._ready.append(failed_report(number, error))
            else:
                self._waiting.append(number)

    def _dead(self, number: int) -> Report:
        label = self.points[number].label
        return failed_report(
            number,
            WorkerDied(
                f"{label} ended its worker each time it was tried: out of memory, a "
                "crash in compiled code, or os._exit. Run it alone: executor=None"
            ),
        )

    def _renew(self, generation: int) -> None:
        """Go on with new workers, once for all that the old ones took with them."""
        if generation == self._generation:
            self._generation += 1
            self._losses += 1
            self.pool.renew()
            if self._losses > MOST_DEATHS:
                self._require_sound()

    def _require_sound(self) -> None:
        """Tell runs that end their workers from workers that cannot even begin.

        Raises
        ------
        RuntimeError
            They end without any work.
        """
        try:
            packed = self.pool.pack(self.work_of([]))
            self.pool.reports(self.pool.submit("", packed))
        except Exception as error:
            raise RuntimeError(
                f"the workers end before they compute anything ({error}). What is done "
                "is kept: call the batch again with another executor"
            ) from error
        self._losses = 0
