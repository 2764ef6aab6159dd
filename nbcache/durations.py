"""Durations as people write them: ``12h``, ``1d 6h``, seconds, timedelta."""

from __future__ import annotations

import math
import re
from datetime import timedelta

__all__ = ["seconds", "text"]

_UNITS = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
    "days": 86400.0,
    "w": 604800.0,
}
_PIECE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)\s*")


def seconds(value: str | float | timedelta) -> float:
    """Give a duration in s.

    Parameters
    ----------
    value : str, number or timedelta
        ``"12h"``, ``"1d 6h"``, ``"90"`` or 90 (s); units ms, s, m or min, h, d, w.

    Raises
    ------
    ValueError
        It is no duration, or a negative one.
    """
    if isinstance(value, timedelta):
        found: float | None = value.total_seconds()
    elif isinstance(value, str):
        found = _of_text(value.strip().lower())
    elif isinstance(value, bool) or not hasattr(value, "__float__"):
        found = None
    else:
        found = float(value)
    if found is None or not math.isfinite(found) or found < 0:
        raise ValueError(
            f"not a duration: {value!r}. Write it as '90s', '15min', '12h', '7d', "
            "'1d 6h', as a number of seconds or a timedelta"
        )
    return found


def _of_text(given: str) -> float | None:
    try:
        return float(given)
    except ValueError:
        pass
    total, place = 0.0, 0
    while place < len(given):
        piece = _PIECE.match(given, place)
        if piece is None or piece[2] not in _UNITS:
            return None
        total += float(piece[1]) * _UNITS[piece[2]]
        place = piece.end()
    return total if place else None


def text(duration: float) -> str:
    """Say a duration (s) in its largest fitting unit: ``3 h``."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if duration >= size:
            return f"{duration / size:.3g} {unit}"
    return f"{duration:.3g} s"
