"""What a function depends on: its code, and what that code reads.

A function's identity is flattened into labelled parts, so that a later miss can name
what changed: ``code``, ``defaults``, ``closure scale``, ``global K``, ``helper clean``,
``helper clean → global K``, ``class Model.fit``, ``library numpy``.  Data count by
value, user functions and classes by their own parts, recursively; installed packages by
name and version.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import os
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

from nbcache.keys import hashing, modules, origin, reading, secret, source, summary
from nbcache.keys.key import Part

__all__ = ["Dependencies", "unwrap"]

_MISSING = object()
# written to without being read, these make no dependency; other types may do more
# than count when their methods are called
_COUNTED = frozenset(
    [
        "list",
        "dict",
        "set",
        "deque",
        "Counter",
        "defaultdict",
        "OrderedDict",
        "int",
        "float",
    ]
)


@dataclass
class Dependencies:
    """Collects the parts of one key; what was met is not entered twice.

    Parameters
    ----------
    walk : hashing.Walk
        The walk shared by all values of the key, so that what they share shows.
    track : str
        ``auto``: all; ``source``: own code, defaults and closure; ``none``: nothing.
    ignore : frozenset of str
        Names of globals, and of variables of enclosing functions, to leave out.
    """

    walk: hashing.Walk
    track: str = "auto"
    ignore: frozenset[str] = frozenset()
    parts: list[Part] = field(default_factory=list)
    written: dict[str, Any] = field(default_factory=dict)
    _met: dict[int, Any] = field(default_factory=dict)
    _named: set[str] = field(default_factory=set)

    # --- entering parts

    def add(self, label: str, value: Any) -> None:
        """Enter a value under a label."""
        digest = self.walk.digest(value, _plain_path(label))
        self.parts.append(Part(label, digest, _summary(label, value)))

    def _text(self, label: str, *texts: str, told: str = "") -> None:
        self.parts.append(Part(label, source.text_digest(*texts), told))

    def _first_time(self, thing: Any) -> bool:
        """Note a function, class or module; held, so that its id stays its own."""
        known = id(thing) in self._met
        self._met[id(thing)] = thing
        return not known

    def _library(self, module_name: str) -> None:
        """Enter an installed package, once, by as much of its version as counts."""
        top = module_name.partition(".")[0]
        if top not in self._named:
            self._named.add(top)
            told = origin.version(top)
            self._text(f"library {top}", origin.version_token(top), told=told)

    # --- functions

    def function(self, function: FunctionType, prefix: str = "") -> None:
        """Enter a user function: its code and, by `track`, what it reads.

        Parameters
        ----------
        function : FunctionType
            Its running code counts, not its file.
        prefix : str
            Label of the function as a helper; '' for the function itself.
        """
        if not self._first_time(function):
            return
        if self.track == "none":
            return
        code = function.__code__
        own = prefix or "code"
        self._text(own, source.code_digest(code), *_annotations(function))
        step = f"{prefix} → " if prefix else ""
        defaults = (function.__defaults__, function.__kwdefaults__)
        if any(defaults):
            self.add(f"{step}defaults", defaults)
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            if name not in self.ignore:
                self._closure(f"{step}closure {name}", cell, step)
        attributes = {
            name: value
            for name, value in vars(function).items()
            if name not in ("__wrapped__", "__nbcache_wrapped__")
        }
        if attributes:
            self.add(f"{step}attributes", attributes)
        if "__wrapped__" in vars(function):
            self.value(f"{step}global __wrapped__", function.__wrapped__, step)  # type: ignore[attr-defined]
        if self.track == "auto":
            self._globals(function, step)

    def _closure(self, label: str, cell: types.CellType, step: str) -> None:
        try:
            value = cell.cell_contents
        except ValueError:
            self._text(label, "empty")
            return
        self.value(label, value, step)

    def _globals(self, function: FunctionType, step: str) -> None:
        code, scope = function.__code__, function.__globals__
        writes = reading.write_only(code)
        for name, chains in sorted(reading.global_chains(code).items()):
            if name in self.ignore:
                continue
            value = scope.get(name, _MISSING)
            if name in writes and type(value).__name__ in _COUNTED:
                self.written[name] = value
                continue
            if value is _MISSING:
                if not hasattr(builtins, name):
                    self._text(f"{step}global {name}", "undefined", told="undefined")
                continue
            self.named(name, value, chains, step)
        self._imports(code, scope, step)
        for variable in sorted(reading.environment(code)):
            self.environment(variable, step)

    def environment(self, variable: str, step: str = "") -> None:
        """Enter an environment variable, by digest only: it may be a secret."""
        value = os.environ.get(variable)
        told = ("unset",) if value is None else ("set", value)
        self._text(f"{step}env {variable}", *told)

    # --- names and values

    def named(
        self, name: str, value: Any, chains: set[str] | None, step: str = ""
    ) -> None:
        """Enter what a name stands for; of a module, only the attributes used."""
        if not isinstance(value, ModuleType):
            self.value(f"{step}global {name}", value, step)
        elif chains is None:
            self.module(f"{step}module {name}", value)
        else:
            for chain in sorted(chains):
                self._attribute(name, value, chain, step)

    def _attribute(self, name: str, module: ModuleType, chain: str, step: str) -> None:
        """Follow a chain of attributes as far as it leads through user modules."""
        value: Any = module
        said = name
        for attribute in chain.split("."):
            if not isinstance(value, ModuleType) or not origin.is_user_module(value):
                break
            value = getattr(value, attribute, _MISSING)
            said = f"{said}.{attribute}"
            if value is _MISSING:
                self._text(f"{step}global {said}", "undefined", told="undefined")
                return
        if isinstance(value, ModuleType):
            self.module(f"{step}module {said}", value)
        else:
            self.value(f"{step}global {said}", value, step)

    def value(self, label: str, value: Any, step: str = "") -> None:
        """Enter a value: user functions and classes by parts, all else by digest."""
        name = label.removeprefix(step).partition(" ")[2]
        inner = unwrap(value)
        if isinstance(inner, FunctionType) and origin.is_user_function(inner):
            self.function(inner, f"{step}helper {name}")
        elif isinstance(inner, type) and origin.is_user_class(inner):
            self.user_class(inner, f"{step}class {name}")
        elif isinstance(inner, ModuleType):
            self.module(f"{step}module {name}", inner)
        else:
            self.add(label, inner)

    def module(self, label: str, module: ModuleType) -> None:
        """Enter a whole module: user code by content, installed by version."""
        if not origin.is_user_module(module):
            self._library(module.__name__)
        elif self._first_time(module):
            self._text(label, modules.loaded_digest(module))

    def _imports(self, code: CodeType, scope: dict[str, Any], step: str) -> None:
        """Enter what the code imports itself, while it runs."""
        for name, level in sorted(reading.imported(code)):
            absolute = modules.absolute_name(name, level, scope)
            self.imported(absolute, step)

    def imported(self, name: str, step: str = "") -> None:
        """Enter a module by name, loaded or not."""
        for digest, label, told in modules.import_parts(name):
            if label not in self._named:
                self._named.add(label)
                self.parts.append(Part(f"{step}{label}", digest, told))

    # --- classes

    def user_class(self, cls: type, prefix: str) -> None:
        """Enter a class of the user's: bases, methods, attributes, recursively."""
        if not self._first_time(cls):
            return
        bases = [f"{base.__module__}.{base.__qualname__}" for base in cls.__bases__]
        self._text(prefix, cls.__qualname__, *bases, *_class_annotations(cls))
        for base in (*cls.__bases__, type(cls)):
            if origin.is_user_class(base):
                self.user_class(base, f"{prefix} → class {base.__qualname__}")
            elif base is not object and base is not type:
                self._library(base.__module__)
        for name, value in sorted(vars(cls).items()):
            if name not in _CLASS_SKIPPED and not _is_slot(value):
                for suffix, inner in _class_values(value):
                    self._class_attribute(f"{prefix}.{name}{suffix}", inner)

    def _class_attribute(self, label: str, value: Any) -> None:
        inner = unwrap(value)
        if isinstance(inner, FunctionType) and origin.is_user_function(inner):
            self.function(inner, label)
        elif isinstance(inner, type) and origin.is_user_class(inner):
            self.user_class(inner, label)
        else:
            self.add(label, inner)


