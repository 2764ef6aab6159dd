"""Loggers as inputs: by name, and what becomes of a message that one is given."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from nbcache.keys.registry import (
    Identity,
    Sink,
    Walker,
    mark,
    qualified_name,
    register,
)

__all__ = ["teach"]


def _put_logger(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "logger")
    walk.put(sink, type(value), path)
    level = max(value.getEffectiveLevel(), value.manager.disable + 1)
    told = (value.name, level, value.disabled, list(_handlers(value)))
    walk.keep(told)
    walk.put(sink, told, path)


def _handlers(logger: Any) -> Iterator[tuple[Any, ...]]:
    """Give how the handlers write that a logger reaches; not where they write to."""
    one = logger
    while one is not None:
        for handler in one.handlers:
            formatter = getattr(handler, "formatter", None)
            texts = [str(getattr(formatter, name, "")) for name in ("_fmt", "datefmt")]
            filters = len(handler.filters)
            yield qualified_name(type(handler)), handler.level, texts, filters
        one = one.parent if one.propagate else None


def teach() -> None:
    """Register loggers."""
    register(logging.Logger, _put_logger, identity=Identity.COUNTS)
