"""`cached`: a function whose results are kept, and the methods of what it gives."""

from __future__ import annotations

import functools
import inspect
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar

from nbcache import trace
from nbcache.cache import Core, notebook_name
from nbcache.decorator.call import CallTask, bound_key
from nbcache.decorator.options import Options, name_of
from nbcache.errors import NotCached, UnhashableValue
from nbcache.keys.key import Key
from nbcache.outcome import Computed, Hit, Miss, Request, Restored
from nbcache.storage.rows import row

__all__ = ["BoundFunction", "CacheInfo", "CachedFunction", "decorate", "functions"]

P = ParamSpec("P")
R = TypeVar("R")


class CacheInfo(NamedTuple):
    """What `functools.lru_cache` tells, plus bytes stored and seconds saved."""

    hits: int
    misses: int
    maxsize: None
    currsize: int
    bytes: int
    saved: float


functions: weakref.WeakValueDictionary[str, CachedFunction[Any, Any]] = (
    weakref.WeakValueDictionary()
)
"""The cached functions of this process by name: what can be computed again."""


class CachedFunction(Generic[P, R]):
    """A function whose results are kept; made by `cached`.

    Parameters
    ----------
    function : callable
        Called on a miss; also ``.__wrapped__``.
    options : Options
        Checked already.
    """

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._options = options
        self._signature = inspect.signature(function)
        self._own_name = options.name or name_of(function)
        functions[self._own_name] = self

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Give the result: the stored one, or what the function computes."""
        core = self._options.core()
        if not (self._options.enabled and core.settings.enabled):
            return self._function(*args, **kwargs)
        refresh = self._options.refresh or core.settings.refresh
        return self._fetch(core, args, kwargs, refresh=refresh)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, which becomes the first argument."""
        return self if instance is None else BoundFunction(self, instance)

    def __repr__(self) -> str:
        return f"<cached {self._own_name}>"

    def __reduce__(self) -> str:
        # by reference, like a function: the code is where it was defined
        return self.__qualname__  # type: ignore[attr-defined,no-any-return]

    def __nbcache_unwrap__(self) -> Callable[..., Any]:
        """Give what a key of something that uses this sees: the function itself."""
        return self._function

    def __nbcache_hash__(self) -> Callable[..., Any]:
        """Give the function: the wrapper adds nothing to a value that holds it."""
        return self._function

    # --- one call

    def _request(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, refresh: bool = False
    ) -> tuple[Request, CallTask]:
        """Give the request and the task of a call.

        Raises
        ------
        TypeError
            The arguments do not fit the signature.
        UnhashableValue
            One of them, or what the function reads, cannot be part of a key.
        """
        bound = self._bound(args, kwargs)
        name, options, core = self._own_name, self._options, self._options.core()
        found = bound_key(self._function, name, bound, options)
        request = Request(
            key=found.key,
            name=name,
            kind="function",
            slug=found.slug,
            notebook=notebook_name(),
            refresh=refresh,
            write=(options.write or refresh) and not core.settings.read_only,
        )
        task = CallTask(
            function=self._function,
            name=name,
            args=args,
            kwargs=kwargs,
            bound=bound,
            options=options,
            found=found,
            store=str(core.store.folder),
            compress=options.compress or core.settings.compress,
        )
        return request, task

    def _bound(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> inspect.BoundArguments:
        """Bind the arguments, and the defaults of those that are not given.

        Raises
        ------
        TypeError
            They do not fit the signature.
        """
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            # a decorator below may take more than the function that it names
            own = inspect.signature(self._function, follow_wrapped=False)
            bound = own.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def _fetch(
        self,
        core: Core,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        *,
        refresh: bool,
    ) -> R:
        try:
            with trace.unseen():
                request, task = self._request(args, kwargs, refresh=refresh)
        except UnhashableValue as error:
            return self._run_only(core, str(error), args, kwargs)
        except Exception as error:
            self._bound(args, kwargs)  # a wrong call raises
            return self._run_only(core, f"no key: {error!r}", args, kwargs)
        return core.fetch(request, task)  # type: ignore[no-any-return]

    def _run_only(
        self, core: Core, why: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> R:
        began = time.perf_counter()
        result = self._function(*args, **kwargs)
        core.refuse(self._own_name, "function", why, time.perf_counter() - began)
        return result

    # --- methods of the wrapper

    def key(self, *args: P.args, **kwargs: P.kwargs) -> Key:
        """Give the key of a call, in labelled parts.

        Raises
        ------
        UnhashableValue
            The call has none.
        """
        return self._request(args, kwargs)[0].key

    def is_cached(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Say whether a call would be a hit."""
        try:
            found = self._lookup(args, kwargs)
        except UnhashableValue:
            return False
        if isinstance(found, Hit):
            found.opened.close()
        return isinstance(found, Hit)

    def _lookup(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Hit | Miss:
        return self._options.core().lookup(self._request(args, kwargs)[0])

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Give the stored result of a call without ever computing it.

        Raises
        ------
        NotCached
            There is none; the text says why.
        """
        request, task = self._request(args, kwargs)
        found = self._options.core().find(request, task)
        if isinstance(found, Restored):
            return found.value  # type: ignore[no-any-return]
        raise NotCached(f"{self._own_name} is not cached for these arguments: {found}")

    def explain(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Say whether a call would be a hit, and if not, why."""
        try:
            found = self._lookup(args, kwargs)
        except UnhashableValue as error:
            return f"miss: {error}"
        if isinstance(found, Miss):
            return f"miss: {found}"
        found.opened.close()
        entry = found.opened.entry
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created))
        return f"hit: stored {when}, computed in {entry.seconds:.3g} s"

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute a call in any case, and store the result."""
        return self._fetch(self._options.core(), args, kwargs, refresh=True)

    def put(self, value: R, *args: P.args, **kwargs: P.kwargs) -> None:
        """Store a value that was computed elsewhere as the result of a call.

        Raises
        ------
        UnhashableValue
            The call has no key.
        UnstorableValue
            The value cannot be stored.
        """
        request, task = self._request(args, kwargs, refresh=True)
        entry, content = task.encode(Computed(value, 0.0))
        self._options.core().store.put(
            entry, content, slug=request.slug, overwrite=True
        )

    def clear(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Delete the entry of one call, or without arguments all of the function.

        Returns
        -------
        int
            How many entries were deleted.
        """
        store = self._options.core().store
        entries = store.by_name(self._own_name)
        if args or kwargs:
            key = self._request(args, kwargs)[0].key.digest
            entries = [entry for entry in entries if entry.lookup == key]
        return store.delete(entries)

    def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself; nothing is read or written."""
        return self._function(*args, **kwargs)

    def entries(self) -> list[dict[str, Any]]:
        """Give what is stored of this function: one plain row an entry."""
        store = self._options.core().store
        uses = store.history.uses()
        return [
            row(entry, uses.get(entry.key)) for entry in store.by_name(self._own_name)
        ]

    def cache_info(self) -> CacheInfo:
        """Give functools' five figures, plus bytes stored and seconds saved."""
        core = self._options.core()
        entries = core.store.by_name(self._own_name)
        uses = core.store.history.uses()
        found = [uses[entry.key] for entry in entries if entry.key in uses]
        return CacheInfo(
            hits=sum(use.hits for use in found),
            misses=len(entries),
            maxsize=None,
            currsize=len(entries),
            bytes=sum(entry.bytes for entry in entries),
            saved=sum(use.saved for use in found),
        )


class BoundFunction(Generic[P, R]):
    """A cached function bound to an instance, like a bound method."""

    def __init__(self, function: CachedFunction[..., Any], instance: Any) -> None:
        functools.update_wrapper(self, function.__wrapped__)  # type: ignore[attr-defined]
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call with the instance as the first argument."""
        return self.__func__(self.__self__, *args, **kwargs)

    def __nbcache_hash__(self) -> tuple[Any, Any]:
        """Give what identifies a bound method: function and instance."""
        return self.__func__, self.__self__

    def __getattr__(self, name: str) -> Any:
        """Give a method of the wrapper, with the instance filled in."""
        if name in _CALLS:
            return functools.partial(getattr(self.__func__, name), self.__self__)
        return getattr(self.__func__, name)

    def put(self, value: Any, *args: Any, **kwargs: Any) -> None:
        """Store a value that was computed elsewhere as the result of a call."""
        self.__func__.put(value, self.__self__, *args, **kwargs)

    def clear(self, *args: Any, **kwargs: Any) -> int:
        """Delete the entry of one call, or without arguments all of the function."""
        if args or kwargs:
            return self.__func__.clear(self.__self__, *args, **kwargs)
        return self.__func__.clear()


_CALLS = frozenset({"key", "is_cached", "peek", "explain", "refresh", "uncached"})


def decorate(function: Any, options: Options) -> CachedFunction[Any, Any]:
    """Give a cached function.

    Raises
    ------
    TypeError
        It is no function, or one whose result can be consumed only once.
    ValueError
        An option cannot be meant.
    """
    if isinstance(function, staticmethod | classmethod):
        kind = type(function).__name__
        raise TypeError(f"put @{kind} above @cached: it must be the outer decorator")
    if isinstance(function, CachedFunction):
        function = function.__wrapped__  # type: ignore[attr-defined]
    if not callable(function):
        raise TypeError(f"cached takes a function, not {type(function).__name__}")
    code = inspect.unwrap(function)
    if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        raise TypeError(
            f"{name_of(function)} is a generator: it can be consumed only once. "
            "Return a list instead, or cache the function that consumes it"
        )
    if inspect.iscoroutinefunction(code):
        raise TypeError(
            f"{name_of(function)} is a coroutine function, which cannot be cached: "
            "cache the function that computes, and await around it"
        )
    options.check(function)
    return CachedFunction(function, options)
