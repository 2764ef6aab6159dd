"""Compile and run the body of a cell as IPython would run the cell.

A magic that hands its body to `run_cell` hides errors, loses the result or shifts
lines.  So the body is compiled here, under the file name and with the line numbers of
the whole cell: the lines above it, with the magic, become comments.
"""

from __future__ import annotations

import ast
import asyncio
import copy
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import CodeType
from typing import Any

from IPython.core.error import UsageError

from nbcache.cell.capture import muted
from nbcache.cell.parsing import parse, register
from nbcache.cell.tracebacks import user_traceback

__all__ = ["Body", "run_nodes", "user_traceback"]


class Body:
    """The body of a cell, compiled in place.

    Parameters
    ----------
    shell : InteractiveShell
        Where it runs.
    body : str
        What the cell magic was given.
    raw_cell : str, optional
        The whole cell as the user sees it.  If it is a cell magic that ends with the
        body, line numbers are the cell's; else they are the body's own.
    above : sequence of str, optional
        The lines of the cell above the body, where the caller knows them.

    Attributes
    ----------
    raw : str
        The text whose lines the tree's line numbers count.
    source : str
        The body as Python: magics and ``!`` lines are transformed.
    tree : ast.Module
        Of the source, with the line numbers of the whole cell; not to be changed.
    filename : str
        Under which `linecache` has the text; "Cell In[n]" in tracebacks.
    quiet : bool
        Whether a ``;`` at the end hides the result.
    is_async : bool
        Whether it awaits at its top level.
    interactivity : str
        Which statements show their value: `ast_node_interactivity` of the shell.
    watched : callable (ast.stmt) -> context manager
        In which a statement is run.

    Raises
    ------
    SyntaxError
        If it is no Python, at the line of the cell where it stands.
    """

    def __init__(
        self,
        shell: Any,
        body: str,
        raw_cell: str | None,
        *,
        above: Sequence[str] | None = None,
    ) -> None:
        self._shell = shell
        above = _lines_above(body, raw_cell) if above is None else above
        # A name of its own where the body is but a part of the cell: the cell's name
        # must keep giving the whole cell.
        raw = body if above is None else raw_cell or body
        self.raw = raw
        number = shell.displayhook.prompt_count
        try:
            parsed = parse(shell, above or (), body)
        except SyntaxError as error:
            error.filename = register(shell, raw, number, raw)
            raise
        self.source = parsed.source
        self.filename = register(shell, parsed.text, number, raw)
        self.tree = _transformed(shell, parsed.tree)
        self.quiet = parsed.quiet
        self.is_async = bool(shell.autoawait and parsed.awaits)
        self.interactivity: str = shell.ast_node_interactivity
        self.watched: Callable[[ast.stmt], AbstractContextManager[None]] = lambda _: (
            nullcontext()
        )

    def run(self) -> None:
        """Run it in the shell's namespace, statement by statement.

        Raises
        ------
        UsageError
            If it awaits, but an event loop runs already.
        BaseException
            Whatever the body raises.
        """
        __tracebackhide__ = True
        shell = self._shell
        if self.is_async:
            _require_no_loop()
            shell.loop_runner(self.run_async())
            return
        for code in self._codes():
            exec(code, shell.user_global_ns, shell.user_ns)

    async def run_async(self) -> None:
        """Run it in the shell's namespace, awaiting what it awaits.

        Raises
        ------
        BaseException
            Whatever the body raises.
        """
        __tracebackhide__ = True
        shell = self._shell
        for code in self._codes():
            if code.co_flags & inspect.CO_COROUTINE:
                await eval(code, shell.user_global_ns, shell.user_ns)
            else:
                exec(code, shell.user_global_ns, shell.user_ns)

    def _codes(self) -> Iterator[CodeType]:
        """Code of each statement, compiled when its turn comes.

        Only then are some errors found (``return`` outside a function), and IPython
        runs what stands before.
        """
        for node, shows in _units(self.tree.body, self.interactivity, self.quiet):
            with self.watched(node):
                yield _compile(self._shell, node, self.filename, shows)


def run_nodes(
    shell: Any, nodes: list[ast.stmt], filename: str, namespace: dict[str, Any]
) -> None:
    """Execute statements in a namespace of their own, showing nothing.

    Parameters
    ----------
    shell : InteractiveShell
        Whose compiler flags apply.
    nodes : list of ast.stmt
        Imports and definitions from the tree of a `Body`.
    filename : str
        Of that body.
    namespace : dict
        Receives the names.

    Raises
    ------
    BaseException
        Whatever the statements raise.
    """
    __tracebackhide__ = True
    with muted(shell):
        for node in nodes:
            exec(_compile(shell, node, filename, shows=False), namespace)


def _require_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "this cell uses await, so %%cached must be the first line of the cell"
    )


# ------------------------------------------------------------------ where it stands


def _lines_above(body: str, raw_cell: str | None) -> list[str] | None:
    """Give the lines of the cell above the body, None if it is not such a cell."""
    if raw_cell is None or not raw_cell.lstrip().startswith("%%"):
        return None
    lines, end = raw_cell.rstrip().splitlines(), body.rstrip().splitlines()
    above = len(lines) - len(end)
    # Indentation and prompts in front of the lines are gone in the body.
    if above < 1 or not all(map(str.endswith, lines[above:], end)):
        return None
    return lines[:above]


def _transformed(shell: Any, tree: ast.Module) -> ast.Module:
    """Give the tree as the shell's transformers leave it; they may change it."""
    if not shell.ast_transformers:
        return tree
    changed: ast.Module = shell.transform_ast(copy.deepcopy(tree))
    return changed


# ------------------------------------------------------------------- what is shown


def _units(
    body: list[ast.stmt], interactivity: str, quiet: bool
) -> Iterator[tuple[ast.stmt, bool]]:
    """Statements in order, each with whether it shows its value."""
    nodes = list(body)
    if interactivity == "last_expr_or_assign" and nodes:
        nodes += _name_of_assigned(nodes[-1])
    shown = 0
    if not nodes or quiet or interactivity == "none":
        shown = 0
    elif interactivity == "all":
        shown = len(nodes)
    elif interactivity == "last" or isinstance(nodes[-1], ast.Expr):
        shown = 1
    for place, node in enumerate(nodes):
        yield node, place >= len(nodes) - shown


def _name_of_assigned(node: ast.stmt) -> list[ast.stmt]:
    """Give an expression for what a statement assigns to a single name."""
    target: ast.expr | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        target = node.target
    if not isinstance(target, ast.Name):
        return []
    name = ast.copy_location(ast.Name(target.id, ast.Load()), target)
    return [ast.copy_location(ast.Expr(name), node)]


def _compile(shell: Any, node: ast.stmt, filename: str, shows: bool) -> CodeType:
    module: ast.mod = ast.Interactive([node]) if shows else ast.Module([node], [])
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0
    with shell.compile.extra_flags(flags):
        code: CodeType = shell.compile(module, filename, "single" if shows else "exec")
    return code
