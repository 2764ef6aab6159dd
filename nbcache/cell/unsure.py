"""Names that a cell binds or deletes in some runs only: under a condition, in a loop.

Where such a name has a value before the run, the value alone does not tell whether the
cell bound it: it may be the same object.  While the cell runs, the names are therefore
unbound; those that still are at the end get their values back, and are not stored.

Where the cell deletes a name that it has bound itself, there may be nothing to delete
before the run, and nothing is left after it, whether it was deleted or not.  While the
cell runs, a mark stands in its place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from nbcache.cell.identity import CellIdentity
from nbcache.cell.names import deleted_names, is_ipythons
from nbcache.keys import reading
from nbcache.surroundings.threads import ThreadWatch

__all__ = ["Unsure"]

_MARK = object()


class Unsure:
    """Takes names away for the time of a run; a context manager.

    Parameters
    ----------
    tree : ast.Module
        The cell.
    identity : CellIdentity
        What it binds and reads.  What it or functions within its reach read stays: the
        key holds that.
    namespace : dict
        The notebook's.

    Attributes
    ----------
    names : set of str
        Those that the run may bind or delete, or not.
    unbound : set of str
        Once it has ended: names that the run did not touch.
    refused : str
        Why that cannot be told; '' if it can.
    """

    def __init__(
        self,
        tree: ast.Module,
        identity: CellIdentity,
        namespace: dict[str, Any],
    ) -> None:
        flow = identity.flow
        codes = [function.__code__ for function in identity.held]
        read = {*flow.reads, *identity.inputs}
        for code in codes:
            read |= reading.global_chains(code).keys() | reading.deleted_globals(code)
        bound = flow.stores | flow.late
        for function, code in zip(identity.held, codes, strict=True):
            if function.__globals__ is namespace:
                bound |= reading.bound_globals(code)
        sure = {name for statement in tree.body for name in _targets(statement)}
        names = (bound - sure) | flow.deletes
        self.names = {
            name for name in names if name not in read and not is_ipythons(name)
        }
        if identity.refused:
            self.names = set()  # nothing is stored, and more may be read than is known
        self._deletes = self.names & flow.deletes
        self._namespace = namespace
        self._values: dict[str, Any] = {}
        self._marked: set[str] = set()
        self.unbound: set[str] = set()
        self.refused = ""

    def while_among(self, threads: ThreadWatch) -> Self:
        """Take nothing away where code of the user's runs meanwhile: it may need it."""
        names = sorted(self.names & self._namespace.keys())
        others = threads.others()
        if names and others:
            self.names = self._deletes = set()
            self.refused = (
                f"whether it binds or deletes {names[0]!r} cannot be told while "
                f"{others[0]} runs. Wait for its end first"
            )
        return self

    def deleted(self, before: Mapping[str, Any]) -> list[str]:
        """Give the user's names that the run deleted, bound before it or not."""
        gone = self._marked - self._namespace.keys() - before.keys() - self.unbound
        return deleted_names(before, self._namespace) + sorted(gone)

    def __enter__(self) -> None:
        taken = self.names & self._namespace.keys()
        self._values = {name: self._namespace[name] for name in taken}
        self._marked = set(self._deletes)
        try:
            for name in taken:
                del self._namespace[name]
            self._namespace.update(dict.fromkeys(self._marked, _MARK))
        except BaseException:
            self._put_back()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._put_back()

    def _put_back(self) -> None:
        now = self._namespace
        untouched = {name for name in self._marked if now.get(name) is _MARK}
        untouched |= self._values.keys() - self._marked - now.keys()
        now.update(
            {name: self._values[name] for name in untouched & self._values.keys()}
        )
        for name in untouched - self._values.keys():
            del now[name]
        self.unbound = untouched
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
