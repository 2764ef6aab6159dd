"""Which metrics are defined in this process, and which are being computed.

What a run asked of a metric stands in its trace as an observation: the metric's name
and the digest of its value.  A look-up compares that with today's, for which the metric
is brought up to date first.
"""

from __future__ import annotations

import functools
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nbcache import trace
from nbcache.errors import MetricCycle
from nbcache.trace.observed import ABSENT, Observed, Unknowable, metric_digests

if TYPE_CHECKING:
    from nbcache.metrics.collection import Collection
    from nbcache.metrics.metric import Metric

__all__ = [
    "TooDeep",
    "computing",
    "depend",
    "depend_on_parameters",
    "enter",
    "every",
    "failure",
    "found",
    "in_place_of",
    "own_name",
    "running",
    "settled",
]

_PARAMETERS = "metric parameters"

_SEPARATOR = ":"

_defined: dict[str, list[weakref.ref[Collection]]] = {}


@dataclass(slots=True, eq=False)
class _Step:
    """A metric that is computed or brought up to date.

    Attributes
    ----------
    is_active : bool
        Whether it still is.
    """

    title: str
    said: str
    is_active: bool = True


# what is computed or brought up to date here, outermost first
_under_way: ContextVar[tuple[_Step, ...]] = ContextVar("nbcache_metrics", default=())
# and where threads were started
_started: weakref.WeakKeyDictionary[threading.Thread, tuple[_Step, ...]]
_started = weakref.WeakKeyDictionary()


def _note_threads() -> None:
    """Notice from now on in which metric a thread is started: it may ask for that."""
    original = threading.Thread.start
    if hasattr(original, "__nbcache_wrapped__"):
        return

    @functools.wraps(original)
    def start(thread: threading.Thread) -> None:
        if steps := _under_way.get():
            _started[thread] = steps
        original(thread)

    start.__nbcache_wrapped__ = original  # type: ignore[attr-defined]
    threading.Thread.start = start  # type: ignore[assignment, method-assign]


def _steps() -> tuple[_Step, ...]:
    """Give what is under way; in a thread that it has started, too."""
    own = _under_way.get()
    if own or not _started:
        return own
    known = _started.get(threading.current_thread(), ())
    return tuple(one for one in known if one.is_active)


# whose metric is looked up here; None where code of the user's runs
_asking: ContextVar[Collection | None] = ContextVar(
    "nbcache_metrics_asking", default=None
)


class Known(dict[tuple[int, str], str]):
    """Digests of metrics that need not be looked up again.

    Attributes
    ----------
    failed : dict of (int, str) to str
        What failed, or needs what did, and how: it is not run again to look others up.
    met : list of str
        How such failed as was met.
    depth : int
        How many look-ups are under way, each for the one before.
    """

    def __init__(self, failed: dict[tuple[int, str], str]) -> None:
        super().__init__()
        self.failed = failed
        self.met: list[str] = []
        self.depth = 0


class TooDeep(BaseException):
    """A metric is to be looked up first, from fewer frames of the stack.

    Nothing that handles errors on its way may take it for one.
    """

    def __init__(self, owner: Collection, said: str) -> None:
        self.owner, self.said = owner, said
        self.at = id(owner), said
        self.under_way = _under_way.get()
        super().__init__(said)


@contextmanager
def in_place_of(deeper: TooDeep) -> Iterator[None]:
    """Note all that was under way where a look-up came to be too deep."""
    token = _under_way.set(deeper.under_way)
    try:
        yield
    finally:
        _under_way.reset(token)


# what is known to be up to date, as long as no code of the user's runs
_settled: ContextVar[Known | None] = ContextVar("nbcache_metrics_settled", default=None)
# what failed since the outermost call
_failed: ContextVar[dict[tuple[int, str], str] | None] = ContextVar(
    "nbcache_metrics_failed", default=None
)


def enter(metrics: Collection) -> None:
    """Make metrics known under their title; those defined last come first."""
    known = _defined.setdefault(metrics.title, [])
    known[:] = [weakref.ref(metrics), *(one for one in known if one() is not None)]
    if not metric_digests:
        metric_digests.append(_digest)
        _note_threads()


def found(title: str) -> list[Collection]:
    """Give the metrics of a title that are alive, those defined last first."""
    alive = (one() for one in _defined.get(title, ()))
    return [one for one in alive if one is not None]


