"""Make the index say what is in the folder, looking only where something changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from nbcache.storage.entry import Entry
from nbcache.storage.folder import Folder
from nbcache.storage.index import Index

__all__ = ["reconcile"]

# a change within the clock's tick would not show: a folder has to have rested
RESTED_NS = 3_000_000_000


def reconcile(
    place: Folder, index: Index, read: Callable[[Iterable[Path]], list[Entry]]
) -> None:
    """Enter the files that have no row, and drop the rows that have no file.

    Parameters
    ----------
    place : Folder
        Of the store.
    index : Index
        To be made right.
    read : callable (paths) -> list of Entry
        Gives what can be read of them.

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
    entered = read(there[name] for name in missing)
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
