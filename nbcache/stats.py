"""What a cache was worth so far: hits, misses by reason, seconds, bytes, by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nbcache import info
from nbcache.cache import Core
from nbcache.storage.database import stored_text
from nbcache.storage.history import HIT, Tally

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Sum", "frame", "summed", "sums", "text", "to_json"]


@dataclass(frozen=True, slots=True)
class Sum:
    """What became of all requests of a name, since the store was made.

    Parameters
    ----------
    misses : dict of str to int
        By reason, see `outcome.Miss`.
    computed, saved : float
        s that misses took to compute, and that hits spared.
    bytes, entries : int
        What is stored of it now.
    """

    name: str
    hits: int = 0
    misses: Mapping[str, int] = field(default_factory=dict)
    computed: float = 0.0
    saved: float = 0.0
    bytes: int = 0
    entries: int = 0

    @property
    def missed(self) -> int:
        """How many misses there were, for whatever reason."""
        return sum(self.misses.values())

    def and_(self, tally: Tally) -> Sum:
        """Give this sum with what was counted of one kind of outcome."""
        if tally.what == HIT:
            return replace(
                self, hits=self.hits + tally.count, saved=self.saved + tally.saved
            )
        count = self.misses.get(tally.what, 0) + tally.count
        return replace(
            self,
            misses={**self.misses, tally.what: count},
            computed=self.computed + tally.seconds,
        )


def sums(core: Core) -> list[Sum]:
    """Give the sums by name, most seconds saved first.

    Notes
    -----
    Names of the past stand there as well; where the statistics were lost, only what is
    stored does.
    """
    found: dict[str, Sum] = {}
    try:
        tallies = core.store.history.tallies()
    except (OSError, sqlite3.Error):
        tallies = []
    for tally in tallies:
        found[tally.name] = found.get(tally.name, Sum(tally.name)).and_(tally)
    for entry in core.store.entries():
        name = stored_text(entry.name)
        one = found.get(name, Sum(name))
        found[name] = replace(
            one, bytes=one.bytes + entry.bytes, entries=one.entries + 1
        )
    return sorted(found.values(), key=lambda one: (-one.saved, one.name))


def summed(found: Iterable[Sum]) -> Sum:
    """Give the sum of all names, under the name ''."""
    total = Sum("")
    for one in found:
        misses = dict(total.misses)
        for reason, count in one.misses.items():
            misses[reason] = misses.get(reason, 0) + count
        total = Sum(
            "",
            total.hits + one.hits,
            misses,
            total.computed + one.computed,
            total.saved + one.saved,
            total.bytes + one.bytes,
            total.entries + one.entries,
        )
    return total


def frame(core: Core) -> pd.DataFrame:
    """Give the sums as a DataFrame, name as index.

    Returns
    -------
    DataFrame
        hits, misses, computed and saved in s, bytes, entries, and for each reason that
        ever was ``missed: <reason>``.
    """
    import pandas as pd

    found = sums(core)
    reasons = sorted(summed(found).misses)
    rows = [
        {
            "name": one.name,
            "hits": one.hits,
            "misses": one.missed,
            "computed": one.computed,
            "saved": one.saved,
            "bytes": one.bytes,
            "entries": one.entries,
            **{f"missed: {reason}": one.misses.get(reason, 0) for reason in reasons},
        }
        for one in found
    ]
    columns = ["name", "hits", "misses", "computed", "saved", "bytes", "entries"]
    columns += [f"missed: {reason}" for reason in reasons]
    return pd.DataFrame(rows, columns=columns).set_index("name")


def to_json(core: Core) -> dict[str, Any]:
    """Give the sums as plain data: ``total``, and ``names`` as a list."""
    found = sums(core)
    plain = {"total": _plain(summed(found)), "names": [_plain(one) for one in found]}
    shared = core.store.shared_with()
    if shared is None:
        return plain
    return {**plain, "remote": {"url": shared.url, "conditional": shared.conditional}}


def _plain(one: Sum) -> dict[str, Any]:
    plain = {
        "hits": one.hits,
        "misses": dict(one.misses),
        "computed": one.computed,
        "saved": one.saved,
        "bytes": one.bytes,
        "entries": one.entries,
    }
    return {"name": one.name, **plain} if one.name else plain


_HEAD = ("name", "hits", "misses", "computed", "saved", "size", "misses by reason")
_RIGHT = range(1, 6)


def text(core: Core) -> str:
    """Give the sums as an aligned table, all of them in the last line."""
    shared = core.store.shared_with()
    told = [] if shared is None else [str(shared)]
    return "\n".join([_table(core), *told])


def _table(core: Core) -> str:
    found = sums(core)
    if not found:
        return "nothing was asked for yet"
    rows = [_cells(one) for one in found]
    rows.append(_cells(replace(summed(found), name="in all")))
    widths = [max(map(len, column)) for column in zip(_HEAD, *rows, strict=True)]
    return "\n".join(_lines([_HEAD, *rows], widths))


def _cells(one: Sum) -> tuple[str, ...]:
    reasons = sorted(one.misses.items(), key=lambda pair: (-pair[1], pair[0]))
    return (
        _short(one.name),
        str(one.hits),
        str(one.missed),
        info.seconds_text(one.computed),
        info.seconds_text(one.saved),
        info.bytes_text(one.bytes),
        ", ".join(f"{count} {reason}" for reason, count in reasons),
    )


def _short(name: str) -> str:
    name = info.printable(name)
    return name if len(name) <= 40 else f"{name[:39]}…"


def _lines(rows: list[tuple[str, ...]], widths: list[int]) -> Iterator[str]:
    for row in rows:
        aligned = [
            cell.rjust(width) if place in _RIGHT else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(aligned).rstrip()
