"""What came of the faults that a campaign injected."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self

__all__ = ["BAD", "Tally"]

BAD = ("wrong", "raised", "hung", "lost", "litter", "swallowed", "extra")
MOST_TOLD = 30


@dataclass
class Tally:
    """Counts of faults and of what must not come of them.

    Parameters
    ----------
    injected : int
        Faults.
    wrong, raised, hung : int
        Calls that gave another value, an error, or nothing in time.
    lost : int
        Acknowledged entries that had to be computed again.
    litter : int
        Files that stayed after the sweep.
    swallowed : int
        Interrupts that did not reach the user.
    extra : int
        Computations more than there were keys.
    told : list of str
        The first of them in words.
    """

    injected: int = 0
    wrong: int = 0
    raised: int = 0
    hung: int = 0
    lost: int = 0
    litter: int = 0
    swallowed: int = 0
    extra: int = 0
    told: list[str] = field(default_factory=list)

    def note(self, kind: str, what: object, count: int = 1) -> None:
        """Count something that must not be."""
        setattr(self, kind, getattr(self, kind) + count)
        if len(self.told) < MOST_TOLD:
            self.told.append(f"{kind}: {what}")

    @property
    def bad(self) -> int:
        """How much there was that must not be."""
        return sum(getattr(self, kind) for kind in BAD)

    def add(self, other: Tally) -> None:
        """Take in the counts of another campaign."""
        self.injected += other.injected
        for kind in BAD:
            setattr(self, kind, getattr(self, kind) + getattr(other, kind))
        self.told += other.told

    def __str__(self) -> str:
        """Give the counts in one line, those that are always of interest first."""
        shown = [f"{self.injected} injected"]
        shown += [
            f"{getattr(self, kind)} {kind}"
            for kind in BAD
            if kind in BAD[:5] or getattr(self, kind)
        ]
        return ", ".join(shown)

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """Read it back."""
        return cls(**plain)
