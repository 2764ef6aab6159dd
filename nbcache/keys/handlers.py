"""Which handlers of a ``try`` may catch the error of a name that is not bound."""

from __future__ import annotations

import ast
import builtins

__all__ = ["catches_name_errors"]

_NARROW = frozenset(
    name
    for name in dir(builtins)
    if isinstance(getattr(builtins, name), type)
    and issubclass(getattr(builtins, name), BaseException)
    and not issubclass(NameError, getattr(builtins, name))
    and not issubclass(getattr(builtins, name), NameError)
)


def catches_name_errors(node: ast.AST) -> bool:
    """Say whether a handler may catch a NameError; a type we cannot tell may."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return not all(isinstance(one, ast.Name) and one.id in _NARROW for one in types)
