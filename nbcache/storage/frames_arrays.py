"""Kinds of nodes: pandas' arrays, data types and scalars."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import Array, Node, Write, kind

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["inner", "is_array", "shares_memory", "write_array", "write_scalar"]


def shares_memory() -> bool:
    """Say whether writing to one pandas object can show in another.

    With copy-on-write it cannot, though they share memory: sharing it again, unknown to
    pandas, would make it so.
    """
    import pandas as pd

    if int(pd.__version__.partition(".")[0]) >= 3:
        return False
    return pd.options.mode.copy_on_write is not True


def inner(encoder: Encoder, values: Any, *, alone: bool) -> Node:
    """Give the node of the values inside a pandas object."""
    if type(values) is not np.ndarray:
        return encoder.node(encoder.keep(values))
    return encoder.alone(values) if alone else encoder.node(encoder.keep(values))


# ---------------------------------------------------------------- arrays

_MASKED = ("IntegerArray", "FloatingArray", "BooleanArray")
_TIMES = ("DatetimeArray", "TimedeltaArray")
_ARROW = ("ArrowStringArray", "ArrowStringArrayNumpySemantics", "ArrowExtensionArray")
_OBJECTS = ("StringArray", "StringArrayNumpySemantics")


def is_array(cls: type) -> bool:
    """Say whether a class is one of pandas' own kinds of array."""
    return cls.__name__ in _MAKERS and cls is _class(cls.__name__)


def _class(name: str) -> type | None:
    """Give the class of one of pandas' arrays."""
    import pandas as pd

    if name == "Categorical":
        return pd.Categorical
    found: Any = getattr(pd.arrays, name, None)
    if found is None and name.startswith(("Arrow", "String")):
        for module in ("string_", "string_arrow"):
            arrays = import_module(f"pandas.core.arrays.{module}")
            found = found or getattr(arrays, name, None)
    return found if isinstance(found, type) else None


def write_array(encoder: Encoder, value: Any) -> Node:
    """Give the node of one of pandas' arrays."""
    name = type(value).__name__

    def content() -> list[Any]:
        return [name, *_parts(encoder, name, value)]

    return encoder.guarded(value, "extension", content)


def _parts(encoder: Encoder, name: str, value: Any) -> list[Node]:
    def part(array: Any) -> Node:
        return inner(encoder, array, alone=not shares_memory())

    dtype = encoder.node(value.dtype)
    if name in _MASKED:
        return [part(value._data), part(value._mask)]
    if name in _TIMES:
        freq = encoder.node(getattr(value, "_freq", None))
        return [part(value._ndarray), dtype, freq]
    if name in ("PeriodArray", "NumpyExtensionArray", *_OBJECTS):
        return [part(value._ndarray), dtype]
    if name == "Categorical":
        return [part(value._ndarray), dtype]
    if name == "IntervalArray":
        return [part(value._left), part(value._right), dtype]
    if name == "SparseArray":
        return [part(value.sp_values), dtype, *_sparse_parts(encoder, value.sp_index)]
    return [encoder.node(encoder.keep(value._pa_array)), dtype]


def _sparse_parts(encoder: Encoder, index: Any) -> list[Node]:
    if hasattr(index, "indices"):
        return [index.length, encoder.alone(index.indices)]
    blocks = (index.blocs, index.blengths)
    return [index.length, *(encoder.alone(np.asarray(part)) for part in blocks)]


def _extension(decoder: Decoder, content: Any) -> Any:
    name, *nodes = content
    cls = _class(name)
    if cls is None:
        raise ValueError(f"pandas has no {name}")
    return _MAKERS[name](cls, *map(decoder.value, nodes))


def _masked(cls: Any, data: Array, mask: Array) -> Any:
    _check_arrays(data, mask)
    return cls._simple_new(data, mask)


def _times(cls: Any, data: Array, dtype: Any, freq: Any) -> Any:
    _check_arrays(data)
    array = cls._simple_new(data, dtype=dtype)
    if freq is not None:
        array._freq = freq
    return array


