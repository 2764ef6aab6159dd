"""Dicts that objects have their attributes in: a hit would make copies of them."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType
from typing import Any

from nbcache.keys.source import nested_codes

__all__ = ["own_dict"]

_GIVING = frozenset({"vars", "__dict__"})


def own_dict(
    values: Mapping[str, Any], tree: ast.AST, functions: Iterable[FunctionType]
) -> str:
    """Say which value is the ``__dict__`` of an object; '' if none is.

    Parameters
    ----------
    values : mapping of str to object
        What a cell leaves; they and their direct elements are looked at.
    tree : ast.AST
        The cell.
    functions : iterable of function
        Those that it reaches.
    """
    if not _may_give(tree, functions):
        return ""
    for name, value in values.items():
        for held in _with_elements(value):
            if type(held) is dict and _owned(held):
                return (
                    f"{name!r} has the attributes of an object, vars() or __dict__, of "
                    "which a hit would make a copy. Make one yourself: dict(vars(...))"
                )
    return ""


def _may_give(tree: ast.AST, functions: Iterable[FunctionType]) -> bool:
    for node in ast.walk(tree):
        named = getattr(node, "id", None) or getattr(node, "attr", None)
        if named in _GIVING:
            return True
    return any(
        _GIVING & set(code.co_names)
        for function in functions
        for code in nested_codes(function.__code__)
    )


def _with_elements(value: Any) -> Iterator[Any]:
    yield value
    if type(value) is dict:
        yield from list(value.values())
    elif type(value) in (list, tuple):
        yield from value


def _owned(held: dict[Any, Any]) -> bool:
    for owner in gc.get_referrers(held):
        if type(owner) in (dict, list, tuple):
            continue
        try:
            if object.__getattribute__(owner, "__dict__") is held:
                return True
        except AttributeError:
            continue
    return False
