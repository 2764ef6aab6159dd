"""A store that a team or a cluster shares: the folder, and an object store behind it.

The folder stays what every hit is served from.  What it lacks is looked for behind it
(`SharedStore.behind`), verified, and published into the folder; what is stored is
published behind it too, in the calling thread: when a result is there, other hosts find
it, and no process that ends has something left to send.  Whatever fails there costs a
line and a computation, never the result.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.storage.entry import Entry
from nbcache.storage.filesystems import is_local
from nbcache.storage.folder import made_real
from nbcache.storage.host_leases import HostLease
from nbcache.storage.npz import Archive
from nbcache.storage.remote import MOST_BYTES, Remote, RemoteError
from nbcache.storage.shared_copy import write_shared_copy
from nbcache.storage.shared_objects import Objects, Standing
from nbcache.storage.store import Content, Opened, Shared, Store
from nbcache.storage.traces import Descriptor

__all__ = ["Behind", "SharedStore"]

_ROUNDS = 4


class SharedStore(Store):
    """Entries in a folder, and behind it in an object store.

    Parameters
    ----------
    folder : Path
        The local tier.
    remote : Remote
        The object store.
    **settings
        As `Store` has them.
    """

    def __init__(self, folder: Path, remote: Remote, **settings: Any) -> None:
        super().__init__(folder, **settings)
        self.remote = remote
        self.objects = Objects(remote, foreign=self.trust == "data")
        self._seen: dict[str, tuple[str, ...]] = {}

    @property
    def behind(self) -> Behind | None:
        """What a look-up that finds nothing here asks next."""
        return Behind(self) if self.remote.is_usable() else None

    def shared_with(self) -> Shared:
        """Tell with whom it is shared, and what was found out about that."""
        with suppress(OSError):
            self.remote.keeps_conditions()
        return Shared(self.remote.url, self.remote.conditional)

    def standing(self, lookup: str, slug: str = "") -> tuple[Any, ...]:
        """Tell what stands under a look-up key, here and as last seen behind."""
        here = super().standing(lookup, slug)
        return (*here, *self._seen.get(lookup, ()))

    def host_lease(self, lookup: str, slug: str = "") -> HostLease | None:
        """Give what holds a key among hosts; None where that is not possible."""
        if not self.remote.is_writable:
            return None

        def look() -> tuple[str, ...]:
            self._seen[lookup] = self.objects.tags(lookup, slug)
            return self._seen[lookup]

        return HostLease(self.remote, lookup, look)

    # --- fetching

    def fetch(self, key: str, slug: str) -> bool:
        """Bring an entry into the folder; say whether there is another one now.

        Raises
        ------
        OSError
            It cannot be fetched, or not be kept.
        """
        if not self.prepare():
            return False
        name = self.objects.name(key, slug)
        found, entry = self._fetch(name, key, slug)
        if found.state == "foreign":
            own, entry = self._fetch(self.objects.own_name(key, slug), key, slug)
            if own.state == "nothing":
                raise UntrustedEntry(
                    "an entry that is shared was written with another secret "
                    "(NBCACHE_SECRET_FILE names one that a team has in common)"
                )
        elif found.state == "damaged":
            self.remote.tell(
                f"an entry in {self.remote.url} is damaged: it is computed afresh"
            )
        return entry is not None

    def _fetch(self, name: str, key: str, slug: str) -> tuple[Standing, Entry | None]:
        with self.place.temporary() as (file, temporary):
            state = self.objects.download(name, key, file, self.folder)
            if state.state == "nothing" or not temporary.stat().st_size:
                return state, None
            try:
                found = self._verified(temporary, key)
            except UntrustedEntry:
                return replace(state, state="foreign"), None
            except DamagedEntry:
                return replace(state, state="damaged"), None
            return state, self._take(temporary, found, slug)

    def _verified(self, path: Path, key: str) -> Entry:
        """Open a fetched file as any entry, its bytes compared in any case."""
        with Archive.open(path, mappable=is_local(str(self.folder))) as archive:
            archive.verify()
        opened = self._open(path, key)
        opened.close()
        return opened.entry

    def _take(self, temporary: Path, found: Entry, slug: str) -> Entry | None:
        """Put a fetched entry into its place, unless a newer one stands there."""
        path = self.place.entry(found.key, slug)
        made_real(path.parent)
        here = self._standing(path, found.key)
        if here is not None and here.created >= found.created:
            return None
        if path.is_dir() and not path.is_symlink():
            self.set_aside(path)
        size = temporary.stat().st_size
        temporary.replace(path)
        if found.lookup not in ("", found.key):
            items = [(kind, name) for kind, name, *_ in found.trace]
            self.traces.add(found.lookup, items, found.key)
        taken = replace(found, bytes=size, file=path.name)
        self.enter(taken)
        return taken

    # --- publishing

    def put(
        self, entry: Entry, content: Content, *, slug: str = "", overwrite: bool = False
    ) -> Entry:
        """Store an entry here and behind; see `Store.put`.

        Where another host was first, its entry is the one that stays.
        """
        stored = super().put(entry, content, slug=slug, overwrite=overwrite)
        if entry.private or stored.private or not self.remote.is_writable:
            return stored
        try:
            return self._share(stored, slug, overwrite)
        except RemoteError:
            return stored  # `Remote` has told
        except Exception as error:  # what is stored here must not be lost over it
            kind = type(error).__name__
            self.remote.tell(f"a result is not shared with {self.remote.url}: {kind}")
            return stored

    def withdraw(self, key: str) -> None:
        """Delete an entry that was there for a while only, here and behind."""
        super().withdraw(key)
        with suppress(RemoteError):
            self.remote.delete(self.objects.name(key, ""))

    def _share(self, stored: Entry, slug: str, overwrite: bool) -> Entry:
        path = self.place.entry(stored.key, slug)
        with self._copied(path) as (data, digest):
            if len(data) > MOST_BYTES:
                self.remote.tell(
                    f"results of more than {MOST_BYTES // 10**9} GB are not shared "
                    f"with {self.remote.url}"
                )
                return stored
            kept = self._publish_copy(stored, slug, data, digest, overwrite)
        final = kept or stored
        if final.lookup not in ("", final.key):
            items = [(kind, name) for kind, name, *_ in final.trace]
            self.objects.add_to_list(final.lookup, items, final.key)
        return final

    @contextmanager
    def _copied(self, path: Path) -> Iterator[tuple[Any, str]]:
        """Give the bytes of an entry as it is shared, and their digest."""
        with self.place.temporary() as (file, _):
            is_mappable = is_local(str(self.folder))
            trailer = write_shared_copy(path, file, mappable=is_mappable)
            file.flush()
            if is_mappable:
                # not closed here: a request that was given up may still read it
                data: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            else:
                file.seek(0)
                data = file.read()
            yield data, trailer.digest

    def _publish_copy(
        self, stored: Entry, slug: str, data: Any, digest: str, overwrite: bool
    ) -> Entry | None:
        """Put a copy behind; give the entry of another host that was first."""
        key, name = stored.key, self.objects.name(stored.key, slug)
        found: Standing | None = None
        if overwrite:
            found = self.objects.examine(name, key)
        for _ in range(_ROUNDS):
            if found is not None and found.state == "foreign":
                name, found = self.objects.own_name(key, slug), None
            if self.objects.publish(name, data, replaced=found):
                return None
            found = self.objects.examine(name, key)
            if found.digest == digest:
                return None  # our own: the answer to an earlier attempt was lost
            if found.state == "good" and self.trust == "none":
                return None  # whose value it is does not matter: it is not used
            if found.state == "good" and not overwrite:
                found, first = self._first(name, stored, slug)
                if first is not None:
                    return first
        return None

    def _first(
        self, name: str, stored: Entry, slug: str
    ) -> tuple[Standing, Entry | None]:
        """Take what another host stored first, in the place of what is here."""
        with self.place.temporary() as (file, temporary):
            state = self.objects.download(name, stored.key, file, self.folder)
            if state.state != "good":
                return state, None
            try:
                found = self._verified(temporary, stored.key)
            except DamagedEntry:
                return replace(state, state="damaged"), None
            size = temporary.stat().st_size
            path = self.place.entry(stored.key, slug)
            temporary.replace(path)
        first = replace(found, bytes=size, file=path.name)
        self.enter(first)
        return state, first


class Behind:
    """What a look-up asks when the folder has no answer: the object store.

    Parameters
    ----------
    store : SharedStore
        What is found is put there, and opened from there.
    """

    def __init__(self, store: SharedStore) -> None:
        self._store = store
        self.traces = self

    def get(self, key: str, slug: str = "", *, memory: bool = False) -> Opened | None:
        """Open an entry that the folder did not have; None if there is none."""
        del memory
        try:
            return self._store.get(key, slug) if self._store.fetch(key, slug) else None
        except UntrustedEntry:  # which is an OSError too
            raise
        except OSError:
            return None  # of the network, `Remote` has told

    def read(self, lookup: str) -> list[Descriptor]:
        """Give the descriptors of a look-up key, newest first; [] if unreadable."""
        try:
            return self._store.objects.read_list(lookup)
        except OSError:
            return []
