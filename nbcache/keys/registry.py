"""Which handler digests which type.

A handler feeds one value into a running digest.  It is found through the value's
MRO, by class or by the name of a class, so that a library which is not loaded is never
imported: the handlers of a library load when the first of its types is met.
"""

from __future__ import annotations

import enum
import functools
import importlib
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import xxhash

from nbcache.scripts import module_of

__all__ = [
    "Branch",
    "Handler",
    "Hasher",
    "Identity",
    "Plan",
    "Sink",
    "Walker",
    "any_registered",
    "head",
    "mark",
    "plan_for",
    "put_kind",
    "qualified_name",
    "register",
    "register_hash",
    "registrations",
]


class Sink(Protocol):
    """A running digest."""

    def update(self, data: Any, /) -> None:
        """Add bytes, or anything that exports contiguous memory."""


class Branch:
    """A sink that feeds another, and digests by itself what went through it.

    Parameters
    ----------
    sink : Sink
        Gets the very same bytes.
    """

    __slots__ = ("_own", "update")

    def __init__(self, sink: Sink) -> None:
        own = xxhash.xxh3_128()
        self._own = own
        into, beside = sink.update, own.update

        def update(data: Any, /) -> None:
            into(data)
            beside(data)

        self.update = update

    def hexdigest(self) -> str:
        """Give the digest of what went through."""
        return self._own.hexdigest()


class Walker(Protocol):
    """What a handler may ask of the walk that called it."""

    memory: Any
    noted: dict[int, list[str]]
    """Digests of a table's index and columns, by its id: to say what changed."""

    def put(self, sink: Sink, value: Any, path: str) -> None:
        """Feed one value into a running digest."""

    def put_attributes(self, sink: Sink, state: dict[str, Any], path: str) -> None:
        """Feed a dict, naming its values as attributes of `path`."""

    def put_named(self, sink: Sink, named: dict[str, Any], path: str) -> None:
        """Feed names and values, the values as attributes of `path`."""

    def put_pairs(self, sink: Sink, pairs: dict[Any, Any], path: str) -> None:
        """Feed the keys and values of a dict, but no identity of its own."""

    def put_items(self, sink: Sink, items: list[Any], path: str) -> None:
        """Feed values one after the other, with their number but no identity."""

    def put_unordered(self, sink: Sink, elements: list[Any], path: str) -> None:
        """Feed values so that their order does not count."""

    def put_alone(self, sink: Sink, value: Any, handler: Handler, path: str) -> None:
        """Feed the digest that a value has by itself, whatever came before it."""

    def order_key(self, value: Any, path: str) -> tuple[bytes, bool]:
        """Give a value's digest by itself, and whether nothing mutable is in it."""

    def new_sink(self) -> Any:
        """Give an empty running digest, with `digest()`."""

    def note(self, value: Any) -> None:
        """Give a number to a part of the value being walked, writing nothing."""

    def place(self, value: Any) -> tuple[int, int]:
        """Digest and position in it at which a mutable value was first met."""

    def keep(self, value: Any) -> None:
        """Hold a temporary until the walk ends, so that its id is not used again."""

    def doubt(self) -> None:
        """Have the present digest taken a second time and compared."""

    def witness(self, path: str, type_name: str, digest: bytes) -> None:
        """Remember a part's digest, to name the part if the second pass differs."""


Handler = Callable[[Any, Any, Any, str], None]
"""Called with walk, sink, value and path."""
Hasher = Callable[[Any], Any]
_Found = TypeVar("_Found")


class Identity(enum.Enum):
    """What it means that one object is met twice."""

    COUNTS = "counts"
    """Mutable: the second visit is written as a reference to the first."""
    NESTED = "nested"
    """Never shows, but the object holds others: digested once, guarded from cycles."""
    ATOMIC = "atomic"
    """Never shows, and nothing that is walked leads back to the object."""


@dataclass(frozen=True, slots=True)
class _Entry:
    handler: Handler
    identity: Identity | Callable[[type], Identity]


@dataclass(frozen=True, slots=True)
class Plan:
    """How values of one class are digested."""

    handler: Handler
    identity: Identity
    hasher: Hasher | None
    """The `__nbcache_hash__` of the class, or what the user registered for it."""


_entries: dict[type | str, _Entry] = {}
_hashers: dict[type | str, Hasher] = {}
_plans: weakref.WeakKeyDictionary[type, Plan] = weakref.WeakKeyDictionary()
_loaded: set[str] = set()
_registrations = 0

