"""The short way to a hit: what was the same at the last call is not digested again.

The first hits of a function take the whole way through `Core`.  Then a `Shortcut`
holds what calls have in common (`keys.unchanged`: where all that the code reads was
found, and what was there), binds and digests the arguments by code made for this
function, and hands out the stored result.  Each call compares again; whatever does not
fit is left to the whole way, which decides everything else: traces, expiry, misses.
"""

from __future__ import annotations

import marshal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import xxhash

from nbcache import trace
from nbcache.cache import Core
from nbcache.decorator.binder import binder
from nbcache.decorator.call import CallTask
from nbcache.decorator.handed import maker
from nbcache.decorator.identity import BoundKey, counted_names, dependencies
from nbcache.decorator.options import Options, signature_of
from nbcache.decorator.references import VALUE, CachedRef, is_still
from nbcache.errors import NbcacheError
from nbcache.keys.constant import is_constant
from nbcache.keys.key import Key, Part
from nbcache.keys.plain import ATOMS, CONTAINERS
from nbcache.keys.registry import registrations
from nbcache.keys.unchanged import Unchanged, is_plain
from nbcache.keys.walk import Walk
from nbcache.keys.watched import Watched
from nbcache.outcome import Outcome, Request, hit_outcome
from nbcache.storage import codec
from nbcache.storage.entry import Entry
from nbcache.storage.store import Opened

__all__ = ["NOTHING", "Shortcut"]

NOTHING: Any = object()
"""What `Shortcut.find` gives where the whole way has to be taken."""

_LONG_BYTES = 1 << 16
_MOST_PLACES = 4096
_LONGEST_WAIT = 64


@dataclass(slots=True)
class _Place:
    """Where the entry of some arguments is, and what is told of a hit."""

    path: str
    digest: str
    told: Outcome | None = None


