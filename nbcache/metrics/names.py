"""One name for one call: ``f(1, b=2)``, however it was spelled."""

from __future__ import annotations

import ast
import datetime
import decimal
import fractions
import inspect
import math
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from nbcache.keys import hashing

__all__ = ["Given", "given", "plain_name", "spelled", "text_of"]

Given = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments of a call: positional ones, and those by keyword."""

_LITERALS = (int, float, complex, str, bytes, bool, type(None))
_READABLE = (
    *(datetime.date, datetime.timedelta, decimal.Decimal, fractions.Fraction),
    uuid.UUID,
)
_CONTAINERS = (list, tuple, dict, set, frozenset)


def text_of(value: Any) -> str:
    """Give a text that only equal values of that type have.

    Raises
    ------
    UnhashableValue
        The value has none.
    """
    try:
        return _text(value)
    except RecursionError:  # it contains itself, perhaps
        return _digest_text(value)


def _text(value: Any) -> str:
    kind = type(value)
    if kind is complex:
        return _complex_text(value)
    if kind in _LITERALS or kind in _READABLE or _is_naive(value):
        return repr(value)
    if kind in _CONTAINERS:
        return _container_text(value)
    if _is_number(kind) and kind.__module__ == "numpy":
        # numpy 1 and 2 write them in two ways
        name = "bool_" if kind is np.bool_ else kind.__name__
        return f"np.{name}({_text(value.item())})"
    return _digest_text(value)


def _digest_text(value: Any) -> str:
    return f"<{type(value).__name__} {hashing.digest(value)}>"


def _complex_text(value: complex) -> str:
    parts = value.real, value.imag
    # a sum loses the sign of zeros, and has no infinity
    is_sum = all(math.isfinite(one) for one in parts) and "-0.0" not in map(repr, parts)
    return repr(value) if is_sum else f"complex({parts[0]!r}, {parts[1]!r})"


def _is_naive(value: Any) -> bool:
    return type(value) is datetime.datetime and value.tzinfo is None


def _is_number(kind: Any) -> bool:
    """Say whether a type is one of numpy's whose values Python's numbers tell."""
    wanted = np.integer, np.floating, np.complexfloating, np.bool_
    left_out = np.timedelta64, np.longdouble, np.clongdouble
    is_type = isinstance(kind, type)
    return is_type and issubclass(kind, wanted) and not issubclass(kind, left_out)


def _container_text(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{_text(key)}: {_text(one)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    texts = [_text(one) for one in value]
    if isinstance(value, list):
        return f"[{', '.join(texts)}]"
    if isinstance(value, tuple):
        return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
    inside = f"{{{', '.join(sorted(texts))}}}" if texts else ""
    if isinstance(value, set):
        return inside or "set()"
    return f"frozenset({inside})"


def spelled(base: str, bound: inspect.BoundArguments, wanted: Collection[str]) -> str:
    """Give the name of a call.

    Parameters
    ----------
    base : str
        Name of the metric.
    bound : BoundArguments
        With defaults.
    wanted : collection of str
        Names of the parameters that belong to it.

    Raises
    ------
    UnhashableValue
        An argument cannot be part of a name.
    """
    parameters = bound.signature.parameters.values()
    # what stands before further positional arguments can only be given by position
    extends = any(
        one.kind is one.VAR_POSITIONAL and bound.arguments.get(one.name)
        for one in parameters
    )
    texts: list[str] = []
    for one in parameters:
        if one.name not in wanted:
            continue
        value = bound.arguments[one.name]
        if one.kind is one.VAR_POSITIONAL:
            texts += map(text_of, value)
        elif one.kind is one.VAR_KEYWORD:
            texts += [f"{key}={text_of(item)}" for key, item in value.items()]
        elif _is_by_keyword(one, extends):
            texts.append(f"{one.name}={text_of(value)}")
        else:
            texts.append(text_of(value))
    return f"{base}({', '.join(texts)})" if texts else base


def _is_by_keyword(one: inspect.Parameter, extends: bool) -> bool:
    if one.kind is one.POSITIONAL_OR_KEYWORD:
        return one.default is not one.empty and not extends
    return one.kind is one.KEYWORD_ONLY


def plain_name(base: str, values: Iterable[Any]) -> str:
    """Give a name joined by underscores, as earlier packages spelled it.

    Several calls may have it: it is understood where only one does, and never stored.
    """
    return "_".join([base, *map(str, values)]).replace(".", "p")


def given(item: Any) -> Given:
    """Give the arguments that an item of a list of parameters stands for."""
    if isinstance(item, Mapping):
        return (), dict(item)
    if isinstance(item, list | tuple):
        return tuple(item), {}
    return (item,), {}


# --- names as users type them


class Unreadable(ValueError):
    """A text is not the spelling of a call whose arguments can be told."""


_NUMBERS = {"nan": math.nan, "inf": math.inf}
_CALLS: dict[str, Callable[..., Any]] = {
    "set": set,
    "frozenset": frozenset,
    "complex": complex,
    "datetime.date": datetime.date,
    "datetime.datetime": datetime.datetime,
    "datetime.timedelta": datetime.timedelta,
    "Decimal": decimal.Decimal,
    "Fraction": fractions.Fraction,
    "UUID": uuid.UUID,
}


def read(text: str, bases: Collection[str]) -> tuple[str, Given]:
    """Give the metric and the arguments that a text spells.

    Raises
    ------
    Unreadable
        It spells no call of these metrics, or one with arguments that are no literals.
    """
    if text in bases:
        return text, ((), {})
    base, bracket, rest = text.partition("(")
    while bracket and base not in bases:
        more, bracket, rest = rest.partition("(")
        base = f"{base}({more}"
    if not bracket:
        raise Unreadable(text)
    try:
        call = ast.parse(f"_({rest}", mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Unreadable(text) from error
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
        raise Unreadable(text)
    if any(one.arg is None for one in call.keywords) or call.func.id != "_":
        raise Unreadable(text)
    args = tuple(map(_value, call.args))
    return base, (args, {str(one.arg): _value(one.value) for one in call.keywords})


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return _built(node)
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreadable(ast.unparse(node)) from error


def _built(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in _NUMBERS:
        return _NUMBERS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
        return kind(map(_value, node.elts))
    if isinstance(node, ast.Dict) and all(node.keys):
        keys = (_value(one) for one in node.keys if one is not None)
        return dict(zip(keys, map(_value, node.values), strict=True))
    if isinstance(node, ast.Call):
        return _made(node)
    raise Unreadable(ast.unparse(node))


def _made(node: ast.Call) -> Any:
    name = ast.unparse(node.func)
    made = _CALLS.get(name)
    kind = getattr(np, name[3:], None) if name.startswith("np.") else None
    if _is_number(kind):
        made = kind
    if made is None or any(one.arg is None for one in node.keywords):
        raise Unreadable(ast.unparse(node))
    args = tuple(map(_value, node.args))
    named = {str(one.arg): _value(one.value) for one in node.keywords}
    if _is_number(kind) and not _fits(kind, args):
        raise Unreadable(ast.unparse(node))
    try:
        return made(*args, **named)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Unreadable(ast.unparse(node)) from error


def _fits(kind: Any, args: tuple[Any, ...]) -> bool:
    """Say whether an integer of numpy's can be a number: older ones wrap around."""
    if not issubclass(kind, np.integer) or not all(type(one) is int for one in args):
        return True
    limits = np.iinfo(kind)
    return all(limits.min <= one <= limits.max for one in args)
