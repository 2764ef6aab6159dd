"""What differs between two values, told from plain data alone."""

from __future__ import annotations

import json
import pickle
import random
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbcache.keys.dependencies import Dependencies
from nbcache.keys.details import text_details
from nbcache.keys.hashing import Walk
from nbcache.keys.key import Key, Part


def key(value: Any, label: str = "input x") -> Key:
    found = Dependencies(Walk())
    found.value(label, value)
    return Key.of(found.parts)


def stored(value: Any, label: str = "input x") -> Key:
    """Give the key as an entry holds it."""
    return Key.from_json(json.loads(json.dumps(key(value, label).to_json())))


def told(before: Any, after: Any, label: str = "input x") -> str:
    changes = stored(before, label).difference(key(after, label).described)
    return " | ".join(map(str, changes))


FRAME = pd.DataFrame({"a": [1, 2], "b": [1.5, 2.5], "c": ["x", "y"]})

CASES = [
    (FRAME, FRAME.assign(a=[1, 9], c=["u", "v"]), "values of columns 'a', 'c' changed"),
    (
        FRAME,
        FRAME.assign(a=[0, 0], d=1).astype({"b": "float32"}),
        "'d' added (int64); column 'b' float64 → float32; values of column 'a' changed",
    ),
    (FRAME, FRAME.iloc[:1], "rows 2 → 1"),
    (FRAME.set_index("c"), FRAME.set_index("a"), "column 'a' removed; "),
    (FRAME.a, FRAME.a.rename("z"), "name 'a' → 'z'"),
    (FRAME.a, FRAME.b, "int64 → float64"),
    (FRAME.a, FRAME.a[:1], "rows 2 → 1"),
    (np.zeros(3), np.ones(3), "values changed"),
    (np.zeros((2, 2)), np.asfortranarray(np.zeros((2, 2))), "memory order C → F"),
    ({"a": FRAME}, {"a": FRAME.assign(b=0.0)}, "['a'] values of column 'b' changed"),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "keys in another order"),
    ([1], (1,), "list → tuple"),
    (list(range(500)), [*range(499), 0], "something after the first 100 elements"),
    ({1, 2}, {2, 3}, "3 added; 1 removed"),
    (b"a", b"b", "input x: b'a' → b'b'"),
    (None, FRAME, "None → DataFrame"),
    ([{"a": [1, {"b": 2}]}], [{"a": [1, {"b": 3}]}], "[0]['a'][1]['b'] 2 → 3"),
    ({"password": 1}, {"password": 2}, "input x: ['password'] changed"),
]


@pytest.mark.parametrize(("before", "after", "expected"), CASES)
def test_a_change_is_told_in_terms_of_the_value(before, after, expected):
    """Columns, keys, positions, attributes: what the user would look at."""
    assert expected in told(before, after)


def test_a_part_that_does_not_change_is_not_told():
    """Digests of columns are those of their content."""
    assert told(FRAME, FRAME.copy()) == ""


def test_a_notice_tells_three_things_and_how_many_more():
    """One line must stay one."""
    many = {str(number): number for number in range(9)}
    text = told(many, {name: -number for name, number in many.items()})
    assert text.endswith("; and 5 more")


def test_a_secret_argument_has_neither_summary_nor_details():
    """Only its digest is kept."""
    row = key("wren", "argument api_key").to_json()
    assert row == [["argument api_key", row[0][1], ""]]


def test_a_private_key_holds_no_text():
    """Labels and digests identify, nothing else is kept."""
    rows = key({"name": "wren"}).without_summaries().to_json()
    assert rows == [["input x", rows[0][1], ""]]


def test_details_are_bounded():
    """An entry stays small, whatever its inputs are."""
    deep: Any = 1
    for _ in range(50):
        deep = [deep, *range(200)]
    wide = pd.DataFrame(np.zeros((1, 1000)))
    for value in (deep, wide, dict.fromkeys(range(10000), "x" * 9999), "x" * 10**6):
        assert len(json.dumps(key(value).to_json())) < 40_000


def test_rows_without_details_are_read():
    """Entries of before have none."""
    old = Key.from_json([["input x", "0" * 32, "int 1"]])
    (change,) = old.difference(key(2).described)
    assert str(change) == "input x: 1 → 2"


def test_details_that_cannot_be_read_explain_nothing():
    """A damaged or foreign entry costs the explanation alone."""
    for details in ({"kind": "table"}, {"kind": "items", "items": 3}, 7, ["x"]):
        old = Key.from_json([["input x", "0" * 32, "", details]])
        assert old.difference(key(FRAME).described)[0].lines()
    packed = {"kind": "code", "packed": "?"}
    assert Key.from_json([["code", "0", "", packed]]).parts[0].details == {
        "kind": "code"
    }


def test_long_code_is_kept_whole():
    """Deflated in the entry, and read back."""
    text = "\n".join(f"# {random.random()}" for _ in range(50))
    plain = Key((Part("code", "0", details=text_details(text, 3)),))
    (row,) = plain.to_json()
    assert "packed" in row[3]
    assert Key.from_json([row]).parts[0].details == text_details(text, 3)


def test_a_key_given_away_holds_no_values():
    """Nor does what it is pickled to."""
    found = key(FRAME)
    assert all(part.describe is None for part in found.without_values().parts)
    assert pickle.loads(pickle.dumps(found)) == found
