"""The type of ``cached(...)`` with options."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from nbcache.decorator.asynchronous import AsyncCachedFunction
from nbcache.decorator.function import CachedFunction

__all__ = ["Decorator"]

P = ParamSpec("P")
R = TypeVar("R")


class Decorator(Protocol):
    """Takes a function, gives a cached one of its kind."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncCachedFunction[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> CachedFunction[P, R]: ...
