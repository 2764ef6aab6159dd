"""Names of a notebook's namespace: IPython's own, the user's, and new ones."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

__all__ = ["HISTORY", "default_name", "deleted_names", "is_ipythons", "new_values"]

HISTORY = frozenset({"In", "Out", "_ih", "_oh"})
"""What IPython fills while cells run."""

_MISSING = object()

_OWN = re.compile(r"_{1,3}|_i{1,3}|_i?\d+|_[oid]h|_ih|_exit_code|_dh")
_ALSO = frozenset(
    {"In", "Out", "get_ipython", "exit", "quit", "open", "__builtins__", "__builtin__"}
)


def is_ipythons(name: str) -> bool:
    """Say whether IPython itself binds a name: ``_``, ``_12``, ``In`` and the like."""
    return name in _ALSO or _OWN.fullmatch(name) is not None


def default_name(tree: ast.Module) -> str:
    """Give the name of a cell that was given none: the first names it assigns."""
    found: dict[str, None] = {}
    for statement in tree.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.setdefault(node.id)
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found.setdefault(statement.name)
    return ",".join(list(found)[:3]) or "cell"


def new_values(
    before: Mapping[str, Any], after: Mapping[str, Any], bound: Collection[str]
) -> dict[str, Any]:
    """Give the values that a run left.

    Parameters
    ----------
    before, after : mapping of str to object
        The namespace.
    bound : collection of str
        The names that the code binds; of others, only those whose value is another.
    """
    return {
        name: value
        for name, value in after.items()
        if name in bound
        or (not is_ipythons(name) and before.get(name, _MISSING) is not value)
    }


def deleted_names(before: Iterable[str], after: Collection[str]) -> list[str]:
    """Give the user's names that a run deleted."""
    return [name for name in before if name not in after and not is_ipythons(name)]
