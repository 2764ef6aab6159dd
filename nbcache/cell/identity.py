"""The key of a cell: its code and every value that it may read."""

from __future__ import annotations

import ast
import builtins
import functools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any

from nbcache.cell import magics
from nbcache.cell.body import Body
from nbcache.cell.lasting_calls import lasting_call
from nbcache.cell.options import CellOptions
from nbcache.cell.resizing import require_no_resizing
from nbcache.cell.scripts import importable
from nbcache.keys import details, flow, hashing, modules, source, uses
from nbcache.keys.dependencies import Dependencies, is_users
from nbcache.keys.files import file_parts
from nbcache.keys.key import Key, Part
from nbcache.surroundings.settings import setting_parts
from nbcache.trace.named import Named

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
    held : tuple of function
        Those, and the functions inside its inputs: what they read is in the key too.
    refused : str
        Why no result of it may be kept; '' if it may.
    analysed : ast.Module, optional
        Its code with that inside magics and scripts in the open.
    """

    flow: flow.Flow
    key: Key
    also: tuple[Key, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    functions: tuple[FunctionType, ...] = ()
    held: tuple[FunctionType, ...] = ()
    refused: str = ""
    analysed: ast.Module | None = None

    def named(self, tree: ast.Module) -> Named:
        """Give what the cell and the functions that it reaches name and get."""
        named = Named()
        named.add_tree(self.analysed or tree)
        for function in self.functions:
            named.add_code(function.__code__)
        named.add_values(self.inputs.values())
        named.add_values(self.values.values())
        return named


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
    Not without names that it deletes: the entry does not say that it would.
    """
    expansion = magics.expanded(shell, body.tree)
    found = flow.analyse(expansion.tree)
    _read_history(found, namespace)
    refused = _refusal(body.tree, expansion, found, namespace, options.trust_magics)
    loose = _loose_names(found, namespace, starred_values(expansion.tree))
    with importable(expansion.scripts):
        key, inputs, collected = _key(
            body, expansion, found, options, namespace, frozenset()
        )
        also = []
        if loose:
            also.append(_key(body, expansion, found, options, namespace, loose)[0])
    reached = {
        label: value
        for label, value in collected.values.items()
        if not label.startswith("input ")
    }
    reached |= {f"in {label}": holder for label, holder in collected.holders.items()}
    functions = collected.functions()
    require_no_resizing(expansion.tree, functions, {**reached, **inputs}, namespace)
    return CellIdentity(
        found,
        key,
        tuple(also),
        inputs,
        reached,
        functions,
        tuple(collected.walk.functions.values()),
        refused,
        expansion.tree,
    )


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


def _refusal(
    tree: ast.Module,
    expansion: magics.Expansion,
    found: flow.Flow,
    namespace: Mapping[str, Any],
    trusted: bool,
) -> str:
    """Say what hides the names that a cell reads; '' if nothing does.

    Of trusted magics neither what they do counts nor the code in their texts.
    """
    seen = tree if trusted else expansion.tree
    hiding = uses.hidden_reads(seen, flow.DYNAMIC_NAMES) | {"eval", "exec"}
    if trusted:
        found = flow.analyse(tree)
    dynamic = sorted(
        name
        for name in flow.DYNAMIC_NAMES & set(found.reads) & hiding
        if namespace.get(name, getattr(builtins, name)) is getattr(builtins, name)
    )
    if dynamic:
        return f"{', '.join(dynamic)}() hides which names it reads"
    if expansion.unknown and not trusted:
        return (
            f"what {', '.join(expansion.unknown)} reads cannot be seen. If it reads "
            "nothing that changes: --trust-magics"
        )
    whole = sorted(uses.attributes(seen) & uses.HIDING_ATTRIBUTES)
    whole += sorted(name for name in found.reads if _is_main(namespace.get(name)))
    if whole or _imports_main(seen):
        return f"{', '.join(whole) or '__main__'} hides which names it reads"
    return lasting_call(tree, namespace)


def _is_main(value: Any) -> bool:
    return isinstance(value, ModuleType) and value.__name__ == "__main__"


def _imports_main(tree: ast.Module) -> bool:
    """Say whether it gets at the notebook as a module, whose attributes are names."""
    named = any(name == "__main__" for name, _, _ in uses.imported_modules(tree))
    return named or any(
        isinstance(node, ast.Subscript)
        and getattr(node.value, "attr", getattr(node.value, "id", "")) == "modules"
        and getattr(node.slice, "value", "__main__") in ("__main__", "__name__")
        for node in ast.walk(tree)
    )


def _read_history(found: flow.Flow, namespace: Mapping[str, Any]) -> None:
    """Have the whole history read where ``_3`` is not what ``Out[3]`` is."""
    for name, (history, number) in found.numbered.items():
        try:
            is_same = namespace[history][number] is namespace[name]
        except (LookupError, TypeError):
            is_same = False
        if not is_same:
            found.reads[history] = None


def _loose_names(
    found: flow.Flow, namespace: Mapping[str, Any], starred: Mapping[str, Any]
) -> frozenset[str]:
    bound = found.stores | found.late | starred.keys()
    names = (set(found.reads) & bound) - found.guarded
    names -= found.deletes | found.late_deletes
    # a built-in would be read in place of a name that is not bound
    return frozenset(
        name for name in names if name in namespace and not hasattr(builtins, name)
    )


def _key(
    body: Body,
    expansion: magics.Expansion,
    found: flow.Flow,
    options: CellOptions,
    namespace: Mapping[str, Any],
    unbound: frozenset[str],
) -> tuple[Key, dict[str, Any], Dependencies]:
    opaque = {name: namespace[name] for name in options.opaque if name in namespace}
    collected = Dependencies(hashing.Walk(opaque=opaque.values()))
    collected.parts.extend(_code_parts(body, expansion))
    analysed = expansion.tree
    inputs: dict[str, Any] = {}
    for name, chains in sorted(found.reads.items()):
        if name in options.ignore or _is_unread(name, namespace):
            continue
        if name in opaque:
            inputs[name] = opaque[name]
            collected.add(f"input {name}", type(opaque[name]))
        elif name in namespace and name not in unbound:
            _input(collected, name, namespace[name], chains, inputs)
        else:
            collected.builtin(f"input {name}", name)
    known = found.queried or set()
    for name in _named_in_queries(analysed, inputs) & namespace.keys() - known:
        _input(collected, name, namespace[name], None, inputs)
    collected.extended(uses.attributes(analysed))
    _imports(collected, analysed, namespace)
    for variable in sorted(uses.environment_reads(analysed, stores=False)):
        collected.environment(variable)
    for expression in options.deps:
        collected.add(f"deps {expression}", eval(expression, dict(namespace)))
    for pattern in options.files:
        collected.parts.extend(file_parts(pattern))
    collected.parts.extend(setting_parts())
    key = Key.of(collected.parts)
    return key.without_summaries() if options.private else key, inputs, collected


def _code_parts(body: Body, expansion: magics.Expansion) -> Iterator[Part]:
    """Give the cell's own code, and that of the scripts it runs."""
    shown = f"{body.interactivity} {'quiet' if body.quiet else 'shown'}"
    text = functools.partial(details.text_details, body.raw)
    yield Part("code", source.tree_digest(body.tree, shown), describe=text)
    for script in expansion.scripts:
        yield Part(f"run {script.path}", source.tree_digest(script.tree))


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
