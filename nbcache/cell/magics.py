"""Magics and shell lines inside a cell: what the code in their text reads.

IPython turns ``%time f(x)`` into a call with the text ``f(x)``.  For an analysis the
call is replaced by that text's own statements, where the magic is known to run it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["expanded", "is_magic", "sets_up", "unknown_magics"]

_RUNS_CODE = frozenset({"time", "timeit", "prun"})
_READS_NOTHING = frozenset({"matplotlib", "config"})
_OPTIONS = re.compile(r"^(?:\s*-[a-zA-Z]\S*(?:\s+\d+(?=\s))?)*\s*(?:--\s+)?")
_SETTING = re.compile(r"^\s*\w+\s*[=\s]\s*[^\s{}$][^{}$]*$")
_BRACES = re.compile(r"\{([^{}]+)\}")
_DOLLAR = re.compile(r"(?<!\$)\$([A-Za-z_]\w*)")


def expanded(shell: Any, tree: ast.Module) -> ast.Module:
    """Give a cell's tree for analysis, with the code inside magics in the open."""
    body: list[ast.stmt] = []
    for statement in tree.body:
        inner = [found for call in _calls(statement) for found in _code(shell, *call)]
        if inner and isinstance(statement, ast.Expr):
            body += inner
        else:
            body += [*inner, statement]
    return ast.Module(body, [])


def unknown_magics(tree: ast.Module) -> list[str]:
    """Name the magics of a cell that may read and do anything."""
    found = []
    for statement in tree.body:
        for kind, texts in _calls(statement):
            name = texts[0] if texts else "?"
            if kind in ("system", "getoutput"):
                continue
            known = name in _RUNS_CODE | _READS_NOTHING or _sets_variable(texts)
            if kind == "run_cell_magic" and name not in ("time", "timeit", "prun"):
                found.append(f"%%{name}")
            elif not known:
                found.append(f"%{name}")
    uses = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "get_ipython"
    ]
    calls = [call for statement in tree.body for call in _calls(statement)]
    if len(uses) > len(calls):
        found.append("get_ipython()")
    return found


def sets_up(statement: ast.stmt) -> bool:
    """Say whether a statement is a magic that only sets up how things are shown."""
    calls = list(_calls(statement)) if isinstance(statement, ast.Expr) else []
    return any(
        kind == "run_line_magic"
        and texts[:1] in (["matplotlib"], ["config"])
        and not set("{}$").intersection("".join(texts[1:]))
        for kind, texts in calls
    )


def _sets_variable(texts: list[str]) -> bool:
    """Say whether a magic only sets an environment variable to a text as it stands."""
    return texts[:1] in (["env"], ["set_env"]) and any(map(_SETTING.match, texts[1:]))


def is_magic(statement: ast.stmt) -> bool:
    """Say whether a statement is a magic or shell line and nothing else."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    found = list(_calls(statement))
    return len(found) == 1 and not _code_of(found[0])


def _code_of(call: tuple[str, list[str]]) -> bool:
    """Say whether a magic runs the code in its text."""
    kind, texts = call
    return kind.startswith("run_") and bool(texts) and texts[0] in _RUNS_CODE


def _calls(statement: ast.stmt) -> Iterator[tuple[str, list[str]]]:
    """Give the calls that IPython made of magics and ``!``, with their texts."""
    for node in ast.walk(statement):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        if not (
            isinstance(owner, ast.Call)
            and isinstance(owner.func, ast.Name)
            and owner.func.id == "get_ipython"
        ):
            continue
        kind = node.func.attr
        if kind in ("run_line_magic", "run_cell_magic", "system", "getoutput"):
            texts = [
                one.value
                for one in node.args
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            yield kind, texts


def _code(shell: Any, kind: str, texts: list[str]) -> list[ast.stmt]:
    """Give the statements in the text of a magic or shell line."""
    if kind in ("system", "getoutput"):
        line = texts[0] if texts else ""
        names = _BRACES.findall(line) + _DOLLAR.findall(line)
        return [statement for text in names for statement in _parse(shell, text)]
    if not texts or texts[0] not in _RUNS_CODE:
        return []
    if kind == "run_cell_magic":
        line = _OPTIONS.sub("", texts[1], count=1)
        return _parse(shell, line) + _parse(shell, texts[2])
    return _parse(shell, _OPTIONS.sub("", texts[1], count=1))


def _parse(shell: Any, text: str) -> list[ast.stmt]:
    try:
        tree = ast.parse(shell.transform_cell(text))
    except SyntaxError:
        return []
    return expanded(shell, tree).body
