"""What code names in its text: globals it writes to, environment, imports."""

from __future__ import annotations

import ast

__all__ = ["environment_reads", "imported_modules", "write_only_globals"]

_MUTATORS = frozenset(
    {
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "remove",
        "setdefault",
        "update",
    }
)


def write_only_globals(node: ast.AST) -> set[str]:
    """Give the global names that a function only ever writes to.

    Statements of their own such as ``calls.append(x)``, ``seen.add(x)``,
    ``count += 1`` and ``log[k] = v`` do not let the value of the name into the
    function's result.  A name that is read anywhere else is not among them.

    Parameters
    ----------
    node : ast.AST
        A function definition or lambda.
    """
    writes: set[int] = set()
    for statement in ast.walk(node):
        target = _written(statement)
        if target is not None:
            writes.add(id(target))
    named = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    read = {name.id for name in named if id(name) not in writes}
    return {name.id for name in named if id(name) in writes} - read


def _written(statement: ast.AST) -> ast.Name | None:
    """Give the name that a statement writes to without using its value."""
    target: ast.AST | None = None
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        function = statement.value.func
        if isinstance(function, ast.Attribute) and function.attr in _MUTATORS:
            target = function.value
    elif isinstance(statement, ast.AugAssign):
        target = statement.target
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    if isinstance(target, ast.Subscript):
        target = target.value
    return target if isinstance(target, ast.Name) else None


# --- other things that code names by a literal


def environment_reads(tree: ast.AST) -> set[str]:
    """Give the environment variables that code reads by a literal name."""
    found = set()
    for node in ast.walk(tree):
        name = _environment_name(node)
        if name is not None:
            found.add(name)
    return found


def _environment_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Subscript) and _is_environ(node.value):
        return _literal(node.slice)
    if not (isinstance(node, ast.Call) and node.args):
        return None
    function = node.func
    if isinstance(function, ast.Name) and function.id == "getenv":
        return _literal(node.args[0])
    if isinstance(function, ast.Attribute) and (
        function.attr == "getenv"
        or (function.attr in ("get", "setdefault") and _is_environ(function.value))
    ):
        return _literal(node.args[0])
    return None


def _is_environ(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name == "environ"


def _literal(node: ast.AST) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


def imported_modules(tree: ast.AST) -> list[tuple[str, int, tuple[str, ...]]]:
    """Give each import of a tree: module name, relative level, names taken from it.

    Names are empty for ``import module``.
    """
    found: list[tuple[str, int, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.extend((alias.name, 0, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.append((node.module or "", node.level, names))
    return list(dict.fromkeys(found))
