"""Garbage collection: what nobody will ask for again goes, then what is worth least."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from nbcache import durations, info, sizes
from nbcache.cache import Core
from nbcache.states import CURRENT, by_key
from nbcache.storage.entry import IMPORTED, METRIC, Entry
from nbcache.storage.eviction import YOUNG_S, Limit, victims
from nbcache.storage.index import Row
from nbcache.storage.locks import exclusive
from nbcache.storage.removal import not_a_store
from nbcache.storage.sweeping import Swept, sweep
from nbcache.superseded import old_versions

__all__ = ["Collected", "Wanted", "collect"]

FAILURES_S = 30 * 86400.0
"""How long the failure of a call is kept."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be collected.

    Parameters
    ----------
    max_bytes : int, optional
        What all entries may have together; None: no limit.
    max_age_s : float, optional
        s; what was neither stored nor used since then goes.
    keep : int, optional
        Versions of the code of a name that stay; 0: all.  None: of cells, as the
        setting says.
    tag : str
        Only entries with it go; '': any.
    dry_run : bool
        Say it only.
    """

    max_bytes: int | None = None
    max_age_s: float | None = None
    keep: int | None = None
    tag: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Collected:
    """What went, or would, and why.

    Parameters
    ----------
    gone : tuple of (Entry, str)
        In the order in which they went, each with the reason.
    entries, bytes : int
        What stays.
    swept : Swept
        What the dead had left.
    remark : str
        Why more stays than was asked for; '' if it does not.
    busy : bool
        Whether another process was at it, so that nothing was done.
    """

    gone: tuple[tuple[Entry, str], ...] = ()
    entries: int = 0
    bytes: int = 0
    swept: Swept = field(default_factory=Swept)
    remark: str = ""
    busy: bool = False
    dry_run: bool = False

    def __str__(self) -> str:
        """Say it in lines: what went by name and reason, and what stays."""
        if self.busy:
            return "another process is making room in this store: nothing was done"
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        groups: Counter[tuple[str, str]] = Counter()
        number: Counter[tuple[str, str]] = Counter()
        for entry, why in self.gone:
            groups[entry.name, why] += entry.bytes
            number[entry.name, why] += 1
        verb = "would remove" if self.dry_run else "removed"
        for (name, why), size in groups.items():
            count = _entries(number[name, why])
            yield f"{verb} {count} of {name!r} ({sizes.text(size)}): {why}"
        if self.swept:
            yield (
                f"swept {self.swept.temporaries} temporary, {self.swept.locks} lock, "
                f"{self.swept.damaged} damaged files ({sizes.text(self.swept.bytes)})"
            )
        if self.remark:
            yield self.remark
        total = sum(entry.bytes for entry, _ in self.gone)
        yield (
            f"{verb} {_entries(len(self.gone))} ({sizes.text(total)}); "
            f"{_entries(self.entries)} ({sizes.text(self.bytes)}) stay"
        )


def collect(core: Core, wanted: Wanted) -> Collected:
    """Remove what is not worth keeping.

    Raises
    ------
    OSError
        The folder cannot be written, or is not a store.

    Notes
    -----
    First what is expired, failures of more than 30 days ago, versions of code beyond
    those to keep, and what was not used for too long; then, while there is more than
    the limit, what is stale, then what the policy of the store says.  Pinned entries
    stay, and for the limit those of the last 10 minutes as well; what was imported
    from other packages, too: nothing here could compute it again.
    """
    store = core.store
    if not store.place.entries.exists():
        return Collected(dry_run=wanted.dry_run)
    if not store.place.is_ours():
        raise not_a_store(store.place)
    if wanted.dry_run:
        return _planned(core, wanted)
    with exclusive(store.place.evictor_lock) as is_mine:
        if not is_mine:
            return Collected(busy=True)
        plan = _planned(core, wanted)
        store.delete(entry for entry, _ in plan.gone)
        return replace(plan, swept=sweep(store.place))


def _planned(core: Core, wanted: Wanted) -> Collected:
    known = core.store.entries()
    state = by_key(known)
    free = {entry.file for entry in core.store.unpinned(known)}
    reasons = {
        entry.file: why
        for entry, why in _unwanted(core, wanted, known, state)
        if entry.file in free
    }
    left = [entry for entry in known if entry.file not in reasons]
    if wanted.max_bytes is not None:
        reasons |= _over_limit(core, wanted, left, state)
    by_file = {entry.file: entry for entry in known}
    stays = [entry for entry in known if entry.file not in reasons]
    size = sum(entry.bytes for entry in stays)
    return Collected(
        gone=tuple((by_file[file], why) for file, why in reasons.items()),
        entries=len(stays),
        bytes=size,
        remark=_remark(size, wanted.max_bytes),
        dry_run=wanted.dry_run,
    )


def _unwanted(
    core: Core, wanted: Wanted, known: list[Entry], state: Mapping[str, str]
) -> Iterator[tuple[Entry, str]]:
    """Give what goes whatever the limit; newest first, as listed."""
    uses = {}
    with suppress(OSError, sqlite3.Error):
        uses = core.store.history.uses()
    now = time.time()
    old = {entry.file for entry in _old(core, wanted, known)}
    for entry in known:
        if wanted.tag and wanted.tag not in entry.tags:
            continue
        use = uses.get(entry.key)
        idle = now - max(entry.created, use.last if use else 0.0)
        if state[entry.key] == "expired":
            yield entry, "expired"
        elif state[entry.key] == "failure" and now - entry.created > FAILURES_S:
            yield entry, f"a failure of more than {durations.text(FAILURES_S)} ago"
        elif entry.file in old:
            yield entry, "superseded: its code has newer versions"
        elif entry.kind == IMPORTED:
            continue  # as old as it was elsewhere, and nothing here computes it again
        elif wanted.max_age_s is not None and idle > wanted.max_age_s:
            yield entry, f"not used for {durations.text(wanted.max_age_s)}"


def _old(core: Core, wanted: Wanted, known: list[Entry]) -> Iterator[Entry]:
    """Give the entries of superseded code beyond what is kept."""
    kinds = ("cell",) if wanted.keep is None else ("cell", "function", METRIC)
    keep = core.settings.keep if wanted.keep is None else wanted.keep
    if not keep:
        return
    named: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in known:
        place = entry.kind, entry.name, entry.notebook
        named.setdefault(place, []).append(entry)
    for (kind, _, notebook), entries in named.items():
        if kind in kinds:
            yield from old_versions(entries, notebook, keep, kind)


def _over_limit(
    core: Core, wanted: Wanted, left: list[Entry], state: Mapping[str, str]
) -> dict[str, str]:
    """Give why each file goes for which there is no room."""
    assert wanted.max_bytes is not None
    room = core.store.room
    stays = {entry.file: entry for entry in left}
    stale = [key for key, told in state.items() if told != CURRENT]
    candidates = [
        replace(one, pinned=one.pinned or not _is_tagged(stays[one.file], wanted.tag))
        for one in room.candidates(map(_row, left), stale)
    ]
    chosen = victims(
        candidates,
        Limit(wanted.max_bytes, wanted.max_bytes),
        now=time.time(),
        policy=room.gc_policy,
        levels=room.levels(),
    )
    return {
        one.file: f"over the limit of {sizes.text(wanted.max_bytes)}, "
        + (state[one.key] if one.stale else "worth least")
        for one, _ in chosen
    }


def _row(entry: Entry) -> Row:
    return Row(
        *(entry.file, entry.key, entry.name),
        *(entry.bytes, entry.seconds, entry.created),
        kind=entry.kind,
    )


def _is_tagged(entry: Entry, tag: str) -> bool:
    return not tag or tag in entry.tags


def _remark(size: int, limit: int | None) -> str:
    if limit is None or size <= limit:
        return ""
    return (
        f"more than {sizes.text(limit)} stays: pinned entries, imported ones, those of "
        f"the last {durations.text(YOUNG_S)}, and those in use"
    )


def _entries(count: int) -> str:
    return info.counted(count)
