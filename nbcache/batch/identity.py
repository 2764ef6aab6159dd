"""The id of a run: known before it runs, and unchanged by edits."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import FunctionType, MethodType
from typing import Any

from nbcache.batch.parameters import plain_name
from nbcache.errors import UnhashableValue
from nbcache.keys import hashing, source
from nbcache.keys.instances import attributes
from nbcache.keys.summary import summarise
from nbcache.keys.users import unwrap

__all__ = ["digest_id", "state_of"]


def digest_id(
    name: str,
    parameters: Mapping[str, Any],
    index: int | None,
    state: Mapping[str, Any] | None = None,
) -> str:
    """Give 32 hexadecimal digits for a qualified name and bound parameters.

    Values count as in keys.  For what cannot be part of one stand a summary and the
    place in the batch.

    Parameters
    ----------
    name : str
        Of what is called.
    parameters : mapping of str to object
        By name.
    index : int or None
        The place in the batch.
    state : mapping of str to object, optional
        What else tells one callable of that name from another, see `state_of`.
    """
    made: list[Any] = [name, _digests(parameters, index)]
    if state:
        made.append(_digests(state, index))
    return hashing.digest(tuple(made))


def _digests(values: Mapping[str, Any], index: int | None) -> list[tuple[str, str]]:
    digests = {}
    for one, value in values.items():
        try:
            digests[one] = hashing.digest(value)
        except UnhashableValue:
            digests[one] = f"{summarise(value)} of run {index}"
    return sorted(digests.items())


def state_of(target: Any) -> dict[str, Any]:
    """Give what tells a callable from others of its name, but no code of named ones.

    That is what a partial or a bound method holds, variables of enclosing functions,
    attributes of an object, and the code of a lambda, whose name says nothing.
    """
    inner = unwrap(target)
    if isinstance(inner, functools.partial):
        bound = {"args": inner.args, "keywords": inner.keywords}
        return {**state_of(inner.func), **bound}
    if isinstance(inner, MethodType):
        return {**state_of(inner.__func__), "self": inner.__self__}
    if isinstance(inner, FunctionType):
        return _of_function(inner)
    if isinstance(inner, type) or plain_name(inner):
        return {}
    return dict(attributes(inner))


def _of_function(function: FunctionType) -> dict[str, Any]:
    code = function.__code__
    found: dict[str, Any] = {}
    if function.__name__ == "<lambda>":
        found["code"] = source.code_digest(code)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            held = cell.cell_contents
        except ValueError:
            continue
        named = plain_name(held)
        is_named = named and "<lambda>" not in named
        found[f"closure {name}"] = named if is_named else held
    return found
