"""Tables: every dtype and shape of pandas, polars, pyarrow and scipy comes back."""

import contextlib
import datetime
import decimal
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as pds
from round_trips import changed_trees, round_trip, through_file

from nbcache.errors import DamagedEntry, UnstorableValue
from nbcache.storage import codec

pa = pytest.importorskip("pyarrow")
PANDAS_3 = int(pd.__version__.split(".")[0]) >= 3


def assert_same_index(one, other):
    assert type(one) is type(other)
    pd.testing.assert_index_equal(one, other, exact=True, check_names=True)
    assert one.dtype == other.dtype
    assert list(map(type, one.names)) == list(map(type, other.names))
    assert getattr(one, "freq", None) == getattr(other, "freq", None)
    if isinstance(one, pd.MultiIndex):
        for level, read in zip(one.levels, other.levels, strict=True):
            assert_same_index(level, read)
        for code, read in zip(one.codes, other.codes, strict=True):
            assert np.asarray(code).dtype == np.asarray(read).dtype


def assert_same_column(one, other):
    assert one.dtype == other.dtype
    assert type(one.dtype) is type(other.dtype)
    assert type(one.array) is type(other.array)
    if one.dtype == object:
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            assert type(a) is type(b)
            assert a is b or a == b or (a != a and b != b)
    else:
        pd.testing.assert_series_equal(one, other, check_exact=True, check_freq=True)


def assert_same_frame(one, other):
    assert type(one) is type(other)
    assert_same_index(one.index, other.index)
    assert one.attrs == other.attrs
    flags = one.flags.allows_duplicate_labels, other.flags.allows_duplicate_labels
    assert flags[0] == flags[1]
    if isinstance(one, pd.Series):
        assert one.name == other.name
        assert type(one.name) is type(other.name)
        assert_same_column(one, other)
        return
    assert_same_index(one.columns, other.columns)
    for i in range(one.shape[1]):
        assert_same_column(one.iloc[:, i], other.iloc[:, i])


DAYS = pd.date_range("2020-03-28", periods=4)