def _periods(cls: Any, data: Array, dtype: Any) -> Any:
    _check_arrays(data, kinds="i")
    return cls._simple_new(data, dtype)


def _categories(cls: Any, codes: Array, dtype: Any) -> Any:
    """Make a categorical; pandas would follow a code beyond the categories."""
    count = len(dtype.categories)
    _check_arrays(codes, kinds="i")
    if codes.size and not -1 <= codes.min() <= codes.max() < count:
        raise ValueError("a categorical has codes without categories")
    return cls._simple_new(codes, dtype)


def _intervals(cls: Any, left: Any, right: Any, dtype: Any) -> Any:
    if len(left) != len(right):
        raise ValueError("the sides of intervals differ in number")
    return cls._simple_new(left, right, dtype=dtype)


def _sparse(cls: Any, values: Array, dtype: Any, length: int, *parts: Array) -> Any:
    library: Any = import_module("pandas._libs.sparse")
    make = library.IntIndex if len(parts) == 1 else library.BlockIndex
    index = make(length, *(part.astype(np.int32, copy=False) for part in parts))
    if index.npoints != len(values):
        raise ValueError("a sparse array has more or fewer values than places")
    return cls._simple_new(values, index, dtype)


def _texts(cls: Any, values: Any, dtype: Any) -> Any:
    try:
        return cls(values, dtype=dtype)
    except TypeError:  # before pandas 3 the class says it all
        return cls(values)


def _arrow(cls: Any, values: Any, dtype: Any) -> Any:
    import pandas as pd

    if isinstance(dtype, pd.StringDtype):
        return _texts(cls, values, dtype)
    return cls(values)


_MAKERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(_MASKED, _masked),
    **dict.fromkeys(_TIMES, _times),
    **dict.fromkeys(_OBJECTS, _texts),
    **dict.fromkeys(_ARROW, _arrow),
    "Categorical": _categories,
    "IntervalArray": _intervals,
    "NumpyExtensionArray": lambda cls, values, _: cls(values),
    "PeriodArray": _periods,
    "SparseArray": _sparse,
}


def _check_arrays(*parts: Any, kinds: str = "biufmM") -> None:
    shapes = {part.shape for part in parts if type(part) is np.ndarray}
    if len(shapes) != 1 or any(part.dtype.kind not in kinds for part in parts):
        raise ValueError("an array of pandas' is not made of arrays alike")


kind("extension", _extension)

# ---------------------------------------------------------------- data types


def _write_dtype(encoder: Encoder, value: Any) -> Node:
    name = type(value).__name__

    def content() -> list[Any]:
        return [name, *(encoder.node(part) for part in _dtype_parts(name, value))]

    return encoder.guarded(value, "pandas dtype", content)


def _dtype_parts(name: str, value: Any) -> tuple[Any, ...]:
    if name == "CategoricalDtype":
        return value.categories, value.ordered
    if name == "DatetimeTZDtype":
        return value.unit, value.tz
    if name == "PeriodDtype":
        return (value.freq,)
    if name == "IntervalDtype":
        return value.subtype, value.closed
    if name == "SparseDtype":
        return value.subtype, value.fill_value
    if name == "StringDtype":
        return value.storage, getattr(value, "na_value", None)
    if name == "ArrowDtype":
        return (value.pyarrow_dtype,)
    if name == "NumpyEADtype":
        return (value.numpy_dtype,)
    return ()


_DTYPES = (
    *("CategoricalDtype", "DatetimeTZDtype", "PeriodDtype", "IntervalDtype"),
    *("SparseDtype", "StringDtype", "ArrowDtype", "NumpyEADtype", "BooleanDtype"),
    *(f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64)),
    *("Float32Dtype", "Float64Dtype"),
)


