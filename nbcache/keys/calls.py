"""Which functions code calls by name, whatever it calls them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from nbcache.keys.trees import of_tree

__all__ = ["called_name", "import_aliases", "named_calls"]

# where C modules differ from the names that people use
_MODULES = {"posix": "os", "nt": "os", "_locale": "locale", "_warnings": "warnings"}


def named_calls(
    tree: ast.AST, scope: Mapping[str, Any]
) -> Iterator[tuple[ast.Call, str]]:
    """Give the calls in code, each with the full name of what is called.

    Parameters
    ----------
    tree : ast.AST
        Any code.
    scope : mapping of str to object
        What its global names stand for.

    Yields
    ------
    tuple of ast.Call, str
        ``time.time`` for ``t()`` after ``from time import time as t``; a class or
        function of a package stands right below the package: ``pandas.Timestamp.now``.
    """
    aliases = import_aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = called_name(node, aliases, scope)
            if name:
                yield node, name


@of_tree
def import_aliases(tree: ast.AST) -> dict[str, str]:
    """Give the names that the imports in code bind, with what they stand for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                top = one.name.partition(".")[0]
                found[one.asname or top] = one.name if one.asname else top
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for one in node.names:
                found[one.asname or one.name] = f"{node.module}.{one.name}"
    return found


def called_name(
    call: ast.Call, aliases: Mapping[str, str], scope: Mapping[str, Any]
) -> str:
    """Give the full name of what is called; '' if its text does not tell."""
    attributes: list[str] = []
    node = call.func
    while isinstance(node, ast.Attribute):
        attributes.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    first = aliases.get(node.id) or _full_name(scope.get(node.id))
    return ".".join([first, *attributes]) if first else ""


def _full_name(value: Any) -> str:
    if isinstance(value, ModuleType):
        return value.__name__
    name = getattr(value, "__qualname__", None)
    owner = value
    if getattr(value, "__module__", None) is None:
        owner = getattr(value, "__self__", None)  # a method of a class in C
    module = getattr(owner, "__module__", None)
    if not (isinstance(name, str) and isinstance(module, str)):
        return ""
    return f"{_MODULES.get(module, module.partition('.')[0])}.{name}"
