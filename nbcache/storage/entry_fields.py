"""Whether the metadata of an entry has the form that all who read it rely on.

Listings read manifests that nobody has verified, and rows of an index that anybody may
have written: what is not of this form is refused before it reaches them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["malformed"]


def _text(value: Any) -> bool:
    return type(value) is str


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _texts(value: Any) -> bool:
    return type(value) is list and all(map(_text, value))


def _mapping(value: Any) -> bool:
    return type(value) is dict and all(map(_text, value))


def _rows(value: Any) -> bool:
    """Say whether it is rows of three texts, and what else they may hold."""
    return type(value) is list and all(
        isinstance(row, list | tuple) and len(row) >= 3 and all(map(_text, row[:3]))
        for row in value
    )


def _variable_rows(value: Any) -> bool:
    return type(value) is list and all(
        isinstance(row, list | tuple)
        and len(row) == 3
        and _text(row[0])
        and _text(row[1])
        and type(row[2]) is int
        for row in value
    )


_FORMS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("key", "kind", "name", "notebook", "source", "lookup"), _text),
    **dict.fromkeys(("author", "file"), _text),
    **dict.fromkeys(("seconds", "created", "adopted", "bytes"), _number),
    "expires_after": lambda value: value is None or _number(value),
    "private": lambda value: type(value) is bool,
    "schema": lambda value: type(value) is int,
    **dict.fromkeys(("pickled", "tags"), _texts),
    "packages": lambda value: _mapping(value) and all(map(_text, value.values())),
    **dict.fromkeys(("options", "state"), _mapping),
    **dict.fromkeys(("parts", "trace", "written"), _rows),
    "variables": _variable_rows,
}


def malformed(entry: Any) -> str:
    """Give the name of a field that is not what it should be; '' if none is."""
    for name, is_sound in _FORMS.items():
        if not is_sound(getattr(entry, name)):
            return name
    return ""