# --- functions and classes in pieces


def unwrap(value: Any) -> Any:
    """Give the function behind nbcache's own wrapper, or the value itself.

    A wrapper of ours adds nothing to what is computed; other decorators do, and
    are followed through their own code.
    """
    inner = getattr(type(value), "__nbcache_unwrap__", None)
    if inner is not None:
        return inner(value)
    if isinstance(value, FunctionType) and "__nbcache_wrapped__" in vars(value):
        return vars(value)["__nbcache_wrapped__"]
    return value


def _annotations(function: FunctionType) -> Iterator[str]:
    """Spell annotations: decorators such as ``validate_call`` act on them."""
    found = getattr(function, "__annotations__", None) or {}
    for name, value in found.items():
        yield f"{name}: {_spell(value)}"


def _class_annotations(cls: type) -> Iterator[str]:
    found = inspect.get_annotations(cls)
    for name, value in found.items():
        yield f"{name}: {_spell(value)}"


def _spell(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    # an address would make the key another one in every process
    return type(value).__qualname__ if " at 0x" in text else text


_CLASS_SKIPPED = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__qualname__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotations__",
        "__annotations_cache__",
        "__annotate__",
        "__annotate_func__",
        "__dataclass_fields__",
        "__dataclass_params__",
        "__abstractmethods__",
        "_abc_impl",
        "__orig_bases__",
        "__parameters__",
        "__classcell__",
        "__slotnames__",
        "__pydantic_core_schema__",
        "__pydantic_serializer__",
        "__pydantic_validator__",
        "__pydantic_decorators__",
        "__pydantic_complete__",
        "__signature__",
        "__pydantic_fields__",
        "_member_names_",
        "_member_map_",
        "_value2member_map_",
        "_unhashable_values_",
        "_unhashable_values_map_",
        "_hashable_values_",
        "_use_args_",
        "_new_member_",
        "_member_type_",
        "_value_repr_",
        "__set_name__",
    ]
)


def _is_slot(value: Any) -> bool:
    return isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)


def _class_values(value: Any) -> Iterator[tuple[str, Any]]:
    """Give the functions inside a descriptor, or the attribute's value."""
    if isinstance(value, staticmethod | classmethod):
        yield "", value.__func__
    elif isinstance(value, property):
        for suffix, inner in zip(
            ("", ".setter", ".deleter"),
            (value.fget, value.fset, value.fdel),
            strict=True,
        ):
            if inner is not None:
                yield suffix, inner
    elif isinstance(value, functools.cached_property):
        yield "", value.func
    else:
        yield "", value


# --- labels


def _plain_path(label: str) -> str:
    """Turn a label into the path that an error names."""
    return label.rpartition(" → ")[2].partition(" ")[2] or label


def _summary(label: str, value: Any) -> str:
    name = _plain_path(label)
    return "" if secret.is_secret_name(name) else summary.summarise(value)
