"""Kinds of nodes: pandas' arrays."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import Array, Node, kind

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = [
    "check",
    "check_freq",
    "inner",
    "is_array",
    "shares_memory",
    "write_array",
]


def shares_memory() -> bool:
    """Say whether writing to one pandas object can show in another.

    With copy-on-write it cannot, though they share memory: sharing it again, unknown to
    pandas, would make it so.
    """
    import pandas as pd

    if int(pd.__version__.partition(".")[0]) >= 3:
        return False
    return pd.options.mode.copy_on_write is not True


def inner(encoder: Encoder, values: Any, *, alone: bool, lends: bool = False) -> Node:
    """Give the node of the values inside a pandas object; `lends`: see `lent`."""
    if type(values) is not np.ndarray:
        return encoder.node(encoder.keep(values))
    if alone:
        return encoder.alone(values, lends=lends)
    return encoder.node(encoder.keep(values))


# ---------------------------------------------------------------- arrays

_UNITS = ("s", "ms", "us", "ns")
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
    kinds = {"IntegerArray": "iu", "FloatingArray": "f", "BooleanArray": "b"}
    check(data, kinds[cls.__name__], (1,))
    check(mask, "b", (1,))
    if data.shape != mask.shape:
        raise ValueError("a masked array has another shape than its mask")
    return cls._simple_new(data, mask)


def _times(cls: Any, data: Array, dtype: Any, freq: Any) -> Any:
    import pandas as pd

    check(data, "M" if cls.__name__ == "DatetimeArray" else "m", (1, 2))
    zoned = isinstance(dtype, pd.DatetimeTZDtype)
    plain = np.dtype(f"M8[{dtype.unit}]") if zoned else dtype
    if plain != data.dtype or np.datetime_data(plain)[0] not in _UNITS:
        raise ValueError("an array of times has another unit than it says")
    array = cls._simple_new(data, dtype=dtype)
    if freq is not None:
        array._freq = check_freq(freq)
    return array


def check_freq(freq: Any) -> Any:
    """Give a frequency back; fail if it is none."""
    from pandas.tseries.offsets import BaseOffset

    if not isinstance(freq, BaseOffset):
        raise TypeError("a frequency that is none")
    return freq


def _periods(cls: Any, data: Array, dtype: Any) -> Any:
    import pandas as pd

    check(data, "i", (1, 2))
    if data.itemsize != 8 or not isinstance(dtype, pd.PeriodDtype):
        raise ValueError("periods are 64-bit numbers with a frequency")
    return cls._simple_new(data, dtype)


def _categories(cls: Any, codes: Array, dtype: Any) -> Any:
    """Make a categorical; pandas would follow a code beyond the categories."""
    import pandas as pd

    check(codes, "i", (1,))
    if not isinstance(dtype, pd.CategoricalDtype) or dtype.categories is None:
        raise TypeError("a categorical without categories")
    if codes.size and not -1 <= codes.min() <= codes.max() < len(dtype.categories):
        raise ValueError("a categorical has codes without categories")
    return cls._simple_new(codes, dtype)


def _intervals(cls: Any, left: Any, right: Any, dtype: Any) -> Any:
    import pandas as pd

    if not isinstance(dtype, pd.IntervalDtype) or type(left) is not type(right):
        raise TypeError("intervals with sides of two types")
    check(left, "iufmM", (1,))
    check(right, "iufmM", (1,))
    if len(left) != len(right) or left.dtype != right.dtype:
        raise ValueError("the sides of intervals differ in number")
    return cls._simple_new(left, right, dtype=dtype)


def _sparse(cls: Any, values: Array, dtype: Any, length: int, *parts: Array) -> Any:
    check(values, "biufcmMO", (1,))
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


def _plain(cls: Any, values: Any, _: Any) -> Any:
    check(values, "biufcmMOSUV", (1,))
    return cls(values)


_MAKERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(_MASKED, _masked),
    **dict.fromkeys(_TIMES, _times),
    **dict.fromkeys(_OBJECTS, _texts),
    **dict.fromkeys(_ARROW, _arrow),
    "Categorical": _categories,
    "IntervalArray": _intervals,
    "NumpyExtensionArray": _plain,
    "PeriodArray": _periods,
    "SparseArray": _sparse,
}


def check(values: Any, kinds: str, dimensions: tuple[int, ...]) -> None:
    """Fail unless values are an array that pandas' compiled code can bear."""
    if type(values) is np.ndarray:
        fits = values.dtype.kind in kinds and values.dtype.isnative
    else:
        # what the other kinds of array hold was looked at when they were made
        fits = hasattr(values, "dtype") and is_array(type(values))
    if not fits or values.ndim not in dimensions:
        raise TypeError("not the array that stands in such a place of a table")


kind("extension", _extension)
