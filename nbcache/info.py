"""What is in a cache, as plain rows and totals, and as a DataFrame."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from nbcache import sizes
from nbcache.cache import Core
from nbcache.errors import UnknownName
from nbcache.outcome import NOT_WORTH_IT, Outcome, outcomes
from nbcache.states import states
from nbcache.storage import rows as listed
from nbcache.storage.entry import IMPORTED, Entry
from nbcache.storage.history import Use
from nbcache.storage.listing import Listing
from nbcache.wording import near

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Totals",
    "all_totals",
    "amount_text",
    "bytes_text",
    "entry_text",
    "fitting",
    "frame",
    "imported_as",
    "matching",
    "notice",
    "origin_text",
    "printable",
    "rows",
    "seconds_text",
    "table_text",
    "totals",
    "unknown",
    "when_text",
]


def rows(core: Core, name: str | None = None) -> list[dict[str, Any]]:
    """Give the entries of a cache as plain rows (`storage.rows`), newest first."""
    store = core.store
    listing = store.listing() if name is None else Listing.of(store.by_name(name))
    return listed.rows(listing, _uses(core), states(listing), store.pins())


def _uses(core: Core) -> dict[str, Use]:
    try:
        return core.store.history.uses()
    except (OSError, sqlite3.Error):
        return {}


def frame(core: Core) -> pd.DataFrame:
    """Give the entries of a cache as a DataFrame, newest first, key as index.

    Returns
    -------
    DataFrame
        Columns of `storage.rows.COLUMNS`; size in bytes, cost and saved in s,
        created and last_hit as local times.
    """
    import pandas as pd

    listing = core.store.listing()
    told = _uses(core), states(listing), core.store.pins()
    values: dict[str, Any] = {**listed.columns(listing, *told)}
    for name in ("name", "kind", "variables", "tags", "notebook"):
        # each text is made one of pandas' once
        texts = pd.Series([getattr(one, name) for one in listing.alike], dtype=str)
        values[name] = texts.array.take(listing.places)
    values |= {"size": listing.bytes, "cost": listing.seconds}
    values["created"] = listing.created
    table = pd.DataFrame({name: values[name] for name in listed.COLUMNS})
    for column in ("created", "last_hit"):
        seconds = table[column].astype(float).where(table[column].astype(float) > 0)
        stamps = pd.to_datetime(seconds, unit="s", utc=True)
        offset = time.localtime().tm_gmtoff
        table[column] = (stamps + pd.Timedelta(seconds=offset)).dt.tz_localize(None)
    return table.set_index("key")


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a cache: entries, bytes, hits, s saved."""

    entries: int
    bytes: int
    hits: int
    saved: float

    def __str__(self) -> str:
        """Say it in one line."""
        count = counted(self.entries)
        hits = f"{self.hits} hit{'' if self.hits == 1 else 's'}"
        saved = seconds_text(self.saved)
        return f"{count}, {bytes_text(self.bytes)} on disk, {hits}, {saved} saved"


def totals(table: Iterable[dict[str, Any]]) -> Totals:
    """Sum up rows."""
    found = list(table)
    return Totals(
        len(found),
        sum(one["size"] for one in found),
        sum(one["hits"] for one in found),
        sum(one["saved"] for one in found),
    )


def all_totals(core: Core) -> Totals:
    """Give the totals of a cache without listing it; hits of deleted entries count."""
    count, size = core.store.sums()
    try:
        hits, saved = core.store.history.sums()
    except (OSError, sqlite3.Error):
        hits, saved = 0, 0.0
    return Totals(count, size, hits, saved)


