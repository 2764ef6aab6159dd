"""What a collection has: its metrics by any spelling, and what is stored of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nbcache.decorator.arguments import unpacked_arguments
from nbcache.decorator.references import VALUE
from nbcache.errors import NbcacheError, NotCached, UnknownName
from nbcache.keys.classes import UserClasses, classes_of
from nbcache.metrics import names
from nbcache.metrics.fetching import stored
from nbcache.metrics.names import Given, Unreadable
from nbcache.storage.entry import METRIC, Entry
from nbcache.storage.reread import reread
from nbcache.storage.store import Content
from nbcache.wording import near

if TYPE_CHECKING:
    from nbcache.metrics.collection import Collection
    from nbcache.metrics.metric import Metric

__all__ = ["Kept"]


class Kept:
    """Names and stored values of a collection.

    Parameters
    ----------
    owner : Metrics
        The collection.
    """

    def __init__(self, owner: Collection) -> None:
        self._owner = owner

    # --- names

    def found(self, name: str) -> tuple[Metric, Given]:
        """Give the metric and the arguments that a name means.

        Raises
        ------
        UnknownName
            There is none, or several.
        """
        metrics = self._owner._metrics
        if not isinstance(name, str):
            raise UnknownName(f"a metric is asked for by its name, not {name!r}")
        for metric in metrics.values():
            if name in metric._declared:
                return metric, metric._declared[name]
        met = self._owner._met.get(name)
        if met is not None and met[0] in metrics:
            return metrics[met[0]], met[1]
        try:
            base, given = names.read(name, metrics)
            return metrics[base], given
        except Unreadable:
            pass
        return self._remembered(name) or self._joined(name)

    def _remembered(self, name: str) -> tuple[Metric, Given] | None:
        """Give the call of a stored value whose name is no spelling of literals."""
        for entry in self.entries_of(name):
            base = entry.state.get(METRIC, {}).get("base")
            if base not in self._owner._metrics:
                continue
            with suppress(NbcacheError, OSError):
                # of the file itself: who wrote a listing is not known
                call = self.whole(entry).call
                if call is not None:
                    args, kwargs = unpacked_arguments(call)
                    return self._owner._metrics[base], (tuple(args), kwargs)
        return None

    def _joined(self, name: str) -> tuple[Metric, Given]:
        """Give the one call whose name, joined by underscores, is this."""
        known = self._every()
        fit = {
            said: (metric, given)
            for said, (metric, given) in known.items()
            if name in metric._plain_names(given)
        }
        if len(fit) == 1:
            return next(iter(fit.values()))
        if fit:
            raise UnknownName(
                f"{name!r} can be {' and '.join(fit)}: ask for one of them", name
            )
        there = [*self._owner._metrics, *known]
        told = f"There are {len(known)}" if known else "None was collected"
        raise UnknownName(f"no metric {name!r}.{near(name, there)} {told}", name)

    def _every(self) -> dict[str, tuple[Metric, Given]]:
        """Give all calls that are declared, were made here, or are stored."""
        metrics = self._owner._metrics
        known = {
            said: (metric, given)
            for metric in metrics.values()
            for said, given in metric._declared.items()
        }
        for said, (base, given) in list(self._owner._met.items()):
            if base in metrics:
                known.setdefault(said, (metrics[base], given))
        for said in self.entries():
            try:
                base, given = names.read(said, metrics)
            except Unreadable:
                continue
            known.setdefault(said, (metrics[base], given))
        return known

    def said(self, name: str) -> str:
        """Give the name as it is stored, also of what is only stored.

        Raises
        ------
        UnknownName
            There is no such metric, collected or stored.
        """
        try:
            metric, given = self.found(name)
        except UnknownName:
            if self.entries_of(name):
                return name
            raise
        return metric._said(given)

    # --- what is stored

    def entries_of(self, said: str) -> list[Entry]:
        """Give what is stored under a name, newest first."""
        found = self._owner._core().store.computed(said)
        return [entry for entry in found if self._is_own(entry)]

    def entries(self) -> dict[str, Entry]:
        """Give the newest stored value of each name."""
        found: dict[str, Entry] = {}
        for entry in self._owner._core().store.entries():
            if entry.kind == METRIC and self._is_own(entry):
                found.setdefault(entry.name, entry)
        return found

    def _is_own(self, entry: Entry) -> bool:
        if entry.kind != METRIC:
            return False
        # in a storage of files, names are all that there is
        origin = entry.state.get(METRIC)
        return origin is None or origin.get("collection") == self._owner.name

    def entry(self, said: str) -> Entry | None:
        """Give the entry that would be used now, else the newest; None without any."""
        known = self.entries_of(said)
        if len(known) < 2:
            return known[0] if known else None
        return self._current(said) or known[0]

    def _current(self, said: str) -> Entry | None:
        try:
            metric, given = self.found(said)
            return stored(metric, self._owner._core(), given)
        except (UnknownName, TypeError):
            return None

    def of_base(self, base: str) -> list[str]:
        """Give the names of all that is stored or held of a metric."""
        known = [*self.entries(), *self._owner._held, *self._owner._seen]
        metric = self._owner._metrics[base]
        return [
            said
            for said in dict.fromkeys(known)
            if said in metric._declared or self._base_of(said) == base
        ]

    def _base_of(self, said: str) -> str:
        try:
            return self.found(said)[0].base_name
        except UnknownName:
            return ""

    def load(self, said: str) -> tuple[Any, Entry]:
        """Give a stored value, and its entry.

        Raises
        ------
        NotCached
            There is none, or it refers to what is not here.
        DamagedEntry, UntrustedEntry, OSError
            It cannot be used.
        """
        entry = self.entry(said)
        while entry is not None:
            try:
                return self._decoded(said, entry), entry
            except LookupError as error:
                before, entry = entry, self.entry(said)
                if before != entry:
                    continue  # another one was stored meanwhile
                raise NotCached(
                    f"{said} refers to what is not here: {error}"
                ) from error
        raise NotCached(f"{said} is not stored: get computes and stores it")

    def _decoded(self, said: str, entry: Entry) -> Any:
        opened = self._opened(entry)
        try:
            scope = self._scope(said)
            classes = classes_of(scope) if scope else UserClasses()
            return opened.decode(classes=classes, namespace=scope)[VALUE]
        finally:
            opened.close()

    def _opened(self, entry: Entry) -> Any:
        """Open a stored value.

        Raises
        ------
        NotCached
            It has been deleted meanwhile.
        """
        if self._owner._shelves is not None:
            return self._owner._shelves.shelf.opened(entry)
        store = self._owner._core().store
        opened = store.get(entry.key, entry.file.rpartition("-")[0])
        if opened is None:
            raise NotCached(f"{entry.name} has just been deleted")
        return opened

    def _scope(self, said: str) -> dict[str, Any] | None:
        try:
            function = self.found(said)[0]._function
        except UnknownName:
            return None
        return getattr(function, "__globals__", None)

    def whole(self, entry: Entry) -> Entry:
        """Give an entry with all that its file says."""
        if self._owner._shelves is not None:
            return entry
        return reread(self._owner._core().store, entry)

    def move(self, entry: Entry, renamed: Entry) -> None:
        """Store a value under another name and key, and remove it under the old ones.

        Raises
        ------
        NotCached
            It has been deleted meanwhile.
        OSError
            It cannot be written; it is as it was then.
        """
        if self._owner._shelves is not None:
            self._owner._shelves.shelf.rename(entry, renamed)
            return
        store, opened = self._owner._core().store, self._opened(entry)
        try:
            store.put(renamed, Content.again(opened))
        finally:
            opened.close()
        store.delete([entry], pinned=True)

    def delete(self, said: str) -> int:
        """Delete what is stored under a name; say whether there was anything.

        Raises
        ------
        OSError
            It cannot be deleted.
        """
        return int(self._owner._core().store.delete(self.entries_of(said)) > 0)
