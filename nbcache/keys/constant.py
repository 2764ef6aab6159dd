"""Values that nobody can change: immutable through and through."""

from __future__ import annotations

import datetime
import decimal
import fractions
import sys
import uuid
from types import EllipsisType, NoneType
from typing import Any

__all__ = ["is_constant"]

_ATOMS = frozenset(
    [
        *(NoneType, bool, int, float, complex, str, bytes, EllipsisType),
        *(datetime.date, datetime.timedelta),
        *(decimal.Decimal, fractions.Fraction, uuid.UUID),
    ]
)
_MOST_ITEMS = 10_000
_NUMBERS = frozenset(
    [
        *("bool", "float16", "float32", "float64", "complex64", "complex128"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    ]
)


def _is_number(kind: type) -> bool:
    """Say whether a class is one of numpy's own scalars, which have no attributes."""
    if kind.__module__ != "numpy" or kind.__name__.rstrip("_") not in _NUMBERS:
        return False
    numpy = sys.modules["numpy"]
    return getattr(numpy, kind.__name__, None) is kind


def is_constant(value: Any) -> bool:
    """Say whether a value is immutable through and through.

    Only exact types are trusted, since a subclass may have attributes; False also for
    what is too large to be looked through.
    """
    waiting, seen = [value], 0
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if kind is tuple or kind is frozenset:
            seen += len(one)
            if seen > _MOST_ITEMS:
                return False
            waiting.extend(one)
        elif kind not in _ATOMS and not _is_number(kind):
            return False
    return True
