"""The core: look up, restore or compute, store. THE PAGE TO READ FIRST.

`Core.fetch` is the way that every result takes.  A *request* names what is wanted: its
key, its name.  A *task* knows how to compute it and how to restore it; a function call
and a cell are the two kinds.  Whatever fails in the cache itself costs one warning,
never the result.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nbcache import config, environment, explaining, trace
from nbcache.candidates import Candidates
from nbcache.conditions import failed, finished
from nbcache.errors import (
    CacheWarning,
    UnstorableValue,
    UntrustedEntry,
)
from nbcache.outcome import (
    NOT_WORTH_IT,
    Computed,
    Hit,
    Miss,
    Outcome,
    Request,
    Restored,
    Task,
    hit_outcome,
    outcomes,
)
from nbcache.storage.entry import Entry
from nbcache.storage.flight import Flight
from nbcache.storage.store import Content, Store
from nbcache.storage.trust import foreign_met
from nbcache.trace.observed import may_run
from nbcache.wording import one_line

__all__ = ["Core", "notebook_name", "outcomes", "warn"]

Value = TypeVar("Value")


# our own: Python's registries are forgotten whenever anybody changes a filter
_registry: set[str] = set()


def _says_each_time() -> bool:
    """Say whether the user wants to be told more than once."""
    for action, text, category, module, _ in warnings.filters:
        if text is None and module is None and issubclass(CacheWarning, category):
            if action in ("always", "all", "error"):
                return True
            break
    return config.current().verbosity == "full"


def warn(message: str) -> None:
    """Tell the user in one line, once for each text, what the cache could not do."""
    if message in _registry and not _says_each_time():
        return
    _registry.add(message)
    # explicit place: a line of ours shown below the message would tell nobody anything
    try:
        warnings.warn_explicit(
            message, CacheWarning, "nbcache", 1, module="nbcache", registry={}
        )
    except CacheWarning:
        # where warnings are errors, the user's result still comes first
        print(f"nbcache: {message}", file=sys.stderr)  # noqa: T201


@dataclass
class Core:
    """A store and the rules of look-up, computing and keeping.

    Parameters
    ----------
    store : Store
        Where the entries are.
    settings : Settings
        Those in force here.
    """

    store: Store
    settings: config.Settings = field(default_factory=config.Settings)

    # --- the way data takes

    def fetch(self, request: Request, task: Task[Value]) -> Value:
        """Give the result of a request, from the store or computed.

        Raises
        ------
        Exception
            What the user's code raises, and nothing else.
        """
        found = self.find(request, task)
        if isinstance(found, Restored):
            return found.value
        flight = self.flight(request)
        try:
            with flight:
                found = self.find_again(request, task, found)
                if isinstance(found, Restored):
                    return found.value
                computed = task.compute()
                self.keep(request, task, computed, found)
                return computed.value
        finally:
            flight.release()  # an interrupt may have hit the first one

    def lookup(self, request: Request) -> Hit | Miss:
        """Decide: a hit, or a miss with its reason. Changes nothing."""
        if request.refresh:
            return Miss("refreshed")
        if not request.read or self.store.trust == "none":
            return Miss("disabled")
        found = Candidates(self.store, request).find()
        if not isinstance(found, Hit):
            found = self._look_behind(request, found)
        return found or explaining.explained(self.store, request)

    def _look_behind(self, request: Request, miss: Miss | None) -> Hit | Miss | None:
        """Ask those with whom the store is shared for what it has not got itself."""
        behind = None if request.private else self.store.behind
        if behind is None:
            return miss
        found = Candidates(behind, request).find()
        return found if isinstance(found, Hit) else miss or found

    def find(self, request: Request, task: Task[Value]) -> Restored[Value] | Miss:
        """Look up and restore; anything that fails makes it a miss."""
        with trace.unseen(), may_run():
            return self._find(request, task)

    def _find(self, request: Request, task: Task[Value]) -> Restored[Value] | Miss:
        began = time.perf_counter()
        try:
            found = self.lookup(request)
        except Exception as error:
            warn(f"{request.name!r} was not looked up: {one_line(error)}")
            return Miss("damaged", detail=one_line(error))
        if isinstance(found, Miss):
            explaining.settle(request)
            self._react(request, found)
            return found
        try:
            value = task.restore(found.opened)
        except UntrustedEntry as error:
            return self._react(request, Miss("untrusted", detail=str(error)))
        except LookupError as error:
            return Miss("dependency", detail=one_line(error))
        except Exception as error:
            damaged = (found.opened.entry.key,)
            return self._react(
                request, Miss("damaged", detail=one_line(error), damaged=damaged)
            )
        finally:
            found.opened.close()
        entry = found.opened.entry
        trace.inherit(entry.trace, entry.written, entry.seconds)
        self._note_hit(request, entry, time.perf_counter() - began)
        return Restored(value)

    def find_again(
        self, request: Request, task: Task[Value], miss: Miss
    ) -> Restored[Value] | Miss:
        """Look a second time, after waiting for whoever was computing."""
        if request.refresh or not self._standing(request):
            return miss
        if miss.reason in ("damaged", "untrusted", "disabled"):
            return miss
        if miss.reason == "dependency" and not miss.changes:
            return miss
        again = self.find(request, task)
        return miss if isinstance(again, Miss) else again

    def flight(self, request: Request) -> Flight:
        """Give what holds the key while its value is computed, if it can be held."""
        if not (request.write and self.store.prepare()):
            return Flight(None)
        path = self.store.place.lock(request.key.digest)
        lease = None
        if not request.private:
            lease = self.store.host_lease(request.key.digest, request.slug)
        return Flight(path, *self._waiting(request), request.lock_timeout, lease)

    def _waiting(
        self, request: Request
    ) -> tuple[Callable[[], bool], Callable[[], None]]:
        """Give what ends waiting, and what is said of it."""
        before = self._standing(request)
        return (
            lambda: not request.refresh and self._standing(request) != before,
            lambda: warn(f"{request.name!r} is being computed elsewhere: waiting"),
        )

    def _standing(self, request: Request) -> tuple[Any, ...]:
        """Tell what stands under a look-up key; another answer says that it changed."""
        return self.store.standing(request.key.digest, request.slug)

    def keep(
        self, request: Request, task: Task[Value], computed: Computed[Value], miss: Miss
    ) -> Outcome:
        """Store a result if that is allowed and possible, and say what happened."""
        with trace.unseen():
            return self._keep(request, task, computed, miss)

    def _keep(
        self, request: Request, task: Task[Value], computed: Computed[Value], miss: Miss
    ) -> Outcome:
        stored: Entry | None = None
        refused = computed.refused
        storing, began = 0.0, time.perf_counter()
        quiet = self._too_short(request, computed, miss)
        if request.write and not refused and not quiet:
            try:
                stored = self.put(request, task, computed, miss.reason)
                storing = time.perf_counter() - began
            except UnstorableValue as error:
                refused = str(error)
            except Exception as error:
                refused = f"the store failed: {one_line(error)}"
        elif miss.reason == "unreadable":
            refused = refused or f"the store failed: {miss.detail}"
        if refused:
            warn(f"{request.name!r} was run, not stored: {refused}")
        elif computed.told:
            warn(f"{request.name!r} was stored, but {computed.told}")
        outcome = self._note(
            Outcome(
                name=request.name,
                kind=request.kind,
                key=stored.key if stored else request.key.digest,
                hit=False,
                reason=miss.reason,
                stored=stored is not None,
                seconds=computed.seconds,
                changes=tuple(map(str, miss.changes)) or _texts(miss.detail),
                refused=refused or quiet,
                storing=storing,
                bytes=stored.bytes if stored else 0,
                created=stored.created if stored else 0.0,
                variables=tuple(str(row[0]) for row in stored.variables)
                if stored
                else (),
                explained=explaining.story(miss),
            ),
            request.notebook,
        )
        # for a cell the notice says it
        is_said = request.kind == "function" and self.settings.verbosity != "quiet"
        if is_said and outcome.is_not_worth_it:
            warn(f"{request.name!r} was stored, but {NOT_WORTH_IT}")
        return outcome

    def put(
        self,
        request: Request,
        task: Task[Value],
        computed: Computed[Value],
        reason: str,
    ) -> Entry:
        """Store a result with what its run found, and what the request says of it.

        The reason of the miss says whether what is there may be replaced.

        Raises
        ------
        UnstorableValue, OSError
            It cannot be kept.
        """
        entry, content = task.encode(computed)
        entry = finished(entry, request, computed)
        stored = self.put_entry(entry, content, request.slug, reason)
        now, own = (stored.created, stored.seconds), (entry.created, entry.seconds)
        computed.is_overtaken = now != own
        return stored

    def put_entry(
        self, entry: Entry, content: Content, slug: str, reason: str
    ) -> Entry:
        """Store an entry that has all that is to be said of it.

        Raises
        ------
        UnstorableValue, OSError
            It cannot be kept.
        """
        replaces = reason in _REPLACED
        stored = self.store.put(entry, content, slug=slug, overwrite=replaces)
        if reason == "refreshed" and stored.key != entry.lookup:
            # what stands under the look-up key itself would be found before this one
            self.store.drop(entry.lookup, slug)
        return stored

    def _too_short(
        self, request: Request, computed: Computed[Value], miss: Miss
    ) -> str:
        """Say that storing is not worth it; '' if it is, or has to be."""
        if computed.seconds >= request.min_seconds:
            return ""
        if miss.reason == "refreshed" and self._standing(request):
            return ""  # else the old result would come back at the next call
        return (
            f"min_seconds: it took {computed.seconds:.2g} s, less than "
            f"{request.min_seconds:g} s"
        )

    # --- what is said about it

    def _react(self, request: Request, miss: Miss) -> Miss:
        """Set a damaged entry aside and say so; say whose entry was not used."""
        if miss.reason == "damaged":
            for key in miss.damaged or (request.key.digest,):
                path = self.store.place.entry(key, request.slug)
                if os.path.lexists(path):
                    self.store.set_aside(path)
            warn(
                f"the entry of {request.name!r} is damaged ({miss.detail}); it was set "
                "aside and the code runs again"
            )
        elif miss.reason == "untrusted":
            warn(
                f"an entry for {request.name!r} exists but was not used, so it is "
                f"computed afresh: {miss.detail}"
            )
            if told := foreign_met(request.key.digest):
                warn(told)
        elif failed(miss):
            warn(f"the entry of {request.name!r} was not used: {miss.detail}")
        return miss

    def _note_hit(self, request: Request, entry: Entry, seconds: float) -> None:
        self.store.history.note_hit(entry.key, entry.seconds)
        self._note(
            hit_outcome(request.name, request.kind, entry, seconds), request.notebook
        )

    def note_again(self, told: Outcome, seconds: float) -> None:
        """Note a hit like an earlier one, which took other seconds."""
        outcomes.append((told, seconds))
        self.store.history.note_again(told, seconds, notebook_name())

    def refuse(self, name: str, kind: str, refused: str, seconds: float) -> None:
        """Note a run that has no key, and say why it was not stored."""
        warn(f"{name!r} was run, not stored: {refused}")
        self._note(
            Outcome(name, kind, None, False, "input", False, seconds, refused=refused),
            "",
        )

    def _note(self, outcome: Outcome, notebook: str) -> Outcome:
        outcomes.append(outcome)
        if os.path.isdir(self.store.folder):
            history = self.store.history
            history.note_outcome(outcome.name, notebook, outcome.to_json())
            if outcome.kind == "cell" and not outcome.hit:
                history.flush()  # a kernel that is killed leaves no time for it
        return outcome


# the entry of such a miss may stand under the very key that a new run gets
_REPLACED = frozenset(
    ["refreshed", "damaged", "untrusted", "dependency", "file", "expired", "invalid"]
)


def _texts(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def notebook_name() -> str:
    """Give the notebook or script that is running, as far as it can be known."""
    found = environment.stored("JPY_SESSION_NAME")
    return "" if found is None else os.fsdecode(found)
