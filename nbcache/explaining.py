"""Why a request was a miss: today's key against the nearest earlier entry.

`explained` compares, `story` makes plain data of what is to be remembered, so that
`why` can tell it in a later process and without the values.  What was asked for last
under each name is held, so that an edit can be adopted (`nbcache.adoption`).
"""

from __future__ import annotations

import platform
import sqlite3
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from nbcache.keys.key import Change, Key
from nbcache.outcome import Miss, Request
from nbcache.storage.described import package_versions
from nbcache.storage.entry import Entry
from nbcache.storage.forking import ForkLock
from nbcache.storage.store import Store

__all__ = [
    "Asked",
    "asked",
    "changed",
    "changed_versions",
    "changes_between",
    "explained",
    "miss_text",
    "settle",
    "story",
    "story_lines",
]

_COMPARED = 20  # entries, the newest of a name
_NAMES = 200  # whose last request is held
_DIFF_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What was last asked for under a name, and missed.

    Parameters
    ----------
    key : Key
        Of that request, with details and without values.
    kind, notebook, slug : str
        As in the request.
    """

    key: Key
    kind: str
    notebook: str
    slug: str


_asked: OrderedDict[tuple[str, str], Asked] = OrderedDict()
_guard = ForkLock()


def asked(store: Store, name: str) -> Asked | None:
    """Give the last request of a name that missed in this process."""
    return _asked.get((str(store.folder), name))


def settle(request: Request) -> None:
    """Describe the parts of a key now: the run may change the values."""
    if not request.private:
        _ = request.key.described


def _key_of(request: Request) -> Key:
    if request.private:
        return request.key.without_summaries()
    return request.key.described


def explained(store: Store, request: Request) -> Miss:
    """Give the miss of a request, with what differs from the nearest earlier entry.

    The nearest entry of the name has the fewest parts that differ; of several, one of
    the same notebook, then the newest.
    """
    key = _key_of(request)
    known = Asked(key, request.kind, request.notebook, request.slug)
    with _guard.lock:
        _asked[str(store.folder), request.name] = known
        _asked.move_to_end((str(store.folder), request.name))
        if len(_asked) > _NAMES:
            _asked.popitem(last=False)
    earlier = _named(store, request.name)
    asked_before = [] if earlier else _remembered(store, request.name)
    earlier = earlier or _reached(store, asked_before)
    entry = _nearest(earlier, request, key)
    if entry is None:
        was_stored = any(one.get("stored") for one in asked_before) and not earlier
        deleted = "its entry was deleted"
        return Miss("evicted", detail=deleted) if was_stored else Miss("new")
    return changed(store.whole(entry), key)


def changed(entry: Entry, key: Key) -> Miss:
    """Give the miss of a request to which an entry of another key is the nearest."""
    changes = changes_between(entry, key)
    if not changes:
        return Miss("new")
    return Miss(_reason(changes), changes, earlier=entry)


def _named(store: Store, name: str) -> list[Entry]:
    try:
        return store.computed(name, limit=_COMPARED)
    except OSError:
        return []


def _remembered(store: Store, name: str) -> list[dict[str, Any]]:
    """Give the last outcomes of a name, one a notebook."""
    try:
        return store.history.outcomes(name)
    except (OSError, sqlite3.Error, ValueError):
        return []


def _reached(store: Store, known: list[dict[str, Any]]) -> list[Entry]:
    """Give entries of other names that were used for this one."""
    try:
        keys = {str(one["key"]) for one in known if one.get("key")}
        return [entry for key in keys for entry in store.by_key(key)]
    except (OSError, sqlite3.Error):
        return []


def _nearest(earlier: list[Entry], request: Request, key: Key) -> Entry | None:
    ranked: list[tuple[int, bool, int]] = []
    now = {part.label: part.digest for part in key.parts}
    for number, entry in enumerate(earlier):
        try:
            # not `Key.differing`: this is done for each entry at each miss
            then = {str(row[0]): str(row[1]) for row in entry.parts}
        except (IndexError, TypeError):
            continue
        differing = [one for one in {**then, **now} if then.get(one) != now.get(one)]
        if differing:
            elsewhere = entry.notebook != request.notebook
            ranked.append((len(differing), elsewhere, number))
    return earlier[min(ranked)[2]] if ranked else None


def changes_between(entry: Entry, key: Key) -> tuple[Change, ...]:
    """Give the changes from a stored entry to a key of today."""
    try:
        changes = Key.from_json(entry.parts).difference(key)
    except (ValueError, TypeError):
        return ()
    before, now = entry.packages.get("python", ""), platform.python_version()
    if not before or before.split(".")[:2] == now.split(".")[:2]:
        return changes
    # all digests of code have Python's version in them: only what is seen to differ
    # is told besides
    seen = tuple(change for change in changes if _is_seen(change))
    return (Change("python", before, now), *seen)


def _is_seen(change: Change) -> bool:
    if change.before is None or change.after is None:
        return True
    return (change.before, change.old) != (change.after, change.new)


_FILES = ("file", "listing", "matches", "tree", "exists", "stat", "wrote")
_INPUTS = ("input", "argument", "env", "attr", "random", "cwd", "folder")
_KINDS = {
    "code": "code",
    "library": "library",
    "python": "library",
    **dict.fromkeys(_FILES, "file"),
    **dict.fromkeys(_INPUTS, "input"),
}
_WEIGHTIEST = ("code", "dependency", "input", "file", "library")


def _reason(changes: tuple[Change, ...]) -> str:
    """Name the kind of change that matters most to the user."""
    kinds = {
        _KINDS.get(change.label.partition(" ")[0], "dependency") for change in changes
    }
    if changes[0].label == "python":
        return "library"
    return next(kind for kind in _WEIGHTIEST if kind in kinds)


# --- what is remembered of it


def story(miss: Miss) -> dict[str, Any]:
    """Give all that is to be told of a miss as plain data.

    Returns
    -------
    dict
        ``changes``: for each the lines of `Change.lines`; ``diff``: of code;
        ``versions``: name, then and now; ``earlier``: key, created and notebook of
        the entry compared with.  Empty without changes.
    """
    try:
        return _story(miss) if miss.changes else {}
    except Exception:
        return {}  # an entry of another version; the result matters more


def _story(miss: Miss) -> dict[str, Any]:
    found: dict[str, Any] = {"changes": [list(one.lines()) for one in miss.changes]}
    entry = miss.earlier
    if entry is not None:
        then = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created))
        diffs = [one.difference(f"stored {then}", "this run") for one in miss.changes]
        found["diff"] = "\n".join(filter(None, diffs))[:_DIFF_CHARACTERS]
        heads = {lines[0].casefold() for lines in found["changes"]}
        found["versions"] = [
            [name, old, new]
            for name, old, new in changed_versions(entry, package_versions())
            if f"{name} {old} → {new}".casefold() not in heads
        ]
        found["earlier"] = [entry.key, entry.created, entry.notebook]
    return found


def changed_versions(entry: Entry, now: dict[str, str]) -> list[list[str]]:
    """Give name, version then and version now of packages that are others now."""
    return [
        [name, then, now[name]]
        for name, then in entry.packages.items()
        if now.get(name, then) != then
    ]


def miss_text(miss: Miss) -> str:
    """Tell a miss in full: every change, and the diff of the code."""
    if not miss.changes:
        return f"miss: {miss}"
    told = story(miss)
    rows = ["miss:", *story_lines(told)]
    return "\n".join(rows)


def story_lines(told: dict[str, Any]) -> list[str]:
    """Give what `story` tells as lines of text."""
    rows = []
    for head, *more in told.get("changes", []):
        rows.append(f"  {head}")
        rows += [f"    {one}" for one in more]
    versions = told.get("versions")
    if versions:
        listed = (f"{name} {then} → {now}" for name, then, now in versions)
        rows.append(f"  versions that differ: {', '.join(listed)}")
    if told.get("diff"):
        rows += ["", *told["diff"].split("\n")]
    return rows
