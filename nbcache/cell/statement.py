"""A statement in the middle of a cell, as a body of its own."""

from __future__ import annotations

import ast
import sys
from types import FrameType
from typing import Any

from IPython.core.error import UsageError

from nbcache.cell.body import Body

__all__ = ["VALUE", "Statement", "lines_above"]

VALUE = "<value>"
"""Takes the value of an expression until it is given back; no name of a user's."""


class Statement(Body):
    """The statement after a ``%cached``; an expression assigns `VALUE`.

    Parameters
    ----------
    shell : InteractiveShell
        Where it runs.
    text : str
        One line of Python.
    above : list of str
        The lines of the cell above it.

    Raises
    ------
    SyntaxError
        It is no Python.
    UsageError
        It awaits, which a line magic cannot.
    """

    def __init__(self, shell: Any, text: str, above: list[str]) -> None:
        super().__init__(shell, text, "\n".join([*above, text]), above=above)
        if self.is_async:
            raise UsageError("%cached cannot await: use %%cached in line 1 of a cell")
        # a value is given back, not shown
        self.interactivity = "none"
        only = self.tree.body[0] if len(self.tree.body) == 1 else None
        self.is_expression = isinstance(only, ast.Expr)
        if isinstance(only, ast.Expr):
            target = ast.copy_location(ast.Name(VALUE, ast.Store()), only)
            assigned = ast.copy_location(ast.Assign([target], only.value), only)
            self.tree = ast.Module([assigned], [])


def lines_above(shell: Any, raw_cell: str | None) -> list[str]:
    """Give the lines of the running cell above the one that calls a line magic.

    Raises
    ------
    UsageError
        It is called in a function, whose variables it could not see.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals is not shell.user_global_ns:
        frame = frame.f_back
    if frame is None:
        return []
    if frame.f_code.co_name != "<module>":
        raise UsageError("%cached stands outside functions: use @nbcache.cached there")
    lines = (raw_cell or "").splitlines()
    while lines and not lines[0].strip():
        del lines[0]  # IPython leaves these out
    missing = [""] * frame.f_lineno
    return [*lines, *missing][: frame.f_lineno - 1]
