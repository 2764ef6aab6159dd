"""Parameters as an entry keeps them: readable without the code that made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbcache.decorator.arguments import (
    CALL_BYTES,
    packed,
    unpacked,
    unpacked_arguments,
)
from nbcache.errors import NbcacheError
from nbcache.keys import secret
from nbcache.keys.summary import summarise
from nbcache.storage.entry import Entry

__all__ = ["called_parameters", "kept_parameters", "plain_name", "read_parameters"]


def kept_parameters(
    parameters: Mapping[str, Any], *, private: bool = False
) -> list[list[Any]]:
    """Give parameters as plain data: a row of name, packed value and text each.

    The packed value is there for plain data only, the text is what stands for all else:
    the qualified name of a function or class, a summary of other objects, nothing for
    what sounds like a secret.

    Parameters
    ----------
    parameters : mapping of str to object
        Of a run, by name.
    private : bool
        Keep nothing but the names.
    """
    return [[name, *_kept(name, parameters[name], private)] for name in parameters]


def _kept(name: str, value: Any, private: bool) -> tuple[Any, str]:
    if private or secret.is_secret_name(name) or secret.holds_secret(value):
        return None, ""
    named = plain_name(value)
    return (None, named) if named else (packed({name: value}), summarise(value))


def plain_name(value: Any) -> str:
    """Give the qualified name of a function or class; '' for anything else."""
    named = getattr(value, "__qualname__", None)
    if not (callable(value) and isinstance(named, str)):
        return ""
    return named.rpartition("<locals>.")[2]


def read_parameters(rows: Iterable[list[Any]]) -> dict[str, Any]:
    """Read `kept_parameters` back; what cannot be had as a value is its text."""
    return {str(name): _read(name, plain, text) for name, plain, text in rows}


def _read(name: str, plain: Any, text: str) -> Any:
    if plain is None:
        return text
    try:
        # a listing tells what nobody has verified
        return unpacked(plain, most_bytes=4 * CALL_BYTES)[name]
    except (NbcacheError, LookupError, TypeError, ValueError, RecursionError):
        return text


def called_parameters(entry: Entry) -> dict[str, Any]:
    """Give the arguments of a call that no batch has made, as far as they are told."""
    told = {
        label.partition(" ")[2]: text
        for label, _, text, *_ in entry.parts
        if label.startswith("argument ")
    }
    try:
        args, kwargs = unpacked_arguments(entry.call)
    except (NbcacheError, LookupError, TypeError, ValueError):
        return told
    if len(args) + len(kwargs) != len(told) or not kwargs.keys() <= told.keys():
        return told
    names = [name for name in told if name not in kwargs]
    return {**dict(zip(names, args, strict=True)), **kwargs}
