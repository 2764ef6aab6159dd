"""One call of a cached function: its key, and how it is computed and restored."""

from __future__ import annotations

import inspect
import time
import weakref
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import CodeType
from typing import Any

from nbcache import randomness, surroundings, trace
from nbcache.decorator import failures
from nbcache.decorator.arguments import kept_arguments
from nbcache.decorator.failures import FAILURE, Failure
from nbcache.decorator.generators import Generators
from nbcache.decorator.identity import BoundKey, bound_key
from nbcache.decorator.options import Options
from nbcache.decorator.references import (
    DIGEST,
    VALUE,
    CachedRef,
    Loading,
    plain_digest,
    values_of,
)
from nbcache.errors import NbcacheError, UnhashableValue
from nbcache.keys import hashing
from nbcache.keys.classes import classes_of
from nbcache.keys.constant import is_constant
from nbcache.keys.dependencies import reached, unwrap
from nbcache.keys.frozen import frozen_told
from nbcache.outcome import Computed
from nbcache.storage import codec
from nbcache.storage.described import package_versions, type_rows
from nbcache.storage.entry import Entry
from nbcache.storage.inplace import CHANGED, Writes
from nbcache.storage.store import Content, Opened
from nbcache.trace.named import Named
from nbcache.trace.observed import Observed

__all__ = ["CallTask"]


