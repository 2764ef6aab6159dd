"""Entries as plain rows: what listings, panel and command line show."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from nbcache.storage.database import stored_text
from nbcache.storage.entry import Entry
from nbcache.storage.history import Use

__all__ = ["COLUMNS", "row"]

COLUMNS = (
    "key",
    "name",
    "kind",
    "variables",
    "size",
    "hits",
    "cost",
    "saved",
    "created",
    "last_hit",
    "state",
    "tags",
    "notebook",
    "pickled",
    "pinned",
)


def row(
    entry: Entry, use: Use | None, state: str, pins: Collection[str] = ()
) -> dict[str, Any]:
    """Give an entry as a plain row.

    Parameters
    ----------
    entry : Entry
        Of a store.
    use : Use or None
        How often it was used, if it was.
    state : str
        See `nbcache.states`.
    pins : collection of str
        Of the store.

    Returns
    -------
    dict
        By `COLUMNS`: size in bytes, cost and saved in s, created and last_hit in s
        since 1970 (last_hit 0.0: never).
    """
    use = use or Use()
    return {
        "key": entry.key,
        "name": entry.name,
        "kind": entry.kind,
        "variables": ", ".join(str(one[0]) for one in entry.variables),
        "size": entry.bytes,
        "hits": use.hits,
        "cost": entry.seconds,
        "saved": use.saved,
        "created": entry.created,
        "last_hit": use.last,
        "state": state,
        "tags": ", ".join(entry.tags),
        "notebook": entry.notebook,
        "pickled": bool(entry.pickled),
        "pinned": entry.key in pins or stored_text(entry.name) in pins,
    }
