"""Digests of pyarrow values: slices, chunks and the slots of nulls do not count."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pytest
from digests import different

from nbcache.keys.hashing import digest

pa = pytest.importorskip("pyarrow")
pc = pytest.importorskip("pyarrow.compute")

ARRAYS = {
    "int64": pa.array([1, None, 3]),
    "int32": pa.array([1, None, 3], pa.int32()),
    "uint8": pa.array([1, None, 3], pa.uint8()),
    "double": pa.array([1.5, None, float("nan")]),
    "half": pa.array(np.array([1, 2, 3], "f2")),
    "bool": pa.array([True, None, False]),
    "string": pa.array(["a", None, "ccc"]),
    "large string": pa.array(["a", None, "ccc"], pa.large_string()),
    "string view": pa.array(["a", None, "longer than twelve bytes"], pa.string_view()),
    "binary": pa.array([b"a", None, b"ccc"]),
    "binary view": pa.array(
        [b"a", None, b"longer than twelve bytes"], pa.binary_view()
    ),
    "fixed binary": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "decimal": pa.array([decimal.Decimal("1.5"), None, decimal.Decimal("2.5")]),
    "date": pa.array([datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 2)]),
    "timestamp": pa.array([1, None, 3], pa.timestamp("ms")),
    "zoned": pa.array([1, None, 3], pa.timestamp("ms", "UTC")),
    "duration": pa.array([1, None, 3], pa.duration("s")),
    "list": pa.array([[1], None, [2, None]]),
    "large list": pa.array([[1], None, [2, None]], pa.large_list(pa.int64())),
    "fixed list": pa.array([[1, 2], None, [3, None]], pa.list_(pa.int64(), 2)),
    "list view": pa.array([[1], None, [2, None]], pa.list_view(pa.int64())),
    "nested": pa.array([[["a"], []], None, [[None]]]),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "dictionary": pa.array(["a", None, "b"]).dictionary_encode(),
    "runs": pc.run_end_encode(pa.array([1, 1, 2])),
    "null": pa.nulls(3),
    "union": pa.UnionArray.from_sparse(
        pa.array([0, 1, 0], pa.int8()), [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])]
    ),
}


def test_types_count():
    """Same values, other types."""
    different(*ARRAYS.values())


@pytest.mark.parametrize("name", ARRAYS)
def test_slices_count_as_copies(name):
    """The rest of the buffers does not show."""
    array = ARRAYS[name]
    longer = pa.concat_arrays([array.slice(1, 1), array, array])
    assert digest(longer.slice(1, 3)) == digest(array)
    different(array, array.slice(1), array.slice(0, 1), longer)


@pytest.mark.parametrize("name", ARRAYS)
def test_chunks_do_not_count(name):
    """However a column was put together."""
    array = ARRAYS[name]
    whole = pa.chunked_array([array])
    parts = pa.chunked_array([array.slice(0, 1), array.slice(1, 0), array.slice(1)])
    if name == "union":
        pytest.skip("pyarrow cannot join chunks of unions")
    assert digest(whole) == digest(parts)
    different(whole, array, pa.chunked_array([], array.type))


def test_the_slots_of_nulls_do_not_count():
    """They are left over from some computation."""
    valid = pa.py_buffer(bytes([0b101]))
    one, other = (
        pa.Array.from_buffers(
            pa.int64(), 3, [valid, pa.py_buffer(np.array([1, hidden, 3]))]
        )
        for hidden in (0, 99)
    )
    assert one.equals(other)
    assert digest(one) == digest(other)
    offsets = pa.py_buffer(np.array([0, 1, 3, 4], "i4"))
    texts = [
        pa.Array.from_buffers(pa.string(), 3, [valid, offsets, pa.py_buffer(data)])
        for data in (b"axxb", b"ayyb")
    ]
    assert digest(texts[0]) == digest(texts[1]) == digest(pa.array(["a", None, "b"]))


def test_items_of_lists_are_not_run_together():
    """Where one list ends and the next begins."""
    different(
        *map(pa.array, ([[1], [2]], [[1, 2], []], [[], [1, 2]], [[1, 2], None])),
        *map(pa.array, (["ab", ""], ["a", "b"], ["", "ab"], ["ab", None])),
    )


def test_dictionaries_are_joined():
    """Each chunk may have one of its own."""
    one = pa.chunked_array(
        [pa.array(["a"]).dictionary_encode(), pa.array(["b"]).dictionary_encode()]
    )
    other = pa.chunked_array([pa.array(["a", "b"]).dictionary_encode()])
    assert digest(one) == digest(other)


def test_tables_count_by_schema_and_columns():
    """Names, nullability and metadata too."""
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    strict = pa.schema([pa.field("a", pa.int64(), nullable=False), ("b", pa.string())])
    different(
        table,
        table.select(["b", "a"]),
        table.rename_columns(["a", "c"]),
        table.replace_schema_metadata({"k": "v"}),
        table.cast(strict),
        table.slice(1),
        table.select([]),
        table.to_batches()[0],
        pa.table({"a": [1, 2], "b": ["x", "z"]}),
    )
    joined = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert digest(joined) == digest(table)


def test_types_fields_and_schemas_are_values():
    """A struct's text alone does not say where a name ends."""
    different(
        *(pa.int8(), pa.int16(), pa.timestamp("s"), pa.timestamp("s", "UTC")),
        *(pa.struct([("a", pa.int8())]), pa.struct([("b", pa.int8())])),
        pa.struct([("a", pa.int8()), ("b", pa.int8())]),
        pa.struct([("a: int8, b", pa.int8())]),
        *(
            pa.dictionary(pa.int8(), pa.string()),
            pa.dictionary(pa.int16(), pa.string()),
        ),
        pa.dictionary(pa.int8(), pa.string(), ordered=True),
        *(pa.field("a", pa.int8()), pa.field("a", pa.int8(), nullable=False)),
        *(pa.schema([("a", pa.int8())]), pa.schema([("b", pa.int8())])),
        pa.schema([("a", pa.int8())], metadata={"k": "v"}),
    )


def test_scalars_and_buffers_are_values():
    """Null of a type is not null of another."""
    different(
        *(pa.scalar(1), pa.scalar(1, pa.int8()), pa.scalar("1"), 1),
        *(pa.scalar(None, pa.int8()), pa.scalar(None, pa.int16()), None),
        *(pa.py_buffer(b"ab"), pa.py_buffer(b"ac"), b"ab"),
        pa.scalar(1, pa.timestamp("ns")),
    )
    one = pa.scalar([1, {"a": 2}][0])
    assert digest(one) == digest(pa.scalar(1))


def test_extension_types_count_by_name_and_storage():
    """As text or as JSON."""
    if not hasattr(pa, "json_"):
        pytest.skip("this pyarrow has no JSON type")
    different(pa.array(["{}"], pa.json_()), pa.array(["{}"]), pa.json_(), pa.string())


def test_identity_never_shows():
    """Arrow data cannot be changed."""
    one = pa.table({"a": [1]})
    assert digest([one, one]) == digest([one, pa.table({"a": [1]})])