def every() -> list[Collection]:
    """Give all metrics that are alive."""
    return [one for title in _defined for one in found(title)]


def depend_on_parameters(metric: Metric) -> None:
    """Tell what is recorded that it depends on which calls are declared."""
    if trace.is_recording():
        name = f"{metric._owner.title}{_SEPARATOR}{metric.base_name}"
        trace.depend(Observed(_PARAMETERS, name, metric._parameters_digest()), 0.0)


def _digest(kind: str, name: str, may_run: bool) -> str:
    """Give the digest of a metric, or of its declared parameters, now.

    Raises
    ------
    Unknowable
        It is not defined here, depends on itself, fails, or would have to be computed.
    """
    title, _, said = name.partition(_SEPARATOR)
    if kind != "metric":
        return _parameters_digest(title, said)
    modules = {one._module_of(said) for one in _owners(title, said)}
    if not modules:
        raise Unknowable(f"the metric {said} is not defined here")
    if len(modules) > 1:
        raise Unknowable(
            f"several modules define the metric {said}: tell them apart, "
            "Metrics(name=...)"
        )
    try:
        return _agreed(title, said, may_run)
    except Unknowable:
        raise
    except MetricCycle as error:
        # so it was recorded; whether it is so, running tells
        raise Unknowable(str(error)) from error
    except Exception as error:
        raise Unknowable(failure(said, error)) from error


def failure(said: str, error: Exception) -> str:
    """Say that a metric fails."""
    return f"the metric {said} fails: {type(error).__name__}: {error}"


def _parameters_digest(title: str, base: str) -> str:
    made = [one._metrics[base] for one in found(title) if base in one._metrics]
    asking = [one for one in made if one._owner is _asking.get()]
    digests = {one._parameters_digest() for one in asking or made}
    if len(digests) != 1:
        raise Unknowable(f"the metric {base} is defined {len(digests)} times")
    return digests.pop()


def _owners(title: str, said: str) -> list[Collection]:
    return [one for one in found(title) if one._has(said)]


def _agreed(title: str, said: str, may_run: bool) -> str:
    """Give the digest of a metric that several objects may have.

    Raises
    ------
    Unknowable
        They differ, and nothing tells which of them is meant.
    """
    asking, owners = _asking.get(), _owners(title, said)
    if any(one is asking for one in owners):
        assert asking is not None
        return asking._digest_now(said, may_run)
    digest = owners[0]._digest_now(said, may_run)
    if all(map(_has_digest(said, digest), owners[1:])):
        return digest
    # a definition that ran again may have left the one before, which nobody needs
    del owners
    gc.collect()
    if all(map(_has_digest(said, digest), _owners(title, said)[1:])):
        return digest
    raise Unknowable(
        f"several objects have the metric {said}, and differ: tell them apart, "
        "Metrics(name=...)"
    )


def _has_digest(said: str, digest: str) -> Callable[[Collection], bool]:
    def is_equal(one: Collection) -> bool:
        try:
            return one._digest_now(said, False) == digest
        except (Unknowable, MetricCycle):
            return False

    return is_equal


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
def computing(owner: Collection, said: str) -> Iterator[None]:
    """Note that a metric is under way in this thread.

    Raises
    ------
    MetricCycle
        It is already.
    """
    title, before = owner.title, _steps()
    for place, one in enumerate(before):
        if (one.title, one.said) == (title, said):
            raise MetricCycle([*(step.said for step in before[place:]), said])
    step = _Step(title, said)
    token, asking = _under_way.set((*before, step)), _asking.set(owner)
    try:
        yield
    finally:
        step.is_active = False
        _asking.reset(asking)
        _under_way.reset(token)


@contextmanager
def settled() -> Iterator[Known]:
    """Give what is known of metrics that need not be looked up again in this call."""
    known = _settled.get()
    if known is not None:
        yield known
        return
    failed = _failed.get()
    known = Known({} if failed is None else failed)
    outermost = _failed.set(known.failed)
    token = _settled.set(known)
    try:
        yield known
    finally:
        _settled.reset(token)
        _failed.reset(outermost)


@contextmanager
def running() -> Iterator[None]:
    """Note that code of the user's runs, which may change anything."""
    known = _settled.get()
    token, asking = _settled.set(None), _asking.set(None)
    try:
        yield
    finally:
        _asking.reset(asking)
        _settled.reset(token)
        if known is not None:
            known.clear()