def matching(core: Core, names: Iterable[str]) -> list[Entry]:
    """Give the entries with one of some names (globs allowed) or keys.

    Raises
    ------
    UnknownName
        Nothing has one of the names; the text offers near matches.
    """
    entries = core.store.entries()
    found: dict[str, Entry] = {}
    for name in names:
        fit = set(fitting({entry.name for entry in entries}, name))
        chosen = [entry for entry in entries if entry.name in fit or entry.key == name]
        chosen = chosen or imported_as(entries, name)
        if not chosen:
            raise unknown(name, {entry.name for entry in entries})
        found.update((entry.file, entry) for entry in chosen)
    return list(found.values())


def imported_as(entries: Iterable[Entry], wanted: str) -> list[Entry]:
    """Give what was imported under an id that it had elsewhere.

    Raises
    ------
    UnknownName
        Results of several names had it.
    """
    found = [one for one in entries if one.origin.get("id") == wanted]
    names = sorted({one.name for one in found})
    if len(names) > 1:
        there = ", ".join(names[:5]) + ", …" * (len(names) > 5)
        raise UnknownName(f"several imported results were {wanted!r}: {there}", wanted)
    return found


def fitting(names: Iterable[str], glob: str) -> list[str]:
    """Give the names that a name or glob means, sorted."""
    return sorted(one for one in names if fnmatchcase(one, glob) or one == glob)


def counted(count: int) -> str:
    """Say how many entries there are."""
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def amount_text(entries: Sequence[Entry]) -> str:
    """Say how many entries there are, and their size."""
    size = bytes_text(sum(entry.bytes for entry in entries))
    return f"{counted(len(entries))} ({size})"


def unknown(name: str, names: Iterable[str]) -> UnknownName:
    """Give the error for a name that nothing has."""
    known = sorted(set(names))
    there = f"nbcache ls lists {len(known)}" if known else "The cache is empty"
    return UnknownName(f"no entry {name!r}.{near(name, known)}  {there}", name)


# --- text


def bytes_text(size: float) -> str:
    """Give a number of bytes with a unit of powers of 1000."""
    return sizes.text(size)


