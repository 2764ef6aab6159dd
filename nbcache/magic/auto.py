"""``%nbcache auto``: every following cell as if ``%%cached`` stood above it."""

from __future__ import annotations

import ast
from typing import Any

from IPython.core.magic import Magics, magics_class

from nbcache.cell import magics
from nbcache.cell.body import Body
from nbcache.cell.parsing import parse
from nbcache.magic.arguments import asked_of
from nbcache.magic.cells import NbcacheMagics

__all__ = ["NbcacheAutoMagics"]

_CALL = "get_ipython().magics_manager.registry['NbcacheAutoMagics']"
# what only defines costs nothing and would have to be executed on a hit as well
_DEFINES = (
    *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef),
    *(ast.ClassDef, ast.Pass, ast.Global),
)
_STEERS = ("%nbcache", "%cached", "%load_ext", "%reload_ext", "%unload_ext")


@magics_class
class NbcacheAutoMagics(Magics):
    """Rewrites cells, and runs what it made of them.

    Parameters
    ----------
    shell : InteractiveShell
        Whose cells they are.
    cells : NbcacheMagics
        Does what ``%%cached`` does.
    """

    shell: Any

    def __init__(self, shell: Any, cells: NbcacheMagics) -> None:
        super().__init__(shell)
        self._cells = cells
        self._line: str | None = None
        self._running = 0
        self._is_parsing = False

    def switch(self, line: str | None) -> None:
        """Switch on, with options of ``%%cached`` for all cells; None: off."""
        if line is not None:
            asked_of(self._cells.cached, line)
        self._line = line

    # --- which cells

    def transformer(self) -> Any:
        """Give the transformer for ``shell.input_transformers_cleanup``."""

        def transform(lines: list[str]) -> list[str]:
            # inside a cell, IPython transforms pieces of it and what it runs besides
            if self._line is None or self._running or self._is_parsing:
                return lines
            return self._rewritten(lines)

        # see `nbcache.cell.transform`
        transform.has_side_effects = True  # type: ignore[attr-defined]
        return transform

    def _rewritten(self, lines: list[str]) -> list[str]:
        text = "".join(lines)
        if text.lstrip().startswith("%%"):
            return lines
        self._is_parsing = True
        try:
            parsed = parse(self.shell, (), text)
        except SyntaxError:
            return lines  # IPython says it better
        finally:
            self._is_parsing = False
        if not _is_worth_it(parsed.tree):
            return lines
        if parsed.awaits and self.shell.autoawait:
            return [f"await {_CALL}.run_async({text!r})\n"]
        return [f"{_CALL}.run({text!r})\n"]

    def begin_cell(self, _run: Any = None) -> None:
        """Note that a cell begins."""
        self._running += 1

    def end_cell(self, _result: Any = None) -> None:
        """Note that a cell has ended; the one that loaded us was not seen to begin."""
        self._running = max(self._running - 1, 0)

    # --- running them

    def run(self, text: str) -> None:
        """Do what `NbcacheMagics.cached` does."""
        __tracebackhide__ = True
        body = self._body(text)
        if self._is_plain():
            body.run()
            return
        self._cells.do(self._asked(), body, self._source(text))

    async def run_async(self, text: str) -> None:
        """Do what `run` does for a cell that awaits."""
        __tracebackhide__ = True
        body = self._body(text)
        if self._is_plain():
            await body.run_async()
            return
        await self._cells.do_async(self._asked(), body, self._source(text))

    def _body(self, text: str) -> Body:
        self._is_parsing = True
        try:
            return Body(self.shell, text, self._raw_cell(text), above=())
        finally:
            self._is_parsing = False

    def _raw_cell(self, text: str) -> str:
        return text if self._is_plain() else self._cells.raw_cell or text

    def _is_plain(self) -> bool:
        """Say whether a front end runs this unseen, for its own purposes."""
        return self._line is None or not self._running

    def _asked(self) -> Any:
        return asked_of(self._cells.cached, self._line or "")

    def _source(self, text: str) -> str:
        return f"%%cached {self._line}".rstrip() + f"\n{text}"


def _is_worth_it(tree: ast.Module) -> bool:
    """Say whether a cell computes anything, and does not steer the cache itself."""
    if magics.magic_names(tree).intersection(_STEERS):
        return False
    return any(
        not (isinstance(one, _DEFINES) or _is_constant(one) or magics.is_magic(one))
        for one in tree.body
    )


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
