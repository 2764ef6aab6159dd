"""One call of a cached function, from look-up to storing, around the function itself.

The wrapper calls the function from its own frame, inside ``with invocation:``, so that
a recursive function needs two frames a level, not one for every step of the cache.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from nbcache import trace
from nbcache.cache import Core, warn
from nbcache.decorator.call import CallTask
from nbcache.decorator.failures import Failure, is_kept
from nbcache.decorator.references import values_of
from nbcache.outcome import Miss, Outcome, Request, Restored
from nbcache.storage.flight import Flight

__all__ = ["Invocation", "Unkeyed"]


class Invocation:
    """What the cache does before and after a call.

    Parameters
    ----------
    core : Core
        Where results are.
    request : Request
        What is wanted.
    task : CallTask
        How it is computed and restored.

    Attributes
    ----------
    outcome : Outcome or None
        What became of a result that was computed.
    """

    __slots__ = (
        *("args", "core", "found", "kwargs", "must_run", "outcome"),
        *("request", "task", "_flight", "_observed"),
    )

    def __init__(self, core: Core, request: Request, task: CallTask) -> None:
        self.core, self.request, self.task = core, request, task
        self.found: Restored[Any] | Miss = Miss("new")
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.must_run = False
        self.outcome: Outcome | None = None
        self._flight: Flight | None = None
        self._observed = False

    # --- around a call

    def __enter__(self) -> None:
        if self.look():
            return
        try:
            try:
                # other threads may be recorded meanwhile, and this is not theirs
                with trace.unseen():
                    self._flight = self.core.flight(self.request)
                    self._flight.__enter__()
            except Exception as error:
                _told(self.request.name, error)
            self._ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(self, kind: Any, error: BaseException | None, at: Any) -> None:
        try:
            self._end(error)
        finally:
            self.release()

    def release(self) -> None:
        """Give the key back; may be called again, as an interrupt may cut it short."""
        if self._flight is not None:
            with trace.unseen():
                self._flight.release()

    async def __aenter__(self) -> None:
        try:
            try:
                self._flight = self.core.flight(self.request)
                await self._flight.__aenter__()
            except Exception as error:
                _told(self.request.name, error)
            self._ready()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise

    async def __aexit__(self, kind: Any, error: BaseException | None, at: Any) -> None:
        self.__exit__(kind, error, trace)

    # --- the steps

    def look(self) -> bool:
        """Look the call up; say whether it is a hit."""
        try:
            self.found = self.core.find(self.request, self.task)
        except Exception as error:
            # near the limit of recursion anything may fail
            _told(self.request.name, error)
            self.found = Miss("damaged", detail=repr(error))
        return isinstance(self.found, Restored)

    def _ready(self) -> None:
        """Look again while the key is held; make ready for running the function."""
        assert isinstance(self.found, Miss)
        with suppress(RecursionError), trace.unseen():
            self.found = self.core.find_again(self.request, self.task, self.found)
        if isinstance(self.found, Miss):
            self.args, self.kwargs = self.task.given()
            self.must_run = self._observed = True
            self.task.begin()

    def keep(self, value: Any) -> None:
        """Store what the function gave; whatever fails, the value is there."""
        assert isinstance(self.found, Miss)
        miss, self.found = self.found, Restored(value)
        self._observed = False
        try:
            computed = self.task.end(value)
            self.outcome = self.core.keep(self.request, self.task, computed, miss)
            self.found = Restored(computed.value)
            if computed.is_overtaken:
                # one key, one value: who comes second takes what is stored
                first = self.core.find(self.request, self.task)
                self.found = first if isinstance(first, Restored) else self.found
        except Exception as error:
            _told(self.request.name, error)

    def _end(self, error: BaseException | None) -> None:
        """Stop observing; keep an exception if that is asked for."""
        if not self._observed:
            return
        wanted = self.task.options.cache_exceptions
        if error is not None and is_kept(error, wanted):
            assert isinstance(error, Exception)
            self.keep(Failure(error))
        else:
            self._observed = False
            self.task.abandon()

    def value(self) -> Any:
        """Give the result; raise it if it is a stored exception."""
        assert isinstance(self.found, Restored)
        value = self.found.value
        if type(value) is Failure:
            raise value.error
        return value


def _told(name: str, error: Exception) -> None:
    # near the limit of recursion not even a warning may be possible
    with suppress(Exception):
        warn(f"{name!r}: the cache failed, the call itself goes on: {error!r}")


class Unkeyed:
    """Stands for an `Invocation` of a call that has no key: it only runs.

    Parameters
    ----------
    core : Core
        What is told of it.
    name, why : str
        The function's name, and why there is no key.
    """

    must_run = True

    def __init__(self, core: Core, name: str, why: str, args: Any, kwargs: Any) -> None:
        self.core, self.name, self.why = core, name, why
        self.args, self.kwargs = values_of(args, kwargs)
        self._value: Any = None
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, kind: Any, error: BaseException | None, at: Any) -> None:
        """Leave errors to the caller."""

    def release(self) -> None:
        """Give nothing back: nothing is held."""

    def keep(self, value: Any) -> None:
        """Say why the result is not stored."""
        self._value = value
        seconds = time.perf_counter() - self._began
        with suppress(Exception):
            self.core.refuse(self.name, "function", self.why, seconds)

    def value(self) -> Any:
        """Give the result."""
        return self._value
