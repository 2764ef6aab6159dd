"""What of an entry goes to a shared store: the result, not what it was called with.

Arguments and summaries of inputs stay at home, and of the notebook's path only its
name goes.  The key is the same; the copy is signed anew.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from nbcache.storage import npz
from nbcache.storage.entry import (
    INTERNAL,
    LARGE,
    Entry,
    read_manifest,
    write_manifest,
)
from nbcache.storage.trust import signer

__all__ = ["write_shared_copy"]

_FIELDS = frozenset(INTERNAL + name for name in LARGE)


def write_shared_copy(
    path: Path, file: BinaryIO, *, mappable: bool = True
) -> npz.Trailer:
    """Write the copy of an entry of this user's own; give its trailer.

    Raises
    ------
    OSError
        It cannot be read or written.
    DamagedEntry
        It is not what was written.
    """
    with npz.Archive.open(path, mappable=mappable) as archive:
        archive.verify()
        document = read_manifest(
            archive.manifest(), lambda name: archive.read(name, None), whole=True
        )
        tree, outputs = document.pop("tree", None), document.pop("outputs", None)
        entry = _bare(Entry.from_json(document))
        members = {
            name: archive.read(name, "read")
            for name in archive.names
            if name not in _FIELDS
        }
        manifest = write_manifest(entry, tree, outputs, members)
        return npz.write(
            file,
            members.items(),
            manifest,
            key=archive.trailer.key,
            compress=bool(entry.options.get("compress")),
            sign=signer().sign,
        )


def _bare(entry: Entry) -> Entry:
    return replace(
        entry.without_summaries(),
        private=entry.private,
        notebook=Path(entry.notebook).name,
    )
