"""Digests of pandas columns of every dtype: by value, never by buffer."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from digests import different, same


def test_text_columns_count_by_dtype_and_text():
    """By storage and by how missing values look, not by buffers."""
    words = ["a", None, "longer", ""]
    pa = pytest.importorskip("pyarrow")
    kinds = [
        *(object, pd.StringDtype("python"), pd.StringDtype("pyarrow")),
        pd.ArrowDtype(pa.string()),
    ]
    if pd.__version__ >= "3":
        kinds += [pd.StringDtype(name, np.nan) for name in ("python", "pyarrow")]
    columns = [pd.Series(words, dtype=kind) for kind in kinds]
    different(*columns)
    for column in columns:
        parts = pd.concat([column[:2], column[2:]])
        same(column, column.copy(), parts)
        different(column, column[::-1].reset_index(drop=True), column.fillna("x"))


def test_texts_are_not_run_together():
    """Where one ends and the next begins."""
    for kind in ("str", "string[python]", object, "category"):
        different(
            pd.Series(["ab", ""], dtype=kind),
            pd.Series(["", "ab"], dtype=kind),
            pd.Series(["a", "b"], dtype=kind),
            pd.Series(["ab", None], dtype=kind),
        )


def test_lone_surrogates_are_digested():
    """Python strings may hold what UTF-8 does not."""
    for kind in (object, pd.StringDtype("python")):
        different(
            pd.Series(["\ud800"], dtype=kind),
            pd.Series(["\udc00"], dtype=kind),
            pd.Series(["?"], dtype=kind),
        )


def test_object_columns_count_by_type_of_each_cell():
    """1, 1.0, True and '1' are four things."""
    cells = [1, 1.0, True, "1", b"1", None, np.nan, pd.NA, pd.NaT, [1], np.int64(1)]
    different(*[pd.Series([cell], dtype=object) for cell in cells])


def test_categories_count_with_their_order():
    """Also those that do not occur."""
    different(
        pd.Categorical(["a", "b"]),
        pd.Categorical(["a", "b"], ordered=True),
        pd.Categorical(["a", "b"], categories=["b", "a"]),
        pd.Categorical(["a", "b"], categories=["a", "b", "c"]),
        pd.Categorical(["b", "a"]),
        pd.Categorical(["a", None], categories=["a", "b"]),
    )


def test_what_is_under_a_mask_does_not_count():
    """It is left over from some computation."""
    for kind, data in (("Int64", [1, 2]), ("Float64", [1.0, 2.0]), ("boolean", [1, 0])):
        mask = np.array([False, True])
        one = pd.array(data, kind)
        cls = type(one)
        left = cls(one._data.copy(), mask.copy())
        right = cls(np.where(mask, one._data[:1], one._data), mask.copy())
        same(left, right, left.copy())
        different(left, one)


def test_nan_and_missing_are_two_things():
    """In nullable floats."""
    kind = type(pd.array([1.0], "Float64"))
    data, none = np.array([np.nan, 1.0]), np.array([False, False])
    different(kind(data, none), kind(data, ~none), kind(data, np.array([True, False])))


def test_units_zones_and_frequencies_count():
    """They decide what the numbers mean."""
    stamps = pd.to_datetime(["2020-01-01", "2020-01-02"])
    naive = pd.Series(stamps)
    different(
        naive,
        naive.astype("M8[s]"),
        naive.astype("M8[ns]"),
        naive.dt.tz_localize("UTC"),
        naive.dt.tz_localize("Europe/Berlin"),
        naive.dt.tz_localize(datetime.timezone(datetime.timedelta(hours=1))),
        naive.dt.to_period("D"),
        naive.dt.to_period("M"),
        naive - naive[0],
        (naive - naive[0]).astype("m8[s]"),
        naive.astype("int64"),
    )


def test_a_frequency_counts_in_an_index_and_not_in_a_column():
    """A column has none of its own."""
    index = pd.date_range("2020", periods=3)
    different(index, pd.DatetimeIndex(index, freq=None), index + pd.Timedelta(1, "D"))
    same(pd.Series(index), pd.Series(pd.DatetimeIndex(index, freq=None)))


def test_sparse_columns_count_by_values_and_fill():
    """What is stored, and what is not."""
    different(
        pd.arrays.SparseArray([0, 0, 1]),
        pd.arrays.SparseArray([0, 0, 1], fill_value=1),
        pd.arrays.SparseArray([0, 1, 0]),
        pd.arrays.SparseArray([0, 0, 1], kind="block"),
        np.array([0, 0, 1]),
    )


def test_arrow_columns_count_by_value():
    """Whatever chunks and buffers hold them."""
    pa = pytest.importorskip("pyarrow")
    kind = pd.ArrowDtype(pa.list_(pa.int64()))
    one = pd.Series([[1], None, [2, 3]], dtype=kind)
    same(one, pd.concat([one[:1], one[1:]]), one.copy())
    different(one, one[::-1].reset_index(drop=True))


def test_intervals_count_by_bounds_and_side():
    """Closed on the left or on the right."""
    different(
        *[pd.interval_range(0, 3, closed=side) for side in ("left", "right", "both")],
        pd.interval_range(0.0, 3.0),
        pd.interval_range(1, 4),
    )


def test_columns_of_other_libraries_are_digested_by_reduction():
    """What they look like inside is not known."""

    class Metres(pd.api.extensions.ExtensionDtype):
        name = "metres"
        type = float

        @classmethod
        def construct_array_type(cls):
            return Lengths

    class Lengths(pd.api.extensions.ExtensionArray):
        def __init__(self, values):
            self.values = np.asarray(values, float)

        dtype = Metres()

        def __len__(self):
            return len(self.values)

        def __getitem__(self, item):
            found = self.values[item]
            return Lengths(found) if isinstance(found, np.ndarray) else found

        def isna(self):
            return np.isnan(self.values)

        def copy(self):
            return Lengths(self.values.copy())

    one, other = pd.DataFrame({"a": Lengths([1])}), pd.DataFrame({"a": Lengths([2])})
    different(one, other, pd.DataFrame({"a": [1.0]}), Lengths([1]), Metres())
    same(one, one.copy(), pd.DataFrame({"a": Lengths([1])}))
