"""The key of a call: the function's code, all that it reads, its arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, TypeVar

from nbcache.decorator.options import Options, name_of
from nbcache.decorator.references import CachedRef, values_of
from nbcache.keys import hashing, origin, secret, source
from nbcache.keys.dependencies import Dependencies, unwrap
from nbcache.keys.key import Key, Part

__all__ = ["BoundKey", "bound_key", "counted", "counted_names", "dependencies"]


Found = TypeVar("Found", bound=Dependencies)


@dataclass(frozen=True, slots=True)
class BoundKey:
    """The key of a call, the globals that it only writes to, and all that it reads."""

    key: Key
    slug: str
    written: Mapping[str, Any]
    values: Mapping[str, Any]
    functions: tuple[FunctionType, ...]


def bound_key(
    function: Callable[..., Any],
    name: str,
    bound: inspect.BoundArguments,
    options: Options,
) -> BoundKey:
    """Give the key of a call.

    Raises
    ------
    UnhashableValue
        An argument, or something that the function reads, cannot be part of a key.
    """
    found = dependencies(function, name, options, Dependencies)
    if callable(options.key):
        args, kwargs = values_of(bound.args, bound.kwargs)
        found.add("argument key", options.key(*args, **kwargs))
    else:
        for argument, value in counted(bound, options).items():
            _enter_argument(found, f"argument {argument}", value)
    if options.version is not None:
        found.add("version", options.version)
    slug = _slug(function, bound, options) if options.key == "readable" else ""
    parts = found.parts
    if options.private:
        parts = [Part(part.label, part.digest) for part in parts]
    return BoundKey(Key.of(parts), slug, found.written, found.values, found.functions())


def dependencies(
    function: Callable[..., Any],
    name: str,
    options: Options,
    kind: type[Found],
) -> Found:
    """Give the parts of a key that all calls of a function have in common.

    Raises
    ------
    UnhashableValue
        Something that the function reads cannot be part of a key.
    """
    walk = hashing.Walk(options.hash_funcs)
    walk.written = {}
    found = kind(
        walk,
        options.track,
        frozenset(options.ignore_globals),
        skip_written=True,
        written=walk.written,
    )
    said = name if options.name or options.track == "none" else _plain_name(function)
    found.parts.append(Part("function", source.text_digest(said), said))
    _enter_function(found, function)
    for number, dependency in enumerate(options.depends_on):
        found.value(f"depends_on {_described(dependency, number)}", dependency)
    return found


def _enter_argument(found: Dependencies, label: str, value: Any) -> None:
    if type(value) is CachedRef:
        found.parts.append(Part(label, value.digest, f"result of {value.name}"))
        found.values.setdefault(label, value)
    else:
        found.add(label, value)


def _plain_name(function: Callable[..., Any]) -> str:
    return name_of(function).rpartition(".")[2]


def _enter_function(found: Dependencies, function: Callable[..., Any]) -> None:
    inner = unwrap(function)
    if isinstance(inner, FunctionType) and origin.is_user_function(inner):
        found.function(inner)
    elif found.track != "none":
        found.value("code", inner)


def _described(dependency: Any, number: int) -> str:
    return str(getattr(dependency, "__name__", number))


def counted(bound: inspect.BoundArguments, options: Options) -> dict[str, Any]:
    """Give the arguments that belong to the key."""
    wanted = counted_names(bound.arguments, options)
    return {name: bound.arguments[name] for name in wanted}


def counted_names(names: Iterable[str], options: Options) -> list[str]:
    """Give the names of the parameters that belong to the key."""
    ignored = options.ignore
    return [one for one in names if not one.startswith("_") and one not in ignored]


def _slug(
    function: Callable[..., Any], bound: inspect.BoundArguments, options: Options
) -> str:
    """Give a readable beginning for the file name: function and arguments."""
    words = [_plain_name(function)]
    if options.private:
        return re.sub(r"[^A-Za-z0-9]", "", words[0])[:20] or "call"
    kinds = bound.signature.parameters
    for name, value in counted(bound, options).items():
        if secret.is_secret_name(name):
            continue
        if kinds[name].kind is inspect.Parameter.VAR_POSITIONAL:
            words.extend(_text(item) for item in value)
        elif kinds[name].kind is inspect.Parameter.VAR_KEYWORD:
            for key, item in value.items():
                if not secret.is_secret_name(key):
                    words += [key, _text(item)]
        else:
            words.append(_text(value))
    plain = (re.sub(r"[^A-Za-z0-9]", "", word)[:20] for word in words)
    return "_".join(word for word in plain if word)[:60].strip("_") or "call"


def _text(value: Any) -> str:
    if isinstance(value, str | int | float | bool | None):
        return str(value)
    if isinstance(value, list | tuple) and len(value) < 20:
        return "".join(_text(item) for item in value)
    return type(value).__name__
