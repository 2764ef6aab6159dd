"""Parts of a program in which the cache does less, or more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nbcache import config

__all__ = ["disabled", "read_only", "refreshing"]


@contextmanager
def disabled() -> Iterator[None]:
    """Read and write nothing inside a ``with`` block: all code runs."""
    with config.using(enabled=False):
        yield


@contextmanager
def refreshing() -> Iterator[None]:
    """Compute and store all that is asked for inside a ``with`` block."""
    with config.using(refresh=True):
        yield


@contextmanager
def read_only() -> Iterator[None]:
    """Use stored results inside a ``with`` block, and store no new ones."""
    with config.using(read_only=True):
        yield
