"""What `cached` makes of what it is given."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from nbcache.decorator.binding import CachedClassMethod
from nbcache.decorator.function import CachedFunction
from nbcache.decorator.options import Options, name_of
from nbcache.decorator.wrapper import Wrapper

__all__ = ["decorate", "is_coroutine_function", "require_function"]


def decorate(function: Any, options: Options) -> Any:
    """Give a cached function; of a static or class method, such a one again.

    Raises
    ------
    TypeError
        It is no function, or one whose result can be consumed only once.
    ValueError
        An option cannot be meant.
    """
    if isinstance(function, staticmethod):
        return staticmethod(decorate(function.__func__, options))
    if isinstance(function, classmethod):
        return CachedClassMethod(decorate(function.__func__, options))
    if isinstance(function, Wrapper):
        function = function.__wrapped__
    require_function(function)
    options.check(function)
    if is_coroutine_function(function):
        from nbcache.decorator.asynchronous import AsyncCachedFunction

        return AsyncCachedFunction(function, options)
    return CachedFunction(function, options)


def require_function(function: Any) -> None:
    """Refuse what is no function, or one whose result can be consumed only once.

    Raises
    ------
    TypeError
        It is.
    """
    if isinstance(function, property | functools.cached_property):
        kind = type(function).__name__
        raise TypeError(f"put @{kind} above @cached: it must be the outer decorator")
    if isinstance(function, type):
        raise TypeError(
            f"cached takes a function, not the class {function.__name__}: it would no "
            "longer be a class. Cache a function that makes the instance"
        )
    if not callable(function):
        raise TypeError(f"cached takes a function, not {type(function).__name__}")
    for code in _codes(function):
        if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
            raise TypeError(
                f"{name_of(function)} is a generator: it can be consumed only once. "
                "Return a list instead, or cache the function that consumes it"
            )


def _codes(function: Any) -> list[Any]:
    """Give what may tell the kind of a callable: itself, its inside, its class."""
    # an instance has its kind from the method that calls it
    return [inspect.unwrap(function), type(function).__call__]


def is_coroutine_function(function: Any) -> bool:
    """Say whether what a callable gives is to be awaited."""
    # what stands outermost decides what a call gives
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        type(function).__call__
    )
