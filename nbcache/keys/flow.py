"""What a cell or function reads and binds, from its syntax tree.

`analyse` answers for a cell: which names may be read before they have definitely
been assigned, and which the cell binds or deletes.  Branches intersect, loops may run
zero times, handlers of a ``try`` start from before it, nested functions and
comprehensions contribute their free names.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from nbcache.keys import uses
from nbcache.keys.handlers import catches_name_errors
from nbcache.keys.scopes import (
    annotated,
    defaults,
    deleted_names,
    dotted,
    free_names,
    global_names,
)
from nbcache.keys.trees import of_tree

__all__ = ["DYNAMIC_NAMES", "Flow", "analyse"]

DYNAMIC_NAMES = frozenset(
    {"eval", "exec", "globals", "locals", "vars", "dir", "__import__"}
)
"""Built-ins that hide from any analysis which names a piece of code reads."""


@dataclass
class Flow:
    """Names of a cell.

    Parameters
    ----------
    reads : dict of str to set of str, or None
        Names that may be read before the cell assigned them; with the attributes
        read off them (``sub.attr`` for a chain), or None where the object itself
        is used.
    stores, deletes : set of str
        Names that the cell may bind, or delete.
    late : set of str
        Names that functions inside bind by ``global``, once they are called.
    late_deletes : set of str
        Those of them that they may delete.
    guarded : set of str
        Names whose reading would not end the cell if they were not bound, because
        something around it may swallow the NameError.
    queried : set of str, or None
        Names that are certainly bound where it first may query a table; None if it
        does not.
    numbered : dict of str to (str, int)
        ``_3`` for ``Out[3]``, ``_i3`` for ``In[3]``: read in place of all of it.
    """

    reads: dict[str, set[str] | None] = field(default_factory=dict)
    stores: set[str] = field(default_factory=set)
    deletes: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    late_deletes: set[str] = field(default_factory=set)
    guarded: set[str] = field(default_factory=set)
    queried: set[str] | None = None
    numbered: dict[str, tuple[str, int]] = field(default_factory=dict)

    def copy(self) -> Flow:
        """Give one that can be changed."""
        reads = {
            name: None if chains is None else set(chains)
            for name, chains in self.reads.items()
        }
        own = {name: set(one) for name, one in vars(self).items() if type(one) is set}
        return replace(self, **own, reads=reads, numbered=dict(self.numbered))


@of_tree
def analyse(tree: ast.Module) -> Flow:
    """Give what a cell's tree reads before assignment, binds and deletes."""
    visitor = _Visitor()
    visitor.swallows = any(map(catches_name_errors, ast.walk(tree)))
    visitor.queries = uses.has_queries(tree)
    visitor.run(tree.body)
    for name in uses.queried_names(tree) - visitor.flow.stores:
        visitor.flow.reads[name] = None
    return visitor.flow


# IPython's history, and the names under which it binds each item too
_HISTORY = {"Out": "_", "_oh": "_", "In": "_i", "_ih": "_i"}


