"""Take an entry over for edited code: ``%nbcache adopt NAME``.

For an edit that the user knows to be harmless.  The entry that stood before the edit
is signed anew under the key of today, with its values as they are, and marked.
"""

from __future__ import annotations

import ast
import textwrap
import time
from dataclasses import dataclass, replace
from typing import Any

from nbcache import explaining, info
from nbcache.cache import Core
from nbcache.errors import NotCached
from nbcache.explaining import Asked
from nbcache.keys import flow
from nbcache.keys.key import Change, Key
from nbcache.storage.entry import IMPORTED, Entry
from nbcache.storage.store import Content
from nbcache.trace.observed import Observed, entry_key

__all__ = ["Proposal", "adopt", "propose"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry that could be taken over.

    Parameters
    ----------
    entry : Entry
        The one that stands.
    asked : Asked
        What was asked for with the edited code.
    changes : tuple of Change
        From the one to the other: of code alone.
    """

    entry: Entry
    asked: Asked
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        """Show what would be agreed to."""
        then = f"stored {info.when_text(self.entry.created)}"
        rows = [f"{self.entry.name}, {then}, for today's code:"]
        rows += [f"  {change}" for change in self.changes]
        diffs = [change.difference(then, "edited") for change in self.changes]
        return "\n".join([*rows, *(diff for diff in diffs if diff)])


def propose(core: Core, name: str, notebook: str = "") -> Proposal:
    """Give the entry of a name that only an edit of code parts from today's request.

    Raises
    ------
    UnknownName
        The name has no entry.
    NotCached
        There is nothing to adopt; the text says why, and what to do.
    """
    entries = core.store.computed(name)
    if not entries:
        known = (one for one in core.store.entries() if one.kind != IMPORTED)
        raise info.unknown(name, {entry.name for entry in known})
    asked = explaining.asked(core.store, name)
    if asked is None:
        raise NotCached(
            f"it is not known what {name!r} looks like now: edit its cell, say "
            f"%%cached {name} --dry-run in it and run it, then adopt"
        )
    if any(not _labels(entry, asked.key) for entry in entries):
        raise NotCached(f"nothing to adopt: {name!r} is stored with today's code")
    nearest: tuple[Change, ...] = ()
    for entry in sorted(entries, key=lambda one: one.notebook != notebook):
        changes = explaining.changes_between(core.store.whole(entry), asked.key)
        if changes and all(change.is_code for change in changes):
            _require_same_names(name, changes)
            return Proposal(entry, asked, changes)
        if not nearest or len(changes) < len(nearest):
            nearest = changes
    others = "; ".join(str(change) for change in nearest if not change.is_code)
    raise NotCached(
        f"{name!r} cannot be adopted: not only its code changed, but {others}"
    )


def _require_same_names(name: str, changes: tuple[Change, ...]) -> None:
    """Refuse code that binds other names than the entry holds.

    Raises
    ------
    NotCached
        A hit would not bind them.
    """
    for change in changes:
        if change.label == "code":
            before, after = _bound(change.old), _bound(change.new)
            other = sorted(before ^ after)
            if other:
                raise NotCached(
                    f"{name!r} cannot be adopted: the edited code binds or deletes "
                    f"other names ({', '.join(other)})"
                )


def _bound(details: Any) -> frozenset[str]:
    """Give the names that the code of a cell binds or deletes, if it can be told."""
    text = str((details or {}).get("text", ""))
    body = text.partition("\n")[2] if text.startswith("%%") else text
    try:
        found = flow.analyse(ast.parse(textwrap.dedent(body)))
    except SyntaxError:
        return frozenset()
    return frozenset(found.stores | found.deletes)


def _labels(entry: Entry, key: Key) -> list[str]:
    try:
        return Key.from_json(entry.parts).differing(key)
    except (ValueError, TypeError):
        return ["parts"]


def adopt(core: Core, proposal: Proposal) -> Entry:
    """Store the entry again under the key of the edited code.

    Returns
    -------
    Entry
        The new one; the old one stays.

    Raises
    ------
    NotCached
        The entry has been deleted meanwhile.
    DamagedEntry, UntrustedEntry, OSError
        It cannot be read or written.
    """
    old, asked = proposal.entry, proposal.asked
    # the file says under which name it stands
    slug = old.file[: -len(f"{old.key}.npz")].rstrip("-")
    opened = core.store.get(old.key, slug)
    if opened is None:
        raise NotCached(f"the entry of {old.name!r} has just been deleted")
    try:
        content = Content.again(opened)
        lookup = asked.key.digest
        found = map(Observed.from_json, opened.entry.trace)
        entry = replace(
            opened.entry,
            key=entry_key(lookup, found),
            lookup=lookup,
            parts=asked.key.to_json(),
            source=_source(asked.key, opened.entry.source),
            notebook=asked.notebook,
            adopted=time.time(),
        )
        return core.store.put(entry, content, slug=asked.slug)
    finally:
        opened.close()


def _source(key: Key, before: str) -> str:
    """Give today's text of the code, with the magic that stored it."""
    text = before
    for part in key.parts:
        if part.label == "code" and isinstance(part.details, dict):
            text = str(part.details.get("text", before))
    magic, body = before.partition("\n")[0], text.partition("\n")[2]
    both = magic.startswith("%%") and text.startswith("%%")
    return f"{magic}\n{body}" if both else text
