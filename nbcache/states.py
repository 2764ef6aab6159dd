"""Whether a look-up today would still take an entry, told without a kernel.

What a notebook's own variables are cannot be known here: an entry that is *current* is
one of which nothing else says that it is not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nbcache.keys import origin, source
from nbcache.storage.entry import Entry
from nbcache.superseded import code_of
from nbcache.trace.observed import Observed, Today, file_stat

__all__ = ["CURRENT", "states"]

CURRENT = "current"
_LIBRARY = "library "


def states(entries: Iterable[Entry]) -> dict[str, str]:
    """Give the state of each entry, by key.

    Parameters
    ----------
    entries : iterable of Entry
        All of a store, so that it shows which are superseded.

    Returns
    -------
    dict of str to str
        ``current``, ``expired``, ``file changed``, ``library changed``,
        ``superseded`` (a newer one of that name and notebook has other code) or
        ``failure`` (the function raised).
    """
    known = list(entries)
    newest: dict[tuple[str, str, str], tuple[float, str]] = {}
    for entry in known:
        stood = newest.get(_place(entry), (0.0, ""))
        newest[_place(entry)] = max(stood, (entry.created, code_of(entry)))
    judge = _Judge()
    return {
        entry.key: next(judge.faults(entry), "")
        or (CURRENT if newest[_place(entry)][1] == code_of(entry) else "superseded")
        for entry in known
    }


def _place(entry: Entry) -> tuple[str, str, str]:
    return entry.kind, entry.name, entry.notebook


@dataclass
class _Judge:
    """Looks at each file and each package once."""

    now: float = field(default_factory=time.time)
    today: Today = field(default_factory=Today)
    _tokens: dict[str, str] = field(default_factory=dict)

    def faults(self, entry: Entry) -> Iterator[str]:
        if "failure" in entry.state:
            yield "failure"
        limit = entry.expires_after
        if limit is not None and self.now - entry.created >= limit:
            yield "expired"
        if any(map(self._differs, (*entry.trace, *entry.written))):
            yield "file changed"
        if self._is_of_other_libraries(entry):
            yield "library changed"

    def _differs(self, row: list[object]) -> bool:
        try:
            one = Observed.from_json(row)
            if one.kind in ("random", "folder"):
                return False  # of the process that asks, whatever it is
            if one.kind == "file" and one.stat is not None:
                found = file_stat(one.name)
                if found == one.stat:
                    return False
                if found is None or found[2] != one.stat[2]:
                    return True
            return self.today.observe(one.kind, one.name).digest != one.digest
        except (OSError, ValueError, TypeError, KeyError):
            return True

    def _is_of_other_libraries(self, entry: Entry) -> bool:
        made = str(entry.packages.get("python", "")).split(".")[:2]
        if made and made != [""] and made != list(map(str, sys.version_info[:2])):
            return True
        return any(
            str(part[1]) != self._token(str(part[0]).removeprefix(_LIBRARY))
            for part in entry.parts
            if str(part[0]).startswith(_LIBRARY)
        )

    def _token(self, package: str) -> str:
        if package not in self._tokens:
            token = source.text_digest(origin.version_token(package))
            self._tokens[package] = token
        return self._tokens[package]
