"""One name for one call, however it is spelled; never one name for two."""

import datetime
import decimal
import enum
import fractions
import math
import pathlib
import threading
import uuid

import counting
import numpy as np
import pandas as pd
import pytest

from nbcache import Metrics, NpzStorage, UndeclaredParameters, UnknownName
from nbcache.errors import NbcacheError


def dynamic(where=None):
    """Give metrics with one of one parameter, which says what it was given."""
    m = Metrics(where, dynamic=True)

    @m.collect
    def f(x):
        counting.count(x)
        return repr(x)

    return m


def said(x):
    """Give the name of the call f(x)."""
    m = dynamic()
    m.f(x)
    (name,) = m.functions
    return name


# --- one name


def test_a_metric_without_parameters_has_its_own_name():
    """No brackets, in either place."""
    m = Metrics()

    @m.collect
    def f():
        return 1

    m.f()
    assert list(m.functions) == ["f"]
    assert m["f"] == m["f()"] == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.f(1),
        lambda m: m.f(1, 2),
        lambda m: m.f(1, b=2),
        lambda m: m.f(a=1),
        lambda m: m.f(b=2, a=1),
        lambda m: m["f(1)"],
        lambda m: m["f(1, 2)"],
        lambda m: m["f(a=1,b=2)"],
        lambda m: m["f( b = 2 , a = 1 )"],
        lambda m: m["f(1, b=2)"],
        lambda m: m["f_1_2"],
        lambda m: m.get("f_1_2"),
        lambda m: m["f_1"],
    ],
)
def test_all_spellings_are_one_metric(ask, calls):
    """Positional, by keyword, with and without defaults, as a text."""
    m = Metrics()

    @m.collect(params_list=[[1]])
    def f(a, b=2):
        counting.count(a, b)
        return a + b

    m.f(1)
    assert ask(m) == 3
    assert calls == [(1, 2)]
    assert list(m.functions) == ["f(1, b=2)"]


def test_declared_parameters_are_spelled_in_many_ways(calls):
    """Lists, tuples, dicts by name, single values, an array of them."""
    m = Metrics()

    @m.collect(params_list=[[1], (2, 3), {"b": 5, "a": 4}, 6])
    def f(a, b=0):
        return a * 10 + b

    names = ["f(1, b=0)", "f(2, b=3)", "f(4, b=5)", "f(6, b=0)"]
    assert list(m.functions) == names
    assert m.f.get_all() == [10, 23, 45, 60]

    @m.collect(params_list=np.array([0.5, 1.5]))
    def g(a):
        counting.count(a)
        return a

    assert m.g.get_all() == [0.5, 1.5] == [m.g(0.5), m.g(1.5)]
    assert calls == [(0.5,), (1.5,)]


def test_a_generator_may_list_the_parameters():
    """It is read once."""
    m = Metrics()

    @m.collect(params_list=([number] for number in range(3)))
    def f(a):
        return a

    assert m.f.params_list == [[0], [1], [2]]
    assert m.f.get_all() == [0, 1, 2] == m.f.get_all()


def test_every_kind_of_parameter_has_its_place_in_the_name(calls):
    """Positional-only, keyword-only, star arguments."""
    m = Metrics(dynamic=True)

    @m.collect
    def f(a, /, b, *rest, c=3, **more):
        counting.count()
        return a, b, rest, c, more

    assert m.f(1, 2) == (1, 2, (), 3, {})
    assert m.f(1, b=2, c=3) == (1, 2, (), 3, {})
    assert m.f(1, 2, 5, 6, c=4, d="x") == (1, 2, (5, 6), 4, {"d": "x"})
    assert m.f(1, 2, a=0) == (1, 2, (), 3, {"a": 0})
    assert list(m.functions) == [
        "f(1, 2, c=3)",
        "f(1, 2, 5, 6, c=4, d='x')",
        "f(1, 2, c=3, a=0)",
    ]
    assert len(calls) == 3
    assert [m[name] for name in m.functions] == [
        (1, 2, (), 3, {}),
        (1, 2, (5, 6), 4, {"d": "x"}),
        (1, 2, (), 3, {"a": 0}),
    ]
    assert len(calls) == 3


