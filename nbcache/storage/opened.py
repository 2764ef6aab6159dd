"""An entry that was opened: its metadata, and what its values are decoded from."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from nbcache.storage import npz
from nbcache.storage.entry import Entry, read_manifest
from nbcache.storage.quick import is_at, is_in

__all__ = ["Opened"]


class Opened:
    """An entry that is whole and this user's own, ready to be decoded.

    Parameters
    ----------
    archive : npz.Archive
        Held open until `close`.
    """

    def __init__(self, archive: npz.Archive, file: str) -> None:
        self.archive = archive
        data = archive.manifest()
        self._text_bytes = len(data)
        document = read_manifest(data, self._plain, whole=True)
        self.tree = document.pop("tree", None)
        self.outputs = document.pop("outputs", None)
        self.entry = Entry.from_json(document, file=file, bytes=archive.size)
        self.held: dict[str, Any] = {}
        self.is_whole = archive.whole is not None

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
        self._text_bytes += found.nbytes
        return found

    def close(self) -> None:
        """Close the file; arrays that were handed out stay valid."""
        self.archive.close()
