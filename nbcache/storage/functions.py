"""Functions by code: bound again to the globals of today when they are loaded."""

from __future__ import annotations

import importlib.util
import io
import linecache
import marshal
import sys
from collections.abc import Callable
from types import CellType as Cell
from types import FunctionType, MethodType
from typing import Any

from nbcache.scripts import MAIN, plain_name
from nbcache.storage.codec_nodes import Unresolved

__all__ = ["Cell", "reduce_cell", "reduce_function", "reduce_method"]

# code of another Python cannot be run
_MAGIC = importlib.util.MAGIC_NUMBER.hex()

_ATTRIBUTES = (
    "__qualname__",
    "__module__",
    "__doc__",
    "__defaults__",
    "__kwdefaults__",
    "__annotations__",
    "__type_params__",
)


def reduce_function(
    function: FunctionType,
    namespace: dict[str, Any] | None,
    digest_of: Callable[[type], str | None],
) -> Any:
    """Give how pickle makes a function again; None: leave it to cloudpickle.

    By code are stored the functions of `namespace`, and those that a loaded module made
    without giving them a name: its globals are then those of the module, not a copy.
    """
    scope = function.__globals__
    if namespace is None or scope is not namespace:
        module = sys.modules.get(function.__module__)
        nameless = "<" in function.__qualname__
        if module is None or plain_name(module.__name__) == MAIN or not nameless:
            return None
        if vars(module) is not scope:
            return None
    else:
        owner = _owner(function, namespace)
        if owner is not None and digest_of(owner) is not None:
            return getattr, (owner, function.__name__)
    state = {name: getattr(function, name, None) for name in _ATTRIBUTES}
    parts = (_MAGIC, marshal.dumps(function.__code__), function.__name__, scope)
    return (
        make_function,
        (*parts, function.__closure__, _source(function.__code__.co_filename)),
        (state, vars(function)),
        None,
        None,
        set_function,
    )


def _owner(function: FunctionType, namespace: dict[str, Any]) -> type | None:
    """Give the class of the namespace that has the function as a method."""
    first, *names = function.__qualname__.split(".")
    owner = namespace.get(first)
    for name in names[:-1]:
        owner = vars(owner).get(name) if isinstance(owner, type) else None
    if not names or not isinstance(owner, type):
        return None
    return owner if vars(owner).get(function.__name__) is function else None


def _source(filename: str) -> str:
    """Give the text of a cell; '' for a file, which tells it itself."""
    known = linecache.cache.get(filename)
    # without a time of change: nothing on disk
    if known is None or len(known) < 4 or known[1] is not None:
        return ""
    # one object, however many functions the cell has: pickle writes it once
    return sys.intern("".join(known[2]))


def make_function(
    magic: str,
    code: bytes,
    name: str,
    scope: dict[str, Any],
    closure: Any,
    source: str = "",
) -> FunctionType:
    """Make a function from its code, and make the text of its cell known.

    From the text follow its digest in keys, `inspect.getsource` and tracebacks.

    Raises
    ------
    Unresolved
        If the code is that of another version of Python.
    """
    if magic != _MAGIC:
        raise Unresolved(f"the code of {name}() was made by another version of Python")
    made = FunctionType(marshal.loads(code), scope, name, None, closure)
    if source:
        filename = made.__code__.co_filename
        lines = io.StringIO(source, newline="").readlines()
        linecache.cache.setdefault(filename, (len(source), None, lines, filename))
    return made


def set_function(
    function: FunctionType, state: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Set what a function has besides its code."""
    attributes, own = state
    for name, value in attributes.items():
        if name != "__type_params__" or sys.version_info >= (3, 12):
            setattr(function, name, value)
    vars(function).update(own)


def reduce_cell(cell: Cell) -> Any:
    """Give how pickle makes a closure's cell: empty first, as it may hold itself."""
    try:
        content = (cell.cell_contents,)
    except ValueError:
        return Cell, ()
    return Cell, (), content, None, None, set_cell


def set_cell(cell: Cell, content: tuple[Any]) -> None:
    """Fill a closure's cell."""
    cell.cell_contents = content[0]


def reduce_method(method: MethodType) -> Any:
    """Give how pickle finds a bound method, if it has the name of its function."""
    name = method.__func__.__name__
    if getattr(method.__self__, name, None) == method:
        return getattr, (method.__self__, name)
    return None