class _Visitor(ast.NodeVisitor):
    """Walk statements in order, holding the names that are certainly assigned."""

    def __init__(self) -> None:
        self.flow = Flow()
        self.assigned: set[str] = set()
        self.swallows = False
        self.queries = False
        self._inside = 0

    def run(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)

    def _read(self, name: str, attribute: str | None = None) -> None:
        if name in self.assigned:
            return
        if self._inside:
            self.flow.guarded.add(name)
        known = self.flow.reads.setdefault(name, set())
        if attribute is None or known is None:
            self.flow.reads[name] = None
        else:
            known.add(attribute)

    def _query(self, node: ast.AST) -> None:
        if self.queries and self.flow.queried is None and uses.has_queries(node):
            self.flow.queried = set(self.assigned)

    def _bind(self, name: str) -> None:
        self.assigned.add(name)
        self.flow.stores.add(name)

    # --- expressions

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._read(node.id)
        elif isinstance(node.ctx, ast.Store):
            self._bind(node.id)
        else:
            self._read(node.id)
            self.assigned.discard(node.id)
            self.flow.deletes.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._query(node)
        root, chain = dotted(node)
        if root is not None and isinstance(node.ctx, ast.Load):
            self._read(root.id, chain)
        else:
            self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        prefix = _HISTORY.get(getattr(node.value, "id", ""))
        number = getattr(node.slice, "value", None)
        is_read = isinstance(node.ctx, ast.Load) and type(number) is int and number > 0
        if prefix is None or not is_read or node.value.id in self.assigned:  # type: ignore[attr-defined]
            self.generic_visit(node)
            return
        name = f"{prefix}{number}"
        self.flow.numbered[name] = node.value.id, number  # type: ignore[attr-defined, assignment]
        self._read(name)

    def visit_Constant(self, node: ast.Constant) -> None:
        if self.queries and isinstance(node.value, str):
            for name in uses.names_in_query(node.value):
                self._read(name)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        # what stands after the first operand may not run
        self.visit(node.values[0])
        self._perhaps(*node.values[1:])

    def _perhaps(self, *nodes: ast.expr) -> None:
        before = set(self.assigned)
        for node in nodes:
            self.visit(node)
        self.assigned = before

    def visit_Compare(self, node: ast.Compare) -> None:
        # what stands after the second operand may not run
        self.visit(node.left)
        self.visit(node.comparators[0])
        self._perhaps(*node.comparators[1:])

    def visit_Assert(self, node: ast.Assert) -> None:
        self.visit(node.test)
        if node.msg is not None:
            self._perhaps(node.msg)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.visit(node.test)
        before = set(self.assigned)
        self.visit(node.body)
        self.assigned = set(before)
        self.visit(node.orelse)
        self.assigned = before

    def _free(self, node: ast.AST) -> None:
        """Read the free names of a nested scope: it may run at any later time."""
        self._inside += self.swallows
        self._query(node)
        bound = global_names(node)
        self.flow.late |= bound
        self.flow.late_deletes |= bound & deleted_names(node)
        for name, attributes in free_names(node).items():
            if attributes is None:
                self._read(name)
            else:
                for attribute in attributes:
                    self._read(name, attribute)
        self._inside -= self.swallows

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in defaults(node.args):
            self.visit(default)
        self._free(node)

    def _comprehension(self, node: ast.AST) -> None:
        # an assignment expression inside binds outside; it may not run
        self.visit(node.generators[0].iter)  # type: ignore[attr-defined]
        self._free(node)
        for inner in ast.walk(node):
            if isinstance(inner, ast.NamedExpr) and isinstance(inner.target, ast.Name):
                self.flow.stores.add(inner.target.id)

    visit_ListComp = _comprehension
    visit_SetComp = _comprehension
    visit_DictComp = _comprehension
    visit_GeneratorExp = _comprehension

    # --- statements

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._read(node.target.id)
        self.visit(node.value)
        self.visit(node.target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.annotation)
        if node.value is not None:
            self.visit(node.value)
            self.visit(node.target)
        elif not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def _branches(self, *bodies: Sequence[ast.stmt]) -> None:
        before = set(self.assigned)
        ends = []
        for body in bodies:
            self.assigned = set(before)
            self.run(body)
            if not _leaves(body):
                ends.append(self.assigned)
        self.assigned = set.intersection(*ends) if ends else before

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches(node.body, node.orelse)

    def _loop(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        before = set(self.assigned)
        self.visit(node.target)
        self.run(node.body)
        self.assigned = set(before)
        self.run(node.orelse)
        self.assigned = before

    visit_For = _loop
    visit_AsyncFor = _loop

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        before = set(self.assigned)
        self.run(node.body)
        self.assigned = set(before)
        self.run(node.orelse)
        self.assigned = before

    def _try(self, node: ast.Try) -> None:
        before = set(self.assigned)
        catching = any(map(catches_name_errors, node.handlers))
        self._inside += catching
        self.run(node.body)
        self._inside -= catching
        self.run(node.orelse)
        ends = [] if _leaves(node.body) else [set(self.assigned)]
        for handler in node.handlers:
            self.assigned = set(before)
            if handler.type is not None:
                self.visit(handler.type)
            self._handler(handler)
            if not _leaves(handler.body):
                ends.append(set(self.assigned))
        self.assigned = set.intersection(*ends) if ends else set(before)
        # the last block also runs when anything before it failed
        after, self.assigned = self.assigned, before
        self.run(node.finalbody)
        self.assigned |= after

    visit_Try = _try
    visit_TryStar = _try  # type: ignore[assignment]

    def _handler(self, handler: ast.ExceptHandler) -> None:
        if handler.name:
            self._bind(handler.name)
        self.run(handler.body)
        if handler.name:
            # Python deletes the name at the end of the handler
            self.assigned.discard(handler.name)
            self.flow.deletes.add(handler.name)

    def visit_Match(self, node: ast.Match) -> None:
        self.visit(node.subject)
        before = set(self.assigned)
        for case in node.cases:
            self.assigned = set(before)
            self.visit(case.pattern)
            if case.guard is not None:
                self.visit(case.guard)
            self.run(case.body)
        self.assigned = before

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self.generic_visit(node)
        if node.name:
            self._bind(node.name)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.generic_visit(node)
        if node.rest:
            self._bind(node.rest)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self.visit(item.optional_vars)
        entered = set(self.assigned)
        self._inside += 1
        self.run(node.body)
        self._inside -= 1
        # a context manager may swallow an exception anywhere in the body
        self.assigned = entered

    visit_With = _with
    visit_AsyncWith = _with

    # --- definitions

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, *defaults(node.args)):
            self.visit(part)
        for annotation in annotated(node):
            self.visit(annotation)
        # the body may be called before the name is bound only through itself
        self.assigned.add(node.name)
        self._free(node)
        self._bind(node.name)

    visit_FunctionDef = _function
    visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases):
            self.visit(part)
        for keyword in node.keywords:
            self.visit(keyword.value)
        self._free(node)
        self._bind(node.name)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._bind_import(alias.asname or alias.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._bind_import(alias.asname or alias.name)

    def _bind_import(self, name: str) -> None:
        if name != "*":
            self._bind(name)


def _leaves(body: Sequence[ast.stmt]) -> bool:
    """Say whether control never passes the end of a block."""
    return bool(body) and isinstance(
        body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break
    )
