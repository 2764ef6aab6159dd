"""A store of entries: get, put, delete, list; atomic; damaged ones set aside.

Entries are written beside their place and linked into it, so a reader sees a whole
entry or none; once there, an entry is never changed.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.storage import npz
from nbcache.storage.acceptance import Acceptance
from nbcache.storage.catalog import Catalog
from nbcache.storage.entry import Entry, write_manifest
from nbcache.storage.filesystems import is_local
from nbcache.storage.folder import made_real, require_real
from nbcache.storage.host_leases import HostLease
from nbcache.storage.leases import Leases
from nbcache.storage.opened import Opened
from nbcache.storage.recent import Recent
from nbcache.storage.room import Room
from nbcache.storage.sweeping import sweep_when_due
from nbcache.storage.traces import Descriptor
from nbcache.storage.trust import signer

__all__ = ["Content", "Opened", "Source", "Store"]

MEMORY_BYTES = 256_000_000
"""What a process keeps of the entries that were hits, at most."""

FLUSH_AFTER_S = 1.0
"""Results that took longer to compute are flushed to the disk when stored."""


@dataclass(frozen=True, slots=True)
class Content:
    """The values and outputs of an entry, encoded."""

    tree: Any
    members: dict[str, np.ndarray]
    outputs: Any = None


class Source(Protocol):
    """Where a look-up finds entries."""

    @property
    def traces(self) -> Lists:
        """The descriptors."""

    def get(self, key: str, slug: str = "", *, memory: bool = False) -> Opened | None:
        """Open an entry; see `Store.get`."""


class Lists(Protocol):
    """Where a look-up finds descriptors."""

    def read(self, lookup: str) -> list[Descriptor]:
        """Give the descriptors of a look-up key, newest first."""


_recent: Recent[Opened] = Recent(MEMORY_BYTES)


class Store(Catalog):
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
    trust : str
        Whose entries are given: ``mine``, ``data`` (anybody's, but data alone),
        ``none``.
    max_bytes : int, optional
        Evict what it is worth least to keep when there is more than that.
    eviction : str
        What that is, see `eviction.POLICIES`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        verify: str = "first",
        durability: str = "auto",
        trust: str = "mine",
        max_bytes: int | None = None,
        eviction: str = "greedy-dual-size",
    ) -> None:
        super().__init__(folder, trust=trust)
        self.verify = verify
        self.durability = durability
        self.trust = trust
        self.leases = Leases(self.place)
        self.room = Room(
            *(self.place, self.index, self.history, self.leases),
            max_bytes=max_bytes,
            policy=eviction,
            sums=self.sums,
            forget=self.forget_traces,
        )
        self._acceptance = Acceptance(verify, trust, self.leases)
        self._is_swept = False

    # --- what a store that others share has besides

    @property
    def behind(self) -> Source | None:
        """What a look-up asks that finds nothing here; None for nothing."""
        return None

    def host_lease(self, lookup: str, slug: str = "") -> HostLease | None:
        """Give what holds a key among hosts; None: there are no others."""
        del lookup, slug
        return None

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
                stat = os.lstat(path)
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
            Somebody else wrote it, and what it holds may not be used.
        OSError
            The store cannot be read.
        """
        if self.trust == "none":
            raise UntrustedEntry('nothing stored is used: trust = "none"')
        if memory and self.verify != "always":
            kept = _recent.get(self.place.name(key, slug))
            if kept is not None:
                return kept
        path = self.place.entry(key, slug)
        try:
            opened = self._open(path, key)
        except FileNotFoundError:
            return None
        if memory and self.verify != "always" and opened.is_mine:
            _recent.keep(self.place.name(key, slug), opened)
        return opened

    def _open(self, path: Path, key: str) -> Opened:
        is_mappable = is_local(str(self.folder))
        return self._acceptance.opened(path, key, mappable=is_mappable)

    def set_aside(self, path: Path) -> None:
        """Move a damaged file out of the way, where it can be looked at."""
        target = self.folder / "damaged" / f"{time.time_ns()}-{path.name}"
        # in a read-only folder it stays, and is a miss each time
        with suppress(OSError, sqlite3.Error):
            made_real(target.parent)
            path.replace(target)
            self.index.remove([path.name])

    # --- writing

    def prepare(self) -> bool:
        """Make the folder if it can be made; say whether it is there."""
        try:
            if not (self.folder / "locks").is_dir():
                self.place.make()
            require_real(self.folder / "locks")
        except OSError:
            return False
        if not self._is_swept:
            self._is_swept = True
            sweep_when_due(self.place)
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
        made_real(path.parent)
        mine = signer()
        entry = replace(entry, author=mine.author)
        members = dict(content.members)
        manifest = write_manifest(entry, content.tree, content.outputs, members)
        with self.place.temporary() as (file, temporary):
            npz.write(
                file,
                members.items(),
                manifest,
                key=entry.key,
                compress=bool(entry.options.get("compress")),
                sign=mine.sign,
            )
            file.flush()
            if self._is_flushed(entry.seconds):
                os.fsync(file.fileno())
            size = os.fstat(file.fileno()).st_size
            kept = self._publish(temporary, path, entry.key, overwrite)
            if entry.lookup not in ("", entry.key):
                items = [(kind, name) for kind, name, *_ in entry.trace]
                self.traces.add(entry.lookup, items, entry.key)
        if kept is not None:
            self._index(kept)
            return kept
        stored = replace(entry, bytes=size, file=path.name)
        self.enter(stored)
        return stored

    def enter(self, entry: Entry) -> None:
        """Take an entry whose file is in its place into the listing; make room."""
        self._index(entry)
        self.room.added(entry.bytes)

    def _is_flushed(self, seconds: float) -> bool:
        if self.durability == "auto":
            return seconds > FLUSH_AFTER_S
        return self.durability == "always"

    def _publish(
        self, temporary: Path, path: Path, key: str, overwrite: bool
    ) -> Entry | None:
        """Put a written file into its place; give the entry that was there first."""
        if not path.parent.exists():  # somebody cleared the store since
            self.place.make()
            made_real(path.parent)
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
        if path.is_dir() and not path.is_symlink():
            self.set_aside(path)
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
