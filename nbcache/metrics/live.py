"""Which metrics are defined in this process, and which are being computed.

What a run asked of a metric stands in its trace as an observation: the metric's name
and the digest of its value.  A look-up compares that with today's, for which the metric
is brought up to date first.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from nbcache import trace
from nbcache.errors import MetricCycle
from nbcache.trace.observed import ABSENT, Observed, Unknowable, metric_digests

if TYPE_CHECKING:
    from nbcache.metrics.collection import Collection

__all__ = [
    "Deeper",
    "Failing",
    "computing",
    "depend",
    "enter",
    "every",
    "failing",
    "found",
    "looking",
    "outermost",
    "untold",
    "own_name",
    "running",
    "settled",
]

_SEPARATOR = ":"

_defined: dict[str, list[weakref.ref[Collection]]] = {}

# what is computed or brought up to date here, outermost first
_under_way: ContextVar[tuple[tuple[str, str], ...]] = ContextVar(
    "nbcache_metrics", default=()
)
# what is known to be up to date, as long as no code of the user's runs
_settled: ContextVar[dict[tuple[str, str], str] | None] = ContextVar(
    "nbcache_metrics_settled", default=None
)
# how deep look-ups are nested, and which were begun anew already
_looks: ContextVar[tuple[int, set[tuple[str, str]]] | None] = ContextVar(
    "nbcache_metrics_looks", default=None
)
_DEEPEST = 16
# what could not be brought up to date, as it raises
_failures: ContextVar[list[str] | None] = ContextVar(
    "nbcache_metrics_failures", default=None
)


def enter(metrics: Collection) -> None:
    """Make metrics known under their title; those defined last come first."""
    known = _defined.setdefault(metrics.title, [])
    known[:] = [weakref.ref(metrics), *(one for one in known if one() is not None)]
    if not metric_digests:
        metric_digests.append(_digest)


def found(title: str) -> list[Collection]:
    """Give the metrics of a title that are alive, those defined last first."""
    alive = (one() for one in _defined.get(title, ()))
    return [one for one in alive if one is not None]


def every() -> list[Collection]:
    """Give all metrics that are alive."""
    return [one for title in _defined for one in found(title)]


def _digest(name: str, may_run: bool) -> str:
    """Give the digest of a metric now.

    Raises
    ------
    Unknowable
        It is not defined here, depends on itself, fails, or would have to be computed.
    """
    title, _, said = name.partition(_SEPARATOR)
    owners = [one for one in found(title) if one._has(said)]
    if not owners:
        raise Unknowable(f"the metric {said} is not defined here")
    if len({one._module_of(said) for one in owners}) > 1:
        raise Unknowable(
            f"several modules define the metric {said}: tell them apart, "
            "Metrics(name=...)"
        )
    try:
        return owners[0]._digest_now(said, may_run)
    except Failing as error:
        _failed(str(error))
        raise
    except Unknowable:
        raise
    except MetricCycle as error:
        # so it was recorded; whether it is so, running tells
        raise Unknowable(str(error)) from error
    except Exception as error:
        why = f"the metric {said} fails: {type(error).__name__}: {error}"
        _failed(why)
        raise Failing(why) from error


class Deeper(BaseException):
    """A metric is to be looked up first: the stack of Python's calls is short.

    Parameters
    ----------
    call : tuple
        What is to be looked up, as whoever looks up spells it.
    """

    def __init__(self, call: tuple[Any, ...]) -> None:
        self.call = call
        super().__init__(call)


@contextmanager
def looking(title: str, said: str, call: tuple[Any, ...]) -> Iterator[None]:
    """Note that a metric is looked up, for another one perhaps.

    Raises
    ------
    Deeper
        Too many are; once for each metric.
    """
    depth, begun = _looks.get() or (0, set())
    if depth >= _DEEPEST and (title, said) not in begun:
        begun.add((title, said))
        raise Deeper(call)
    token = _looks.set((depth + 1, begun))
    try:
        yield
    finally:
        _looks.reset(token)


@contextmanager
def outermost() -> Iterator[bool]:
    """Say whether no metric is being looked up; one is from now on."""
    known = _looks.get()
    token = _looks.set(known or (0, set()))
    try:
        yield known is None
    finally:
        _looks.reset(token)


class Failing(Unknowable):
    """What a metric depends on raises now."""


@contextmanager
def failing() -> Iterator[list[str]]:
    """Give what fails of what is brought up to date inside a block."""
    found: list[str] = []
    token = _failures.set(found)
    try:
        yield found
    finally:
        _failures.reset(token)


def _failed(why: str) -> None:
    found = _failures.get()
    if found is not None:
        found.append(why)


def depend(title: str, said: str, digest: str, seconds: float = 0.0) -> None:
    """Tell who is recorded that it depends on a value of a metric."""
    name = f"{title}{_SEPARATOR}{said}"
    trace.depend(Observed("metric", name, digest), seconds)


def untold(title: str, said: str) -> None:
    """Tell who is recorded that it depends on what no look-up can tell of a metric."""
    depend(title, said, ABSENT)


def own_name(title: str, observed: str) -> str:
    """Give the name of a metric of a title; '' for another's."""
    before = f"{title}{_SEPARATOR}"
    return observed.removeprefix(before) if observed.startswith(before) else ""


@contextmanager
def computing(title: str, said: str) -> Iterator[None]:
    """Note that a metric is under way in this thread.

    Raises
    ------
    MetricCycle
        It is already.
    """
    before = _under_way.get()
    if (title, said) in before:
        place = before.index((title, said))
        raise MetricCycle([*(name for _, name in before[place:]), said])
    token = _under_way.set((*before, (title, said)))
    try:
        yield
    finally:
        _under_way.reset(token)


@contextmanager
def settled() -> Iterator[dict[tuple[str, str], str]]:
    """Give the digests of metrics that need not be looked up again in this call."""
    known = _settled.get()
    if known is not None:
        yield known
        return
    known = {}
    token = _settled.set(known)
    try:
        yield known
    finally:
        _settled.reset(token)


@contextmanager
def running() -> Iterator[None]:
    """Note that code of the user's runs, which may change anything."""
    known = _settled.get()
    token, looks = _settled.set(None), _looks.set(None)
    try:
        yield
    finally:
        _looks.reset(looks)
        _settled.reset(token)
        if known is not None:
            known.clear()
