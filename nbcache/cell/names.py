"""Names of a notebook's namespace that are IPython's own, not the user's."""

from __future__ import annotations

import ast
import re

__all__ = ["default_name", "is_ipythons"]

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
