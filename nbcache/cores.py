"""The core of each folder: one store in a process, whatever asks for it."""

from __future__ import annotations

import functools
from pathlib import Path

from nbcache import config
from nbcache.cache import Core, warn
from nbcache.storage.store import Store

__all__ = ["OWN_SETTINGS", "core_of", "core_with", "default_core"]

OWN_SETTINGS = (
    *("compress", "durability", "enabled", "read_only", "refresh"),
    *("trust", "verify"),
)
"""Settings that a cache may have for itself."""


@functools.lru_cache(maxsize=32)
def _store(folder: str, verify: str, durability: str, trust: str) -> Store:
    store = Store(Path(folder), verify=verify, durability=durability, trust=trust)
    told = store.place.exposure()
    if told:
        warn(told)
    return store


def core_with(folder: Path, settings: config.Settings) -> Core:
    """Give the core of a folder, by settings of its own."""
    named = (settings.verify, settings.durability, settings.trust)
    store = _store(str(folder), *named)
    return Core(store, settings)


def default_core() -> Core:
    """Give the core of the default cache, by today's settings."""
    return core_of(config.cache_dir())


def core_of(folder: Path) -> Core:
    """Give the core of a folder, by today's settings."""
    return core_with(folder, config.current())
