"""Results of earlier runs, readable without the code that made them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from nbcache.batch.failures import Failure
from nbcache.batch.listed import Listed, all_listed
from nbcache.batch.parameters import called_parameters, read_parameters
from nbcache.batch.run import Run
from nbcache.cache import Core
from nbcache.decorator.references import loaded
from nbcache.errors import NotCached, UnknownName
from nbcache.keys.key import Key
from nbcache.storage.entry import FAILURE, Entry
from nbcache.wording import near

if TYPE_CHECKING:
    from nbcache.batch.batch import Batch

__all__ = ["ResultRun", "Results"]


class ResultRun(Run):
    """The stored result of a run; it computes nothing.

    Parameters
    ----------
    batch : Batch
        Where it is added, and whose store has the result.
    id : str or Key
        Of the run, or its key; of several versions of its code, the newest counts.

    Raises
    ------
    UnknownName
        There is no such result.
    ValueError
        Runs that differ have this id; the text lists their keys.
    """

    def __init__(self, batch: Batch, id: str | Key) -> None:
        results = Results(batch.cache_core)
        entry = results.entry(id)
        self._take(batch, batch.cache_core, entry, results.known_as(id))

    @classmethod
    def of(cls, batch: Batch, core: Core, entry: Entry, id: str = "") -> ResultRun:
        """Give the run of an entry, under one of the ids that it is known by."""
        run = cls.__new__(cls)
        run._take(batch, core, entry, id)
        return run

    def _take(self, batch: Batch, core: Core, entry: Entry, id: str = "") -> None:
        told = _told(entry)
        self._batch, self._core, self._stored = batch, core, entry
        self._id = id or str(told.get("id") or entry.lookup or entry.key)
        self._parameters = (
            read_parameters(told.get("parameters", ()))
            if told
            else called_parameters(entry)
        )
        self._index: int | None = None

    @property
    def batch(self) -> Batch:
        """The batch that it was added to."""
        return self._batch

    @property
    def index(self) -> int | None:
        """Its place in the batch."""
        return self._index

    @property
    def saveresult(self) -> bool:
        """True: the result is stored."""
        return True

    @property
    def name(self) -> str:
        """The qualified name of what was called."""
        return self._stored.name

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, functions by name and objects by a summary."""
        return dict(self._parameters)

    @property
    def id(self) -> str:
        """The id of the run."""
        return self._id

    @property
    def key(self) -> str:
        """The digest under which the result was looked up."""
        return self._stored.lookup or self._stored.key

    @property
    def runtime(self) -> float:
        """Seconds that the run took."""
        return self._stored.seconds

    @property
    def filename(self) -> str:
        """Where the entry is."""
        entry = self._stored
        return str(self._core.store.place.entries / entry.key[:2] / entry.file)

    @property
    def done(self) -> bool:
        """Whether the result is still there."""
        slug = self._stored.file.rpartition("-")[0]
        return self._core.store.has(self._stored.key, slug)

    @property
    def error(self) -> Failure | None:
        """None: it did not fail."""
        return None

    def load(self) -> Any:
        """Give the result; None if it has been deleted since.

        Raises
        ------
        NotCached
            It refers to what is not here.
        DamagedEntry, UntrustedEntry
            It cannot be used.
        """
        entry, store = self._stored, self._core.store
        opened = store.get(entry.key, entry.file.rpartition("-")[0])
        if opened is None:
            return None
        try:
            return loaded(opened, entry.name)
        except LookupError as error:
            raise NotCached(f"{self!r} refers to what is not here: {error}") from error
        finally:
            opened.close()

    def __call__(self) -> Any:
        """Give the stored result."""
        return self.load()

    def clear(self) -> bool:
        """Delete nothing: a result that nobody here could make again."""
        return False

    def __repr__(self) -> str:
        named = ", ".join(
            f"{name}={value!r:.30}" for name, value in self._parameters.items()
        )
        return f"<result of {self._stored.name}({named})>"


def _told(entry: Entry) -> Mapping[str, Any]:
    found = entry.state.get("run")
    return found if isinstance(found, dict) else {}


class Results:
    """The results in a store, by id and by key; read once."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._by_id: dict[str, list[Entry]] = {}
        self._by_key: dict[str, list[Entry]] = {}
        for entry in core.store.entries():
            if entry.kind == FAILURE:
                continue
            for key in {entry.key, entry.lookup} - {""}:
                self._by_key.setdefault(key, []).append(entry)
            told = str(_told(entry).get("id", ""))
            if told:
                self._by_id.setdefault(told, []).append(entry)
        # results that were stored by another batch, or by a plain call
        for one in all_listed(core):
            for entry in self._by_key.get(one.key, ()):
                known = self._by_id.setdefault(one.id, [])
                if entry not in known:
                    known.append(entry)

    def entry(self, wanted: str | Key) -> Entry:
        """Give the newest entry of an id or key.

        Raises
        ------
        UnknownName
            There is none.
        ValueError
            Runs that differ have this id.
        """
        text = wanted.digest if isinstance(wanted, Key) else str(wanted)
        found = self._by_id.get(text) or self._by_key.get(text)
        if not found:
            hint = near(text, self._by_id)
            raise UnknownName(
                f"no result of run {text!r} in {self._core.store.folder}"
                f"{hint and f'.{hint}'}",
                text,
            )
        runs = {_run_of(entry): entry for entry in sorted(found, key=_created)}
        if len(runs) > 1:
            lines = [
                f"  {entry.lookup or entry.key}  "
                f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(entry.created))}  "
                f"{entry.name}"
                for entry in runs.values()
            ]
            told = f"{len(runs)} runs that differ have the id {text!r}. Give a key:"
            raise ValueError("\n".join([told, *lines]))
        return next(iter(runs.values()))

    def known_as(self, wanted: str | Key) -> str:
        """Give the id that was asked for; '' if it is a key."""
        text = "" if isinstance(wanted, Key) else str(wanted)
        return text if text in self._by_id else ""

    def of_list(self, listed: Iterable[Listed]) -> list[tuple[str, Entry]]:
        """Give the results of a batch with their ids, in its order.

        Of several versions of a run's code, the newest counts.
        """
        found: dict[tuple[str, str], Entry] = {}
        for one in listed:
            for entry in self._by_key.get(one.key, ()):
                run = one.id, _run_of(entry)
                if run not in found or found[run].created <= entry.created:
                    found[run] = entry
        return [(id, entry) for (id, _), entry in found.items()]


def _created(entry: Entry) -> float:
    return entry.created


def _run_of(entry: Entry) -> str:
    """Tell runs that differ from versions of one."""
    told = _told(entry)
    return f"{entry.name} {told.get('given') or told.get('parameters')}"
