"""What is in a store: listed, found by name, deleted."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nbcache.storage.entry import FAILURE, IMPORTED, Entry
from nbcache.storage.folder import Folder, key_of
from nbcache.storage.history import History
from nbcache.storage.index import Index, stored_text
from nbcache.storage.listing import Listing
from nbcache.storage.reconciling import metadata, read_all, reconcile
from nbcache.storage.removal import clear, remove
from nbcache.storage.traces import Traces

__all__ = ["Catalog"]


class Catalog:
    """The entries in a folder, without their values.

    Parameters
    ----------
    folder : Path
        Of the store; need not exist.
    trust : str
        ``data``: lists of traces count that others wrote.
    """

    def __init__(self, folder: Path, *, trust: str = "mine") -> None:
        self.folder = Path(folder)
        self.place = Folder(self.folder)
        self._entries = str(self.place.entries)
        self.traces = Traces(self.place, foreign=trust == "data")
        lock = self.place.evictor_lock
        self.index = Index(self.folder / "index.sqlite", lock)
        self.history = History(self.folder / "history.sqlite", lock)

    def _reconcile(self) -> bool:
        """Make the index right; False: there is no store yet."""
        if not self.place.entries.is_dir():
            return False
        reconcile(self.place, self.index)
        return True

    def entries(self) -> list[Entry]:
        """Give all entries, newest first; reconciled with the files that are there."""
        try:
            if not self._reconcile():
                return []
            return self.index.rows()
        except (OSError, sqlite3.Error):
            found = read_all(self.place.files().values())
            return sorted(found, key=lambda entry: -entry.created)

    def listing(self) -> Listing:
        """Give what a listing shows of all entries, newest first."""
        try:
            if not self._reconcile():
                return Listing.of(())
            return self.index.listing()
        except (OSError, sqlite3.Error, LookupError, TypeError, ValueError):
            # the last three: an index that somebody else wrote
            return Listing.of(self.entries())

    def sums(self) -> tuple[int, int]:
        """Give the number of entries and their bytes."""
        try:
            if not self._reconcile():
                return 0, 0
            return self.index.sums()
        except (OSError, sqlite3.Error):
            found = self.entries()
            return len(found), sum(one.bytes for one in found)

    def whole(self, entry: Entry) -> Entry:
        """Give a listed entry with all its metadata, as it stands in its file."""
        return metadata(Path(self._file(entry))) or entry

    def by_key(self, key: str) -> list[Entry]:
        """Give the entries of a key, whatever their names."""
        try:
            rows = self.index.rows(key=key)
        except (OSError, sqlite3.Error):
            rows = [entry for entry in self.entries() if entry.key == key]
        return [row for row in rows if self._is_there(row)]

    def by_name(self, name: str, limit: int = -1) -> list[Entry]:
        """Give the entries of a name, newest first.

        At most limit if that is not negative; some of the last seconds, of other
        processes, may then be missing.
        """
        try:
            if limit < 0 or not self.index.path.exists():
                self._reconcile()
            read = self.index.latest if limit > 0 else self.index.rows
            rows = read(name, limit=limit)
        except (OSError, sqlite3.Error):
            rows = [entry for entry in self.entries() if entry.name == name]
        return [row for row in rows if self._is_there(row)]

    def computed(self, name: str, limit: int = -1) -> list[Entry]:
        """Give the entries of a name that code of that name computed; see `by_name`."""
        others = (IMPORTED, FAILURE)
        return [one for one in self.by_name(name, limit) if one.kind not in others]

    def _is_there(self, entry: Entry) -> bool:
        return os.path.exists(self._file(entry))

    def _file(self, entry: Entry) -> str:
        # by its name alone: the key may be what an index says; as text, since the
        # newest of a name are looked for at each miss
        key = key_of(entry.file) or ""
        return f"{self._entries}/{key[:2]}/{entry.file if key else 'no entry'}"

    def delete(self, entries: Iterable[Entry], *, pinned: bool = False) -> int:
        """Delete entries; give how many are gone.

        Parameters
        ----------
        entries : iterable of Entry
            From a listing.
        pinned : bool
            Whether pinned ones too; else they stay.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        wanted = list(entries)
        chosen = wanted if pinned else self.unpinned(wanted)
        gone = set(remove(self.place, [entry.file for entry in chosen], strict=True))
        with suppress(OSError, sqlite3.Error):
            self.index.remove(gone)
            self.forget_traces(entry for entry in chosen if entry.file in gone)
        return len(gone)

    def pins(self) -> set[str]:
        """Give what is pinned; nothing where that cannot be read."""
        try:
            return self.history.pins()
        except (OSError, sqlite3.Error):
            return set()

    def unpinned(self, entries: Iterable[Entry]) -> list[Entry]:
        """Give the entries that are not pinned, neither by name nor by key."""
        pins = self.pins()
        return [
            entry
            for entry in entries
            if entry.key not in pins and stored_text(entry.name) not in pins
        ]

    def forget_traces(self, gone: Iterable[Entry]) -> None:
        """Drop descriptors of look-up keys that have no entries any more."""
        traced = {one.lookup: one.name for one in gone if one.lookup != one.key}
        for lookup, name in traced.items():
            if lookup and lookup not in {one.lookup for one in self.by_name(name)}:
                self.traces.remove(lookup)

    def drop(self, key: str, slug: str = "") -> None:
        """Delete the entry of a key, if there is one; a read-only folder keeps it."""
        path = self.place.entry(key, slug)
        with suppress(OSError, sqlite3.Error):
            if self.place.holds(path):
                path.unlink()
                self.index.remove([path.name])

    def withdraw(self, key: str) -> None:
        """Delete an entry that was there for a while only, wherever it was put."""
        self.drop(key)

    def clear(self) -> int:
        """Delete all entries that are not pinned; give how many there were.

        Raises
        ------
        OSError
            The folder cannot be written, or is not one of ours.
        """
        known = self.entries()
        free = self.unpinned(known)
        if len(free) < len(known) and self.place.is_ours():
            return self.delete(free)
        there = self.place.files()
        count = clear(self.place)
        with suppress(OSError, sqlite3.Error):
            self.index.remove(there)
        return count
