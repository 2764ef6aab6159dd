"""Functions and classes that a cell defines and then alters.

A hit executes definitions again, and so would leave them as they were defined.
"""

from __future__ import annotations

import abc
import ast
import enum
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

from nbcache.errors import NbcacheError
from nbcache.keys import hashing

__all__ = ["altered_definition"]

_METACLASSES = (type, abc.ABCMeta, enum.EnumMeta)


def altered_definition(
    nodes: list[ast.stmt],
    execute: Callable[[list[ast.stmt], dict[str, Any]], None],
    namespace: Mapping[str, Any],
) -> str:
    """Name a definition of a cell that is not what its text says; '' if all are.

    Parameters
    ----------
    nodes : list of ast.stmt
        What a hit executes again.
    execute : callable (nodes, namespace) -> None
        Does that.
    namespace : mapping of str to object
        The notebook's names after the run.
    """
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    definitions = [
        node
        for node in nodes
        if isinstance(node, kinds) and _is_quiet(node, namespace.get(node.name))
    ]
    if not definitions:
        return ""
    scratch = dict(namespace)
    execute(list(definitions), scratch)
    for node in definitions:
        if not _is_as_defined(scratch[node.name], namespace[node.name]):
            return node.name
    return ""


def _is_quiet(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, now: Any
) -> bool:
    """Say whether defining something once more does nothing else."""
    if isinstance(now, FunctionType):
        return not node.decorator_list
    if not isinstance(now, type) or type(now) not in _METACLASSES:
        return False
    names = {getattr(inner, "id", "") for inner in node.decorator_list}
    hooks = (
        base.__module__
        for base in now.__mro__[1:-1]
        if "__init_subclass__" in vars(base)
    )
    return names <= {"dataclass", "total_ordering", "final"} and set(hooks) <= {
        "typing",
        "abc",
        "enum",
    }


def _is_as_defined(fresh: Any, now: Any) -> bool:
    if isinstance(fresh, staticmethod | classmethod) and type(now) is type(fresh):
        return _is_as_defined(fresh.__func__, now.__func__)
    if isinstance(fresh, FunctionType) and isinstance(now, FunctionType):
        return fresh.__code__ == now.__code__ and _is_equal(_held(fresh), _held(now))
    if isinstance(fresh, type) and isinstance(now, type):
        first, second = _own_names(fresh), _own_names(now)
        return first.keys() == second.keys() and all(
            _is_as_defined(held, second[name]) for name, held in first.items()
        )
    return _is_equal(fresh, now)


def _held(function: FunctionType) -> list[Any]:
    own = {name: held for name, held in vars(function).items() if name[:2] != "__"}
    return [function.__defaults__, function.__kwdefaults__, own]


def _own_names(cls: type) -> dict[str, Any]:
    return {
        name: held
        for name, held in vars(cls).items()
        if isinstance(held, FunctionType) or name[:1] != "_" or name[:2] != "__"
        if name != "_abc_impl"
    }


def _is_equal(fresh: Any, now: Any) -> bool:
    if type(fresh) is not type(now):
        return False
    try:
        return hashing.digest(fresh) == hashing.digest(now)
    except (NbcacheError, RecursionError):  # what no digest shows, no hit shows
        return True
