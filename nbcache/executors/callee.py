"""What a run calls, as a cached function: here, and again in a worker."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

from nbcache.cache import Core
from nbcache.decorator.binding import BoundFunction
from nbcache.decorator.decorate import decorate
from nbcache.decorator.options import Options, name_of, signature_of
from nbcache.decorator.wrapper import Wrapper
from nbcache.errors import UnhashableValue, UnknownParameter
from nbcache.keys import hashing
from nbcache.keys.dependencies import Dependencies
from nbcache.wording import near

__all__ = ["Callee", "require_known"]


@dataclass(frozen=True, slots=True)
class Callee:
    """A function, a class whose method `run` is called, or another callable.

    Parameters
    ----------
    target : callable or type
        What the user gave.
    identity : str
        The id that the user gave to a callable; it stands for what of the callable
        cannot be part of a key.
    """

    target: Any
    identity: str = ""

    @property
    def is_class(self) -> bool:
        """Whether the target is a class of runs."""
        return isinstance(self.target, type)

    @property
    def cached(self) -> Wrapper[..., Any] | None:
        """The cached function that is the target, or bound; None for any other."""
        target = self.target
        if isinstance(target, BoundFunction):
            target = target.__func__
        return target if isinstance(target, Wrapper) else None

    @property
    def function(self) -> Callable[..., Any]:
        """What is called in the end."""
        if self.cached is not None:
            return self.cached.__wrapped__  # type: ignore[no-any-return]
        return self.target.run if self.is_class else self.target  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        """The qualified name under which results are stored."""
        cached = self.cached
        return name_of(self.target) if cached is None else cached._own_name

    @property
    def signature(self) -> inspect.Signature:
        """How it is called, without ``self``."""
        found = signature_of(self.target.run if self.is_class else self.target)
        if not self.is_class:
            return found
        first, *rest = found.parameters.values()
        is_self = first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)
        return found.replace(parameters=rest) if is_self else found

    @property
    def own_core(self) -> Callable[[], Core] | None:
        """Where a cached function keeps its results; None for any other."""
        cached = self.cached
        return None if cached is None else cached._options.core

    def wrapper(self, core: Callable[[], Core]) -> Wrapper[..., Any]:
        """Give the cached function that keeps its results in a core.

        Raises
        ------
        TypeError
            It is nothing whose result can be kept.
        """
        cached = self.cached
        if cached is not None:
            again: Wrapper[..., Any] = type(cached)(
                self.function, replace(cached._options, core=core)
            )
            return again
        if self.identity and not self._is_hashable():
            return self._vouched(core)
        version = self.identity or None
        # plain functions have the keys that they have when they are cached
        name = None if isinstance(self.target, FunctionType) else self.name
        options = Options(core, name=name, version=version)
        made: Wrapper[..., Any] = decorate(self.function, options)
        return made

    def _is_hashable(self) -> bool:
        if self.is_class or inspect.isroutine(self.target):
            return True
        try:
            Dependencies(hashing.Walk()).value("state", self.target)
        except UnhashableValue:
            return False
        return True

    def _vouched(self, core: Callable[[], Core]) -> Wrapper[..., Any]:
        """Give the method that is called, with the id in the place of the instance."""
        method = type(self.target).__call__
        first = next(iter(signature_of(method).parameters))
        options = Options(
            core, name=self.name, ignore=(first,), version=("id", self.identity)
        )
        made: Wrapper[..., Any] = decorate(method, options)
        return made

    def bind(self, parameters: Mapping[str, Any]) -> inspect.BoundArguments:
        """Bind parameters by name, and the defaults of those that are not given.

        Raises
        ------
        UnknownParameter
            It takes none of that name; the text has a near match.
        TypeError
            One is missing.
        """
        signature = self.signature
        left = dict(parameters)
        given: dict[str, Any] = {}
        kinds = {one.kind for one in signature.parameters.values()}
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            for name in left:
                if name not in signature.parameters:
                    raise _unknown(name, self.name, list(signature.parameters))
        for name, one in signature.parameters.items():
            if one.kind is one.VAR_KEYWORD:
                continue
            if name in left:
                value = left.pop(name)
                given[name] = tuple(value) if one.kind is one.VAR_POSITIONAL else value
            elif one.default is one.empty and one.kind is not one.VAR_POSITIONAL:
                raise TypeError(f"{self.name} needs the parameter {name!r}")
        rest = [n for n, p in signature.parameters.items() if p.kind is p.VAR_KEYWORD]
        if rest:
            given[rest[0]] = left
        bound = inspect.BoundArguments(signature, given)
        bound.apply_defaults()
        return bound

    def arguments(
        self, run: Any, bound: inspect.BoundArguments
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the arguments of the wrapper."""
        args = bound.args
        if self.is_class:
            args = (run, *args)
        elif isinstance(self.target, BoundFunction):
            args = (self.target.__self__, *args)
        elif self.identity and not self._is_hashable():
            args = (self.target, *args)
        return args, dict(bound.kwargs)

    def call(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself; a run may set attributes of its own meanwhile."""
        if self.is_class:
            run, *rest = args
            own = run._for_call(self.signature.bind(*rest, **kwargs))
            return self.function(own, *rest, **kwargs)
        return self.function(*args, **kwargs)


def require_known(kind: type, given: Mapping[str, Any]) -> None:
    """Refuse parameters that a class does not take.

    Raises
    ------
    UnknownParameter
        The text has a near match.
    """
    parameters = signature_of(kind).parameters
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return
    for name in given:
        if name not in parameters:
            raise _unknown(name, name_of(kind), list(parameters))


def _unknown(name: str, callee: str, names: list[str]) -> UnknownParameter:
    hint = near(name, names)
    return UnknownParameter(
        f"{callee} takes no parameter {name!r}, only "
        f"{', '.join(names) or 'none'}{hint and f'.{hint}'}",
        name,
    )
