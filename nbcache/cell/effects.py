"""What a run of a cell changed besides its names, and a hit would not change."""

from __future__ import annotations

import ast
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbcache.keys.key import Change, Key

__all__ = ["Place", "mutation"]

_MISSING = object()
_CHANGES_NOTHING = frozenset({"code", "library", "python"})


@dataclass(frozen=True)
class Place:
    """Working directory and environment of the process."""

    folder: str
    environment: Mapping[str, str]

    @classmethod
    def now(cls) -> Place:
        """Note where the process is."""
        return cls(_folder(), dict(os.environ))

    def left(self, tree: ast.AST) -> str:
        """Say what of it a cell has changed since; '' for nothing.

        Parameters
        ----------
        tree : ast.AST
            The cell: what is imported may set variables, and is imported on a hit too.
        """
        if _folder() != self.folder:
            return "it changed the working directory, which a hit would not"
        names = {getattr(node, "attr", "") for node in ast.walk(tree)}
        names |= {getattr(node, "id", "") for node in ast.walk(tree)}
        if {"environ", "putenv", "unsetenv"} & names and (
            dict(os.environ) != self.environment
        ):
            return "it changed environment variables, which a hit would not"
        return ""


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def mutation(
    was: Key, after: Key, before: Mapping[str, Any], namespace: Mapping[str, Any]
) -> tuple[str, dict[str, str]]:
    """Find what is another value now, though the same object.

    Parameters
    ----------
    was, after : Key
        Of the cell with the values of before, before and after its run.
    before, namespace : mapping of str to object
        The notebook's names before the run and now.

    Returns
    -------
    refused : str
        Why the run may not be kept; '' if it may.
    changed : dict of str to str
        Parts of the key that in-place changes made others, with their digests now.
    """
    digests = {part.label: part.digest for part in after.parts}
    changed = {}
    for change in was.difference(after):
        kind, _, what = change.label.rpartition(" → ")[2].partition(" ")
        if kind in _CHANGES_NOTHING:
            continue
        if kind == "settings":
            refused = (
                f"it changed settings of {what}, which a hit would not. "
                "Move that to a cell of its own"
            )
            return refused, {}
        if kind == "env":
            return f"it changed {change.label!r}, which a hit would not", {}
        if not _is_rebound(change, before, namespace):
            changed[change.label] = digests.get(change.label, "")
    return "", changed


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
