"""Entries as plain rows: what listings, panel and command line show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from nbcache.storage.database import stored_text
from nbcache.storage.history import Use
from nbcache.storage.listing import Listing

__all__ = ["COLUMNS", "columns", "rows"]

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


def columns(
    listing: Listing,
    uses: Mapping[str, Use],
    states: list[str],
    pins: Collection[str] = (),
) -> dict[str, list[Any]]:
    """Give the columns of a listing, in its order.

    Parameters
    ----------
    listing : Listing
        Of a store.
    uses : mapping of str to Use
        How often entries were used, by key.
    states : list of str
        See `nbcache.states`.
    pins : collection of str
        Of the store.

    Returns
    -------
    dict of str to list
        By `COLUMNS`: size in bytes, cost and saved in s, created and last_hit in s
        since 1970 (last_hit 0.0: never).
    """
    unused = Use()
    used = [uses.get(key, unused) for key in listing.keys]
    return {
        "key": listing.keys,
        "name": listing.column("name"),
        "kind": listing.column("kind"),
        "variables": listing.column("variables"),
        "size": listing.bytes.tolist(),
        "hits": [use.hits for use in used],
        "cost": listing.seconds.tolist(),
        "saved": [use.saved for use in used],
        "created": listing.created.tolist(),
        "last_hit": [use.last for use in used],
        "state": states,
        "tags": listing.column("tags"),
        "notebook": listing.column("notebook"),
        "pickled": listing.column("pickled"),
        "pinned": _pinned(listing, pins),
    }


def _pinned(listing: Listing, pins: Collection[str]) -> list[bool]:
    if not pins:
        return [False] * len(listing.keys)
    names = listing.column("name")
    return [
        key in pins or stored_text(name) in pins
        for key, name in zip(listing.keys, names, strict=True)
    ]


def rows(
    listing: Listing,
    uses: Mapping[str, Use],
    states: list[str],
    pins: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Give the same as `columns`, entry by entry."""
    values = columns(listing, uses, states, pins)
    return [
        dict(zip(COLUMNS, one, strict=True))
        for one in zip(*(values[name] for name in COLUMNS), strict=True)
    ]
