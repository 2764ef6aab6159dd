"""Cached functions that are called, not awaited."""

from __future__ import annotations

from typing import ParamSpec, TypeVar, cast

from nbcache.decorator.invocation import Invocation
from nbcache.decorator.references import CachedRef, values_of
from nbcache.decorator.shortcut import NOTHING
from nbcache.decorator.wrapper import Wrapper

__all__ = ["CachedFunction"]

P = ParamSpec("P")
R = TypeVar("R")


class CachedFunction(Wrapper[P, R]):
    """A function whose results are kept; made by `cached`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Give the result: the stored one, or what the function computes."""
        core = self._options.core()
        found = self._shortcut.find(core, args, kwargs)
        if found is not NOTHING:
            return cast(R, found)
        if self._is_off(core):
            values, named = values_of(args, kwargs)
            return cast(R, self._function(*values, **named))
        refresh = self._options.refresh or core.settings.refresh
        call = self._invocation(core, args, kwargs, refresh)
        try:
            with call:
                if call.must_run:
                    # from this frame: see `invocation`
                    call.keep(self._function(*call.args, **call.kwargs))
        finally:
            call.release()
        if isinstance(call, Invocation) and not call.must_run:
            self._shortcut.learn(core, call.request)
        return cast(R, call.value())

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute a call in any case, and store the result."""
        core = self._options.core()
        if self._is_off(core):
            return self.uncached(*args, **kwargs)
        call = self._invocation(core, args, kwargs, True)
        try:
            with call:
                call.keep(self._function(*call.args, **call.kwargs))
        finally:
            call.release()
        return cast(R, call.value())

    def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself; nothing is read or written."""
        values, named = values_of(args, kwargs)
        return cast(R, self._function(*values, **named))

    def ref(self, *args: P.args, **kwargs: P.kwargs) -> CachedRef[R]:
        """Give a reference to the result of a call, which is computed if need be.

        Raises
        ------
        UnhashableValue
            The call has no key.
        UnstorableValue
            Its result cannot be stored, or not be loaded without the call.
        NotCached
            The cache is off.
        """
        core, request, task = self._to_refer(args, kwargs)
        found = None if request.refresh else self._refer(core, request)
        if found is None:
            call = Invocation(core, request, task)
            try:
                with call:
                    if call.must_run:
                        call.keep(self._function(*call.args, **call.kwargs))
            finally:
                call.release()
            call.value()
            found = self._refer(core, request, again=True)
        if found is None:
            raise self._not_stored(core)
        return found
