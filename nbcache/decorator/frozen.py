"""Values that no caller can change: these may be handed out more than once."""

from __future__ import annotations

import datetime
import decimal
import fractions
import uuid
from types import EllipsisType, NoneType
from typing import Any

__all__ = ["is_frozen"]

_ATOMS = frozenset(
    [
        *(NoneType, bool, int, float, complex, str, bytes, EllipsisType),
        *(datetime.date, datetime.timedelta),
        *(decimal.Decimal, fractions.Fraction, uuid.UUID),
    ]
)
_MOST_ITEMS = 10_000


def is_frozen(value: Any) -> bool:
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
        elif kind not in _ATOMS:
            return False
    return True