def test_defaults_before_further_positional_arguments_are_spelled_so(calls):
    """Or the text would be no call."""
    m = Metrics(dynamic=True)

    @m.collect
    def f(a=1, *rest):
        counting.count()
        return a, rest

    assert m.f() == (1, ())
    assert m.f(1, 2) == (1, (2,))
    assert list(m.functions) == ["f(a=1)", "f(1, 2)"]
    assert m["f(1, 2)"] == (1, (2,))
    assert m["f(a=1)"] == (1, ())
    assert len(calls) == 2


def test_the_order_of_further_keywords_is_part_of_the_call():
    """The function can see it."""
    m = Metrics(dynamic=True)

    @m.collect
    def f(**more):
        return list(more)

    assert m.f(a=1, b=2) == ["a", "b"]
    assert m.f(b=2, a=1) == ["b", "a"]


def test_parameters_with_an_underscore_are_left_out(calls):
    """As of cached functions; the value is that of the first call."""
    m = Metrics()

    @m.collect(params_list=[[1]])
    def f(a, _log=None):
        counting.count()
        return a

    assert m.f(1, _log="x") == 1 == m.f(1, _log="y") == m.f(1)
    assert list(m.functions) == ["f(1)"]
    assert len(calls) == 1


# --- no two calls have one name

ODD = [
    0,
    -1,
    False,
    True,
    1,
    1.0,
    0.0,
    -0.0,
    1 + 0j,
    1j,
    complex(-0.0, 1),
    complex(1, -0.0),
    complex(math.nan, 1),
    np.complex128(complex(-0.0, 1)),
    math.inf,
    -math.inf,
    10**30,
    1e30,
    "1",
    b"1",
    "",
    " ",
    None,
    "None",
    "it's",
    'say "it"',
    "line\nbreak",
    "a/b",
    "../../etc",
    "a\\b",
    "f(1)",
    "1, 2",
    "1)",
    "a_b",
    "%2F",
    "é",
    "e\u0301",
    "\ud800",
    "\0",
    (),
    (1,),
    (1, 2),
    [1, 2],
    [],
    {},
    {1: 2},
    {"a": [1, (2,)]},
    set(),
    {1, 2},
    frozenset(),
    frozenset({1, 2}),
    np.float64(1),
    np.float32(1),
    np.int64(1),
    np.int32(1),
    np.bool_(True),
    np.complex128(1),
    np.str_("1"),
    range(3),
    slice(1, 2),
    ...,
    datetime.date(2026, 11, 22),
    datetime.datetime(2026, 11, 22),
    datetime.datetime(2026, 11, 22, fold=1),
    datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC),
    datetime.timedelta(1),
    decimal.Decimal("1.0"),
    decimal.Decimal("1.00"),
    fractions.Fraction(1, 2),
    uuid.UUID(int=1),
    pathlib.PurePosixPath("a"),
    np.datetime64("2026-11-22"),
    np.datetime64("2026-11-22", "s"),
    np.timedelta64(1, "D"),
    np.timedelta64(24, "h"),
    np.longdouble(1),
    np.arange(3),
    np.arange(3.0),
    np.arange(3)[::-1],
    np.arange(4).reshape(2, 2),
    np.asfortranarray(np.arange(4).reshape(2, 2)),
    pd.Series([1, 2]),
    pd.DataFrame({"a": [1, 2]}),
    pd.Timestamp("2026-11-22"),
    "x" * 300,
    "x" * 299 + "y",
    len,
    math.sin,
]


def test_no_two_values_have_one_name(where):
    """And each comes back as what it is, also from the folder."""
    m = dynamic(where)
    for one in ODD:
        assert m.f(one) == repr(one)
    assert len(m.functions) == len(ODD)
    m.clear_cache()
    with np.errstate(all="raise"):
        assert [m.f(one) for one in ODD] == list(map(repr, ODD))
    assert len(counting.ran) == len(ODD)
    if where is not None:
        assert len(where.list()) == len(ODD)


def test_names_are_calls_in_later_sessions(where):
    """They can be typed; the same parameters are meant."""
    m = dynamic(where)
    for one in ODD:
        m.f(one)
    before = len(counting.ran)
    names = [name for name in m.functions if "<" not in name]
    assert len(names) > 50
    again = dynamic(where)
    expected = [
        repr(one) for one, name in zip(ODD, m.functions, strict=True) if name in names
    ]
    assert [again[name] for name in names] == expected
    assert len(counting.ran) == before


