"""Entries and lists of traces as objects of a bucket: fetched, and published.

An object is believed no more than a file that somebody left in the store: what comes
from there is verified like any entry, under its key and signature, before it is used.
A name is never given up to somebody else: what stands under a key and is not this
user's own is left alone, and one's own stands beside it, under ``<key>.<author>``.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from nbcache.errors import DamagedEntry
from nbcache.storage import npz
from nbcache.storage.folder import Folder, file_name
from nbcache.storage.remote import MOST_BYTES, Remote, Version
from nbcache.storage.traces import Descriptor, Traces
from nbcache.storage.trust import signer

__all__ = ["Objects", "Standing"]

_ROUNDS = 4
_MOST_LIST = 4_000_000
# of larger objects the end is read first
_AT_ONCE_BYTES = 1 << 20

State = Literal["nothing", "good", "damaged", "foreign"]


_NO_VERSION = Version("", 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands under a name: how it is, its version and digest, bytes if few."""

    state: State
    version: Version = _NO_VERSION
    digest: str = ""
    data: bytes | None = None


class Objects:
    """The objects that hold entries and lists of traces.

    Parameters
    ----------
    remote : Remote
        Where they are.
    foreign : bool
        Whether entries are taken that this user did not sign.
    """

    def __init__(self, remote: Remote, *, foreign: bool = False) -> None:
        self.remote = remote
        self._foreign = foreign

    # --- names

    def name(self, key: str, slug: str) -> str:
        """Give the name of an entry's object: a key and a slug, nothing else."""
        return f"entries/{key[:2]}/{file_name(key, slug)}"

    def own_name(self, key: str, slug: str) -> str:
        """Give the name that is this user's own, used beside a foreign object."""
        return f"{self.name(key, slug)[:-4]}.{signer().author}.npz"

    def list_name(self, lookup: str) -> str:
        """Give the name of a list of traces."""
        return f"entries/{lookup[:2]}/{lookup}.traces"

    def tags(self, lookup: str, slug: str) -> tuple[str, ...]:
        """Tell what stands under a look-up key now; () for nothing.

        Raises
        ------
        RemoteError
            It cannot be asked.
        """
        names = (self.name(lookup, slug), self.list_name(lookup))
        found = map(self.remote.version, names)
        return tuple(one.e_tag for one in found if one is not None)

    # --- entries

    def examine(self, name: str, key: str) -> Standing:
        """Tell from its end whether an object is worth the download.

        Raises
        ------
        RemoteError
            It cannot be read.
        """
        found = self.remote.glance(name, _AT_ONCE_BYTES)
        if found is None:
            return Standing("nothing")
        version, whole = found
        size = npz.TRAILER_BYTES
        if not size < version.size <= MOST_BYTES:
            return Standing("damaged", version)
        data = (
            self.remote.ending(name, version, size) if whole is None else whole[-size:]
        )
        if data is None:
            return Standing("nothing")
        try:
            trailer = npz.Trailer.from_bytes(data)
        except DamagedEntry:
            return Standing("damaged", version)
        if trailer.key != key or trailer.length != version.size - size:
            return Standing("damaged", version)
        mine = (trailer.key, trailer.length, trailer.digest, trailer.mac)
        state: State = "good" if signer().is_mine(*mine) else "foreign"
        return Standing(state, version, trailer.digest, whole)

    def download(self, name: str, key: str, file: BinaryIO, folder: Path) -> Standing:
        """Copy an object that is worth it into a file, which is to be verified.

        Raises
        ------
        OSError
            It cannot be read, or there is no room for it.
        """
        found = self.examine(name, key)
        if found.state != "good" and not (found.state == "foreign" and self._foreign):
            return found
        if shutil.disk_usage(folder).free < 2 * found.version.size:
            raise OSError(f"no room for the {found.version.size} bytes of {name}")
        if found.data is not None:
            file.write(found.data)
        elif not self.remote.download(name, file, found.version):
            return Standing("nothing")
        file.flush()
        return found

    def publish(
        self, name: str, data: Any, *, replaced: Standing | None = None
    ) -> bool:
        """Put an entry under a name, where nothing stands or what was looked at.

        Returns
        -------
        bool
            False if something else stands there; whoever retries a request whose answer
            was lost finds its own.

        Raises
        ------
        RemoteError
            It cannot be written.
        """
        if not self.remote.keeps_conditions():
            if replaced is None and self.remote.version(name) is not None:
                return False
            return self.remote.overwrite(name, data) is not None
        if replaced is None or replaced.state == "nothing":
            return self.remote.create(name, data) is not None
        return self.remote.replace(name, data, replaced.version.e_tag) is not None

    # --- lists of traces

    def read_list(self, lookup: str) -> list[Descriptor]:
        """Give the descriptors of a look-up key; [] for none.

        Raises
        ------
        RemoteError
            They cannot be read.
        """
        with self._list(lookup) as (traces, _):
            return traces.read(lookup)

    def add_to_list(
        self, lookup: str, items: Iterable[tuple[str, str]], newest: str
    ) -> None:
        """Enter a run as the newest; what other hosts enter meanwhile stays.

        Raises
        ------
        OSError
            It cannot be written.
        """
        rows, name = list(items), self.list_name(lookup)
        for _ in range(_ROUNDS):
            with self._list(lookup) as (traces, e_tag):
                before = traces.read(lookup)
                traces.add(lookup, rows, newest)
                if before and traces.read(lookup) == before:
                    return
                data = traces.path(lookup).read_bytes()
            if not self.remote.keeps_conditions():
                self.remote.overwrite(name, data)
                return
            if e_tag is None:
                done = self.remote.create(name, data)
            else:
                done = self.remote.replace(name, data, e_tag)
            if done is not None:
                return

    @contextmanager
    def _list(self, lookup: str) -> Iterator[tuple[Traces, str | None]]:
        """Give a folder with the list in it, and the list's e_tag."""
        found = self.remote.read(self.list_name(lookup), _MOST_LIST)
        with tempfile.TemporaryDirectory(prefix="nbcache-") as folder:
            place = Folder(Path(folder))
            place.make()
            traces = Traces(place, foreign=self._foreign)
            if found is not None:
                traces.path(lookup).parent.mkdir(mode=0o700)
                traces.path(lookup).write_bytes(found[0])
            yield traces, None if found is None else found[1]
