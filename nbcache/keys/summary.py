"""Short texts of values, to say in one line what changed between two runs.

They never call the ``__repr__`` of a user's class or of a collection: it may be slow or
long, or fail.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Callable, Iterable, Sized
from typing import Any

from nbcache.keys import secret

__all__ = ["TABLES_AND_ARRAYS", "package", "summarise"]

_WIDEST = 80  # characters of a summary without columns
_COLUMNS = 8
_FIELDS = 6
_TIMES = "\N{MULTIPLICATION SIGN}"
# Small types of known libraries, whose repr is quick and says all.
_SHOWN = frozenset(
    {
        *("date", "time", "datetime", "timedelta", "timezone", "Decimal", "Fraction"),
        *("UUID", "ZoneInfo", "PosixPath", "WindowsPath", "PurePosixPath"),
        *("PureWindowsPath", "range", "slice", "ellipsis", "NotImplementedType"),
    }
)
_STANDARD = frozenset(
    {"builtins", "datetime", "decimal", "fractions", "uuid", "zoneinfo", "pathlib"}
)


def summarise(value: Any) -> str:
    """Give a short printable text of a value, on one line.

    Parameters
    ----------
    value : object
        Anything; it is neither changed nor walked through.

    Returns
    -------
    str
        Type and what tells values of it apart at a glance: ``int 3``, ``list of 3``,
        ``ndarray (1000, 3) float64``.  After the shape of a table stand its columns:
        ``: price float64, day object``.
    """
    try:
        text, width = _describe(value)
        text = "".join(c if c.isprintable() else " " for c in text[: 4 * width])
    except Exception:
        # a property of a foreign object failed; a summary is never worth an error
        return type(value).__name__[:_WIDEST]
    return text if len(text) <= width else text[: width - 1] + "…"


def _describe(value: Any) -> tuple[str, int]:
    """Give a text and how much of it may be shown."""
    kind = type(value)
    table = _table(value, kind)
    if table is not None:
        return table, 400
    return _plain(value, kind) or _sized(value, kind) or _instance(value, kind), _WIDEST


# --- tables


def _table(value: Any, kind: type) -> str | None:
    """Describe a pandas or polars frame, or an Arrow table, with its columns."""
    library = package(kind)
    if library == "pandas" and hasattr(value, "columns"):
        dtypes = [str(value.dtypes.iloc[i]) for i in range(_shown(value.shape[1]))]
        return _columns(kind, value.shape, value.columns, dtypes)
    if library == "polars" and hasattr(value, "columns") and hasattr(value, "shape"):
        return _columns(kind, value.shape, value.columns, value.dtypes)
    if library == "pyarrow" and hasattr(value, "schema") and hasattr(value, "num_rows"):
        shape = value.num_rows, value.num_columns
        return _columns(kind, shape, value.schema.names, value.schema.types)
    return None


def _shown(columns: int) -> int:
    return min(columns, _COLUMNS)


def _columns(
    kind: type, shape: tuple[int, ...], names: Iterable[Any], dtypes: Iterable[Any]
) -> str:
    head = f"{kind.__name__} {shape[0]} {_TIMES} {shape[1]}"
    pairs = [
        f"{_one_word(str(name))} {_one_word(str(dtype)).replace(' ', '')}"
        for name, dtype, _ in zip(names, dtypes, range(_COLUMNS), strict=False)
    ]
    if shape[1] > len(pairs):
        pairs.append("…")
    return f"{head}: {', '.join(pairs)}" if pairs else head


def _one_word(text: str) -> str:
    # the separator of columns must not stand inside one
    return _short(text.replace(", ", ","), 30)


# --- other values


def _plain(value: Any, kind: type) -> str | None:
    if value is None:
        return "None"
    if kind in (bool, float, complex):
        return f"{kind.__name__} {value!r}"
    if kind is int:
        many = value.bit_length() > 200
        return f"int of {value.bit_length()} bits" if many else f"int {value}"
    if kind in (str, bytes, bytearray):
        return f"{kind.__name__} {value[:_WIDEST]!r}"
    if kind.__name__ in _SHOWN and kind.__module__.partition(".")[0] in _STANDARD:
        return f"{kind.__name__} {value!r}"
    described: Any
    for described, word in _NAMED.items():
        if isinstance(value, described):
            name = getattr(value, "__qualname__", None) or value.__name__
            return f"{word} {name}"
    return None


_NAMED: dict[Any, str] = {
    type: "class",
    types.FunctionType: "function",
    types.BuiltinFunctionType: "function",
    types.MethodType: "method",
    types.ModuleType: "module",
}


def _sized(value: Any, kind: type) -> str | None:
    """Describe what has a shape and a dtype, or a length."""
    library = package(kind)
    describe = _BY_PACKAGE.get(library)
    if describe is not None:
        found = describe(value, kind)
        if found is not None:
            return found
    if hasattr(kind, "shape") and hasattr(kind, "dtype"):
        return f"{kind.__name__} {_shape(value)} {value.dtype}"
    if isinstance(value, Sized) and library in ("builtins", "collections"):
        return f"{kind.__name__} of {len(value)}"
    return None


def _shape(value: Any) -> str:
    return str(tuple(int(n) for n in value.shape))


def _numpy(value: Any, kind: type) -> str | None:
    if hasattr(value, "bit_generator"):
        return f"{kind.__name__} {type(value.bit_generator).__name__}"
    if hasattr(kind, "dtype") and not hasattr(kind, "__array_finalize__"):
        return f"{kind.__name__} {value}"  # a scalar
    if hasattr(kind, "subdtype"):
        return f"dtype {value}"
    return None


def _pandas(value: Any, kind: type) -> str | None:
    if hasattr(value, "to_frame"):  # Series and Index
        name = getattr(value, "name", None)
        said = "" if name is None else f" {_short(repr(name), 30)}"
        levels = getattr(value, "nlevels", 1)
        dtype = f"{levels} levels" if levels > 1 else value.dtype
        return f"{kind.__name__}{said} {len(value)} {dtype}"
    if kind.__name__ in ("Timestamp", "Timedelta", "Period", "NaTType", "NAType"):
        return f"{kind.__name__} {value}"
    return None


def _polars(value: Any, kind: type) -> str | None:
    if hasattr(kind, "name") and hasattr(kind, "dtype"):
        return f"{kind.__name__} {value.name!r} {len(value)} {value.dtype}"
    return None


def _xarray(value: Any, kind: type) -> str | None:
    if not hasattr(value, "sizes"):
        return None
    sizes = ", ".join(f"{name}: {size}" for name, size in value.sizes.items())
    dtype = f" {value.dtype}" if hasattr(value, "dtype") else ""
    return f"{kind.__name__} ({sizes}){dtype}"


_BY_PACKAGE: dict[str, Callable[[Any, type], str | None]] = {
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": _polars,
    "xarray": _xarray,
}


def _instance(value: Any, kind: type) -> str:
    """Describe an instance as its class called with its public attributes."""
    if getattr(kind, "__nbcache_opaque__", False):
        return repr(value)
    if hasattr(value, "_name_") and hasattr(value, "_value_"):
        return f"{kind.__qualname__}.{value._name_}"  # a member of an Enum
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        names = list(kind._fields)
    elif isinstance(value, functools.partial):
        names = []  # asking for its dictionary would give it one, which shows
    else:
        names = [n for n in getattr(value, "__dict__", {}) if isinstance(n, str)]
    public = [name for name in names if not name.startswith("_")]
    said = [f"{n}={_field(n, getattr(value, n, None))}" for n in public[:_FIELDS]]
    if len(public) > _FIELDS:
        said.append("…")
    return f"{kind.__qualname__}({', '.join(said)})" if said else kind.__qualname__


def _field(name: str, value: Any) -> str:
    """Describe an attribute: numbers and texts by value, everything else by type."""
    if secret.is_secret_name(name):
        return "…"
    if value is None or type(value) in (bool, int, float, complex, str, bytes):
        text = _plain(value, type(value)) or ""
        return _short(text.removeprefix(f"{type(value).__name__} "), 30)
    kind = type(value)
    return _short(_plain(value, kind) or _sized(value, kind) or kind.__name__, 30)


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def package(kind: type) -> str:
    """Give the library that a class or the first of its bases comes from."""
    for cls in kind.__mro__:
        library = str(cls.__module__).partition(".")[0]
        if library in TABLES_AND_ARRAYS:
            return library
    return str(kind.__module__).partition(".")[0]


TABLES_AND_ARRAYS = frozenset({"numpy", "pandas", "polars", "pyarrow", "xarray"})
