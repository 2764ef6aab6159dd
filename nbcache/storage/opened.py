"""An entry that was opened: its metadata, and what its values are decoded from."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from nbcache.errors import DamagedEntry
from nbcache.storage import codec, foreign, npz
from nbcache.storage.entry import Entry, read_manifest
from nbcache.storage.leases import Leases
from nbcache.storage.quick import is_at, is_in

__all__ = ["MOST_FIELD", "MOST_MANIFEST", "Opened", "require_modest"]


MOST_MANIFEST = 1 << 20
"""Bytes of a manifest that is read without knowing who wrote it."""

MOST_FIELD = 1 << 25
"""Bytes of each of its fields that stand as members of their own."""

# honest trees take each array once, and look at some twice
_TAKES = 4
_ROOM = 1 << 24
# what DEFLATE makes of data; what a bomb makes of zeros is fifty times more
_LARGEST_RATIO = 20
_LEAST_INFLATED = 1 << 26


class Opened:
    """An entry that is whole, ready to be decoded.

    Parameters
    ----------
    archive : npz.Archive
        Held open until `close`.
    file : str
        Its name.
    is_mine : bool
        Whether this user signed it.  What somebody else did gives data, nothing more
        (`storage.foreign`), and no more of it than its file is worth.
    leases : Leases, optional
        Where to note that its arrays are in use.

    Raises
    ------
    DamagedEntry
        It is not what its trailer says.
    UntrustedEntry
        It is foreign, and does more than give data.
    """

    def __init__(
        self,
        archive: npz.Archive,
        file: str,
        *,
        is_mine: bool = True,
        leases: Leases | None = None,
    ) -> None:
        self.archive = archive
        self._leases = leases
        self.is_mine = is_mine
        if not is_mine:
            require_modest(archive)
        data = archive.manifest()
        self._text_bytes = len(data)
        document = read_manifest(data, self._plain, whole=True)
        self.tree = document.pop("tree", None)
        self.outputs = document.pop("outputs", None)
        self.entry = Entry.from_json(document, file=file, bytes=archive.size)
        self.held: dict[str, Any] = {}
        self.is_whole = archive.whole is not None
        if self.entry.key != archive.trailer.key:
            raise DamagedEntry("the manifest is that of another entry")
        if not is_mine:
            self.entry = _plain(self.entry)

    def decode(self, *, mode: npz.Mode = "copy", **known: Any) -> dict[str, Any]:
        """Give the values; see `codec.decode` for what else is given.

        Parameters
        ----------
        mode : "copy", "read" or None
            How arrays are handed out (`npz.Archive.read`).
        **known
            ``live, classes, namespace, reach``.

        Raises
        ------
        DamagedEntry, UntrustedEntry, LookupError, OSError
            As `codec.decode`.
        """

        def read(name: str) -> np.ndarray:
            return self.archive.read(name, mode)

        if self.is_mine:
            return codec.decode(self.tree, read, allow_pickle=True, **known)
        archive = self.archive
        most = _TAKES * (archive.size + archive.inflated_bytes) + _ROOM
        values = codec.decode(self.tree, read, most_bytes=most, **known)
        foreign.require_values(values)
        return values

    def again(self, path: str) -> Opened | None:
        """Give this entry open once more, decoded anew; None if it is not the same.

        What is ``held`` (immutable results) is common to all.
        """
        archive = self.archive.again(path)
        if archive is None:
            return None
        other = copy(self)
        other.archive = archive
        return other

    def is_at(self, path: str) -> bool:
        """Say whether this is the small file that stands in a place now."""
        return self.is_whole and is_at(path, self.archive.stat_id)

    def is_in(self, path: str) -> bool:
        """Say whether the file in a place has the bytes of this one."""
        return self.archive.whole is not None and is_in(path, self.archive.whole)

    @property
    def kept_bytes(self) -> int:
        """Bytes that keeping this in memory takes, roughly."""
        # JSON as Python objects takes several times its length
        return self.archive.kept_bytes + 8 * self._text_bytes

    def _plain(self, name: str) -> np.ndarray:
        found = self.archive.read(name, None)
        if not self.is_mine and found.nbytes > MOST_FIELD:
            raise DamagedEntry(f"its {name} takes more than {MOST_FIELD} bytes")
        self._text_bytes += found.nbytes
        return found

    def close(self) -> None:
        """Close the file; arrays that were handed out stay valid."""
        if self._leases is not None and (mapped := self.archive.mapped()):
            self._leases.hold(self.entry.file, mapped)
        self.archive.close()


def require_modest(archive: npz.Archive) -> None:
    """Refuse what takes far more memory than its file.

    Raises
    ------
    DamagedEntry
        It does.
    """
    if archive.trailer.manifest_bytes > MOST_MANIFEST:
        raise DamagedEntry(f"its manifest takes more than {MOST_MANIFEST} bytes")
    most = max(_LARGEST_RATIO * archive.size, _LEAST_INFLATED)
    if archive.inflated_bytes > most:
        raise DamagedEntry(f"its members would take more than {most} bytes")


def _plain(entry: Entry) -> Entry:
    """Give the metadata of a foreign entry without what could do harm.

    Raises
    ------
    UntrustedEntry
        It cannot be used without.
    """
    return replace(
        entry,
        state=foreign.plain_state(entry.state),
        trace=foreign.plain_trace(entry.trace),
        written=foreign.plain_trace(entry.written),
        call=None,
    )
