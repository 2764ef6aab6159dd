"""Instances, functions, classes and modules: what they hold by name, in place."""

from __future__ import annotations

from collections.abc import Mapping
from types import (
    CellType,
    FunctionType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

from nbcache.storage.inplace_form import Digest, Form, same
from nbcache.storage.slots import members, own_attributes

__all__ = ["form_of"]

_HEAP_TYPE = 1 << 9
_WORD = 8


class _Instance(Form):
    """Content: its own dictionary or None, and [place of class, slot, value] each."""

    def note(self, value: Any, digest: Digest) -> Any:
        own, slots = own_attributes(value), _slots(value)
        keys = () if own is None else tuple(own)
        held = () if own is None else tuple(own.values())
        return type(value), own is None, keys, held, tuple(slots)

    def refusal(self, value: Any, before: Any, digest: Digest) -> str:
        return "" if type(value) is before[0] else "was given another class"

    def copied(self, value: Any) -> Any:
        own = own_attributes(value)
        return None if own is None else dict(own), _slots(value)

    def earlier(self, before: Any) -> Any:
        _, bare, keys, held, slots = before
        return None if bare else dict(zip(keys, held, strict=True)), list(slots)

    def misfit(self, value: Any, content: Any) -> str:
        if type(content) is not tuple or len(content) != 2:
            return "is another kind of object now"
        own, slots = content
        if type(slots) is not list or (own_attributes(value) is None) != (own is None):
            return "has other attributes now"
        if own is not None and not (
            type(own) is dict and all(type(name) is str for name in own)
        ):
            return "has other attributes now"
        known = {place[:2] for place in members(type(value))}
        fits = all(type(one) is tuple and one[:2] in known for one in slots)
        return "" if fits else "has other slots now"

    def write(self, value: Any, content: Any) -> None:
        own, slots = content
        mine = own_attributes(value)
        if mine is not None:
            mine.clear()
            mine.update(own)
        given = {one[:2]: one[2] for one in slots}
        for place, name, member in members(type(value)):
            if (place, name) in given:
                member.__set__(value, given[place, name])
            else:
                try:
                    member.__delete__(value)
                except AttributeError:  # it was not set
                    continue


def _slots(value: Any) -> list[tuple[int, str, Any]]:
    found = []
    for place, name, member in members(type(value)):
        try:
            found.append((place, name, member.__get__(value)))
        except AttributeError:  # not set
            continue
    return found


def _is_transparent(cls: type) -> bool:
    """Say whether dictionary and slots are all that instances of a class consist of."""
    if not all(base.__flags__ & _HEAP_TYPE for base in cls.__mro__[:-1]):
        return False
    words = len(members(cls))
    words += (cls.__dictoffset__ > 0) + (cls.__weakrefoffset__ > 0)
    return bool(cls.__basicsize__ == object.__basicsize__ + _WORD * words)


class _Holder(Form):
    """Content: names to bind, names to unbind, and what else there is by number."""

    def _names(self, value: Any) -> dict[str, Any]:
        return {
            name: held
            for name, held in vars(value).items()
            if not (name.startswith("__") and name.endswith("__"))
            and name not in ("_abc_impl", "_is_protocol")
        }

    def _bind(self, value: Any, name: str, held: Any) -> None:
        vars(value)[name] = held

    def _unbind(self, value: Any, name: str) -> None:
        vars(value).pop(name, None)

    def note(self, value: Any, digest: Digest) -> Any:
        found = self._names(value)
        return tuple(found), tuple(found.values())

    def is_same(self, value: Any, before: Any, digest: Digest) -> bool:
        return not any(self._difference(value, before))

    def _difference(self, value: Any, before: Any) -> tuple[dict[str, Any], list[str]]:
        earlier, now = dict(zip(*before[:2], strict=True)), self._names(value)
        bound = {
            name: held
            for name, held in now.items()
            if name not in earlier or not same(held, earlier[name])
        }
        return bound, [name for name in earlier if name not in now]

    def content(self, value: Any, before: Any, digest: Digest) -> Any:
        return *self._difference(value, before), {}

    def copied(self, value: Any) -> Any:
        return self._names(value), None, {}

    def earlier(self, before: Any) -> Any:
        return dict(zip(*before[:2], strict=True)), None, {}

    def misfit(self, value: Any, content: Any) -> str:
        if type(content) is not tuple or len(content) != 3:
            return "is another kind of object now"
        bound, gone, _ = content
        fits = type(bound) is dict and type(gone) is list
        fits = fits and all(type(name) is str for name in (*bound, *gone))
        return "" if fits else "is another kind of object now"

    def write(self, value: Any, content: Any) -> None:
        bound, gone, _ = content
        if gone is None:  # all that is not to be bound
            gone = [name for name in self._names(value) if name not in bound]
        for name in gone:
            self._unbind(value, name)
        for name, held in bound.items():
            self._bind(value, name, held)


class _Class(_Holder):
    def _bind(self, value: Any, name: str, held: Any) -> None:
        type.__setattr__(value, name, held)

    def _unbind(self, value: Any, name: str) -> None:
        if name in vars(value):
            type.__delattr__(value, name)


class _Function(_Holder):
    """By number: variables of enclosing functions, as tuples of one; -1: defaults."""

    def note(self, value: Any, digest: Digest) -> Any:
        return *super().note(value, digest), _cells(value), _defaults(value)

    def _others(self, value: Any, before: Any) -> dict[int, Any]:
        cells = enumerate(zip(_cells(value), before[2], strict=True))
        found: dict[int, Any] = {
            i: now for i, (now, was) in cells if not same(now, was)
        }
        if not same(_defaults(value), before[3]):
            found[-1] = _plain_defaults(value)
        return found

    def is_same(self, value: Any, before: Any, digest: Digest) -> bool:
        is_same = super().is_same(value, before, digest)
        return is_same and not self._others(value, before)

    def content(self, value: Any, before: Any, digest: Digest) -> Any:
        return *self._difference(value, before), self._others(value, before)

    def copied(self, value: Any) -> Any:
        cells: dict[int, Any] = dict(enumerate(_cells(value)))
        return self._names(value), None, {**cells, -1: _plain_defaults(value)}

    def earlier(self, before: Any) -> Any:
        names, gone, _ = super().earlier(before)
        defaults, named = before[3]
        keyed = None if named is None else dict(zip(*named, strict=True))
        return names, gone, {**dict(enumerate(before[2])), -1: (defaults, keyed)}

    def misfit(self, value: Any, content: Any) -> str:
        reason = super().misfit(value, content)
        if reason or type(content[2]) is not dict:
            return reason or "is another kind of object now"
        numbers = range(len(value.__closure__ or ()))
        for number, held in content[2].items():
            if number == -1:
                types = (tuple, type(None)), (dict, type(None))
                fits = type(held) is tuple and len(held) == 2
                fits = fits and all(map(isinstance, held, types))
            else:
                fits = number in numbers and type(held) is tuple and len(held) <= 1
            if not fits:
                return "is another function now"
        return ""

    def write(self, value: Any, content: Any) -> None:
        super().write(value, content)
        for number, held in content[2].items():
            if number == -1:
                value.__defaults__, value.__kwdefaults__ = held
            elif held:
                value.__closure__[number].cell_contents = held[0]
            elif _contents(value.__closure__[number]):
                del value.__closure__[number].cell_contents


def _contents(cell: CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:  # empty
        return ()


def _cells(function: FunctionType) -> tuple[tuple[Any, ...], ...]:
    return tuple(map(_contents, function.__closure__ or ()))


def _defaults(function: FunctionType) -> tuple[Any, Any]:
    named: Mapping[str, Any] | None = function.__kwdefaults__
    keyed = None if named is None else (tuple(named), tuple(named.values()))
    return function.__defaults__, keyed


def _plain_defaults(function: FunctionType) -> tuple[Any, Any]:
    named = function.__kwdefaults__
    return function.__defaults__, None if named is None else dict(named)


_INSTANCE, _MODULE, _CLASS, _FUNCTION = _Instance(), _Holder(), _Class(), _Function()


def form_of(value: Any) -> Form | None:
    """Give how what an object holds by name is written; None for other objects."""
    cls = type(value)
    if isinstance(value, type):
        return _CLASS
    if cls is FunctionType:
        return _FUNCTION
    if cls is ModuleType:
        return _MODULE
    if cls is SimpleNamespace or _is_transparent(cls):
        return _INSTANCE
    return None
