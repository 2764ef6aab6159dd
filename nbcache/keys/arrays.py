"""Digests of numpy arrays, scalars and dtypes.

An array is its dtype, shape, memory order and bytes.  Loaded by `registry` at the first
value of a numpy type.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np

from nbcache.keys import origin, plain
from nbcache.keys.buffers import digest_memory, digest_strided
from nbcache.keys.instances import attributes, refusal
from nbcache.keys.memory import MemoryMap, span_of
from nbcache.keys.registry import (
    Identity,
    Sink,
    Walker,
    head,
    mark,
    put_kind,
    qualified_name,
    register,
)

__all__ = ["put_contents", "put_dtype", "put_payload", "put_sharing"]

_Array = np.ndarray[Any, Any]
_Dtype = np.dtype[Any]

# What masked arrays and memory maps keep in their __dict__ for themselves.
_MASKED_NAMES = frozenset(
    {
        *("_mask", "_data", "_fill_value", "_hardmask", "_sharedmask", "_isfield"),
        *("_baseclass", "_basedict"),
    }
)
_READABLE = 1 << 40  # bytes that can be digested in minutes
_MEMMAP_NAMES = frozenset({"_mmap", "filename", "offset", "mode"})


# --- arrays


def _put_array(walk: Walker, sink: Sink, value: _Array, path: str) -> None:
    kind = type(value)
    mark(sink, "ndarray")
    array = np.asarray(value)
    if kind is not np.ndarray and kind is not np.memmap:
        _put_subclass(walk, sink, value, path)
    put_contents(walk, sink, array, path)
    put_sharing(walk, sink, array, value)


def _put_subclass(walk: Walker, sink: Sink, value: _Array, path: str) -> None:
    own = _MEMMAP_NAMES if isinstance(value, np.memmap) else frozenset[str]()
    _put_extras(walk, sink, value, own, path)


def _put_extras(
    walk: Walker, sink: Sink, value: Any, left_out: frozenset[str], path: str
) -> None:
    """Write the class of an array and what its instances carry besides the data."""
    put_kind(walk, sink, value, path)
    named = {n: held for n, held in attributes(value).items() if n not in left_out}
    walk.keep(named)
    walk.put_named(sink, named, path)


def put_contents(walk: Walker, sink: Sink, array: _Array, path: str) -> None:
    """Write dtype, shape, order and elements of an array, without its identity.

    Parameters
    ----------
    walk, sink
        As in a handler.
    array : ndarray
        Of exactly this class.
    path : str
        How errors name it.
    """
    if array.nbytes > _READABLE and 0 in array.strides:
        raise refusal(array, path, "broadcast to more elements than can be read")
    put_dtype(walk, sink, array.dtype, path)
    # strides are memory's affair: neither C nor F order counts as a C copy
    order = "C"
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        order, array = "F", array.T
    sink.update(plain.dumps((array.shape, order)))
    put_payload(walk, sink, array, path)


def put_payload(walk: Walker, sink: Sink, array: _Array, path: str) -> None:
    """Write the elements of an array in C order."""
    dtype = array.dtype
    if dtype.names is not None and (dtype.hasobject or _has_idle_bytes(dtype)):
        for name in dtype.names:
            put_payload(walk, sink, array[name], f"{path}[{name!r}]")
    elif dtype.hasobject or _is_opaque(dtype):
        place = path if array.ndim == 1 else f"{path}.ravel()"
        items = array.reshape(-1).astype(object).tolist()
        walk.keep(items)
        walk.put_items(sink, items, place)
    elif _used_bytes(dtype) < dtype.itemsize:
        sink.update(digest_strided(_without_idle_bytes(array)))
    elif array.flags.c_contiguous:
        sink.update(digest_memory(array))
    else:
        sink.update(digest_strided(array))


def put_sharing(
    walk: Walker,
    sink: Sink,
    array: _Array,
    owner: Any,
    part: int = 0,
    quiet: bool = False,
) -> None:
    """Write with which earlier arrays of the walk an array shares memory, and how.

    Parameters
    ----------
    walk, sink
        As in a handler.
    array : ndarray
        Whose memory it is.
    owner : object
        The numbered value that it belongs to.
    part : int, optional
        Which array of the owner.
    quiet : bool, optional
        Whether sharing with other quiet ones is nobody's affair.
    """
    span = span_of(array)
    if span is None:
        return
    if walk.memory is None:
        walk.memory = MemoryMap()
    for relation in walk.memory.enter(span, owner, part, quiet):
        place = walk.place(relation.owner)
        mark(sink, "shares memory")
        sink.update(plain.dumps((*place, relation.part, relation.offset)))
        axes = zip(array.strides, array.shape, strict=True)
        sink.update(plain.dumps(tuple(step for step, count in axes if count > 1)))


def _put_masked(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "masked array")
    if value is np.ma.masked:
        mark(sink, "constant")
        return
    _put_extras(walk, sink, value, _MASKED_NAMES, path)
    walk.put(sink, value._baseclass, path)
    walk.put(sink, value._hardmask, path)
    mask, fill = np.ma.getmask(value), value._fill_value
    if fill is None:
        # asking for fill_value would store it
        fill = np.ma.default_fill_value(value)
    parts = [np.asarray(np.ma.getdata(value)), np.asarray(fill, value.dtype)]
    if mask is not np.ma.nomask:
        parts.append(np.asarray(mask))
    mark(sink, "parts", len(parts))
    for number, array in enumerate(parts):
        put_contents(walk, sink, array, path)
        if number != 1:
            put_sharing(walk, sink, array, value, number)


# --- scalars


def _put_scalar(walk: Walker, sink: Sink, value: np.generic, path: str) -> None:
    mark(sink, "numpy scalar")
    _put_own_class(walk, sink, value, path)
    array = np.asarray(value)
    put_dtype(walk, sink, array.dtype, path)
    put_payload(walk, sink, array, path)


def _put_text(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    is_text = isinstance(value, str)
    mark(sink, "numpy str" if is_text else "numpy bytes")
    _put_own_class(walk, sink, value, path)
    exact = str.__str__(value) if is_text else bytes.__getitem__(value, slice(None))
    plain.put_atom(sink, exact)


def _put_own_class(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    # numpy's own classes follow from the dtype, but for names of the same type
    # (longlong) that differ between machines
    if type(value).__module__.partition(".")[0] not in ("numpy", "ml_dtypes"):
        _put_extras(walk, sink, value, frozenset(), path)


def _scalar_identity(kind: type) -> Identity:
    is_numpy = kind.__module__.partition(".")[0] == "numpy"
    if issubclass(kind, np.void) or (kind.__dictoffset__ and not is_numpy):
        return Identity.COUNTS
    return Identity.ATOMIC


# --- dtypes


def _put_dtype_value(walk: Walker, sink: Sink, value: _Dtype, path: str) -> None:
    mark(sink, "numpy dtype")
    put_dtype(walk, sink, value, path)


def put_dtype(walk: Walker, sink: Sink, dtype: _Dtype, path: str) -> None:
    """Write a dtype: kind, byte order, unit, fields with offsets, metadata."""
    if dtype.isbuiltin == 1 and not dtype.metadata:
        sink.update(_named(dtype.str, ()))
        return
    if dtype.metadata:  # numpy 1 unpickles an empty one
        mark(sink, "metadata")
        metadata = dict(dtype.metadata)
        walk.keep(metadata)
        walk.put_pairs(sink, metadata, f"{path}.dtype.metadata")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        mark(sink, "subarray dtype")
        sink.update(plain.dumps(shape))
        put_dtype(walk, sink, base, path)
    elif dtype.names is not None:
        _put_fields(walk, sink, dtype, path)
    elif dtype.char == "T":
        mark(sink, "StringDType")
        options: Any = dtype
        sink.update(plain.dumps((options.coerce, hasattr(options, "na_object"))))
        walk.put(sink, getattr(options, "na_object", None), f"{path}.dtype.na_object")
    else:
        sink.update(_named(dtype.str, _origin_of(dtype, str(dtype))))


def _put_fields(walk: Walker, sink: Sink, dtype: _Dtype, path: str) -> None:
    fields: Any = dtype.fields
    mark(sink, "structured dtype", len(fields))
    facts = dtype.itemsize, dtype.isalignedstruct, dtype.type.__name__
    sink.update(plain.dumps((facts, _origin_of(dtype, ""))))
    for name in dtype.names or ():
        kind, offset, *title = fields[name]
        sink.update(plain.dumps((name, offset)))
        walk.put_items(sink, title, f"{path}.dtype.fields[{name!r}]")
        put_dtype(walk, sink, kind, path)


@functools.cache
def _named(name: str, origin: tuple[str, ...]) -> bytes:
    """Encode a dtype whose name (``<f8``) and origin say all."""
    return head("dtype") + plain.dumps((name, origin))


def _origin_of(dtype: _Dtype, name: str) -> tuple[str, ...]:
    kind: Any = dtype.type
    return _origin(kind, name)


@functools.cache
def _origin(kind: Any, name: str) -> tuple[str, ...]:
    """Give package, version and name of a type that is not numpy's own.

    Their ``str`` tells nothing: ``<V1`` stands for seven types of ml_dtypes.
    """
    package = kind.__module__.partition(".")[0]
    if package in ("numpy", "builtins"):
        return ()
    version = origin.recorded_version(package)
    if not version:
        version = str(getattr(sys.modules.get(package), "__version__", ""))
    return package, version, qualified_name(kind), name


def _is_opaque(dtype: _Dtype) -> bool:
    """Tell whether the bytes of an array are not its values."""
    foreign = dtype.isbuiltin == 0 and dtype.names is None and dtype.char not in "VMm"
    return dtype.char == "T" or (foreign and bool(_origin_of(dtype, "")))


@functools.cache
def _extended_bytes() -> int:
    """Give the bytes of a long double that hold it: 10 of 16 on x86."""
    itemsize = np.dtype(np.longdouble).itemsize
    return 10 if np.finfo(np.longdouble).nmant == 63 else itemsize


def _used_bytes(dtype: _Dtype) -> int:
    if dtype.char == "g":
        return _extended_bytes()
    if dtype.char == "G":
        return 2 * _extended_bytes()
    return dtype.itemsize


def _without_idle_bytes(array: _Array) -> _Array:
    """Give the bytes of long doubles, without those that are never written."""
    whole = np.dtype(np.longdouble).itemsize
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return raw.reshape(-1, whole)[:, : _extended_bytes()]


def _has_idle_bytes(dtype: _Dtype) -> bool:
    """Tell whether bytes between fields mean nothing and may be anything.

    Only where numpy itself put them, to align the fields; what explicit offsets leave
    out, a view may bring to light.
    """
    if dtype.subdtype is not None:
        return _has_idle_bytes(dtype.subdtype[0])
    if dtype.names is None:
        return _used_bytes(dtype) < dtype.itemsize
    fields: Any = dtype.fields
    kinds = [fields[name][0] for name in dtype.names]
    gaps = dtype.isalignedstruct and sum(kind.itemsize for kind in kinds) < (
        dtype.itemsize
    )
    return gaps or any(_has_idle_bytes(kind) for kind in kinds)


register(np.ndarray, _put_array, identity=Identity.COUNTS)
register(np.ma.MaskedArray, _put_masked, identity=Identity.COUNTS)
register(np.generic, _put_scalar, identity=_scalar_identity)
register(np.str_, _put_text, identity=_scalar_identity)
register(np.bytes_, _put_text, identity=_scalar_identity)
register(np.dtype, _put_dtype_value, identity=Identity.ATOMIC)
