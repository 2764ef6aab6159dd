"""Values of settings as JSON, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import Enum
from types import BuiltinMethodType
from typing import Any

from nbcache.errors import NbcacheError
from nbcache.keys import hashing

__all__ = ["decoded", "encoded", "text"]

_SCALARS = (bool, int, str, type(None))


def encoded(value: Any) -> Any:
    """Give a value of a setting as JSON.

    Raises
    ------
    TypeError
        It is none of the kinds that settings have: plain values, containers of them,
        cycles of styles, and ``"{:.2f}".format``.
    """
    if isinstance(value, Enum) and isinstance(value, str):
        # matplotlib's joins and caps; its validators make them from the text
        return str(value.value)
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is float:
        return value if math.isfinite(value) else ["float", repr(value)]
    if kind is list or kind is tuple:
        return [kind.__name__, [encoded(item) for item in value]]
    if isinstance(value, Mapping):
        return ["dict", [[encoded(key), encoded(value[key])] for key in value]]
    if kind.__name__ == "Cycler":
        columns = value.by_key()
        return ["cycler", [[key, encoded(columns[key])] for key in sorted(columns)]]
    if _is_text_format(value):
        return ["format", value.__self__]
    raise TypeError(f"{kind.__name__} cannot be stored")


def _is_text_format(value: Any) -> bool:
    return (
        isinstance(value, BuiltinMethodType)
        and value.__name__ == "format"
        and type(value.__self__) is str
    )


def decoded(plain: Any) -> Any:
    """Give back what `encoded` made plain.

    Raises
    ------
    LookupError
        It is nothing that `encoded` gives, or needs a library that is not here.
    """
    if not isinstance(plain, list):
        return plain
    kind, content = plain
    if kind in ("list", "tuple"):
        items = [decoded(item) for item in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {decoded(key): decoded(value) for key, value in content}
    if kind == "float":
        return float(content)
    if kind == "format":
        return str(content).format
    if kind == "cycler":
        try:
            from cycler import cycler
        except ImportError as error:
            raise LookupError(f"a setting needs the package cycler: {error}") from error
        return cycler(**{key: decoded(value) for key, value in content})
    raise LookupError(f"a setting of an unknown kind: {kind!r}")


def text(value: Any) -> str:
    """Give a text that is another one for another value."""
    try:
        return json.dumps(encoded(value))
    except TypeError:
        pass
    try:
        return hashing.digest(value)
    except NbcacheError:
        return repr(value)
