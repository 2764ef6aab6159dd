"""``%%cached`` and ``%nbcache``: loading and unloading them."""

from __future__ import annotations

from typing import Any

from nbcache.cell import capture
from nbcache.cell.transform import await_transformer
from nbcache.magic.cells import NbcacheMagics
from nbcache.magic.lines import NbcacheLineMagics
from nbcache.magic.settings import settings_of

__all__ = ["load", "unload"]


class _Loaded:
    """What loading put into a shell, to be taken out again."""

    def __init__(self, shell: Any) -> None:
        self.settings = settings_of(shell)
        self.magics = NbcacheMagics(shell)
        self.transformer = await_transformer(shell)

    def note_cell(self, run: Any) -> None:
        """Keep the text of the cell that runs: a magic is given its body alone."""
        self.magics.raw_cell = run.raw_cell


def load(shell: Any) -> None:
    """Register magics, transformer and events; loading twice is harmless."""
    if getattr(shell, "_nbcache", None) is not None:
        return
    loaded = _Loaded(shell)
    shell.register_magics(loaded.magics, NbcacheLineMagics(shell))
    shell.input_transformers_cleanup.append(loaded.transformer)
    shell.events.register("pre_run_cell", loaded.note_cell)
    shell.configurables.append(loaded.settings)
    capture.install(shell)
    shell._nbcache = loaded


def unload(shell: Any) -> None:
    """Take out what `load` put in."""
    loaded = getattr(shell, "_nbcache", None)
    if loaded is None:
        return
    shell.input_transformers_cleanup.remove(loaded.transformer)
    shell.events.unregister("pre_run_cell", loaded.note_cell)
    shell.configurables.remove(loaded.settings)
    manager = shell.magics_manager
    for name in ("NbcacheMagics", "NbcacheLineMagics"):
        manager.registry.pop(name, None)
    for kind in manager.magics.values():
        for name in ("cached", "nbcache"):
            kind.pop(name, None)
    capture.uninstall(shell)
    shell._nbcache = None
