"""Keeping a store within its limit: who looks at its size, and when."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from nbcache.storage.database import stored_text
from nbcache.storage.entry import IMPORTED, Entry
from nbcache.storage.eviction import (
    POLICIES,
    Candidate,
    Levels,
    Limit,
    level_after,
    victims,
)
from nbcache.storage.folder import Folder
from nbcache.storage.history import History, Use
from nbcache.storage.index import Index, Row
from nbcache.storage.leases import Leases
from nbcache.storage.locks import exclusive
from nbcache.storage.removal import remove

__all__ = ["Room"]

TARGET = 0.9
"""To how much of its limit a store is cut that has passed it."""

LOOK_AFTER_S = 60.0
LOOK_AFTER = 0.01
"""How much of the limit a process adds before it looks what others added."""


@dataclass
class Room:
    """The limit of a store.

    Parameters
    ----------
    place, index, history, leases
        Of the store.
    max_bytes : int or None
        None: no limit.
    policy : str
        Of `eviction.POLICIES`.
    sums : callable () -> (int, int)
        Gives number and bytes of all entries, from an index that is right.
    forget : callable (entries)
        Drops what else there is of entries that are gone.
    """

    place: Folder
    index: Index
    history: History
    leases: Leases
    max_bytes: int | None
    policy: str
    sums: Callable[[], tuple[int, int]]
    forget: Callable[[Iterable[Entry]], object]
    _known: int | None = None
    _added: int = 0
    _looked: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def added(self, size: int) -> None:
        """Note that an entry was stored; make room if the limit is passed.

        Notes
        -----
        Costs a look at the index when this process begins to store, once in a while
        after that, and an eviction once in a tenth of the limit.
        """
        if self.max_bytes is None or POLICIES[self.policy] is None:
            return
        self._added += size
        # who finds it taken has another thread that makes room
        if not self._is_due(self.max_bytes) or not self._lock.acquire(blocking=False):
            return
        try:
            self._looked, self._added = time.monotonic(), 0
            self._known = self.sums()[1]
            if self._known > self.max_bytes:
                self._known -= self._make(self.max_bytes)
        except (OSError, sqlite3.Error, LookupError, TypeError, ValueError):
            self._known = 0  # no index, no eviction; looked at again in a while
        finally:
            self._lock.release()

    @property
    def gc_policy(self) -> str:
        """The policy when the user asks for room: `none` says what nobody asked for."""
        return "greedy-dual-size" if POLICIES[self.policy] is None else self.policy

    def _is_due(self, limit: int) -> bool:
        if self._known is None or time.monotonic() - self._looked > LOOK_AFTER_S:
            return True
        # a store that is too large, of what may not go, is not looked at each time
        is_passed = self._known <= limit < self._known + self._added
        return is_passed or self._added > LOOK_AFTER * limit

    def _make(self, limit: int) -> int:
        """Evict; give how many bytes went: 0 where somebody else is at it."""
        with exclusive(self.place.evictor_lock) as is_mine:
            if not is_mine:
                return 0
            chosen = victims(
                self.candidates(self.index.short_rows()),
                Limit(limit, int(TARGET * limit)),
                now=time.time(),
                policy=self.policy,
                levels=self.levels(),
            )
            return self.evict(chosen)

    def candidates(
        self, rows: Iterable[Row], stale: Iterable[str] = ()
    ) -> list[Candidate]:
        """Give entries as the choice needs them.

        Parameters
        ----------
        rows : iterable of Row
            Of the entries.
        stale : iterable of str
            Keys of those that a look-up today would not take.
        """
        uses: dict[str, Use] = {}
        pins: set[str] = set()
        with suppress(OSError, sqlite3.Error):
            uses, pins = self.history.uses(), self.history.pins()
        known = _Known(uses, pins, self.leases.held(), set(stale))
        return [known.candidate(row) for row in rows]

    def levels(self) -> Levels:
        """Give the levels so far; none where they cannot be read."""
        try:
            return self.history.levels()
        except (OSError, sqlite3.Error):
            return ()

    def evict(self, chosen: Iterable[tuple[Candidate, float]]) -> int:
        """Remove what was chosen, and let the rest age; give the bytes that went."""
        ranked = {one.file: (one, rank) for one, rank in chosen}
        gone = remove(self.place, ranked)
        if not gone:
            return 0
        entries = self.index.of_files(gone)
        self.index.remove(gone)
        self.forget(entries)
        went = [ranked[file] for file in gone]
        if self.policy == "greedy-dual-size":
            level = level_after(self.levels(), went, time.time())
            if level is not None:
                self.history.note_level(level)
        return sum(one.bytes for one, _ in went)


@dataclass(frozen=True)
class _Known:
    uses: dict[str, Use]
    pins: set[str]
    held: set[str]
    stale: set[str]

    def candidate(self, row: Row) -> Candidate:
        use = self.uses.get(row.key)
        return Candidate(
            row.file,
            row.key,
            row.bytes,
            row.seconds,
            row.created,
            used=use.last if use else 0.0,
            pinned=row.key in self.pins
            or stored_text(row.name) in self.pins
            # nobody here could compute it again
            or row.kind == IMPORTED,
            leased=row.file in self.held,
            stale=row.key in self.stale,
        )
