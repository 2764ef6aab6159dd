"""Make the index say what is in the folder, looking only where something changed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from nbcache.errors import DamagedEntry
from nbcache.storage import npz
from nbcache.storage.entry import Entry
from nbcache.storage.folder import Folder, key_of
from nbcache.storage.foreign_entry import document_of
from nbcache.storage.index import Index

__all__ = ["metadata", "read_all", "reconcile"]

# a change within the clock's tick would not show: a folder has to have rested
RESTED_NS = 3_000_000_000


def reconcile(place: Folder, index: Index) -> None:
    """Enter the files that have no row, and drop the rows that have no file.

    Parameters
    ----------
    place : Folder
        Of the store.
    index : Index
        To be made right.

    Raises
    ------
    OSError, sqlite3.Error
        The index can neither be read nor made.

    Notes
    -----
    A folder whose time is that of the last look is not looked into, as a name that
    comes or goes changes it.
    """
    began = time.time_ns()
    now, known = place.stamps(), index.folders()
    changed = {one for one in now.keys() | known if now.get(one) != known.get(one)}
    if not changed:
        return
    there, listed = place.files(changed), index.files(changed)
    missing = there.keys() - listed
    entered = read_all(there[name] for name in missing)
    index.add(entered)
    index.remove(listed - there.keys())
    # what could not be read now may be readable later
    unread = {there[name].parent.name for name in missing - {e.file for e in entered}}
    rested = {
        name: stamp
        for name, stamp in now.items()
        if name in changed and name not in unread and began - stamp > RESTED_NS
    }
    if rested or known.keys() - now:
        index.note_folders(rested, known.keys() - now)


def read_all(paths: Iterable[Path]) -> list[Entry]:
    """Give the metadata of the files that can be read."""
    return [entry for path in paths if (entry := metadata(path)) is not None]


def metadata(path: Path) -> Entry | None:
    """Read an entry's manifest alone; None if that is not possible."""
    try:
        with npz.Archive.open(path) as archive:
            document = document_of(archive, whole=False)
            entry = Entry.from_json(document, file=path.name, bytes=archive.size)
    except (OSError, DamagedEntry):
        return None
    return entry if entry.key == key_of(path.name) else None