@dataclass(slots=True)
class CallTask:
    """Computes, encodes and restores one call."""

    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    bound: inspect.BoundArguments
    options: Options
    found: BoundKey
    store: str
    compress: bool
    with_digest: bool = False
    random: randomness.RandomWatch | None = None
    changes: list[Any] | None = None
    _watch: _Watch | None = None
    _given: tuple[tuple[Any, ...], dict[str, Any]] | None = None

    # --- computing

    def compute(self) -> Computed[Any]:
        """Call the function; see whether what it did allows storing the result."""
        args, kwargs = self.given()
        self.begin()
        try:
            value = self.function(*args, **kwargs)
            if inspect.iscoroutine(value):
                value = _awaited(value)
        except BaseException:
            self.abandon()
            raise
        return self.end(value)

    def given(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the arguments, with the values of references in their places.

        Raises
        ------
        NotCached
            The result that one refers to is no longer there.
        """
        self._given = values_of(self.args, self.kwargs)
        return self._given

    def begin(self) -> None:
        """Watch what the function does, from now until `end` or `abandon`."""
        self._watch = _Watch()
        try:
            self._watch.before = self._written_digests()
            self._watch.generators = Generators(self._referred())
            self._watch.start(self._named())
        except Exception as error:
            # it runs all the same; what is not watched is not stored
            self._watch.failed = f"it could not be watched: {error!r}"
        self._watch.began = time.perf_counter()

    def abandon(self) -> None:
        """Stop watching: there is no result."""
        if self._watch is not None:
            self._watch.stop()

    def end(self, value: Any) -> Computed[Any]:
        """Stop watching; see whether what the function did allows storing its value."""
        seconds = time.perf_counter()
        watch = self._watch
        assert watch is not None
        watch.stop()
        seconds -= watch.began
        if watch.failed or not (watch.touched and watch.random and watch.around):
            return Computed(value, seconds, watch.failed)
        self.random = watch.random
        refused = self._refused() or watch.around.left()
        if refused:
            return Computed(value, seconds, refused)
        for library, digest in watch.random.found().items():
            watch.touched.note([Observed("random", library, digest)])
        settled = watch.touched.settled(self.store)
        return Computed(
            value,
            seconds + settled.seconds,
            settled.refused,
            self._repeated_not(watch.before)
            or watch.random.told()
            or frozen_told(self.found.functions)
            or settled.told,
            settled.found,
            settled.written,
        )

    def _named(self) -> Named:
        """Give what the function and those that it calls name and get."""
        named = Named()
        for function in self.found.functions:
            named.add_code(function.__code__)
        args, kwargs = self._given or (self.args, self.kwargs)
        named.add_values([*self.bound.arguments.values(), *args, *kwargs.values()])
        named.add_values(self.found.values.values())
        return named

    def _refused(self) -> str:
        """Say why the result may not be kept; '' if it may."""
        try:
            after = bound_key(self.function, self.name, self.bound, self.options).key
        except Exception as error:
            return f"after the call, it has no key: {error}"
        differences = self.found.key.difference(after)
        generators = self._watch and self._watch.generators
        if differences and generators:
            self.changes = generators.changes()
        for change in differences:
            kind, _, what = change.label.rpartition(" → ")[2].partition(" ")
            if kind == "argument" and self.changes:
                continue
            if kind == "argument":
                what = (generators and generators.other) or what
                return (
                    f"it changed its argument {what!r} in place, which a hit would "
                    "not. Let it work on a copy"
                )
            if kind in ("global", "closure", "attributes"):
                return (
                    f"it reads and changes {change.label!r}. If that does not affect "
                    f"its result: @cached(ignore_globals=({what!r},))"
                )
            return f"{change.label} changed while it ran"
        return ""

    def _written_digests(self) -> dict[str, str]:
        return {name: hashing.digest(value) for name, value in self._hashable_written()}

    def _hashable_written(self) -> list[tuple[str, Any]]:
        found = []
        for name, value in self.found.written.items():
            try:
                hashing.digest(value)
            except NbcacheError:
                continue
            found.append((name, value))
        return found

    def _repeated_not(self, before: Mapping[str, str]) -> str:
        """Say which globals the function wrote to: a hit does not repeat that."""
        scope = getattr(unwrap(self.function), "__globals__", {})
        changed = []
        for name, digest in before.items():
            try:
                now = scope.get(name, self.found.written[name])
                if hashing.digest(now) != digest:
                    changed.append(name)
            except UnhashableValue:
                changed.append(name)
        if not changed:
            return ""
        return f"it changes global {', '.join(changed)}, which a hit does not repeat"

    # --- storing

    def encode(self, computed: Computed[Any]) -> tuple[Entry, Content]:
        """Give the entry of a result.

        Raises
        ------
        UnstorableValue
            It cannot be kept.
        """
        value = computed.value
        state: dict[str, Any] = {}
        if self.random is not None:
            state.update(self.random.to_json())
        if type(value) is Failure:
            state["failure"] = failures.described(value.error)
            encoded = failures.kept_failure(value.error, self._encoded)
        else:
            encoded = self._encoded({VALUE: value})
        if self.with_digest and (digest := plain_digest(value, encoded)):
            state[DIGEST] = digest
        entry = Entry(
            key=self.found.key.digest,
            kind="function",
            name=self.name,
            parts=[list(row) for row in self.found.key.to_json()],
            variables=_rows(value),
            pickled=list(encoded.pickled),
            seconds=computed.seconds,
            created=time.time(),
            packages=package_versions(),
            options={"compress": self.compress},
            source=_source(self.function),
            state=state,
            # by now, generators are not what they were
            call=None if self.changes else kept_arguments(self.bound),
        )
        return entry, Content.of(encoded)

    def _encoded(self, values: dict[str, Any]) -> codec.Encoded:
        if self.random is not None and self.random.after:
            values = {**values, randomness.RANDOM: self.random.after}
        if self.changes:
            values = {**values, CHANGED: self.changes}
        generators = self._watch and self._watch.generators
        return codec.encode(
            values,
            live=generators.index if generators else self._referred(),
            classes=classes_of(self._namespace()),
            namespace=self._namespace(),
        )

    def _referred(self) -> dict[str, Any]:
        """Give what a result may refer to that was there before the call."""
        # the value of a reference is a new object each time: nothing to refer to
        return {
            label: one
            for label, one in self.found.values.items()
            if type(one) is not CachedRef
        }

    def _live(self) -> Mapping[str, Any]:
        """Give what a result may refer to: all that is part of the key by value."""
        return Loading(self.found.values)

    def _namespace(self) -> dict[str, Any] | None:
        return getattr(unwrap(self.function), "__globals__", None)

    # --- restoring

    def restore(self, opened: Opened) -> Any:
        """Decode the result of a stored call; restore the random states after it."""
        state = opened.entry.state
        if VALUE in opened.held:
            return opened.held[VALUE]
        values = opened.decode(
            mode=self.options.mmap,
            live=self._live(),
            classes=classes_of(self._namespace()),
            namespace=self._namespace(),
            reach=reached,
        )
        Writes(values.get(CHANGED, ())).apply(undoable=False)
        if FAILURE in values:
            wanted = self.options.cache_exceptions
            value: Any = failures.restored(values[FAILURE], wanted, opened.entry)
        else:
            value = values[VALUE]
        drawn = values.get(randomness.RANDOM, {})
        randomness.restore(drawn, state.get("seeded", []))
        if set(values) == {VALUE} and not state.get("seeded") and is_constant(value):
            opened.held[VALUE] = value
        return value


class _Watch:
    """What is watched while a function runs."""

    def __init__(self) -> None:
        self.before: Mapping[str, str] = {}
        self.touched: trace.Trace | None = None
        self.random: randomness.RandomWatch | None = None
        self.around: surroundings.Watch | None = None
        self.generators: Generators | None = None
        self.began = 0.0
        self.failed = ""
        self._stack = ExitStack()

    def start(self, named: Named) -> None:
        with ExitStack() as stack:
            self.touched = stack.enter_context(trace.recording(named))
            self.random = stack.enter_context(randomness.watching())
            self.around = stack.enter_context(surroundings.watching())
            self._stack = stack.pop_all()

    def stop(self) -> None:
        try:
            self._stack.close()
        except Exception as error:
            self.failed = f"what it did could not be told: {error!r}"


def _rows(value: Any) -> list[list[Any]]:
    if type(value) is Failure:
        return [["error", type(value.error).__name__, 0]]
    return type_rows({VALUE: value})


def _awaited(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end; in another thread, as a loop may run in this one."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


_sources: weakref.WeakKeyDictionary[CodeType, str] = weakref.WeakKeyDictionary()


def _source(function: Callable[..., Any]) -> str:
    """Give the source of a function, which is looked for once for each code."""
    inner = inspect.unwrap(function)
    code = getattr(inner, "__code__", None)
    found = _sources.get(code) if isinstance(code, CodeType) else None
    if found is None:
        try:
            found = inspect.getsource(inner)
        except (OSError, TypeError):
            found = ""
        if isinstance(code, CodeType):
            _sources[code] = found
    return found
