"""Whether a look-up today would still take an entry, told without a kernel.

What a notebook's own variables are cannot be known here: an entry that is *current* is
one of which nothing else says that it is not.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from nbcache.keys import origin, source
from nbcache.storage.entry import Entry
from nbcache.storage.foreign import is_modest
from nbcache.storage.listing import Alike, Listing
from nbcache.trace.observed import Observed, Today, file_stat

__all__ = ["CURRENT", "by_key", "states"]

CURRENT = "current"
SUPERSEDED = "superseded"
FAILURE = "failure"


def states(listing: Listing) -> list[str]:
    """Give the state of each entry, in their order.

    Parameters
    ----------
    listing : Listing
        All of a store, so that it shows which are superseded.

    Returns
    -------
    list of str
        ``current``, ``expired``, ``file changed``, ``library changed``,
        ``superseded`` (a newer one of that name and notebook has other code) or
        ``failure`` (the function raised).
    """
    alike, places = listing.alike, listing.places
    if not len(places):
        return []
    judge = _Judge()
    codes = _newest_codes(listing)
    of_alike = np.empty(len(alike), object)
    # what nothing is alike to is not looked at
    for place in np.unique(places).tolist():
        one = alike[place]
        superseded = codes[_place(one)] != one.code
        of_alike[place] = judge.fault(one) or (SUPERSEDED if superseded else CURRENT)
    found = of_alike[places]
    limits = np.array([_limit(one) for one in alike])[places]
    found[(time.time() - listing.created >= limits) & (found != FAILURE)] = "expired"
    return found.tolist()  # type: ignore[no-any-return]


def by_key(entries: Iterable[Entry]) -> dict[str, str]:
    """Give the states of entries by their keys."""
    listing = Listing.of(entries)
    return dict(zip(listing.keys, states(listing), strict=True))


def _newest_codes(listing: Listing) -> dict[tuple[str, str, str], str]:
    """Give the code of the newest entry of each name and notebook."""
    newest = np.full(len(listing.alike), -np.inf)
    np.maximum.at(newest, listing.places, listing.created)
    found: dict[tuple[str, str, str], tuple[float, str]] = {}
    for one, when in zip(listing.alike, newest.tolist(), strict=True):
        last = when, one.code
        found[_place(one)] = max(found.get(_place(one), last), last)
    return {place: code for place, (_, code) in found.items()}


def _place(one: Alike) -> tuple[str, str, str]:
    return one.kind, one.name, one.notebook


def _limit(one: Alike) -> float:
    return math.inf if one.expires_after is None else one.expires_after


_MOST_READ = 1 << 30
"""Bytes of files that one listing compares; what is beyond counts as unchanged."""


@dataclass
class _Judge:
    """Looks at each file and each package once."""

    today: Today = field(default_factory=Today)
    room: int = _MOST_READ
    _tokens: dict[str, str] = field(default_factory=dict)

    def fault(self, one: Alike) -> str:
        """Say what speaks against entries, whatever their age; '' if nothing."""
        if one.failure:
            return FAILURE
        if any(map(self._differs, one.seen)):
            return "file changed"
        return "library changed" if self._is_of_other_libraries(one) else ""

    def _differs(self, row: list[object]) -> bool:
        try:
            one = Observed.from_json(row)
            if one.kind in ("random", "folder") or one.kind.startswith("metric"):
                return False  # of the process that asks, whatever it is
            if one.kind == "file" and one.stat is not None:
                found = file_stat(one.name)
                if found == one.stat:
                    return False
                if found is None or found[2] != one.stat[2]:
                    return True
            if not self._is_worth_reading(one):
                return False
            return self.today.observe(one.kind, one.name).digest != one.digest
        except (OSError, ValueError, TypeError, KeyError):
            return True

    def _is_worth_reading(self, one: Observed) -> bool:
        """Say whether to compare contents: listings show what nobody has verified."""
        if one.kind in ("tree", "matches"):
            return is_modest("file", one.name)
        if one.kind == "file":
            found = file_stat(one.name)
            self.room -= found[2] if found else 0
        return self.room >= 0

    def _is_of_other_libraries(self, one: Alike) -> bool:
        made = one.python.split(".")[:2]
        if made != [""] and made != list(map(str, sys.version_info[:2])):
            return True
        return any(digest != self._token(name) for name, digest in one.libraries)

    def _token(self, package: str) -> str:
        if package not in self._tokens:
            token = source.text_digest(origin.version_token(package))
            self._tokens[package] = token
        return self._tokens[package]
