"""A throw-away ``%%cached``: records a cell, and replays it when it comes again.

It keys by the text alone and stores no variables; only the real magic does.
"""

from __future__ import annotations

import json
from typing import Any

from IPython.core.magic import Magics, cell_magic, magics_class, no_var_expand

from nbcache.cell.body import Body, user_traceback
from nbcache.cell.capture import install, recording, uninstall
from nbcache.cell.replay import replay
from nbcache.cell.transform import await_transformer
from nbcache.outputs import from_json, to_json

# tracebacks hide the frames of nbcache's own modules: be one of them
__name__ = "nbcache.throwaway"

STORED: dict[str, tuple[str, Any, bool]] = {}


@magics_class
class NbcacheMagics(Magics):
    """The parts put together as the real magic puts them together."""

    raw_cell: str | None = None

    @no_var_expand
    @cell_magic
    def cached(self, line: str, cell: str) -> None:
        """Run a cell, or show it again."""
        body = Body(self.shell, cell, self.raw_cell)
        if self.replayed(line, cell):
            return
        try:
            with recording(self.shell) as record:
                body.run()
        except BaseException as error:
            user_traceback(error, body.filename)
            raise
        self.store(cell, record)

    async def cached_async(self, line: str, cell: str) -> None:
        """Run a cell that awaits, or show it again."""
        body = Body(self.shell, cell, self.raw_cell)
        if self.replayed(line, cell):
            return
        with recording(self.shell) as record:
            await body.run_async()
        self.store(cell, record)

    def store(self, cell: str, record: Any) -> None:
        """Keep what was recorded, through JSON as an entry does."""
        text = json.dumps(to_json(record.outputs()))
        STORED[cell] = text, record.value, record.result
        self.shell.user_ns["last_record"] = record

    def replayed(self, line: str, cell: str) -> bool:
        """Show a cell again if it is known; the line lists the allowed types."""
        if cell not in STORED:
            return False
        text, value, has_value = STORED[cell]
        self.shell.user_ns["hits"] = self.shell.user_ns.get("hits", 0) + 1
        mimes = frozenset(line.split()) or None
        outputs = from_json(json.loads(text))
        replay(self.shell, outputs, value=value, has_value=has_value, mimes=mimes)
        return True

    def note(self, info: Any) -> None:
        """Remember the cell as the user sees it."""
        self.raw_cell = info.raw_cell


def load_ipython_extension(shell: Any) -> None:
    magics = NbcacheMagics(shell)
    shell.register_magics(magics)
    shell.events.register("pre_run_cell", magics.note)
    shell.input_transformers_cleanup.append(await_transformer(shell))
    install(shell)


def unload_ipython_extension(shell: Any) -> None:
    uninstall(shell)
