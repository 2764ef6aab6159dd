"""Which entries are of code that has newer versions under the same name."""

from __future__ import annotations

from collections.abc import Sequence

from nbcache.storage.entry import Entry

__all__ = ["code_of", "old_versions"]


def old_versions(
    entries: Sequence[Entry], notebook: str, keep: int, kind: str = "cell"
) -> list[Entry]:
    """Give the entries of a notebook's cell beyond its newest code versions.

    Parameters
    ----------
    entries : sequence of Entry
        Of one name, newest first.
    notebook : str
        Those of others stay.
    keep : int
        How many versions stay; 0 for all.
    kind : str
        Of the entries; others stay.
    """
    versions: dict[str, None] = {}
    found = []
    for entry in entries:
        if entry.kind != kind or entry.notebook != notebook:
            continue
        code = code_of(entry)
        versions.setdefault(code)
        if keep and list(versions).index(code) >= keep:
            found.append(entry)
    return found


def code_of(entry: Entry) -> str:
    """Give the digest of an entry's own code; '' if it has none."""
    return next((str(part[1]) for part in entry.parts if part[0] == "code"), "")
