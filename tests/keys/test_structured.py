"""Digests of structured arrays, and of dtypes with bytes that mean nothing."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from digests import different, same


def test_fields_count_by_name_offset_and_title():
    """Layout is part of a dtype."""
    data = [(1, 2.0)]
    plain = np.dtype([("a", "i4"), ("b", "f8")])
    kinds = [
        plain,
        np.dtype([("a", "i4"), ("c", "f8")]),
        np.dtype([("a", "i4"), ("b", "f8")], align=True),
        np.dtype({"names": ["a", "b"], "formats": ["i4", "f8"], "offsets": [8, 0]}),
        np.dtype({"names": ["a", "b"], "formats": ["i4", "f8"], "itemsize": 32}),
        np.dtype([(("title", "a"), "i4"), ("b", "f8")]),
        np.dtype([("a", "i4", (1,)), ("b", "f8")]),
        np.dtype((np.record, plain)),
    ]
    different(*kinds)
    different(*[np.zeros(3, kind) for kind in kinds])
    same(np.array(data, plain), np.array(data, plain))
    different(np.array(data, plain), np.array([(1, 3.0)], plain))


def test_bytes_that_only_align_fields_do_not_count():
    """They are whatever was in memory."""
    kind = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    one, other = np.zeros(3, kind), np.frombuffer(b"\xff" * 48, kind).copy()
    other["a"], other["b"] = 0, 0
    same(one, other)
    other["b"][1] = 1
    different(one, other)


def test_bytes_that_explicit_offsets_leave_out_count():
    """A view with another dtype shows them."""
    kind = np.dtype({"names": ["a"], "formats": ["i4"], "offsets": [0], "itemsize": 8})
    raw = np.array([1, 2], "i4").view(np.uint8)
    one, other = raw.copy().view(kind), raw.copy().view(kind)
    other.view("i4")[1] = 3
    different(one, other)


def test_objects_inside_structures_are_digested_by_value():
    """Not by their addresses."""
    kind = np.dtype([("a", "i4"), ("b", object), ("c", [("d", object)])])
    one = np.array([(1, "x", ([2],))], kind)
    same(one, copy.deepcopy(one))
    different(
        one, np.array([(1, "y", ([2],))], kind), np.array([(1, "x", ([3],))], kind)
    )


def test_idle_bytes_of_long_doubles_do_not_count():
    """Six of sixteen are never written on x86."""
    if np.finfo(np.longdouble).nmant != 63:
        pytest.skip("long doubles have no idle bytes on this machine")
    one = np.ones(3, np.longdouble)
    other = one.copy()
    other.view(np.uint8).reshape(3, -1)[:, 10:] = 255
    same(one, other)
    same(one.astype("G"), other.astype("G"))
    different(one, one * 2, one + np.finfo(np.longdouble).eps)


def test_metadata_of_a_dtype_counts():
    """It is carried along."""
    plain = np.dtype("i4")
    different(
        *[np.zeros(2, np.dtype("i4", metadata=m)) for m in ({"u": "m"}, {"u": "s"})],
        np.zeros(2, plain),
    )
    different(plain, np.dtype("i4", metadata={"u": "m"}))
