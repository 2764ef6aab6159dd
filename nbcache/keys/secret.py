"""Names whose values are secrets: no summary of them is ever written down."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["holds_secret", "is_secret_name"]

# `key` alone names dictionary keys and sort keys; it is a secret only as a whole word
# beside another one (api_key, key_file, AWS_KEY)
_SECRET = re.compile(
    r"token|passw|passphrase|(^|_)(pass|pwd)($|_)|secret|credential|auth(?!or)|bearer|"
    r"(api|private|access|signing|encryption)_?key|(^|_)key($|_)",
    re.IGNORECASE,
)


def is_secret_name(name: str) -> bool:
    """Say whether a variable's or argument's name sounds like a secret's."""
    return _SECRET.search(name) is not None


_MOST_PARTS = 10_000


def holds_secret(value: Any) -> bool:
    """Say whether a key, an attribute or a column inside has the name of a secret.

    Also of what has too many parts to look at all of them.
    """
    pending, seen = [value], 0
    while pending:
        part = pending.pop()
        seen += 1
        if seen > _MOST_PARTS:
            return True
        names, parts = _named_parts(part)
        if any(type(name) is str and is_secret_name(name) for name in names):
            return True
        pending.extend(parts)
    return False


def _named_parts(value: Any) -> tuple[list[Any], list[Any]]:
    """Give the names and the parts that a value has; nothing of it is called."""
    if isinstance(value, dict):
        return list(dict.keys(value)), list(dict.values(value))
    if isinstance(value, list | tuple | set | frozenset):
        return list(getattr(type(value), "_fields", ())), list(value)
    if type(value).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow"):
        columns = getattr(value, "column_names", getattr(value, "columns", ()))
        return list(columns), []
    state: dict[Any, Any] = {}
    for name in ("__dict__", *_slots(type(value))):
        try:
            found = object.__getattribute__(value, name)
        except AttributeError:
            continue
        state.update(found if name == "__dict__" else {name: found})
    return list(state), list(state.values())


def _slots(kind: type) -> list[str]:
    found: list[str] = []
    for cls in kind.__mro__:
        slots = vars(cls).get("__slots__", ())
        found += (slots,) if isinstance(slots, str) else list(slots)
    return found
