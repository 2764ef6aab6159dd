"""One point is looked up, computed and stored, in whatever process it is."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from nbcache import trace
from nbcache.cache import Core
from nbcache.conditions import finished
from nbcache.decorator.call import CallTask
from nbcache.decorator.invocation import Invocation
from nbcache.decorator.references import values_of
from nbcache.decorator.wrapper import Wrapper
from nbcache.errors import NbcacheError, UnhashableValue
from nbcache.executors.point import (
    FAILED,
    FOUND,
    RETURNED,
    STORED,
    Failed,
    Point,
    Report,
)
from nbcache.keys.key import Key
from nbcache.outcome import Request

__all__ = ["OtherKey", "attempt", "attempt_here", "failed_report"]


class OtherKey(NbcacheError, RuntimeError):
    """A call has another key in a worker than where the batch is.

    Parameters
    ----------
    key : Key
        The one found in the worker.
    """

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__("a worker finds other code, data or versions")


def attempt(
    number: int,
    point: Point,
    wrapper: Wrapper[..., Any],
    core: Core,
    *,
    sees_store: bool = True,
) -> Report:
    """Look a point up, compute and store it; what it raises is reported.

    Parameters
    ----------
    number : int
        Of the point.
    wrapper : Wrapper
        What it calls, with results in `core`.
    sees_store : bool
        Whether what is stored here is stored where the batch is.

    Raises
    ------
    OtherKey
        Its key is not the one that it came with.
    KeyboardInterrupt
        The user ends it.
    """
    began = time.perf_counter()
    try:
        if not point.keep or wrapper._is_off(core):
            return _plain(number, point, wrapper)
        try:
            with trace.unseen():
                request, task = wrapper._request(
                    point.args, point.kwargs, refresh=point.refresh
                )
        except UnhashableValue as error:
            return _plain(number, point, wrapper, str(error))
        if point.key and request.key.digest != point.key:
            raise OtherKey(request.key)
        request = replace(request, state=point.state)
        call = _function(point, wrapper)
        if sees_store:
            return _kept(number, Invocation(core, request, task), call)
        return _sent(number, request, task, call)
    except OtherKey:
        raise
    except (Exception, SystemExit) as error:
        return failed_report(number, error, time.perf_counter() - began)


def attempt_here(
    number: int, point: Point, wrapper: Wrapper[..., Any], core: Core
) -> Report:
    """Do so in the process of the batch, where runs may change what others read."""
    try:
        return attempt(number, point, wrapper, core)
    except OtherKey as error:
        point.key = ""
        try:
            return attempt(number, point, wrapper, core)
        finally:
            point.key = error.key.digest


def _plain(
    number: int, point: Point, wrapper: Wrapper[..., Any], why: str = ""
) -> Report:
    """Call without the cache."""
    began = time.perf_counter()
    args, kwargs = values_of(point.args, point.kwargs)
    value = _function(point, wrapper)(*args, **kwargs)
    seconds = time.perf_counter() - began
    return Report(number, RETURNED, seconds, value=value, why=why)


def _function(point: Point, wrapper: Wrapper[..., Any]) -> Callable[..., Any]:
    """Give what is called; of a run, a copy that may set attributes."""
    found = point.callee.call if point.callee.is_class else wrapper.__wrapped__
    return cast(Callable[..., Any], found)


def _kept(number: int, call: Invocation, function: Callable[..., Any]) -> Report:
    began = time.perf_counter()
    try:
        with call:
            if call.must_run:
                call.keep(function(*call.args, **call.kwargs))
    finally:
        call.release()
    value = call.value()
    seconds, outcome = time.perf_counter() - began, call.outcome
    if not call.must_run:
        return Report(number, FOUND, seconds)
    if outcome is not None and outcome.stored:
        return Report(number, STORED, outcome.seconds, outcome.bytes)
    why = outcome.refused if outcome else ""
    return Report(number, RETURNED, seconds, value=value, why=why)


def _sent(
    number: int, request: Request, task: CallTask, function: Callable[..., Any]
) -> Report:
    """Compute a point for a store that is not seen here: the entry travels."""
    args, kwargs = task.given()
    task.begin()
    try:
        value = function(*args, **kwargs)
    except BaseException:
        task.abandon()
        raise
    computed = task.end(value)
    value, why = computed.value, computed.refused
    report = Report(number, RETURNED, computed.seconds, value=value, why=why)
    if not computed.refused:
        try:
            entry, content = task.encode(computed)
        except Exception as error:
            report.why = str(error)
        else:
            report.entry = finished(entry, request, computed)
            report.content, report.value = content, None
    return report


_OWN = str(Path(__file__).parents[1])


def _of_user(error: BaseException) -> BaseException:
    """Take our own frames off the front of a traceback."""
    found = error.__traceback__
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_OWN):
        found = found.tb_next
    return error if found is None else error.with_traceback(found)


def failed_report(number: int, error: BaseException, seconds: float = 0.0) -> Report:
    """Give the report of a point that raised."""
    kinds = tuple(
        f"{one.__module__}.{one.__qualname__}" for one in type(error).__mro__[:-1]
    )
    text = "".join(traceback.format_exception(_of_user(error)))
    told = error if isinstance(error, Exception) else RuntimeError(repr(error))
    failed = Failed(told, text, kinds)
    return Report(number, FAILED, seconds, failed=failed)
