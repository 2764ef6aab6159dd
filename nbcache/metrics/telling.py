"""What metrics say while they work."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nbcache import config

__all__ = ["quietly", "tell"]

_log = logging.getLogger("nbcache.metrics")
_is_quiet: ContextVar[bool] = ContextVar("nbcache_metrics_quiet", default=False)


@contextmanager
def quietly(is_quiet: bool) -> Iterator[None]:
    """Print nothing inside a block, if that is asked for, of what it needs neither."""
    token = _is_quiet.set(is_quiet or _is_quiet.get())
    try:
        yield
    finally:
        _is_quiet.reset(token)


def tell(line: str) -> None:
    """Say a line to the user, and to the log."""
    _log.info(line)
    if _is_quiet.get() or config.current().verbosity == "quiet" or _is_kept():
        return
    print(f"nbcache: {line}", file=sys.stderr)  # noqa: T201


def _is_kept() -> bool:
    """Say whether a cell's outputs are being recorded: a hit would show the line."""
    recording = sys.modules.get("nbcache.cell.recording")
    return recording is not None and recording.is_recording()
