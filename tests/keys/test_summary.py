"""Summaries say in one short line what a value is."""

from __future__ import annotations

import datetime
import decimal
import enum
import pathlib
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import strategies
from hypothesis import given, settings

from nbcache.keys.key import Change
from nbcache.keys.summary import summarise

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass
class Model:
    """A user's class."""

    alpha: object = 1
    api_key: str = "secret"


class Color(enum.Enum):
    """An enumeration."""

    RED = 1


class Hostile:
    """Fails wherever it can."""

    def __repr__(self):
        raise RuntimeError

    def __len__(self):
        raise RuntimeError

    def __getattr__(self, name):
        raise RuntimeError


class Slow:
    """Its repr takes for ever."""

    def __init__(self):
        self.data = list(range(10**6))

    def __repr__(self):
        time.sleep(10)
        return "slow"


SUMMARIES = [
    (None, "None"),
    (3, "int 3"),
    (True, "bool True"),
    (2.5, "float 2.5"),
    (10**400, "int of 1329 bits"),
    ("abc", "str 'abc'"),
    ("a\nb", r"str 'a\nb'"),
    (b"abc", "bytes b'abc'"),
    ([1, 2, 3], "list of 3"),
    ((), "tuple of 0"),
    ({"a": 1}, "dict of 1"),
    ({1, 2}, "set of 2"),
    (range(3), "range range(0, 3)"),
    (decimal.Decimal("1.5"), "Decimal Decimal('1.5')"),
    (datetime.date(2020, 1, 2), "date datetime.date(2020, 1, 2)"),
    (pathlib.PurePosixPath("a"), "PurePosixPath PurePosixPath('a')"),
    (Color.RED, "Color.RED"),
    (Model(), "Model(alpha=1, api_key=…)"),
    (Model([1, 2]), "Model(alpha=list of 2, api_key=…)"),
    (Model, "class Model"),
    (len, "function len"),
    (np, "module numpy"),
    (np.zeros((1000, 3)), "ndarray (1000, 3) float64"),
    (np.zeros(()), "ndarray () float64"),
    (np.zeros(2, "M8[s]"), "ndarray (2,) datetime64[s]"),
    (np.float64(1.5), "float64 1.5"),
    (np.dtype("f4"), "dtype float32"),
    (np.random.default_rng(1), "Generator PCG64"),
    (pd.Series([1, 2], name="a"), "Series 'a' 2 int64"),
    (pd.Series([1, 2]), "Series 2 int64"),
    (pd.RangeIndex(3), "RangeIndex 3 int64"),
    (pd.MultiIndex.from_arrays([[1], [2]]), "MultiIndex 1 2 levels"),
    (pd.Timestamp("2020"), "Timestamp 2020-01-01 00:00:00"),
    (pd.NaT, "NaTType NaT"),
    (pd.DataFrame(), f"DataFrame 0 {TIMES} 0"),
    (
        pd.DataFrame({"a": [1.0], "b": [True]}),
        f"DataFrame 1 {TIMES} 2: a float64, b bool",
    ),
]


@pytest.mark.parametrize(("value", "expected"), SUMMARIES, ids=lambda v: str(v)[:20])
def test_summaries_say_type_and_value(value, expected):
    """Short ones by value, large ones by size."""
    assert summarise(value) == expected


@given(strategies.values())
@settings(max_examples=200, deadline=None)
def test_summaries_are_one_short_line_and_never_fail(value):
    """Whatever the value."""
    for one in (value, [value], Model(value)):
        text = summarise(one)
        assert text.isprintable()
        assert 0 < len(text) <= (400 if isinstance(one, pd.DataFrame) else 80)


def test_hostile_objects_are_summarised_by_their_class():
    """No method of theirs is called, or its error is not told."""
    assert summarise(Hostile()) == "Hostile"
    assert "Hostile" in summarise(Model(Hostile()))


def test_summaries_are_quick():
    """Large and slow values are not looked through."""
    values = [
        Slow(),
        Model(Slow()),
        "x" * 10**8,
        list(range(10**6)),
        np.zeros((10**4, 10**4), bool),
        pd.DataFrame(np.zeros((10, 20_000))),
    ]
    began = time.perf_counter()
    for value in values:
        assert len(summarise(value)) <= 400
    assert time.perf_counter() - began < 1


def test_secrets_are_never_written():
    """Attributes whose names say so."""
    assert "secret" not in summarise(Model())


def test_many_columns_are_cut_short():
    """Eight are shown."""
    text = summarise(pd.DataFrame(np.zeros((1, 20))))
    assert text.startswith(f"DataFrame 1 {TIMES} 20: 0 float64, 1 float64, ")
    assert text.endswith("7 float64, …")


def test_a_changed_dtype_of_a_column_is_told():
    """The explanation of a miss reads the columns back."""
    before = pd.DataFrame({"price": np.zeros(2, "f4"), "when": pd.Timestamp("2020")})
    after = before.astype({"price": "f8"})
    change = Change("input df", summarise(before), summarise(after))
    assert str(change) == "input df: column 'price' float32 → float64"


def test_dtypes_with_commas_stay_one_item():
    """Time zones, intervals, names of columns."""
    frame = pd.DataFrame(
        {
            "a, b": pd.date_range("2020", periods=2, tz="Europe/Berlin"),
            "c": pd.interval_range(0, 2),
        }
    )
    columns = summarise(frame).partition(": ")[2].split(", ")
    assert [column.rpartition(" ")[0] for column in columns] == ["a,b", "c"]


def test_other_libraries_are_summarised_alike():
    """Frames with columns, arrays with shapes."""
    pl, xr = pytest.importorskip("polars"), pytest.importorskip("xarray")
    pa, sparse = pytest.importorskip("pyarrow"), pytest.importorskip("scipy.sparse")
    assert summarise(pl.DataFrame({"a": [1]})) == f"DataFrame 1 {TIMES} 1: a Int64"
    assert summarise(pl.Series("a", [1])) == "Series 'a' 1 Int64"
    assert summarise(pa.table({"a": [1]})) == f"Table 1 {TIMES} 1: a int64"
    array = xr.DataArray(np.zeros((2, 3)), dims=["x", "y"])
    assert summarise(array) == "DataArray (x: 2, y: 3) float64"
    assert summarise(array.to_dataset(name="a")) == "Dataset (x: 2, y: 3)"
    assert summarise(sparse.eye_array(3).tocsr()) == "csr_array (3, 3) float64"
