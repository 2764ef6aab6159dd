"""What a worker does with the points that it is sent."""

from __future__ import annotations

import functools
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle

from nbcache import config
from nbcache.cache import Core
from nbcache.cores import core_with
from nbcache.decorator.wrapper import Wrapper
from nbcache.errors import NbcacheError
from nbcache.executors.attempt import OtherKey, attempt, attempt_here, failed_report
from nbcache.executors.point import Point, Report, Work
from nbcache.executors.sending import unpacked
from nbcache.storage.described import package_versions

__all__ = ["compute", "computed", "unframed", "versions"]

# what makes a key besides code and data; the patch level of Python does not
_COUNTED = ("python", "nbcache", "numpy", "pandas")


def compute(payload: bytes) -> bytes:
    """Compute pickled `Work`; give its pickled reports."""
    _leave_dice()
    work = unpacked(payload)
    with _at_home(work.home if Path(work.home).is_dir() else ""):
        return cloudpickle.dumps(list(map(_framed, computed(work))))  # type: ignore[no-any-return]


_PLAYERS = (
    "tornado.ioloop",
    "dask.sizeof",
    "distributed.comm.core",
    "distributed.utils_comm",
)


def _leave_dice() -> None:
    """Let other threads draw from a generator of their own.

    What timers and connections of a Dask worker draw from the global one would count as
    drawn by the run.
    """
    for name in _PLAYERS:
        module = sys.modules.get(name)
        if module is not None and getattr(module, "random", None) is random:
            module.random = random.Random()  # type: ignore[attr-defined]


def computed(work: Work) -> list[Report]:
    """Compute points one after the other."""
    wrappers: dict[tuple[int, int], Wrapper[..., Any]] = {}
    return [_computed(number, point, work, wrappers) for number, point in work.points]


def _computed(
    number: int,
    point: Point,
    work: Work,
    wrappers: dict[tuple[int, int], Wrapper[..., Any]],
) -> Report:
    if point.sends:
        return _sent_back(number, point, work)
    canary = work.canaries.get(point.folder, "")
    place = _place(point.folder, point.settings, canary)
    called = id(point.callee), id(place)
    if called not in wrappers:
        # which holds the place, so that its id stays its own
        wrappers[called] = point.callee.wrapper(lambda: place.core)
    wrapper = wrappers[called]
    if not work.home:
        return attempt_here(number, point, wrapper, place.core)
    try:
        return attempt(number, point, wrapper, place.core, sees_store=place.sees_store)
    except OtherKey as error:
        return failed_report(number, _skew(point, error, work))


def _sent_back(number: int, point: Point, work: Work) -> Report:
    """Compute a point whose result no worker stores."""
    wrapper = point.callee.cached
    assert wrapper is not None
    core = wrapper._options.core()
    try:
        return attempt(number, point, wrapper, core, sees_store=False)
    except OtherKey as error:
        return failed_report(number, _skew(point, error, work))


def _framed(report: Report) -> tuple[int, float, bytes]:
    """Pickle a report; a result that cannot be is a failure."""
    try:
        data = cloudpickle.dumps(report)
    except Exception as error:
        text = f"its result can neither be stored ({report.why}) nor sent: {error}"
        report = failed_report(report.number, TypeError(text), report.seconds)
        data = cloudpickle.dumps(report)
    return report.number, report.seconds, data


def unframed(data: bytes) -> Iterator[Report]:
    """Give the reports that `compute` pickled."""
    for number, seconds, packed in cloudpickle.loads(data):
        try:
            report = cloudpickle.loads(packed)
        except Exception as error:
            text = f"its result cannot be read where the batch is: {error}"
            report = failed_report(number, TypeError(text), seconds)
        yield report


# --- the store, as it is seen here


@dataclass(frozen=True, slots=True)
class _Place:
    core: Core
    sees_store: bool


@functools.lru_cache(maxsize=32)
def _place(folder: str, settings: Any, canary: str) -> _Place:
    """Give the core to store in, and whether the batch will see what is stored."""
    core = core_with(Path(folder), settings)
    if not canary or _reads(core, canary):
        return _Place(core, True)
    if settings.remote:
        own = core_with(config.cache_dir(), settings)
        if _reads(own, canary):
            return _Place(own, True)
    return _Place(core, False)


def _reads(core: Core, canary: str) -> bool:
    """Say whether the entry that the batch wrote can be read, and counts as one's own.

    Who has another secret writes what the batch takes for somebody else's.
    """
    for source in (core.store, core.store.behind):
        try:
            opened = source.get(canary) if source is not None else None
        except (NbcacheError, OSError):
            continue
        if opened is not None:
            opened.close()
            if opened.is_mine:
                return True
    return False


_guard = threading.Lock()
_homes: list[Any] = []


@contextmanager
def _at_home(folder: str) -> Iterator[None]:
    """Have the default cache be that of the batch, for cached functions inside."""
    if not folder or (str(config.cache_dir()) == folder and not _homes):
        yield
        return
    with _guard:
        if not _homes:
            held = config.using(dir=folder)
            held.__enter__()
            _homes.append(held)
        else:
            _homes.append(None)
    try:
        yield
    finally:
        with _guard:
            # who leaves last takes it back: threads come and go in any order
            if len(_homes) == 1:
                _homes[0].__exit__(None, None, None)
            _homes.pop()


def _skew(point: Point, error: OtherKey, work: Work) -> NbcacheError:
    here = versions()
    differing = [
        f"{name} {work.sent_by.get(name, 'none')} in the client, "
        f"{here.get(name, 'none')} in the worker"
        for name in sorted({*work.sent_by, *here})
        if work.sent_by.get(name) != here.get(name)
    ]
    parts = {part.label: part.digest for part in error.key.parts}
    labels = [
        label
        for label in sorted({*parts, *point.parts})
        if parts.get(label) != point.parts.get(label)
    ]
    told = "; ".join(differing) or "the versions are the same"
    return NbcacheError(
        f"{point.label} was not computed: the worker finds other "
        f"{', '.join(labels) or 'code or data'} than the client ({told}). Install the "
        "same on both sides"
    )


def versions() -> dict[str, str]:
    """Give the versions of what makes keys."""
    found = package_versions()
    return {name: found[name] for name in _COUNTED if name in found}
