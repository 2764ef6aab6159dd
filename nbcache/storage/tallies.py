"""Sums of what became of requests, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["HIT", "Tally"]

HIT = "hit"
"""What a tally calls a hit; the others are reasons of misses."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something became of a name: a hit, or a miss for one reason.

    Parameters
    ----------
    seconds : float
        s that restoring (hits) or computing (misses) took.
    saved : float
        s that hits spared.
    bytes : int
        What was read (hits) or stored (misses).
    """

    name: str
    kind: str
    what: str
    count: int = 0
    seconds: float = 0.0
    saved: float = 0.0
    bytes: int = 0

    def and_again(self, outcome: Mapping[str, Any], times: int = 1) -> Tally:
        """Give this tally with one more outcome, or several that are alike."""
        return replace(
            self,
            count=self.count + times,
            seconds=self.seconds + times * float(outcome.get("seconds", 0.0)),
            saved=self.saved + times * float(outcome.get("saved", 0.0)),
            bytes=self.bytes + times * int(outcome.get("bytes", 0)),
        )
