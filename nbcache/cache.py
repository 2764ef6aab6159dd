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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from nbcache import config, trace
from nbcache.candidates import Candidates
from nbcache.errors import (
    CacheWarning,
    NbcacheError,
    UnstorableValue,
    UntrustedEntry,
)
from nbcache.keys.key import Change, Key
from nbcache.outcome import (
    Computed,
    Hit,
    Miss,
    Outcome,
    Request,
    Restored,
    Task,
    outcomes,
)
from nbcache.storage.entry import Entry
from nbcache.storage.locks import single_flight
from nbcache.storage.store import Store
from nbcache.trace.observed import entry_key

__all__ = ["Core", "notebook_name", "outcomes", "warn"]

Value = TypeVar("Value")


_registry: dict[Any, Any] = {}


def warn(message: str) -> None:
    """Tell the user in one line, once for each text, what the cache could not do."""
    # explicit place: a line of ours shown below the message would tell nobody anything
    try:
        warnings.warn_explicit(
            message, CacheWarning, "nbcache", 1, module="nbcache", registry=_registry
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
        if isinstance(found, Miss):
            with self.flight(request):
                found = self.find_again(request, task, found)
                if isinstance(found, Miss):
                    computed = task.compute()
                    self.keep(request, task, computed, found)
                    return computed.value
        return found.value

    def lookup(self, request: Request) -> Hit | Miss:
        """Decide: a hit, or a miss with its reason. Changes nothing."""
        if request.refresh:
            return Miss("refreshed")
        if not request.read:
            return Miss("disabled")
        return Candidates(self.store, request).find() or self._explain(request)

    def find(self, request: Request, task: Task[Value]) -> Restored[Value] | Miss:
        """Look up and restore; anything that fails makes it a miss."""
        with trace.unseen():
            return self._find(request, task)

    def _find(self, request: Request, task: Task[Value]) -> Restored[Value] | Miss:
        began = time.perf_counter()
        try:
            found = self.lookup(request)
        except Exception as error:
            warn(f"{request.name!r} was not looked up: {_said(error)}")
            return Miss("damaged", detail=_said(error))
        if isinstance(found, Miss):
            self._react(request, found)
            return found
        try:
            value = task.restore(found.opened)
        except UntrustedEntry as error:
            return self._react(request, Miss("untrusted", detail=str(error)))
        except LookupError as error:
            return Miss("dependency", detail=_said(error))
        except Exception as error:
            damaged = (found.opened.entry.key,)
            return self._react(
                request, Miss("damaged", detail=_said(error), damaged=damaged)
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
        if miss.reason in ("damaged", "untrusted", "dependency", "disabled"):
            return miss
        again = self.find(request, task)
        return miss if isinstance(again, Miss) else again

    @contextmanager
    def flight(self, request: Request) -> Iterator[None]:
        """Hold the key while its value is computed; without a lock if need be."""
        path = self.store.place.lock(request.key.digest)
        if not (request.write and self.store.prepare()):
            yield
            return
        before = self._standing(request)
        with single_flight(
            path,
            lambda: not request.refresh and self._standing(request) != before,
            lambda: warn(f"{request.name!r} is being computed elsewhere: waiting"),
        ):
            yield

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
        if request.write and not refused:
            try:
                entry, content = task.encode(computed)
                stored = self.store.put(
                    _completed(entry, request, computed),
                    content,
                    slug=request.slug,
                    overwrite=miss.reason in _REPLACED,
                )
            except UnstorableValue as error:
                refused = str(error)
            except Exception as error:
                refused = f"the store failed: {_said(error)}"
        elif miss.reason == "unreadable":
            refused = refused or f"the store failed: {miss.detail}"
        if refused:
            warn(f"{request.name!r} was run, not stored: {refused}")
        elif computed.told:
            warn(f"{request.name!r} was stored, but {computed.told}")
        return self._note(
            Outcome(
                name=request.name,
                kind=request.kind,
                key=stored.key if stored else request.key.digest,
                hit=False,
                reason=miss.reason,
                stored=stored is not None,
                seconds=computed.seconds,
                changes=tuple(map(str, miss.changes)) or _texts(miss.detail),
                refused=refused,
                bytes=stored.bytes if stored else 0,
                created=stored.created if stored else 0.0,
                variables=tuple(str(row[0]) for row in stored.variables)
                if stored
                else (),
            ),
            request.notebook,
        )

    # --- what is said about it

    def _react(self, request: Request, miss: Miss) -> Miss:
        """Set a damaged entry aside and say so; say whose entry was not used."""
        if miss.reason == "damaged":
            for key in miss.damaged or (request.key.digest,):
                path = self.store.place.entry(key, request.slug)
                if path.exists():
                    self.store.set_aside(path)
            warn(
                f"the entry of {request.name!r} is damaged ({miss.detail}); it was set "
                "aside and the code runs again"
            )
        elif miss.reason == "untrusted":
            warn(
                f"an entry for {request.name!r} exists but was not used: "
                f"{miss.detail}; computed afresh"
            )
        return miss

    def _explain(self, request: Request) -> Miss:
        """Name the parts in which the nearest earlier entry of the name differs."""
        try:
            earlier = self.store.by_name(request.name, limit=20)
        except OSError:
            earlier = []
        nearest: tuple[Change, ...] | None = None
        for entry in earlier:
            changes = _difference(entry, request.key)
            if nearest is None or len(changes) < len(nearest):
                nearest = changes
        if not nearest:
            return Miss("new")
        return Miss(_reason(nearest), nearest)

    def _note_hit(self, request: Request, entry: Entry, seconds: float) -> None:
        self.store.history.note_hit(entry.key, entry.seconds)
        self._note(
            Outcome(
                name=request.name,
                kind=request.kind,
                key=entry.key,
                hit=True,
                reason="",
                stored=True,
                seconds=seconds,
                saved=entry.seconds,
                bytes=entry.bytes,
                created=entry.created,
                variables=tuple(str(row[0]) for row in entry.variables),
            ),
            request.notebook,
        )

    def refuse(self, name: str, kind: str, refused: str, seconds: float) -> None:
        """Note a run that has no key, and say why it was not stored."""
        warn(f"{name!r} was run, not stored: {refused}")
        self._note(
            Outcome(name, kind, None, False, "input", False, seconds, refused=refused),
            "",
        )

    def _note(self, outcome: Outcome, notebook: str) -> Outcome:
        outcomes.append(outcome)
        if self.store.folder.is_dir():
            self.store.history.note_outcome(outcome.name, notebook, outcome.to_json())
        return outcome


# the entry of such a miss may stand under the very key that a new run gets
_REPLACED = ("refreshed", "damaged", "untrusted", "dependency", "file", "expired")


def _completed(entry: Entry, request: Request, computed: Computed[Any]) -> Entry:
    """Give an entry with what its run found, which makes its key."""
    return replace(
        entry,
        key=entry_key(request.key.digest, computed.found),
        lookup=request.key.digest,
        trace=[one.to_json() for one in computed.found],
        written=[one.to_json() for one in computed.written],
    )


def _said(error: BaseException) -> str:
    """Give an error in one line."""
    text = " ".join(str(error).split())
    if isinstance(error, NbcacheError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _texts(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _difference(entry: Entry, key: Key) -> tuple[Change, ...]:
    try:
        return Key.from_json(entry.parts).difference(key)
    except (ValueError, TypeError):
        return ()


_KINDS = {"code": "code", "library": "library", "python": "library"}
_INPUTS = ("input", "argument", "env", "attr")


def _reason(changes: tuple[Change, ...]) -> str:
    """Name the kind of change that matters most to the user."""
    kinds = set()
    for change in changes:
        head = change.label.partition(" ")[0]
        kinds.add("input" if head in _INPUTS else _KINDS.get(head, "dependency"))
    return next(
        kind for kind in ("code", "dependency", "input", "library") if kind in kinds
    )


def notebook_name() -> str:
    """Give the notebook or script that is running, as far as it can be known."""
    return os.environ.get("JPY_SESSION_NAME", "")
