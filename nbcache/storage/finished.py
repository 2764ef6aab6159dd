"""Finished handles in a pickle stream: by what is left of them."""

from __future__ import annotations

import pickle
from typing import Any

from nbcache import finished

__all__ = ["make_finished", "reduce_finished"]

_NAMES = frozenset(finished.names()) - {"builtins.generator"}


def reduce_finished(value: Any) -> Any:
    """Give how pickle makes a finished handle again; None for all other values.

    Parameters
    ----------
    value : object
        Anything.

    Raises
    ------
    PicklingError
        It is a handle that is not finished.
    """
    left = finished.described(value)
    if left is not None:
        return make_finished, (left.module, left.name, left.parts)
    cls = type(value)
    if f"{cls.__module__}.{cls.__qualname__}" in _NAMES:
        raise pickle.PicklingError(f"cannot pickle {cls.__name__!r} objects in use")
    return None


def make_finished(module: str, name: str, parts: tuple[Any, ...]) -> Any:
    """Make a handle that is finished."""
    return finished.made(module, name, parts)
