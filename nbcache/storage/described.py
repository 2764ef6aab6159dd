"""What an entry says of its surroundings: versions, types and sizes."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from typing import Any

__all__ = ["package_versions", "type_rows"]


_known: tuple[tuple[int, str], list[str]] = (0, ""), []


def package_versions() -> dict[str, str]:
    """Give the exact versions of Python and of the packages that are loaded."""
    found = {"python": platform.python_version()}
    for name in _packages():
        # not getattr: some packages warn of it, or import more, in __getattr__
        stated = getattr(sys.modules.get(name), "__dict__", {}).get("__version__")
        if isinstance(stated, str):
            found[name] = stated
    return found


def _packages() -> list[str]:
    """Give the names of the packages of all modules, found anew when there are more."""
    global _known
    state = len(sys.modules), next(reversed(sys.modules), "")
    if _known[0] != state:
        names = {name.partition(".")[0] for name in list(sys.modules)}
        _known = state, sorted(names - sys.stdlib_module_names)
    return _known[1]


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
