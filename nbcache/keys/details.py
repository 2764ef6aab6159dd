"""What a value looks like inside, as plain data, to tell later what of it changed.

Made only when a look-up was a miss, while the values are those that the key saw.  Every
part is bounded: a few hundred nodes, and a fraction of a second for digests that the
walk of the key did not already take.

A table is ``{"kind": "table", "rows", "columns": [[name, dtype, digest]], "index"}``; a
list, dict or instance ``{"kind": "items", "items": [[step, text, digest, inside]]}``,
where step is what stands behind the name in code: ``['depth']``, ``[3]``, ``.depth``.
"""

from __future__ import annotations

import ast
import dataclasses
import linecache
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from nbcache.keys import origin, secret, source, summary
from nbcache.keys.hashing import Walk
from nbcache.keys.trees import of_tree, tree_of

__all__ = ["Details", "code_details", "describe", "text_details"]

Details = dict[str, Any]

_COLUMNS = 200
_NODES = 300
_DEPTH = 4
_ITEMS = 100
_TEXT = 2000  # characters
_SECONDS = 0.2  # for digests in one part
_DIGITS = 12  # of a digest: it tells versions of one thing apart, nothing else
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def describe(value: Any, walk: Walk) -> Details | None:
    """Give the inside of a value that a walk has digested.

    Parameters
    ----------
    value : object
        Anything; it is not changed.
    walk : Walk
        That of its key: it knows the digests of columns.

    Returns
    -------
    dict or None
        Plain data; None where the summary says all there is.
    """
    try:
        return _Inside(walk).of(value, 0)
    except Exception:
        # foreign objects fail in their own ways; an explanation is worth no error
        return None


def code_details(code: CodeType) -> Details:
    """Give the source of running code with its first line, if there is one."""
    node = source.function_node(code)
    if node is None:
        return {"kind": "code"}
    first, last = code.co_firstlineno, getattr(node, "end_lineno", 0)
    text = "".join(linecache.getlines(code.co_filename)[first - 1 : last])
    if not _spells(node, text):
        # the file has changed since; what runs counts
        text = ast.unparse(node)
    return text_details(text, first)


def text_details(text: str, line: int = 1) -> Details:
    """Give the text of code that begins at some line of its cell or file."""
    return {"kind": "code", "line": line, "text": text}


@of_tree
def _spells(node: ast.AST, text: str) -> bool:
    """Say whether a text is, or for a lambda holds, the source of a tree."""
    if isinstance(node, ast.Lambda):
        return ast.unparse(node.body) in text
    try:
        statements = tree_of(textwrap.dedent(text)).body
    except SyntaxError:
        return False
    return len(statements) == 1 and ast.dump(statements[0]) == ast.dump(node)


