"""What an entry says of its surroundings: versions, types and sizes."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Mapping
from typing import Any

__all__ = ["package_versions", "type_rows"]


_HOLDS_S = 1.0
_known: tuple[Any, float, dict[str, str]] = None, 0.0, {}


def package_versions() -> dict[str, str]:
    """Give the exact versions of Python and of the packages that are loaded.

    The answer holds for a second unless something is imported: going through all
    modules takes as long as everything else of a small result.
    """
    global _known
    loaded, now = (len(sys.modules), next(reversed(sys.modules))), time.monotonic()
    if _known[0] != loaded or now - _known[1] > _HOLDS_S:
        _known = loaded, now, _versions()
    return dict(_known[2])


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in sorted({name.partition(".")[0] for name in sys.modules}):
        # not getattr: some packages warn of it, or import more, in __getattr__
        stated = getattr(sys.modules.get(name), "__dict__", {}).get("__version__")
        if isinstance(stated, str) and name not in sys.stdlib_module_names:
            found[name] = stated
    return found


def type_rows(values: Mapping[str, Any]) -> list[list[Any]]:
    """Give name, type and bytes (where known) of values, for listings."""
    return [
        [name, type(value).__name__, _size(value)] for name, value in values.items()
    ]


def _size(value: Any) -> int:
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    usage = getattr(value, "memory_usage", None)
    try:
        return int(usage(deep=False).sum()) if usage is not None else 0
    except Exception:  # an unknown type's method of that name
        return 0
