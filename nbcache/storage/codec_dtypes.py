"""Data types of arrays as plain data."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from nbcache.storage.codec_nodes import Unresolved

__all__ = ["Layout", "dtype_of", "layout", "spec_of"]

# str: what `numpy.dtype` takes; dict: fields, subarrays and the like
Spec = Any

_PLAIN = frozenset(type(np.dtype(code)) for code in np.typecodes["All"])
_plain: dict[str, np.dtype[Any]] = {}


def spec_of(dtype: np.dtype[Any]) -> Spec:
    """Give a data type as plain data.

    Raises
    ------
    TypeError
        If it is of a class nobody can import.
    """
    if dtype.metadata is not None:
        raise TypeError(f"dtype {dtype} with metadata")
    if type(dtype) in _PLAIN and dtype.names is None and dtype.subdtype is None:
        return dtype.str
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": spec_of(base), "shape": list(shape)}
    if dtype.names is not None:
        return _fields(dtype)
    if type(dtype).__name__ == "StringDType":
        return _string(dtype)
    return _named(dtype)


def _fields(dtype: np.dtype[Any]) -> Spec:
    fields = []
    known: Any = dtype.fields
    for name in dtype.names or ():
        field = known[name]
        title = field[2] if len(field) == 3 else None
        if not isinstance(title, str | None):
            raise TypeError(f"dtype {dtype} with a title that is no text")
        fields.append([name, spec_of(field[0]), field[1], title])
    spec: dict[str, Any] = {"fields": fields, "size": dtype.itemsize}
    if dtype.isalignedstruct:
        spec["aligned"] = True
    if dtype.type is np.record:
        spec["record"] = True
    elif dtype.type is not np.void:
        raise TypeError(f"dtype {dtype} of class {dtype.type.__name__}")
    return spec


def _string(dtype: Any) -> Spec:
    spec: dict[str, Any] = {"string": dtype.coerce}
    if hasattr(dtype, "na_object"):
        missing = dtype.na_object
        if missing is None or type(missing) is str:
            spec["missing"] = missing
        elif type(missing) is float and missing != missing:
            spec["missing"] = False
        elif missing is getattr(sys.modules.get("pandas"), "NA", ...):
            spec["missing"] = True
        else:
            raise TypeError(f"dtype {dtype!r}")
    return spec


def _named(dtype: np.dtype[Any]) -> Spec:
    """Give a data type that another package brings, such as bfloat16, by its class."""
    scalar = dtype.type
    found = getattr(sys.modules.get(scalar.__module__), scalar.__qualname__, None)
    if found is not scalar or np.dtype(scalar) != dtype:
        raise TypeError(f"dtype {dtype!r}")
    return {"class": [scalar.__module__, scalar.__qualname__]}


def dtype_of(spec: Spec, *, objects: bool = False) -> np.dtype[Any]:
    """Give the data type back.

    Parameters
    ----------
    spec : str or dict
        As `spec_of` gives it.
    objects : bool
        Whether it may be, or contain, the type of Python objects.

    Raises
    ------
    Unresolved
        If the package that brings it is not imported.
    ValueError, TypeError, KeyError
        If it is no data type.
    """
    dtype = _dtype_of(spec)
    if dtype.hasobject and not objects:
        raise ValueError(f"data of {dtype} are no plain bytes")
    return dtype


# data type, shape, bytes
Layout = tuple[np.dtype[Any], tuple[int, ...], int]


def layout(spec: Spec, shape: list[int]) -> Layout:
    """Give data type, shape and size in bytes of an array.

    Raises
    ------
    TypeError, ValueError
        If there can be no such array.
    """
    if any(type(length) is not int or length < 0 for length in shape):
        raise TypeError(f"no array has the shape {shape}")
    dtype = dtype_of(spec)
    return dtype, tuple(shape), math.prod(shape) * dtype.itemsize


def _dtype_of(spec: Spec) -> np.dtype[Any]:
    if type(spec) is str:
        dtype = _plain.get(spec)
        if dtype is None:
            dtype = np.dtype(spec)
            if dtype.names is not None or dtype.subdtype is not None:
                raise ValueError(f"not a plain data type: {spec!r}")
            if len(_plain) < 1000:
                _plain[spec] = dtype
        return dtype
    if "base" in spec:
        return np.dtype((_dtype_of(spec["base"]), tuple(spec["shape"])))
    if "fields" in spec:
        return _from_fields(spec)
    if "string" in spec:
        return _from_string(spec)
    module, name = spec["class"]
    scalar = vars(sys.modules.get(module, object)).get(name)
    if not isinstance(scalar, type) or not issubclass(scalar, np.generic):
        raise Unresolved(f"the data type {module}.{name} is not imported")
    return np.dtype(scalar)


def _from_fields(spec: dict[str, Any]) -> np.dtype[Any]:
    fields = spec["fields"]
    parts: Any = {
        "names": [field[0] for field in fields],
        "formats": [_dtype_of(field[1]) for field in fields],
        "offsets": [field[2] for field in fields],
        "itemsize": spec["size"],
    }
    if any(field[3] is not None for field in fields):
        parts["titles"] = [field[3] for field in fields]
    dtype: np.dtype[Any] = np.dtype(parts, align=spec.get("aligned", False))
    return np.dtype((np.record, dtype)) if spec.get("record") else dtype


def _from_string(spec: dict[str, Any]) -> np.dtype[Any]:
    if "missing" not in spec:
        return np.dtypes.StringDType(coerce=bool(spec["string"]))
    missing = spec["missing"]
    if missing is True:
        import pandas as pd

        missing = pd.NA
    elif missing is False:
        missing = np.nan
    return np.dtypes.StringDType(coerce=bool(spec["string"]), na_object=missing)
