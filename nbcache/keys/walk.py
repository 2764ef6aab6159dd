"""One walk over values: every node goes into a running digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

import xxhash

from nbcache.errors import UnhashableValue
from nbcache.keys import plain
from nbcache.keys.containers import ContainerWalk, ImpureValue
from nbcache.keys.registry import (
    Handler,
    Hasher,
    Identity,
    Plan,
    Sink,
    any_registered,
    mark,
    plan_for,
    qualified_name,
)

__all__ = ["Walk"]


class _Known:
    """Digests by id that hold for all parts of a value, shared by their walks."""

    def __init__(self) -> None:
        self.pure: dict[int, bytes] = {}  # nested objects with nothing mutable inside
        self.alone: dict[int, bytes] = {}
        self.order_keys: dict[int, bytes] = {}
        self.classes: dict[int, bytes | None] = {}  # None: being walked
        self.functions: dict[int, FunctionType] = {}


class Walk(ContainerWalk):
    """Digests of several values between which identity and shared memory count.

    Parameters
    ----------
    hash_funcs : mapping of type to callable, optional
        What stands for values of a type and its subclasses.
    opaque : iterable of object
        Objects said to carry no state: wherever they are met, their class stands for
        them.

    Notes
    -----
    Objects that were walked are held until the walk is dropped.  Not thread-safe.
    """

    def __init__(
        self,
        hash_funcs: Mapping[type, Hasher] | None = None,
        opaque: Iterable[object] = (),
    ) -> None:
        self._functions = dict(hash_funcs) if hash_funcs else {}
        self._opaque = {id(value): value for value in opaque}
        super().__init__(
            self._without_hasher(plain.ATOMS), self._without_hasher(plain.CONTAINERS)
        )
        self.memory: Any = None  # set by `arrays`: which arrays share memory
        # globals that code inside of values only writes to; None: these count as well
        self.written: dict[str, Any] | None = None
        self.noted: dict[int, list[str]] = {}  # set by `tables`: index and columns
        self._settled: dict[int, bytes] = {}  # nested objects, in this digest only
        self._open: dict[int, int] = {}  # nested objects being walked -> depth
        self._cycles = 0
        self._doubts = 0
        self._witnesses: list[tuple[str, str, bytes]] = []
        self._pure_walk: Walk | None = None
        self._ordering: frozenset[int] = frozenset()  # elements of sets being ordered
        self._known = _Known()

    @property
    def functions(self) -> dict[int, FunctionType]:
        """The user's functions that were met anywhere, by identity."""
        return self._known.functions

    def takes_plain(self) -> bool:
        """Say whether nobody stands in for atoms and plain containers."""
        return self._atoms == plain.ATOMS and self._containers == plain.CONTAINERS

    def _without_hasher(self, kinds: frozenset[type]) -> frozenset[type]:
        if not self._functions and not any_registered():
            return kinds
        changed = {kind for kind in kinds if self._hasher(kind) is not None}
        return kinds - changed if changed else kinds

    def _hasher(self, kind: type) -> Hasher | None:
        """Give the function that stands for values of a class, hash_funcs first."""
        for cls in kind.__mro__ if self._functions else ():
            if cls in self._functions:
                return self._functions[cls]
        return plan_for(kind).hasher

    def digest(self, value: Any, path: str) -> str:
        """Give the digest of the next value.

        Parameters
        ----------
        value : object
            Anything but live handles.
        path : str
            How errors name the value.

        Returns
        -------
        str
            32 hexadecimal digits.

        Raises
        ------
        UnhashableValue
            A part of the value has no content that could be digested.
        """
        try:
            return self._take(lambda sink: self.put(sink, value, path), path).hex()
        except RecursionError:
            name = qualified_name(type(value))
            raise UnhashableValue(path, name, "nested too deeply") from None

    def put(self, sink: Sink, value: Any, path: str) -> None:
        """Feed one value into a running digest.

        Parameters
        ----------
        sink : Sink
            As the handler got it.
        value : object
            Anything but live handles.
        path : str
            How errors name the value.

        Raises
        ------
        UnhashableValue
            A part of the value has no content that could be digested.
        """
        kind = type(value)
        if kind in self._atoms:
            plain.put_atom(sink, value)
        elif kind in self._containers:
            self.put_container(sink, value, path)
        else:
            self._put_object(sink, value, kind, path)

    # --- a digest is taken twice if reductions made it doubtful

    def _take(self, feed: Callable[[Sink], None], path: str) -> bytes:
        outer = self._numbers.start, self._doubts, self._witnesses
        begin = self._numbers.begin()
        arrays = 0 if self.memory is None else len(self.memory)
        try:
            taken = self._pass(feed)
            if self._doubts:
                witnesses = self._witnesses
                self._rewind(begin, arrays)
                if self._pass(feed) != taken:
                    raise self._differing(witnesses, path)
        except BaseException:
            self._rewind(begin, arrays)
            raise
        finally:
            self._numbers.start, self._doubts, self._witnesses = outer
            self._settled = {}
        return taken

    def _pass(self, feed: Callable[[Sink], None]) -> bytes:
        self._doubts, self._witnesses, self._settled = 0, [], {}
        sink = xxhash.xxh3_128()
        feed(sink)
        return sink.digest()

    def _rewind(self, begin: tuple[int, int, int], arrays: int) -> None:
        self._numbers.rewind(begin)
        if self.memory is not None:
            self.memory.rewind(arrays)

    def _differing(
        self, witnesses: list[tuple[str, str, bytes]], path: str
    ) -> UnhashableValue:
        """Name the innermost part that reduced to something else the second time."""
        reason = "its reduction is another one each time"
        for before, after in zip(witnesses, self._witnesses, strict=False):
            if before != after:
                return UnhashableValue(before[0], before[1], reason)
        return UnhashableValue(path, "object", reason)

    def doubt(self) -> None:
        """Have the present digest taken a second time and compared."""
        self._doubts += 1

    def witness(self, path: str, type_name: str, digest: bytes) -> None:
        """Remember a part's digest, to name the part if the second pass differs."""
        self._witnesses.append((path, type_name, digest))

    def new_sink(self) -> Any:
        """Give an empty running digest, with `digest()`."""
        return xxhash.xxh3_128()

    # --- objects

    def _put_object(self, sink: Sink, value: Any, kind: type, path: str) -> None:
        if id(value) in self._opaque:
            mark(sink, "opaque")
            self.put(sink, kind, path)
            return
        plan = plan_for(kind)
        hasher = self._hasher(kind) if self._functions else plan.hasher
        if plan.identity is Identity.COUNTS:
            if self.seen(sink, value):
                return
            self.number(value)
        try:
            self._put_by_plan(sink, value, plan, hasher, path)
        except (UnhashableValue, RecursionError):
            raise
        except Exception as error:
            # a foreign object failed in a way that its handler does not foresee
            name = qualified_name(kind)
            raise UnhashableValue(
                path, name, f"reading it failed: {error!r}"
            ) from error

    def _put_by_plan(
        self, sink: Sink, value: Any, plan: Plan, hasher: Hasher | None, path: str
    ) -> None:
        if hasher is not None:
            self._put_replaced(sink, value, hasher, path)
        elif isinstance(value, type):
            self._put_class(sink, value, plan.handler, path)
        elif plan.identity is Identity.NESTED:
            self.put_nested(sink, value, plan.handler, path)
        else:
            plan.handler(self, sink, value, path)

    def _put_replaced(self, sink: Sink, value: Any, hasher: Hasher, path: str) -> None:
        """Write the class of a value, and what the user says stands for it."""
        try:
            result = hasher(value)
        except Exception as error:
            name = qualified_name(type(value))
            reason = f"its hash function failed: {error!r}"
            raise UnhashableValue(path, name, reason) from error
        self.keep(result)
        mark(sink, "replaced")
        self.put(sink, type(value), path)
        # `{list: sorted}` gives a list: the function is for the original only
        if result is value or self._hasher(type(result)) is hasher:
            plan_for(type(result)).handler(self, sink, result, path)
        else:
            self.put(sink, result, path)

    def put_nested(self, sink: Sink, value: Any, handler: Handler, path: str) -> None:
        """Write an immutable holder of others as a digest, walked as rarely as can be.

        The digest holds for the next visit if no mutable object was met for the first
        time, and beyond the present digest if none was met at all.
        """
        key = id(value)
        found = self._known.pure.get(key) or self._settled.get(key)
        if found is None:
            if key in self._open:
                self._cycles += 1
                mark(sink, "cycle", len(self._open) - self._open[key])
                return
            before = self._tally()
            self._open[key] = len(self._open)
            part = xxhash.xxh3_128()
            try:
                handler(self, part, value, path)
            finally:
                del self._open[key]
            found = part.digest()
            after = self._tally()
            if after[1:] == before[1:]:
                table = self._known.pure if after == before else self._settled
                table[key] = found
                self.keep(value)
        mark(sink, "nested", len(found))
        sink.update(found)

    def _tally(self) -> tuple[int, int, int, int]:
        arrays = 0 if self.memory is None else len(self.memory)
        events = self._cycles + self._doubts + len(self._witnesses)
        return self._references, len(self._numbers), events, arrays

    def _put_class(self, sink: Sink, value: type, handler: Handler, path: str) -> None:
        """Write a class by its digest; inside itself by name."""
        classes = self._known.classes
        if id(value) not in classes:
            classes[id(value)] = None
            self.keep(value)
            part = self._part()
            try:
                classes[id(value)] = part._take(
                    lambda inner: handler(part, inner, value, path), path
                )
            finally:
                if classes[id(value)] is None:
                    del classes[id(value)]
        known = classes[id(value)]
        mark(sink, "class" if known else "class by name")
        sink.update(known or plain.dumps(qualified_name(value)))

    # --- values by themselves, and where order does not count

    def _part(self) -> Walk:
        """Make a walk that knows nothing of what was met, only of what is immutable."""
        part = Walk(self._functions, self._opaque.values())
        part._known, part._held = self._known, self._held
        part.written = self.written
        return part

    def fresh(self) -> Walk:
        """Give a walk that has met nothing yet, with the same functions."""
        other = Walk(self._functions)
        other.written = self.written
        return other

    def put_alone(self, sink: Sink, value: Any, handler: Handler, path: str) -> None:
        """Feed the digest that a value has by itself, whatever came before it."""
        alone = self._known.alone
        if id(value) not in alone:
            part = self._part()
            alone[id(value)] = part._take(
                lambda inner: handler(part, inner, value, path), path
            )
            self.keep(value)
        mark(sink, "alone", len(alone[id(value)]))
        sink.update(alone[id(value)])

    def order_key(self, value: Any, path: str) -> tuple[bytes, bool]:
        """Give a value's digest by itself, and whether nothing mutable is in it."""
        keys = self._known.order_keys
        if id(value) not in keys:
            part = xxhash.xxh3_128()
            try:
                self._purely().put(part, value, path)
            except ImpureValue:
                return self._mutable_order_key(value, path), False
            keys[id(value)] = part.digest()
            self.keep(value)
        return keys[id(value)], True

    def _purely(self) -> Walk:
        """Give a walk that stops at the first mutable object."""
        if self._pure_walk is None:
            self._pure_walk = self._part()
            self._pure_walk._is_pure = True
        return self._pure_walk

    def _mutable_order_key(self, value: Any, path: str) -> bytes:
        if id(value) in self._ordering:
            reason = "it is in a set that it refers to, which has no stable order"
            raise UnhashableValue(path, qualified_name(type(value)), reason)
        part = self._part()
        part._ordering = self._ordering | {id(value)}
        return bytes.fromhex(part.digest(value, path))

    def put_unordered(self, sink: Sink, elements: list[Any], path: str) -> None:
        """Feed values so that their order does not count."""
        atoms = [item for item in elements if type(item) in self._atoms]
        mark(sink, "atoms", len(atoms))
        plain.put_atoms(sink, plain.sort_atoms(atoms))
        others = [item for item in elements if type(item) not in self._atoms]
        mark(sink, "others", len(others))
        place = f"an element of {path}"
        keyed = [(*self.order_key(item, place), item) for item in others]
        for key, is_pure, item in sorted(keyed, key=lambda found: found[0]):
            if is_pure:
                mark(sink, "alone", len(key))
                sink.update(key)
            else:
                self.put(sink, item, place)
