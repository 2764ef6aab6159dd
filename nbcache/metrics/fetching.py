"""A metric is brought up to date: found, or computed and stored."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbcache import randomness, trace
from nbcache.cache import Core
from nbcache.decorator.invocation import Invocation, Unkeyed
from nbcache.errors import UnhashableValue
from nbcache.metrics import live
from nbcache.metrics.names import Given
from nbcache.metrics.task import MetricTask, digest_of, value_digest, with_left
from nbcache.metrics.telling import tell
from nbcache.outcome import Hit
from nbcache.storage.entry import Entry
from nbcache.trace.observed import Unknowable

if TYPE_CHECKING:
    from nbcache.metrics.metric import Metric

__all__ = ["Answer", "ask", "day", "digest_now", "fetch", "run"]


# look-ups within each other, and repetitions of one for others
_DEEPEST = 8
_MOST_TIMES = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """A value of a metric.

    Parameters
    ----------
    value
        For the caller.
    digest : str
        Of the value.
    seconds : float
        s that computing it took.
    entry : Entry, optional
        Of what is stored.
    is_new : bool
        Whether it was computed just now.
    """

    value: Any
    digest: str
    seconds: float = 0.0
    entry: Entry | None = None
    is_new: bool = False


def ask(metric: Metric, said: str, answer: Callable[[], Answer]) -> Answer:
    """Get an answer as one step: whoever is recorded depends on it, not on its parts.

    Raises
    ------
    MetricCycle
        The metric is being computed already.
    """
    owner = metric._owner
    try:
        with live.computing(owner, said), trace.apart(), live.settled() as known:
            found = answer()
            known[id(owner), said] = found.digest
    except BaseException:
        # who asked may go on without it
        live.untold(owner.title, said)
        raise
    live.depend(owner.title, said, found.digest, found.seconds)
    return found


def fetch(metric: Metric, given: Given, said: str, refresh: bool = False) -> Answer:
    """Give the stored value if it is what would be computed, else compute and store it.

    Raises
    ------
    Exception
        What the metric raises.
    """
    (args, kwargs), wrapper, core = given, metric._wrapper, metric._owner._core()
    if wrapper._is_off(core):
        value, seconds = run(metric, said, args, kwargs)
        return Answer(value, value_digest(value), seconds, is_new=True)
    refresh = refresh or core.settings.refresh
    call = wrapper._invocation(core, args, kwargs, refresh)
    try:
        with call:
            if call.must_run:
                call.keep(run(metric, said, call.args, call.kwargs)[0])
    finally:
        call.release()
    found = _answer(call, said)
    metric._owner._note(said, found)
    return found


def _answer(call: Invocation | Unkeyed, said: str) -> Answer:
    value = call.value()
    if isinstance(call, Unkeyed):
        return Answer(value, value_digest(value), is_new=True)
    task, outcome = call.task, call.outcome
    assert isinstance(task, MetricTask)
    if outcome is not None and outcome.stored:
        tell(f"Save {said}")
    digest = task.digest or with_left(value_digest(value), task.left())
    seconds = 0.0 if task.entry is None else task.entry.seconds
    return Answer(value, digest, seconds, task.entry, is_new=call.must_run)


def run(metric: Metric, said: str, args: Any, kwargs: Any) -> tuple[Any, float]:
    """Call the function, and say so; give its value and the s that it took."""
    tell(f"Compute {said}")
    began = time.perf_counter()
    with live.running():
        value = metric._function(*args, **kwargs)
    seconds = time.perf_counter() - began
    tell(f"Completed {said} in {duration_text(seconds)}")
    return value, seconds


def duration_text(seconds: float) -> str:
    """Give a duration with three digits: ms below a second."""
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds / 60:.0f} min"


def day(entry: Entry) -> str:
    """Give the day on which a value was stored, as people write it."""
    return time.strftime("%Y-%m-%d", time.localtime(entry.created))


def digest_now(metric: Metric, given: Given, said: str, may_run: bool) -> str:
    """Give the digest of what a metric is now, without its value if that is stored.

    Raises
    ------
    Unknowable
        It would have to be computed, and may not.
    MetricCycle
        It is being computed already.
    Exception
        What the metric raises.
    """
    with live.settled() as known:
        if known.depth:
            return _settled(metric, given, said, known, may_run)
        # what metrics need is looked up within, in more and more frames of the stack:
        # what is too deep is done first
        first: list[live.TooDeep] = []
        met: Counter[tuple[int, str]] = Counter()
        while True:
            try:
                while first:
                    _settle_first(first[-1], known, may_run)
                    first.pop()
                return _settled(metric, given, said, known, may_run)
            except live.TooDeep as deeper:
                first.append(deeper)
                met[deeper.at] += 1
                if met[deeper.at] > _MOST_TIMES:
                    # each run makes what is known of others old
                    known.failed[deeper.at] = _not_told(deeper.said)


def _not_told(said: str) -> str:
    return f"the metric {said} cannot be brought up to date"


def _settle_first(deeper: live.TooDeep, known: live.Known, may_run: bool) -> None:
    """Look a metric up; in the end it is known, or known to fail."""
    with live.in_place_of(deeper), suppress(Exception):
        metric, given = deeper.owner._found(deeper.said)
        _settled(metric, given, deeper.said, known, may_run)
    if deeper.at not in known:
        known.failed.setdefault(deeper.at, _not_told(deeper.said))


def _settled(
    metric: Metric, given: Given, said: str, known: live.Known, may_run: bool
) -> str:
    """Give the digest of a metric, known, or looked up once.

    Raises
    ------
    TooDeep
        Many others are looked up for it.
    """
    owner, at = metric._owner, (id(metric._owner), said)
    if at in known:
        return known[at]
    if at in known.failed:
        known.met.append(known.failed[at])
        raise Unknowable(known.failed[at])
    if known.depth >= _DEEPEST:
        raise live.TooDeep(owner, said)
    known.depth += 1
    try:
        with live.computing(owner, said), trace.apart():
            known[at] = _digest_now(metric, given, said, known, may_run)
    finally:
        known.depth -= 1
    return known[at]


def _digest_now(
    metric: Metric, given: Given, said: str, known: live.Known, may_run: bool
) -> str:
    at, met = (id(metric._owner), said), len(known.met)
    entry = stored(metric, metric._owner._core(), given)
    if entry is not None:
        return digest_of(entry)
    if not may_run:
        raise Unknowable(f"the metric {said} would have to be computed")
    if len(known.met) > met:
        # it would ask for that again, and so would all that depend on it
        known.failed[at] = known.met[met]
        raise Unknowable(known.failed[at])
    try:
        with randomness.unchanged():
            return fetch(metric, given, said).digest
    except Exception as error:
        known.failed[at] = live.failure(said, error)
        known.met.append(known.failed[at])
        raise


def stored(metric: Metric, core: Core, given: Given) -> Entry | None:
    """Give the entry of a value that may be used now; None if there is none."""
    wrapper = metric._wrapper
    if wrapper._is_off(core) or core.settings.refresh:
        return None
    try:
        with trace.unseen():
            request, _ = wrapper._request(*given)
            found = core.lookup(request)
    except UnhashableValue:
        return None
    if not isinstance(found, Hit):
        return None
    found.opened.close()
    return found.opened.entry
