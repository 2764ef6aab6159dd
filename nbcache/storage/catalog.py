"""What is in a store: listed, found by name, deleted."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from nbcache.errors import DamagedEntry
from nbcache.storage import npz
from nbcache.storage.entry import Entry, read_manifest
from nbcache.storage.folder import Folder, key_of
from nbcache.storage.history import History
from nbcache.storage.index import Index, stored_text
from nbcache.storage.removal import clear, remove
from nbcache.storage.traces import Traces

__all__ = ["Catalog", "metadata"]


def metadata(path: Path) -> Entry | None:
    """Read an entry's manifest alone; None if that is not possible."""
    try:
        with npz.Archive.open(path) as archive:
            document = read_manifest(
                archive.manifest(),
                lambda name: archive.read(name, None),
                whole=False,
            )
            entry = Entry.from_json(document, file=path.name, bytes=archive.size)
    except (OSError, DamagedEntry):
        return None
    return entry if entry.key == key_of(path.name) else None


def read_all(paths: Iterable[Path]) -> list[Entry]:
    """Read the manifests that can be read."""
    return [entry for path in paths if (entry := metadata(path)) is not None]


class Catalog:
    """The entries in a folder, without their values.

    Parameters
    ----------
    folder : Path
        Of the store; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.place = Folder(self.folder)
        self.traces = Traces(self.place)
        lock = self.place.evictor_lock
        self.index = Index(self.folder / "index.sqlite", lock)
        self.history = History(self.folder / "history.sqlite", lock)

    def entries(self) -> list[Entry]:
        """Give all entries, newest first; reconciled with the files that are there."""
        there = self.place.files()
        if not there and not os.path.exists(self.index.path):
            return []
        try:
            known, is_whole = self.index.files(), self.index.is_whole()
            missing, gone = there.keys() - known, known - there.keys()
            if missing or gone or not is_whole:
                found = read_all(there[name] for name in missing)
                self.index.reconcile(found, gone)
            return [row for row in self.index.rows() if row.file in there]
        except (OSError, sqlite3.Error):
            found = read_all(there.values())
            return sorted(found, key=lambda entry: -entry.created)

    def whole(self, entry: Entry) -> Entry:
        """Give a listed entry with all its metadata, as it stands in its file."""
        return metadata(self._file(entry)) or entry

    def by_key(self, key: str) -> list[Entry]:
        """Give the entries of a key, whatever their names."""
        try:
            rows = self.index.rows(key=key)
        except (OSError, sqlite3.Error):
            rows = [entry for entry in self.entries() if entry.key == key]
        return [row for row in rows if self._is_there(row)]

    def by_name(self, name: str, limit: int = -1) -> list[Entry]:
        """Give the entries of a name, newest first, at most limit if not negative."""
        try:
            if not self.index.is_whole():
                self.entries()
            rows = self.index.rows(name=name, limit=limit)
        except (OSError, sqlite3.Error):
            rows = [entry for entry in self.entries() if entry.name == name]
        return [row for row in rows if self._is_there(row)]

    def _is_there(self, entry: Entry) -> bool:
        return os.path.exists(self._file(entry))

    def _file(self, entry: Entry) -> Path:
        return self.place.entries / entry.key[:2] / entry.file

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
            if os.path.lexists(path):
                path.unlink()
                self.index.remove([path.name])

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
