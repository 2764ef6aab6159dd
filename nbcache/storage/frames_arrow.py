"""Kinds of nodes: pyarrow and polars, as Arrow's own stream of bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage import arrow_stream
from nbcache.storage.codec_nodes import Node, Write, finders, kind
from nbcache.storage.codec_sequences import unpacked

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__: list[str] = []

_FEW = 64


def _find(_: Encoder, cls: type) -> Write | None:
    package = cls.__module__.partition(".")[0]
    if package == "pyarrow":
        return _find_arrow(cls)
    if package == "polars" and cls.__name__ in ("DataFrame", "Series"):
        return _write_polars
    return None


finders.append(_find)

# ---------------------------------------------------------------- pyarrow


def _find_arrow(cls: type) -> Write | None:
    import pyarrow as pa

    if issubclass(cls, pa.DataType | pa.Field):
        return _write_type
    if cls is pa.Schema:
        return _write_schema
    if cls in (pa.Table, pa.RecordBatch):
        return _write_table
    if issubclass(cls, pa.Array | pa.ChunkedArray):
        return _write_array
    return None


def _bytes(encoder: Encoder, buffer: Any) -> Any:
    return encoder.blob(np.frombuffer(encoder.keep(buffer), np.uint8))


def _buffer(decoder: Decoder, content: Any) -> Any:
    import pyarrow as pa

    data = decoder.blob(content)
    if not decoder.trusted:
        arrow_stream.check(data.data)
    return pa.py_buffer(data)


def _stream(table: Any) -> Any:
    """Give a table or a batch as a stream, each of its chunks as it is."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    return sink.getvalue()


def _read(decoder: Decoder, content: Any) -> Any:
    """Give a table whose columns are views of the stream."""
    import pyarrow as pa

    table = pa.ipc.open_stream(_buffer(decoder, content)).read_all()
    if not decoder.trusted:
        # offsets that lead out of the buffers would be followed
        table.validate(full=True)
    return table


def _write_type(encoder: Encoder, value: Any) -> Node:
    import pyarrow as pa

    field = value if isinstance(value, pa.Field) else pa.field("", value)
    data = pa.schema([field]).serialize()
    return ["arrow type", [_bytes(encoder, data), isinstance(value, pa.Field)]]


def _type(decoder: Decoder, content: Any) -> Any:
    import pyarrow as pa

    blob, is_field = content
    field = pa.ipc.read_schema(_buffer(decoder, blob)).field(0)
    return field if is_field else field.type


def _write_schema(encoder: Encoder, value: Any) -> Node:
    return ["arrow schema", _bytes(encoder, value.serialize())]


def _schema(decoder: Decoder, content: Any) -> Any:
    import pyarrow as pa

    return pa.ipc.read_schema(_buffer(decoder, content))


def _write_table(encoder: Encoder, value: Any) -> Node:
    content = [type(value).__name__, _bytes(encoder, _stream(value))]
    return encoder.begin(value, "arrow table", content)


def _table(decoder: Decoder, content: Any) -> Any:
    name, blob = content
    table = _read(decoder, blob)
    if name == "Table":
        return table
    batches = table.to_batches()
    if len(batches) == 1:
        return batches[0]
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([], table.schema)


def _write_array(encoder: Encoder, value: Any) -> Node:
    import pyarrow as pa

    one = isinstance(value, pa.Array)
    few = len(value) <= _FEW and (one or value.num_chunks == 1)
    if few and value.type in (pa.string(), pa.large_string()):
        return _write_texts(encoder, value, one)
    chunked = pa.chunked_array([value], value.type) if one else value
    field = pa.field("", value.type)
    table = pa.Table.from_arrays([chunked], schema=pa.schema([field]))
    content = [one, _bytes(encoder, _stream(table))]
    return encoder.begin(value, "arrow array", content)


def _write_texts(encoder: Encoder, value: Any, one: bool) -> Node:
    """Write a few texts, such as labels, one by one: a stream takes 50 us to open."""
    import pyarrow as pa

    content: list[Any] = [one, value.type == pa.large_string(), None]
    encoder.items(value.to_pylist(), content, 2)
    return encoder.begin(value, "arrow texts", content)


def _texts(decoder: Decoder, content: Any) -> Any:
    import pyarrow as pa

    one, large, items = content
    kind_of_text = pa.large_string() if large else pa.string()
    array = pa.array(unpacked(decoder, items), kind_of_text)
    return array if one else pa.chunked_array([array])


def _array(decoder: Decoder, content: Any) -> Any:
    import pyarrow as pa

    one, blob = content
    column = _read(decoder, blob).column(0)
    if not one:
        return column
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


kind("arrow type", _type)
kind("arrow schema", _schema)
kind("arrow table", _table)
kind("arrow array", _array)
kind("arrow texts", _texts)

# ---------------------------------------------------------------- polars


def _write_polars(encoder: Encoder, value: Any) -> Node:
    import polars as pl

    if type(value) not in (pl.DataFrame, pl.Series):
        return encoder.leaf(value)
    is_series = type(value) is pl.Series
    frame = value.to_frame() if is_series else value
    if any(dtype == pl.Object for dtype in frame.dtypes):
        return encoder.leaf(value)
    sink = io.BytesIO()
    frame.write_ipc(sink)
    content = [is_series, _bytes(encoder, sink.getvalue())]
    return encoder.begin(value, "polars", content)


def _polars(decoder: Decoder, content: Any) -> Any:
    import polars as pl

    is_series, blob = content
    data = io.BytesIO(decoder.blob(blob).data)
    try:
        frame = pl.read_ipc(data)
    except pl.exceptions.PanicException as error:  # no Exception
        raise ValueError("not a frame of polars") from error
    return frame.to_series() if is_series else frame


kind("polars", _polars)
