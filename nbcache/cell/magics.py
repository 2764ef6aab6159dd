"""Magics and shell lines inside a cell: what the code in their text reads and binds.

IPython turns ``%time f(x)`` into a call with the text ``f(x)``.  For an analysis the
call is replaced by that text's own statements, where the magic is known to run it.
What is not known may read and do anything, so no result of such a cell is kept.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nbcache.cell.magic_texts import (
    expansions,
    option_value,
    runs_code,
    shell_reads,
    split_words,
    without_options,
)
from nbcache.cell.scripts import Script, asked_script

__all__ = ["Expansion", "expanded", "is_magic", "is_repeated", "magic_names"]

# what they do is done again on a hit: cheap, and of no effect the second time
_REPEATED = frozenset(
    {"autoreload", "config", "load_ext", "matplotlib", "precision", "reload_ext"}
)
_SHELL = frozenset({"!", "sx", "system"})
_PROGRAMS = frozenset({"bash", "script", "sh"})
_SHOWS = frozenset(
    {"HTML", "SVG", "html", "javascript", "js", "latex", "markdown", "svg"}
)
_WRITES = frozenset({"file", "writefile"})
# set an environment variable to a text as it stands, which a hit does as well
_VARIABLES = frozenset({"env", "set_env"})
_SETTING = re.compile(r"^\s*\w+\s*[=\s]\s*[^\s{}$][^{}$]*$")
_EXIT_CODE = "_exit_code"


@dataclass
class Expansion:
    """A cell's tree for analysis, with the code inside magics in the open.

    Parameters
    ----------
    tree : ast.Module
        Its statements; a name that is none stands for a scope of its own.
    unknown : list of str
        The magics that may read and do anything.
    scripts : list of Script
        The files that it runs.
    """

    tree: ast.Module
    unknown: list[str] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)


def expanded(shell: Any, tree: ast.Module) -> Expansion:
    """Replace the magics of a cell by what is in their text.

    Parameters
    ----------
    shell : InteractiveShell
        Whose transformers apply to these texts.
    tree : ast.Module
        The cell; it is not changed.

    Returns
    -------
    Expansion
        With the same tree where the cell has no magics.
    """
    if not any(map(_is_get_ipython, ast.walk(tree))):
        return Expansion(tree)
    found = Expansion(tree)
    found.tree = _Expand(shell, found).visit(copy.deepcopy(tree))
    return found


def magic_names(tree: ast.Module) -> set[str]:
    """Give the magics that a cell calls, as they are written: ``%time``."""
    calls = map(_as_call, ast.walk(tree))
    return {call.shown for call in calls if call is not None}


def is_magic(statement: ast.stmt) -> bool:
    """Say whether a statement is a magic that runs no code in its text, or ``!``."""
    call = _call_of(statement)
    return call is not None and not runs_code(call.name)


def is_repeated(statement: ast.stmt) -> bool:
    """Say whether a statement is a magic that a hit executes again."""
    call = _call_of(statement)
    if call is None or call.kind != "run_line_magic" or call.name not in _REPEATED:
        return False
    if expansions(call.text) or call.name != "config":
        return not expansions(call.text)
    # a trait's value may be any expression
    _, equals, value = call.text.partition("=")
    try:
        ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return False
    return bool(equals)


@dataclass(frozen=True)
class _Call:
    """A call that IPython made of a magic or ``!``."""

    kind: str
    texts: tuple[str, ...]

    @property
    def name(self) -> str:
        return "!" if self.kind in ("system", "getoutput") else self.texts[0]

    @property
    def text(self) -> str:
        return self.texts[-1] if self.name == "!" else self.texts[1]

    @property
    def body(self) -> str:
        return self.texts[2] if self.kind == "run_cell_magic" else ""

    @property
    def shown(self) -> str:
        mark = "%%" if self.kind == "run_cell_magic" else "%"
        return self.name if self.name == "!" else f"{mark}{self.name}"


_TEXTS = {"run_line_magic": 2, "run_cell_magic": 3, "system": 1, "getoutput": 1}


def _is_get_ipython(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "get_ipython"


def _as_call(node: ast.AST) -> _Call | None:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return None
    owner, kind = node.func.value, node.func.attr
    if not (isinstance(owner, ast.Call) and _is_get_ipython(owner.func)):
        return None
    texts = tuple(
        one.value
        for one in node.args
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    )
    if len(texts) != len(node.args) or len(texts) != _TEXTS.get(kind):
        return None
    return _Call(kind, texts)


def _call_of(statement: ast.stmt) -> _Call | None:
    """Give the magic that a whole statement is; None for another statement."""
    return _as_call(statement.value) if isinstance(statement, ast.Expr) else None


class _Expand(ast.NodeTransformer):
    """Put the statements of magics in the place of the calls."""

    def __init__(self, shell: Any, found: Expansion) -> None:
        self._shell = shell
        self._found = found
        self._depth = 0

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, ast.stmt):
            return self.generic_visit(node)
        own = list(_own_expressions(node))
        calls = [call for one in own if (call := _as_call(one)) is not None]
        inner = [statement for call in calls for statement in self._code(call)]
        if sum(map(_is_get_ipython, own)) > len(calls):
            self._found.unknown.append("get_ipython()")
        if calls and self._depth and any(call.name in _REPEATED for call in calls):
            self._unknown(calls[0])
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        if inner and _call_of(node) is not None:
            return inner
        return [*inner, node]

    def _unknown(self, call: _Call) -> list[ast.stmt]:
        self._found.unknown.append(call.shown)
        return []

    def _code(self, call: _Call) -> list[ast.stmt]:
        """Give the statements that a magic executes, binds and reads."""
        name = call.name
        if name == "!" or name in _SHELL:
            return self._shell_line(call)
        if runs_code(name):
            return self._timed(call)
        if call.kind == "run_line_magic" and name in _REPEATED:
            return self._repeated(call)
        if call.kind == "run_line_magic" and name in _VARIABLES:
            return [] if _SETTING.match(call.text) else self._unknown(call)
        if call.kind == "run_line_magic":
            return self._run(call) if name == "run" else self._unknown(call)
        if expansions(call.text):
            return self._unknown(call)
        if name == "capture":
            names = [one for one in split_words(call.text) if one[:1] != "-"]
            return [*self._parsed(call, call.body), *_bindings(names)]
        if name in _PROGRAMS:
            return self._program(call)
        return [] if name in _SHOWS | _WRITES else self._unknown(call)

    def _parsed(self, call: _Call, text: str) -> list[ast.stmt]:
        """Give the statements of a text, its own magics expanded."""
        try:
            tree = ast.parse(self._shell.transform_cell(text))
        except SyntaxError:
            return self._unknown(call)
        inner = expanded(self._shell, tree)
        self._found.unknown += inner.unknown
        self._found.scripts += inner.scripts
        if any(
            (found := _call_of(one)) is not None and found.name in _REPEATED
            for one in tree.body
        ):
            # a hit repeats those of the cell itself
            return self._unknown(call)
        return inner.tree.body

    def _timed(self, call: _Call) -> list[ast.stmt]:
        text = without_options(call.name, call.text)
        if text is None:
            return self._unknown(call)
        statements = self._parsed(call, text) + self._parsed(call, call.body)
        # its code runs in a function: what it binds stays there
        return self._scope(call, statements) if call.name == "timeit" else statements

    def _shell_line(self, call: _Call) -> list[ast.stmt]:
        if call.kind == "run_cell_magic" and call.text.strip():
            return self._unknown(call)
        texts = shell_reads(call.body or call.text)
        read = [statement for text in texts for statement in self._parsed(call, text)]
        return [*read, *(_bindings([_EXIT_CODE]) if call.kind == "system" else ())]

    def _program(self, call: _Call) -> list[ast.stmt]:
        words = split_words(call.text)
        if {"--bg", "--proc"} & {word.partition("=")[0] for word in words}:
            return self._unknown(call)
        names = [option_value(words, option) for option in ("--out", "--err")]
        return _bindings([name for name in names if name])

    def _repeated(self, call: _Call) -> list[ast.stmt]:
        statement = ast.parse(
            f"get_ipython().run_line_magic({call.name!r}, {call.text!r})"
        ).body[0]
        return [] if is_repeated(statement) else self._unknown(call)

    def _run(self, call: _Call) -> list[ast.stmt]:
        script = asked_script(call.text)
        if script is None:
            return self._unknown(call)
        self._found.scripts.append(script)
        if script.inside:
            inner = expanded(self._shell, script.tree)
            self._found.unknown += inner.unknown
            return inner.tree.body
        # in a namespace of its own, whose names are given to the notebook at the end
        scope = self._scope(call, script.tree.body)
        return [*scope, *_bindings(sorted(script.names))]

    def _scope(self, call: _Call, body: list[ast.stmt]) -> list[ast.stmt]:
        """Give statements as the body of a function, under a name that no code has."""
        outer = ast.parse("def __nbcache_scope__(): pass").body[0]
        assert isinstance(outer, ast.FunctionDef)
        outer.body = body or outer.body
        try:
            compile(ast.Module([outer], []), "<scope>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            # `from module import *`
            return self._unknown(call)
        return [outer]


def _own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Give the nodes of a statement, without those of the statements inside it."""
    waiting: list[ast.AST] = list(ast.iter_child_nodes(statement))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt):
            continue
        yield node
        waiting += ast.iter_child_nodes(node)


def _bindings(names: list[str]) -> list[ast.stmt]:
    return [
        ast.parse(f"{name} = None").body[0] for name in names if name.isidentifier()
    ]
