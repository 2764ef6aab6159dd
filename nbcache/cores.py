"""The core of each folder: one store in a process, whatever asks for it."""

from __future__ import annotations

import functools
from pathlib import Path

from nbcache import config
from nbcache.cache import Core
from nbcache.storage.store import Store

__all__ = ["core_of", "core_with", "default_core"]


@functools.lru_cache(maxsize=32)
def _store(
    folder: str, verify: str, durability: str, max_bytes: int | None, eviction: str
) -> Store:
    return Store(
        Path(folder),
        verify=verify,
        durability=durability,
        max_bytes=max_bytes,
        eviction=eviction,
    )


def core_with(folder: Path, settings: config.Settings) -> Core:
    """Give the core of a folder, by settings of its own."""
    store = _store(
        str(folder),
        settings.verify,
        settings.durability,
        settings.max_size,
        settings.eviction,
    )
    return Core(store, settings)


def default_core() -> Core:
    """Give the core of the default cache, by today's settings."""
    return core_of(config.cache_dir())


def core_of(folder: Path) -> Core:
    """Give the core of a folder, by today's settings."""
    return core_with(folder, config.current())
