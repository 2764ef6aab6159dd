"""Whether a cell changed what it had defined: a hit defines it again, and no more."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import hashing

__all__ = ["DefinitionWatch"]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class DefinitionWatch:
    """Compares functions and classes with what they were when they were defined.

    Parameters
    ----------
    nodes : list of ast.stmt
        The statements that a hit executes again.
    namespace : mapping of str to object
        Where they bind their names.
    """

    def __init__(self, nodes: list[ast.stmt], namespace: Mapping[str, Any]) -> None:
        self._names = {
            id(node): node.name for node in nodes if isinstance(node, _DEFINITIONS)
        }
        self._namespace = namespace
        self._defined: dict[str, list[str]] = {}

    def note(self, node: ast.stmt) -> None:
        """Note what a statement that has just run defined."""
        name = self._names.get(id(node))
        if name is None or name not in self._namespace:
            return
        try:
            self._defined[name] = list(_state(self._namespace[name]))
        except Exception:
            # the cell goes on; what cannot be compared counts as changed
            self._defined[name] = []

    def altered(self) -> str:
        """Say what is not any more as it was defined; '' if all is."""
        for name, state in self._defined.items():
            if state != list(_state(self._namespace.get(name))):
                return (
                    f"it changed {name!r} after defining it, which a hit would not. "
                    f"Define {name!r} in a cell of its own"
                )
        return ""


def _state(value: Any) -> Iterator[str]:
    """Give all that can be changed about a definition, as texts."""
    if isinstance(value, FunctionType):
        yield str(id(value.__code__))
        yield from _digests(vars(value))
        yield _digest(value.__defaults__)
        yield _digest(value.__kwdefaults__)
    elif isinstance(value, type):
        yield value.__qualname__
        for name, held in vars(value).items():
            yield from _attribute(name, held)
    elif isinstance(value, staticmethod | classmethod):
        yield from _state(value.__func__)
    elif isinstance(value, property):
        for part in (value.fget, value.fset, value.fdel):
            yield from _state(part)
    else:
        yield type(value).__qualname__
        # such as what functools.cache makes
        yield from _digests(getattr(value, "__dict__", {}))


def _attribute(name: str, held: Any) -> Iterator[str]:
    """Give the state of an attribute of a class; copyreg adds some of its own."""
    is_code = isinstance(
        held, FunctionType | type | staticmethod | classmethod | property
    )
    if is_code:
        yield name
        yield from _state(held)
    elif not (name.startswith("__") and name.endswith("__")) and name != "_abc_impl":
        yield name
        yield _digest(held)


def _digests(held: Mapping[str, Any]) -> Iterator[str]:
    for name, value in held.items():
        yield name
        if name == "__wrapped__":
            yield from _state(value)
        else:
            yield _digest(value)


def _digest(value: Any) -> str:
    if type(value) in _NEVER:
        return type(value).__name__
    try:
        return hashing.digest(value)
    except UnhashableValue:
        return str(id(value))


# descriptors of slots
_NEVER = frozenset({type(FunctionType.__code__), type(FunctionType.__globals__)})
