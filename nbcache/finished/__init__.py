"""Handles that are finished: what is left of them is plain, and can be made again.

An executor that was shut down, a future that is done, a bar at its end, a match: a
name keeps them after a ``with`` block or loop, though nobody needs them any more.
`described` gives what is left of one; `made` gives one like it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from nbcache.finished.kinds import Finished, Kind

__all__ = ["Finished", "described", "made", "names"]

# module and name of a class -> module here that knows it, imported at the first one
_PLACES: dict[tuple[str, str], str] = {
    ("re", "Match"): "texts",
    ("builtins", "generator"): "texts",
    ("_csv", "reader"): "texts",
    ("_csv", "writer"): "texts",
    ("concurrent.futures._base", "Future"): "computations",
    ("concurrent.futures.thread", "ThreadPoolExecutor"): "computations",
    ("concurrent.futures.process", "ProcessPoolExecutor"): "computations",
    ("multiprocessing.pool", "Pool"): "computations",
    ("multiprocessing.pool", "ThreadPool"): "computations",
    ("multiprocessing.pool", "ApplyResult"): "computations",
    ("multiprocessing.pool", "MapResult"): "computations",
    ("multiprocessing.pool", "IMapIterator"): "computations",
    ("multiprocessing.pool", "IMapUnorderedIterator"): "computations",
    ("subprocess", "Popen"): "computations",
    ("threading", "Thread"): "computations",
    ("joblib.parallel", "Parallel"): "computations",
    ("tqdm.std", "tqdm"): "bars",
    ("tqdm.asyncio", "tqdm_asyncio"): "bars",
    ("tqdm.auto", "tqdm"): "bars",
    ("tqdm.notebook", "tqdm_notebook"): "bars",
    ("sqlite3", "Connection"): "connections",
    ("zipfile", "ZipFile"): "connections",
    ("gzip", "GzipFile"): "connections",
    ("bz2", "BZ2File"): "connections",
    ("lzma", "LZMAFile"): "connections",
    ("_io", "TextIOWrapper"): "connections",
    ("socket", "socket"): "connections",
    ("http.client", "HTTPResponse"): "connections",
}


def _kind(module: str, name: str) -> Kind | None:
    place = _PLACES.get((module, name))
    if place is None:
        return None
    known = importlib.import_module(f"{__name__}.{place}")
    kinds: dict[str, Kind] = known.KINDS
    return kinds.get(f"{module}.{name}") or kinds[name]


def names() -> list[str]:
    """Give ``module.name`` of the classes whose finished values can be told."""
    return [f"{module}.{name}" for module, name in _PLACES]


def described(value: Any) -> Finished | None:
    """Give what is left of a finished handle.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    Finished or None
        None for what is no handle, not finished, or holds more than is known here.
    """
    cls = type(value)
    place = (cls.__module__, cls.__qualname__)
    kind = _kind(*place)
    if kind is None or cls is not kind.of(sys.modules):
        return None
    try:
        left = kind.take(value)
    except Exception:  # attributes of another version
        return None
    return None if left is None else Finished(*place, *left)


def made(module: str, name: str, parts: tuple[Any, ...]) -> Any:
    """Give a finished handle from what is left of one.

    Raises
    ------
    LookupError
        If nothing like it can be made here.
    """
    kind = _kind(module, name)
    if kind is None:
        raise LookupError(f"a finished {module}.{name} cannot be made")
    return kind.make(importlib.import_module(kind.home), *parts)