COLUMNS = {
    "int": np.arange(4),
    "big_endian": np.arange(4, dtype="i2"),
    "float": [1.5, -0.0, np.nan, np.inf],
    "bool": [True, False, True, True],
    "complex": [1j, 2, 3, np.nan],
    "text": ["a", "é", "", "😀"],
    "text_missing": ["a", None, "", "b"],
    "object_text": pd.Series(["a", None, np.nan, pd.NA], dtype=object),
    "object_mixed": pd.Series([1, "a", [2], {"k": 3}], dtype=object),
    "object_numbers": pd.Series([1, 2.5, decimal.Decimal(3), None], dtype=object),
    "object_dates": pd.Series([datetime.date(2020, 1, i) for i in range(1, 5)]),
    "string_python": pd.array(["a", pd.NA, "", "b"], dtype="string[python]"),
    "string_pyarrow": pd.array(["a", pd.NA, "", "b"], dtype="string[pyarrow]"),
    "int64_masked": pd.array([1, pd.NA, 3, 4], dtype="Int64"),
    "uint8_masked": pd.array([1, pd.NA, 3, 4], dtype="UInt8"),
    "float_masked": pd.array([1.5, pd.NA, -0.0, 4], dtype="Float32"),
    "bool_masked": pd.array([True, pd.NA, False, True], dtype="boolean"),
    "datetime": DAYS,
    "datetime_missing": pd.to_datetime(
        ["2020-01-01", None, "1700-01-01", "2100-01-01"]
    ),
    "datetime_s": DAYS.as_unit("s"),
    "datetime_ns": DAYS.as_unit("ns"),
    "datetime_tz": DAYS.tz_localize("Europe/Berlin"),
    "datetime_utc": DAYS.tz_localize("UTC"),
    "datetime_fixed": DAYS.tz_localize(datetime.timezone(datetime.timedelta(hours=2))),
    "timedelta": DAYS - DAYS[2],
    "timedelta_ms": (DAYS - DAYS[2]).as_unit("ms"),
    "period": pd.period_range("2020", periods=4, freq="M"),
    "period_quarter": pd.period_range("2020Q1", periods=4, freq="Q-NOV"),
    "interval": pd.interval_range(0, 4),
    "interval_left": pd.interval_range(0.5, 4.5, closed="left"),
    "interval_dates": pd.interval_range(DAYS[0], periods=4),
    "categorical": pd.Categorical(["a", "b", None, "a"]),
    "categorical_ordered": pd.Categorical([3, 1, 3, 2], [3, 1, 2, 0], ordered=True),
    "categorical_dates": pd.Categorical(DAYS),
    "categorical_empty": pd.Categorical([None] * 4, []),
    "sparse": pd.arrays.SparseArray([0, 0, 1, 2]),
    "sparse_nan": pd.arrays.SparseArray([np.nan, 1.5, np.nan, 2]),
    "sparse_block": pd.arrays.SparseArray([0, 1, 1, 0], kind="block", fill_value=0),
    "arrow_int": pd.array([1, None, 3, 4], dtype="int32[pyarrow]"),
    "arrow_string": pd.array(["a", None, "", "b"], dtype=pd.ArrowDtype(pa.string())),
    "arrow_list": pd.array(
        [[1], None, [], [2, 3]], dtype=pd.ArrowDtype(pa.list_(pa.int8()))
    ),
    "arrow_decimal": pd.array(
        [decimal.Decimal("1.50")] * 4, dtype=pd.ArrowDtype(pa.decimal128(5, 2))
    ),
    "arrow_time": pd.array(
        DAYS, dtype=pd.ArrowDtype(pa.timestamp("ms", "Europe/Berlin"))
    ),
    "arrow_dictionary": pd.array(
        ["a", "b", None, "a"],
        dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string())),
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_column_of_every_dtype(name, tmp_path):
    """As Series, in a frame, as index and as bare array, through a file, unpickled."""
    series = pd.Series(COLUMNS[name], name="s")
    frame = pd.DataFrame({"x": [1, 2, 3, 4], "c": series})
    values = {"series": series, "frame": frame, "array": series.array}
    values["part"] = series.iloc[1:3]
    read = through_file(tmp_path / "x.npz", values)
    signed = round_trip(values, allow_pickle=True)
    for kind in ("series", "frame", "part"):
        assert_same_frame(values[kind], read[kind])
        assert_same_frame(values[kind], signed[kind])
    assert_same_column(pd.Series(values["array"]), pd.Series(read["array"]))
    assert codec.encode(values).pickled == ()


HASHABLE = [
    name for name in COLUMNS if name not in ("object_mixed", "arrow_list", "sparse")
]


@pytest.mark.parametrize("name", HASHABLE)
def test_index_of_every_dtype(name):
    """Labels keep class, dtype, name and frequency."""
    index = pd.Index(COLUMNS[name], name=("n", 1))
    frame = pd.DataFrame({"x": np.arange(4)}, index=index)
    read = round_trip({"index": index, "frame": frame, "columns": frame.T})
    assert_same_index(index, read["index"])
    assert_same_frame(frame, read["frame"])
    assert_same_frame(frame.T, read["columns"])


