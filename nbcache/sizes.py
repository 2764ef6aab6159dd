"""Sizes as people write them: ``5GB``, ``1.5GiB``, bytes; and parts: ``5%``."""

from __future__ import annotations

import math
import re

__all__ = ["part", "size", "text"]

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{unit}b": 1000**power for power, unit in enumerate("kmgtp", 1)}
_UNITS |= {f"{unit}ib": 1024**power for power, unit in enumerate("kmgtp", 1)}
_UNITS |= {unit: 1000**power for power, unit in enumerate("kmgtp", 1)}
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)")
_TEXTS = ("B", "kB", "MB", "GB", "TB", "PB")


def size(value: str | float) -> int:
    """Give a number of bytes.

    Parameters
    ----------
    value : str or number
        ``"5GB"`` (powers of 1000), ``"5GiB"`` (of 1024), ``"2000"`` or 2000 (bytes).

    Raises
    ------
    ValueError
        It is no size, or a negative one.
    """
    found: float | None = None
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip().lower())
        if match is not None and match[2] in _UNITS:
            found = float(match[1]) * _UNITS[match[2]]
    elif not isinstance(value, bool) and hasattr(value, "__float__"):
        found = float(value)
    if found is None or not math.isfinite(found) or found < 0:
        raise ValueError(
            f"not a size: {value!r}. Write it as '5GB', '500MB', '1.5GiB' or as a "
            "number of bytes"
        )
    return int(found)


def part(value: str) -> float:
    """Give a part of something: ``5%`` or ``0.05``.

    Raises
    ------
    ValueError
        It is none, or not between 0 and all.
    """
    number, sign, rest = value.strip().partition("%")
    try:
        found = float(number) / (100 if sign else 1)
    except ValueError:
        found = math.nan
    if rest or not 0 < found <= 1:
        raise ValueError(f"not a part such as 5% or 0.05: {value!r}")
    return found


def text(count: float) -> str:
    """Say a number of bytes with a unit of powers of 1000: ``1.2 GB``."""
    units = iter(_TEXTS)
    unit = next(units)
    while count >= 1000 and unit != _TEXTS[-1]:
        count, unit = count / 1000, next(units)
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
