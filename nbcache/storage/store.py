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
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.storage import npz
from nbcache.storage.acceptance import Acceptance
from nbcache.storage.catalog import Catalog
from nbcache.storage.entry import MANIFEST_MEMBERS, Entry, write_manifest
from nbcache.storage.filesystems import is_local
from nbcache.storage.folder import made_real, require_real
from nbcache.storage.leases import Leases
from nbcache.storage.opened import Opened
from nbcache.storage.publishing import flush_folders, flush_to_disk, publish
from nbcache.storage.recent import Recent
from nbcache.storage.room import Room
from nbcache.storage.sweeping import sweep_when_due
from nbcache.storage.traces import Descriptor
from nbcache.storage.trust import signer

if TYPE_CHECKING:
    from nbcache.storage.codec import Encoded
    from nbcache.storage.host_leases import HostLease

__all__ = ["Content", "Opened", "Shared", "Source", "Store"]

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

    @classmethod
    def of(cls, encoded: Encoded, outputs: Any = None) -> Content:
        """Give what the codec encoded, with outputs."""
        return cls(encoded.tree, dict(encoded.members), outputs)

    @classmethod
    def again(cls, opened: Opened) -> Content:
        """Give the content of an open entry, to be stored again under another key."""
        archive = opened.archive
        values = (name for name in archive.names if name not in MANIFEST_MEMBERS)
        members = {name: archive.read(name, "copy") for name in values}
        return cls(opened.tree, members, opened.outputs)


@dataclass(frozen=True, slots=True)
class Shared:
    """The object store behind a store.

    Parameters
    ----------
    url : str
        Without what is secret in it.
    conditional : bool or None
        Whether it keeps conditions of writes; None: it did not answer.
    """

    url: str
    conditional: bool | None

    def __str__(self) -> str:
        """Say it in one line."""
        hosts = "hosts may compute the same at the same time"
        told = {True: "one host computes at a time", False: hosts, None: "no answer"}
        return f"shared with {self.url} ({told[self.conditional]})"


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


_recent: Recent[Opened] = Recent()
# decoded small files, of no use unless the file read anew has the very same bytes
_reread: Recent[Opened] = Recent(REREAD_BYTES, reads=True)


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

    def shared_with(self) -> Shared | None:
        """Tell with whom it is shared, after trying; None: with nobody."""
        return None

    def host_lease(self, lookup: str, slug: str = "") -> HostLease | None:
        """Give what holds a key among hosts; None: there are no others."""
        del lookup, slug
        return None

    # --- reading

    def has(self, key: str, slug: str = "") -> bool:
        """Say whether there is a file for a key, whatever is in it."""
        return os.path.exists(self.place.entry(key, slug))

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
        if opened.is_mine and memory and self.verify != "always":
            _recent.keep(self.place.name(key, slug), opened)
        elif opened.is_mine and opened.is_whole:
            _reread.keep(self.place.name(key, slug), opened)
        return opened

    def standing_entry(self, path: str, memory: bool = True) -> Opened | None:
        """Give what is kept of a small entry if that stands there now, to look at.

        Without memory, the file is read and all its bytes are compared.
        """
        if self.trust == "none":
            return None
        if memory and self.verify != "always":
            return _recent.standing(path)
        return _reread.standing(path)

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
        try:
            return self._put(entry, content, slug, overwrite)
        except FileNotFoundError:  # somebody is removing the folder
            return self._put(entry, content, slug, overwrite)

    def _put(self, entry: Entry, content: Content, slug: str, overwrite: bool) -> Entry:
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
            size = os.fstat(file.fileno()).st_size
            is_flushed = self._is_flushed(entry.seconds)
            if is_flushed:
                flush_to_disk(file.fileno())
            file.close()  # some file systems tell only now that they could not write
            if path.is_dir() and not path.is_symlink():
                self.set_aside(path)
            kept = publish(
                *(temporary, path),
                standing=None if overwrite else lambda: self._standing(path, entry.key),
            )
            if is_flushed:
                flush_folders(path.parent, self.folder)
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

    def _standing(self, path: Path, key: str) -> Entry | None:
        """Give the entry that stands in a place; None if what does may be replaced.

        Raises
        ------
        OSError
            A file of ours cannot be read now: it may be a good entry.
        """
        try:
            opened = self._open(path, key)
        except (DamagedEntry, UntrustedEntry, PermissionError):
            return None
        except OSError:
            if os.path.isfile(path) and not os.path.islink(path):
                raise
            return None
        opened.close()
        return opened.entry

    def _index(self, entry: Entry) -> None:
        with suppress(OSError, sqlite3.Error):  # the listing finds the file by itself
            self.index.note(entry)
