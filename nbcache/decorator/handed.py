"""Results that are made anew for each caller without decoding the entry again."""

from __future__ import annotations

import marshal
from collections.abc import Callable
from typing import Any

import numpy as np

from nbcache.keys.plain import ATOMS, CONTAINERS, survey

__all__ = ["maker"]

_LARGEST_BYTES = 1 << 16


def maker(value: Any) -> Callable[[], Any] | None:
    """Give what makes equal values, of which none shares anything that can change.

    Parameters
    ----------
    value : object
        Decoded just now.  It is its caller's: nothing of it is kept.

    Returns
    -------
    callable or None
        None if only the entry itself can give such values.
    """
    kind = type(value)
    if kind is np.ndarray:
        return _array_maker(value)
    if kind in CONTAINERS and survey(value, ATOMS, CONTAINERS).plain:
        # version 4 keeps which immutable objects are the same one
        data = marshal.dumps(value, 4)
        if len(data) <= _LARGEST_BYTES:
            return lambda: marshal.loads(data)
    return None


def _array_maker(value: np.ndarray[Any, Any]) -> Callable[[], Any] | None:
    """Give a copier of a small array with memory of its own."""
    small = value.nbytes <= _LARGEST_BYTES and value.flags.owndata
    # numpy does not copy what lies between fields
    if not small or value.dtype.hasobject or value.dtype.names is not None:
        return None
    kept = value.copy("K")
    if kept.strides != value.strides:
        return None
    kept.flags.writeable = False
    if value.flags.writeable:
        return lambda: kept.copy("K")

    def read_only() -> np.ndarray[Any, Any]:
        made = kept.copy("K")
        made.flags.writeable = False
        return made

    return read_only
