"""What `cached` gives: the request of a call, and the methods of the wrapper."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast

from nbcache import explaining, trace
from nbcache.cache import Core, notebook_name
from nbcache.decorator import pickling
from nbcache.decorator.binding import BoundFunction
from nbcache.decorator.cache_info import CacheInfo
from nbcache.decorator.call import CallTask
from nbcache.decorator.failures import unwanted
from nbcache.decorator.identity import bound_key, dependencies
from nbcache.decorator.invocation import Invocation, Unkeyed
from nbcache.decorator.named import functions
from nbcache.decorator.options import Options, name_of, signature_of
from nbcache.decorator.references import CachedRef, is_still, reference
from nbcache.decorator.shortcut import Shortcut
from nbcache.errors import NotCached, UnhashableValue, UnstorableValue
from nbcache.keys.dependencies import Dependencies
from nbcache.keys.key import Key
from nbcache.outcome import Computed, Hit, Miss, Request, Restored
from nbcache.states import states
from nbcache.storage.listing import Listing
from nbcache.storage.rows import rows

__all__ = ["CacheInfo", "Wrapper"]

P = ParamSpec("P")
R = TypeVar("R")


class Wrapper(Generic[P, R]):
    """What cached functions of both kinds have in common.

    Parameters
    ----------
    function : callable
        Called on a miss; also ``.__wrapped__``.
    options : Options
        Checked already.
    """

    _kind = "function"
    _task: type[CallTask] = CallTask

    def __init__(self, function: Callable[P, Any], options: Options) -> None:
        # its own attributes are not copied: one named `key` would hide the method
        functools.update_wrapper(cast(Any, self), function, updated=())
        self._function = function
        self._options = options
        self._signature = signature_of(function)
        self._own_name = options.name or name_of(function)
        self._shortcut = Shortcut(function, self._own_name, options)
        self.__doc__ = options.noted(self.__doc__, function)
        functions[self._own_name] = self

    def __getattr__(self, name: str) -> Any:
        """Give an attribute of the function itself."""
        if name.startswith("__") or "_function" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self._function, name)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind to an instance, which becomes the first argument."""
        return self if instance is None else BoundFunction(self, instance)

    def __repr__(self) -> str:
        return f"<cached {self._own_name}>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: Any) -> Self:
        return self

    # --- pickling

    def __reduce_ex__(self, _: Any) -> Any:
        if pickling.is_by_reference(self, self._function):
            return pickling.name_to_find(self, self._function)
        return pickling.by_value(self)

    def __getstate__(self) -> dict[str, Any]:
        """Give what another process needs, sources included."""
        try:
            how = self._function, self._own_name, self._options, Dependencies
            met = dependencies(*how).functions()
        except UnhashableValue:
            met = ()
        return {
            "function": self._function,
            "options": self._options,
            "known": pickling.known_sources(met),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        pickling.learn_sources(state["known"])
        self.__init__(state["function"], state["options"])  # type: ignore[misc]

    # --- as part of a key

    def __nbcache_unwrap__(self) -> Callable[..., Any]:
        """Give what a key of something that uses this sees: the function itself."""
        return self._function

    def __nbcache_hash__(self) -> Callable[..., Any]:
        """Give the function: the wrapper adds nothing to a value that holds it."""
        return self._function

    # --- one call

    def _is_off(self, core: Core) -> bool:
        return not (self._options.enabled and core.settings.enabled)

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
        settings = core.settings
        found = bound_key(self._function, name, bound, options)
        request = Request(
            key=found.key,
            name=self._said(bound),
            kind=self._kind,
            slug=found.slug,
            notebook=notebook_name(),
            refresh=refresh,
            write=(options.write or refresh) and not core.settings.read_only,
            expires_after=_either(options.expires_after, settings.expires_after),
            validate=options.validate,
            min_seconds=options.min_seconds or settings.min_seconds,
            lock_timeout=_either(options.lock_timeout, settings.lock_timeout),
            tags=options.tags,
            private=options.private,
            memory=options.memory,
        )
        task = self._task(
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

    def _said(self, _: inspect.BoundArguments, /) -> str:
        """Give the name under which the result of a call is stored."""
        return self._own_name

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
            own = signature_of(self._function, follow_wrapped=False)
            bound = own.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def _invocation(
        self,
        core: Core,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        refresh: bool,
    ) -> Invocation | Unkeyed:
        """Give what the cache does around a call.

        Raises
        ------
        TypeError
            The arguments do not fit the signature.
        """
        try:
            with trace.unseen():
                request, task = self._request(args, kwargs, refresh=refresh)
        except UnhashableValue as error:
            why = str(error)
        except Exception as error:
            self._bound(args, kwargs)  # a wrong call raises
            why = f"no key: {error!r}"
        else:
            return Invocation(core, request, task)
        return Unkeyed(core, self._own_name, why, args, kwargs)

    # --- methods of the wrapper

    def key(self, *args: P.args, **kwargs: P.kwargs) -> Key:
        """Give the key of a call, in labelled parts.

        Raises
        ------
        UnhashableValue
            The call has none.
        """
        return self._request(args, kwargs)[0].key.without_values()

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
        core = self._options.core()
        if self._is_off(core):
            return Miss("disabled")
        found = core.lookup(self._request(args, kwargs)[0])
        if isinstance(found, Hit):
            why = unwanted(found.opened.entry, self._options.cache_exceptions)
            if why:
                found.opened.close()
                return Miss("dependency", detail=why)
        return found

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Give the stored result of a call without ever computing it.

        Raises
        ------
        NotCached
            There is none; the text says why.
        Exception
            The stored result is an exception.
        """
        core = self._options.core()
        found: Restored[Any] | Miss = Miss("disabled")
        if not self._is_off(core):
            call = Invocation(core, *self._request(args, kwargs))
            if call.look():
                return cast(R, call.value())
            found = call.found
        raise NotCached(f"{self._own_name} is not cached for these arguments: {found}")

    def explain(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Say whether a call would be a hit, and if not, why."""
        try:
            found = self._lookup(args, kwargs)
        except UnhashableValue as error:
            return f"miss: {error}"
        if isinstance(found, Miss):
            return explaining.miss_text(found)
        found.opened.close()
        entry = found.opened.entry
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created))
        return f"hit: stored {when}, computed in {entry.seconds:.3g} s"

    def put(self, value: R, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Store a value that was computed elsewhere as the result of a call.

        Returns
        -------
        bool
            Whether it was stored: not where the cache is off or only read.

        Raises
        ------
        UnhashableValue
            The call has no key.
        UnstorableValue
            The value cannot be stored.
        """
        core, options = self._options.core(), self._options
        if self._is_off(core) or core.settings.read_only:
            return False
        if not (options.write or options.refresh):
            return False
        request, task = self._request(args, kwargs, refresh=True)
        with trace.unseen(), core.flight(request):
            core.put(request, task, Computed(value, 0.0), "refreshed")
        return True

    def clear(self, *args: P.args, **kwargs: P.kwargs) -> int:
        """Delete the entry of one call, or without arguments all of the function.

        Returns
        -------
        int
            How many entries were deleted.
        """
        store = self._options.core().store
        entries = store.computed(self._own_name)
        if args or kwargs:
            key = self._request(args, kwargs)[0].key.digest
            entries = [one for one in entries if key in (one.key, one.lookup)]
        return store.delete(entries)

    def entries(self) -> list[dict[str, Any]]:
        """Give what is stored of this function: one plain row an entry."""
        store = self._options.core().store
        uses, found = store.history.uses(), store.computed(self._own_name)
        listing = Listing.of(found)
        return rows(listing, uses, states(listing), store.pins())

    def cache_info(self) -> CacheInfo:
        """Give functools' figures (misses: entries), plus bytes and seconds saved."""
        core = self._options.core()
        entries = core.store.computed(self._own_name)
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

    def _to_refer(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Core, Request, CallTask]:
        """Give core, request and task of a call whose result must be stored.

        Raises
        ------
        NotCached
            The cache is off.
        """
        core = self._options.core()
        if self._is_off(core):
            raise NotCached(f"the cache is off, and {self._own_name}.ref needs it")
        refresh = self._options.refresh or core.settings.refresh
        request, task = self._request(args, kwargs, refresh=refresh)
        task.with_digest = True
        return core, replace(request, min_seconds=0.0), task

    def _refer(
        self, core: Core, request: Request, *, again: bool = False
    ) -> CachedRef[R] | None:
        """Give the reference to what is stored now; None if there is nothing.

        Raises
        ------
        UnstorableValue
            The second time: also what was just looked up or computed has none.
        """
        with trace.unseen():
            found = core.lookup(replace(request, refresh=False, read=True))
            if isinstance(found, Miss):
                return None
            entry = found.opened.entry
            try:
                if entry.state.get("failure") or not (again or is_still(found.opened)):
                    return None
                name, folder = self._own_name, core.store.folder
                made = reference(found.opened, name, folder, request.slug)
                if not again:
                    # whoever is being recorded depends on what the result depends on
                    trace.inherit(entry.trace, entry.written, entry.seconds)
                return made
            except UnstorableValue:
                if again:
                    raise
                return None
            finally:
                found.opened.close()

    def _not_stored(self, core: Core) -> UnstorableValue:
        why = "it was not stored" if core.settings.read_only else "the warning says why"
        return UnstorableValue(f"the result of {self._own_name}", "CachedRef", why)


def _either(option: float | None, setting: float | None) -> float | None:
    """Give an option, or where it is not given the setting."""
    return setting if option is None else option
