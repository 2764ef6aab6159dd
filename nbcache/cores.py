"""The core of each folder: one store in a process, whatever asks for it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbcache import config
from nbcache.cache import Core, warn
from nbcache.storage.store import Store

if TYPE_CHECKING:
    from nbcache.storage.remote import Remote

__all__ = ["OWN_SETTINGS", "core_of", "core_with", "default_core"]

OWN_SETTINGS = (
    *("compress", "durability", "enabled", "eviction", "max_size", "read_only"),
    *("refresh", "remote", "trust", "verify"),
)
"""Settings that a cache may have for itself."""


@functools.lru_cache(maxsize=32)
def _store(folder: str, remote: str, **named: Any) -> Store:
    store = _shared(folder, remote, named) if remote else Store(Path(folder), **named)
    told = store.place.exposure()
    if told:
        warn(told)
    return store


def _shared(folder: str, remote: str, named: dict[str, Any]) -> Store:
    from nbcache.storage.shared import SharedStore  # of use to few

    return SharedStore(Path(folder), _remote(remote), **named)


@functools.lru_cache(maxsize=32)
def _remote(url: str) -> Remote:
    from nbcache.storage.remote import Remote

    return Remote(url, warn)


def core_with(folder: Path, settings: config.Settings) -> Core:
    """Give the core of a folder, by settings of its own."""
    store = _store(
        str(folder),
        remote=settings.remote,
        verify=settings.verify,
        durability=settings.durability,
        trust=settings.trust,
        max_bytes=settings.max_size,
        eviction=settings.eviction,
    )
    return Core(store, settings)


def default_core() -> Core:
    """Give the core of the default cache, by today's settings."""
    return core_of(config.cache_dir())


def core_of(folder: Path) -> Core:
    """Give the core of a folder, by today's settings."""
    return core_with(folder, config.current())
