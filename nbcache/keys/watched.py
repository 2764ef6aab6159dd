"""Dependencies that note where they were read, so that this can be compared later.

`Watched` enters what its base does and notes, for each thing, where it was: which
function had which code, which name of which namespace stood for which object.
Whatever is read in another way makes it `unknown` whether anything has changed, and
keys are made by reading everything anew.
"""

from __future__ import annotations

import abc
import builtins
import os
import sys
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from nbcache.keys import extensions, origin, reading
from nbcache.keys.class_parts import class_parts
from nbcache.keys.constant import is_constant
from nbcache.keys.dependencies import COUNTED, Dependencies
from nbcache.keys.reads import MISSING, Reads
from nbcache.keys.unchanged import Unchanged
from nbcache.keys.users import unwrap

__all__ = ["Watched"]

_HEAP_TYPE = 1 << 9
_DATA_TYPES = frozenset({type(None), str, type(Ellipsis), bool, int})


@dataclass
class Watched(Dependencies):
    """Dependencies that know from where they were read.

    Attributes
    ----------
    unknown : str
        Why nothing can be said without reading everything anew; '' if it can.
    added : list of (str, object, str)
        Values in the order in which the walk met them: path for errors, value, digest.
    """

    unknown: str = ""
    reads: Reads = field(default_factory=Reads)
    added: list[tuple[str, Any, str]] = field(default_factory=list)
    _attributes: set[str] = field(default_factory=set)
    _guarded: dict[int, Any] = field(default_factory=dict)

    def unchanged(self) -> Unchanged | None:
        """Give what tells whether all this is still so; None if nothing can."""
        self._watch_extensions()
        changing = [value for _, value, _ in self.added if not self._is_fixed(value)]
        if self.unknown:
            return None
        found = Unchanged(self.reads, tuple(self.added), changing)
        # what another thread changed meanwhile would pass for what was read
        return found if found.holds() else None

    # --- what the base reads, noted before it does

    def add(self, label: str, value: Any, shown: Any = None) -> None:
        """Enter a value, and note its digest."""
        super().add(label, value, shown)
        self.added.append((label, value, self.parts[-1].digest))
        if label.rpartition(" → ")[2] == "attributes":
            # made of the attributes of a function, which are compared by themselves
            self._guarded[id(value)] = value

    def function(self, function: FunctionType, prefix: str = "") -> None:
        """Enter a user function; note its parts."""
        if id(function) not in self._met and self.track != "none":
            self._watch_function(function)
        super().function(function, prefix)

    def _watch_function(self, function: FunctionType) -> None:
        own, notes = vars(function), function.__annotations__
        named = function.__kwdefaults__
        self.reads.functions.append(
            (
                *(function, function.__code__, function.__defaults__, named),
                *(notes, own),
            )
        )
        for one in (own, notes, named):
            if one:
                self._watch_mapping(one)
        self._watch_notes(notes.values())
        self._watch_module_of(function)
        names, closure = function.__code__.co_freevars, function.__closure__ or ()
        cells = zip(names, closure, strict=True)
        for name, cell in cells:
            if name in self.ignore:
                continue
            try:
                self.reads.cells.append((cell, cell.cell_contents))
            except ValueError:
                self.unknown = "a variable has no value"

    def _globals(self, function: FunctionType, step: str) -> None:
        code, scope = function.__code__, function.__globals__
        writes = reading.write_only(code) if self.skip_written else frozenset()
        for name in reading.global_chains(code).keys() - self.ignore:
            value = scope.get(name, MISSING)
            kind = type(value)
            if name in writes and kind.__name__ in COUNTED:
                self.reads.kinds.append((scope.get, name, kind))
            else:
                self.reads.items.append((scope.get, name, value))
        if reading.hidden(code) - self.ignore or not self.skip_written:
            self.unknown = "it hides which names it reads"
        self._attributes |= reading.attributes(code)
        super()._globals(function, step)

    def builtin(self, label: str, name: str, step: str = "") -> None:
        """Enter a name that is no global; note what it stands for."""
        value = vars(builtins).get(name, MISSING)
        self.reads.items.append((vars(builtins).get, name, value))
        self._watch_kind(value)
        super().builtin(label, name, step)

    def _attribute(self, name: str, module: ModuleType, chain: str, step: str) -> None:
        value: Any = module
        for attribute in chain.split("."):
            if not isinstance(value, ModuleType):
                break
            self._watch_module(value)
            held = vars(value).get(attribute, MISSING)
            if held is MISSING and origin.is_user_module(value):
                self.unknown = "a module makes its attributes"
            self.reads.items.append((vars(value).get, attribute, held))
            value = held
        self._watch_kind(value)
        super()._attribute(name, module, chain, step)

    def value(self, label: str, value: Any, step: str = "") -> None:
        """Enter a value; note what stands behind a wrapper."""
        inner = unwrap(value)
        if inner is not value:
            self.reads.calls.append((unwrap, value, inner))
        self._watch_kind(inner)
        super().value(label, value, step)

    def module(self, label: str, module: ModuleType) -> None:
        """Enter a whole module; nothing short tells whether a user's is as it was."""
        self._watch_module(module)
        if origin.is_user_module(module):
            self.unknown = "it uses a whole module"
        super().module(label, module)

    def environment(self, variable: str, step: str = "") -> None:
        """Enter an environment variable, and note its text."""
        self.reads.environment.append((variable, os.environ.get(variable)))
        super().environment(variable, step)

    def imported(self, name: str, names: Iterable[str] = (), step: str = "") -> None:
        """Enter an import; of installed modules, all below the first count as that."""
        top = name.partition(".")[0]
        module = sys.modules.get(top)
        if module is None or origin.is_user_module(module):
            self.unknown = "it imports local modules"
        else:
            self.reads.items.append((sys.modules.get, top, module))
            self._watch_module(module)
        super().imported(name, names, step)

    def user_class(self, cls: type, prefix: str) -> None:
        """Enter a class of the user's; note its parts."""
        if id(cls) not in self._met:
            self._watch_class(cls)
        super().user_class(cls, prefix)

    # --- what decides how a thing is entered

    def _watch_mapping(self, mapping: Mapping[str, Any]) -> None:
        self._guarded[id(mapping)] = mapping
        self.reads.mappings.append((mapping, list(mapping), list(mapping.values())))

    def _watch_notes(self, notes: Iterable[Any]) -> None:
        """Note annotations, which count by their spelling."""
        for note in notes:
            if isinstance(note, type) and not typing.get_args(note):
                self._watch_name(note)
            elif type(note) in _DATA_TYPES:
                continue
            elif type(note).__module__ in ("typing", "types") and not hasattr(
                note, "__metadata__"
            ):
                self._watch_notes(typing.get_args(note))
            else:
                self.unknown = "an annotation is an object"

    def _watch_name(self, cls: type) -> None:
        if cls.__flags__ & _HEAP_TYPE:
            row = (cls, cls.__module__, cls.__qualname__, cls.__bases__)
            self.reads.classes.append(row)

    def _watch_module(self, module: ModuleType) -> None:
        """Note what says whose a module is."""
        held = vars(module)
        if type(module) is not ModuleType:
            self.unknown = "a module is an object of its own kind"
        for name in ("__name__", "__file__"):
            self.reads.items.append((held.get, name, held.get(name, MISSING)))
        if type(held.get("__file__")) is not str:
            path = held.get("__path__", MISSING)
            self.reads.items.append((held.get, "__path__", path))
            if path is not MISSING:
                self.unknown = "a package has no file"

    def _watch_named_module(self, name: Any) -> None:
        if isinstance(name, str):
            module = sys.modules.get(name, MISSING)
            self.reads.items.append((sys.modules.get, name, module))
            if isinstance(module, ModuleType):
                self._watch_module(module)

    def _watch_module_of(self, function: FunctionType) -> None:
        """Note what says whose a function made by ``exec`` is."""
        if function.__code__.co_filename.startswith("<"):
            scope = function.__globals__
            name = scope.get("__name__", MISSING)
            self.reads.items.append((scope.get, "__name__", name))
            self._watch_named_module(name)

    def _watch_kind(self, value: Any) -> None:
        """Note what says whether a function or class is the user's."""
        if isinstance(value, FunctionType):
            own = vars(value)
            self.reads.calls.append((vars, value, own))
            inner = own.get("__nbcache_wrapped__", MISSING)
            self.reads.items.append((own.get, "__nbcache_wrapped__", inner))
            self.reads.codes.append((value, value.__code__))
            self._watch_module_of(value)
        elif isinstance(value, type):
            self._watch_name(value)
            self._watch_named_module(value.__module__)

    def _watch_class(self, cls: type) -> None:
        if type(cls) not in (type, abc.ABCMeta):
            self.unknown = "a class has a metaclass"
            return
        for one in (cls, *cls.__bases__):
            self._watch_kind(one)
        self._watch_mapping(vars(cls))
        notes = vars(cls).get("__annotations__")
        if notes:
            self._watch_mapping(notes)
            self._watch_notes(notes.values())
        self._watch_fields(vars(cls).get("__dataclass_fields__", {}))
        for value in vars(cls).values():
            if isinstance(value, cached_property):
                self.reads.calls.append((_function, value, value.func))
        for _, value in class_parts(cls):
            inner = unwrap(value)
            self._watch_kind(inner)
            if inner is not value:
                self.reads.calls.append((unwrap, value, inner))

    def _watch_fields(self, fields: Mapping[str, Any]) -> None:
        """Note the fields of a dataclass, of which metadata count."""
        if fields:
            self._watch_mapping(fields)
        for one in fields.values():
            if one.metadata:
                self.unknown = "fields have metadata"
            self.reads.calls.append((_metadata, one, one.metadata))
            self._watch_mapping(one.metadata)

    def _watch_extensions(self) -> None:
        """Note what attributes would find on classes of data libraries."""
        for library, kinds in extensions.CLASSES.items():
            if not self._attributes or library == "numpy":
                continue  # nothing can be put into the class of arrays
            module = sys.modules.get(library)
            item = (sys.modules.get, library, MISSING if module is None else module)
            self.reads.items.append(item)
            for kind in kinds if module is not None else ():
                cls = vars(module).get(kind, MISSING)
                self.reads.items.append((vars(module).get, kind, cls))
                if isinstance(cls, type):
                    self._watch_extended(cls)
                else:
                    self.unknown = "a data library is not loaded yet"

    def _watch_extended(self, cls: type) -> None:
        held = vars(cls)
        for name in self._attributes & held.keys():
            self.reads.items.append((held.get, name, held[name]))
            inner = extensions.inner(held[name])
            self._watch_kind(inner)
            if not isinstance(held[name], property | FunctionType):
                self.reads.calls.append((extensions.inner, held[name], inner))
        missing = sorted(self._attributes - held.keys())
        self.reads.absent.append((held.__contains__, missing))

    # --- values

    def _is_fixed(self, value: Any) -> bool:
        """Say whether the digest of a value stays while what was noted does."""
        if is_constant(value):
            return True
        kind = type(value)
        if kind is tuple:
            return all(map(self._is_fixed, value))
        if kind is dict and id(value) in self._guarded:
            return all(map(self._is_fixed, value.values()))
        if kind is BuiltinFunctionType:
            if not isinstance(value.__self__, ModuleType | None):
                return False
            self.reads.calls.append((_module_name, value, value.__module__))
            return True
        if kind is FunctionType:
            return self._is_fixed_function(value)
        if kind is type and not origin.is_user_class(value):
            self._watch_kind(value)
            return True
        return False

    def _is_fixed_function(self, function: FunctionType) -> bool:
        """Say it of an installed function that stands under its own name."""
        name, place = function.__qualname__, sys.modules.get(function.__module__ or "")
        if vars(function) or place is None or origin.is_user_function(function):
            return False
        if vars(place).get(name) is not function or origin.is_user_module(place):
            return False
        self._watch_kind(function)
        self._watch_mapping(vars(function))
        self._watch_named_module(function.__module__)
        self.reads.items.append((vars(place).get, name, function))
        self.reads.calls.append((_module_name, function, function.__module__))
        self.reads.calls.append((_qualified_name, function, name))
        return True


def _metadata(one: Any) -> Any:
    return one.metadata


def _function(one: Any) -> Any:
    return one.func


def _module_name(one: Any) -> Any:
    return one.__module__


def _qualified_name(one: Any) -> Any:
    return one.__qualname__
