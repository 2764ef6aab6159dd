"""Worker processes that were there before: asking them for work raises no event."""

from __future__ import annotations

import os
import sys

__all__ = ["Asked", "asked", "asked_since"]

Asked = dict[str, tuple[int, int]]
"""Pools of joblib and loky: identity, and how often they were asked for work."""


def asked() -> Asked:
    """Give how often the pools that are there were asked."""
    found = {}
    for name in ("joblib.externals.loky", "loky"):
        module = sys.modules.get(f"{name}.reusable_executor")
        executor = getattr(module, "_executor", None)
        if executor is not None:
            found[name] = id(executor), getattr(executor, "_queue_count", -1)
    return found


def asked_since(before: Asked) -> bool:
    """Say whether worker processes may have done something since then."""
    return asked() != before or _has_others()


def _has_others() -> bool:
    """Say whether there are child processes that no pool of joblib's started."""
    module = sys.modules.get("multiprocessing.process")
    children = getattr(module, "_children", ())
    mine = (child for child in list(children) if child._parent_pid == os.getpid())
    return any(
        child.is_alive() and "loky" not in type(child).__module__ for child in mine
    )
