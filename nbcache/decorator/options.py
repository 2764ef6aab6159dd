"""The options of `cached`, checked when a function is decorated."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nbcache import durations
from nbcache.cache import Core
from nbcache.scripts import MAIN, module_of
from nbcache.wording import near

__all__ = ["Options", "name_of", "options_of", "signature_of"]

_KEYS = ("hash", "readable")
_TRACKS = ("auto", "source", "none")
_MAPS = ("copy", "read", None)
_SWITCHES = ("enabled", "write", "refresh", "compress", "memory", "private")


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
    expires_after: float | None = None
    validate: Callable[[dict[str, Any]], bool] | None = None
    name: str | None = None
    memory: bool = True
    mmap: Literal["copy", "read"] | None = "copy"
    lock_timeout: float | None = None
    cache_exceptions: bool | tuple[type[Exception], ...] = False
    min_seconds: float = 0.0
    tags: tuple[str, ...] = ()
    private: bool = False

    def check(self, function: Callable[..., Any]) -> None:
        """Refuse options that cannot be meant.

        Raises
        ------
        ValueError
            The value is not one of the choices, or names no parameter.
        """
        self.check_values()
        self._check_ignored(function)

    def check_values(self) -> None:
        """Refuse options that cannot be meant for any function.

        Raises
        ------
        ValueError
            The value is not one of the choices.
        """
        if not callable(self.key):
            _one_of("key", self.key, _KEYS)
        _one_of("track", self.track, _TRACKS)
        _one_of("mmap", self.mmap, _MAPS)
        for switch in _SWITCHES:
            if not isinstance(getattr(self, switch), bool):
                _one_of(switch, getattr(self, switch), (True, False))
        given: Any = self.validate
        if given is not None and not callable(given):
            raise ValueError(
                f"validate takes a function of an entry's metadata, not {given!r}"
            )
        _texts("name", () if self.name is None else (self.name,))
        _texts("tags", self.tags)
        _check_exceptions(self.cache_exceptions)

    def _check_ignored(self, function: Callable[..., Any]) -> None:
        parameters = list(signature_of(function).parameters)
        for name in self.ignore:
            if name not in parameters:
                raise ValueError(
                    f"ignore: {name_of(function)} has no parameter {name!r}, only "
                    f"{', '.join(parameters) or 'none'}.{near(name, parameters)}"
                )

    def left_out(self, function: Callable[..., Any]) -> list[str]:
        """Give the parameters that do not belong to the key."""
        names = signature_of(function).parameters
        return [name for name in names if name.startswith("_") or name in self.ignore]

    def noted(self, text: str | None, function: Callable[..., Any]) -> str | None:
        """Give a docstring that names the parameters that do not belong to the key."""
        left_out = self.left_out(function)
        if not left_out:
            return text
        note = f"Not part of the cache's key: {', '.join(left_out)}."
        return f"{inspect.cleandoc(text)}\n\n{note}" if text else note


def _one_of(option: str, value: Any, choices: tuple[Any, ...]) -> None:
    if value not in choices:
        said = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{option} must be one of {said}, not {value!r}")


def _texts(option: str, values: tuple[Any, ...]) -> None:
    for value in values:
        if not (isinstance(value, str) and value):
            raise ValueError(f"{option} must be text, not {value!r}")


def _check_exceptions(wanted: Any) -> None:
    kinds = wanted if isinstance(wanted, tuple) else ()
    fine = all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds)
    if not fine or not isinstance(wanted, bool | tuple):
        raise ValueError(
            "cache_exceptions must be True, False, or kinds of Exception, not "
            f"{wanted!r}"
        )


def _duration(option: str, value: Any) -> float | None:
    if value is None:
        return None
    try:
        return durations.seconds(value)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


# --- functions


def name_of(function: Callable[..., Any]) -> str:
    """Give a callable's qualified name, without the functions around it."""
    while isinstance(function, functools.partial):
        function = function.func
    found = getattr(function, "__qualname__", None) or type(function).__qualname__
    name = str(found).rpartition("<locals>.")[2]
    module = module_of(function)
    return name if module in (None, MAIN) else f"{module}.{name}"


_ANY = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)


def signature_of(function: Callable[..., Any], **how: Any) -> inspect.Signature:
    """Give a callable's signature; that of anything for a builtin that has none."""
    try:
        return inspect.signature(function, **how)
    except ValueError:
        return _ANY


def options_of(core: Callable[[], Core], **given: Any) -> Options:
    """Give options in one form: single names as tuples, durations in s.

    Raises
    ------
    ValueError
        A duration is none.
    """
    for name in ("ignore", "ignore_globals", "tags"):
        value = given.get(name, ())
        given[name] = (value,) if isinstance(value, str) else tuple(value)
    depends = given.get("depends_on", ())
    several = isinstance(depends, Iterable) and not isinstance(depends, str | bytes)
    given["depends_on"] = tuple(depends) if several else (depends,)
    for name in ("expires_after", "lock_timeout", "min_seconds"):
        given[name] = _duration(name, given.get(name))
    given["min_seconds"] = given["min_seconds"] or 0.0
    kinds = given.get("cache_exceptions", False)
    if isinstance(kinds, type):
        given["cache_exceptions"] = (kinds,)
    elif isinstance(kinds, list):
        given["cache_exceptions"] = tuple(kinds)
    return Options(core, **given)
