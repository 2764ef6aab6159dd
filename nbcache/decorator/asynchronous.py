"""Cached coroutine functions: concurrent awaits of one call share one computation.

Whoever comes first to a call in an event loop starts a task; the others wait for it,
and then decode the stored result anew, so that nobody can change what another one got.
A result that was not stored is handed to nobody else: each computes for itself.  Other
loops, threads and processes are kept out by the key's lock, waiting for which does not
stop the loop.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar, cast

from nbcache import trace
from nbcache.cache import Core
from nbcache.decorator.invocation import Invocation, Unkeyed
from nbcache.decorator.options import Options
from nbcache.decorator.references import CachedRef, values_of
from nbcache.decorator.shortcut import NOTHING
from nbcache.decorator.wrapper import Wrapper

__all__ = ["AsyncCachedFunction"]

P = ParamSpec("P")
R = TypeVar("R")

_Name = tuple[str, str, str]


class _Shared:
    """A computation that several tasks wait for."""

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        self.waiting = 0
        self.is_given_up = False

    async def wait(self) -> Any:
        """Wait for the end; cancelling the last one who waits cancels it."""
        self.waiting += 1
        try:
            return await asyncio.shield(self.task)
        except asyncio.CancelledError:
            if self.waiting == 1 and not self.task.done():
                self.is_given_up = True
                self.task.cancel()
                # what it has to tidy up is tidied up when the caller goes on
                await asyncio.wait([self.task])
            raise
        finally:
            self.waiting -= 1


_running: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Name, _Shared]] = (
    weakref.WeakKeyDictionary()
)
# the calls inside which a task runs: one that awaits itself must not wait for itself
_inside: ContextVar[frozenset[_Name]] = ContextVar("inside", default=frozenset())


class AsyncCachedFunction(Wrapper[P, R]):
    """A coroutine function whose results are kept; made by `cached`."""

    # what asyncio.iscoroutinefunction looks for before Python 3.12
    _is_coroutine = getattr(asyncio.coroutines, "_is_coroutine", True)

    def __init__(
        self, function: Callable[P, Coroutine[Any, Any, R]], options: Options
    ) -> None:
        super().__init__(function, options)
        mark = getattr(inspect, "markcoroutinefunction", None)
        if mark is not None:
            mark(self)

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Give the result: the stored one, or what the function computes."""
        core = self._options.core()
        found = self._shortcut.find(core, args, kwargs)
        if found is not NOTHING:
            return cast(R, found)
        if self._is_off(core):
            return await self.uncached(*args, **kwargs)
        refresh = self._options.refresh or core.settings.refresh
        return cast(R, await self._fetch(core, args, kwargs, refresh))

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Compute a call in any case, and store the result."""
        core = self._options.core()
        if self._is_off(core):
            return await self.uncached(*args, **kwargs)
        return cast(R, await self._fetch(core, args, kwargs, True))

    async def uncached(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself; nothing is read or written."""
        values, named = values_of(args, kwargs)
        return cast(R, await self._function(*values, **named))

    async def ref(self, *args: P.args, **kwargs: P.kwargs) -> CachedRef[R]:
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
            await self._computed(Invocation(core, request, task))
            found = self._refer(core, request, again=True)
        if found is None:
            raise self._not_stored(core)
        return found

    # --- one call

    async def _fetch(
        self,
        core: Core,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        refresh: bool,
    ) -> Any:
        call = self._invocation(core, args, kwargs, refresh)
        if isinstance(call, Unkeyed):
            with call:
                call.keep(await self._function(*call.args, **call.kwargs))
            return call.value()
        return await self._computed(call)

    async def _computed(self, call: Invocation) -> Any:
        """Give the stored result, or that of the one task that computes it."""
        if call.look():
            self._shortcut.learn(call.core, call.request)
            return call.value()
        name = (
            str(call.core.store.folder),
            call.request.key.digest,
            call.request.slug,
        )
        if name in _inside.get():
            args, kwargs = call.task.given()
            return await self._function(*args, **kwargs)
        if call.request.refresh:
            return await self._alone(call, name)
        running = _running.setdefault(asyncio.get_running_loop(), {})
        shared = running.get(name)
        if shared is None or shared.is_given_up:
            return await self._started(call, name, running).wait()
        try:
            await shared.wait()
        except Exception:
            if not trace.is_recording():
                raise
            # a recording that began meanwhile has not seen what led to the error
        again = Invocation(call.core, call.request, call.task)
        if again.look():
            return again.value()
        return await self._alone(again, name)

    def _started(
        self, call: Invocation, name: _Name, running: dict[_Name, _Shared]
    ) -> _Shared:
        shared = _Shared(asyncio.ensure_future(self._alone(call, name)))
        running[name] = shared

        def forget(task: asyncio.Task[Any]) -> None:
            if running.get(name) is shared:
                del running[name]
            if not task.cancelled():
                task.exception()  # seen: there may be nobody left to raise it to

        shared.task.add_done_callback(forget)
        return shared

    async def _alone(self, call: Invocation, name: _Name) -> Any:
        """Compute, holding the key; the loop goes on while others hold it."""
        token = _inside.set(_inside.get() | {name})
        try:
            async with call:
                if call.must_run:
                    call.keep(await self._function(*call.args, **call.kwargs))
            return call.value()
        finally:
            call.release()
            _inside.reset(token)
