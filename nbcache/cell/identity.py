"""The key of a cell: its code and every value that it may read."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

from nbcache.cell import magics
from nbcache.cell.body import Body
from nbcache.cell.options import CellOptions
from nbcache.cell.surroundings import setting_parts
from nbcache.keys import flow, hashing, modules, source, uses
from nbcache.keys.dependencies import Dependencies, is_users
from nbcache.keys.key import Key, Part

__all__ = ["CellIdentity", "identify"]

_UNREAD = frozenset({"get_ipython", "exit", "quit", "display", "nbcache"})


@dataclass(frozen=True)
class CellIdentity:
    """What a cell is, before it runs.

    Parameters
    ----------
    flow : flow.Flow
        What it reads and binds.
    key : Key
        Its identity.
    also : tuple of Key
        Keys whose entries hold the same result: see `identify`.
    inputs : dict of str to object
        The values that it may read, by name.
    values : dict of str to object
        What it reaches through functions, classes and modules, by label.
    functions : tuple of function
        The user's functions that it reaches.
    refused : str
        Why no result of it may be kept; '' if it may.
    """

    flow: flow.Flow
    key: Key
    also: tuple[Key, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    functions: tuple[FunctionType, ...] = ()
    refused: str = ""


def identify(
    shell: Any, body: Body, options: CellOptions, namespace: Mapping[str, Any]
) -> CellIdentity:
    """Give the identity of a cell in a namespace.

    Raises
    ------
    UnhashableValue
        Something that it reads cannot be part of a key.

    Notes
    -----
    A name that the cell binds, but perhaps not before it reads it (after a loop, or in
    a ``with`` block), is an input.  An entry stored while such names were not bound
    proves that the cell does not need them: it would have raised a NameError.  So the
    key without them is looked up too, and running a cell twice in one kernel hits.
    """
    analysed = magics.expanded(shell, body.tree)
    found = flow.analyse(analysed)
    refused = _refusal(body.tree, found, namespace)
    loose = _loose_names(found, namespace, starred_values(analysed))
    key, inputs, collected = _key(
        body, analysed, found, options, namespace, frozenset()
    )
    also = []
    if loose:
        also.append(_key(body, analysed, found, options, namespace, loose)[0])
    reached = {
        label: value
        for label, value in collected.values.items()
        if not label.startswith("input ")
    }
    reached |= {f"in {label}": holder for label, holder in collected.holders.items()}
    functions = collected.functions()
    return CellIdentity(found, key, tuple(also), inputs, reached, functions, refused)


def starred_values(tree: ast.Module) -> dict[str, Any]:
    """Give what ``from module import *`` at the top of a cell binds, if loaded."""
    modules_named = [
        statement.module
        for statement in tree.body
        if isinstance(statement, ast.ImportFrom)
        and statement.module
        and not statement.level
        and statement.names[0].name == "*"
    ]
    return {
        name: getattr(sys.modules[module], name, None)
        for module in modules_named
        for name in modules.starred_names(module)
    }


def _refusal(tree: ast.Module, found: flow.Flow, namespace: Mapping[str, Any]) -> str:
    hiding = uses.hidden_reads(tree, flow.DYNAMIC_NAMES) | {"eval", "exec"}
    dynamic = sorted(
        name
        for name in flow.DYNAMIC_NAMES & set(found.reads) & hiding
        if namespace.get(name, getattr(builtins, name)) is getattr(builtins, name)
    )
    if dynamic:
        return f"{', '.join(dynamic)}() hides which names it reads"
    unknown = magics.unknown_magics(tree)
    if unknown:
        return f"what {', '.join(unknown)} reads cannot be seen"
    return ""


def _loose_names(
    found: flow.Flow, namespace: Mapping[str, Any], starred: Mapping[str, Any]
) -> frozenset[str]:
    bound = found.stores | found.late | starred.keys()
    names = (set(found.reads) & bound) - found.guarded
    # a built-in would be read in place of a name that is not bound
    return frozenset(
        name for name in names if name in namespace and not hasattr(builtins, name)
    )


def _key(
    body: Body,
    analysed: ast.Module,
    found: flow.Flow,
    options: CellOptions,
    namespace: Mapping[str, Any],
    unbound: frozenset[str],
) -> tuple[Key, dict[str, Any], Dependencies]:
    collected = Dependencies(hashing.Walk())
    shown = f"{body.interactivity} {'quiet' if body.quiet else 'shown'}"
    code = source.tree_digest(body.tree, shown)
    collected.parts.append(Part("code", code))
    inputs: dict[str, Any] = {}
    for name, chains in sorted(found.reads.items()):
        if name in options.ignore or _is_unread(name, namespace):
            continue
        if name in namespace and name not in unbound:
            _input(collected, name, namespace[name], chains, inputs)
        else:
            collected.builtin(f"input {name}", name)
    for name in _named_in_queries(analysed, inputs) & namespace.keys() - found.stores:
        _input(collected, name, namespace[name], None, inputs)
    collected.extended(
        {node.attr for node in ast.walk(analysed) if isinstance(node, ast.Attribute)}
    )
    _imports(collected, analysed, namespace)
    for variable in sorted(uses.environment_reads(analysed)):
        collected.environment(variable)
    for expression in options.deps:
        collected.add(f"deps {expression}", eval(expression, dict(namespace)))
    collected.parts.extend(setting_parts())
    return Key.of(collected.parts), inputs, collected


def _is_unread(name: str, namespace: Mapping[str, Any]) -> bool:
    return name in _UNREAD and not is_users(namespace.get(name))


def _named_in_queries(tree: ast.Module, inputs: Mapping[str, Any]) -> set[str]:
    """Give the variables that inputs name, where these may be texts for queries."""
    if not uses.has_queries(tree):
        return set()
    texts = [value for value in inputs.values() if isinstance(value, str)]
    return {name for text in texts for name in uses.names_in_query(text)}


def _input(
    collected: Dependencies,
    name: str,
    value: Any,
    chains: set[str] | None,
    inputs: dict[str, Any],
) -> None:
    if isinstance(value, ModuleType):
        collected.named(name, value, chains)
        return
    inputs[name] = value
    collected.value(f"input {name}", value)


def _imports(
    collected: Dependencies, tree: ast.Module, namespace: Mapping[str, Any]
) -> None:
    scope = dict(namespace)
    for name, level, names in uses.imported_modules(tree):
        absolute = modules.absolute_name(name, level, scope)
        collected.imported(absolute, names)
