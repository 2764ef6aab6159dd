"""What running code reads: globals, imports, environment, from its instructions."""

from __future__ import annotations

import dis
import functools
from types import CodeType
from typing import Any

from nbcache.keys import source, uses

__all__ = ["environment", "global_chains", "imported", "write_only"]

_READS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
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
    return found


@functools.lru_cache(maxsize=4096)
def imported(code: CodeType) -> frozenset[tuple[str, int]]:
    """Give the modules that code imports while it runs: name and relative level."""
    found = set()
    for one in source.nested_codes(code):
        level = 0
        constants: list[Any] = []
        for instruction in dis.get_instructions(one):
            if instruction.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
                constants.append(instruction.argval)
            elif instruction.opname == "IMPORT_NAME":
                level = constants[-2] if len(constants) > 1 else 0
                found.add((str(instruction.argval), int(level or 0)))
    return frozenset(found)


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
