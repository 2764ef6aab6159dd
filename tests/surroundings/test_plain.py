"""Values of settings through JSON."""

import json
import math

import matplotlib as mpl
import pytest
from cycler import cycler

from nbcache.surroundings import plain

VALUES = [
    None,
    True,
    3,
    -0.0,
    1e300,
    math.inf,
    "text \udcff",
    [1, (2.5, "x"), []],
    {"a": [1], "b": {1: 2}},
    cycler(color=["r", "g"], lw=[1, 2]),
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back(value):
    """With its type, at every level."""
    back = plain.decoded(json.loads(json.dumps(plain.encoded(value))))
    assert back == value
    assert repr(back) == repr(value)


def test_a_format_comes_back():
    """The usual way to show fewer digits."""
    assert plain.decoded(plain.encoded("{:.1f}".format))(1.25) == "1.2"


def test_all_of_matplotlib_comes_back():
    """Also enumerations, which its validators make from text."""
    for name, value in dict.items(mpl.rcParams):
        if name != "backend":
            back = plain.decoded(json.loads(json.dumps(plain.encoded(value))))
            assert mpl.rcParams.validate[name](back) == value


@pytest.mark.parametrize("value", [lambda: 1, object(), {"float": str}])
def test_functions_and_objects_are_refused(value):
    """With their type."""
    with pytest.raises(TypeError, match="cannot be stored"):
        plain.encoded(value)


def test_other_values_have_other_texts():
    """Of which keys are made: 1, 1.0 and True differ."""
    values = [1, 1.0, True, "1", [1], (1,), {"a": 1}, "{}".format, len, None]
    assert len({plain.text(value) for value in values}) == len(values)


def test_what_nobody_wrote_is_a_miss():
    """Not an error of another kind."""
    with pytest.raises(LookupError, match="unknown kind"):
        plain.decoded(["lambda", "x"])
