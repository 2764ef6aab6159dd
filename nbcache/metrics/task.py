"""A metric as a cached function: what its calls are named, and what is kept of them."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nbcache.decorator.call import CallTask
from nbcache.decorator.identity import counted_names
from nbcache.decorator.options import Options
from nbcache.decorator.references import DIGEST
from nbcache.decorator.wrapper import Wrapper
from nbcache.errors import UnhashableValue
from nbcache.keys import hashing
from nbcache.keys.key import KEY_SCHEMA
from nbcache.outcome import Computed, Request
from nbcache.storage.entry import METRIC, Entry
from nbcache.storage.store import Content, Opened

__all__ = [
    "MetricFunction",
    "MetricOptions",
    "MetricTask",
    "digest_of",
    "value_digest",
    "with_left",
]

_LEFT = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricOptions(Options):
    """The options of a metric.

    Parameters
    ----------
    spell : callable
        Gives the name of a call from its bound arguments.
    origin : mapping of str to str
        What its entries say of where they come from.
    """

    spell: Callable[[inspect.BoundArguments], str]
    origin: Mapping[str, str]

    def counted(self, bound: inspect.BoundArguments) -> list[str]:
        """Give the names of the parameters that belong to the name of a call."""
        return counted_names(bound.arguments, self)


@dataclass(slots=True)
class MetricTask(CallTask):
    """Computes, encodes and restores one call of a metric.

    Parameters
    ----------
    said : str
        The name of the call.
    digest : str
        Of its value, once that is known.
    entry : Entry, optional
        The one that was found, or made.
    """

    said: str = ""
    digest: str = ""
    entry: Entry | None = None

    def encode(self, computed: Computed[Any]) -> tuple[Entry, Content]:
        """Give the entry of a value, with the digest that dependents compare."""
        self.with_digest = True
        entry, content = CallTask.encode(self, computed)
        state = entry.state
        if left := self.left():
            state = {**state, _LEFT: left}
        if DIGEST not in state:
            state = {**state, DIGEST: [KEY_SCHEMA, value_digest(computed.value)]}
        entry = replace(entry, kind=METRIC, name=self.said, state=state)
        self.digest, self.entry = digest_of(entry), entry
        return entry, content

    def left(self) -> str:
        """Give a digest of how it left the random generators; '' if as they were."""
        return "" if self.random is None else self.random.left()

    def _referred(self) -> dict[str, Any]:
        """Give nothing: a value is loaded by name, also where its code is not."""
        return {}

    def restore(self, opened: Opened) -> Any:
        """Decode the value of a stored call."""
        value = CallTask.restore(self, opened)
        self.digest, self.entry = digest_of(opened.entry), opened.entry
        return value


def digest_of(entry: Entry) -> str:
    """Give the digest of what a stored run gives to those who ask for it."""
    known = entry.state.get(DIGEST)
    if isinstance(known, list) and len(known) == 2 and known[0] == KEY_SCHEMA:
        return with_left(str(known[1]), str(entry.state.get(_LEFT, "")))
    # of another version: this very result, whatever it is equal to
    return hashing.digest((entry.key, entry.created))


def with_left(digest: str, left: str) -> str:
    """Give the digest of a value and of how its run left the random generators."""
    return hashing.digest((digest, left)) if left else digest


def value_digest(value: Any) -> str:
    """Give the digest of a value; one that nothing else has if it has none."""
    try:
        return hashing.digest(value)
    except UnhashableValue:
        return uuid.uuid4().hex


class MetricFunction(Wrapper[..., Any]):
    """What computes and keeps a metric; called through its `Metric` only."""

    _kind = METRIC
    _task = MetricTask
    _options: MetricOptions

    def _said(self, bound: inspect.BoundArguments, /) -> str:
        return self._options.spell(bound)

    def _request(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, refresh: bool = False
    ) -> tuple[Request, CallTask]:
        request, task = Wrapper._request(self, args, kwargs, refresh=refresh)
        assert isinstance(task, MetricTask)
        task.said = request.name
        return replace(request, state={METRIC: dict(self._options.origin)}), task
