"""nbcache: the cache of a notebook.

``%load_ext nbcache`` in a notebook, then ``%%cached NAME`` in front of a cell or
``@nbcache.cached`` on a function.  See `nbcache.cache` for how it works.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nbcache.api import (
    Cache,
    cached,
    clear,
    disabled,
    entries,
    explain,
    last,
    load,
    read_only,
    refreshing,
)
from nbcache.config import configure, set_cache_dir
from nbcache.decorator.references import CachedRef
from nbcache.errors import (
    BatchError,
    CacheWarning,
    MetricCycle,
    NbcacheError,
    NotCached,
    UndeclaredParameters,
    UnhashableValue,
    UnknownName,
    UnknownParameter,
    UnstorableValue,
)
from nbcache.keys.files import File
from nbcache.keys.hashing import register_hash, unordered
from nbcache.storage.codec import register_type

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from nbcache.batch.batch import Batch
    from nbcache.batch.result_run import ResultRun
    from nbcache.batch.run import Run
    from nbcache.metrics.metrics import Metrics
    from nbcache.storage.files import FileStorage
    from nbcache.storage.files_json import JsonStorage
    from nbcache.storage.files_npy import NpyStorage
    from nbcache.storage.files_npz import NpzStorage

__all__ = [
    "Batch",
    "BatchError",
    "Cache",
    "CacheWarning",
    "CachedRef",
    "File",
    "FileStorage",
    "JsonStorage",
    "MetricCycle",
    "Metrics",
    "NbcacheError",
    "NotCached",
    "NpyStorage",
    "NpzStorage",
    "ResultRun",
    "Run",
    "UndeclaredParameters",
    "UnhashableValue",
    "UnknownName",
    "UnknownParameter",
    "UnstorableValue",
    "cached",
    "clear",
    "configure",
    "disabled",
    "entries",
    "explain",
    "last",
    "load",
    "load_ipython_extension",
    "panel",
    "read_only",
    "refreshing",
    "register_hash",
    "register_type",
    "set_cache_dir",
    "unload_ipython_extension",
    "unordered",
]

__version__ = "0.1.0"

# of no use to a hit, and not loaded for it
_LATER = {
    "Metrics": "nbcache.metrics.metrics",
    "Batch": "nbcache.batch.batch",
    "FileStorage": "nbcache.storage.files",
    "JsonStorage": "nbcache.storage.files_json",
    "NpyStorage": "nbcache.storage.files_npy",
    "NpzStorage": "nbcache.storage.files_npz",
    "ResultRun": "nbcache.batch.result_run",
    "Run": "nbcache.batch.run",
}


def __getattr__(name: str) -> Any:
    """Import the rarer public names when they are first used."""
    if name not in _LATER:
        raise AttributeError(f"module 'nbcache' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Give a shell the magics ``%%cached`` and ``%nbcache`` (``%load_ext nbcache``)."""
    from nbcache.magic import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics away again (``%unload_ext nbcache``)."""
    from nbcache.magic import unload

    unload(shell)


def panel(cache: Cache | None = None) -> Any:
    """Give a panel that lists the entries, with buttons to clear and recompute.

    Parameters
    ----------
    cache : Cache, optional
        None: the default cache.
    """
    from nbcache.widgets.panel import Panel

    return Panel(cache if cache is not None else Cache())
