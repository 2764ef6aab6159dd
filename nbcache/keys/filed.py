"""Whether a loaded module is what its file says: compared name by name."""

from __future__ import annotations

import abc
import ast
from collections.abc import Iterator, Set
from types import FunctionType, ModuleType
from typing import Any

from nbcache.keys import flow, origin, source

__all__ = ["agrees"]


def agrees(
    module: ModuleType, tree: ast.Module, path: str, bound: Set[str], *, computed: bool
) -> bool:
    """Compare what a module holds with what its tree would bind.

    Parameters
    ----------
    module : ModuleType
        Loaded.
    tree : ast.Module
        Of its file today.
    path : str
        Of that file.
    bound : set of str
        The names that the tree binds.
    computed : bool
        Whether to trust values computed at import: those of a module that this process
        has seen unloaded.

    Returns
    -------
    bool
        Whether nothing shows that the module was changed since.
    """
    literals = dict(_literals(tree.body))
    own, used = _definitions(tree.body), _used(tree.body)
    for name, value in vars(module).items():
        if name.startswith("__") and name.endswith("__"):
            continue
        if name in own:
            if not _is_defined_by(value, own[name], path, used):
                return False
        elif name in literals:
            if not _is_same(literals[name], value):
                return False
        elif isinstance(value, ModuleType):
            continue
        elif name not in bound or not (computed or _is_code(value)):
            return False
    return True


def _is_code(value: Any) -> bool:
    return isinstance(value, FunctionType | type)


def _definitions(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """Give the definitions of a block whose names nothing else changes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = [node for node in body if isinstance(node, kinds)]
    names = [name for one in body for name in _stores(one)]
    return {
        node.name: node
        for node in found
        if not node.decorator_list and names.count(node.name) == 1
    }


def _used(body: list[ast.stmt]) -> set[str]:
    """Give the names that a block uses itself: it may give attributes to functions."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {
        node.id
        for statement in body
        if not isinstance(statement, kinds)
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _stores(statement: ast.stmt) -> set[str]:
    return flow.analyse(ast.Module([statement], [])).stores


def _is_defined_by(value: Any, node: ast.stmt, path: str, used: Set[str]) -> bool:
    """Say whether a function or class is what a definition without decorators made."""
    if isinstance(node, ast.ClassDef):
        return isinstance(value, type) and _class_agrees(value, node, path)
    # ``__new__`` and the like become static and class methods by themselves
    value = getattr(value, "__func__", value)
    return (
        isinstance(value, FunctionType)
        and value.__code__.co_filename == path
        and source.function_node(value.__code__) is not None
        and (not vars(value) or value.__name__ in used)
        and _has_defaults_of(value, node.args)  # type: ignore[attr-defined]
    )


def _has_defaults_of(function: FunctionType, arguments: ast.arguments) -> bool:
    """Compare the defaults that are literals."""
    held = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    keywords = [default for default in arguments.kw_defaults if default is not None]
    written = [*arguments.defaults, *keywords]
    return len(held) == len(written) and all(
        not found or _is_same(found[0], value)
        for found, value in zip(map(_literal, written), held, strict=True)
    )


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _literal(node: ast.expr) -> list[Any]:
    """Give the value of a literal in a list; none of other expressions."""
    try:
        return [ast.literal_eval(node)]
    except (ValueError, TypeError, SyntaxError):
        return []


def _class_agrees(cls: type, node: ast.ClassDef, path: str) -> bool:
    """Compare a class with its definition, as far as nothing else makes attributes."""
    if type(cls) not in (type, abc.ABCMeta):
        return True
    bound = flow.analyse(ast.Module(node.body, [])).stores
    literals = dict(_literals(node.body))
    own, used = _definitions(node.body), _used(node.body)
    for name, value in vars(cls).items():
        if name in own:
            if not _is_defined_by(value, own[name], path, used):
                return False
        elif name in literals:
            if not _is_same(literals[name], value):
                return False
        elif name not in bound and _is_added(name, value, path):
            return False
    return True


def _is_added(name: str, value: Any, path: str) -> bool:
    """Say whether an attribute is plain data or a function from elsewhere."""
    if isinstance(value, int | float | str | bytes):
        return not name.startswith("_")
    return (
        isinstance(value, FunctionType)
        and origin.is_user_function(value)
        and value.__code__.co_filename != path
    )


def _literals(body: list[ast.stmt]) -> Iterator[tuple[str, Any]]:
    for statement in body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name):
                for value in _literal(statement.value):
                    yield target.id, value
