"""Which entries go when a store is full: pure functions of what is known of them.

References
----------
GreedyDual-Size: P. Cao, S. Irani, "Cost-aware WWW proxy caching algorithms", USENIX
Symposium on Internet Technologies and Systems, 1997.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["POLICIES", "Candidate", "Levels", "Limit", "level_after", "victims"]

YOUNG_S = 600.0
"""What was stored since then never goes."""

RECENT_S = 3600.0
"""What was used since then goes only if the store is much too large."""

MUCH = 1.1
"""How much of the limit is much too large."""

Levels = Sequence[tuple[float, float]]
"""When the evictor's level rose (s since 1970), and to what; oldest first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the choice needs to know of an entry.

    Parameters
    ----------
    seconds : float
        s that computing it took.
    created, used : float
        s since 1970; used is 0 if it never was a hit.
    pinned, leased : bool
        Whether the user wants it to stay, or nothing here could compute it again;
        whether a process holds arrays of it.
    stale : bool
        Whether a look-up today would not take it.
    """

    file: str
    key: str
    bytes: int
    seconds: float
    created: float
    used: float = 0.0
    pinned: bool = False
    leased: bool = False
    stale: bool = False

    @property
    def touched(self) -> float:
        """When it was stored or last used."""
        return max(self.created, self.used)


@dataclass(frozen=True, slots=True)
class Limit:
    """How large a store may be, and how small it is made when it is larger.

    Parameters
    ----------
    bytes : int
        What it may have.
    target : int
        What is aimed at, so that not every later entry drives out another.
    """

    bytes: int
    target: int


def _greedy_dual_size(one: Candidate, levels: Levels) -> float:
    """Give s to recompute a byte, raised by the level when it was last touched.

    The level is that of the last entry that had to go: who was not used for long stays
    behind, however costly.
    """
    count = bisect_right(levels, (one.touched, float("inf")))
    level = levels[count - 1][1] if count else 0.0
    return level + one.seconds / max(one.bytes, 1)


def _lru(one: Candidate, _levels: Levels) -> float:
    return one.touched


Priority = Callable[[Candidate, Levels], float]

POLICIES: dict[str, Priority | None] = {
    "greedy-dual-size": _greedy_dual_size,
    "lru": _lru,
    "none": None,
}
"""What gives an entry's priority, by name; the lowest goes first. None: all stay."""


def victims(
    candidates: Iterable[Candidate],
    limit: Limit,
    *,
    now: float,
    policy: str = "greedy-dual-size",
    levels: Levels = (),
) -> list[tuple[Candidate, float]]:
    """Choose what goes, with its priority, in the order in which it goes.

    Parameters
    ----------
    candidates : iterable of Candidate
        All entries of the store.
    limit : Limit
        Nothing goes as long as it is kept.
    now : float
        s since 1970.
    policy : str
        Of `POLICIES`.
    levels : sequence of (float, float)
        For ``greedy-dual-size``.

    Notes
    -----
    What is stale goes first.  Pinned entries and those of the last 10 minutes never go.
    Those used in the last hour, and those of which a process holds arrays, go only
    while the store has more than 110 % of the limit.  A young entry that alone passes
    the limit does not count: all others would go for it, in vain.
    """
    priority = POLICIES[policy]
    known = list(candidates)
    left = sum(one.bytes for one in known if not _is_overlarge(one, limit, now))
    if priority is None or left <= limit.bytes:
        return []
    free = [one for one in known if not one.pinned and now - one.created >= YOUNG_S]
    ranked = sorted(
        ((one, priority(one, levels)) for one in free),
        key=lambda pair: (
            not pair[0].stale,
            pair[1],
            pair[0].touched,
            pair[0].file,
        ),
    )
    chosen = []
    for one, rank in ranked:
        if left > limit.target and not _is_in_use(one, now):
            chosen.append((one, rank))
            left -= one.bytes
    for one, rank in sorted(ranked, key=lambda pair: pair[0].leased):
        if left > MUCH * limit.bytes and _is_in_use(one, now):
            chosen.append((one, rank))
            left -= one.bytes
    return chosen


def level_after(
    levels: Levels, gone: Iterable[tuple[Candidate, float]], now: float
) -> float | None:
    """Give the level after some entries went; None if it stays.

    Only those count that went for their own rank, not because they were stale or the
    store was much too large.
    """
    level = levels[-1][1] if levels else 0.0
    ranks = [rank for one, rank in gone if not one.stale and not _is_in_use(one, now)]
    risen = max(ranks, default=level)
    return risen if risen > level else None


def _is_overlarge(one: Candidate, limit: Limit, now: float) -> bool:
    return one.bytes > limit.bytes and now - one.created < YOUNG_S


def _is_in_use(one: Candidate, now: float) -> bool:
    return one.leased or now - one.used < RECENT_S
