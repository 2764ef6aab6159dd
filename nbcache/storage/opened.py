"""An entry that was opened: its metadata, and what its values are decoded from."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from nbcache.storage import npz
from nbcache.storage.entry import Entry, read_manifest
from nbcache.storage.leases import Leases

__all__ = ["Opened"]


class Opened:
    """An entry that is whole and this user's own, ready to be decoded.

    Parameters
    ----------
    archive : npz.Archive
        Held open until `close`.
    leases : Leases, optional
        Where to note that its arrays are in use.
    """

    def __init__(
        self, archive: npz.Archive, file: str, leases: Leases | None = None
    ) -> None:
        self.archive = archive
        self._leases = leases
        data = archive.manifest()
        self._text_bytes = len(data)
        document = read_manifest(data, self._plain, whole=True)
        self.tree = document.pop("tree", None)
        self.outputs = document.pop("outputs", None)
        self.entry = Entry.from_json(document, file=file, bytes=archive.size)
        self.held: dict[str, Any] = {}

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

    @property
    def kept_bytes(self) -> int:
        """Bytes that keeping this in memory takes, roughly."""
        # JSON as Python objects takes several times its length
        return self.archive.kept_bytes + 8 * self._text_bytes

    def _plain(self, name: str) -> np.ndarray:
        found = self.archive.read(name, None)
        self._text_bytes += found.nbytes
        return found

    def close(self) -> None:
        """Close the file; arrays that were handed out stay valid."""
        if self._leases is not None and (mapped := self.archive.mapped()):
            self._leases.hold(self.entry.file, mapped)
        self.archive.close()
