"""Which entries are meant: by name, key, tag, age, or because they are stale."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from nbcache import info
from nbcache.cache import Core
from nbcache.errors import UnknownName
from nbcache.states import CURRENT, by_key
from nbcache.storage.database import stored_text
from nbcache.storage.entry import Entry

__all__ = ["Selection", "pin", "pinned_text", "unpin"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What somebody asked for; what is given must hold all at once.

    Parameters
    ----------
    names : tuple of str
        Names (globs allowed) or keys; (): any.
    tag : str
        One of its tags; '': any.
    stale : bool
        Only what a look-up today would not take.
    older_s : float, optional
        Only what was stored longer ago (s).
    all : bool
        Everything, on purpose.
    """

    names: tuple[str, ...] = ()
    tag: str = ""
    stale: bool = False
    older_s: float | None = None
    all: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return self == Selection()

    @property
    def is_contradictory(self) -> bool:
        """Whether all was asked for, and not all."""
        return self.all and self != Selection(all=True)

    def of(self, core: Core) -> list[Entry]:
        """Give the entries that are meant, newest first.

        Raises
        ------
        UnknownName
            No entry has one of the names, or the tag.
        """
        known = core.store.entries()
        found = info.matching(core, self.names) if self.names else known
        if self.tag:
            tags = {tag for entry in known for tag in entry.tags}
            if self.tag not in tags:
                there = ", ".join(sorted(tags)) or "none"
                raise UnknownName(f"no entry has the tag {self.tag!r}; tags: {there}")
            found = [entry for entry in found if self.tag in entry.tags]
        if self.older_s is not None:
            limit = time.time() - self.older_s
            found = [entry for entry in found if entry.created < limit]
        if self.stale:
            state = by_key(known)
            found = [one for one in found if state.get(one.key, CURRENT) != CURRENT]
        return found


# --- pins


def pin(core: Core, names: Iterable[str]) -> list[str]:
    """Keep what has one of some names, now and later; give the names.

    Parameters
    ----------
    core : Core
        Of the cache.
    names : iterable of str
        Names of entries (globs stand for those that are there), or keys.

    Raises
    ------
    UnknownName
        No entry has one of the names.
    OSError, sqlite3.Error
        It cannot be written.
    """
    chosen: dict[str, None] = {}
    for name in names:
        for entry in info.matching(core, [name]):
            chosen.setdefault(name if entry.key == name else entry.name)
    core.store.history.pin(chosen)
    return list(chosen)


def unpin(core: Core, names: Iterable[str]) -> list[str]:
    """Take pins away; give what was pinned.

    Raises
    ------
    UnknownName
        Nothing is pinned under one of the names.
    OSError, sqlite3.Error
        It cannot be written.
    """
    pins = core.store.history.pins()
    chosen: dict[str, None] = {}
    for name in names:
        matching = info.fitting(pins, stored_text(name))
        if not matching:
            there = ", ".join(sorted(pins)) or "nothing"
            raise UnknownName(f"{name!r} is not pinned; pinned: {there}", name)
        chosen.update(dict.fromkeys(matching))
    core.store.history.unpin(chosen)
    return list(chosen)


def pinned_text(count: int) -> str:
    """Say that entries stay because they are pinned; '' for none."""
    if not count:
        return ""
    what = "1 pinned entry stays" if count == 1 else f"{count} pinned entries stay"
    return f"{what}: nbcache unpin NAME would let go"
