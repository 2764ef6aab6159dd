"""Kinds of nodes: numpy's types."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage import sharing
from nbcache.storage.codec_arrays import most_shared_objects
from nbcache.storage.codec_dtypes import dtype_of, layout, spec_of
from nbcache.storage.codec_nodes import (
    Array,
    Node,
    Unresolved,
    encoders,
    finders,
    kind,
    named_encoders,
)
from nbcache.storage.codec_sequences import count, object_array
from nbcache.storage.sharing import is_writeable

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__: list[str] = []

# ---------------------------------------------------------------- arrays


def _write_array(encoder: Encoder, value: Array) -> Node:
    dtype = value.dtype
    if dtype.hasobject:
        if dtype.names is None and dtype.kind in "OT":
            return _write_objects(encoder, value)
        return encoder.leaf(value)
    try:
        spec = spec_of(dtype)
    except TypeError:
        return encoder.leaf(value)
    node = encoder.begin(value, "a")
    encoder.arrays.add(value, node, spec)
    return node


def _array(decoder: Decoder, content: Any) -> Array:
    if type(content) is list:
        start, spec, shape, *order = content
        return decoder.small(start, layout(spec, shape), *order)
    if type(content) is dict:
        dtype = dtype_of(content["dtype"])
        array = decoder.member(content["in"])
        if dtype.hasobject or dtype.itemsize != array.itemsize:
            raise ValueError("an array of another type than it says")
        return array.view(dtype)
    return decoder.member(content)


def _read_only(decoder: Decoder, content: Any) -> Array:
    array = _array(decoder, content)
    array.flags.writeable = False
    return array


def _view(decoder: Decoder, content: Any) -> Array:
    source, spec, view, *layout = content
    base = decoder.value(source)
    if type(base) is bytearray:
        base = np.frombuffer(base, np.uint8)
    if type(base) is not np.ndarray:
        raise Unresolved("an array that the entry refers to is none now")
    if layout:
        here = [spec_of(base.dtype), list(base.shape), list(base.strides)]
        if here != layout[0]:
            raise Unresolved("an array that the entry refers to is laid out anew")
    array = sharing.strided(base, dtype_of(spec, objects=True), view)
    if view[3] == sharing.MUST and not sharing.is_writeable(array):
        raise Unresolved("an array that the entry refers to is read-only now")
    return array


def _spread(decoder: Decoder, content: Any) -> Array:
    """Give a view of memory that nothing else refers to."""
    held, total, view = content
    values = _array(decoder, held)
    if type(total) is not int or not 0 < total <= sharing.most_spread(values):
        raise ValueError("a view in more memory than it can need")
    memory = np.empty(total, np.uint8)
    array = sharing.strided(memory, values.dtype, [*view[:3], True])
    if array.shape != values.shape:
        raise ValueError("a view of another shape than its values")
    array[...] = values
    array.flags.writeable = bool(view[3])
    return array


def _write_objects(encoder: Encoder, value: Array) -> Node:
    """Write element by element, in the order of memory."""
    try:
        spec = "O" if value.dtype.kind == "O" else spec_of(value.dtype)
    except TypeError:
        return encoder.leaf(value)
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    how = int(fortran) + 2 * (not is_writeable(value))
    content: list[Any] = [spec, list(value.shape), how, None]
    node = encoder.begin(value, "objects", content)
    encoder.arrays.add(value, node, spec)
    flat = value.T.ravel() if fortran else value.ravel()
    encoder.items(flat.tolist(), content, 3)
    return node


def _objects(decoder: Decoder, content: Any) -> Array:
    spec, shape, how, items, *shared = content
    dtype = dtype_of(spec, objects=True)
    if not dtype.hasobject or dtype.kind not in "OT" or dtype.names is not None:
        raise ValueError(f"{dtype} holds no objects")
    length = count(decoder, items)
    if not shared:
        if any(type(n) is not int for n in shape) or math.prod(shape) != length:
            raise ValueError("an array of objects is not as large as it says")
        return np.empty(shape, dtype, "F" if how & 1 else "C")
    group, total, view = shared[0]
    memory = decoder.object_groups.get(group)
    if memory is None:
        if not 0 <= total <= most_shared_objects(length):
            raise ValueError("an array of objects is not as large as it says")
        memory = decoder.object_groups[group] = np.empty(total, dtype)
    # filled first, made read-only after
    return sharing.strided(memory, dtype, [*view[:3], True])


def _fill_objects(decoder: Decoder, array: Array, content: Any) -> None:
    items = object_array(decoder, content[3])
    target = array.T if content[2] & 1 else array
    if target.size != len(items):
        raise ValueError("an array of objects is not as large as it says")
    target[...] = items.reshape(target.shape)
    if content[2] & 2:
        array.flags.writeable = False


encoders[np.ndarray] = _write_array
kind("a", _array)
kind("read-only", _read_only)
kind("view", _view)
kind("spread", _spread)
kind("objects", _objects, _fill_objects)

# ---------------------------------------------------------------- subclasses

_SUBCLASSES: dict[str, type[Array]] = {
    cls.__name__: cls for cls in (np.matrix, np.recarray, np.memmap)
}


def _write_subclass(encoder: Encoder, value: Array) -> Node:
    content = [type(value).__name__, None]
    node = encoder.begin(value, "subclass", content)
    content[1] = encoder.node(encoder.keep(value.view(np.ndarray)))
    return node


def _subclass(decoder: Decoder, content: Any) -> Array:
    array = decoder.value(content[1])
    if type(array) is not np.ndarray:
        raise TypeError("a subclass of arrays needs an array")
    return array.view(_SUBCLASSES[content[0]])


def _write_masked(encoder: Encoder, value: Any) -> Node:
    if value is np.ma.masked:
        return ["masked", []]
    data = encoder.keep(value.data)
    if type(data) is not np.ndarray or value._optinfo:
        return encoder.leaf(value)
    content: list[Any] = []
    node = encoder.begin(value, "masked", content)
    mask = None if value.mask is np.ma.nomask else encoder.keep(value._mask)
    content += [encoder.node(data), encoder.node(mask)]
    content += [encoder.node(value._fill_value), bool(value._hardmask)]
    return node


def _masked(decoder: Decoder, content: Any) -> Any:
    if not content:
        return np.ma.masked
    data, mask, fill = map(decoder.value, content[:3])
    array = data.view(np.ma.MaskedArray)
    if mask is not None:
        if type(mask) is not np.ndarray or mask.shape != data.shape:
            raise ValueError("a mask has another shape than its data")
        array._mask = mask
    array._fill_value = fill
    array._hardmask = content[3]
    return array


for _array_class in _SUBCLASSES.values():
    encoders[_array_class] = _write_subclass
# numpy imports its masked arrays only when they are used, and so do we
named_encoders["numpy", "MaskedArray"] = _write_masked
named_encoders["numpy", "MaskedConstant"] = _write_masked
kind("subclass", _subclass)
kind("masked", _masked)

# ---------------------------------------------------------------- scalars and dtypes


def _find(_: Encoder, cls: type) -> Any:
    if issubclass(cls, np.dtype):
        return _write_dtype
    # a subclass of one's own is not a scalar of numpy
    if issubclass(cls, np.generic) and not cls.__flags__ & _HEAP_TYPE:
        return _write_scalar
    return None


_HEAP_TYPE = 1 << 9
finders.append(_find)


def _write_dtype(encoder: Encoder, value: np.dtype[Any]) -> Node:
    try:
        return ["dtype", spec_of(value)]
    except TypeError:
        return encoder.leaf(value)


def _write_scalar(encoder: Encoder, value: np.generic) -> Node:
    if isinstance(value, str | bytes):
        # as an array they would lose zeros at their end
        plain = str.__str__(value) if isinstance(value, str) else bytes(value)
        return ["text", encoder.node(plain)]
    try:
        spec = spec_of(value.dtype)
    except TypeError:
        return encoder.leaf(value)
    if value.dtype.hasobject:
        return encoder.leaf(value)
    return encoder.begin(value, "scalar", [spec, encoder.node(value.tobytes())])


def _scalar(decoder: Decoder, content: Any) -> Any:
    data = decoder.value(content[1])
    if type(data) is not bytes:
        raise TypeError("a scalar is made of bytes")
    return np.ndarray((), dtype_of(content[0]), bytearray(data))[()]


def _text(decoder: Decoder, content: Any) -> Any:
    plain = decoder.value(content)
    if type(plain) is str:
        return np.str_(plain)
    if type(plain) is bytes:
        return np.bytes_(plain)
    raise TypeError("a text is made of text")


kind("dtype", lambda _, content: dtype_of(content, objects=True))
kind("scalar", _scalar)
kind("text", _text)