def frames():
    frame = pd.DataFrame({"a": [1, 2], "b": [3.0, 4], "c": ["x", "y"]})
    many = pd.DataFrame({f"c{i}": [i, i + 1] for i in range(100)})
    wide = pd.DataFrame(np.arange(12).reshape(3, 4))
    multi = pd.MultiIndex.from_product([["a", "b"], DAYS[:2]], names=["k", None])
    with_attrs = frame.copy()
    with_attrs.attrs = {"unit": "m", "shape": (1, 2)}
    no_twins = frame.set_flags(allows_duplicate_labels=False)
    twins = pd.DataFrame([[1, 2.5, "x"]], columns=["a", "a", "b"], index=[7])
    inserted = frame.copy()
    inserted.insert(1, "z", [9, 8])
    return {
        "simple": frame,
        "many_columns": many,
        "wide": wide,
        "fortran": pd.DataFrame(np.asfortranarray(np.arange(12.0).reshape(3, 4))),
        "transposed": wide.T,
        "multi_index": pd.DataFrame({"x": range(4)}, index=multi),
        "multi_columns": pd.DataFrame([[1, 2, 3, 4]], columns=multi),
        "unused_levels": pd.DataFrame({"x": range(4)}, index=multi).iloc[:1],
        "missing_code": pd.DataFrame(
            {"x": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), (None, 2)])
        ),
        "attrs": with_attrs,
        "flags": no_twins,
        "duplicate_columns": twins,
        "inserted": inserted,
        "empty": pd.DataFrame(),
        "no_rows": frame.iloc[:0],
        "no_columns": frame[[]],
        "only_index": pd.DataFrame(index=[1, 2, 3]),
        "named_axes": frame.rename_axis(index="i", columns="c"),
        "named_range": frame.set_axis(pd.RangeIndex(3, 7, 2, name="r")),
        "series_named_tuple": pd.Series([1], name=("a", 1)),
        "series_empty": pd.Series([], dtype="f4"),
        "series_object_index": pd.Series(
            [1, 2], index=pd.Index(["a", 1], dtype=object)
        ),
        "mixed_columns": pd.DataFrame([[1, 2, 3]], columns=["a", 1, None]),
        "sliced": pd.DataFrame({"a": range(10), "b": range(10)}).iloc[2:8:2],
        "dates_in_rows": pd.DataFrame({"d": DAYS, "e": DAYS, "t": DAYS - DAYS[0]}),
        "all": pd.DataFrame({n: pd.Series(c) for n, c in COLUMNS.items()}),
        "freq": pd.DataFrame(
            {"x": range(3)}, pd.date_range("2020", freq="B", periods=3)
        ),
    }


@pytest.mark.parametrize("name", frames())
def test_frame_of_every_shape(name, tmp_path):
    """Labels, names, attrs, flags, duplicates, empty axes."""
    frame = frames()[name]
    read = through_file(tmp_path / "x.npz", {"f": frame, "again": [frame]})
    assert_same_frame(frame, read["f"])
    assert read["again"][0] is read["f"]


SCALARS = [
    pd.Timestamp("2020-01-02 03:04:05.123456789"),
    pd.Timestamp("2020-01-01").as_unit("s"),
    pd.Timestamp("2020-10-25 00:30", tz="UTC").tz_convert("Europe/Berlin"),
    pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Berlin"),
    pd.Timestamp("0001-01-01").as_unit("us") if PANDAS_3 else pd.Timestamp(0),
    pd.Timedelta(-5, "ms"),
    pd.Timedelta(3, "D").as_unit("s"),
    pd.NaT,
    pd.NA,
    pd.Period("2020-03", "M"),
    pd.Interval(0, 1.5, closed="both"),
    pd.Interval(pd.Timestamp("2020"), pd.Timestamp("2021")),
    pd.offsets.Day(3),
    pd.offsets.MonthEnd(-1),
    pd.offsets.Week(weekday=2),
    pd.CategoricalDtype(["a", "b"], ordered=True),
    pd.CategoricalDtype(),
    pd.DatetimeTZDtype("ns", "UTC"),
    pd.PeriodDtype("D"),
    pd.IntervalDtype("int64", "left"),
    pd.SparseDtype("f8", 0.0),
    pd.StringDtype("python"),
    pd.StringDtype("pyarrow"),
    pd.Int8Dtype(),
    pd.BooleanDtype(),
    pd.ArrowDtype(pa.int8()),
]


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_scalar_of_pandas(value):
    """Type, unit, zone, frequency and value."""
    encoded = codec.encode({"x": value})
    assert encoded.pickled == ()
    read = round_trip({"x": value})["x"]
    assert type(read) is type(value)
    if value is pd.NaT or value is pd.NA:
        assert read is value
        return
    assert read == value
    assert repr(read) == repr(value)
    for name in ("unit", "tzinfo", "fold", "asm8", "ordered"):
        assert getattr(read, name, None) == getattr(value, name, None), name


