"""``%%cached``: its options, and the steps of one cell."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core import magic_arguments
from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    cell_magic,
    magics_class,
    no_var_expand,
    output_can_be_silenced,
)
from IPython.core.magic_arguments import argument

from nbcache import api, config, info, trace
from nbcache.cache import Core, notebook_name, warn
from nbcache.cell.body import Body, user_traceback
from nbcache.cell.identity import identify
from nbcache.cell.names import default_name
from nbcache.cell.options import CellOptions
from nbcache.cell.read import read_newest
from nbcache.cell.task import CellTask
from nbcache.errors import NbcacheError, UnhashableValue
from nbcache.outcome import Hit, Miss, Request

__all__ = ["NbcacheMagics"]


def _names(texts: list[str] | None) -> tuple[str, ...]:
    """Split ``a,b`` and repeated flags into names."""
    parts = (part.strip() for text in texts or () for part in text.split(","))
    return tuple(part for part in parts if part)


@dataclass(frozen=True)
class _Plan:
    """One cell, ready to be looked up or run."""

    core: Core
    request: Request
    task: CellTask


@magics_class
class NbcacheMagics(Magics):
    """The magic in front of a cell."""

    raw_cell: str | None = None

    @no_var_expand
    @output_can_be_silenced
    @magic_arguments.magic_arguments()
    @argument(
        "name",
        nargs="?",
        default="",
        help="the entry's name; default: the first names that the cell assigns",
    )
    @argument(
        "-o",
        "--only",
        action="append",
        metavar="NAMES",
        help="store only these names (a,b)",
    )
    @argument("--skip", action="append", metavar="NAMES", help="do not store these")
    @argument(
        "--ignore",
        action="append",
        metavar="NAMES",
        help="leave these inputs out of the key",
    )
    @argument(
        "--deps",
        action="append",
        metavar="EXPR",
        help="an expression whose value belongs to the key; quote spaces",
    )
    @argument("-f", "--refresh", action="store_true", help="run and replace")
    @argument(
        "-r",
        "--read",
        action="store_true",
        help="read the newest entry of that name, run nothing",
    )
    @argument(
        "-n",
        "--dry-run",
        action="store_true",
        help="say what would happen, and why; run nothing",
    )
    @argument("--no-output", action="store_true", help="do not replay outputs")
    @argument("--compress", action="store_true", help="deflate the entry")
    @argument("--cache", metavar="DIR", help="folder of another store")
    @argument("-q", "--quiet", action="store_true", help="say nothing")
    @argument("-v", "--verbose", action="store_true", help="say all")
    @cell_magic
    def cached(self, line: str, cell: str) -> None:
        """Take what a cell leaves from the cache, or run it and keep that."""
        __tracebackhide__ = True
        arguments = self._arguments(line)
        body = self._body(arguments, cell)
        if body is None:
            return
        if body.is_async:
            self._run_alone(body)  # refuses with advice where a loop runs already
            return
        plan = self._plan(arguments, body)
        if plan is None or arguments.dry_run:
            self._without_cache(arguments, body, plan)
            return
        plan.core.fetch(plan.request, plan.task)
        self._say(arguments)

    async def cached_async(self, line: str, cell: str) -> None:
        """Do what `cached` does for a cell that awaits."""
        __tracebackhide__ = True
        arguments = self._arguments(line)
        body = self._body(arguments, cell)
        if body is None:
            return
        plan = self._plan(arguments, body)
        if plan is None and not arguments.dry_run:
            await body.run_async()
        elif plan is None or arguments.dry_run:
            self._without_cache(arguments, body, plan)
        else:
            await _fetch_async(plan)
            self._say(arguments)

    # --- the steps of a cell

    def _arguments(self, line: str) -> Any:
        arguments = magic_arguments.parse_argstring(self.cached, line)
        arguments.deps = [text.strip("'\"") for text in arguments.deps or ()]
        return arguments

    def _body(self, arguments: Any, cell: str) -> Body | None:
        """Compile the body; None if nothing is to be run."""
        body = Body(self.shell, cell, self.raw_cell)
        if arguments.read:
            self._read(arguments, body)
            return None
        return body

    def _core(self, arguments: Any) -> Core:
        if arguments.cache:
            return api.core_of(Path(arguments.cache).expanduser().absolute())
        return api.default_core()

    def _read(self, arguments: Any, body: Body) -> None:
        """Read the newest entry of a name; say if it is not current."""
        plan = self._plan(arguments, body)
        key = plan.request.key if plan is not None else None
        name = arguments.name or default_name(body.tree)
        try:
            live = plan.task.identity.values if plan is not None else None
            told = read_newest(self.shell, self._core(arguments), name, key, live)
        except NbcacheError as error:
            raise UsageError(str(error)) from None
        _print(self._verbosity(arguments), told)

    def _plan(self, arguments: Any, body: Body) -> _Plan | None:
        """Give what is to be looked up; None if the cell has no key."""
        if not config.current().enabled:
            return None
        core = self._core(arguments)
        options = CellOptions(
            name=arguments.name,
            only=_names(arguments.only),
            skip=_names(arguments.skip),
            ignore=_names(arguments.ignore),
            deps=tuple(arguments.deps),
            refresh=arguments.refresh or core.settings.refresh,
            output=not arguments.no_output and config.current().replay_output,
            compress=arguments.compress or config.current().compress,
        )
        try:
            with trace.unseen():
                return _planned(self.shell, core, body, options, self.raw_cell or "")
        except UnhashableValue as error:
            name = arguments.name or "cell"
            core.refuse(name, "cell", f"input {error}", 0.0)
        except Exception as error:
            warn(f"{arguments.name or 'cell'!r} has no key: {error!r}")
        return None

    def _run_alone(self, body: Body) -> None:
        """Run a cell as if there were no cache."""
        __tracebackhide__ = True
        try:
            body.run()
        except BaseException as error:
            user_traceback(error, body.filename)
            raise

    def _without_cache(self, arguments: Any, body: Body, plan: _Plan | None) -> None:
        """Run a cell that has no key, or say what would become of it."""
        __tracebackhide__ = True
        if not arguments.dry_run:
            self._run_alone(body)
        elif plan is None:
            print("nbcache: would run, and store nothing")
        else:
            print(f"nbcache: {_foretold(plan)}")

    def _verbosity(self, arguments: Any) -> str:
        if arguments.quiet or arguments.verbose:
            return "quiet" if arguments.quiet else "full"
        chosen = config.current().verbosity
        if chosen != "auto":
            return chosen
        return "brief" if _is_watched(self.shell) else "quiet"

    def _say(self, arguments: Any) -> None:
        _print(self._verbosity(arguments), info.notice(self._verbosity(arguments)))


def _planned(
    shell: Any, core: Core, body: Body, options: CellOptions, raw: str
) -> _Plan:
    namespace = shell.user_ns
    identity = identify(shell, body, options, namespace)
    name = options.name or default_name(body.tree)
    request = Request(
        key=identity.key,
        name=name,
        kind="cell",
        also=identity.also,
        notebook=notebook_name(),
        refresh=options.refresh,
        write=not core.settings.read_only,
    )
    task = CellTask(
        shell=shell,
        body=body,
        options=options,
        identity=identity,
        name=name,
        notebook=request.notebook,
        raw=raw,
        store=str(core.store.folder),
        namespace=namespace,
    )
    return _Plan(core, request, task)


async def _fetch_async(plan: _Plan) -> None:
    """Do what `Core.fetch` does, awaiting the run."""
    __tracebackhide__ = True
    core, request, task = plan.core, plan.request, plan.task
    found = core.find(request, task)
    if isinstance(found, Miss):
        with core.flight(request):
            found = core.find_again(request, task, found)
            if isinstance(found, Miss):
                computed = await task.compute_async()
                core.keep(request, task, computed, found)


def _foretold(plan: _Plan) -> str:
    """Say what would become of a cell."""
    name = plan.request.name
    if plan.task.identity.refused:
        return f"{name!r} would run, not stored: {plan.task.identity.refused}"
    found = plan.core.lookup(plan.request)
    if isinstance(found, Hit):
        found.opened.close()
        stored = info.when_text(found.opened.entry.created)
        return f"{name!r} would come from the cache, stored {stored}"
    return f"{name!r} would run: {found}"


# --- what is said


def _is_watched(shell: Any) -> bool:
    """Say whether a person reads along: tools compare outputs, and CI reads none."""
    if os.environ.get("CI"):
        return False
    if os.environ.get("JPY_SESSION_NAME") or "__vsc_ipynb_file__" in shell.user_ns:
        return True
    return not hasattr(shell, "kernel") and sys.stdin is not None and sys.stdin.isatty()


def _print(verbosity: str, text: str) -> None:
    if text and verbosity != "quiet":
        print(f"nbcache: {text}", file=sys.stderr)