class _Inside:
    """Describes one value within its bounds."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._nodes = 0
        self._room = 2 * _TEXT
        self._until = time.monotonic() + _SECONDS
        self._above: set[int] = set()

    def of(self, value: Any, depth: int) -> Details | None:
        kind = type(value)
        if isinstance(value, str):
            is_short = len(value) <= 60 and "\n" not in value
            text = "" if is_short else value[: min(_TEXT, self._room)]
            self._room -= len(text)
            return {"kind": "text", "text": text} if text else None
        if kind in _PLAIN or id(value) in self._above:
            return None
        package = summary.package(kind)
        if package in summary.TABLES_AND_ARRAYS:
            return self._known(value, kind, package)
        if depth >= _DEPTH or getattr(kind, "__nbcache_opaque__", False):
            return None
        self._above.add(id(value))
        try:
            return self._holder(value, kind, depth)
        finally:
            self._above.discard(id(value))

    # --- tables and arrays

    def _known(self, value: Any, kind: type, package: str) -> Details | None:
        if package == "pandas" and hasattr(value, "to_frame"):
            if hasattr(value, "index"):
                return self._series(value)
            return None
        if hasattr(value, "columns") and hasattr(value, "dtypes"):
            return self._frame(value, kind)
        if hasattr(value, "schema") and hasattr(value, "num_rows"):
            columns = zip(value.schema.names, value.schema.types, strict=True)
            rows = [
                [str(name), _dtype(dtype), self._digest(value.column(number))]
                for number, (name, dtype) in enumerate(columns)
            ]
            return _table(kind, value.num_rows, rows, None)
        if hasattr(kind, "shape") and hasattr(kind, "dtype") and value.shape != ():
            return {
                "kind": "array",
                "type": kind.__name__,
                "shape": [int(count) for count in value.shape],
                "dtype": _dtype(value.dtype),
                "order": _order(value),
            }
        return None

    def _frame(self, value: Any, kind: type) -> Details:
        noted = self._walk.noted.get(id(value))
        index = None
        if noted is not None:
            index = [summary.summarise(value.index), noted[0][:_DIGITS]]
            digests: Iterable[str] = (digest[:_DIGITS] for digest in noted[1:])
        else:
            series: list[Any] = getattr(value, "get_columns", list)()
            digests = (self._digest(one) for one in series[:_COLUMNS])
        names = list(value.columns)[:_COLUMNS]
        columns = [
            [_name(name), _dtype(dtype), digest]
            for name, dtype, digest in zip(
                names, list(value.dtypes)[:_COLUMNS], digests, strict=False
            )
        ]
        return _table(kind, int(value.shape[0]), columns, index, int(value.shape[1]))

    def _series(self, value: Any) -> Details:
        noted = self._walk.noted.get(id(value)) or ["", ""]
        return {
            "kind": "series",
            "name": _name(value.name),
            "rows": len(value),
            "dtype": _dtype(value.dtype),
            "index": [summary.summarise(value.index), noted[0][:_DIGITS]],
            "values": noted[1][:_DIGITS],
        }

    # --- holders of other values

    def _holder(self, value: Any, kind: type, depth: int) -> Details | None:
        if isinstance(value, set | frozenset):
            return _set(value)
        if isinstance(value, Mapping) and hasattr(kind, "__len__"):
            pairs = ((_step(key), str(key), held) for key, held in value.items())
            return self._items(kind, len(value), pairs, depth)
        if isinstance(value, list | tuple) and not hasattr(kind, "_fields"):
            numbered = ((f"[{n}]", "", held) for n, held in enumerate(value))
            return self._items(kind, len(value), numbered, depth)
        named = _attributes(value, kind)
        methods = self._methods(kind)
        if not (named or methods):
            return None
        attributes = ((f".{name}", name, held) for name, held in named.items())
        return {**self._items(kind, None, attributes, depth), "methods": methods}

    def _methods(self, kind: type) -> dict[str, str]:
        """Give the digests of the functions of an instance's class, if it is a user's.

        They belong to the value, but no part of the key shows them one by one.
        """
        classes = [cls for cls in kind.__mro__ if origin.is_user_class(cls)]
        functions = {
            one.__qualname__: one
            for cls in reversed(classes)
            for one in vars(cls).values()
            if isinstance(one, FunctionType)
        }
        return {name: self._digest(one) for name, one in functions.items()}

    def _items(
        self,
        kind: type,
        size: int | None,
        steps: Iterator[tuple[str, str, Any]],
        depth: int,
    ) -> Details:
        items: list[list[Any]] = []
        for step, name, held in steps:
            self._nodes += 1
            if len(items) >= _ITEMS or self._nodes > _NODES:
                break
            if secret.is_secret_name(name):
                items.append([step, "", self._digest(held), None])
                continue
            inside = self.of(held, depth + 1)
            items.append([step, summary.summarise(held), self._digest(held), inside])
        return {
            "kind": "items",
            "type": kind.__qualname__,
            "size": size,
            "items": items,
            # what was left out may be what changed
            "whole": size is None or len(items) == size,
        }

    def _digest(self, value: Any) -> str:
        """Give a short digest of a part; '' if it would take too long, or has none."""
        if time.monotonic() > self._until:
            return ""
        try:
            return self._walk.fresh().digest(value, "part")[:_DIGITS]
        except Exception:
            return ""


def _table(
    kind: type,
    rows: int,
    columns: list[list[str]],
    index: list[str] | None,
    count: int | None = None,
) -> Details:
    return {
        "kind": "table",
        "type": kind.__name__,
        "rows": rows,
        "columns": columns[:_COLUMNS],
        "count": len(columns) if count is None else count,
        "index": index,
    }


def _order(array: Any) -> str:
    flags = getattr(array, "flags", None)
    columns = getattr(flags, "f_contiguous", False)
    return "F" if columns and not getattr(flags, "c_contiguous", False) else "C"


def _dtype(dtype: Any) -> str:
    return str(dtype)[:100]


def _name(name: Any) -> str:
    return name[:80] if isinstance(name, str) else repr(name)[:80]


def _step(key: Any) -> str:
    if type(key) not in _PLAIN:
        return f"[<{summary.summarise(key)[:40]}>]"
    return f"[{repr(key)[:60]}]"


def _set(value: Any) -> Details:
    """Give the elements of a set, where all are plain."""
    is_plain = len(value) <= _ITEMS and all(type(one) in _PLAIN for one in value)
    shown = sorted(repr(one)[:60] for one in value) if is_plain else []
    return {
        "kind": "set",
        "size": len(value),
        "items": shown,
        "whole": is_plain,
    }


def _attributes(value: Any, kind: type) -> dict[str, Any]:
    """Give the attributes of an instance without running code of its class."""
    if isinstance(value, type) or callable(value):
        return {}
    if dataclasses.is_dataclass(kind):
        names: list[str] = [field.name for field in dataclasses.fields(kind)]
    elif issubclass(kind, tuple):
        return dict(zip(getattr(kind, "_fields", ()), value, strict=False))
    else:
        held = getattr(value, "__dict__", None)
        if type(held) is dict and held:
            return {name: held[name] for name in held if isinstance(name, str)}
        names = [
            name
            for cls in kind.__mro__
            for name in _slots(cls)
            if not name.startswith("__")
        ]
    missing = object()
    found = {name: getattr(value, name, missing) for name in names}
    return {name: held for name, held in found.items() if held is not missing}


def _slots(cls: type) -> list[str]:
    stated = vars(cls).get("__slots__", ())
    return [stated] if isinstance(stated, str) else list(stated)
