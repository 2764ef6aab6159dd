"""What code names in its text: globals it writes to, environment, imports."""

from __future__ import annotations

import ast
import re

from nbcache.keys.trees import of_tree

__all__ = [
    "environment_reads",
    "has_queries",
    "hidden_reads",
    "imported_modules",
    "names_in_query",
    "queried_names",
    "write_only_globals",
]

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


@of_tree
def environment_reads(tree: ast.AST, *, stores: bool = True) -> set[str]:
    """Give the environment variables that code reads by a literal name.

    Parameters
    ----------
    tree : ast.AST
        Any code.
    stores : bool
        Whether ``os.environ["X"] = ...`` counts too.
    """
    found = set()
    for node in ast.walk(tree):
        if not stores and isinstance(getattr(node, "ctx", None), ast.Store):
            continue
        name = _environment_name(node)
        if name is not None:
            found.add(name)
    return found


_ENVIRONMENT_READS = frozenset({"get", "pop", "setdefault"})


def _environment_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Subscript) and _is_environ(node.value):
        return _literal(node.slice)
    if isinstance(node, ast.Compare) and _is_environ(node.comparators[0]):
        return _literal(node.left)
    if not (isinstance(node, ast.Call) and node.args):
        return None
    function = node.func
    if isinstance(function, ast.Name) and function.id == "getenv":
        return _literal(node.args[0])
    if isinstance(function, ast.Attribute) and (
        function.attr == "getenv"
        or (function.attr in _ENVIRONMENT_READS and _is_environ(function.value))
    ):
        return _literal(node.args[0])
    return None


def _is_environ(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name == "environ"


def _literal(node: ast.AST) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else None


@of_tree
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
        elif isinstance(node, ast.Call) and _called(node) in _IMPORTERS and node.args:
            name = _literal(node.args[0])
            if name and not name.startswith("."):
                found.append((name, 0, ()))
    return list(dict.fromkeys(found))


_IMPORTERS = frozenset({"__import__", "import_module"})


def _called(node: ast.Call) -> str:
    """Give the last part of the name that is called."""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@of_tree
def attributes(tree: ast.AST) -> set[str]:
    """Give the attributes that code uses, of whatever objects."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


# --- what no analysis can see


HIDING_ATTRIBUTES = frozenset(
    {"__globals__", "f_globals", "f_locals", "user_global_ns", "user_ns"}
)
"""Attributes that are namespaces: which names are read there no analysis can see."""


@of_tree
def hidden_reads(tree: ast.AST, names: frozenset[str]) -> set[str]:
    """Give the built-ins through which code reads names that do not stand in it.

    Parameters
    ----------
    tree : ast.AST
        Any code.
    names : frozenset of str
        The built-ins in question.

    Returns
    -------
    set of str
        Those that are used, but for calls that hide nothing: ``eval`` and ``exec`` with
        a namespace of their own, ``vars`` and ``dir`` of an object, ``__import__`` of a
        literal.
    """
    plain = {id(call.func) for call in ast.walk(tree) if _is_plain(call)}  # type: ignore[attr-defined]
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id in names and id(node) not in plain
    }


def _is_plain(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = _called(node)
    if name == "__import__":
        return bool(node.args) and _literal(node.args[0]) is not None
    if name in ("eval", "exec"):
        given = [*node.args[1:2], *(one.value for one in node.keywords)]
        return bool(given) and getattr(given[0], "value", "") is not None
    return name in ("vars", "dir") and bool(node.args)


_QUERIES = frozenset({"query", "eval"})
_QUERIED = re.compile(r"(?<![\w.])@([^\W\d]\w*)")


@of_tree
def queried_names(tree: ast.AST) -> set[str]:
    """Give the variables that texts for ``DataFrame.query`` and ``eval`` name."""
    if not has_queries(tree):
        return set()
    texts = (getattr(node, "value", None) for node in ast.walk(tree))
    return {
        name for text in texts if isinstance(text, str) for name in names_in_query(text)
    }


@of_tree
def has_queries(tree: ast.AST) -> bool:
    """Say whether a method ``query`` or ``eval`` is used."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in _QUERIES
        for node in ast.walk(tree)
    )


def names_in_query(text: str) -> list[str]:
    """Give the names that stand after ``@`` in a text."""
    return _QUERIED.findall(text)