def test_offset_that_its_name_does_not_tell_is_pickled():
    """A custom calendar is kept, but needs trust."""
    offset = pd.offsets.CustomBusinessDay(holidays=["2020-01-02"])
    assert codec.encode({"x": offset}).pickled == ("x",)
    assert round_trip({"x": offset}, allow_pickle=True)["x"] == offset


# ---------------------------------------------------------------- memory and writing


def large_frame(rows=20_000):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "a": rng.random(rows),
            "b": rng.integers(0, 9, rows),
            "c": rng.random(rows),
            "s": rng.choice(["x", "yy", "zzz"], rows),
            "d": pd.date_range("2020", periods=rows, freq="s"),
            "k": pd.Categorical(rng.choice(["x", "y"], rows)),
            "i": pd.array(rng.integers(0, 9, rows), dtype="Int64"),
        }
    )


def test_restored_frames_can_be_written_to(tmp_path):
    """Setting values never meets read-only memory, and leaves the entry as it is."""
    frame = large_frame()
    read = through_file(tmp_path / "x.npz", {"f": frame})["f"]
    before = (tmp_path / "x.npz").read_bytes()
    read.loc[0, "a"] = -1.0
    read.iloc[1, 1] = 7
    read.loc[2, "s"] = "new"
    read.loc[3, "d"] = pd.NaT
    read.loc[4, "k"] = "y"
    read.loc[5, "i"] = pd.NA
    read["n"] = 1
    read["a"] *= 2
    assert read["a"].iloc[0] == -2
    assert read["s"].iloc[2] == "new"
    assert (tmp_path / "x.npz").read_bytes() == before


def test_restored_series_can_be_written_to(tmp_path):
    """The same for a Series, by position and by label."""
    series = large_frame()["a"].copy()
    read = through_file(tmp_path / "x.npz", {"s": series})["s"]
    read.iloc[0] = -1
    read[5] = -2
    read += 1
    assert read.iloc[0] == 0
    assert series.iloc[0] != 0


def test_restored_columns_are_views_of_the_entry(tmp_path):
    """Numbers are not copied: the frame's memory is the mapped file's."""
    frame = pd.DataFrame(np.random.default_rng(0).random((50_000, 4)))
    read = through_file(tmp_path / "x.npz", {"f": frame})["f"]
    base = read._mgr.blocks[0].values
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    assert not isinstance(base, np.ndarray) or not base.flags.owndata


@pytest.mark.skipif(not PANDAS_3, reason="copy-on-write came with pandas 3")
def test_frames_that_share_memory_under_copy_on_write_stay_independent():
    """`s = df["a"]` shares lazily; afterwards writing to one leaves the other alone."""
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})
    values = {"df": frame, "s": frame["a"], "part": frame[["a"]]}
    values["x"] = frame.to_numpy()
    read = round_trip(values)
    read["s"].iloc[0] = 99
    read["part"].iloc[1, 0] = 99
    assert read["df"]["a"].tolist() == [1, 2, 3]
    read["df"].iloc[0, 0] = -1
    assert read["x"][0, 0] == 1


@pytest.mark.skipif(PANDAS_3, reason="before copy-on-write")
def test_frames_that_share_memory_without_copy_on_write_share_it_again():
    """With pandas 2, an array over a frame's column is one again."""
    frame = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})
    read = round_trip({"df": frame, "x": frame["a"].to_numpy()})
    read["x"][0] = 99
    assert read["df"]["a"].tolist() == [99, 2, 3]


@pytest.mark.skipif(PANDAS_3, reason="before copy-on-write")
def test_array_over_a_live_frame_is_one_again():
    """With pandas 2, `x = df["a"].to_numpy()` of an input df is a view of it again."""
    live = {"df": pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]})}
    values = {"x": live["df"]["a"].to_numpy(), "s": live["df"]["b"]}
    read = round_trip(values, live=live)
    read["x"][0] = 99
    read["s"].to_numpy()[1] = -1
    assert live["df"].iloc[0, 0] == 99
    assert live["df"].iloc[1, 1] == -1


