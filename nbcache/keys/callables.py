"""Digests of functions, classes, modules and what is made of them.

Importing this module teaches `hashing` these types: user code by its parts, installed
code by name and version.
"""

from __future__ import annotations

import functools
import sys
import types
import typing
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import hashing, origin, source
from nbcache.keys.dependencies import Dependencies, unwrap
from nbcache.keys.key import Part
from nbcache.keys.registry import qualified_name
from nbcache.scripts import module_of, plain_name

__all__ = ["Handler"]

Handler = Callable[[hashing.Walk, Any, Any, str], None]


def _parts_of(walk: hashing.Walk, enter: Callable[[Dependencies], None]) -> list[Part]:
    written = walk.written
    collected = Dependencies(walk, skip_written=written is not None, is_inside=True)
    enter(collected)
    if written is not None:
        written.update(collected.written)
    return collected.parts


def _feed(walk: hashing.Walk, sink: Any, tag: str, parts: list[Part]) -> None:
    walk.put(sink, (tag, *((part.label, part.digest) for part in parts)), tag)


def _put_function(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    inner = unwrap(value)
    if inner is not value:
        walk.put(sink, inner, path)
    elif origin.is_user_function(value):
        parts = _parts_of(walk, lambda found: found.function(value, ""))
        _feed(walk, sink, "function", parts)
    else:
        _put_installed(walk, sink, value, path)
    if inner is value and "__wrapped__" in vars(value):
        walk.put(sink, vars(value)["__wrapped__"], path)


def _put_installed(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    """Digest an installed function: by name if a module has it, else with closure."""
    module = module_of(value) or ""
    name = getattr(value, "__qualname__", getattr(value, "__name__", ""))
    token = origin.version_token(module)
    walk.put(sink, ("installed", module, name, token), path)
    if hasattr(value, "dispatch") and hasattr(value, "registry"):
        # its closure also holds a cache of weak references
        walk.put(sink, ("singledispatch", *value.registry.items()), path)
    elif isinstance(value, FunctionType) and not _is_found(module, name, value):
        cells = dict(
            zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        )
        walk.put(sink, value.__code__.co_qualname, path)
        walk.put(sink, (value.__defaults__, value.__kwdefaults__), path)
        for free, cell in cells.items():
            try:
                contents = cell.cell_contents
            except ValueError:
                continue
            walk.put(sink, contents, f"{path}.{free}")


def _is_found(module: str, name: str, value: Any) -> bool:
    """Say whether an installed module holds a function under its own name.

    What an installed decorator made of a user's function says that it is the user's.
    """
    found: Any = sys.modules.get(module)
    if found is None or origin.is_user_module(found):
        return False
    for step in name.split("."):
        found = getattr(found, step, None)
    return found is value


def _put_class(walk: hashing.Walk, sink: Any, value: type, path: str) -> None:
    if origin.is_user_class(value):
        parts = _parts_of(walk, lambda found: found.user_class(value, "class"))
        _feed(walk, sink, f"class {qualified_name(value)}", parts)
    else:
        token = origin.version_token(value.__module__)
        walk.put(
            sink, ("installed class", value.__module__, value.__qualname__, token), path
        )


def _put_module(walk: hashing.Walk, sink: Any, value: ModuleType, path: str) -> None:
    parts = _parts_of(walk, lambda found: found.module(f"module {path}", value))
    _feed(walk, sink, f"module {plain_name(value.__name__)}", parts)


def _put_method(walk: hashing.Walk, sink: Any, value: MethodType, path: str) -> None:
    walk.put(sink, "method", path)
    walk.put(sink, value.__func__, path)
    walk.put(sink, value.__self__, f"{path}.__self__")


def _put_builtin(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    _put_installed(walk, sink, value, path)
    owner = getattr(value, "__self__", None)
    if owner is not None and not isinstance(owner, ModuleType):
        walk.put(sink, owner, f"{path}.__self__")


def _put_descriptor(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    owner = value.__objclass__
    walk.put(sink, ("descriptor", owner.__module__, owner.__qualname__), path)
    walk.put(sink, value.__name__, path)


def _put_partial(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    walk.put(sink, type(value), path)
    walk.put(sink, value.func, f"{path}.func")
    walk.put(sink, value.args, f"{path}.args")
    walk.put(sink, value.keywords, f"{path}.keywords")


def _put_wrapper(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    """Digest a C-level wrapper (``lru_cache``) as its kind and what it wraps."""
    walk.put(sink, ("wrapper", type(value).__qualname__), path)
    if hasattr(value, "cache_parameters"):
        walk.put(sink, value.cache_parameters(), path)
    walk.put(sink, value.__wrapped__, path)


def _put_compiled(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    """Digest a numba dispatcher as its Python function and options."""
    walk.put(sink, ("compiled", type(value).__qualname__), path)
    walk.put(sink, dict(getattr(value, "targetoptions", {})), path)
    walk.put(sink, value.py_func, path)


def _put_code(walk: hashing.Walk, sink: Any, value: CodeType, path: str) -> None:
    walk.put(sink, ("code", source.code_digest(value)), path)


def _put_ufunc(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    numpy = sys.modules["numpy"]
    if getattr(numpy, value.__name__, None) is not value:
        module = getattr(value, "__module__", None)
        if module is None:
            raise UnhashableValue(path, "numpy.ufunc", "made by frompyfunc")
    token = origin.version_token("numpy")
    walk.put(sink, ("ufunc", value.__name__, token), path)


def _put_logger(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    # what a logger is told does not come back into a result
    walk.put(sink, ("logger", value.name), path)


def _put_new_type(walk: hashing.Walk, sink: Any, value: Any, path: str) -> None:
    walk.put(sink, ("new type", value.__name__), path)
    walk.put(sink, value.__supertype__, f"{path}.__supertype__")


_HANDLERS: dict[type | str, Handler] = {
    FunctionType: _put_function,
    type: _put_class,
    ModuleType: _put_module,
    MethodType: _put_method,
    types.BuiltinFunctionType: _put_builtin,
    types.MethodWrapperType: _put_builtin,
    types.WrapperDescriptorType: _put_descriptor,
    types.MethodDescriptorType: _put_descriptor,
    types.ClassMethodDescriptorType: _put_descriptor,
    types.GetSetDescriptorType: _put_descriptor,
    types.MemberDescriptorType: _put_descriptor,
    functools.partial: _put_partial,
    type(functools.lru_cache(len)): _put_wrapper,
    CodeType: _put_code,
    typing.NewType: _put_new_type,
    "numpy.ufunc": _put_ufunc,
    "logging.Logger": _put_logger,
    "numba.core.registry.CPUDispatcher": _put_compiled,
}
for _kind, _handler in _HANDLERS.items():
    hashing.register(_kind, _handler)
