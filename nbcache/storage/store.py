"""A store of entries: get, put, delete, list; atomic; damaged ones set aside.

Entries are written beside their place and linked into it, so a reader sees a whole
entry or none; once there, an entry is never changed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.storage import npz, trust
from nbcache.storage.entry import Entry, write_manifest
from nbcache.storage.folder import Folder, key_of
from nbcache.storage.history import History
from nbcache.storage.index import Index
from nbcache.storage.listing import Listing
from nbcache.storage.opened import Opened
from nbcache.storage.recent import Recent
from nbcache.storage.reconciling import metadata, read_all, reconcile
from nbcache.storage.traces import Traces

__all__ = ["Content", "Opened", "Store"]

REREAD_BYTES = 4_000_000
"""What a process keeps of entries that have to be read at each hit, at most."""

FLUSH_AFTER_S = 1.0
"""Results that took longer to compute are flushed to the disk when stored."""


@dataclass(frozen=True, slots=True)
class Content:
    """The values and outputs of an entry, encoded."""

    tree: Any
    members: dict[str, np.ndarray]
    outputs: Any = None


_recent: Recent[Opened] = Recent()
# decoded small files, of no use unless the file read anew has the very same bytes
_reread: Recent[Opened] = Recent(REREAD_BYTES, reads=True)


class Store:
    """Entries in a folder.

    Parameters
    ----------
    folder : Path
        Made at the first write, never before.
    verify : str
        When checksums are compared: ``first`` use in this process, ``always``,
        ``never``.
    durability : str
        Flush to the disk: ``auto`` (results of more than 1 s), ``always``, ``never``.
    """

    def __init__(
        self, folder: Path, *, verify: str = "first", durability: str = "auto"
    ) -> None:
        self.folder = Path(folder)
        self.place = Folder(self.folder)
        self.traces = Traces(self.place)
        self.verify = verify
        self.durability = durability
        self.index = Index(self.folder / "index.sqlite")
        self.history = History(self.folder / "history.sqlite")
        self._verified: set[tuple[Any, ...]] = set()
        self.deletions = 0  # of entries, by this process; set aside is deleted too

    # --- reading

    def has(self, key: str, slug: str = "") -> bool:
        """Say whether there is a file for a key, whatever is in it."""
        return self.place.entry(key, slug).exists()

    def standing(self, lookup: str, slug: str = "") -> tuple[Any, ...]:
        """Tell what stands under a look-up key: () for nothing.

        Another answer than before says that somebody stored a result.
        """
        found = []
        for path in (self.place.entry(lookup, slug), self.traces.path(lookup)):
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((path.name, stat.st_ino, stat.st_mtime_ns))
        return tuple(found)

    def get(self, key: str, slug: str = "", *, memory: bool = False) -> Opened | None:
        """Open an entry, verified.

        Parameters
        ----------
        key, slug : str
            Name its file.
        memory : bool
            Whether what this process keeps of the file will do, if that is the same.

        Returns
        -------
        Opened or None
            None if there is no such entry.

        Raises
        ------
        DamagedEntry
            Its bytes are not those that were written.
        UntrustedEntry
            Somebody else wrote it.
        OSError
            The store cannot be read.
        """
        if memory and self.verify != "always":
            kept = _recent.get(self.place.name(key, slug))
            if kept is not None:
                return kept
        name = self.place.checked_name(key, slug)
        try:
            opened = self._open(name, key)
        except FileNotFoundError:
            return None
        if memory and self.verify != "always":
            _recent.keep(name, opened)
        elif opened.is_whole:
            _reread.keep(name, opened)
        return opened

    def standing_entry(self, path: str, memory: bool = True) -> Opened | None:
        """Give what is kept of a small entry if that stands there now, to look at.

        Without memory, the file is read and all its bytes are compared.
        """
        if memory and self.verify != "always":
            return _recent.standing(path)
        return _reread.standing(path)

    def _open(self, path: str | Path, key: str) -> Opened:
        archive = npz.Archive.open(path)
        try:
            self._check(archive, key)
            return Opened(archive, os.path.split(path)[1])
        except BaseException:
            archive.close()
            raise

    def _check(self, archive: npz.Archive, key: str) -> None:
        """Refuse an entry before a byte of its content is used."""
        trailer = archive.trailer
        if trailer.key != key:
            raise DamagedEntry(f"the entry of {trailer.key} stands under {key}")
        known = archive.stat_id in self._verified
        if self.verify == "always" or (self.verify == "first" and not known):
            archive.verify()
        if not known and not trust.signer().is_mine(
            trailer.key, trailer.length, trailer.digest, trailer.mac
        ):
            raise UntrustedEntry(f"the entry of {key} was written by someone else")
        self._verified.add(archive.stat_id)

    def set_aside(self, path: Path) -> None:
        """Move a damaged file out of the way, where it can be looked at."""
        target = self.folder / "damaged" / f"{time.time_ns()}-{path.name}"
        self.deletions += 1
        # in a read-only folder it stays, and is a miss each time
        with suppress(OSError, sqlite3.Error):
            target.parent.mkdir(mode=0o700, exist_ok=True)
            path.replace(target)
            self.index.remove([path.name])

    # --- writing

    def prepare(self) -> bool:
        """Make the folder if it can be made; say whether it is there."""
        try:
            if not (self.folder / "locks").is_dir():
                self.place.make()
        except OSError:
            return False
        return True

    def put(
        self, entry: Entry, content: Content, *, slug: str = "", overwrite: bool = False
    ) -> Entry:
        """Store an entry, whole or not at all.

        Parameters
        ----------
        entry : Entry
            Its key names it.
        content : Content
            Encoded values.
        slug : str
            Readable beginning of the file name.
        overwrite : bool
            Replace what stands there; otherwise whoever comes second keeps the
            first one's entry, so that one key has one value.

        Returns
        -------
        Entry
            The one now in the store, with its size and file name.

        Raises
        ------
        OSError
            It cannot be written; nothing is left behind.
        """
        self.place.make()
        path = self.place.entry(entry.key, slug)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        members = dict(content.members)
        manifest = write_manifest(entry, content.tree, content.outputs, members)
        with self.place.temporary() as (file, temporary):
            npz.write(
                file,
                members.items(),
                manifest,
                key=entry.key,
                compress=bool(entry.options.get("compress")),
                sign=trust.signer().sign,
            )
            file.flush()
            if self._is_flushed(entry.seconds):
                os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
            kept = self._publish(temporary, path, entry.key, overwrite)
            if entry.lookup not in ("", entry.key):
                items = [(kind, name) for kind, name, *_ in entry.trace]
                self.traces.add(entry.lookup, items, entry.key)
        stored = kept or replace(entry, bytes=size, file=path.name)
        self._index(stored)
        return stored

    def _is_flushed(self, seconds: float) -> bool:
        if self.durability == "auto":
            return seconds > FLUSH_AFTER_S
        return self.durability == "always"

    def _publish(
        self, temporary: Path, path: Path, key: str, overwrite: bool
    ) -> Entry | None:
        """Put a written file into its place; give the entry that was there first."""
        if not overwrite:
            try:
                os.link(temporary, path, follow_symlinks=False)
                return None
            except FileExistsError:
                first = self._standing(path, key)
                if first is not None:
                    return first
            except OSError:
                pass  # a file system without hard links
        temporary.replace(path)
        return None

    def _standing(self, path: Path, key: str) -> Entry | None:
        """Give the entry that stands in a place, if it is a good one."""
        try:
            opened = self._open(path, key)
        except (OSError, DamagedEntry, UntrustedEntry):
            return None
        opened.close()
        return opened.entry

    def _index(self, entry: Entry) -> None:
        with suppress(OSError, sqlite3.Error):  # the listing finds the file by itself
            self.index.note(entry)

    # --- listing and deleting

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
        except (OSError, sqlite3.Error):
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
        return metadata(self._file(entry)) or entry

    def by_key(self, key: str) -> list[Entry]:
        """Give the entries of a key, whatever their names."""
        return [row for row in self.index.rows(key=key) if self._file(row).exists()]

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
        return [row for row in rows if self._file(row).exists()]

    def _file(self, entry: Entry) -> Path:
        return self.place.entries / entry.key[:2] / entry.file

    def delete(self, entries: Iterable[Entry]) -> int:
        """Delete entries; give how many there were.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        self.deletions += 1
        gone = []
        for entry in entries:
            if key_of(entry.file):
                self._file(entry).unlink(missing_ok=True)
                gone.append(entry)
        with suppress(OSError, sqlite3.Error):
            self.index.remove([entry.file for entry in gone])
            self._forget_traces(gone)
        return len(gone)

    def _forget_traces(self, gone: Iterable[Entry]) -> None:
        """Drop descriptors of look-up keys that have no entries any more."""
        traced = {one.lookup: one.name for one in gone if one.lookup != one.key}
        for lookup, name in traced.items():
            if lookup and lookup not in {one.lookup for one in self.by_name(name)}:
                self.traces.remove(lookup)

    def drop(self, key: str, slug: str = "") -> None:
        """Delete the entry of a key, if there is one; a read-only folder keeps it."""
        self.deletions += 1
        path = self.place.entry(key, slug)
        with suppress(OSError, sqlite3.Error):
            if path.exists():
                path.unlink()
                self.index.remove([path.name])

    def clear(self) -> int:
        """Delete all entries; give how many there were.

        Raises
        ------
        OSError
            The folder cannot be written, or is not one of ours.
        """
        self.deletions += 1
        there = self.place.files()
        if not self.place.entries.exists():
            return 0
        if not self.place.is_ours():
            raise OSError(
                f"{self.place.entries} has no CACHEDIR.TAG: not a store of nbcache"
            )
        self.place.empty()
        with suppress(OSError, sqlite3.Error):
            self.index.remove(there)
        return len(there)
