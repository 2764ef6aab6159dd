"""How many versions of a cell's code are kept under one name."""

from __future__ import annotations

from collections.abc import Sequence

from nbcache.cache import Core, warn
from nbcache.storage.entry import Entry

__all__ = ["delete_old_versions", "old_versions"]


def old_versions(entries: Sequence[Entry], notebook: str, keep: int) -> list[Entry]:
    """Give the entries of a notebook's cell beyond its newest code versions.

    Parameters
    ----------
    entries : sequence of Entry
        Of one name, newest first.
    notebook : str
        Those of others stay.
    keep : int
        How many versions stay; 0 for all.
    """
    versions: dict[str, None] = {}
    found = []
    for entry in entries:
        if entry.kind != "cell" or entry.notebook != notebook:
            continue
        code = next((row[1] for row in entry.parts if row[0] == "code"), "")
        versions.setdefault(code)
        if keep and list(versions).index(code) >= keep:
            found.append(entry)
    return found


def delete_old_versions(core: Core, name: str, notebook: str, keep: int) -> int:
    """Delete what `old_versions` finds; give how many there were."""
    try:
        known = core.store.by_name(name)
        return len(core.store.delete(old_versions(known, notebook, keep)))
    except OSError as error:
        warn(f"old versions of {name!r} were not deleted: {error}")
        return 0
