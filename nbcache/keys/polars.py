"""Digests of polars values: by dtype and values, whatever chunks hold them.

Nothing is imported from polars: there are values of it, so it is loaded.  pyarrow,
through which all of this would be shorter, may not be there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from nbcache.keys import plain
from nbcache.keys.buffers import digest_memory
from nbcache.keys.instances import put_reduction, refusal
from nbcache.keys.registry import (
    Handler,
    Identity,
    Sink,
    Walker,
    mark,
    put_kind,
    register,
)

__all__: list[str] = []


def _put_frame(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    put_kind(walk, sink, value, path)
    sink.update(plain.dumps(value.shape))
    for series in value.get_columns():
        sink.update(plain.dumps(series.name))
        _put_values(walk, sink, series, f"{path}[{series.name!r}]")


def _put_series(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    put_kind(walk, sink, value, path)
    sink.update(plain.dumps(value.name))
    _put_values(walk, sink, value, path)


def _refuse_lazy(_walk: Walker, _sink: Sink, value: Any, path: str) -> None:
    raise refusal(value, path, "a query that has not run: pass .collect()")


# --- dtypes


def _put_dtype_value(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "polars dtype")
    _put_dtype(walk, sink, value, path)


def _put_dtype(walk: Walker, sink: Sink, dtype: Any, path: str) -> None:
    """Write a dtype by its name and parameters, inner dtypes too."""
    parameters = dict(vars(dtype)) if hasattr(dtype, "__dict__") else {}
    mark(sink, str(dtype.base_type()), len(parameters))
    for name, value in sorted(parameters.items()):
        sink.update(plain.dumps(name))
        _put_parameter(walk, sink, value, path)


def _put_parameter(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    pl = sys.modules["polars"]
    if isinstance(value, list | tuple):
        mark(sink, "several", len(value))
        for one in value:
            _put_parameter(walk, sink, one, path)
    elif isinstance(value, pl.Field):
        sink.update(plain.dumps(value.name))
        _put_parameter(walk, sink, value.dtype, path)
    elif isinstance(value, pl.Series):
        _put_values(walk, sink, value, path)
    elif isinstance(value, pl.DataType):
        _put_dtype(walk, sink, value, path)
    elif isinstance(value, type) and issubclass(value, pl.DataType):
        _put_dtype(walk, sink, value(), path)
    elif type(value) in plain.ATOMS:
        plain.put_atom(sink, value)
    else:
        sink.update(plain.dumps(repr(value)))


# --- values


def _put_values(walk: Walker, sink: Sink, series: Any, path: str) -> None:
    """Write dtype, length, nulls and values; of the slots of nulls nothing."""
    _put_dtype(walk, sink, series.dtype, path)
    nulls = series.null_count()
    sink.update(plain.dumps((len(series), nulls)))
    if nulls:
        sink.update(digest_memory(series.is_null().to_numpy()))
    put = _BY_DTYPE.get(str(series.dtype.base_type()))
    if put is not None:
        put(walk, sink, series, path)
    elif series.dtype.is_numeric() or series.dtype.is_temporal():
        _put_numbers(walk, sink, series, path)
    else:
        _put_objects(walk, sink, series, path)


def _put_numbers(_walk: Walker, sink: Sink, series: Any, _path: str) -> None:
    physical = series.to_physical()
    sink.update(_digest(physical.fill_null(0) if series.null_count() else physical))


def _put_flags(_walk: Walker, sink: Sink, series: Any, _path: str) -> None:
    sink.update(_digest(series.fill_null(False)))


def _digest(series: Any) -> bytes:
    return digest_memory(np.ascontiguousarray(series.to_numpy()))


def _put_texts(_walk: Walker, sink: Sink, series: Any, _path: str) -> None:
    """Write lengths in bytes, and all texts as one."""
    texts = series.drop_nulls()
    if len(texts):
        sink.update(_digest(texts.str.len_bytes()))
        joined = texts.str.join("").item().encode()
        sink.update(digest_memory(np.frombuffer(joined, np.uint8)))


def _put_as_texts(walk: Walker, sink: Sink, series: Any, path: str) -> None:
    # codes of categories differ between processes; numpy has no decimals
    _put_texts(walk, sink, series.cast(sys.modules["polars"].String), path)


def _put_bytes(_walk: Walker, sink: Sink, series: Any, _path: str) -> None:
    pieces = series.drop_nulls().to_list()
    sink.update(digest_memory(np.array([len(piece) for piece in pieces], np.int64)))
    sink.update(digest_memory(np.frombuffer(b"".join(pieces), np.uint8)))


def _put_lists(walk: Walker, sink: Sink, series: Any, path: str) -> None:
    """Write the lengths of the lists and their items one after the other."""
    lists = series.drop_nulls()
    lengths = lists.list.len()
    sink.update(_digest(lengths))
    # an empty list would explode into a null
    _put_values(walk, sink, lists.filter(lengths > 0).explode(), path)


def _put_arrays(walk: Walker, sink: Sink, series: Any, path: str) -> None:
    _put_lists(walk, sink, series.arr.to_list(), path)


def _put_fields(walk: Walker, sink: Sink, series: Any, path: str) -> None:
    for column in series.struct.unnest().get_columns():
        _put_values(walk, sink, column, f"{path}[{column.name!r}]")


def _put_objects(walk: Walker, sink: Sink, series: Any, path: str) -> None:
    items = series.to_list()
    walk.keep(items)
    walk.put_items(sink, items, path)


def _put_nothing(_walk: Walker, _sink: Sink, _series: Any, _path: str) -> None:
    """Write nothing: all are null."""


# numpy has no integers of 128 bits
_BY_DTYPE: dict[str, Callable[[Walker, Sink, Any, str], None]] = {
    "Boolean": _put_flags,
    "String": _put_texts,
    "Categorical": _put_as_texts,
    "Enum": _put_as_texts,
    "Decimal": _put_as_texts,
    "Int128": _put_objects,
    "UInt128": _put_objects,
    "Binary": _put_bytes,
    "List": _put_lists,
    "Array": _put_arrays,
    "Struct": _put_fields,
    "Null": _put_nothing,
}

_HANDLERS: dict[str, tuple[Identity, Handler]] = {
    "polars.dataframe.frame.DataFrame": (Identity.COUNTS, _put_frame),
    "polars.series.series.Series": (Identity.COUNTS, _put_series),
    "polars.lazyframe.frame.LazyFrame": (Identity.ATOMIC, _refuse_lazy),
    "polars.expr.expr.Expr": (Identity.NESTED, put_reduction),
    "polars.datatypes.classes.DataType": (Identity.ATOMIC, _put_dtype_value),
}
for _name, (_identity, _handler) in _HANDLERS.items():
    register(_name, _handler, identity=_identity)
