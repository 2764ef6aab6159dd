"""What a run of a cell changed besides its names, and a hit would not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbcache.cell.names import HISTORY
from nbcache.keys.key import Change, Key

__all__ = ["mutation"]

_MISSING = object()
# settings and environment are restored: `nbcache.surroundings`
_CHANGES_NOTHING = frozenset({"code", "library", "python", "settings", "env"})


def mutation(
    was: Key, after: Key, before: Mapping[str, Any], namespace: Mapping[str, Any]
) -> dict[str, str]:
    """Find what is another value now, though the same object.

    Parameters
    ----------
    was, after : Key
        Of the cell with the values of before, before and after its run.
    before, namespace : mapping of str to object
        The notebook's names before the run and now.

    Returns
    -------
    dict of str to str
        Parts of the key that in-place changes made others, with their digests now.
    """
    digests = {part.label: part.digest for part in after.parts}
    changed = {}
    for change in was.difference(after):
        kind, _, _ = change.label.rpartition(" → ")[2].partition(" ")
        name = change.label.removeprefix("input ")
        if kind in _CHANGES_NOTHING or name in HISTORY:
            continue
        if not _is_rebound(change, before, namespace):
            changed[change.label] = digests.get(change.label, "")
    return changed


def _is_rebound(
    change: Change, before: Mapping[str, Any], namespace: Mapping[str, Any]
) -> bool:
    """Say whether a change comes from names that are bound anew, as a hit does too."""
    if change.label.startswith("input ") and " → " not in change.label:
        return False  # the key after the run is of the object that the name had before
    # importing a module binds its name, but does not change what is in it
    steps = (step.partition(" ") for step in change.label.split(" → "))
    names = (what.partition(".")[0] for kind, _, what in steps if kind != "module")
    return any(
        before.get(name, _MISSING) is not namespace.get(name, _MISSING)
        for name in names
    )
