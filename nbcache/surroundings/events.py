"""The one audit hook through which watches learn what happens in the process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["listen"]

Listener = Callable[[str, tuple[Any, ...]], None]

_listeners: dict[str, Listener] = {}


def listen(listener: Listener, *events: str) -> None:
    """Call a function at each of these audit events, for the life of the process."""
    if not _listeners:
        # it cannot be removed, and it is called for every event: so only one
        sys.addaudithook(_hook)
    _listeners.update(dict.fromkeys(events, listener))


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    listener = _listeners.get(event)
    if listener is not None:
        listener(event, arguments)
