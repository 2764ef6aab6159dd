"""What a run of a cell changed besides its names, and a hit would not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbcache.keys.key import Change, Key

__all__ = ["mutation"]

_MISSING = object()
# settings and environment are restored: `nbcache.surroundings`
_CHANGES_NOTHING = frozenset({"code", "library", "python", "settings", "env"})


def mutation(
    was: Key, after: Key, before: Mapping[str, Any], namespace: Mapping[str, Any]
) -> str:
    """Name what is another value now, though the same object.

    Parameters
    ----------
    was, after : Key
        Of the cell with the values of before, before and after its run.
    before, namespace : mapping of str to object
        The notebook's names before the run and now.

    Returns
    -------
    str
        Why the run may not be kept; '' if nothing was changed in place.
    """
    for change in was.difference(after):
        kind, _, what = change.label.rpartition(" → ")[2].partition(" ")
        if kind in _CHANGES_NOTHING:
            continue
        if kind == "input":
            return (
                f"it changed its input {what!r} in place, which a hit would not. "
                f"Make a new object, or put what makes {what!r} into this cell"
            )
        if not _is_rebound(change, before, namespace):
            return f"it changed {change.label!r} in place, which a hit would not"
    return ""


def _is_rebound(
    change: Change, before: Mapping[str, Any], namespace: Mapping[str, Any]
) -> bool:
    """Say whether a change comes from names that are bound anew, as a hit does too."""
    # importing a module binds its name, but does not change what is in it
    steps = (step.partition(" ") for step in change.label.split(" → "))
    names = (what.partition(".")[0] for kind, _, what in steps if kind != "module")
    return any(
        before.get(name, _MISSING) is not namespace.get(name, _MISSING)
        for name in names
    )
