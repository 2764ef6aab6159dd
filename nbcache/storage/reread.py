"""An entry as its own file tells it, not as a listing does."""

from __future__ import annotations

from nbcache.errors import NotCached
from nbcache.storage.entry import Entry
from nbcache.storage.store import Store

__all__ = ["reread"]


def reread(store: Store, entry: Entry) -> Entry:
    """Give an entry read from its verified file.

    The index may be old, or written by anybody; what an entry says to run must be
    signed by this user.

    Parameters
    ----------
    store : Store
        Where it is.
    entry : Entry
        From a listing.

    Returns
    -------
    Entry
        With its source, arguments and parts as they were signed.

    Raises
    ------
    NotCached
        It has been deleted since it was listed.
    DamagedEntry
        Its bytes are not those that were written.
    UntrustedEntry
        Somebody else wrote it.
    OSError
        The store cannot be read.
    """
    opened = store.get(entry.key, entry.file.rpartition("-")[0])
    if opened is None:
        raise NotCached(f"the entry of {entry.name!r} has been deleted meanwhile")
    opened.close()
    return opened.entry
