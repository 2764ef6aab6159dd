"""Where things were read, and whether they are still there, by identity."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import is_
from types import CellType, CodeType, FunctionType
from typing import Any

__all__ = ["MISSING", "Reads"]

MISSING = object()
"""Stands for what was not there."""

Get = Callable[..., Any]
Name = Callable[[Any], str]


@dataclass
class Reads:
    """Where things were read, and what was there.

    Attributes
    ----------
    items : list of (get, name, object)
        Names of namespaces.
    functions : list of tuple
        Function, code, defaults, keyword defaults, annotations, attributes.
    codes : list of (function, code)
        Functions of which only the code was looked at.
    cells : list of (cell, object)
    mappings : list of (mapping, names, values)
        Small mappings as a whole.
    classes : list of (class, module, qualified name, bases)
    calls : list of (function, argument, object)
        What a function gave.
    kinds : list of (get, name, type)
        Names of which only the type counts.
    absent : list of (contains, names)
        Names that were not there.
    environment : list of (name, text or None)
    """

    items: list[tuple[Get, str, Any]] = field(default_factory=list)
    functions: list[tuple[Any, ...]] = field(default_factory=list)
    codes: list[tuple[FunctionType, Any]] = field(default_factory=list)
    cells: list[tuple[CellType, Any]] = field(default_factory=list)
    mappings: list[tuple[Any, list[str], list[Any]]] = field(default_factory=list)
    classes: list[tuple[type, str, str, Any]] = field(default_factory=list)
    calls: list[tuple[Callable[[Any], Any], Any, Any]] = field(default_factory=list)
    kinds: list[tuple[Get, str, type]] = field(default_factory=list)
    absent: list[tuple[Callable[[str], bool], list[str]]] = field(default_factory=list)
    environment: list[tuple[str, str | None]] = field(default_factory=list)

    def compiled(self) -> Callable[[], bool]:
        """Give what says whether everything is where it was, by identity.

        One expression: loops over these lists would take five times as long.
        """
        scope: dict[str, Any] = {"missing": MISSING, "is_same": _is_same}
        checks = dict.fromkeys(self._spelled(lambda value: _named(scope, value)))
        made: Callable[[], bool] = eval(
            f"lambda: {' and '.join(checks) or 'True'}", scope
        )
        return made

    def _spelled(self, name: Name) -> Iterator[str]:
        for get, key, value in self.items:
            yield f"{name(get)}({key!r}, missing) is {name(value)}"
        for row in self.functions:
            yield from _spelled_function(name, *row)
        for function, code in self.codes:
            yield f"{name(function)}.__code__ is {name(code)}"
        for cell, value in self.cells:
            yield f"{name(cell)}.cell_contents is {name(value)}"
        for cls, module, qualified, bases in self.classes:
            yield f"{name(cls)}.__module__ is {name(module)}"
            yield f"{name(cls)}.__qualname__ is {name(qualified)}"
            yield f"{name(cls)}.__bases__ is {name(bases)}"
        yield from self._spelled_rest(name)

    def _spelled_rest(self, name: Name) -> Iterator[str]:
        for mapping, keys, values in self.mappings:
            yield f"is_same({name(mapping)}, {name(keys)}, {name(values)})"
        for call, argument, value in self.calls:
            yield f"{name(call)}({name(argument)}) is {name(value)}"
        for get, key, kind in self.kinds:
            yield f"type({name(get)}({key!r}, missing)) is {name(kind)}"
        for contains, names in self.absent:
            yield f"not any(map({name(contains)}, {name(names)}))"
        for key, text in self.environment:
            yield f"{name(os.environ.get)}({key!r}) == {text!r}"


def _spelled_function(
    name: Name,
    function: FunctionType,
    code: CodeType,
    defaults: Any,
    named: Any,
    notes: dict[str, Any],
    own: dict[str, Any],
) -> Iterator[str]:
    it = name(function)
    yield f"{it}.__code__ is {name(code)}"
    yield f"{it}.__defaults__ is {name(defaults)}"
    yield f"{it}.__kwdefaults__ is {name(named)}"
    # names and values of those that are not empty stand among the mappings
    for mapping, said in ((notes, "__annotations__"), (own, "__dict__")):
        yield f"{it}.{said} is {name(mapping)}"
        yield f"len({name(mapping)}) == {len(mapping)}"


def _named(scope: dict[str, Any], value: Any) -> str:
    """Give a name for an object; a bound method is the same for the same object."""
    owner = getattr(value, "__self__", value)
    method = getattr(value, "__name__", "") if owner is not value else ""
    name = f"_{id(owner)}{method if method.isidentifier() else ''}"
    scope[name] = value
    scope[f"held {id(owner)}"] = owner  # as long as its id stands for it
    return name


def _is_same(mapping: Mapping[str, Any], names: list[str], values: list[Any]) -> bool:
    """Say whether a small mapping has the same names for the same objects."""
    return (
        len(mapping) == len(names)
        and list(mapping) == names
        and all(map(is_, mapping.values(), values))
    )
