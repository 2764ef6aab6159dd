"""A metric is brought up to date: found, or computed and stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbcache import trace
from nbcache.cache import Core
from nbcache.decorator.invocation import Invocation, Unkeyed
from nbcache.errors import UnhashableValue
from nbcache.metrics import live
from nbcache.metrics.names import Given
from nbcache.metrics.task import MetricTask, digest_of, value_digest
from nbcache.metrics.telling import tell
from nbcache.outcome import Hit
from nbcache.storage.entry import Entry
from nbcache.trace.observed import Unknowable

if TYPE_CHECKING:
    from nbcache.metrics.metric import Metric

__all__ = ["Answer", "ask", "day", "digest_now", "fetch", "run"]


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
    title = metric._owner.title
    try:
        with live.computing(title, said), trace.apart(), live.settled() as known:
            found = answer()
            known[title, said] = found.digest
    except BaseException:
        # who asked may go on without it
        live.untold(title, said)
        raise
    live.depend(title, said, found.digest, found.seconds)
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
    digest = task.digest or value_digest(value)
    seconds = 0.0 if task.entry is None else task.entry.seconds
    return Answer(value, digest, seconds, task.entry, is_new=call.must_run)


def run(metric: Metric, said: str, args: Any, kwargs: Any) -> tuple[Any, float]:
    """Call the function, and say so; give its value and the s that it took."""
    tell(f"Compute {said}")
    began = time.perf_counter()
    with live.running():
        value = metric.original_function(*args, **kwargs)
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
    title = metric._owner.title
    with live.settled() as known:
        if (title, said) not in known:
            call = metric, given, said, may_run, known
            with live.outermost() as is_first:
                if is_first:
                    _look_in_steps(call)
                else:
                    _look(*call)
        return known[title, said]


_Call = tuple["Metric", Given, str, bool, dict[tuple[str, str], str]]


def _look_in_steps(call: _Call) -> None:
    """Look a metric up; what is far down the chain of its dependencies comes first."""
    waiting = [call]
    while waiting:
        try:
            _look(*waiting[-1])
            waiting.pop()
        except live.Deeper as deeper:
            waiting.append(deeper.call)
        except Exception:
            if len(waiting) == 1:
                raise
            waiting.pop()  # whoever depends on it finds that out


def _look(
    metric: Metric,
    given: Given,
    said: str,
    may_run: bool,
    known: dict[tuple[str, str], str],
) -> None:
    title, call = metric._owner.title, (metric, given, said, may_run, known)
    with live.looking(title, said, call), live.computing(title, said), trace.apart():
        known[title, said] = _digest_now(metric, given, said, may_run)


def _digest_now(metric: Metric, given: Given, said: str, may_run: bool) -> str:
    with live.failing() as failed:
        entry = stored(metric, metric._owner._core(), given)
    if entry is not None:
        return digest_of(entry)
    if failed:
        # it would ask for that again, and so would all that depend on it
        raise live.Failing(failed[0])
    if not may_run:
        raise Unknowable(f"the metric {said} would have to be computed")
    return fetch(metric, given, said).digest


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
