"""What entries cannot tell: uses, seconds saved, the last outcome of each name.

Lost, it loses only that.  A hit is noted in memory and written in batches, so that the
way of a hit writes nothing to the disk.
"""

from __future__ import annotations

import atexit
import json
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nbcache.storage.index import connect, stored_text

__all__ = ["History", "Use"]

FLUSH_AFTER_S = 5.0
FLUSH_AFTER_USES = 256
FLUSH_AFTER_AGAIN = 10_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS uses (
    key TEXT PRIMARY KEY, hits INTEGER NOT NULL, saved REAL NOT NULL,
    last REAL NOT NULL);
CREATE TABLE IF NOT EXISTS outcomes (
    name TEXT NOT NULL, notebook TEXT NOT NULL, time REAL NOT NULL,
    outcome TEXT NOT NULL, PRIMARY KEY (name, notebook));
"""


@dataclass(frozen=True, slots=True)
class Use:
    """How often an entry was a hit, the seconds that saved, and when it last was."""

    hits: int = 0
    saved: float = 0.0
    last: float = 0.0

    def and_again(self, saved: float, when: float) -> Use:
        """Give this use with one more hit."""
        return Use(self.hits + 1, self.saved + saved, max(self.last, when))


class Told(Protocol):
    """An outcome, of which plain data is made when it is written."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str | None: ...
    @property
    def saved(self) -> float: ...

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""


def _flush_if_alive(reference: weakref.ref[History]) -> None:
    history = reference()
    if history is not None:
        history.flush()


class History:
    """Uses and outcomes of one store.

    Parameters
    ----------
    path : Path
        The database file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._uses: dict[str, Use] = {}
        self._outcomes: dict[tuple[str, str], tuple[float, Mapping[str, Any]]] = {}
        self._lock = threading.Lock()
        self._flushed = time.monotonic()
        self._noted = 0
        self._again: deque[tuple[Told, float, str, float]] = deque()
        # a weak reference: the exit hook must not keep stores of the past alive
        atexit.register(_flush_if_alive, weakref.ref(self))

    def note_hit(self, key: str, saved: float) -> None:
        """Count a hit that saved some seconds."""
        with self._lock:
            self._uses[key] = self._uses.get(key, Use()).and_again(saved, time.time())
            self._noted += 1
        self._flush_when_due()

    def note_outcome(
        self, name: str, notebook: str, outcome: Mapping[str, Any]
    ) -> None:
        """Keep the latest outcome of a name."""
        with self._lock:
            self._outcomes[name, notebook] = time.time(), outcome
            self._noted += 1
        self._flush_when_due()

    def note_again(self, told: Told, seconds: float, notebook: str) -> None:
        """Note a repeated hit: no lock, and no more made of it than must be now.

        Parameters
        ----------
        told : Outcome
            Of an earlier hit like it.
        seconds : float
            s that this one took.
        """
        self._again.append((told, seconds, notebook, time.time()))
        due = time.monotonic() - self._flushed > FLUSH_AFTER_S
        if due or len(self._again) > FLUSH_AFTER_AGAIN:
            self.flush()

    def _take_again(self) -> None:
        """Count the repeated hits; of each name, the last is its latest outcome."""
        last: dict[tuple[str, str], tuple[float, Told, float]] = {}
        with self._lock, suppress(IndexError):
            while True:
                told, seconds, notebook, when = self._again.popleft()
                use = self._uses.get(told.key or "", Use())
                self._uses[told.key or ""] = use.and_again(told.saved, when)
                last[told.name, notebook] = when, told, seconds
        for place, (when, told, seconds) in last.items():
            if self._outcomes.get(place, (0.0,))[0] <= when:
                self._outcomes[place] = when, {**told.to_json(), "seconds": seconds}

    def _flush_when_due(self) -> None:
        due = time.monotonic() - self._flushed > FLUSH_AFTER_S
        if due or self._noted > FLUSH_AFTER_USES:
            self.flush()

    def flush(self) -> None:
        """Write what is held in memory; where that fails, it is given up."""
        self._take_again()
        with self._lock:
            uses, self._uses = self._uses, {}
            outcomes, self._outcomes = self._outcomes, {}
            self._noted, self._flushed = 0, time.monotonic()
        if not (uses or outcomes) or not self.path.parent.is_dir():
            return
        # statistics are not worth a warning in somebody's cell
        with suppress(OSError, sqlite3.Error):
            self._write(uses, outcomes)

    def _write(
        self,
        uses: Mapping[str, Use],
        outcomes: Mapping[tuple[str, str], tuple[float, Mapping[str, Any]]],
    ) -> None:
        with connect(self.path, _SCHEMA) as database:
            database.executemany(
                "INSERT INTO uses VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
                "hits = hits + excluded.hits, saved = saved + excluded.saved, "
                "last = max(last, excluded.last)",
                [(key, use.hits, use.saved, use.last) for key, use in uses.items()],
            )
            database.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?)",
                [
                    (stored_text(name), stored_text(notebook), when, json.dumps(told))
                    for (name, notebook), (when, told) in outcomes.items()
                ],
            )

    def uses(self) -> dict[str, Use]:
        """Give the uses of all entries, by key."""
        self.flush()
        if not self.path.exists():
            return {}
        with connect(self.path, _SCHEMA) as database:
            rows = database.execute(
                "SELECT key, hits, saved, last FROM uses"
            ).fetchall()
        return {key: Use(*use) for key, *use in rows}

    def sums(self) -> tuple[int, float]:
        """Give all hits there ever were, and the seconds that they saved."""
        self.flush()
        if not self.path.exists():
            return 0, 0.0
        query = "SELECT coalesce(sum(hits), 0), coalesce(sum(saved), 0.0) FROM uses"
        with connect(self.path, _SCHEMA) as database:
            hits, saved = database.execute(query).fetchone()
        return hits, saved

    def outcomes(self, name: str | None = None) -> list[dict[str, Any]]:
        """Give the last outcomes, newest first; of one name if given."""
        self.flush()
        if not self.path.exists():
            return []
        query, values = "SELECT time, notebook, outcome FROM outcomes", ()
        if name is not None:
            query, values = f"{query} WHERE name = ?", (stored_text(name),)  # type: ignore[assignment]
        with connect(self.path, _SCHEMA) as database:
            rows = database.execute(f"{query} ORDER BY time DESC", values).fetchall()
        return [
            {**json.loads(told), "time": when, "notebook": notebook}
            for when, notebook, told in rows
        ]
