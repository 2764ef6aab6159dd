"""What metrics say while they work."""

from __future__ import annotations

import logging
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from nbcache import config
from nbcache.environment import is_read_along

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
    verbosity = config.current().verbosity
    if _is_quiet.get() or verbosity == "quiet" or _is_kept():
        return
    # whose lines would stand between those of others
    if multiprocessing.current_process().name != "MainProcess":
        return
    if verbosity == "auto" and _is_compared():
        return
    print(f"nbcache: {line}", file=sys.stderr)  # noqa: T201


def _is_kept() -> bool:
    """Say whether a cell's outputs are being recorded: a hit would show the line."""
    recording = sys.modules.get("nbcache.cell.recording")
    return recording is not None and recording.is_recording()


def _is_compared() -> bool:
    """Say whether a tool runs a notebook: it may compare outputs, and times vary."""
    module = sys.modules.get("ipykernel.kernelapp")
    if module is None or not module.IPKernelApp.initialized():
        return False
    namespace = getattr(module.IPKernelApp.instance(), "user_ns", None) or {}
    return not is_read_along(namespace)
