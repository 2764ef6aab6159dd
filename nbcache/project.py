"""Settings of a project: ``[tool.nbcache]`` in its ``pyproject.toml``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbcache.errors import CacheWarning

__all__ = ["settings"]


def settings(start: Path) -> Mapping[str, Any]:
    """Give what the nearest ``pyproject.toml`` from a folder upward asks for."""
    path = next(
        (
            folder / "pyproject.toml"
            for folder in (start, *start.parents)
            if (folder / "pyproject.toml").is_file()
        ),
        None,
    )
    if path is None:
        return {}
    import tomllib  # 3 ms, of use where there is such a file

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        warnings.warn(f"{path} was not read: {error}", CacheWarning, stacklevel=4)
        return {}
    found = table.get("tool", {}).get("nbcache", {})
    return _without_trust(found) if isinstance(found, dict) else {}


def _without_trust(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out trust in others: a cloned repository must not ask for it."""
    asked = [("trust", found.get("trust") == "data"), ("remote", found.get("remote"))]
    left_out = [name for name, is_asked in asked if is_asked]
    for name in left_out:
        warnings.warn(
            f"pyproject.toml: {name} counts only where you say it yourself: "
            f"NBCACHE_{name.upper()}, %config NbCache.{name}, or Cache({name}=...)",
            CacheWarning,
            stacklevel=5,
        )
    return {name: value for name, value in found.items() if name not in left_out}
