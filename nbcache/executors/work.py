"""What a worker does with the points that it is sent."""

from __future__ import annotations

import functools
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
from nbcache.executors.attempt import OtherKey, attempt, failed_report
from nbcache.executors.point import Point, Report, Work
from nbcache.storage.described import package_versions

__all__ = ["compute", "computed", "unframed", "versions"]

# what makes a key besides code and data; the patch level of Python does not
_COUNTED = ("python", "nbcache", "numpy", "pandas")


def compute(payload: bytes) -> bytes:
    """Compute pickled `Work`; give its pickled reports."""
    work: Work = cloudpickle.loads(payload)
    with _at_home(work.home if Path(work.home).is_dir() else ""):
        return b"".join(map(_framed, computed(work)))


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
    canary = work.canaries.get(point.folder, "")
    place = _place(point.folder, point.settings, canary)
    called = id(point.callee), id(place)
    if called not in wrappers:
        # which holds the place, so that its id stays its own
        wrappers[called] = point.callee.wrapper(lambda: place.core)
    wrapper = wrappers[called]
    try:
        return attempt(number, point, wrapper, place.core, sees_store=place.sees_store)
    except OtherKey as error:
        return failed_report(number, _skew(point, error, work))


def _framed(report: Report) -> bytes:
    """Pickle a report, with a text in the place of what cannot be pickled."""
    try:
        data: bytes = cloudpickle.dumps(report)
        cloudpickle.loads(data)
    except Exception as error:
        if report.failed is not None:
            told = RuntimeError(report.failed.traceback.strip().splitlines()[-1])
            report.failed = type(report.failed)(
                told, report.failed.traceback, report.failed.kinds, report.failed.host
            )
        else:
            text = f"its result can neither be stored ({report.why}) nor sent: {error}"
            report = failed_report(report.number, TypeError(text), report.seconds)
        data = bytes(cloudpickle.dumps(report))
    return len(data).to_bytes(8, "little") + data


def unframed(data: bytes) -> Iterator[Report]:
    """Give the reports that `compute` pickled."""
    start = 0
    while start < len(data):
        stop = start + 8 + int.from_bytes(data[start : start + 8], "little")
        yield cloudpickle.loads(data[start + 8 : stop])
        start = stop


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
    """Say whether the entry that the batch wrote can be read and is trusted."""
    for source in (core.store, core.store.behind):
        try:
            opened = source.get(canary) if source is not None else None
        except (NbcacheError, OSError):
            continue
        if opened is not None:
            opened.close()
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
