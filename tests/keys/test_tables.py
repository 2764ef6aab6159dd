"""Digests of pandas values: by column and value, never by block."""

from __future__ import annotations

import copy
import datetime
import pickle
import time

import numpy as np
import pandas as pd
import pytest
import strategies
from digests import different, same
from hypothesis import given, settings

from nbcache.errors import UnhashableValue
from nbcache.keys.hashing import digest


def mixed():
    """A frame with a column of each kind."""
    return pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "real": [1.5, np.nan, -0.0],
            "text": pd.array(["a", None, "é"], "str"),
            "object": pd.Series(["a", None, 1], dtype=object),
            "category": pd.Categorical(["u", None, "v"]),
            "date": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "zoned": pd.date_range("2020", periods=3, tz="Europe/Berlin"),
            "span": pd.to_timedelta([1, 2, None], unit="s"),
            "month": pd.period_range("2020-01", periods=3, freq="M"),
            "bin": pd.IntervalIndex.from_breaks([0, 1, 2, 3]),
            "nullable": pd.array([1, None, 3], "Int16"),
            "flag": pd.array([True, None, False], "boolean"),
            "float": pd.array([1.5, None, 2.5], "Float32"),
            "sparse": pd.arrays.SparseArray([0, 0, 1]),
            "bool": [True, False, True],
        }
    )


# --- frames


@given(strategies.frames())
@settings(max_examples=100, deadline=None)
def test_copies_have_the_digest_of_the_original(frame):
    """Deep, shallow, pickled."""
    same(frame, frame.copy(), frame.copy(deep=False), copy.deepcopy(frame))
    assert digest(pickle.loads(pickle.dumps(frame))) == digest(frame)


@pytest.mark.parametrize("name", mixed().columns)
def test_each_value_of_each_kind_of_column_counts(name):
    """Values, places of missing ones, and the dtype."""
    frame = mixed()
    column = frame[name]
    changed = [frame, frame[[name]], frame.drop(columns=name), column, column.array]
    for order in ([1, 0, 0], [0, 2, 1], [2, 2, 0]):
        other = frame.copy()
        other[name] = column.take(order).array
        changed.append(other)
    different(*changed)
    same(frame, frame.copy())
    assert digest(column) == digest(frame[name])


def test_blocks_do_not_count():
    """However the columns lie in memory."""
    matrix = np.arange(12.0).reshape(4, 3)
    names = list("abc")
    whole = pd.DataFrame(matrix, columns=names)
    apart = pd.DataFrame({name: matrix[:, n].copy() for n, name in enumerate(names)})
    joined = pd.concat([apart[["a"]], apart[["b", "c"]]], axis=1)
    inserted = apart[["a", "c"]].copy()
    inserted.insert(1, "b", apart["b"])
    fortran = pd.DataFrame(np.asfortranarray(matrix), columns=names)
    same(whole, apart, joined, inserted, fortran, whole.copy(), whole[names])


def test_blocks_do_not_count_in_wide_frames():
    """Columns are copied in groups from matrices."""
    matrix = np.arange(300 * 70.0).reshape(300, 70)
    apart = pd.DataFrame({n: matrix[:, n].copy() for n in range(70)})
    apart.columns = pd.RangeIndex(70)
    same(pd.DataFrame(matrix), apart)
    large = np.arange(2_000_000.0).reshape(400_000, 5)
    apart = pd.DataFrame({n: large[:, n].copy() for n in range(5)})
    apart.columns = pd.RangeIndex(5)
    same(pd.DataFrame(large), apart)


def test_slices_have_the_digest_of_copies():
    """Rows and columns of a larger frame."""
    frame = mixed()
    part = frame.iloc[1:, 2:]
    same(part, part.copy())
    assert digest(part) != digest(frame.iloc[:2, 2:])


def test_names_and_order_of_columns_count():
    """They are part of every result."""
    frame = pd.DataFrame({"a": [1], "b": [2]})
    different(
        frame,
        frame[["b", "a"]],
        frame.rename(columns={"a": "c"}),
        frame.rename(columns={"a": 1}),
        frame.rename_axis(columns="name"),
        frame.T,
        pd.DataFrame({"a": [2], "b": [1]}),
    )


def test_repeated_names_of_columns_are_fine():
    """Columns go by place."""
    one = pd.DataFrame([[1, 2]], columns=["a", "a"])
    other = pd.DataFrame([[2, 1]], columns=["a", "a"])
    different(one, other)


def test_shapes_without_cells_count():
    """Empty in one direction or both."""
    different(
        pd.DataFrame(),
        pd.DataFrame(index=[0, 1]),
        pd.DataFrame(columns=["a"]),
        pd.DataFrame({"a": pd.Series([], dtype="f8")}),
    )


def test_attributes_and_flags_count():
    """What a frame carries besides its data."""
    plain, named, strict, own = (mixed() for _ in range(4))
    named.attrs["source"] = "x"
    strict = strict.set_flags(allows_duplicate_labels=False)
    with pytest.warns(UserWarning, match="columns"):
        own.note = ["x"]
    different(plain, named, strict, own)


def test_subclasses_count_with_what_they_declare():
    """As those of geopandas."""

    class Geo(pd.DataFrame):
        _metadata = ["active"]  # noqa: RUF012

        @property
        def _constructor(self):
            return Geo

    one, other = Geo({"a": [1]}), Geo({"a": [1]})
    one.active, other.active = "x", "y"
    different(one, other, pd.DataFrame({"a": [1]}))
    same(one, one.copy())


def test_errors_name_the_cell():
    """The column as the user would write it."""
    frame = pd.DataFrame({"a": [1, 2], "b": [None, (n for n in "x")]})
    with pytest.raises(UnhashableValue, match=r"df\['b'\]\[1\]: generator"):
        digest(frame, path="df")


