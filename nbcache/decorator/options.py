"""The options of `cached`, checked when a function is decorated."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nbcache.cache import Core

__all__ = ["Options", "name_of", "options_of"]

_KEYS = ("hash", "readable")
_TRACKS = ("auto", "source", "none")
_MAPS = ("copy", "read", None)


@dataclass(frozen=True, slots=True)
class Options:
    """What `cached` was asked for; `nbcache.api.cached` says what each means."""

    core: Callable[[], Core]
    enabled: bool = True
    write: bool = True
    refresh: bool = False
    compress: bool = False
    key: str | Callable[..., Any] = "hash"
    ignore: tuple[str, ...] = ()
    ignore_globals: tuple[str, ...] = ()
    hash_funcs: Mapping[type, Callable[[Any], Any]] | None = None
    version: Any = None
    track: str = "auto"
    depends_on: tuple[Any, ...] = ()
    name: str | None = None
    mmap: Literal["copy", "read"] | None = "copy"

    def check(self, function: Callable[..., Any]) -> None:
        """Refuse options that cannot be meant.

        Raises
        ------
        ValueError
            The value is not one of the choices, or names no parameter.
        """
        if not callable(self.key):
            _one_of("key", self.key, _KEYS)
        _one_of("track", self.track, _TRACKS)
        _one_of("mmap", self.mmap, _MAPS)
        parameters = list(inspect.signature(function).parameters)
        for name in self.ignore:
            if name not in parameters:
                near = difflib.get_close_matches(name, parameters, 1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"ignore: {name_of(function)} has no parameter {name!r}, only "
                    f"{', '.join(parameters) or 'none'}.{hint}"
                )


def _one_of(option: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        said = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{option} must be one of {said}, not {value!r}")


def name_of(function: Callable[..., Any]) -> str:
    """Give a callable's qualified name, without the functions around it."""
    found = getattr(function, "__qualname__", None) or type(function).__qualname__
    name = str(found).rpartition("<locals>.")[2]
    module = getattr(function, "__module__", None)
    return name if module in (None, "__main__") else f"{module}.{name}"


def options_of(core: Callable[[], Core], **given: Any) -> Options:
    """Give options with single names and dependencies made into tuples."""
    for name in ("ignore", "ignore_globals"):
        value = given.get(name, ())
        given[name] = (value,) if isinstance(value, str) else tuple(value)
    depends = given.get("depends_on", ())
    several = isinstance(depends, Iterable) and not isinstance(depends, str | bytes)
    given["depends_on"] = tuple(depends) if several else (depends,)
    return Options(core, **given)