# Package of a type -> modules here that know it.  Imported at the first such type.
_PROVIDERS = {
    "numpy": ("arrays", "foreign"),
    "pandas": ("tables",),
    "pyarrow": ("arrow",),
    "polars": ("polars",),
    "xarray": ("foreign",),
    "scipy": ("foreign",),
    "torch": ("foreign",),
    "jax": ("foreign",),
    "jaxlib": ("foreign",),
    "random": ("foreign",),
    "_random": ("foreign",),
}


def register(
    type_or_name: type | str,
    handler: Handler,
    *,
    identity: Identity | Callable[[type], Identity] = Identity.NESTED,
) -> None:
    """Have `handler(walk, sink, value, path)` digest a type and its subclasses.

    Parameters
    ----------
    type_or_name : type or str
        A class, or ``"module.QualName"`` of one that may not be loaded.
    handler : callable
        Replaces an earlier one.
    identity : Identity or callable of the class, optional
        Whether it shows that one object is met twice.
    """
    global _registrations
    _entries[type_or_name] = _Entry(handler, identity)
    _registrations += 1
    _plans.clear()


def register_hash(type_or_name: type | str, function: Hasher) -> None:
    """Say what identifies the values of a type: ``function(value)`` in their place.

    Parameters
    ----------
    type_or_name : type or str
        A class, or ``"module.QualName"``; its subclasses are meant too.
    function : callable
        Takes the value, returns anything that can be digested.  The digest is that
        of the result, tagged with the class of the value.
    """
    global _registrations
    _hashers[type_or_name] = function
    _registrations += 1
    _plans.clear()


def registrations() -> int:
    """Give how often anything was registered: another number, other digests."""
    return _registrations


def any_registered() -> bool:
    """Tell whether the user registered a hash for any type."""
    return bool(_hashers)


def qualified_name(kind: type) -> str:
    """``module.QualName`` of a class; without the module for built-ins."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{module_of(kind)}.{kind.__qualname__}"


@functools.cache
def head(name: str) -> bytes:
    """Give the tag of a node; 1 begins no value of the plain encoding (`plain.py`)."""
    raw = name.encode()
    return b"\x01" + bytes([len(raw)]) + raw


def mark(sink: Sink, name: str, size: int = 0) -> None:
    """Write the tag of a node, with the number of items or bytes that follow."""
    sink.update(head(name) + size.to_bytes(8, "little"))


def put_kind(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write the class of a value: one of the libraries known here without version."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if package in _PROVIDERS:
        mark(sink, f"{package} {kind.__qualname__}")
    else:
        mark(sink, "subclass")
        walk.put(sink, kind, path)


def plan_for(kind: type) -> Plan:
    """How values of a class are digested; remembered while the class lives."""
    try:
        plan = _plans.get(kind)
    except TypeError:
        # the metaclass defines __eq__ and no __hash__
        return _make_plan(kind)
    if plan is None:
        known = _registrations
        plan = _make_plan(kind)
        # what another thread registers meanwhile may be for this class
        if known == _registrations:
            _plans[kind] = plan
    return plan


def _make_plan(kind: type) -> Plan:
    _load_providers(kind)
    own = getattr(kind, "__nbcache_hash__", None)
    # an Enum may derive from int or str, which stand before Enum in its MRO
    searched = enum.Enum if isinstance(kind, enum.EnumMeta) else kind
    entry = _find(searched, _entries)
    assert entry is not None  # `object` has a handler
    identity = entry.identity
    if not isinstance(identity, Identity):
        identity = identity(kind)
    hasher = own if callable(own) else _find(kind, _hashers)
    return Plan(entry.handler, identity, hasher)


def _find(kind: type, table: dict[type | str, _Found]) -> _Found | None:
    for cls in kind.__mro__:
        for key in (cls, f"{cls.__module__}.{cls.__qualname__}"):
            try:
                found = table.get(key)
            except TypeError:
                # unhashable class (see plan_for): only its name can match
                continue
            if found is not None:
                return found
    return None


def _load_providers(kind: type) -> None:
    for cls in kind.__mro__:
        package = str(cls.__module__).partition(".")[0]
        if package in _PROVIDERS and package not in _loaded:
            for module in _PROVIDERS[package]:
                importlib.import_module(f"{__package__}.{module}")
            # not before: another thread would go on without these handlers
            _loaded.add(package)
