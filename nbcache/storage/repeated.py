"""Hits of an entry again and again: noted in no time, counted when written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Repeated", "RepeatedHits", "Use"]


@dataclass(frozen=True, slots=True)
class Use:
    """How often an entry was a hit, the seconds that saved, and when it last was."""

    hits: int = 0
    saved: float = 0.0
    last: float = 0.0

    def and_again(self, saved: float, when: float) -> Use:
        """Give this use with one more hit."""
        return Use(self.hits + 1, self.saved + saved, max(self.last, when))


class Repeated(Protocol):
    """An outcome, of which plain data is made when it is written."""

    @property
    def name(self) -> str:
        """The user's handle."""

    @property
    def key(self) -> str | None:
        """That of the entry."""

    @property
    def saved(self) -> float:
        """Give the s that it saved."""

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Several hits of one entry, by one name.

    Parameters
    ----------
    times : int
        How many.
    saved, mean : float
        s that all of them saved, and s that one took on average.
    when : float
        s since 1970 of the last one, of which the outcome is.
    """

    key: str
    name: str
    notebook: str
    times: int
    saved: float
    mean: float
    when: float
    outcome: dict[str, Any]


class RepeatedHits:
    """Notes of hits, appended without a lock."""

    def __init__(self) -> None:
        self._noted: deque[tuple[Repeated, float, str, float]] = deque()

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, told: Repeated, seconds: float, notebook: str) -> None:
        """Note one like an earlier one, whose outcome is told, that took some s."""
        self._noted.append((told, seconds, notebook, time.time()))

    def taken(self) -> Iterator[Hits]:
        """Give all that were noted, and forget them; not in two threads at once."""
        alike: dict[tuple[int, str], list[tuple[Repeated, float, float]]] = {}
        for _ in range(len(self._noted)):
            told, seconds, notebook, when = self._noted.popleft()
            alike.setdefault((id(told), notebook), []).append((told, seconds, when))
        for (_, notebook), rows in alike.items():
            told, seconds, when = rows[-1]
            yield Hits(
                key=str(told.key),
                name=told.name,
                notebook=notebook,
                times=len(rows),
                saved=len(rows) * told.saved,
                mean=sum(took for _, took, _ in rows) / len(rows),
                when=when,
                outcome={**told.to_json(), "seconds": seconds},
            )