class Shortcut:
    """The short way of one function; empty until it was learnt.

    Parameters
    ----------
    function : callable
        The one that is cached.
    name : str
        Of its entries.
    options : Options
        Its own.
    """

    __slots__ = ("_function", "_learnt", "_name", "_options", "_wait", "_waited")

    def __init__(
        self, function: Callable[..., Any], name: str, options: Options
    ) -> None:
        self._function, self._name, self._options = function, name, options
        self._learnt: _Learnt | None = None
        self._wait, self._waited = 1, 0

    def find(self, core: Core, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Give the stored result of a call, or `NOTHING`."""
        learnt = self._learnt
        if learnt is None:
            return NOTHING
        try:
            found = learnt.find(core, args, kwargs)
        except Exception:
            # the whole way says what it is, if it is anything
            return NOTHING
        if found is NOTHING and learnt.is_over:
            self._learnt = None
            # what changes at every call is not worth learning each time
            self._wait = 1 if learnt.hits > 3 else min(2 * self._wait, _LONGEST_WAIT)
        return found

    def learn(self, core: Core, request: Request) -> None:
        """Take note of a hit that took the whole way."""
        self._waited += 1
        if self._waited <= self._wait or self._learnt is not None:
            return
        self._waited = 0
        try:
            self._learnt = self._made(core, request)
        except Exception:
            self._learnt = None
        if self._learnt is None:
            self._wait = _LONGEST_WAIT

    def _made(self, core: Core, request: Request) -> _Learnt | None:
        function, options = self._function, self._options
        if type(function) is not FunctionType or not _is_simple(options, request):
            return None
        found = dependencies(function, self._name, options, Watched)
        unchanged = found.unchanged()
        if unchanged is None:
            return None
        learnt = _Learnt(core, function, self._name, options, found, unchanged)
        return learnt if learnt.agrees(request.key) else None


def _is_simple(options: Options, request: Request) -> bool:
    """Say whether nothing but the key decides what a hit is."""
    return not (
        request.refresh
        or request.expires_after is not None
        or request.validate is not None
        or options.hash_funcs
        or not Walk().takes_plain()
        or options.key != "hash"
        or not is_constant(options.version)
    )


class _Learnt:
    """What the calls of a function have in common, as long as nothing changes."""

    __slots__ = (
        *("_bind", "_core", "_counted", "_function", "_head", "_name", "_options"),
        *(
            "_places",
            "_qualified",
            "_ready",
            "_registered",
            "_static",
            "_tail",
            "_unchanged",
            "_values",
        ),
        *("hits", "is_over"),
    )

    def __init__(
        self,
        core: Core,
        function: FunctionType,
        name: str,
        options: Options,
        found: Watched,
        unchanged: Unchanged,
    ) -> None:
        self._core, self._function, self._name = core, function, name
        self._options, self._unchanged = options, unchanged
        self._qualified = function.__qualname__
        self._registered = registrations()
        # two wrappers may share an entry and differ in how they hand out arrays
        self._ready = f"ready, mapped as {options.mmap}"
        signature = signature_of(function)
        self._counted = counted_names(signature.parameters, options)
        self._bind = binder(signature, self._counted)
        self._static = Key.of(found.parts).parts
        self._head = Key(self._static).running()
        self._values = dict(found.values)
        before = len(found.parts)
        if options.version is not None:
            found.add("version", options.version)
        self._tail = found.parts[before:]
        self._places: dict[bytes, _Place] = {}
        self.hits = 0
        self.is_over = False

    def agrees(self, key: Key) -> bool:
        """Say whether a key of the whole way has the same parts for all calls."""
        ours = [(part.label, part.digest) for part in self._static]
        theirs = [(part.label, part.digest) for part in key.parts[: len(ours)]]
        last = [(part.label, part.digest) for part in self._tail]
        end = key.parts[len(key.parts) - len(last) :]
        return ours == theirs and last == [(one.label, one.digest) for one in end]

    def find(self, core: Core, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Give the stored result of a call, or `NOTHING`."""
        began = time.perf_counter()
        if core is not self._core:
            if core != self._core:
                self.is_over = True
                return NOTHING
            self._core = core
        if (
            registrations() != self._registered
            or self._function.__qualname__ is not self._qualified
        ):
            self.is_over = True
            return NOTHING
        values = self._bind(*args, **kwargs)
        place = self._place(values)
        if place is None:
            return NOTHING
        if trace.is_recording():
            with trace.unseen():
                opened, value = self._result(place, args, kwargs, values)
        else:
            opened, value = self._result(place, args, kwargs, values)
        if opened is None:
            return NOTHING
        self.hits += 1
        self._tell(opened.entry, place, began)
        return value

    # --- the key

    def _place(self, values: tuple[Any, ...]) -> _Place | None:
        """Give the place of a call's entry; None if something is no longer so."""
        if not ATOMS.issuperset(map(type, values)):
            digests = self._digests(values)
            return None if digests is None else self._of(digests)
        if not self._unchanged.holds():
            self.is_over = True
            return None
        raw = marshal.dumps(values, 2)
        place = self._places.get(raw)
        if place is not None:
            return place
        if len(raw) > _LONG_BYTES:
            return None
        place = self._of(map(_digest, values))
        if len(self._places) >= _MOST_PLACES:
            self._places.clear()
        self._places[raw] = place
        return place

    def _digests(self, values: tuple[Any, ...]) -> list[str] | None:
        """Give the digests of arguments of which some can change in place."""
        kinds = frozenset(map(type, values))
        if CachedRef in kinds:
            return None
        unchanged = self._unchanged
        if unchanged.is_plain and kinds <= ATOMS | CONTAINERS:
            if not unchanged.holds():
                self.is_over = True
                return None
            # what they share with each other, or with what the code reads, counts
            if is_plain([*unchanged.changing, *values]) and not any(
                type(one) is str and len(one) > _LONG_BYTES for one in values
            ):
                return list(map(_digest, values))
        walk = unchanged.walked()
        if walk is None:
            self.is_over = True
            return None
        named = zip(self._counted, values, strict=True)
        return [walk.digest(value, name) for name, value in named]

    def _of(self, digests: Iterable[str]) -> _Place:
        running = self._head.copy()
        for name, digest in zip(self._counted, digests, strict=True):
            Part(f"argument {name}", digest).feed(running)
        for part in self._tail:
            part.feed(running)
        digest = running.hexdigest()
        return _Place(self._core.store.place.name(digest), digest)

    # --- the result

    def _result(
        self,
        place: _Place,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        values: tuple[Any, ...],
    ) -> tuple[Opened | None, Any]:
        """Give the entry of a place and its result; None if there is no such entry."""
        opened = self._core.store.standing_entry(place.path, self._options.memory)
        if opened is None or self._ready not in opened.held:
            return self._opened(place, args, kwargs, values)
        make, value = opened.held[self._ready]
        return opened, value if make is None else make()

    def _opened(
        self,
        place: _Place,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        values: tuple[Any, ...],
    ) -> tuple[Opened | None, Any]:
        """Open an entry and decode its result; hold what makes the next one."""
        opened = self._core.store.get(place.digest, memory=self._options.memory)
        if opened is None:
            return None, None
        try:
            if not (opened.is_mine and _is_alone(opened, place.digest)):
                return None, None
            value = _alone(opened, self._options.mmap)
            if value is NOTHING:
                return opened, self._task(args, kwargs, values).restore(opened)
            if is_constant(value):
                opened.held[self._ready] = None, value
            elif (make := maker(value)) is not None:
                opened.held[self._ready] = make, None
            return opened, value
        finally:
            opened.close()

    def _task(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], values: tuple[Any, ...]
    ) -> CallTask:
        """Give what restores a result; it could not compute one."""
        named = zip(self._counted, values, strict=True)
        live = {f"argument {name}": value for name, value in named}
        return CallTask(
            function=self._function,
            name=self._name,
            args=args,
            kwargs=kwargs,
            bound=None,  # type: ignore[arg-type]
            options=self._options,
            found=BoundKey(Key(()), "", {}, {**self._values, **live}, ()),
            store="",
            compress=False,
        )

    def _tell(self, entry: Entry, place: _Place, began: float) -> None:
        if trace.is_recording():
            trace.inherit(entry.trace, entry.written, entry.seconds)
        seconds, told = time.perf_counter() - began, place.told
        if told is None or told.created != entry.created:
            place.told = told = hit_outcome(self._name, "function", entry, seconds)
        self._core.note_again(told, seconds)


def _digest(value: Any) -> str:
    """Give the digest of a plain value, as the walk would."""
    return str(xxhash.xxh3_128_hexdigest(marshal.dumps(value, 2)))


def _alone(opened: Opened, mode: Any) -> Any:
    """Decode a result that refers to nothing of its call, nor to classes of the user's.

    `NOTHING` if there is no such result: only the task can restore it.
    """
    read = opened.archive.read
    try:
        values = codec.decode(opened.tree, lambda name: read(name, mode))
    except (NbcacheError, LookupError):
        return NOTHING
    return values[VALUE]


def _is_alone(opened: Opened, digest: str) -> bool:
    """Say whether an entry is a value and nothing else, found under its own key."""
    entry, state = opened.entry, opened.entry.state
    return (
        entry.key == entry.lookup == digest
        and not entry.trace
        and not entry.written
        and not any(state.get(one) for one in ("seeded", "drawn", "unkept", "failure"))
        and is_still(opened)
    )
