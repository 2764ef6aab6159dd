"""What of a value is the user's own code."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from nbcache.keys import origin

__all__ = ["is_users", "unwrap"]


def unwrap(value: Any) -> Any:
    """Give the function behind nbcache's own wrapper, or the value itself.

    A wrapper of ours adds nothing to what is computed; other decorators do, and
    are followed through their own code.
    """
    inner = getattr(type(value), "__nbcache_unwrap__", None)
    if inner is not None:
        return inner(value)
    if isinstance(value, FunctionType) and "__nbcache_wrapped__" in vars(value):
        return vars(value)["__nbcache_wrapped__"]
    return value


def is_users(value: Any) -> bool:
    """Say whether a value is a function or class of the user's."""
    inner = unwrap(value)
    if isinstance(inner, FunctionType):
        return origin.is_user_function(inner)
    return isinstance(inner, type) and origin.is_user_class(inner)
