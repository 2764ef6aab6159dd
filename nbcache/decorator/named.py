"""The cached functions of this process by name: what can be computed again."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nbcache.decorator.wrapper import Wrapper

__all__ = ["functions"]

functions: weakref.WeakValueDictionary[str, Wrapper[Any, Any]] = (
    weakref.WeakValueDictionary()
)
