"""Cached functions in pickles: by reference, or by value for cloudpickle.

Both ask an object for its reduction in the same way.  cloudpickle is told from others
by the Python frame that drives the pickler, as joblib, Dask and others bring copies of
cloudpickle along, each with a table of reducers of its own that would have to be found.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterable
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from nbcache.keys import source
from nbcache.scripts import MAIN, module_of

__all__ = [
    "Known",
    "by_value",
    "is_by_reference",
    "known_sources",
    "learn_sources",
    "name_to_find",
]


class Known(NamedTuple):
    """What tells the code of functions apart where there are no sources.

    Parameters
    ----------
    texts : dict of str to str
        Source by file (or cell), as the functions were compiled from it.
    digests : list of (code, str)
        Digests of running code, computed where it was defined.
    """

    texts: dict[str, str]
    digests: list[tuple[CodeType, str]]


def is_by_reference(wrapper: Any, function: Callable[..., Any]) -> bool:
    """Say whether a pickle that is being made shall only name a function."""
    if module_of(function) != MAIN and _is_found(wrapper, function):
        return True
    return not _is_cloudpickle(sys._getframe(2))


def name_to_find(wrapper: Any, function: Callable[..., Any]) -> str:
    """Give the name under which pickle finds a function in its module.

    Raises
    ------
    AttributeError
        It is local to another function, or a callable without a name, as pickle says
        of a plain function.
    """
    name = getattr(function, "__qualname__", None)
    if name is None or "<locals>" in name:
        raise AttributeError(
            f"Can't pickle local object {name or wrapper!r}: define the cached "
            "function at the top of a module, or use cloudpickle"
        )
    return str(name)


def _is_found(wrapper: Any, function: Callable[..., Any]) -> bool:
    found: Any = sys.modules.get(str(getattr(function, "__module__", None)))
    for step in str(getattr(function, "__qualname__", "")).split("."):
        found = getattr(found, step, None)
    return found is wrapper


def _is_cloudpickle(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_globals.get("__name__") == "pickle":
        frame = frame.f_back  # the pickler written in Python
    if frame is None:
        return False
    driver = type(frame.f_locals.get("self"))
    return any("cloudpickle" in one.__module__ for one in driver.__mro__)


def by_value(wrapper: Any) -> Any:
    """Give the reduction that carries the function itself.

    The wrapper is made empty and filled afterwards: its function may refer to it.
    """
    return _empty, (type(wrapper),), wrapper.__getstate__()


def _empty(kind: Any) -> Any:
    return kind.__new__(kind)


def known_sources(functions: Iterable[FunctionType]) -> Known:
    """Give what another process must be told of functions to see the same code."""
    texts: dict[str, str] = {}
    digests = []
    for function in functions:
        code = function.__code__
        digests.append((code, source.code_digest(code)))
        if code.co_filename not in texts and source.function_node(code) is not None:
            texts[code.co_filename] = "".join(linecache.getlines(code.co_filename))
    return Known(texts, digests)


def learn_sources(known: Known) -> None:
    """Remember sources and digests that came with a pickle."""
    for name, text in known.texts.items():
        # without a time of change: linecache does not look for the file
        linecache.cache.setdefault(
            name, (len(text), None, text.splitlines(keepends=True), name)
        )
    for code, digest in known.digests:
        source.know(code, digest)