@pytest.mark.skipif(not PANDAS_3, reason="copy-on-write came with pandas 3")
def test_array_over_a_live_frame_is_a_copy_under_copy_on_write():
    """With pandas 3, what comes out of an input frame is a value of its own."""
    live = {"df": pd.DataFrame({"a": [1, 2, 3]})}
    values = {"x": live["df"]["a"].to_numpy(), "s": live["df"]["a"]}
    read = round_trip(values, live=live)
    read["s"].iloc[0] = 99
    assert live["df"]["a"].tolist() == [1, 2, 3]
    assert not np.shares_memory(read["x"], live["df"]["a"].to_numpy())


def test_live_frames_are_referred_to():
    """A frame that is an input is that frame afterwards, alone or inside others."""
    live = {"df": pd.DataFrame({"a": [1]})}
    read = round_trip({"x": live["df"], "y": [live["df"]]}, live=live)
    assert read["x"] is live["df"]
    assert read["y"][0] is live["df"]


def test_frame_in_a_leaf_is_the_frame_of_the_tree():
    """A pickled object and the tree hold the same frame."""
    import collections

    frame = pd.DataFrame({"a": [1]})
    values = {"m": collections.ChainMap({"f": frame}), "f": frame}
    read = round_trip(values, allow_pickle=True)
    assert read["m"]["f"] is read["f"]


def test_objects_in_columns_are_shared_with_the_rest():
    """A list in a cell is the list elsewhere in the tree."""
    item = [1]
    frame = pd.DataFrame({"a": pd.Series([item, item, None], dtype=object)})
    read = round_trip({"f": frame, "item": item})
    assert read["f"]["a"][0] is read["item"]
    assert read["f"]["a"][1] is read["item"]


def test_frame_that_contains_itself_is_refused():
    """A frame cannot be made before its cells."""
    frame = pd.DataFrame({"a": pd.Series([None], dtype=object)})
    frame.attrs["self"] = [frame]
    with pytest.raises(UnstorableValue, match="contains itself"):
        codec.encode({"f": frame})


def test_cells_that_cannot_be_stored_are_named():
    """The path leads to the frame's name."""
    frame = pd.DataFrame({"a": pd.Series([(i for i in range(3))], dtype=object)})
    with pytest.raises(UnstorableValue, match="generator") as caught:
        codec.encode({"f": frame})
    assert caught.value.path.startswith("f")


def test_missing_objects_keep_their_identity():
    """None, NaN, NA and NaT in a long column of text stay what they are."""
    cells = ["a", None, np.nan, pd.NA, pd.NaT, "b"] * 100
    for values in (cells, [*cells, *(str(i) for i in range(1000))]):
        series = pd.Series(values, dtype=object)
        encoded = codec.encode({"s": series})
        assert len(repr(encoded.tree)) < 1000
        assert_same_frame(series, round_trip({"s": series})["s"])


# ---------------------------------------------------------------- other packages