def test_what_was_named_by_its_digest_is_found_again_in_a_cache():
    """Its arguments are stored beside it."""
    m = dynamic()
    m.f(np.arange(3))
    (name,) = m.functions
    assert dynamic()[name] == repr(np.arange(3))
    assert len(counting.ran) == 1


def test_what_has_no_content_has_no_name():
    """Which is said of the argument; plain calls take anything."""
    m = dynamic()
    with pytest.raises(TypeError, match="lock"):
        m.f(threading.Lock())
    assert counting.ran == []


def test_a_list_that_contains_itself_has_a_name(calls):
    """It ends somewhere."""
    m = dynamic()
    loop = [1]
    loop.append(loop)
    assert m.f(loop) == "[1, [...]]" == m.f(loop)
    assert len(calls) == 1


def test_the_names_of_plain_values_are_readable():
    """As Python writes them."""
    assert said(1.5) == "f(1.5)"
    assert said("a/b") == "f('a/b')"
    assert said((1, "x")) == "f((1, 'x'))"
    assert said({2, 1}) == "f({1, 2})"
    assert said(np.float32(0.5)) == "f(np.float32(0.5))"
    assert said(datetime.date(2026, 11, 22)) == "f(datetime.date(2026, 11, 22))"


def test_arrays_and_frames_are_named_by_their_content(calls):
    """Equal ones are one call."""
    m = dynamic()
    m.f(np.arange(1000))
    m.f(np.arange(1000))
    assert len(calls) == 1
    m.f(pd.DataFrame({"a": [1]}))
    m.f(pd.DataFrame({"a": [1]}))
    assert len(calls) == 2
    names = list(m.functions)
    assert names[0].startswith("f(<ndarray ")
    assert names[1].startswith("f(<DataFrame ")
    assert max(map(len, names)) < 60


def test_nan_is_one_value(calls):
    """However it was made."""
    m = dynamic()
    assert m.f(math.nan) == "nan" == m.f(float("nan")) == m["f(nan)"]
    assert len(calls) == 1


def test_sets_are_named_whatever_their_order(calls):
    """Of which they have none that can be relied on."""
    m = dynamic()
    m.f({"a", "b", "c"})
    m.f({"c", "b", "a"})
    assert len(calls) == 1


class Colour(enum.Enum):
    """A kind of a user's own."""

    RED = 1
    BLUE = 2


def test_values_of_classes_of_users_have_names(calls):
    """Of their content, not of their place in memory."""
    m = dynamic()
    assert m.f(Colour.RED) == repr(Colour.RED) == m.f(Colour.RED)
    assert m.f(Colour.BLUE) == repr(Colour.BLUE)
    assert len(calls) == 2


def test_long_names_are_cut_and_differ(calls):
    """The name is whole in memory and in the metadata; the file's is short."""
    m = dynamic(NpzStorage("metrics"))
    long = ["x" * 500 + str(number) for number in range(3)]
    assert [m.f(one) for one in long] == list(map(repr, long))
    files = list(pathlib.Path("metrics").glob("*.npz"))
    assert len(files) == 3
    assert max(len(one.name) for one in files) <= 110
    later = dynamic(NpzStorage("metrics"))
    assert [later.f(one) for one in long] == list(map(repr, long))
    assert later.exists(f"f({long[0]!r})")
    assert len(calls) == 3


def test_metrics_whose_names_hold_brackets_stay_apart():
    """A name may be any text; two that would share a call's are refused."""
    m = Metrics(dynamic=True)

    @m.collect(name="a b(c)")
    def first(x=1):
        return "first", x

    @m.collect(name="a b")
    def second(x):
        return "second", x

    assert m["a b(c)(x=1)"] == ("first", 1)
    assert m["a b(2)"] == ("second", 2)

    @m.collect(name="f", params_list=[[1]])
    def third(x):
        return x

    with pytest.raises(ValueError, match=r"'f\(1\)' is a metric of 'f' already"):

        @m.collect(name="f(1)")
        def fourth():
            return 4


# --- the short spelling


def test_the_short_spelling_is_understood_while_one_metric_fits(calls):
    """Among those declared, asked for, or stored."""
    m = Metrics(dynamic=True)

    @m.collect(params_list=[[1, 2.5]])
    def f(a, b):
        counting.count()
        return a, b

    assert m["f_1_2p5"] == (1, 2.5)
    m.f("1", 2.5)
    with pytest.raises(UnknownName, match=r"can be f\(1, 2.5\) and f\('1', 2.5\)"):
        m["f_1_2p5"]
    m.f(3, 4)
    later = Metrics(dynamic=True)
    later.collect(name="f")(m.f.original_function)
    assert later["f_3_4"] == (3, 4)
    assert len(calls) == 3


