"""What running code reads: globals, imports, environment, from its instructions."""

from __future__ import annotations

import dis
import functools
from types import CodeType
from typing import Any

from nbcache.keys import source, uses

__all__ = [
    "bound_globals",
    "attributes",
    "deleted_globals",
    "environment",
    "global_chains",
    "hidden",
    "imported",
    "write_only",
]

_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_HIDING = frozenset({"eval", "exec", "globals", "__import__"})
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})


@functools.lru_cache(maxsize=4096)
def global_chains(code: CodeType) -> dict[str, set[str] | None]:
    """Give the globals that code reads, with the attribute chains used of each.

    Returns
    -------
    dict of str to set of str, or None
        None where the object itself is used: passed on, called, subscripted.
    """
    found: dict[str, set[str] | None] = {}
    for one in source.nested_codes(code):
        instructions = list(dis.get_instructions(one))
        for place, instruction in enumerate(instructions):
            if instruction.opname not in _READS:
                continue
            chain = []
            for after in instructions[place + 1 :]:
                if after.opname not in _ATTRIBUTES:
                    break
                chain.append(str(after.argval))
            known = found.setdefault(str(instruction.argval), set())
            if not chain:
                found[str(instruction.argval)] = None
            elif known is not None:
                known.add(".".join(chain))
        local = {*one.co_varnames, *one.co_cellvars, *one.co_freevars}
        found.update(dict.fromkeys(_queried(one) - local))
    return found


def _queried(code: CodeType) -> set[str]:
    """Give the variables that texts for ``DataFrame.query`` and ``eval`` name."""
    if not {"query", "eval"} & set(code.co_names):
        return set()
    texts = (text for text in code.co_consts if isinstance(text, str))
    return {name for text in texts for name in uses.names_in_query(text)}


@functools.lru_cache(maxsize=4096)
def imported(code: CodeType) -> frozenset[tuple[str, int, tuple[str, ...]]]:
    """Give the modules that code imports while it runs.

    Returns
    -------
    frozenset of tuple
        Name, relative level, and the names taken from the module.
    """
    node = source.function_node(code)
    if node is not None:
        return frozenset(uses.imported_modules(node))
    found = set()
    for one in source.nested_codes(code):
        constants: list[Any] = []
        for instruction in dis.get_instructions(one):
            if instruction.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
                constants.append(instruction.argval)
            elif instruction.opname == "IMPORT_NAME":
                level, names = constants[-2:]
                found.add((str(instruction.argval), int(level), tuple(names or ())))
    return frozenset(found)


@functools.lru_cache(maxsize=4096)
def attributes(code: CodeType) -> frozenset[str]:
    """Give the attributes that code uses, of whatever objects."""
    return frozenset(name for one in source.nested_codes(code) for name in one.co_names)


@functools.lru_cache(maxsize=4096)
def bound_globals(code: CodeType) -> frozenset[str]:
    """Give the globals that code binds or deletes."""
    return _named_by(code, "STORE_GLOBAL") | deleted_globals(code)


@functools.lru_cache(maxsize=4096)
def deleted_globals(code: CodeType) -> frozenset[str]:
    """Give the globals that code deletes."""
    return _named_by(code, "DELETE_GLOBAL")


def _named_by(code: CodeType, operation: str) -> frozenset[str]:
    return frozenset(
        str(instruction.argval)
        for one in source.nested_codes(code)
        for instruction in dis.get_instructions(one)
        if instruction.opname == operation
    )


@functools.lru_cache(maxsize=4096)
def hidden(code: CodeType) -> frozenset[str]:
    """Give the built-ins through which code reads names that do not stand in it."""
    node = source.function_node(code)
    found = uses.HIDING_ATTRIBUTES & attributes(code)
    if node is not None:
        return found | frozenset(uses.hidden_reads(node, _HIDING))
    return found | (_HIDING & global_chains(code).keys())


@functools.lru_cache(maxsize=4096)
def write_only(code: CodeType) -> frozenset[str]:
    """Give the globals that a function only writes to; none if no source tells."""
    node = source.function_node(code)
    if node is None:
        return frozenset()
    local = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
    return frozenset(uses.write_only_globals(node) - local)


@functools.lru_cache(maxsize=4096)
def environment(code: CodeType) -> frozenset[str]:
    """Give the environment variables read by a literal name."""
    node = source.function_node(code)
    if node is not None:
        return frozenset(uses.environment_reads(node))
    names = {name for one in source.nested_codes(code) for name in one.co_names}
    if not names & {"environ", "getenv"}:
        return frozenset()
    # without a tree, every text of the code may be the variable's name
    return frozenset(
        constant
        for one in source.nested_codes(code)
        for constant in one.co_consts
        if isinstance(constant, str) and constant.isidentifier()
    )