def seconds_text(seconds: float) -> str:
    """Give a duration in s, min or h."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 90:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.2f} s" if seconds >= 0.01 or not seconds else "< 0.01 s"


def when_text(moment: float) -> str:
    """Give a time (s since 1970) as local date and time; '' for never."""
    if not moment:
        return ""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


_SHOWN = ("name", "kind", "variables", "size", "hits", "cost", "created")
_RIGHT = frozenset({"size", "hits", "cost"})


def cells(one: dict[str, Any]) -> dict[str, str]:
    """Give a row as texts, for people."""
    return {
        "key": one["key"],
        "name": printable(one["name"]),
        "kind": printable(one["kind"]),
        "variables": printable(one["variables"]),
        "size": bytes_text(one["size"]),
        "hits": str(one["hits"]),
        "cost": seconds_text(one["cost"]),
        "saved": seconds_text(one["saved"]),
        "created": when_text(one["created"]),
        "pinned": "pinned" if one.get("pinned") else "",
    }


def table_text(table: list[dict[str, Any]]) -> str:
    """Give rows as an aligned text table with the totals below."""
    if not table:
        return "the cache is empty"
    texts = [cells(one) for one in table]
    shown = [*_SHOWN, "pinned"] if any(text["pinned"] for text in texts) else _SHOWN
    widths = {
        name: min(40, max(len(name), *(len(text[name]) for text in texts)))
        for name in shown
    }
    lines = [_line({name: name for name in shown}, widths)]
    lines += [_line(text, widths) for text in texts]
    return "\n".join([*lines, str(totals(table))])


def _line(text: dict[str, str], widths: dict[str, int]) -> str:
    shown = []
    for name, width in widths.items():
        cut = text[name] if len(text[name]) <= width else text[name][: width - 1] + "…"
        shown.append(cut.rjust(width) if name in _RIGHT else cut.ljust(width))
    return "  ".join(shown).rstrip()


def entry_text(core: Core, entry: Entry) -> str:
    """Tell all about an entry that is known without decoding a value."""
    use = _uses(core).get(entry.key) or Use()
    lines = [
        f"{entry.name}  ({entry.kind})",
        f"  key       {entry.key}",
        f"  file      {entry.file}, {bytes_text(entry.bytes)}",
        f"  created   {when_text(entry.created)}",
        *_provenance(entry),
        f"  hits      {use.hits}, {seconds_text(use.saved)} saved",
    ]
    if not core.store.unpinned([entry]):
        lines.append("  pinned    stays, whatever has to go")
    if entry.notebook:
        lines.append(f"  notebook  {entry.notebook}")
    for name, kind, size in entry.variables:
        told = f", {bytes_text(size)}" if size else ""
        lines.append(f"  holds     {name}: {kind}{told}")
    if entry.pickled:
        lines.append(f"  pickled   {', '.join(entry.pickled)}")
    if entry.adopted:
        lines.append(f"  adopted   for edited code {when_text(entry.adopted)}")
    for label, _, summary, *_ in entry.parts:
        lines.append(f"  depends   {label}{': ' + summary if summary else ''}")
    versions = ", ".join(f"{name} {number}" for name, number in entry.packages.items())
    if versions:
        lines.append(f"  versions  {versions}")
    return "\n".join(map(printable, lines))


def _provenance(entry: Entry) -> Iterator[str]:
    if entry.kind == IMPORTED:
        yield f"  imported  {origin_text(entry)}"
    if entry.kind != IMPORTED or entry.seconds:
        yield f"  computed  in {seconds_text(entry.seconds)}"


def origin_text(entry: Entry) -> str:
    """Say where an imported entry came from."""
    origin = entry.origin
    return f"of {origin.get('format')}, {origin.get('id')!r} in {origin.get('file')}"


def printable(text: str) -> str:
    """Give a text in which nothing steers a terminal: entries may be of others."""
    return "".join(one if one.isprintable() else "?" for one in text)


# --- notices

WORTH_SAYING_S = 1.0


def notice(verbosity: str) -> str:
    """Give the line for the latest outcome; '' if there is nothing to say."""
    if not outcomes:
        return ""
    last = outcomes[-1]
    return _full(last) if verbosity == "full" else _brief(last)


def _brief(outcome: Outcome) -> str:
    """Say it without figures that vary: they would spoil comparisons of notebooks."""
    if outcome.hit:
        return f"{outcome.name!r} from the cache"
    if outcome.is_not_worth_it:
        return f"stored {outcome.name!r}, but {NOT_WORTH_IT}"
    if outcome.stored and outcome.seconds > WORTH_SAYING_S:
        return f"stored {outcome.name!r} ({', '.join(outcome.variables)})"
    return ""


def _full(outcome: Outcome) -> str:
    names = ", ".join(outcome.variables) or "no names"
    size = bytes_text(outcome.bytes)
    if outcome.hit:
        return (
            f"{outcome.name!r} from the cache: {names} ({size}) in "
            f"{seconds_text(outcome.seconds)}, saved "
            f"{seconds_text(outcome.saved)}, stored "
            f"{when_text(outcome.created)}"
        )
    why = ", ".join(outcome.changes) or _REASONS.get(outcome.reason, outcome.reason)
    ran = "ran" if outcome.reason == "new" else "runs again"
    kept = f"stored {names} ({size})" if outcome.stored else "not stored"
    took = seconds_text(outcome.seconds)
    worth = f", but {NOT_WORTH_IT}" if outcome.is_not_worth_it else ""
    return f"{outcome.name!r} {ran}: {why}; {took}, {kept}{worth}"


_REASONS = {
    "new": "first run",
    "refreshed": "a refresh was asked for",
    "disabled": "reading was switched off",
    "damaged": "its entry is damaged",
    "evicted": "its entry was deleted",
    "expired": "its entry is too old",
    "invalid": "validate refused its entry",
    "input": "it has no key",
}