def test_a_metric_may_have_the_short_spelling_of_another_as_its_name():
    """Then it is meant."""
    m = Metrics()

    @m.collect(params_list=[[1]])
    def f(a):
        return "f", a

    assert m["f_1"] == ("f", 1)

    @m.collect
    def f_1():
        return "f_1"

    assert m["f_1"] == "f_1"
    assert m["f(1)"] == ("f", 1)


# --- name_generation


def test_names_may_be_generated(where, calls):
    """From the metric's name and the values; all other spellings are understood."""
    m = Metrics(where)

    @m.collect(
        params_list=[[1, 2], [3]],
        name_generation=lambda base, values: f"{base}-{'x'.join(map(str, values))}",
    )
    def f(a, b=0):
        counting.count()
        return a, b

    assert list(m.functions) == ["f-1x2", "f-3x0"]
    assert m.f(1, 2) == (1, 2) == m["f-1x2"] == m["f(1, b=2)"] == m["f_1_2"]
    assert m.exists("f-1x2")
    assert not m.exists("f-3x0")
    assert m.f.get_all() == [(1, 2), (3, 0)]
    assert len(calls) == 2
    assert m.f.name_generation("f", [1, 2]) == "f-1x2"


def test_generated_names_of_two_calls_are_refused():
    """At once where they are declared, else when the second one is asked for."""
    m = Metrics(dynamic=True)
    with pytest.raises(ValueError, match=r"names both f\(1\) and f\(2\) 'same'"):

        @m.collect(params_list=[[1], [2]], name_generation=lambda *_: "same")
        def f(a):
            return a

    with pytest.raises(UnknownName):
        m["same"]

    @m.collect(name_generation=lambda base, _: base)
    def g(a):
        return a

    assert m.g(1) == 1
    with pytest.raises(ValueError, match=r"names both g\(1\) and g\(2\) 'g'"):
        m.g(2)


@pytest.mark.parametrize("name", [None, "", 5])
def test_a_generated_name_is_a_text(name):
    """Anything else is refused when the metric is collected."""
    m = Metrics()
    with pytest.raises(ValueError, match="which is no name"):

        @m.collect(params_list=[[1]], name_generation=lambda *_: name)
        def f(a):
            return a


def test_generated_names_of_two_metrics_are_kept_apart():
    """Each asks for its own value."""
    m = Metrics(NpzStorage("metrics"), track="none")

    @m.collect(params_list=[[1]], name_generation=lambda *_: "same")
    def f(a):
        return "f"

    with pytest.raises(ValueError, match="'same' is a metric of 'f' already"):

        @m.collect(params_list=[[1]], name_generation=lambda *_: "same")
        def g(a):
            return "g"


# --- names that are none


@pytest.mark.parametrize(
    "name", ["", "f(", "f(1", "f(1))", "f)(", "f(1)(2)", "f(x)", "f(**{})", "f(*[1])"]
)
def test_texts_that_are_no_call_are_unknown_names(name):
    """Nothing in them is executed."""
    m = dynamic()
    with pytest.raises(UnknownName, match="no metric"):
        m[name]


@pytest.mark.parametrize(
    "name", ["f(print(1))", "f(__import__('os').getcwd())", "f(np.load(1))"]
)
def test_texts_are_read_not_executed(name):
    """Only literals are values."""
    m = dynamic()
    with pytest.raises(UnknownName, match="no metric"):
        m[name]
    assert counting.ran == []


@pytest.mark.parametrize("name", [5, None, ("f", 1), b"f"])
def test_a_name_is_a_text(name):
    """What else is given is shown."""
    m = dynamic()
    with pytest.raises(UnknownName, match="by its name"):
        m[name]


def test_a_text_that_does_not_fit_the_function_says_so():
    """As the call would."""
    m = dynamic()
    for name in ("f(1, 2)", "f(y=1)", "f"):
        with pytest.raises((TypeError, NbcacheError)) as caught:
            m[name]
        assert not isinstance(caught.value, UndeclaredParameters)