def test_a_frame_twice_is_one_frame():
    """Changing it in place shows in both."""
    frame = mixed()
    assert digest([frame, frame]) != digest([frame, frame.copy()])


# --- series and indexes


def test_series_count_by_name_index_and_values():
    """Each of them."""
    different(
        pd.Series([1, 2]),
        pd.Series([1, 2], name="a"),
        pd.Series([1, 2], name=0),
        pd.Series([1, 2], index=[0, 1]),
        pd.Series([1, 2], index=["a", "b"]),
        pd.Series([1, 2], dtype="int32"),
        pd.Series([2, 1]),
        pd.Index([1, 2]),
        pd.array([1, 2]),
        pd.DataFrame({0: [1, 2]}),
        np.array([1, 2]),
        [1, 2],
    )


def test_indexes_count_by_kind_and_names():
    """A range is no array of numbers."""
    different(
        pd.RangeIndex(3),
        pd.RangeIndex(3, name="a"),
        pd.RangeIndex(0, 6, 2),
        pd.Index([0, 1, 2]),
        pd.Index([0, 1, 2], dtype="int32"),
        pd.Index([0.0, 1.0, 2.0]),
        pd.Index(["0", "1", "2"]),
        pd.Index([0, 1, 2], dtype=object),
        pd.CategoricalIndex([0, 1, 2]),
        pd.MultiIndex.from_arrays([[0, 1, 2]]),
        pd.TimedeltaIndex([0, 1, 2]),
    )


def test_which_index_object_it_is_does_not_show():
    """Indexes cannot be changed."""
    index = pd.Index(["a", "b"])
    one, other = pd.Series([1, 2], index), pd.Series([3, 4], index)
    assert digest([one, other]) == digest([one, pd.Series([3, 4], index.copy())])


def test_multi_indexes_count_by_value():
    """However levels and codes are laid out."""
    tuples = [("a", 1), ("b", 2), ("a", 2), (None, 1)]
    index = pd.MultiIndex.from_tuples(tuples, names=["x", "y"])
    longer = pd.MultiIndex.from_tuples([("z", 9), *tuples], names=["x", "y"])
    turned = index.set_levels(index.levels[0][::-1], level=0).set_codes(
        [1, 0, 1, -1], level=0
    )
    assert turned.tolist() == index.tolist()
    same(index, longer[1:], turned, index.copy())
    different(
        index,
        longer,
        index[::-1],
        index.rename(["x", "z"]),
        index.swaplevel(),
        index.set_levels(index.levels[1].astype("int32"), level=1),
        index.to_flat_index(),
    )


# --- scalars and dtypes


def test_scalars_count_by_type_unit_and_value():
    """None of them is another's equal."""
    different(
        *(pd.Timestamp("2020"), pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2021")),
        *(pd.Timestamp("2020").as_unit("ms"), datetime.datetime(2020, 1, 1)),
        *(
            np.datetime64("2020"),
            pd.Timestamp(1, unit="ns"),
            pd.Timestamp(2, unit="ns"),
        ),
        *(pd.Timedelta(1, "s"), pd.Timedelta(2, "s"), datetime.timedelta(seconds=1)),
        *(pd.NaT, pd.NA, None, float("nan"), np.datetime64("NaT", "s")),
        *(pd.Period("2020", "M"), pd.Period("2020", "D"), pd.Period("2020", "Y")),
        *(pd.Interval(0, 1), pd.Interval(0, 1, closed="both"), pd.Interval(0, 1.0)),
        *(pd.offsets.Day(), pd.offsets.Day(2), pd.offsets.Hour(24)),
        *(pd.offsets.BusinessDay(), pd.offsets.MonthEnd(), pd.DateOffset(months=1)),
        pd.DateOffset(months=2),
    )


def test_identity_of_scalars_never_shows():
    """They cannot be changed."""
    for make in (
        lambda: pd.Timestamp("2020-01-01", tz="Europe/Berlin"),
        lambda: pd.Period("2020", "M"),
        lambda: pd.Interval(0, 1),
        lambda: pd.offsets.CustomBusinessDay(2),
    ):
        one = make()
        assert digest([one, one]) == digest([one, make()])
        assert digest(one) == digest(copy.deepcopy(one))


def test_dtypes_count_by_what_they_hold():
    """As values of their own."""
    different(
        *(
            pd.CategoricalDtype(),
            pd.CategoricalDtype(["a"]),
            pd.CategoricalDtype(["b"]),
        ),
        *(pd.CategoricalDtype(["a"], ordered=True), pd.DatetimeTZDtype("ns", "UTC")),
        *(pd.DatetimeTZDtype("s", "UTC"), pd.DatetimeTZDtype("ns", "Europe/Berlin")),
        *(pd.PeriodDtype("M"), pd.PeriodDtype("D"), pd.IntervalDtype("int64", "left")),
        *(pd.IntervalDtype("int64", "right"), pd.SparseDtype("f8"), pd.Int64Dtype()),
        *(pd.SparseDtype("f8", 0.0), pd.Int32Dtype(), pd.Float64Dtype()),
        *(pd.BooleanDtype(), pd.StringDtype("python"), np.dtype("f8")),
    )


# --- speed


def test_a_large_frame_is_digested_by_its_buffers():
    """A million rows take far less than a second."""
    rows = 1_000_000
    numbers = np.arange(rows)
    frame = pd.DataFrame(
        {
            "real": numbers / 3,
            "text": pd.array(np.char.mod("%d", numbers % 1000), "str"),
            "category": pd.Categorical.from_codes(numbers % 3, ["a", "b", "c"]),
        }
    )
    digest(frame)
    began = time.perf_counter()
    digest(frame)
    assert time.perf_counter() - began < 0.5