def _dtype(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    name, *nodes = content
    if name not in _DTYPES:
        raise ValueError(f"pandas has no data type {name}")
    parts = [decoder.value(node) for node in nodes]
    if name == "StringDtype":
        try:
            return pd.StringDtype(*parts)
        except TypeError:  # before pandas 2.3 there is one missing value only
            return pd.StringDtype(parts[0])
    if name == "NumpyEADtype":
        dtypes: Any = import_module("pandas.core.dtypes.dtypes")
        return dtypes.NumpyEADtype(*parts)
    return getattr(pd, name)(*parts)


kind("pandas dtype", _dtype)

# ---------------------------------------------------------------- scalars


def write_scalar(cls: type) -> Write | None:
    """Give how instances of one of pandas' other classes are written."""
    import pandas as pd
    from pandas.tseries.offsets import BaseOffset

    if cls in (pd.Timestamp, pd.Timedelta):
        return _write_time
    if cls in (type(pd.NaT), type(pd.NA)):
        return _write_missing
    if cls is pd.Period:
        return _write_period
    if cls is pd.Interval:
        return _write_interval
    if issubclass(cls, BaseOffset):
        return _write_offset
    if cls.__name__ in _DTYPES:
        return _write_dtype
    return None


def _write_missing(_: Encoder, value: Any) -> Node:
    import pandas as pd

    return ["missing", "NaT" if value is pd.NaT else "NA"]


def _missing(_: Decoder, content: Any) -> Any:
    import pandas as pd

    return {"NaT": pd.NaT, "NA": pd.NA}[content]


def _write_time(encoder: Encoder, value: Any) -> Node:
    count = int(value.asm8.view("i8"))
    if not hasattr(value, "tzinfo"):
        return ["Timedelta", [count, value.unit]]
    zone = value.tzinfo
    if zone is not None:
        # pytz has an object for each offset of a zone; the zone finds it again
        zones: Any = import_module("pandas._libs.tslibs.timezones")
        zone = zones.tz_standardize(zone)
    return ["Timestamp", [count, value.unit, encoder.node(zone), value.fold]]


def _timedelta(_: Decoder, content: Any) -> Any:
    import pandas as pd

    return pd.Timedelta(np.timedelta64(*content))


def _timestamp(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    count, unit, zone, fold = content
    value = pd.Timestamp(np.datetime64(count, unit))
    tz = decoder.value(zone)
    if tz is not None:
        return value.tz_localize("UTC").tz_convert(tz)
    return value.replace(fold=1) if fold else value


def _write_period(encoder: Encoder, value: Any) -> Node:
    return ["Period", [value.ordinal, encoder.node(value.freq)]]


def _period(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    return pd.Period(ordinal=content[0], freq=decoder.value(content[1]))


def _write_interval(encoder: Encoder, value: Any) -> Node:
    sides = [encoder.node(value.left), encoder.node(value.right)]
    return ["Interval", [*sides, value.closed]]


def _interval(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    left, right, closed = content
    return pd.Interval(decoder.value(left), decoder.value(right), closed)


def _write_offset(encoder: Encoder, value: Any) -> Node:
    """Give a frequency by its name, if that says all of it."""
    text = value.freqstr
    try:
        same = _offset(None, text)
    except (ValueError, TypeError):
        return encoder.leaf(value)
    if (
        type(same) is not type(value)
        or same != value
        or vars_of(same) != vars_of(value)
    ):
        return encoder.leaf(value)
    return ["offset", text]


def vars_of(offset: Any) -> dict[str, Any]:
    """Give the parameters of a frequency."""
    return {"normalize": offset.normalize, "n": offset.n, **offset.kwds}


def _offset(_: Decoder | None, content: Any) -> Any:
    from pandas.tseries.frequencies import to_offset

    return to_offset(content)


kind("missing", _missing)
kind("Timestamp", _timestamp)
kind("Timedelta", _timedelta)
kind("Period", _period)
kind("Interval", _interval)
kind("offset", _offset)