def test_importing_the_codec_imports_no_table_package():
    """pandas, polars, pyarrow and scipy are imported when they are needed."""
    code = (
        "import sys, nbcache.storage.codec\n"
        "print([n for n in ('pandas', 'polars', 'pyarrow', 'scipy') "
        "if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_pyarrow_values_come_back():
    """Arrays, chunks, tables, batches, schemas, types."""
    array = pa.array(["a", None, "b"])
    table = pa.table({"x": [1, 2], "y": [[1], None]}).replace_schema_metadata(
        {"k": "v"}
    )
    values = {
        "array": array,
        "slice": array[1:],
        "empty": array[:0],
        "chunked": pa.chunked_array([array, array[:1]]),
        "no_chunks": pa.chunked_array([], pa.int8()),
        "table": table,
        "batch": table.to_batches()[0],
        "empty_table": table.slice(0, 0),
        "schema": table.schema,
        "type": pa.list_(pa.timestamp("ns", "UTC")),
        "field": pa.field("x", pa.int8(), nullable=False, metadata={"a": "b"}),
        "dictionary": pa.array(["a", "b", "a"]).dictionary_encode(),
        "null": pa.nulls(3),
        "struct": pa.array([{"a": 1}, None]),
        "many": pa.array([str(i) for i in range(100)]),
        "large": pa.array(["a", None], pa.large_string()),
    }
    encoded = codec.encode(values)
    assert encoded.pickled == ()
    read = round_trip(values)
    for name, value in values.items():
        assert type(read[name]) is type(value), name
        assert read[name].equals(value), name
    assert read["table"].schema.metadata == {b"k": b"v"}
    assert read["chunked"].num_chunks == 2


def test_polars_values_come_back():
    """Frames and series with every common dtype."""
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {
            "i": [1, None],
            "s": ["a", None],
            "d": [datetime.date(2020, 1, 1), None],
            "t": [datetime.datetime(2020, 1, 1), None],
            "l": [[1], []],
            "b": [b"x", None],
            "st": [{"a": 1}, {"a": None}],
        }
    ).with_columns(
        pl.col("s").cast(pl.Categorical).alias("c"),
        pl.col("s").cast(pl.Enum(["a", "b"])).alias("e"),
        pl.col("t").dt.replace_time_zone("Europe/Berlin").alias("z"),
        pl.col("i").cast(pl.Decimal(10, 2)).alias("dec"),
    )
    values = {"f": frame, "s": frame["s"], "none": pl.DataFrame(), "cut": frame[:0]}
    assert codec.encode(values).pickled == ()
    read = round_trip(values)
    for name in ("f", "none", "cut"):
        assert read[name].schema == values[name].schema
        assert read[name].equals(values[name])
    assert read["s"].name == "s"
    assert read["s"].equals(frame["s"])


@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("form", ["csr", "csc", "bsr", "coo", "dia", "lil", "dok"])
def test_sparse_matrix_comes_back(form, kind):
    """Class, parts and their types; parts are shared with arrays of the tree."""
    sparse = pytest.importorskip("scipy.sparse")
    dense = np.array([[0, 1.5, 0], [2, 0, 0]])
    value = getattr(sparse, f"{form}_{kind}")(dense)
    values = {"m": value, "data": getattr(value, "data", None), "again": [value]}
    assert codec.encode(values).pickled == ()
    read = round_trip(values)
    assert type(read["m"]) is type(value)
    assert read["again"][0] is read["m"]
    assert read["m"].shape == value.shape
    assert read["m"].dtype == value.dtype
    assert (read["m"].toarray() == dense).all()
    assert (read["m"] @ np.ones(3) == dense @ np.ones(3)).all()
    for name, part in vars(value).items():
        assert type(vars(read["m"])[name]) is type(part), name
        if isinstance(part, np.ndarray):
            assert vars(read["m"])[name].dtype == part.dtype
    if values["data"] is not None and form != "dok":
        assert read["m"].data is read["data"]


# ---------------------------------------------------------------- hostile trees


def damaged(node, members=None):
    tree = {"values": [["x", node]], "small": 0}
    members = {"__nbcache__/0": np.arange(64, dtype=np.uint8), **(members or {})}
    with pytest.raises(DamagedEntry):
        codec.decode(tree, lambda name: members[name])


INTS = ["a", [0, "<i8", [2]]]
BLOCK = ["a", [0, "<i8", [1, 2]]]
ROWS = ["RangeIndex", [0, 2, 1, None]]
ONE = ["RangeIndex", [0, 1, 1, None]]
TEXT = ["pandas dtype", ["CategoricalDtype", ROWS, False]]


