"""What became of the last request of a name, and why: the text of ``why NAME``.

All comes from what the history and the entries hold, so it is the same in a process
that has none of the values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from nbcache import explaining, info
from nbcache.cache import Core
from nbcache.keys import origin
from nbcache.outcome import outcomes
from nbcache.storage.entry import IMPORTED, Entry

__all__ = ["why_text"]


def why_text(core: Core, name: str, notebook: str = "") -> str:
    """Tell what became of the last request of a name, and why.

    Parameters
    ----------
    core : Core
        Of the cache.
    name : str
        A cell's or function's; the end of a qualified name if only one has it.
    notebook : str
        Where it is asked: of several notebooks with that name, this one is meant.

    Raises
    ------
    UnknownName
        Nothing of that name was ever asked for.
    """
    known = _outcomes(core)
    entries = core.store.entries()
    names = {*(one["name"] for one in known), *(entry.name for entry in entries)}
    meant = _meant(name, names)
    found = [one for one in known if one["name"] == meant]
    here = [one for one in found if one["notebook"] == notebook]
    own = [entry for entry in entries if entry.name == meant]
    if not found:
        return _without_history(meant, own[0])
    try:
        told = [_told(core, one, own, len(found) > 1) for one in here or found]
    except (TypeError, ValueError, LookupError, AttributeError):
        return f"what is remembered of {meant} is not what nbcache writes"
    return "\n\n".join(told)


def _outcomes(core: Core) -> list[dict[str, Any]]:
    try:
        found = core.store.history.outcomes()
        return [one for one in found if type(one.get("name")) is str]
    except (OSError, sqlite3.Error):
        return []


def _meant(name: str, names: Iterable[str]) -> str:
    """Give the name that is meant.

    Raises
    ------
    UnknownName
        There is none, or more than one.
    """
    there = set(names)
    if name in there:
        return name
    ending = [one for one in there if one.endswith(f".{name}")]
    if len(ending) == 1:
        return ending[0]
    raise info.unknown(name, there)


def _without_history(name: str, entry: Entry) -> str:
    stored = info.when_text(entry.created)
    if entry.kind == IMPORTED:
        return f"{name} was imported: {info.origin_text(entry)}, stored there {stored}"
    return f"{name} was stored {stored}; nothing is known of what was asked since"


def _told(core: Core, last: dict[str, Any], own: list[Entry], several: bool) -> str:
    entry = next((one for one in own if one.key == last["key"]), None)
    place = f", in {last['notebook']}" if several and last["notebook"] else ""
    when = f"{info.when_text(last['time'])}, {_process(last)} process{place}"
    rows = _hit(last, entry, when) if last["hit"] else _miss(last, when)
    if entry is not None:
        rows += _conditions(core.store.whole(entry))
    return "\n".join([*rows, *_code(last)])


def _process(last: dict[str, Any]) -> str:
    plain = {name: one for name, one in last.items() if name not in _ADDED}
    mine = (one.to_json() for one in reversed(outcomes) if one.name == last["name"])
    return "this" if any(_same(one, plain) for one in mine) else "an earlier"


_ADDED = ("time", "notebook")


def _same(one: dict[str, Any], plain: dict[str, Any]) -> bool:
    facts = ("key", "hit", "reason", "seconds", "created", "refused")
    return all(one[fact] == plain.get(fact) for fact in facts)


def _hit(last: dict[str, Any], entry: Entry | None, when: str) -> list[str]:
    saved, stored = info.seconds_text(last["saved"]), info.when_text(last["created"])
    rows = [
        f"{last['name']} came from the cache ({when})",
        f"  stored {stored}, {saved} saved",
    ]
    if entry is None:
        return [*rows, "  its entry has been deleted since"]
    now = {name: origin.version(name) for name in entry.packages if name != "python"}
    now = {name: version for name, version in now.items() if version}
    now["python"] = origin.version("sys")
    versions = explaining.changed_versions(entry, now)
    if versions:
        rows += explaining.story_lines({"versions": versions})
    return rows


def _miss(last: dict[str, Any], when: str) -> list[str]:
    reason = _REASONS.get(last["reason"], last["reason"])
    if last["key"] is None:
        reason = "it cannot be looked up"
    took = info.seconds_text(last["seconds"])
    rows = [f"{last['name']} ran ({when}): {reason}"]
    story = last.get("explained") or {}
    if story.get("earlier"):
        _, created, notebook = story["earlier"]
        place = f" in {notebook}" if notebook and notebook != last["notebook"] else ""
        rows.append(
            f"  compared with the entry stored {info.when_text(created)}{place}:"
        )
    if story:
        rows += explaining.story_lines({**story, "diff": ""})
    else:
        rows += [f"  {change}" for change in last["changes"]]
    if last["refused"]:
        rows.append(f"  took {took}, not stored: {last['refused']}")
    elif last["stored"]:
        names = ", ".join(last["variables"]) or "no names"
        rows.append(f"  took {took}, stored {names} ({info.bytes_text(last['bytes'])})")
    else:
        rows.append(f"  took {took}, not stored: nothing is written here now")
    return rows


def _conditions(entry: Entry) -> list[str]:
    """Tell what besides its key an entry holds to, and who vouches for it."""
    rows = []
    if entry.adopted:
        rows.append(f"  adopted for edited code {info.when_text(entry.adopted)}")
    seen = [f"{kind} {name}".strip() for kind, name, *_ in entry.trace]
    if seen:
        more = f" and {len(seen) - 10} more" if len(seen) > 10 else ""
        rows.append(f"  looked at while it ran: {', '.join(seen[:10])}{more}")
    written = [str(name) for _, name, *_ in entry.written]
    if written:
        rows.append(f"  wrote: {', '.join(written[:10])}")
    return rows


def _code(last: dict[str, Any]) -> list[str]:
    diff = (last.get("explained") or {}).get("diff")
    return ["", diff] if diff else []


_REASONS = {
    "new": "first run",
    "code": "the code changed",
    "input": "an input changed",
    "dependency": "something that it uses changed",
    "file": "a file changed",
    "library": "a library changed",
    "expired": "the entry was too old",
    "evicted": "the entry is no longer there",
    "schema": "the entry is of another version of nbcache",
    "damaged": "the entry was damaged",
    "unreadable": "the store could not be read",
    "untrusted": "the entry was written by somebody else",
    "refreshed": "a refresh was asked for",
    "disabled": "reading was switched off",
}
