"""Digests of pandas values: column by column, never by block.

Loaded by `registry` at the first value of a pandas type.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from nbcache.keys import arrays, plain
from nbcache.keys.arrow import put_arrow_type, put_arrow_values
from nbcache.keys.instances import put_instance, put_reduction
from nbcache.keys.registry import (
    Branch,
    Identity,
    Sink,
    Walker,
    mark,
    put_kind,
    register,
)

__all__: list[str] = []

# loaded already: a value of it was met
pd: Any = importlib.import_module("pandas")

_GROUP = 16 << 20  # bytes of columns that are copied together
_LEAST = 8  # columns of 8 bytes that fill a cache line


def _put_labels(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write what a frame or series carries besides index and values."""
    walk.put_pairs(sink, value.attrs, f"{path}.attrs")
    sink.update(plain.dumps(bool(value.flags.allows_duplicate_labels)))
    # what subclasses declare, and what the user has set
    names = [name for name in value._metadata if name != "_name"]
    names += [name for name in vars(value) if not name.startswith("_")]
    named = {name: getattr(value, name, None) for name in names}
    walk.keep(named)
    walk.put_named(sink, named, path)


# --- frames and series


def _put_frame(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    put_kind(walk, sink, value, path)
    index, columns = value.index, value.columns
    walk.put(sink, columns, f"{path}.columns")
    part = Branch(sink)
    walk.put(part, index, f"{path}.index")
    noted = [part.hexdigest()]
    _put_labels(walk, sink, value, path)
    held = _Columns(value)
    names = columns.tolist()
    for number, name in enumerate(names):
        place = f"{path}[{name!r}]" if isinstance(name, str | int) else path
        values = held.column(number)
        part = Branch(sink)
        _put_values(walk, part, values, place)
        noted.append(part.hexdigest())
        shared = held.newly_shared(number)
        if shared is not None:
            arrays.put_sharing(walk, sink, shared, value, number, quiet=True)
    walk.noted[id(value)] = noted


class _Columns:
    """The columns of a frame, those of numpy dtypes as contiguous arrays.

    Frames made from a C-ordered matrix have their columns strided through memory: they
    are copied in groups, as each alone would read all of it.
    """

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        # the block manager gives a column in 1 us where iloc takes 30
        self._blocks = getattr(frame._mgr, "blocks", None)
        self._groups: dict[int, tuple[int, Any]] = {}
        self._entered: set[int] = set()

    def _block(self, number: int) -> tuple[int, Any]:
        manager = self._frame._mgr
        which = int(manager.blknos[number])
        return which, manager.blocks[which].values

    def column(self, number: int) -> Any:
        """Give the values of a column."""
        if self._blocks is None:
            return self._frame.iloc[:, number]._values
        which, block = self._block(number)
        if type(block) is not np.ndarray or block.flags.c_contiguous:
            return self._frame._mgr.iget_values(number)
        row = int(self._frame._mgr.blklocs[number])
        width = max(_LEAST, _GROUP // max(1, block[0].nbytes))
        start, group = self._groups.get(which, (-1, None))
        if row // width * width != start:
            start = row // width * width
            group = np.ascontiguousarray(block[start : start + width])
            self._groups[which] = start, group
        return group[row - start]

    def newly_shared(self, number: int) -> Any:
        """Give the memory of a column, if it is not known yet and not a copy."""
        if self._blocks is None:
            return None
        which, block = self._block(number)
        if type(block) is not np.ndarray or block.dtype.hasobject:
            return None
        if block.flags.c_contiguous:
            return self._frame._mgr.iget_values(number)
        if which in self._entered:
            return None
        self._entered.add(which)
        return block


def _put_series(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    put_kind(walk, sink, value, path)
    walk.put(sink, value.name, f"{path}.name")
    index, part = Branch(sink), Branch(sink)
    walk.put(index, value.index, f"{path}.index")
    _put_labels(walk, sink, value, path)
    values = value._values
    _put_values(walk, part, values, path)
    walk.noted[id(value)] = [index.hexdigest(), part.hexdigest()]
    if type(values) is np.ndarray and not values.dtype.hasobject:
        arrays.put_sharing(walk, sink, values, value, quiet=True)


# --- indexes


def _put_index(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    put_kind(walk, sink, value, path)
    walk.put_items(sink, list(value.names), f"{path}.names")
    if isinstance(value, pd.RangeIndex):
        sink.update(plain.dumps((value.start, value.stop, value.step)))
    elif isinstance(value, pd.MultiIndex):
        mark(sink, "levels", value.nlevels)
        for codes, level in zip(value.codes, value.levels, strict=True):
            _put_level(walk, sink, np.asarray(codes), level, path)
    else:
        _put_values(walk, sink, value._values, path)
        walk.put(sink, getattr(value, "freq", None), f"{path}.freq")


def _put_level(walk: Walker, sink: Sink, codes: Any, level: Any, path: str) -> None:
    """Write a level by the values that occur, in the order in which they do."""
    order, occurring = pd.factorize(codes)
    missing = [place for place, code in enumerate(occurring) if code == -1]
    sink.update(plain.dumps(tuple(missing)))
    arrays.put_contents(walk, sink, np.ascontiguousarray(order, np.int64), path)
    _put_values(walk, sink, level.take(occurring[occurring != -1])._values, path)


# --- values of a column or index


def _put_values(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    """Write dtype and values of an array, without its identity."""
    if isinstance(values, np.ndarray):
        contiguous = np.ascontiguousarray(values)
        walk.keep(contiguous)
        arrays.put_contents(walk, sink, contiguous, path)
        return
    for kind, put in _ARRAYS.items():
        if isinstance(values, kind):
            put_kind(walk, sink, values, path)
            _put_dtype(walk, sink, values.dtype, path)
            put(walk, sink, values, path)
            return
    # a library's own: what it looks like inside is not known
    walk.put_alone(sink, values, put_instance, path)


def _put_array_value(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    if isinstance(value, tuple(_ARRAYS)):
        mark(sink, "pandas array")
        _put_values(walk, sink, value, path)
        walk.put(sink, getattr(value, "freq", None), f"{path}.freq")
    else:
        put_instance(walk, sink, value, path)


def _put_codes(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    # the categories are part of the dtype
    _put_values(walk, sink, np.asarray(values.codes), path)


def _put_integers(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    _put_values(walk, sink, values.asi8, path)


def _put_masked(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    """Write values and mask; what is under the mask does not count."""
    data, mask = values._data, values._mask
    if mask.any():
        data = data.copy()
        data[mask] = 0
    _put_values(walk, sink, data, path)
    _put_values(walk, sink, mask, path)


def _put_texts(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    """Write texts and None where one is missing."""
    texts: Any = np.where(values.isna(), None, values._ndarray)
    items = texts.tolist()
    walk.keep(items)
    walk.put_items(sink, items, path)


def _put_arrow(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    put_arrow_values(walk, sink, values._pa_array, path)


def _put_sparse(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    sink.update(plain.dumps((len(values), values.kind)))
    _put_values(walk, sink, values.sp_values, path)
    _put_values(walk, sink, values.sp_index.to_int_index().indices, path)


def _put_intervals(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    _put_values(walk, sink, values.left._values, f"{path}.left")
    _put_values(walk, sink, values.right._values, f"{path}.right")


def _put_wrapped(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    _put_values(walk, sink, values.to_numpy(), path)


# Where one class derives from another, it stands first.
_ARRAYS: dict[Any, Any] = {
    pd.Categorical: _put_codes,
    pd.arrays.ArrowStringArray: _put_arrow,
    pd.arrays.ArrowExtensionArray: _put_arrow,
    pd.arrays.StringArray: _put_texts,
    pd.arrays.NumpyExtensionArray: _put_wrapped,
    pd.arrays.DatetimeArray: _put_integers,
    pd.arrays.TimedeltaArray: _put_integers,
    pd.arrays.PeriodArray: _put_integers,
    pd.arrays.IntegerArray: _put_masked,
    pd.arrays.FloatingArray: _put_masked,
    pd.arrays.BooleanArray: _put_masked,
    pd.arrays.IntervalArray: _put_intervals,
    pd.arrays.SparseArray: _put_sparse,
}


# --- dtypes


def _put_dtype_value(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "pandas dtype")
    _put_dtype(walk, sink, value, path)


def _put_dtype(walk: Walker, sink: Sink, dtype: Any, path: str) -> None:
    """Write a dtype of numpy or of pandas with all that it holds."""
    if isinstance(dtype, np.dtype):
        arrays.put_dtype(walk, sink, dtype, path)
        return
    put_kind(walk, sink, dtype, path)
    if isinstance(dtype, pd.CategoricalDtype):
        walk.put(sink, dtype.ordered, path)
        walk.put(sink, dtype.categories, f"{path}.categories")
    elif isinstance(dtype, pd.ArrowDtype):
        put_arrow_type(walk, sink, dtype.pyarrow_dtype, path)
    elif isinstance(dtype, pd.StringDtype):
        missing = getattr(dtype, "na_value", pd.NA)
        sink.update(plain.dumps((dtype.storage, missing is pd.NA)))
    elif isinstance(dtype, pd.DatetimeTZDtype):
        sink.update(plain.dumps(dtype.unit))
        walk.put(sink, dtype.tz, f"{path}.tz")
    elif isinstance(dtype, pd.PeriodDtype):
        walk.put(sink, dtype.freq, f"{path}.freq")
    elif isinstance(dtype, pd.IntervalDtype):
        sink.update(plain.dumps(dtype.closed))
        _put_inner(walk, sink, dtype.subtype, path)
    elif isinstance(dtype, pd.SparseDtype):
        walk.put(sink, dtype.fill_value, f"{path}.fill_value")
        _put_inner(walk, sink, dtype.subtype, path)
    else:
        sink.update(plain.dumps(str(dtype)))
        if type(dtype).__module__.partition(".")[0] != "pandas":
            walk.put_alone(sink, dtype, put_instance, path)


def _put_inner(walk: Walker, sink: Sink, dtype: Any, path: str) -> None:
    mark(sink, "none" if dtype is None else "some")
    if dtype is not None:
        _put_dtype(walk, sink, dtype, path)


# --- scalars


def _put_moment(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write a Timestamp or Timedelta by its count of units."""
    put_kind(walk, sink, value, path)
    stamp = isinstance(value, pd.Timestamp)
    exact = value.to_datetime64() if stamp else value.to_timedelta64()
    sink.update(plain.dumps((exact.dtype.str, int(exact.view("i8")))))
    if stamp:
        sink.update(plain.dumps(value.fold))
        walk.put(sink, value.tzinfo, f"{path}.tzinfo")


def _put_period(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    put_kind(walk, sink, value, path)
    sink.update(plain.dumps(value.ordinal))
    walk.put(sink, value.freq, f"{path}.freq")


def _put_interval(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    put_kind(walk, sink, value, path)
    walk.put_items(sink, [value.left, value.right, value.closed], path)


def _put_offset(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "pandas offset")
    walk.put_alone(sink, value, put_reduction, path)


_VALUES: list[tuple[Any, Identity, Any]] = [
    (pd.DataFrame, Identity.COUNTS, _put_frame),
    (pd.Series, Identity.COUNTS, _put_series),
    (pd.Index, Identity.NESTED, _put_index),
    (pd.api.extensions.ExtensionArray, Identity.COUNTS, _put_array_value),
    (pd.api.extensions.ExtensionDtype, Identity.ATOMIC, _put_dtype_value),
    (pd.Timestamp, Identity.ATOMIC, _put_moment),
    (pd.Timedelta, Identity.ATOMIC, _put_moment),
    (type(pd.NaT), Identity.ATOMIC, put_kind),
    (type(pd.NA), Identity.ATOMIC, put_kind),
    (pd.Period, Identity.ATOMIC, _put_period),
    (pd.Interval, Identity.ATOMIC, _put_interval),
    (pd.tseries.offsets.BaseOffset, Identity.ATOMIC, _put_offset),
]
for _kind, _identity, _handler in _VALUES:
    register(_kind, _handler, identity=_identity)
