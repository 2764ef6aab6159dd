"""Kinds of nodes: classes and functions by name, instances of the user's classes."""

from __future__ import annotations

import copyreg
import dataclasses
import enum
import importlib
import sys
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.scripts import MAIN, plain_name
from nbcache.storage.codec_nodes import (
    Node,
    Unresolved,
    Write,
    encoders,
    finders,
    kind,
)
from nbcache.storage.codec_sequences import unpacked
from nbcache.storage.codec_types import fill_dict
from nbcache.storage.slots import members, own_attributes

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["by_name", "named", "register_type"]

# ---------------------------------------------------------------- by name

# numpy's functions in Python are instances of a class of their own
_Dispatcher: type = type(np.mean)
_NAMED = (type, FunctionType, BuiltinFunctionType, np.ufunc, _Dispatcher)


def by_name(value: Any) -> tuple[str, str] | None:
    """Give module and qualified name under which a value is found, if it is."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    modules = (getattr(value, "__module__", None), type(value).__module__, "numpy")
    for module in modules:
        if type(module) is not str or type(name) is not str:
            continue
        if plain_name(module) != MAIN:
            try:
                if _walk(module, name) is value:
                    return module, name
            except LookupError:
                continue
    return None


def _walk(module: str, name: str) -> Any:
    """Give what a loaded module holds, without running code of its."""
    value: Any = sys.modules[module]
    for part in name.split("."):
        if not isinstance(value, ModuleType | type):
            raise LookupError(name)
        value = vars(value)[part]
    return value


def named(module: str, name: str, *, trusted: bool) -> Any:
    """Give the class or function of a name.

    Parameters
    ----------
    module, name : str
        As `by_name` gave them.
    trusted : bool
        Whether a module that is not loaded may be imported.

    Raises
    ------
    Unresolved
        If there is none.
    """
    if trusted and module not in sys.modules:
        _import(module)
    try:
        value = _walk(module, name)
    except LookupError:
        raise Unresolved(f"{module}.{name} is not loaded") from None
    if not isinstance(value, _NAMED):
        raise Unresolved(f"{module}.{name} is neither class nor function")
    return value


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever an import runs into
        raise Unresolved(f"cannot import {name}: {error}") from error


def _write_named(encoder: Encoder, value: Any) -> Node:
    digest = encoder.digest_of(value) if isinstance(value, type) else None
    if digest is not None:
        return ["class", encoder.class_number(value, digest)]
    if isinstance(value, type) and encoder.live.holds(value):
        name = by_name(value)
        return encoder.live.node(value) if name is None else ["name", list(name)]
    by_code = isinstance(value, FunctionType) and (
        encoder.namespace is not None and value.__globals__ is encoder.namespace
    )
    name = None if by_code else by_name(value)
    return encoder.leaf(value) if name is None else ["name", list(name)]


def _scope(decoder: Decoder, _: Any) -> dict[str, Any]:
    if decoder.namespace is None:
        raise Unresolved("a function needs the namespace it was defined in")
    return decoder.namespace


def _write_module(encoder: Encoder, value: ModuleType) -> Node:
    if sys.modules.get(value.__name__) is value:
        return ["module", value.__name__]
    return encoder.leaf(value)


def _module(decoder: Decoder, content: Any) -> ModuleType:
    module = sys.modules.get(content)
    if module is None and decoder.trusted:
        module = _import(content)
    if not isinstance(module, ModuleType):
        raise Unresolved(f"the module {content} is not loaded")
    return module


for _named_class in (FunctionType, BuiltinFunctionType, np.ufunc, _Dispatcher):
    encoders[_named_class] = _write_named
encoders[ModuleType] = _write_module
kind(
    "name",
    lambda decoder, content: named(*content, trusted=decoder.trusted),
)
kind("class", lambda decoder, content: decoder.class_at(content))
kind("module", _module)
kind("scope", _scope)


# ---------------------------------------------------------------- registered types

_registered: dict[str, tuple[type, Callable[[Any], Any]]] = {}


def register_type(
    cls: type, write: Callable[[Any], Any], read: Callable[[Any], Any], name: str
) -> None:
    """Tell how values of a class are stored.

    Registering a name or class again replaces it.

    Parameters
    ----------
    cls : type
        The class; not its subclasses.
    write : callable (value) -> value
        Gives something that can be stored: arrays, lists, dicts and so on.
    read : callable (value) -> value
        Makes an instance from what `write` gave.
    name : str
        What the class is called in entries; must stay the same.
    """
    if not name.isprintable() or not name:
        raise ValueError(f"register_type needs a name that can be shown, not {name!r}")
    _registered[name] = (cls, read)

    def write_node(encoder: Encoder, value: Any) -> Node:
        return encoder.guarded(
            value, "type", lambda: [name, encoder.node(encoder.keep(write(value)))]
        )

    encoders[cls] = write_node


def _of_registered(decoder: Decoder, content: Any) -> Any:
    name, node = content
    if name not in _registered:
        raise Unresolved(f"no type {name!r} is registered: nbcache.register_type")
    value = decoder.value(node)
    try:
        return _registered[name][1](value)
    except Exception as error:  # not the entry's fault
        raise Unresolved(f"cannot read a {name!r}: {error}") from error


kind("type", _of_registered)

# ---------------------------------------------------------------- instances


def _find(encoder: Encoder, cls: type) -> Write | None:
    if issubclass(cls, type):
        return _write_named
    if issubclass(cls, enum.Enum):
        return _write_member
    if issubclass(cls, tuple) and _is_plain_namedtuple(cls):
        return _write_namedtuple
    if encoder.digest_of(cls) is not None and _is_plain(cls):
        return _write_object
    return None


finders.append(_find)


def _write_member(encoder: Encoder, value: enum.Enum) -> Node:
    cls = type(value)
    name = value._name_
    if cls._member_map_.get(name) is value:
        return ["member", [encoder.node(cls), name]]
    if isinstance(value, enum.Flag) and type(value._value_) is int:
        return ["member", [encoder.node(cls), value._value_]]
    return encoder.leaf(value)


def _member(decoder: Decoder, content: Any) -> Any:
    cls = decoder.value(content[0])
    if not isinstance(cls, enum.EnumMeta):
        raise TypeError("a member of what is no enumeration")
    name = content[1]
    if type(name) is int and issubclass(cls, enum.Flag):
        return cls(name)
    if name not in cls._member_map_:
        raise Unresolved(f"{cls.__qualname__} has no member {name!r} now")
    return cls._member_map_[name]


kind("member", _member)

_STATE_METHODS = (
    "__new__",
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__setstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
)


def _is_plain_namedtuple(cls: type) -> bool:
    """Say whether a class is a namedtuple, or adds nothing but methods to one."""
    for base in cls.__mro__:
        if base.__bases__ == (tuple,):
            return isinstance(vars(base).get("_fields"), tuple)
        if any(name in vars(base) for name in _STATE_METHODS):
            return False
    return False


def _write_namedtuple(encoder: Encoder, value: Any) -> Node:
    if getattr(value, "__dict__", None):
        return encoder.leaf(value)
    return encoder.frozen(value, "namedtuple", value, encoder.node(type(value)))


def _namedtuple(decoder: Decoder, content: Any) -> Any:
    cls = decoder.value(content[0])
    items = unpacked(decoder, content[1])
    if not (isinstance(cls, type) and _is_plain_namedtuple(cls)):
        raise TypeError("a namedtuple of another class")
    if len(items) != len(cls._fields):  # type: ignore[attr-defined]
        raise Unresolved(f"{cls.__qualname__} has other fields now")
    return tuple.__new__(cls, items)


kind("namedtuple", _namedtuple)


# a frozen dataclass with slots has these; they do what is done here
_OF_DATACLASSES = {
    "__getstate__": getattr(dataclasses, "_dataclass_getstate", None),
    "__setstate__": getattr(dataclasses, "_dataclass_setstate", None),
}


def _is_plain(cls: type) -> bool:
    """Say whether attributes and slots are all there is to instances of a class."""
    if cls in copyreg.dispatch_table:
        return False
    for name in _STATE_METHODS:
        method = getattr(cls, name, None)
        standard = (getattr(object, name, None), _OF_DATACLASSES.get(name, cls))
        if method not in standard:
            return False
    return True


def _write_object(encoder: Encoder, value: Any) -> Node:
    cls = type(value)
    content: list[Any] = [encoder.node(cls), None, []]
    node = encoder.begin(value, "object", content)
    with encoder.filling(value):
        state = own_attributes(value)
        if state is not None:
            content[1] = encoder.attributes(state, node)
        for place, name, member in members(cls):
            try:
                item = member.__get__(value, cls)
            except AttributeError:  # not set
                continue
            content[2] += [place, name, encoder.node(item)]
    return node


def _object(decoder: Decoder, content: Any) -> Any:
    cls = decoder.value(content[0])
    if not isinstance(cls, type) or decoder.digest_of(cls) is None:
        raise TypeError("an instance of what is not a class of the user's")
    if not _is_plain(cls):
        raise Unresolved(f"{cls.__qualname__} makes its instances otherwise now")
    return object.__new__(cls)


def _fill_object(decoder: Decoder, value: Any, content: Any) -> None:
    cls = type(value)
    _, state, slots = content
    if state is not None:
        own = own_attributes(value)
        if own is None:
            raise Unresolved(f"instances of {cls.__qualname__} have no attributes now")
        if len(state) == 2 and state[0] == "=":
            object.__setattr__(value, "__dict__", decoder.value(state))
        else:
            fill_dict(decoder, own, state)
    nodes = iter(slots)
    for place in nodes:
        name, item = next(nodes), decoder.value(next(nodes))
        member = vars(cls.__mro__[place]).get(name)
        if not isinstance(member, MemberDescriptorType):
            raise Unresolved(f"instances of {cls.__qualname__} have no {name!r} now")
        member.__set__(value, item)


kind("object", _object, _fill_object)


def _attributes_of(decoder: Decoder, content: Any) -> Any:
    own = own_attributes(decoder.value(content))
    if own is None:
        raise TypeError("the attributes of what has none")
    return own


kind("vars", _attributes_of)
