"""``%%cached`` and ``%nbcache``: loading and unloading them."""

from __future__ import annotations

from typing import Any

from nbcache.cell import capture
from nbcache.cell.transform import await_transformer
from nbcache.magic.auto import NbcacheAutoMagics
from nbcache.magic.cells import NbcacheMagics
from nbcache.magic.completion import matcher
from nbcache.magic.lines import NbcacheLineMagics
from nbcache.magic.settings import settings_of

__all__ = ["load", "unload"]


class _Loaded:
    """What loading put into a shell, to be taken out again."""

    def __init__(self, shell: Any) -> None:
        self.settings = settings_of(shell)
        self.magics = NbcacheMagics(shell)
        self.auto = NbcacheAutoMagics(shell, self.magics)
        self.lines = NbcacheLineMagics(shell, self.auto)
        self.transformers = (self.auto.transformer(), await_transformer(shell))
        self.matcher = matcher(shell)

    def begin_cell(self, run: Any) -> None:
        """Keep the text of the cell that runs: a magic is given its body alone."""
        self.magics.raw_cell = run.raw_cell
        self.auto.begin_cell()

    def end_cell(self, _result: Any) -> None:
        """Note the end of a cell."""
        self.auto.end_cell()


def load(shell: Any) -> None:
    """Register magics, transformer and events; loading twice is harmless."""
    if getattr(shell, "_nbcache", None) is not None:
        return
    loaded = _Loaded(shell)
    shell.register_magics(loaded.magics, loaded.lines, loaded.auto)
    shell.input_transformers_cleanup.extend(loaded.transformers)
    shell.events.register("pre_run_cell", loaded.begin_cell)
    shell.events.register("post_run_cell", loaded.end_cell)
    shell.Completer.custom_matchers.append(loaded.matcher)
    shell.configurables.append(loaded.settings)
    capture.install(shell)
    shell._nbcache = loaded


def unload(shell: Any) -> None:
    """Take out what `load` put in."""
    loaded = getattr(shell, "_nbcache", None)
    if loaded is None:
        return
    for transformer in loaded.transformers:
        shell.input_transformers_cleanup.remove(transformer)
    shell.events.unregister("pre_run_cell", loaded.begin_cell)
    shell.events.unregister("post_run_cell", loaded.end_cell)
    shell.Completer.custom_matchers.remove(loaded.matcher)
    for one in (loaded.settings, loaded.magics, loaded.lines, loaded.auto):
        shell.configurables.remove(one)
    manager = shell.magics_manager
    for name in ("NbcacheMagics", "NbcacheLineMagics", "NbcacheAutoMagics"):
        manager.registry.pop(name, None)
    for kind in manager.magics.values():
        for name in ("cached", "nbcache"):
            kind.pop(name, None)
    capture.uninstall(shell)
    shell._nbcache = None
