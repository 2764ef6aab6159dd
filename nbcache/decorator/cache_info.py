"""What a cached function tells of its use."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CacheInfo"]


class CacheInfo(NamedTuple):
    """What `functools.lru_cache` tells, plus bytes stored and seconds saved."""

    hits: int
    misses: int
    maxsize: None
    currsize: int
    bytes: int
    saved: float
