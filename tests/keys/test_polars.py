"""Digests of polars values: by dtype and value, whatever chunks hold them."""

from __future__ import annotations

import copy
import datetime
import decimal

import pytest
from digests import different

from nbcache.errors import UnhashableValue
from nbcache.keys.hashing import digest

pl = pytest.importorskip("polars")

MOMENT = datetime.datetime(2020, 1, 1)
SERIES = {
    "int64": pl.Series([1, None, 3]),
    "int8": pl.Series([1, None, 3], dtype=pl.Int8),
    "int128": pl.Series([1, None, 3], dtype=pl.Int128),
    "float": pl.Series([1.5, None, float("nan")]),
    "bool": pl.Series([True, None, False]),
    "string": pl.Series(["a", None, "é" * 20]),
    "binary": pl.Series([b"a", None, b"c" * 20]),
    "date": pl.Series([datetime.date(2020, 1, 1), None, datetime.date(2020, 1, 3)]),
    "time": pl.Series([datetime.time(1), None, datetime.time(2)]),
    "datetime": pl.Series([MOMENT, None, MOMENT]),
    "milliseconds": pl.Series([MOMENT, None, MOMENT], dtype=pl.Datetime("ms")),
    "zoned": pl.Series([MOMENT, None, MOMENT], dtype=pl.Datetime("us", "UTC")),
    "duration": pl.Series([datetime.timedelta(1), None, datetime.timedelta(2)]),
    "decimal": pl.Series([decimal.Decimal("1.5"), None, decimal.Decimal("2.5")]),
    "categorical": pl.Series(["a", None, "b"], dtype=pl.Categorical),
    "enum": pl.Series(["a", None, "b"], dtype=pl.Enum(["a", "b"])),
    "wider enum": pl.Series(["a", None, "b"], dtype=pl.Enum(["a", "b", "c"])),
    "list": pl.Series([[1], None, [2, None]]),
    "nested": pl.Series([[["a"], []], None, [[None]]]),
    "array": pl.Series([[1, 2], None, [3, None]], dtype=pl.Array(pl.Int64, 2)),
    "struct": pl.Series([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
    "null": pl.Series([None, None, None]),
    "object": pl.Series([{1}, None, {2}], dtype=pl.Object),
}


def test_dtypes_count():
    """Same values, other dtypes."""
    different(*SERIES.values())
    different(*[series.dtype for series in SERIES.values()])


@pytest.mark.parametrize("name", SERIES)
def test_slices_and_chunks_do_not_count(name):
    """However a column was put together."""
    series = SERIES[name]
    assert digest(series.clone()) == digest(series)
    different(series, series[1:], series[:1])
    if name != "object":
        parts = pl.concat([series[:1], series[1:]], rechunk=False)
        longer = pl.concat([series[2:], series, series])
        assert digest(parts) == digest(series) == digest(longer[1:4])
        different(series, longer)


def test_texts_and_lists_are_not_run_together():
    """Where one ends and the next begins."""
    different(
        *map(pl.Series, (["ab", ""], ["a", "b"], ["", "ab"], ["ab", None])),
        *map(pl.Series, ([[1], [2]], [[1, 2], []], [[], [1, 2]], [[1, 2], None])),
        *map(pl.Series, ([b"ab", b""], [b"a", b"b"])),
    )


def test_frames_count_by_names_order_and_values():
    """And are no series, nor tables of another library."""
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    different(
        frame,
        frame.select("b", "a"),
        frame.rename({"a": "c"}),
        frame[::-1],
        frame.head(1),
        frame.clear(),
        frame.to_series(),
        frame.with_columns(a=pl.col("a").cast(pl.Int8)),
        pl.DataFrame(),
    )
    assert digest(copy.deepcopy(frame)) == digest(frame)


def test_names_of_series_count():
    """They become columns."""
    different(pl.Series("a", [1]), pl.Series("b", [1]), pl.Series([1]))


def test_a_frame_twice_is_one_frame():
    """Frames can be changed in place."""
    frame = pl.DataFrame({"a": [1]})
    assert digest([frame, frame]) != digest([frame, frame.clone()])


def test_lazy_frames_are_refused():
    """They may read files that change."""
    with pytest.raises(UnhashableValue, match="collect"):
        digest(pl.DataFrame({"a": [1]}).lazy())


def test_expressions_are_values():
    """They say what to compute, not on what."""
    different(pl.col("a") + 1, pl.col("a") + 2, pl.col("b") + 1)
    one = pl.col("a")
    assert digest([one, one]) == digest([one, pl.col("a")])
