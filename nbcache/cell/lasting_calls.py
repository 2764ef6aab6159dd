"""Calls in a cell that change the process in a way that no hit repeats."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from nbcache.keys.calls import called_name, import_aliases

__all__ = ["lasting_call"]

_CHANGE = frozenset(
    {
        "warnings.simplefilter",
        "warnings.filterwarnings",
        "warnings.resetwarnings",
        "locale.setlocale",
    }
)
_CONTAIN = "warnings.catch_warnings"


def lasting_call(tree: ast.Module, scope: Mapping[str, Any]) -> str:
    """Say that a cell changes warning filters or the locale; '' if it does not.

    Parameters
    ----------
    tree : ast.Module
        The cell.
    scope : mapping of str to object
        What its global names stand for.
    """
    aliases = import_aliases(tree)
    for call in _calls(tree, aliases, scope):
        name = called_name(call, aliases, scope)
        is_query = name == "locale.setlocale" and len(call.args) < 2
        if name in _CHANGE and not (is_query and not call.keywords):
            return (
                f"it calls {ast.unparse(call.func)}(), which a hit would not: move "
                "that line to a cell of its own"
            )
    return ""


def _calls(
    node: ast.AST, aliases: Mapping[str, str], scope: Mapping[str, Any]
) -> Iterator[ast.Call]:
    """Give the calls, but for what ``with catch_warnings()`` puts back."""
    if isinstance(node, ast.Call):
        yield node
    contained: list[ast.stmt] = []
    if isinstance(node, ast.With):
        opened = (item.context_expr for item in node.items)
        if any(
            isinstance(one, ast.Call) and called_name(one, aliases, scope) == _CONTAIN
            for one in opened
        ):
            contained = node.body
    for child in ast.iter_child_nodes(node):
        if child not in contained:
            yield from _calls(child, aliases, scope)
    for statement in contained:
        for call in _calls(statement, aliases, scope):
            if not called_name(call, aliases, scope).startswith("warnings."):
                yield call
