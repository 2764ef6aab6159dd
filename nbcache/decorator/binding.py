"""Cached functions as methods: bound to an instance or a class."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from nbcache.decorator.options import signature_of

if TYPE_CHECKING:
    from nbcache.decorator.wrapper import Wrapper

__all__ = ["BoundFunction", "CachedClassMethod"]

P = ParamSpec("P")
R = TypeVar("R")

_CALLS = frozenset(
    ["key", "is_cached", "peek", "explain", "refresh", "uncached", "ref"]
)


class BoundFunction(Generic[P, R]):
    """A cached function bound to an instance, like a bound method."""

    def __init__(self, function: Wrapper[..., Any], instance: Any) -> None:
        inner = function.__wrapped__
        functools.update_wrapper(self, inner, updated=())
        self.__doc__ = function.__doc__
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call with the instance as the first argument."""
        return self.__func__(self.__self__, *args, **kwargs)  # type: ignore[operator]

    @property
    def __signature__(self) -> inspect.Signature:
        """The signature without the instance."""
        whole = signature_of(self.__func__.__wrapped__)
        first, *rest = whole.parameters.values()
        if first.kind in (first.VAR_POSITIONAL, first.VAR_KEYWORD):
            return whole
        return whole.replace(parameters=rest)

    def __repr__(self) -> str:
        return f"<bound {self.__func__!r} of {self.__self__!r}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, BoundFunction)
            and self.__func__ is other.__func__
            and self.__self__ is other.__self__
        )

    def __hash__(self) -> int:
        return hash((id(self.__func__), id(self.__self__)))

    def __reduce__(self) -> Any:
        name = getattr(self, "__name__", "")
        if isinstance(self.__self__, type) and getattr(self.__self__, name, 0) == self:
            # pickle would look for the function under a name that gives this
            return getattr, (self.__self__, name)
        return type(self), (self.__func__, self.__self__)

    def __nbcache_hash__(self) -> tuple[Any, Any]:
        """Give what identifies a bound method: function and instance."""
        return self.__func__, self.__self__

    def __getattr__(self, name: str) -> Any:
        """Give a method of the wrapper, with the instance filled in."""
        if name.startswith("__"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        if name in _CALLS:
            return functools.partial(getattr(self.__func__, name), self.__self__)
        return getattr(self.__func__, name)

    def put(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        """Store a value that was computed elsewhere as the result of a call."""
        return self.__func__.put(value, self.__self__, *args, **kwargs)

    def clear(self, *args: Any, **kwargs: Any) -> int:
        """Delete the entry of one call, or without arguments all of the function."""
        if args or kwargs:
            return self.__func__.clear(self.__self__, *args, **kwargs)
        return self.__func__.clear()


class CachedClassMethod(classmethod):  # type: ignore[type-arg]
    """What ``@cached`` makes of a class method: bound, it has the wrapper's methods."""

    def __reduce__(self) -> Any:
        return type(self), (self.__func__,)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to the class."""
        # from Python 3.13 on, classmethod itself gives a plain bound method
        return BoundFunction(
            cast("Wrapper[..., Any]", self.__func__),
            owner if owner is not None else type(instance),
        )