@pytest.mark.parametrize(
    "node",
    [
        ["DataFrame", [[[[0, 1, 1], INTS]], ROWS, ONE, None, True]],
        ["DataFrame", [[[[1, 2, 1], BLOCK]], ROWS, ONE, None, True]],
        ["DataFrame", [[[[0, 1, 1], BLOCK]] * 2, ROWS, ONE, None, True]],
        ["DataFrame", [[], ROWS, ONE, None, True]],
        ["DataFrame", [[[[0, 1, 1], BLOCK]], ONE, ONE, None, True]],
        ["DataFrame", [[[[0, 1, 1], BLOCK]], 5, ONE, None, True]],
        ["Series", [INTS, ONE, None, None, True]],
        ["Index", ["DataFrame", INTS, None, None]],
        ["MultiIndex", [[ROWS], [["a", [8, "<i8", [2]]]], [None], None]],
        ["extension", ["Categorical", ["a", [16, "|i1", [9]]], TEXT]],
        ["extension", ["getattr", INTS]],
        ["extension", ["IntegerArray", INTS, ["a", [0, "|b1", [3]]]]],
        [
            "extension",
            ["SparseArray", INTS, ["pandas dtype", ["SparseDtype"]], 1, INTS],
        ],
        ["pandas dtype", ["eval", "1"]],
        ["arrow array", [True, [0, "|u1", [64]]]],
        ["arrow table", ["Table", [0, "|u1", [0]]]],
        ["polars", [False, [0, "|u1", [64]]]],
        ["sparse", ["getattr", []]],
        ["sparse", ["csr_array", []]],
        ["offset", "no such frequency"],
        ["Timestamp", [0, "parsec", None, 0]],
        ["Period", [5, None]],
        ["missing", "other"],
    ],
)
def test_hostile_table_is_damage(node):
    """Blocks, codes and indices that do not fit are refused, not followed."""
    damaged(node)


def test_sparse_matrix_whose_indices_lead_astray_is_damage():
    """Compiled code would read beyond the arrays."""
    sparse = pytest.importorskip("scipy.sparse")
    value = sparse.csr_array(np.eye(3))
    value.indices = np.array([0, 1, 1 << 20], np.int32)
    encoded = codec.encode({"m": value})
    with pytest.raises(DamagedEntry):
        codec.decode(encoded.tree, lambda name: encoded.members[name])


def test_arrow_array_whose_offsets_lead_astray_is_damage():
    """Offsets of text are checked before anything follows them."""
    encoded = codec.encode({"t": pa.array([["ab"]])})
    (name,) = encoded.members
    data = encoded.members[name].tobytes()
    bad = data.replace(b"\0\0\0\0\2\0\0\0", b"\0\0\0\0\0\0\x10\0")
    assert bad != data
    encoded.members[name] = np.frombuffer(bad, np.uint8)
    with pytest.raises(DamagedEntry):
        codec.decode(encoded.tree, lambda name: encoded.members[name])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_changed_tables_end_in_a_value_or_a_known_error(data):
    """One part of a real table's tree replaced; what comes of it can be shown."""
    name = data.draw(st.sampled_from(sorted(COLUMNS)))
    column = pd.Series(COLUMNS[name])
    table = data.draw(st.sampled_from([column, column.to_frame(), column.array]))
    encoded = codec.encode({name: table})
    tree = data.draw(changed_trees(encoded))
    with contextlib.suppress(DamagedEntry, LookupError, PermissionError):
        value = codec.decode(tree, lambda name: encoded.members[name])
        with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):
            repr(value)


# ---------------------------------------------------------------- properties

_CELLS = st.one_of(
    st.none(),
    st.integers(-5, 5),
    st.floats(),
    st.text(max_size=3),
    st.booleans(),
    st.just(pd.NA),
    st.just(pd.NaT),
    st.dates(),
)
_ELEMENTS = [
    pds.column("i", dtype=np.int64),
    pds.column("f", dtype=np.float32),
    pds.column("b", dtype=np.bool_),
    pds.column("o", elements=_CELLS, dtype=object),
    pds.column("t", elements=st.text(max_size=4)),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame=pds.data_frames(_ELEMENTS, index=pds.range_indexes(max_size=40)))
def test_generated_frames_come_back(frame):
    """Columns of numbers, objects and text of any content."""
    assert_same_frame(frame, round_trip({"f": frame})["f"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(frame=pds.data_frames(_ELEMENTS, index=pds.range_indexes(max_size=10)))
def test_generated_parts_of_frames_come_back(frame):
    """Reversed, cut, transposed and re-indexed frames."""
    parts = {
        "rows": frame.iloc[::-2],
        "columns": frame[["b", "i"]],
        "turned": frame.T,
        "sorted": frame.sort_values("i"),
        "indexed": frame.set_index(["i", "b"]),
    }
    read = round_trip(parts)
    for name, part in parts.items():
        assert_same_frame(part, read[name])
