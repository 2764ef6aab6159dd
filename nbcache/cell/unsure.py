"""Names that a cell binds in some runs only: under a condition, in a loop, in a `try`.

Where such a name has a value before the run, the value alone does not tell whether the
cell bound it: it may be the same object.  While the cell runs, the names are therefore
unbound; those that still are at the end get their values back, and are not stored.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from nbcache.cell.identity import CellIdentity
from nbcache.cell.names import is_ipythons
from nbcache.keys.source import nested_codes

__all__ = ["Unsure"]


class Unsure:
    """Takes names away for the time of a run; a context manager.

    Parameters
    ----------
    tree : ast.Module
        The cell.
    identity : CellIdentity
        What it binds and reads.  What functions that it reaches name, stays too.
    namespace : dict
        The notebook's.

    Attributes
    ----------
    unbound : set of str
        Once it has ended: names that the run did not bind.
    """

    def __init__(
        self,
        tree: ast.Module,
        identity: CellIdentity,
        namespace: dict[str, Any],
    ) -> None:
        flow = identity.flow
        read = flow.reads.keys() | flow.deletes  # these stay
        sure = {name for statement in tree.body for name in _targets(statement)}
        needed = {
            name
            for function in identity.functions
            for code in nested_codes(function.__code__)
            for name in code.co_names
        }
        self._names = {
            name
            for name in flow.stores | flow.late
            if name not in sure
            and name not in read
            and name not in needed
            and not is_ipythons(name)
        }
        self._namespace = namespace
        self._values: dict[str, Any] = {}
        self.unbound: set[str] = set()

    def __enter__(self) -> None:
        for name in self._names & self._namespace.keys():
            self._values[name] = self._namespace.pop(name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.unbound = self._values.keys() - self._namespace.keys()
        for name in self.unbound:
            self._namespace[name] = self._values[name]
        self._values = {}


def _targets(statement: ast.stmt) -> Iterator[str]:
    """Give the names that a statement binds whenever it ends without an error."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target] if statement.value is not None else []
    elif isinstance(statement, ast.With | ast.AsyncWith):
        targets = [one.optional_vars for one in statement.items if one.optional_vars]
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    for target in targets:
        for node in ast.walk(target):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
