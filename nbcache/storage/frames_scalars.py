"""Kinds of nodes: pandas' data types and scalars."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import Node, Write, kind

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["write_scalar"]

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
    if name == "CategoricalDtype" and decoder.trusted:
        # that each category is there once was made sure of before it was stored
        made: Any = pd.CategoricalDtype
        return made._from_fastpath(*parts)
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
