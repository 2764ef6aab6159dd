"""The caches that are compared: how each makes a function a cached one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbcache

from .rows import OURS

__all__ = ["PEERS", "cached_by", "missing_peers", "peer", "versions"]

PEERS = ("joblib", "diskcache", "cachier", "marimo", "pyarrow")
_ALSO = ("numpy", "pandas", "xxhash", "blake3", "isal", "ipython")

Function = Callable[..., Any]


def peer(name: str) -> Any:
    """Give a peer's module; None if it is not installed."""
    return import_module(name) if find_spec(name) else None


def missing_peers() -> list[str]:
    """Give the names of the peers that are not installed."""
    return [name for name in PEERS if find_spec(name) is None]


def versions() -> dict[str, str]:
    """Give the versions of what is measured."""
    found = {}
    for name in (OURS, *PEERS, *_ALSO):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _ours(function: Function, folder: Path, **options: Any) -> Function:
    return nbcache.Cache(folder).cached(**options)(function)  # type: ignore[no-any-return]


def _from_disk(function: Function, folder: Path) -> Function:
    return _ours(function, folder, memory=False)


def _joblib(function: Function, folder: Path, **options: Any) -> Function:
    return peer("joblib").Memory(folder, verbose=0, **options).cache(function)  # type: ignore[no-any-return]


def _joblib_mapped(function: Function, folder: Path) -> Function:
    return _joblib(function, folder, mmap_mode="c")


def _diskcache(function: Function, folder: Path) -> Function:
    return peer("diskcache").Cache(folder, size_limit=1 << 40).memoize()(function)  # type: ignore[no-any-return]


def _cachier(function: Function, folder: Path) -> Function:
    options = {"backend": "pickle", "separate_files": True}
    return peer("cachier").cachier(cache_dir=folder, **options)(function)  # type: ignore[no-any-return]


def _marimo(function: Function, folder: Path) -> Function:
    marimo = peer("marimo")
    # it says that it is used outside of an app
    logging.getLogger("marimo").setLevel(logging.ERROR)
    return marimo.persistent_cache(save_path=str(folder))(function)  # type: ignore[no-any-return]


_WAYS: dict[str, tuple[str, Callable[[Function, Path], Function]]] = {
    OURS: (OURS, _ours),
    f"{OURS} from disk": (OURS, _from_disk),
    "joblib": ("joblib", _joblib),
    "joblib mmap": ("joblib", _joblib_mapped),
    "diskcache": ("diskcache", _diskcache),
    "cachier": ("cachier", _cachier),
    "marimo": ("marimo", _marimo),
}


def cached_by(
    names: Iterable[str], function: Function, folder: Path
) -> dict[str, Function]:
    """Give the function cached by each of some caches that are installed."""
    found = {}
    for name in names:
        package, way = _WAYS[name]
        if package == OURS or find_spec(package):
            place = folder / name.replace(" ", "-")
            place.mkdir(parents=True, exist_ok=True)
            found[name] = way(function, place)
    return found
