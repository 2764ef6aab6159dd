"""Metrics in plain files: a storage in the place of a store.

What the store keeps in an entry (key, trace, dependencies) stands beside the value, in
the metadata of its file.  Each name has one value, the latest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nbcache import config
from nbcache.cache import Core, outcomes, warn
from nbcache.candidates import Candidates
from nbcache.conditions import finished
from nbcache.decorator.arguments import as_text, unpacked
from nbcache.decorator.references import DIGEST, VALUE
from nbcache.errors import DamagedEntry, UnstorableValue
from nbcache.explaining import changed
from nbcache.keys import hashing
from nbcache.keys.key import KEY_SCHEMA
from nbcache.metrics.task import (
    MetricFunction,
    MetricTask,
    digest_of,
    value_digest,
)
from nbcache.outcome import Computed, Hit, Miss, Outcome, Request, Task, hit_outcome
from nbcache.storage import codec
from nbcache.storage.companions import as_loaded, changed_since, shelf
from nbcache.storage.entry import METRIC, Entry
from nbcache.storage.files_writing import LOCKS
from nbcache.storage.flight import Flight
from nbcache.storage.store import Content
from nbcache.wording import one_line

__all__ = ["Laid", "ShelfCore", "Shelves"]

# what is known without them, or is no affair of plain files
_LEFT_OUT = ("author", "call", "key", "name", "kind", "options", "schema")


@dataclass(frozen=True, slots=True)
class Laid(Content):
    """A value as it is given to a storage, and encoded what else a hit restores.

    Parameters
    ----------
    value
        Nobody else's object.
    """

    value: Any = None


@dataclass(slots=True)
class ShelfTask(MetricTask):
    """Computes and restores a metric whose value a storage writes in its own way."""

    def encode(self, computed: Computed[Any]) -> tuple[Entry, Content]:
        """Give the entry of a value, and the value itself."""
        entry, content = MetricTask.encode(self, computed)
        value = _own_copy(computed.value)
        return entry, Laid(content.tree, content.members, None, value)

    def _encoded(self, values: dict[str, Any]) -> codec.Encoded:
        others = {name: one for name, one in values.items() if name != VALUE}
        return MetricTask._encoded(self, others)


def _own_copy(value: Any) -> Any:
    try:
        return deepcopy(value)
    except Exception as error:  # whatever a class makes of it
        kind = type(value).__qualname__
        raise UnstorableValue("value", kind, one_line(error)) from error


class ShelfFunction(MetricFunction):
    """What computes a metric and keeps it in a storage."""

    _task = ShelfTask


class Shelf:
    """A storage as a store: what is there, by name.

    Parameters
    ----------
    storage : FileStorage, or an object with ``exists``, ``save`` and ``load``
        Where values are.
    """

    trust = "mine"
    behind = None

    def __init__(self, storage: Any) -> None:
        self.given = storage
        self.storage = shelf(storage)
        folder = getattr(storage, "folder", None)
        self.folder = Path(folder) if folder is not None else Path()

    @property
    def place(self) -> str:
        """What tells this storage from others, as the user spelled it."""
        kind = type(self.given).__name__
        return f"{kind}({getattr(self.given, 'given', '')})"

    # --- what is there

    def entry(self, name: str) -> Entry | None:
        """Give what is known of a value; None if there is none."""
        meta = self.storage.meta(name)
        if meta is not None and isinstance(meta.get("entry"), dict):
            return self.entry_of(name, meta)
        if not self.storage.exists(name):
            return None
        when = self.storage.date(name)
        return Entry("", METRIC, name, created=when.timestamp() if when else 0.0)

    def entry_of(self, name: str, meta: Mapping[str, Any]) -> Entry:
        """Give the entry that metadata tell of."""
        plain = dict(meta.get("entry") or {})
        digest = str(meta.get("blake3") or meta.get("value") or "")[:32]
        try:
            entry = Entry.from_json({**plain, "name": name, "kind": METRIC, "key": "0"})
        except DamagedEntry:
            return Entry("", METRIC, name)
        key = str(meta.get("key", ""))
        state = {**entry.state, DIGEST: [KEY_SCHEMA, digest]}
        return replace(entry, key=key, state=state, bytes=int(meta.get("bytes") or 0))

    def computed(self, name: str, limit: int = -1) -> list[Entry]:
        """Give the value of a name, as a list."""
        del limit
        entry = self.entry(name)
        return [] if entry is None else [entry]

    by_name = computed

    def entries(self) -> list[Entry]:
        """Give what is known of all values."""
        found = (self.entry(name) for name in self.storage.list())
        known = [one for one in found if one is not None]
        return sorted(known, key=lambda entry: -entry.created)

    def delete(self, entries: Iterable[Entry]) -> int:
        """Delete values; give how many there were."""
        return sum(bool(self.storage.delete(entry.name)) for entry in entries)

    def rename(self, entry: Entry, renamed: Entry) -> None:
        """Give a value another name and key.

        Raises
        ------
        OSError
            It cannot be done.
        """
        meta = self.storage.meta(entry.name)
        if meta is not None:
            meta = {**meta, "key": renamed.key, "entry": _plain(renamed)}
        self.storage.rename(entry.name, renamed.name, meta)

    def standing(self, name: str) -> tuple[Any, ...]:
        """Tell what stands under a name: () for nothing."""
        entry = self.entry(name)
        return () if entry is None else (entry.key, entry.created)

    def opened(self, entry: Entry) -> Shelved:
        """Give a value to be read."""
        return Shelved(self, entry)


@dataclass
class Shelved:
    """A value in a storage, ready to be read; also where a look-up finds it."""

    shelf: Shelf
    entry: Entry
    held: dict[str, Any] = field(default_factory=dict)

    @property
    def traces(self) -> Shelved:
        """Nothing else is known of what runs found."""
        return self

    def read(self, lookup: str) -> list[Any]:
        """Give no descriptors."""
        del lookup
        return []

    def get(self, key: str, slug: str = "", *, memory: bool = False) -> Any:
        """Give the value itself, whatever its key: that is compared."""
        del key, slug, memory
        return self

    def decode(self, *, mode: Any = None, **known: Any) -> dict[str, Any]:
        """Give the value, and what else a hit restores.

        Raises
        ------
        DamagedEntry
            It cannot be read, or is not what was stored.
        LookupError
            Another value was stored since it was looked up.
        """
        del mode
        name, storage = self.entry.name, self.shelf.storage
        value = storage.load(name)
        # what was loaded is what was looked up if that is still there
        meta = storage.meta(name) or {}
        if self.entry.lookup and self.shelf.entry_of(name, meta) != self.entry:
            raise LookupError(f"{name!r} was replaced while it was read")
        stored = meta.get("value")
        if stored and "blake3" not in meta and value_digest(value) != stored:
            raise DamagedEntry(f"{name!r} was replaced by another value")
        more = meta.get("more")
        if not more:
            return {VALUE: value}
        return {**unpacked(more, **known), VALUE: value}

    def close(self) -> None:
        """Close nothing: files are read at once."""


@dataclass
class ShelfCore(Core):
    """The rules of look-up, computing and keeping for values in a storage.

    Parameters
    ----------
    takes_any : bool
        Whether a value counts of which nothing tells how it was computed.
    """

    takes_any: bool = False

    @property
    def shelf(self) -> Shelf:
        """The storage."""
        found: Any = self.store
        return found  # type: ignore[no-any-return]

    def lookup(self, request: Request) -> Hit | Miss:
        """Decide: a hit, or a miss with its reason. Changes nothing."""
        if request.refresh:
            return Miss("refreshed")
        if not request.read:
            return Miss("disabled")
        entry = self.shelf.entry(request.name)
        if entry is None:
            return Miss("new")
        opened: Any = self.shelf.opened(entry)
        if not entry.lookup:
            if self.takes_any:
                return Hit(opened)
            if why := changed_since(self.shelf.storage, request.name):
                return Miss("damaged", detail=why)
            return Miss("new", detail="nothing tells how its stored value was computed")
        if entry.lookup != request.key.digest:
            return changed(entry, request.key.described)
        return Candidates(opened, request).find() or Miss("new")

    def flight(self, request: Request) -> Flight:
        """Give what holds the name while its value is computed."""
        folder = self.shelf.folder
        if not request.write or folder == Path():
            return Flight(None)
        locks = folder / LOCKS
        try:
            locks.mkdir(parents=True, exist_ok=True)
        except OSError:
            return Flight(None)
        name = f"computing-{hashing.digest(request.name)}"
        return Flight(locks / name, *self._waiting(request), request.lock_timeout)

    def _standing(self, request: Request) -> tuple[Any, ...]:
        return self.shelf.standing(request.name)

    def put(
        self, request: Request, task: Task[Any], computed: Computed[Any], reason: str
    ) -> Entry:
        """Store a value, and have the caller get what a load gives.

        Raises
        ------
        TypeError, OSError
            It cannot be kept.
        """
        assert isinstance(task, MetricTask)
        entry, content = task.encode(computed)
        entry = finished(entry, request, computed)
        stored = self.put_entry(entry, content, request.slug, reason)
        task.entry, task.digest = stored, digest_of(stored)
        computed.value = self.shelf.storage.load(request.name)
        return stored

    def put_entry(
        self, entry: Entry, content: Content, slug: str, reason: str
    ) -> Entry:
        """Store a value with what is known of it.

        Raises
        ------
        TypeError, OSError
            It cannot be kept.
        """
        del slug, reason
        assert isinstance(content, Laid)
        storage, name = self.shelf.storage, entry.name
        meta = {"key": entry.key, "entry": _plain(entry)}
        if content.members or content.tree["values"]:
            meta["more"] = as_text(content.tree, content.members)
        kept = storage.put(name, content.value, {**meta, "value": ""})
        if "blake3" not in kept:
            # what it is can only be told of what comes back
            loaded = storage.load(name)
            kept = storage.put(name, loaded, {**meta, "value": value_digest(loaded)})
        return self.shelf.entry_of(name, kept)

    # --- what is said about it: there is no history

    def _react(self, request: Request, miss: Miss) -> Miss:
        if miss.reason == "damaged":
            warn(
                f"the stored value of {request.name!r} cannot be used ({miss.detail}): "
                "it is computed again"
            )
        return miss

    def _note_hit(self, request: Request, entry: Entry, seconds: float) -> None:
        outcomes.append(hit_outcome(request.name, request.kind, entry, seconds))

    def _note(self, outcome: Outcome, notebook: str) -> Outcome:
        del notebook
        outcomes.append(outcome)
        return outcome


def _plain(entry: Entry) -> dict[str, Any]:
    """Give what is kept of an entry beside its value."""
    plain = entry.to_json()
    return {one: kept for one, kept in plain.items() if one not in _LEFT_OUT and kept}


class Shelves:
    """The cores of a storage, by today's settings.

    Parameters
    ----------
    storage : FileStorage, or an object with ``exists``, ``save`` and ``load``
        Where values are.
    takes_any : bool
        As of `ShelfCore`.

    Raises
    ------
    TypeError
        It is no storage.
    """

    kind = ShelfFunction

    def __init__(self, storage: Any, takes_any: bool) -> None:
        self.shelf = Shelf(storage)
        self._takes_any = takes_any

    @property
    def place(self) -> str:
        """What tells this storage from others."""
        return self.shelf.place

    def as_loaded(self, content: Content) -> Content:
        """Give a value as it will be once it is stored and loaded.

        Raises
        ------
        TypeError, OSError
            It cannot be kept.
        """
        assert isinstance(content, Laid)
        value = as_loaded(self.shelf.storage, content.value)
        return Laid(content.tree, content.members, None, value)

    def core(self) -> ShelfCore:
        """Give the core."""
        store: Any = self.shelf
        return ShelfCore(store, config.current(), self._takes_any)
