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
import os
import sys
import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType, NoneType
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import (
    details,
    hashing,
    modules,
    origin,
    reading,
    secret,
    source,
    summary,
)
from nbcache.keys.class_parts import class_parts, class_texts, spell
from nbcache.keys.extensions import extensions
from nbcache.keys.key import Part
from nbcache.keys.users import is_users, unwrap
from nbcache.scripts import MAIN, plain_name

__all__ = ["COUNTED", "Dependencies", "is_users", "reached", "unwrap"]

_MISSING = object()
_BUILTINS = frozenset(vars(builtins))
_PLAIN = frozenset({bool, int, float, complex, str, bytes, NoneType})
# written to without being read, these make no dependency; other types may do more
# than count when their methods are called
COUNTED = frozenset(
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
    skip_written : bool
        Whether globals that functions only write to are left out.
    is_inside : bool
        Whether this is inside of a value.

    Attributes
    ----------
    values : dict of str to object
        What was entered by value, by label.
    holders : dict of str to function, class or module
        What was entered by parts, and may be given other ones, by label.
    """

    walk: hashing.Walk
    track: str = "auto"
    ignore: frozenset[str] = frozenset()
    skip_written: bool = False
    is_inside: bool = False
    parts: list[Part] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    holders: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)
    _met: dict[int, tuple[Any, str]] = field(default_factory=dict)
    _named: set[str] = field(default_factory=set)

    # --- entering parts

    def add(self, label: str, value: Any, shown: Any = None) -> None:
        """Enter a value under a label; a change may be told of another form of it."""
        name = label.rpartition(" → ")[2].partition(" ")[2] or label
        digest = self.walk.digest(value, name)
        if secret.is_secret_name(name):
            self.parts.append(Part(label, digest))
        else:
            told = summary.summarise(value)
            inside = functools.partial(details.describe, shown or value, self.walk)
            self.parts.append(Part(label, digest, told, describe=inside))
        self.values.setdefault(label, value)

    def _text(self, label: str, *texts: str, told: str = "") -> None:
        self.parts.append(Part(label, source.text_digest(*texts), told))

    def _first_time(self, thing: Any, label: str) -> bool:
        """Note a function, class or module; met again, enter which one it is."""
        known = self._met.get(id(thing))
        if known is not None:
            self._text(label, "same", known[1])
            return False
        # held, so that its id stays its own
        self._met[id(thing)] = thing, label
        return True

    def _library(self, module_name: str) -> None:
        """Enter an installed package, once, by as much of its version as counts."""
        top = module_name.partition(".")[0]
        if top not in self._named:
            self._named.add(top)
            told = origin.version(top)
            self._text(f"library {top}", origin.version_token(top), told=told)

    def functions(self) -> tuple[FunctionType, ...]:
        """Give the user's functions that were met."""
        met = (thing for thing, _ in self._met.values())
        return tuple(thing for thing in met if isinstance(thing, FunctionType))

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
        own = prefix or "code"
        if not self._first_time(function, own) or self.track == "none":
            return
        self.holders[f"function {own}"] = function
        self.walk.functions[id(function)] = function
        code = function.__code__
        digest = source.text_digest(source.code_digest(code), *_annotations(function))
        text = functools.partial(details.code_details, code)
        self.parts.append(Part(own, digest, describe=text))
        step = f"{prefix} → " if prefix else ""
        defaults = (function.__defaults__, function.__kwdefaults__)
        if any(defaults):
            self.add(f"{step}defaults", defaults, _by_name(function))
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            if name not in self.ignore:
                self._closure(f"{step}closure {name}", cell, step)
        wrapped = ("__wrapped__", "__nbcache_wrapped__")
        attributes = {k: v for k, v in vars(function).items() if k not in wrapped}
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
        self._holder(sys.modules.get(function.__module__ or ""), scope)
        writes = reading.write_only(code) if self.skip_written else frozenset()
        for name, chains in sorted(reading.global_chains(code).items()):
            if name in self.ignore:
                continue
            value = scope.get(name, _MISSING)
            if value is _MISSING:
                self.builtin(f"{step}global {name}", name, step)
            elif name in writes and type(value).__name__ in COUNTED:
                self.written[name] = value
            else:
                self.named(name, value, chains, step)
        if self.is_inside or not self.skip_written:
            # a run that binds them anew must be noticed: no notebook holds them
            self._bound(code, scope, step)
        for name in sorted(reading.hidden(code) - self.ignore - scope.keys()):
            reason = "it hides which names it reads"
            raise UnhashableValue(f"{name}()", "builtin", reason)
        self.extended(reading.attributes(code), step)
        self._imports(code, scope, step)
        for variable in sorted(reading.environment(code)):
            self.environment(variable, step)

    def _bound(self, code: CodeType, scope: dict[str, Any], step: str) -> None:
        """Enter globals that code binds, where a run of it could not tell them."""
        wanted = reading.bound_globals(code) & scope.keys()
        if plain_name(str(scope.get("__name__"))) == MAIN:
            # whether there is one to delete decides what is left
            wanted = reading.deleted_globals(code) - reading.global_chains(code).keys()
        for name in sorted(wanted):
            if name in scope:
                self.value(f"{step}global {name}", scope[name], step)
            else:
                self.builtin(f"{step}global {name}", name, step)

    def _holder(self, module: Any, scope: dict[str, Any] | None = None) -> None:
        """Note a module of the user's; the notebook is none."""
        if isinstance(module, ModuleType) and plain_name(module.__name__) != MAIN:
            is_own = scope is None or scope is vars(module)
            if is_own and origin.is_user_module(module):
                self.holders[f"module {module.__name__}"] = module

    def extended(self, attributes: Iterable[str], step: str = "") -> None:
        """Enter accessors and methods of the user's on classes of data libraries."""
        for name, value in extensions(attributes):
            if is_users(value):
                self.value(f"{step}global {name}", value, step)

    def environment(self, variable: str, step: str = "") -> None:
        """Enter an environment variable, by digest only: it may be a secret."""
        value = os.environ.get(variable)
        told = ("unset",) if value is None else ("set", value)
        self._text(f"{step}env {variable}", *told)

    # --- names and values

    def builtin(self, label: str, name: str, step: str = "") -> None:
        """Enter a name that is no global: nothing, unless it was put into builtins."""
        value = vars(builtins).get(name, _MISSING)
        if value is _MISSING:
            self._text(label, "undefined", told="undefined")
        elif name not in _BUILTINS and type(value) in _PLAIN:
            self.add(label, value)
        elif is_users(value):
            self.value(label, value, step)

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
        """Follow a chain of attributes as far as it leads through modules."""
        value: Any = module
        said = name
        attributes = chain.split(".")
        while attributes and isinstance(value, ModuleType):
            if not origin.is_user_module(value):
                self.module(f"{step}module {said}", value)
                self._installed(f"{step}global {said}", value, attributes, step)
                return
            self._holder(value)
            said = f"{said}.{attributes[0]}"
            value = getattr(value, attributes.pop(0), _MISSING)
            if value is _MISSING:
                self._text(f"{step}global {said}", "undefined", told="undefined")
                return
        if isinstance(value, ModuleType):
            self.module(f"{step}module {said}", value)
        else:
            self.value(f"{step}global {said}", value, step)

    def _installed(
        self, said: str, module: ModuleType, attributes: list[str], step: str
    ) -> None:
        """Enter what the user may have put into an installed module."""
        value: Any = module
        for attribute in attributes:
            if not isinstance(value, ModuleType):
                return
            said = f"{said}.{attribute}"
            # not getattr: it may import more
            value = vars(value).get(attribute)
        if said not in self._named and (type(value) in _PLAIN or is_users(value)):
            self._named.add(said)
            self.value(said, value, step)

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
        if origin.is_user_module(module):
            if self._first_time(module, label):
                self._text(label, modules.loaded_digest(module))
                self._holder(module)
                for name, value in modules.data(module).items():
                    self.values.setdefault(f"{label}.{name}", value)
            return
        self._library(module.__name__)
        if label not in self._named:
            self._named.add(label)
            self._text(label, "installed", module.__name__, told=module.__name__)

    def _imports(self, code: CodeType, scope: dict[str, Any], step: str) -> None:
        """Enter what the code imports itself, while it runs."""
        for name, level, names in sorted(reading.imported(code)):
            absolute = modules.absolute_name(name, level, scope)
            self.imported(absolute, names, step)

    def imported(self, name: str, names: Iterable[str] = (), step: str = "") -> None:
        """Enter a module by name, loaded or not, and those that are taken from it."""
        inner = (f"{name}.{one}" for one in names)
        for wanted in (name, *filter(modules.is_module, inner)):
            for digest, label, told in modules.import_parts(wanted):
                if label not in self._named:
                    self._named.add(label)
                    self.parts.append(Part(f"{step}{label}", digest, told))

    # --- classes

    def user_class(self, cls: type, prefix: str) -> None:
        """Enter a class of the user's: bases, methods, attributes, recursively."""
        if not self._first_time(cls, prefix):
            return
        self.holders[prefix] = cls
        self._text(prefix, cls.__qualname__, *class_texts(cls))
        for base in (*cls.__bases__, type(cls)):
            if origin.is_user_class(base):
                self.user_class(base, f"{prefix} → class {base.__qualname__}")
            elif base is not object and base is not type:
                self._library(base.__module__)
        for suffix, inner in class_parts(cls):
            self._class_attribute(f"{prefix}{suffix}", inner)

    def _class_attribute(self, label: str, value: Any) -> None:
        inner = unwrap(value)
        if isinstance(inner, FunctionType) and origin.is_user_function(inner):
            self.function(inner, label)
        elif isinstance(inner, type) and origin.is_user_class(inner):
            self.user_class(inner, label)
        else:
            self.add(label, inner)


def reached(thing: Any) -> dict[str, Any]:
    """Give what a function or class of the user's reads, by label; nothing of others.

    What is given is data, and the functions, classes and modules that hold it.
    """
    found = Dependencies(hashing.Walk())
    if is_users(thing):
        try:
            found.value("it it", thing)
        except UnhashableValue:
            return {}
    return {**found.values, **found.holders}


# --- functions and classes in pieces


def _by_name(function: FunctionType) -> dict[str, Any]:
    """Give the default values of a function by the names of its parameters."""
    code, values = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount][-len(values) :] if values else ()
    return {**dict(zip(names, values, strict=False)), **(function.__kwdefaults__ or {})}


def _annotations(function: FunctionType) -> Iterator[str]:
    """Spell annotations: decorators such as ``validate_call`` act on them."""
    found = getattr(function, "__annotations__", None) or {}
    for name, value in found.items():
        yield f"{name}: {spell(value)}"
