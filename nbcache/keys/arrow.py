"""Digests of pyarrow values: by schema and by what their buffers mean.

Slices, chunks and whatever lies in the slots of nulls do not count.  Nothing is
imported from pyarrow: there are values of it, so it is loaded.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from nbcache.keys import plain
from nbcache.keys.buffers import digest_memory
from nbcache.keys.registry import Handler, Identity, Sink, Walker, mark, register

__all__ = ["put_arrow_type", "put_arrow_values"]


def _arrow() -> Any:
    return sys.modules["pyarrow"]


# --- types


def put_arrow_type(walk: Walker, sink: Sink, kind: Any, path: str) -> None:
    """Write an Arrow type, nested ones field by field.

    Parameters
    ----------
    walk, sink
        As in a handler.
    kind : pyarrow.DataType
        Any.
    path : str
        How errors name it.
    """
    types = _arrow().types
    mark(sink, "arrow type", kind.num_fields)
    sink.update(plain.dumps(str(kind)))
    if isinstance(kind, _arrow().BaseExtensionType):
        serialize = getattr(kind, "__arrow_ext_serialize__", None)
        facts = kind.extension_name, serialize() if serialize else b""
        sink.update(plain.dumps(facts))
        put_arrow_type(walk, sink, kind.storage_type, path)
    elif types.is_dictionary(kind):
        sink.update(plain.dumps(bool(kind.ordered)))
        put_arrow_type(walk, sink, kind.index_type, path)
        put_arrow_type(walk, sink, kind.value_type, path)
    else:
        for number in range(kind.num_fields):
            _put_field(walk, sink, kind.field(number), path)


def _put_field(walk: Walker, sink: Sink, field: Any, path: str) -> None:
    sink.update(plain.dumps((field.name, bool(field.nullable))))
    _put_metadata(sink, field.metadata)
    put_arrow_type(walk, sink, field.type, path)


def _put_metadata(sink: Sink, metadata: Any) -> None:
    pairs = None if metadata is None else tuple(dict(metadata).items())
    sink.update(plain.dumps(pairs))


def _put_schema(walk: Walker, sink: Sink, schema: Any, path: str) -> None:
    mark(sink, "arrow schema", len(schema))
    for field in schema:
        _put_field(walk, sink, field, path)
    _put_metadata(sink, schema.metadata)


# --- arrays


def put_arrow_values(walk: Walker, sink: Sink, values: Any, path: str) -> None:
    """Write the type and the values of an array, chunked or not.

    Parameters
    ----------
    walk, sink
        As in a handler.
    values : pyarrow.Array or pyarrow.ChunkedArray
        Which of the two is not written.
    path : str
        How errors name it.
    """
    put_arrow_type(walk, sink, values.type, path)
    if isinstance(values, _arrow().ChunkedArray):
        values = _one_chunk(values)
    _put_array(walk, sink, values, path)


def _one_chunk(values: Any) -> Any:
    pa = _arrow()
    if values.num_chunks == 1:
        return values.chunk(0)
    if values.num_chunks == 0:
        return pa.array([], values.type)
    if pa.types.is_dictionary(values.type):
        values = values.unify_dictionaries()
    elif pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        # offsets of 32 bits may not reach to the end of all chunks
        large = pa.types.is_string(values.type)
        values = values.cast(pa.large_string() if large else pa.large_binary())
    return values.combine_chunks()


def _put_array(walk: Walker, sink: Sink, array: Any, path: str) -> None:
    """Write length, nulls and values; of the slots of nulls nothing."""
    sink.update(plain.dumps((len(array), array.null_count)))
    valid = None
    if array.null_count and not _arrow().types.is_null(array.type):
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        sink.update(digest_memory(valid))
    kind = array.type
    if isinstance(kind, _arrow().BaseExtensionType):
        _put_array(walk, sink, array.storage, path)
    elif _arrow().types.is_nested(kind) or str(kind).startswith("run_end_encoded"):
        _put_nested(walk, sink, array, path)
    elif _arrow().types.is_dictionary(kind):
        _put_array(walk, sink, array.indices, path)
        _put_array(walk, sink, array.dictionary, path)
    elif _is_text(kind):
        _put_text(sink, array)
    elif not _arrow().types.is_null(kind):
        _put_fixed(sink, array, valid)


def _put_nested(walk: Walker, sink: Sink, array: Any, path: str) -> None:
    types, kind = _arrow().types, array.type
    if types.is_struct(kind):
        for child in array.flatten():
            _put_array(walk, sink, child, path)
    elif types.is_union(kind):
        items = array.to_pylist()
        walk.keep(items)
        walk.put_items(sink, items, path)
    elif types.is_run_end_encoded(kind):
        decoded = sys.modules["pyarrow"].compute.run_end_decode(array)
        _put_array(walk, sink, decoded, path)
    else:
        _put_lists(walk, sink, array, path)


def _put_lists(walk: Walker, sink: Sink, array: Any, path: str) -> None:
    """Write the lengths of the lists and their values one after the other."""
    types, kind = _arrow().types, array.type
    if array.null_count:
        array = array.drop_null()
    if types.is_fixed_size_list(kind):
        _put_array(walk, sink, array.flatten(), path)
        return
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        lengths = array.sizes.to_numpy(zero_copy_only=False)
        children = [array.flatten()]
    else:
        offsets = array.offsets.to_numpy(zero_copy_only=False)
        lengths = np.diff(offsets)
        # a map cannot be flattened; nulls, which may hide values, are gone
        held = [array.keys, array.items] if types.is_map(kind) else [array.values]
        first, count = int(offsets[0]), int(offsets[-1] - offsets[0])
        children = [child.slice(first, count) for child in held]
    sink.update(digest_memory(np.ascontiguousarray(lengths, np.int64)))
    for child in children:
        _put_array(walk, sink, child, path)


def _is_text(kind: Any) -> bool:
    types = _arrow().types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or str(kind) in ("string_view", "binary_view")
    )


def _put_text(sink: Sink, array: Any) -> None:
    """Write the lengths of texts and their bytes one after the other."""
    pa = _arrow()
    if str(array.type) == "string_view":
        array = array.cast(pa.large_string())
    elif str(array.type) == "binary_view":
        array = array.cast(pa.large_binary())
    if array.null_count:
        array = array.drop_null()
    if len(array) == 0:
        return
    large = str(array.type).startswith("large")
    _, where, data = array.buffers()
    offsets = np.frombuffer(where, np.int64 if large else np.int32)
    offsets = offsets[array.offset : array.offset + len(array) + 1]
    sink.update(digest_memory(np.diff(offsets).astype(np.int64)))
    content = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)
    sink.update(digest_memory(content[offsets[0] : offsets[-1]]))


def _put_fixed(sink: Sink, array: Any, valid: Any) -> None:
    """Write values of one width each, zeros for nulls."""
    if _arrow().types.is_boolean(array.type):
        filled = array.fill_null(False) if array.null_count else array
        sink.update(digest_memory(filled.to_numpy(zero_copy_only=False)))
        return
    width, count = array.type.bit_width // 8, len(array)
    data = array.buffers()[1]
    if data is None or width == 0 or count == 0:
        return
    raw = np.frombuffer(data, np.uint8)
    raw = raw[array.offset * width : (array.offset + count) * width]
    if valid is not None:
        raw = raw.reshape(count, width).copy()
        raw[~valid] = 0
    sink.update(digest_memory(raw))


# --- values


def _put_type_value(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "pyarrow DataType")
    put_arrow_type(walk, sink, value, path)


def _put_field_value(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "pyarrow Field")
    _put_field(walk, sink, value, path)


def _put_array_value(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "pyarrow Array")
    put_arrow_values(walk, sink, value, path)


def _put_chunked(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "pyarrow ChunkedArray")
    put_arrow_values(walk, sink, value, path)


def _put_scalar(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "pyarrow Scalar")
    if value.is_valid:
        array = _arrow().array([value], value.type)
    else:
        array = _arrow().nulls(1, value.type)
    put_arrow_values(walk, sink, array, path)


def _put_buffer(_walk: Walker, sink: Sink, value: Any, _path: str) -> None:
    mark(sink, "pyarrow Buffer", value.size)
    sink.update(digest_memory(np.frombuffer(value, np.uint8)))


def _put_table(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    is_batch = isinstance(value, _arrow().RecordBatch)
    mark(sink, "pyarrow RecordBatch" if is_batch else "pyarrow Table", value.num_rows)
    _put_schema(walk, sink, value.schema, path)
    for name, column in zip(value.schema.names, value.columns, strict=True):
        put_arrow_values(walk, sink, column, f"{path}[{name!r}]")


_HANDLERS: dict[str, Handler] = {
    "pyarrow.lib.DataType": _put_type_value,
    "pyarrow.lib.Field": _put_field_value,
    "pyarrow.lib.Schema": _put_schema,
    "pyarrow.lib.Array": _put_array_value,
    "pyarrow.lib.ChunkedArray": _put_chunked,
    "pyarrow.lib.Scalar": _put_scalar,
    "pyarrow.lib.Buffer": _put_buffer,
    "pyarrow.lib.Table": _put_table,
    "pyarrow.lib.RecordBatch": _put_table,
}
for _name, _handler in _HANDLERS.items():
    # immutable, and nothing of Python's inside that could lead back
    register(_name, _handler, identity=Identity.ATOMIC)
