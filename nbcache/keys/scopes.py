"""Free names of nested scopes, from Python's own symbol table."""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator

__all__ = [
    "annotated",
    "defaults",
    "deleted_names",
    "dotted",
    "free_names",
    "global_names",
]


def free_names(node: ast.AST) -> dict[str, set[str] | None]:
    """Give the module-level names that a nested scope reads, with attributes.

    The answer comes from Python's own symbol table, so that scoping rules are right by
    construction; attributes from the places where the name is followed by a dot.
    """
    statement = node if isinstance(node, ast.stmt) else ast.Expr(node)  # type: ignore[arg-type]
    text = ast.unparse(ast.Module([statement], []))
    table = symtable.symtable(text, "<cell>", "exec")
    names = {name for child in table.get_children() for name in _free_of(child)}
    found: dict[str, set[str] | None] = {}
    chained: set[int] = set()
    # breadth first: the outermost attribute of a chain comes before the inner ones
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute):
            root, chain = dotted(inner)
            if root is not None and id(root) not in chained:
                chained.add(id(root))
                known = found.setdefault(root.id, set())
                if known is not None:
                    known.add(chain)
        elif isinstance(inner, ast.Name) and id(inner) not in chained:
            found[inner.id] = None
    return {name: found.get(name) for name in sorted(names)}


def global_names(node: ast.AST) -> set[str]:
    """Give the names that functions inside bind in the module, by ``global``."""
    return {
        name
        for inner in ast.walk(node)
        if isinstance(inner, ast.Global)
        for name in inner.names
    }


def deleted_names(node: ast.AST) -> set[str]:
    """Give the names that code inside deletes, of whatever scope."""
    return {
        inner.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Del)
    } | {
        inner.name
        for inner in ast.walk(node)
        if isinstance(inner, ast.ExceptHandler) and inner.name
    }


def defaults(arguments: ast.arguments) -> list[ast.expr]:
    """Give the default values of parameters."""
    return [*arguments.defaults, *(one for one in arguments.kw_defaults if one)]


def annotated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """Give the annotations of a function."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one]
    yield from (one.annotation for one in every if one.annotation)
    if node.returns is not None:
        yield node.returns


def dotted(node: ast.Attribute) -> tuple[ast.Name | None, str]:
    """Give the name at the root of ``name.a.b`` and the chain ``a.b``."""
    chain = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        chain.append(value.attr)
        value = value.value
    root = value if isinstance(value, ast.Name) else None
    return root, ".".join(reversed(chain))


def _free_of(table: symtable.SymbolTable) -> Iterator[str]:
    """Give the names that a scope, and those inside it, take from the module."""
    for symbol in table.get_symbols():
        if symbol.is_global() and (symbol.is_referenced() or symbol.is_assigned()):
            yield symbol.get_name()
        elif table.get_type() == "class" and symbol.is_referenced():
            # a class body falls back to the module for names it binds itself
            yield symbol.get_name()
    for child in table.get_children():
        yield from _free_of(child)
