"""Values that are computed and not stored: the memory of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache import trace
from nbcache.cache import Core, warn
from nbcache.conditions import finished
from nbcache.errors import UnhashableValue, UnstorableValue
from nbcache.metrics.fetching import Answer, run
from nbcache.metrics.names import Given
from nbcache.metrics.task import MetricTask, digest_of, value_digest
from nbcache.metrics.telling import tell
from nbcache.outcome import Computed, Request
from nbcache.storage import codec
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content
from nbcache.trace.observed import Today, Unknowable, may_run
from nbcache.wording import one_line

if TYPE_CHECKING:
    from nbcache.metrics.metric import Metric

__all__ = ["Held"]


@dataclass
class Held:
    """What a run gave, encoded, so that nobody who has the value can change it.

    Parameters
    ----------
    metric, given : Metric and arguments
        What was called.
    said : str
        Its name.
    value
        What it gave.
    core, request, task, computed
        Of the run; None without a key.
    entry, content
        What would be stored; None if that is not possible.
    """

    metric: Metric
    given: Given
    said: str
    value: Any
    core: Core | None = None
    request: Request | None = None
    task: MetricTask | None = None
    computed: Computed[Any] | None = None
    entry: Entry | None = None
    content: Content | None = None

    @classmethod
    def computed_now(cls, metric: Metric, given: Given, said: str) -> Held:
        """Run a metric, and hold what it gives.

        Raises
        ------
        Exception
            What it raises.
        """
        args, kwargs = given
        core = metric._owner._core()
        try:
            with trace.unseen():
                request, task = metric._wrapper._request(args, kwargs)
        except UnhashableValue:
            return cls(metric, given, said, run(metric, said, args, kwargs)[0])
        assert isinstance(task, MetricTask)
        values, named = task.given()
        task.begin()
        try:
            value = run(metric, said, values, named)[0]
        except BaseException:
            task.abandon()
            raise
        computed = task.end(value)
        held = cls(metric, given, said, value, core, request, task, computed)
        if not computed.refused:
            held._encode()
        return held

    def _encode(self) -> None:
        assert self.task is not None
        assert self.request is not None
        assert self.computed is not None
        try:
            with trace.unseen():
                entry, self.content = self.task.encode(self.computed)
                shelves = self.metric._owner._shelves
                if shelves is not None:
                    self.content = shelves.as_loaded(self.content)
            self.entry = finished(entry, self.request, self.computed)
        except (UnstorableValue, TypeError, OSError):
            return

    def is_current(self) -> bool:
        """Say whether a run now would give the same."""
        if self.entry is None or self.computed is None:
            return False
        args, kwargs = self.given
        today = Today()
        try:
            with trace.unseen(), may_run():
                request, _ = self.metric._wrapper._request(args, kwargs)
                if request.key.digest != self.entry.lookup:
                    return False
                return all(
                    today.observe(one.kind, one.name).digest == one.digest
                    for one in (*self.computed.found, *self.computed.written)
                )
        except (OSError, KeyError, Unknowable, UnhashableValue):
            return False

    def answer(self) -> Answer:
        """Give the value, a new one each time where that is possible."""
        if self.entry is None or self.content is None or self.task is None:
            return Answer(self.value, value_digest(self.value))
        value = self.task.restore(_Encoded(self.entry, self.content))  # type: ignore[arg-type]
        return Answer(value, digest_of(self.entry), self.entry.seconds)

    def keep(self) -> Entry | None:
        """Store it if a run now would give the same; give the entry."""
        if self.core is None or self.request is None or not self.request.write:
            return None
        if self.entry is None or self.content is None or not self.is_current():
            return None
        try:
            with trace.unseen():
                kept = self.core.put_entry(self.entry, self.content, "", "refreshed")
        except Exception as error:  # whatever a storage of the user's raises
            warn(f"{self.said!r} was computed, not stored: {one_line(error)}")
            return None
        tell(f"Save {self.said}")
        return kept


@dataclass
class _Encoded:
    """Content in memory, to be decoded like that of a file."""

    entry: Entry
    content: Content
    held: dict[str, Any] = field(default_factory=dict)

    def decode(self, *, mode: Any = "copy", **known: Any) -> Mapping[str, Any]:
        """Give the values; see `storage.opened`."""
        del mode
        members = self.content.members
        found = codec.decode(
            self.content.tree,
            lambda name: np.array(members[name], copy=True, order="K", subok=True),
            allow_pickle=True,
            **known,
        )
        laid = getattr(self.content, "value", self)
        return found if laid is self else {**found, "value": deepcopy(laid)}
