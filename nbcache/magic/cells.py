"""``%%cached`` and ``%cached``: the steps of one cell."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    no_var_expand,
    output_can_be_silenced,
)

from nbcache import api, config, info, trace
from nbcache.cache import Core
from nbcache.cell.body import Body, user_traceback
from nbcache.cell.names import default_name
from nbcache.cell.read import read_newest
from nbcache.cell.statement import VALUE, Statement, lines_above
from nbcache.cell.versions import delete_old_versions
from nbcache.environment import is_read_along
from nbcache.errors import NbcacheError
from nbcache.magic.arguments import (
    Asked,
    asked_of,
    cached_arguments,
    split_statement,
)
from nbcache.magic.plan import Plain, Plan, foretold, planned
from nbcache.outcome import Miss, outcomes

__all__ = ["NbcacheMagics"]


@magics_class
class NbcacheMagics(Magics):
    """The magic in front of a cell or statement."""

    raw_cell: str | None = None
    shell: Any

    @no_var_expand
    @output_can_be_silenced
    @cached_arguments
    @line_cell_magic
    def cached(self, line: str, cell: str | None = None) -> Any:
        """Take what a cell leaves from the cache, or run it and keep that.

        ``%cached model = fit(data)`` does the same for one statement; of an expression
        alone it gives the value.  Options stand before the statement, and there is no
        name.

        Refused together: -r with -f, -n or --if; -q with -v; the same name in --only
        and --skip, or in --ignore and --opaque.  Quote what has spaces in it.
        """
        __tracebackhide__ = True
        if cell is None:
            return self._statement(line)
        asked = asked_of(self.cached, line)
        body = Body(self.shell, cell, self.raw_cell)
        if body.is_async and not (asked.read or asked.dry_run):
            self._run_alone(body)  # refuses with advice where a loop runs already
            return None
        self.do(asked, body, self.raw_cell or "")
        return None

    async def cached_async(self, line: str, cell: str) -> None:
        """Do what `cached` does for a cell that awaits."""
        __tracebackhide__ = True
        asked = asked_of(self.cached, line)
        body = Body(self.shell, cell, self.raw_cell)
        await self.do_async(asked, body, self.raw_cell or "")

    def _statement(self, line: str) -> Any:
        """Do what `cached` does for one statement; give an expression's value."""
        __tracebackhide__ = True
        options, text = split_statement(line)
        asked = asked_of(self.cached, options)
        if not text:
            raise UsageError("%cached needs a statement: %cached model = fit(data)")
        body = Statement(self.shell, text, lines_above(self.shell, self.raw_cell))
        name = text if body.is_expression else default_name(body.tree)
        asked = replace(
            asked, options=replace(asked.options, name=name, statement=True)
        )
        self.do(asked, body, f"%%cached {options}\n{text}")
        return self.shell.user_ns.pop(VALUE, None)

    # --- the steps

    def do(self, asked: Asked, body: Body, raw: str) -> None:
        """Look a body up, or run it and keep what it leaves."""
        __tracebackhide__ = True
        plan = self._decided(asked, body, raw)
        if plan is None:
            return
        if isinstance(plan, Plain):
            began = time.perf_counter()
            self._run_alone(body)
            self._refuse(plan, began)
            return
        plan.core.fetch(plan.request, plan.task)
        self._finish(asked, plan)

    async def do_async(self, asked: Asked, body: Body, raw: str) -> None:
        """Do what `do` does for a body that awaits."""
        __tracebackhide__ = True
        plan = self._decided(asked, body, raw)
        if plan is None:
            return
        if isinstance(plan, Plain):
            began = time.perf_counter()
            await self._run_alone_async(body)
            self._refuse(plan, began)
            return
        await _fetch_async(plan)
        self._finish(asked, plan)

    def _decided(self, asked: Asked, body: Body, raw: str) -> Plan | Plain | None:
        """Give what is to be done; None if that was to read or to tell only."""
        core = self._core(asked)
        with trace.unseen():
            plan = planned(self.shell, core, body, asked, raw)
        if asked.read:
            self._read(asked, body, plan)
            return None
        if asked.dry_run:
            print(f"nbcache: {foretold(plan)}")
            return None
        return plan

    def _core(self, asked: Asked) -> Core:
        if asked.folder:
            return api.core_of(Path(asked.folder).expanduser().absolute())
        return api.default_core()

    def _read(self, asked: Asked, body: Body, plan: Plan | Plain) -> None:
        """Read the newest entry of a name; say if it is not current."""
        key = plan.request.key if isinstance(plan, Plan) else None
        name = asked.options.name or default_name(body.tree)
        try:
            live = plan.task.identity.values if isinstance(plan, Plan) else None
            told = read_newest(self.shell, self._core(asked), name, key, live)
        except NbcacheError as error:
            raise UsageError(str(error)) from None
        _print(self._verbosity(asked), told)

    def _run_alone(self, body: Body) -> None:
        """Run a cell as if there were no cache."""
        __tracebackhide__ = True
        try:
            body.run()
        except BaseException as error:
            user_traceback(error, body.filename)
            raise

    async def _run_alone_async(self, body: Body) -> None:
        __tracebackhide__ = True
        try:
            await body.run_async()
        except BaseException as error:
            user_traceback(error, body.filename)
            raise

    def _refuse(self, plan: Plain, began: float) -> None:
        """Note a run that had no key, after what it has shown."""
        if plan.is_refusal:
            seconds = time.perf_counter() - began
            plan.core.refuse(plan.name, "cell", plan.reason, seconds)

    def _finish(self, asked: Asked, plan: Plan) -> None:
        keep = asked.options.keep
        if keep and not outcomes[-1].hit:
            with trace.unseen():
                request = plan.request
                delete_old_versions(plan.core, request.name, request.notebook, keep)
        verbosity = self._verbosity(asked)
        _print(verbosity, info.notice(verbosity))

    def _verbosity(self, asked: Asked) -> str:
        if asked.verbosity:
            return asked.verbosity
        chosen = config.current().verbosity
        if chosen != "auto":
            return chosen
        return "brief" if _is_watched(self.shell) else "quiet"


async def _fetch_async(plan: Plan) -> None:
    """Do what `Core.fetch` does, awaiting the run."""
    __tracebackhide__ = True
    core, request, task = plan.core, plan.request, plan.task
    found = core.find(request, task)
    if isinstance(found, Miss):
        async with core.flight(request):
            found = core.find_again(request, task, found)
            if isinstance(found, Miss):
                computed = await task.compute_async()
                core.keep(request, task, computed, found)


# --- what is said


def _is_watched(shell: Any) -> bool:
    """Say whether a person reads along, in a notebook or at a terminal."""
    if os.environ.get("CI") or hasattr(shell, "kernel"):
        return is_read_along(shell.user_ns)
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    return is_terminal or is_read_along(shell.user_ns)


def _print(verbosity: str, text: str) -> None:
    if text and verbosity != "quiet":
        print(f"nbcache: {text}", file=sys.stderr)
