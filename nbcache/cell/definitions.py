"""Which statements of a cell are executed again on a hit.

Imports, ``%matplotlib`` and ``%config``, and definitions that evaluate nothing but
constants and names whose values a hit finds as the run found them: cheap, and better
than any stored form of a function, class or module.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from nbcache.cell.magics import is_repeated
from nbcache.keys import flow, modules, origin, uses
from nbcache.keys.trees import of_tree

__all__ = ["defined_data", "imported_data", "imported_names", "repeated_nodes"]

# decorators that only wrap or annotate; any other may do anything when applied
_PURE_DECORATORS = frozenset(
    {
        "abstractmethod",
        "cache",
        "cached",
        "cached_property",
        "classmethod",
        "contextmanager",
        "dataclass",
        "deleter",
        "final",
        "getter",
        "jit",
        "lru_cache",
        "njit",
        "overload",
        "override",
        "property",
        "runtime_checkable",
        "setter",
        "singledispatch",
        "staticmethod",
        "total_ordering",
        "vectorize",
        "wraps",
    }
)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@of_tree
def repeated_nodes(tree: ast.Module) -> tuple[list[ast.stmt], set[str]]:
    """Choose the statements of a cell that a hit executes again.

    Parameters
    ----------
    tree : ast.Module
        The cell.

    Returns
    -------
    nodes : list of ast.stmt
        In their order.
    names : set of str
        What they bind; nothing else in the cell binds these names.
    """
    stores = [_stores(statement) for statement in tree.body]
    # importing the same again binds nothing new
    others = {
        ast.dump(statement)
        if isinstance(statement, ast.Import | ast.ImportFrom)
        else place: names
        for place, (statement, names) in enumerate(zip(tree.body, stores, strict=True))
    }
    bound = Counter(name for names in others.values() for name in names)
    nodes: list[ast.stmt] = []
    known: set[str] = set()
    for statement, names in zip(tree.body, stores, strict=True):
        if any(bound[name] > 1 for name in names):
            continue
        if isinstance(statement, ast.Import | ast.ImportFrom) or is_repeated(statement):
            chosen = True
        elif isinstance(statement, _DEFINITIONS):
            used = set(_evaluated(statement))
            chosen = None not in used and not (used & set(bound)) - known
        else:
            chosen = False
        if chosen:
            nodes.append(statement)
            known |= names
    return nodes, known


def defined_data(
    names: Collection[str], namespace: Mapping[str, Any]
) -> dict[str, Any]:
    """Give functions that a hit defines anew, and what its classes hold, by label."""
    found: dict[str, Any] = {}
    for name in sorted(names):
        value = namespace.get(name)
        if isinstance(value, FunctionType):
            found[f"definition {name}"] = value
        elif isinstance(value, type) and value.__module__ == "__main__":
            held = {key: one for key, one in vars(value).items() if key[:2] != "__"}
            found |= {f"definition {name}.{key}": one for key, one in held.items()}
    return found


def imported_data(nodes: list[ast.stmt]) -> dict[str, Any]:
    """Give the user's modules that statements import, and what they hold, by label."""
    tree = ast.Module(nodes, [])
    found: dict[str, Any] = {}
    for name, level, names in uses.imported_modules(tree):
        if level:
            continue
        for one in (name, *(f"{name}.{inner}" for inner in names)):
            module = sys.modules.get(one)
            if module is not None and origin.is_user_module(module):
                held = modules.data(module) | modules.classes(module)
                held |= modules.functions(module)
                found[f"import {one}"] = module
                found |= {f"import {one}.{name}": value for name, value in held.items()}
    return found


def imported_names(nodes: list[ast.stmt]) -> list[str]:
    """Give the user's modules that statements have imported."""
    return sorted(
        value.__name__
        for value in imported_data(nodes).values()
        if isinstance(value, ModuleType)
    )


def _stores(statement: ast.stmt) -> set[str]:
    found = flow.analyse(ast.Module([statement], []))
    return found.stores | found.deletes


def _evaluated(node: ast.AST) -> Iterator[str | None]:
    """Give the names that a definition evaluates when it is executed.

    None stands for something that may have an effect.
    """
    for decorator in node.decorator_list:  # type: ignore[attr-defined]
        yield from _decorator(decorator)
    if isinstance(node, ast.ClassDef):
        for base in (*node.bases, *(keyword.value for keyword in node.keywords)):
            yield from _expression(base)
        for statement in node.body:
            yield from _class_statement(statement)
        return
    arguments = node.args  # type: ignore[attr-defined]
    for default in (*arguments.defaults, *arguments.kw_defaults):
        if default is not None:
            yield from _expression(default)
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg) and argument.annotation is not None:
            yield from _expression(argument.annotation)
    if node.returns is not None:  # type: ignore[attr-defined]
        yield from _expression(node.returns)  # type: ignore[attr-defined]


def _class_statement(statement: ast.stmt) -> Iterator[str | None]:
    own: set[str] = set()
    if isinstance(statement, _DEFINITIONS):
        yield from _evaluated(statement)
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        if statement.value is not None:
            yield from _expression(statement.value, own)
        if isinstance(statement, ast.AnnAssign):
            yield from _expression(statement.annotation)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return
    elif not isinstance(statement, ast.Pass):
        yield None


def _decorator(node: ast.expr) -> Iterator[str | None]:
    called = node.func if isinstance(node, ast.Call) else node
    name = called.attr if isinstance(called, ast.Attribute) else None
    if isinstance(called, ast.Name):
        name = called.id
    if name not in _PURE_DECORATORS:
        yield None
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            yield inner.id


_PURE_CALLS = frozenset({"field", "namedtuple", "TypeVar", "frozenset", "tuple"})


def _expression(node: ast.expr, own: set[str] | None = None) -> Iterator[str | None]:
    """Give the names of an expression; a call or the like may have an effect."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            if own is None or inner.id not in own:
                yield inner.id
        elif isinstance(inner, ast.Call):
            called = inner.func
            name = called.attr if isinstance(called, ast.Attribute) else None
            if isinstance(called, ast.Name):
                name = called.id
            if name not in _PURE_CALLS:
                yield None
        elif isinstance(inner, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            yield None
