"""Calls whose value is another one each time: the clock, ids, random bytes.

A stored result keeps the value of the run.  ``perf_counter``, ``monotonic`` and
``process_time`` are not among them: they only make sense as differences, and how long
something took is what the user wants to see again.
"""

from __future__ import annotations

import ast
import weakref
from collections.abc import Iterable, Mapping
from types import CodeType, FunctionType
from typing import Any

from nbcache.keys import source
from nbcache.keys.calls import named_calls

__all__ = ["frozen_told"]

_ALWAYS = {
    "time": ("time", "time_ns"),
    "datetime": ("now", "utcnow", "today"),
    "pandas": ("Timestamp.now", "Timestamp.utcnow", "Timestamp.today"),
    "uuid": ("uuid1", "uuid4"),
    "os": ("urandom", "getrandom"),
    "random": ("SystemRandom",),
}
_WITHOUT_ARGUMENTS = {
    "time": ("localtime", "gmtime", "ctime", "asctime"),
    "random": ("Random",),
    "numpy": ("default_rng", "RandomState", "SeedSequence"),
}
_OF_THE_CLOCK = {"numpy": ("datetime64",), "pandas": ("Timestamp", "to_datetime")}


def frozen_told(
    functions: Iterable[FunctionType],
    tree: ast.AST | None = None,
    scope: Mapping[str, Any] | None = None,
) -> str:
    """Say what code calls whose value a hit does not renew; '' if nothing.

    Parameters
    ----------
    functions : iterable of function
        Those of the user's.
    tree : ast.AST, optional
        Other code.
    scope : mapping of str to object, optional
        What its global names stand for.
    """
    found = [] if tree is None else _frozen_in(tree, scope or {})
    for function in functions:
        found += _frozen_in_function(function)
    named = ", ".join(f"{one}()" for one in list(dict.fromkeys(found))[:3])
    if not named:
        return ""
    return f"it calls {named}, whose values stay as they are on every hit"


def _frozen_in_function(function: FunctionType) -> list[str]:
    """Give those of one function, remembered: a function is asked for at each miss."""
    code = function.__code__
    found = _known.get(code)
    if found is None:
        node = source.function_node(code)
        found = [] if node is None else _frozen_in(node, function.__globals__)
        _known[code] = found
    return found


_known: weakref.WeakKeyDictionary[CodeType, list[str]] = weakref.WeakKeyDictionary()


def _frozen_in(tree: ast.AST, scope: Mapping[str, Any]) -> list[str]:
    return [
        ast.unparse(call.func)
        for call, name in named_calls(tree, scope)
        if _is_frozen(call, name)
    ]


def _is_frozen(call: ast.Call, name: str) -> bool:
    package = name.partition(".")[0]
    if package == "secrets" or _is_among(name, _ALWAYS.get(package, ())):
        return True
    if _is_among(name, _WITHOUT_ARGUMENTS.get(package, ())):
        return not (call.args or call.keywords)
    return _is_among(name, _OF_THE_CLOCK.get(package, ())) and any(
        isinstance(one, ast.Constant) and one.value in ("now", "today")
        for one in call.args[:1]
    )


def _is_among(name: str, ends: Iterable[str]) -> bool:
    return any(name.endswith(f".{end}") for end in ends)
