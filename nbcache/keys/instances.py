"""Digests of instances: fields of records, else their reduction taken apart.

Records are dataclasses, attrs and pydantic classes.  Everything else is what
``__reduce_ex__(4)`` says, as in pickling: class, arguments, state, list and dict items.
A reduction that makes its parts anew each time is walked twice and compared.
"""

from __future__ import annotations

import copyreg
import dataclasses
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import plain
from nbcache.keys.containers import step_into
from nbcache.keys.registry import (
    Identity,
    Sink,
    Walker,
    mark,
    qualified_name,
    register,
)

__all__ = [
    "attributes",
    "put_attributes_of",
    "put_instance",
    "put_reduction",
    "put_subclass",
    "refusal",
    "teach",
]

_ABSENT = object()
# read back what pickle does with these, instead of their code
_RECONSTRUCTORS = {
    id(getattr(copyreg, name)): name
    for name in ("__newobj__", "__newobj_ex__", "_reconstructor")
}


def teach() -> None:
    """Register the handler of all instances that have no other."""
    register(object, put_instance, identity=_identity)


def _identity(kind: type) -> Identity:
    return Identity.NESTED if _is_frozen(kind) else Identity.COUNTS


def put_instance(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write an instance with its class: a record by its fields, else reduced."""
    kind = type(value)
    names = _field_names(kind)
    if names is None:
        put_reduction(walk, sink, value, path)
        return
    fields = {name: _field(value, name, path) for name in names}
    present = {name: held for name, held in fields.items() if held is not _ABSENT}
    others = {n: held for n, held in attributes(value).items() if n not in fields}
    walk.keep((present, others))
    mark(sink, "record", len(names))
    walk.put(sink, kind, path)
    sink.update(plain.dumps(tuple(name for name in names if name not in present)))
    walk.put_named(sink, present, path)
    if not _is_frozen(kind) and hasattr(value, "__dict__"):
        walk.note(value.__dict__)
    walk.put_named(sink, others, path)


def _field(value: Any, name: str, path: str) -> Any:
    try:
        return getattr(value, name, _ABSENT)
    except Exception as error:
        reason = f"its field {name!r} cannot be read: {error!r}"
        raise refusal(value, path, reason) from error


# --- records


def _field_names(kind: type) -> list[str] | None:
    """Names of the fields of a dataclass, attrs or pydantic class; None for others."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    attrs_fields = getattr(kind, "__attrs_attrs__", None)
    if attrs_fields is not None:
        return [field.name for field in attrs_fields]
    if hasattr(kind, "__pydantic_fields_set__") or hasattr(kind, "__pydantic_fields__"):
        return list(getattr(kind, "__pydantic_fields__", {}))
    return None


def _is_frozen(kind: type) -> bool:
    """Tell whether the fields of a record cannot be set."""
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is not None:
        return bool(parameters.frozen)
    setter = getattr(kind.__setattr__, "__name__", "")
    if hasattr(kind, "__attrs_attrs__"):
        return setter == "_frozen_setattrs"
    if hasattr(kind, "__pydantic_fields__"):
        return bool(getattr(kind, "model_config", {}).get("frozen"))
    return False


def attributes(value: Any) -> dict[str, Any]:
    """Give what stands in the ``__dict__`` and the slots of an instance."""
    named: dict[str, Any] = {}
    own = getattr(value, "__dict__", None)
    if isinstance(own, dict):
        named.update(own)
    for name in _slot_names(type(value)):
        content = getattr(value, name, _ABSENT)
        if content is not _ABSENT:
            named[name] = content
    # the hash of attrs(cache_hash=True) is another one in each process
    named.pop("_attrs_cached_hash", None)
    given = named.get("__pydantic_fields_set__")
    if isinstance(given, set):
        named["__pydantic_fields_set__"] = frozenset(given)  # nobody else's set
    return named


def _slot_names(kind: type) -> list[str]:
    names: list[str] = []
    for cls in kind.__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__"):
                private = slot.startswith("__") and not slot.endswith("__")
                owner = cls.__name__.lstrip("_")
                names.append(f"_{owner}{slot}" if private and owner else slot)
    return names


def put_attributes_of(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write what stands in the ``__dict__`` and the slots of an instance."""
    named = attributes(value)
    walk.keep(named)
    walk.put_named(sink, named, path)


# --- reductions


def put_reduction(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write an instance as pickle would take it apart."""
    kind = type(value)
    reduced = _reduce(value, path)
    walk.keep(reduced)
    mark(sink, "reduced")
    walk.put(sink, kind, path)
    if _reduces_by_default(kind):
        _put_state(walk, sink, reduced[2], path)
        return
    again = _reduce(value, path)
    walk.keep(again)
    if not _same(reduced, again, 6):
        walk.doubt()
    part = walk.new_sink()
    _put_reduced(walk, part, reduced, path)
    walk.witness(path, qualified_name(kind), part.digest())
    mark(sink, "reduction", 16)
    sink.update(part.digest())


def _reduces_by_default(kind: type) -> bool:
    """Tell whether the reduction is Python's own: the class and its attributes."""
    own = ("__reduce_ex__", "__reduce__", "__getstate__")
    return (
        all(getattr(kind, name) is getattr(object, name) for name in own)
        and not hasattr(kind, "__getnewargs__")
        and not hasattr(kind, "__getnewargs_ex__")
        and kind not in copyreg.dispatch_table
    )


def _reduce(value: Any, path: str) -> Any:
    """Reduce an instance, its items as lists."""
    reducer = copyreg.dispatch_table.get(type(value))
    if isinstance(value, BaseException):
        reducer = None  # dask registers some, with tracebacks, once it is imported
    try:
        reduced = value.__reduce_ex__(4) if reducer is None else reducer(value)
        if not isinstance(reduced, tuple):
            return str(reduced)
        parts = list(reduced) + [None] * (6 - len(reduced))
        parts[3:5] = [None if part is None else list(part) for part in parts[3:5]]
    except Exception as error:
        raise refusal(value, path, str(error)) from error
    if len(reduced) < 2 or len(reduced) > 6 or not isinstance(parts[1], tuple):
        raise refusal(value, path, "its reduction is not one")
    return tuple(parts)


def _put_reduced(walk: Walker, sink: Sink, reduced: Any, path: str) -> None:
    if isinstance(reduced, str):
        mark(sink, "name")
        walk.put(sink, reduced, path)
        return
    function, arguments, state, items, pairs, setter = reduced
    by_name = _RECONSTRUCTORS.get(id(function))
    walk.put(sink, by_name or function, f"{path}.__reduce__()[0]")
    walk.put(sink, arguments, f"{path}.__reduce__()[1]")
    _put_state(walk, sink, state, path)
    mark(sink, "none" if items is None else "some")
    walk.put_items(sink, items or [], path)
    mark(sink, "none" if pairs is None else "some", len(pairs or ()))
    for key, content in pairs or ():
        walk.put(sink, key, path)
        walk.put(sink, content, step_into(path, key))
    walk.put(sink, setter, path)


def _put_state(walk: Walker, sink: Sink, state: Any, path: str) -> None:
    """Write a state, naming attributes so that an error shows them as such."""
    pieces: tuple[Any, ...] = (state,)
    if type(state) is tuple and len(state) == 2:
        pieces = state
    mark(sink, "state", len(pieces))
    for piece in pieces:
        if type(piece) is dict:
            mark(sink, "attributes")
            walk.put_attributes(sink, piece, path)
        else:
            walk.put(sink, piece, path)


def _same(first: Any, second: Any, depth: int) -> bool:
    """Tell whether two reductions are surely the same, without walking far."""
    if first is second:
        return True
    kind = type(first)
    if kind is not type(second) or depth == 0:
        return False
    if kind in plain.ATOMS:
        return plain.dumps(first) == plain.dumps(second)
    if kind in (list, tuple):
        return len(first) == len(second) and all(
            _same(one, other, depth - 1)
            for one, other in zip(first, second, strict=True)
        )
    if kind is dict:
        return _same(list(first.items()), list(second.items()), depth - 1)
    return False


# --- subclasses of built-in types


def put_subclass(walk: Walker, sink: Sink, value: Any, base: type, path: str) -> None:
    """Write what an instance has beyond the content that its built-in base holds.

    Parameters
    ----------
    walk, sink, value
        As in a handler.
    base : type
        Whose content the caller writes.
    path : str
        How errors name it.
    """
    kind = type(value)
    mark(sink, "subclass")
    walk.put(sink, kind, path)
    put_attributes_of(walk, sink, value, path)
    if any(
        getattr(kind, name, None) is not getattr(base, name, None)
        for name in ("__reduce_ex__", "__reduce__", "__getstate__")
    ):
        put_reduction(walk, sink, value, path)


def refusal(value: Any, path: str, reason: str) -> UnhashableValue:
    """Make the error for a value that has no digest."""
    return UnhashableValue(path, qualified_name(type(value)), reason)
