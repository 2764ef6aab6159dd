"""Values of metrics: computed once, kept, given anew to everybody who asks."""

import datetime
import logging
import pickle
import random
import sys
import types
from pathlib import Path

import cloudpickle
import counting
import numpy as np
import pandas as pd
import pytest
from stories import process

import nbcache
from nbcache import CacheWarning, JsonStorage, Metrics, NotCached


def numbered(where=None, **options):
    """Give metrics with one of one parameter, computed in steps that are counted."""
    m = Metrics(where, **options)

    @m.collect(params_list=[[1], [2]])
    def f(a):
        counting.count(a)
        return np.array([a])

    return m


# --- get


def test_a_value_is_computed_once_and_loaded_later(where, calls):
    """By other metrics of this name, too."""
    assert numbered(where).f(1) == [1]
    assert numbered(where).f(1) == [1] == numbered(where)["f(1)"]
    assert calls == [(1,)]


def test_without_use_stored_it_is_computed_and_replaced(where, calls):
    """Also where nothing is stored yet."""
    m = numbered(where)
    assert m.get("f(1)", use_stored=False) == [1] == m.f(1, use_stored=False)
    assert m.f(1) == [1]
    assert len(calls) == 2


def test_nobody_can_change_what_is_kept(where):
    """What was given is the caller's."""
    m = numbered(where)
    for ask in (m.f, m.f, m.compute, m.compute, m.save, m.load, m.load):
        given = ask(1) if ask is m.f else ask("f(1)")
        assert given == [1]
        given[0] = 99
    m.clear("f(1)")
    for ask in (m.compute, m.compute, m.get, m.load):
        given = ask("f(1)")
        assert given == [1]
        given[0] = 99


VALUES = {
    "float": 1.5,
    "bool": True,
    "none": None,
    "text": "x",
    "numpy number": np.float32(1.5),
    "array without axes": np.array(1.5),
    "list": [1, 2],
    "list of one": [np.ones(2)],
    "empty": [],
    "tuple": (1, (2,)),
    "dict": {"arr_0": np.ones(2), 1: {2: 3}},
    "set": {1, 2},
    "date": datetime.date(2026, 11, 22),
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "mixed": [np.ones(2), "x", {"a": (1,)}],
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_is_of_one_type_now_and_later(kind, where):
    """Whatever its shape looks like."""
    value = VALUES[kind]
    m = Metrics(where)

    @m.collect
    def f():
        return value

    first, second = m.f(), m.f()
    m.clear_cache()
    third = m.load("f")
    assert type(first) is type(second) is type(third) is type(value)
    assert repr(first) == repr(second) == repr(third) == repr(value)


def test_json_gives_lists_now_and_later(calls):
    """In memory as well as from the file."""
    m = numbered(JsonStorage("j"))
    held = m.compute("f(1)")
    assert [held, m.f(1), m.f(1), m.load("f(1)")] == [[1]] * 4
    assert m.f(2) == [2] == m.f(2)
    assert type(held) is list
    assert len(calls) == 2


# --- compute, save, load


def test_compute_keeps_in_memory_only(where, calls):
    """Get and save store it without computing it again."""
    m = numbered(where)
    assert m.compute("f(1)") == [1] == m.compute("f(1)")
    assert m.load("f(1)") == [1]
    assert not m.exists("f(1)")
    assert len(calls) == 1
    assert m.save("f(1)") == [1]
    assert m.exists("f(1)")
    assert m.f(1) == [1]
    assert len(calls) == 1


def test_compute_uses_what_memory_has(where, calls):
    """Unless it is forced, or changed meanwhile."""
    m = numbered(where)
    m.f(1)
    assert m.compute("f(1)") == [1]
    assert len(calls) == 1
    assert m.compute("f(1)", force=True) == [1]
    assert len(calls) == 2
    m.clear_cache()
    assert m.compute("f(1)") == [1]
    assert len(calls) == 3


limit = [1]


def test_what_is_held_is_stored_only_if_it_is_still_right(where, monkeypatch, calls):
    """Code or globals may have changed since."""
    monkeypatch.setitem(globals(), "limit", [1])
    m = Metrics(where)

    @m.collect
    def f():
        counting.count()
        return limit[0]

    assert m.compute("f") == 1
    limit[0] = 2
    assert m.save("f") == 2
    assert m.compute("f") == 2
    assert len(calls) == 2
    limit[0] = 3
    assert m.compute("f") == 3
    assert m.get("f") == 3
    assert len(calls) == 3


def test_save_stores_what_is_not_stored(where, calls):
    """Forced, it computes in any case; it gives the value."""
    m = numbered(where)
    assert m.save("f(1)") == [1] == m.save("f(1)")
    assert len(calls) == 1
    assert m.save("f(1)", force=True) == [1]
    assert len(calls) == 2


def test_load_computes_nothing(where, calls):
    """What is not there is said to be missing."""
    m = numbered(where)
    with pytest.raises(NotCached, match=r"f\(1\) is not stored: get computes"):
        m.load("f(1)")
    m.f(1)
    calls.clear()
    assert m.load("f(1)") == [1] == m.load("f(1)", force=True)
    assert calls == []


def test_load_needs_no_function(where):
    """Nor do exists, date and clear."""
    numbered(where).f(1)
    later = Metrics(where)
    assert later.load("f(1)") == [1]
    assert later.exists("f(1)")
    assert later.date("f(1)").date() == datetime.date.today()
    assert later.clear("f(1)") == 1
    assert not later.exists("f(1)")


def test_load_prefers_what_memory_has_unless_forced(where, monkeypatch):
    """As it was computed later."""
    monkeypatch.setitem(globals(), "limit", [1])
    m = Metrics(where, track="none")

    @m.collect
    def f():
        return limit[0]

    m.f()
    limit[0] = 2
    assert m.compute("f", force=True) == 2
    assert m.load("f") == 2
    assert m.load("f", force=True) == 1


# --- exists, date, clear


def test_date_is_when_it_was_stored(where):
    """Local time, to the moment; another one after it was computed again."""
    m = numbered(where)
    before = datetime.datetime.now()
    m.f(1)
    first = m.date("f(1)")
    assert before - datetime.timedelta(seconds=1) <= first <= datetime.datetime.now()
    assert first.tzinfo is None
    m.f(1)
    assert m.date("f(1)") == first == m.date("f_1")
    m.f(1, use_stored=False)
    assert m.date("f(1)") > first


def test_date_of_what_is_not_there_is_an_error(where):
    """Of a metric that has none, and of no metric."""
    m = numbered(where)
    with pytest.raises(NotCached, match=r"f\(1\) is not stored"):
        m.date("f(1)")
    with pytest.raises(ValueError, match="no metric 'g'"):
        m.date("g")
    assert not m.exists("g")
    assert not m.exists("f(1)")


def test_clear_cache_forgets_memory_only(where, calls):
    """What is stored stays; what was only held is gone."""
    m = numbered(where)
    m.f(1)
    m.compute("f(2)")
    m.clear_cache()
    assert m.exists("f(1)")
    assert m.f(1) == [1]
    with pytest.raises(NotCached):
        m.load("f(2)")
    assert len(calls) == 2


def test_clear_deletes_one_value_or_all_of_a_metric(where, calls):
    """And says how many these were; other metrics stay."""
    m = numbered(where)
    m.collect(name="fg", params_list=[[1]])(lambda a: -a)
    m.f.get_all()
    m.fg(1)
    assert m.clear("f(1)") == 1
    assert m.clear("f(1)") == 0
    assert list(map(m.exists, ["f(1)", "f(2)", "fg(1)"])) == [False, True, True]
    m.f(1)
    assert m.clear("f") == 2
    assert list(map(m.exists, ["f(1)", "f(2)", "fg(1)"])) == [False, False, True]
    assert m.f(1) == [1]
    assert len(calls) == 4


def test_clear_forgets_what_is_held(where):
    """Or it would come back."""
    m = numbered(where)
    m.compute("f(1)")
    m.clear("f(1)")
    with pytest.raises(NotCached):
        m.load("f(1)")


def test_values_of_earlier_code_are_kept_beside_in_a_cache(monkeypatch, calls):
    """What is asked for again is not computed again."""
    monkeypatch.setitem(globals(), "limit", [1])
    m = Metrics()

    @m.collect
    def f():
        counting.count(limit[0])
        return limit[0]

    for number in (1, 2, 1, 2):
        limit[0] = number
        assert m.f() == number
        assert m.load("f") == number
    assert len(calls) == 2
    assert m.clear("f") == 1
    assert not m.exists("f")


# --- recompute, functions, set_functions_dict


def test_recompute_computes_in_any_case(where, calls):
    """And gives the value."""
    m = numbered(where)
    assert m.recompute("f(1)") == [1] == m.recompute("f(1)", downstream=False)
    assert len(calls) == 2


def test_functions_compute_without_keeping(where, calls):
    """By any spelling; those without arguments are the functions themselves."""
    m = numbered(where)

    @m.collect
    def g():
        return 5

    assert list(m.functions) == ["f(1)", "f(2)", "g"]
    assert len(m.functions) == 3
    assert m.functions["f_2"]() == [2] == m.functions["f(a=2)"]()
    assert m.functions["g"] is m.g.original_function
    assert "h" not in m.functions
    assert 5 not in m.functions
    assert len(calls) == 2
    assert not m.exists("f(2)")
    with pytest.raises(KeyError):
        m.functions["h"]


def test_another_dict_of_functions_takes_the_place_of_the_first():
    """Collected metrics stay."""
    m = numbered()
    m.set_functions_dict({"a": lambda: 1, "b": lambda: m["a"] + 1})
    assert m["b"] == 2
    m.set_functions_dict({"a": lambda: 10, "c": lambda: m["a"] + 1})
    assert m["c"] == 11
    assert m["a"] == 10
    assert list(m.functions) == ["f(1)", "f(2)", "a", "c"]
    with pytest.raises(ValueError, match="no metric 'b'"):
        m["b"]


def test_a_dict_with_one_bad_function_registers_nothing():
    """The others would ask for it."""
    m = Metrics()
    with pytest.raises(TypeError):
        m.set_functions_dict({"a": lambda: 1, "b": 5})
    with pytest.raises(ValueError, match="get"):
        m.set_functions_dict({"a": lambda: 1, "get": lambda: 1})
    assert list(m.functions) == []


def test_functions_of_a_dict_may_be_methods_and_partials(calls):
    """Whatever is called without arguments."""

    class Model:
        def __init__(self, factor):
            self.factor = factor

        def value(self):
            counting.count(self.factor)
            return self.factor

    m = Metrics()
    m.set_functions_dict({"a": Model(2).value, "b": Model(3).value})
    assert [m["a"], m["b"], m["a"], m["b"]] == [2, 3, 2, 3]
    assert calls == [(2,), (3,)]


# --- collect


def test_collect_takes_a_name_and_gives_the_function_as_it_was():
    """Its own name and its docstring stay."""
    m = Metrics()

    @m.collect(name="other", params_list=[[1]])
    def f(a, b=2):
        """Say what it is."""
        return a, b

    assert f.__name__ == "f"
    assert f.__doc__ == "Say what it is."
    assert f(5) == (5, 2)
    assert f(5, b=3) == (5, 3)
    assert m.other(1) == (1, 2)
    assert m.other.__doc__ == "Say what it is."
    assert m.other.__name__ == m.other.base_name == "other"
    assert m.other.original_function is m.other.__wrapped__
    assert repr(m.other) == "<metric other(a, b=2)>"
    assert not hasattr(m, "f")


def test_plain_calls_take_what_the_function_takes():
    """Unknown arguments are refused as ever; the caller's keywords arrive."""
    m = numbered()
    plain = m.collect(name="g")(lambda a, b=1: (a, b))
    assert plain(1, b=5) == (1, 5)
    with pytest.raises(TypeError):
        plain(1, bogus=3)
    with pytest.raises(TypeError):
        m.f(1, bogus=3)


def test_one_function_may_be_a_metric_twice(calls):
    """Under two names, and in two collections."""
    m, other = numbered(), Metrics(name="other")
    f = m.collect(name="g", params_list=[[1]])(m.f.original_function)
    other.collect(params_list=[[1]])(f)
    assert [m.f(1), m.g(1), other.f(1)] == [[1]] * 3
    assert len(calls) == 3


def test_collections_of_two_names_are_kept_apart():
    """In one cache."""
    one, two = Metrics(name="one"), Metrics(name="two")
    for m in (one, two):
        m.collect(name="f")(lambda: 1)
    one.f()
    assert one.exists("f")
    assert not two.exists("f")
    assert repr(one) == "<metrics 'one'>"


def test_a_cell_that_is_run_again_collects_again(calls):
    """The last one counts; the value stays while the code is the same."""
    m = Metrics()
    for _ in range(2):

        @m.collect
        def f():
            counting.count()
            return 1

        assert m.f() == 1
    assert len(calls) == 1

    @m.collect
    def f():  # noqa: F811
        counting.count()
        return 2

    assert m.f() == 2
    assert len(m.parameterized_metrics) == 1


def test_another_function_of_the_same_name_is_told_of():
    """Both are asked for by it."""

    def outer():
        def f():
            return 2

        return f

    m = Metrics()
    m.collect(name="f")(lambda: 1)
    with pytest.warns(CacheWarning, match="names are unique"):
        m.collect(outer())
    assert m.f() == 2


def test_metrics_are_listed_for_completion():
    """As attributes, and as keys."""
    m = numbered()
    assert "f" in dir(m)
    assert "get" in dir(m)
    assert m._ipython_key_completions_() == ["f(1)", "f(2)"]


# --- what is said


def test_lines_say_what_is_computed_and_loaded(where, capsys, caplog):
    """Once each, on stderr and in the log."""
    m = numbered(where)
    with caplog.at_level(logging.INFO, "nbcache.metrics"):
        m.f(1)
        m.f(1)
        m.clear_cache()
        m.f(1)
        m.f(1)
    lines = capsys.readouterr().err.splitlines()
    today = datetime.date.today().isoformat()
    assert [one.partition(" in ")[0] for one in lines] == [
        "nbcache: Compute f(1)",
        "nbcache: Completed f(1)",
        "nbcache: Save f(1)",
        f"nbcache: Load f(1) of {today}",
    ]
    told = [one.getMessage() for one in caplog.records if one.name == "nbcache.metrics"]
    assert [f"nbcache: {one}" for one in told] == lines


def test_nothing_is_printed_where_that_is_asked_for(where, capsys, caplog):
    """Neither of what a metric needs; the log has it all the same."""
    m = numbered(where)

    @m.collect
    def g():
        return m.f(1) + m.get("f(2)")

    m.g(verbose=False)
    m.get("g", verbose=False)
    m.compute("g", force=True, verbose=False)
    m.save("g", force=True, verbose=False)
    m.recompute("g", verbose=False)
    m.clear_cache()
    m.load("g", verbose=False)
    m.f.get_all()
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out == ""
    assert "Compute f(2)" in caplog.messages


def test_a_quiet_session_prints_nothing(capsys):
    """As other notices."""
    with nbcache.config.using(verbosity="quiet"):
        numbered().f(1)
    assert capsys.readouterr().err == ""


def test_lines_are_no_outputs_of_cached_cells(shell, capsys):
    """A hit would show them again."""
    shell.run_cell("from nbcache import Metrics\nm = Metrics()")
    shell.run_cell("@m.collect\ndef f():\n    return 1")
    shell.run_cell_magic("cached", "", "x = m.f()\nprint('done')")
    first = capsys.readouterr()
    assert "done" in first.out
    assert shell.user_ns["m"].exists("f")
    shell.run_cell("m.clear_cache(); del x")
    capsys.readouterr()
    shell.run_cell_magic("cached", "", "x = m.f()\nprint('done')")
    assert shell.user_ns["x"] == 1
    assert nbcache.last().hit
    again = capsys.readouterr()
    assert "done" in again.out
    assert "Comp" not in again.out + again.err


# --- switches


def test_disabled_every_call_computes(where, calls):
    """Nothing is read, nothing is written."""
    m = numbered(where)
    with nbcache.disabled():
        assert m.f(1) == [1] == m.f(1) == m["f(1)"]
        assert not m.exists("f(1)")
    assert len(calls) == 3
    m.f(1)
    with nbcache.disabled():
        m.f(1)
    assert len(calls) == 5


def test_read_only_uses_what_is_stored_and_stores_nothing(where, calls):
    """Also where it must compute."""
    m = numbered(where)
    m.f(1)
    with nbcache.read_only():
        assert m.f(1) == [1]
        assert m.f(2) == [2] == m.f(2)
        m.compute("f(2)")
        m.f(2)
        assert not m.exists("f(2)")
        assert m.f(1, use_stored=False) == [1]
    when = m.date("f(1)")
    assert not m.exists("f(2)")
    m.f(1)
    assert m.date("f(1)") == when


def test_refreshing_computes_and_stores(where, calls):
    """As use_stored=False."""
    m = numbered(where)
    m.f(1)
    first = m.date("f(1)")
    with nbcache.refreshing():
        assert m.f(1) == [1] == m["f(1)"]
    assert len(calls) == 3
    assert m.date("f(1)") > first
    m.f(1)
    assert len(calls) == 3


# --- random states, files


def test_after_a_metric_random_numbers_go_on_as_they_would(where):
    """Computed or loaded."""
    m = Metrics(where)

    @m.collect
    def f():
        return random.random(), np.random.random(3)

    def story():
        random.seed(1)
        np.random.seed(2)
        drawn, array = m.f(verbose=False)
        return drawn, array.tolist(), random.random(), np.random.random()

    assert story() == story()
    random.seed(5)
    other = m.f()[0]
    assert other != story()[0]


def test_a_file_that_changed_is_read_again(where, calls):
    """And one that is as it was is not."""
    m = Metrics(where)

    @m.collect
    def f():
        counting.count()
        return Path("data.txt").read_text()

    Path("data.txt").write_text("one")
    assert m.f() == "one" == m.f()
    Path("data.txt").write_text("other")
    assert m.f() == "other" == m.f()
    assert len(calls) == 2


# --- failures


def test_what_a_metric_raises_arrives_and_nothing_is_stored(where, calls):
    """The next one computes again."""
    m = Metrics(where)

    @m.collect
    def f():
        counting.count()
        if Path("bad").exists():
            raise ValueError("bad")
        return 1

    Path("bad").touch()
    for ask in (m.f, lambda: m.compute("f"), lambda: m.save("f"), lambda: m["f"]):
        with pytest.raises(ValueError, match=r"^bad$"):
            ask()
    assert not m.exists("f")
    Path("bad").unlink()
    assert m.f() == 1 == m.f()
    assert len(calls) == 5


def test_a_failing_recomputation_keeps_what_was_stored(where):
    """Until a better one comes."""
    m = Metrics(where, track="none")
    m.collect(name="f")(lambda: 1 if not Path("bad").exists() else 1 / 0)
    m.f()
    when = m.date("f")
    Path("bad").touch()
    with pytest.raises(ZeroDivisionError):
        m.f(use_stored=False)
    assert m.date("f") == when
    assert m.load("f") == 1


def test_an_interrupt_leaves_everything_usable(where):
    """Nothing is under way any more, nothing is stored."""
    m = Metrics(where)

    @m.collect
    def f():
        if Path("stop").exists():
            raise KeyboardInterrupt
        return 1

    @m.collect
    def g():
        return m.f() + 1

    Path("stop").touch()
    for ask in (m.g, lambda: m.compute("g")):
        with pytest.raises(KeyboardInterrupt):
            ask()
    assert not m.exists("f")
    assert not m.exists("g")
    Path("stop").unlink()
    assert m.g() == 2


def test_a_value_that_cannot_be_kept_is_given_all_the_same(where):
    """One line says why; it is computed each time."""
    m = Metrics(where)

    @m.collect
    def f():
        counting.count()
        return (number for number in range(3))

    for _ in range(2):
        with pytest.warns(CacheWarning, match="not stored"):
            assert list(m.f()) == [0, 1, 2]
    assert not m.exists("f")
    assert len(counting.ran) == 2


# --- pickling


def of_module(a):
    """Count where it is."""
    counting.count(a)
    return a + 1


M = Metrics(name="of this module", dynamic=True)
M.collect(of_module)


def test_metrics_of_a_module_are_pickled(calls):
    """They have the same functions, options and values."""
    live = pickle.loads(pickle.dumps(M))
    assert live.name == "of this module"
    assert live.dynamic
    M.of_module(1)
    assert live.of_module(1) == 2 == live["of_module(1)"]
    assert len(calls) == 1


def test_metrics_with_local_functions_are_pickled_by_value(where, calls):
    """Functions refer to the metrics that have them."""
    m = numbered(where)

    @m.collect
    def g():
        return m.f(1) + 1

    there = cloudpickle.loads(cloudpickle.dumps(m))
    assert there.g() == [2]
    assert there.f.params_list == [[1], [2]]
    assert there.g.original_function is not m.g.original_function
    assert m.g() == [2]
    assert len(calls) == 1


def test_a_metric_is_pickled_with_its_collection(calls):
    """It is asked for as it was."""
    m = numbered()
    metric = cloudpickle.loads(cloudpickle.dumps(m.f))
    assert metric(1) == [1]
    assert metric.base_name == "f"


# --- places


def test_two_collections_of_one_name_in_two_modules_are_told_apart(calls):
    """By their code; whoever depends on them is computed each time, never wrong."""
    text = (
        "import counting\nfrom nbcache import Metrics\nm = Metrics()\n"
        "@m.collect\ndef f():\n    counting.count('f')\n    return {}\n"
    )
    found = []
    for number in (1, 2):
        name = f"module_of_metrics_{number}"
        Path(f"{name}.py").write_text(text.format(number))
    sys.path.insert(0, ".")
    try:
        found += [__import__(f"module_of_metrics_{number}") for number in (1, 2)]
        assert [one.m.f() for one in found] == [1, 2] == [one.m.f() for one in found]
        assert len(calls) == 2
        outer = Metrics(name="outer")
        outer.collect(name="g")(lambda: found[0].m.f() * 10)
        assert outer.g() == 10 == outer.g()
    finally:
        sys.path.remove(".")
        for one in found:
            del sys.modules[one.__name__]


def test_metrics_live_in_the_given_cache(tmp_path):
    """Not in the default one."""
    with nbcache.Cache(tmp_path / "own") as cache:
        m = Metrics(cache)
        m.collect(name="f")(lambda: 1)
        assert m.f() == 1
        assert len(cache.entries()) == 1
    assert len(nbcache.entries()) == 0


LATER = """
from nbcache import Metrics, NpzStorage
import counting, numpy as np
m = Metrics(%s)

@m.collect(params_list=[[1], [2]])
def f(a):
    counting.count(a)
    return {"x": np.arange(a), "y": (a, None)}

assert m.f(2, verbose=False)["y"] == (2, None)
assert m.f(2)["x"].tolist() == [0, 1]
print(len(counting.ran))
"""


@pytest.mark.parametrize(
    "place", ["", "NpzStorage('m')", "NpzStorage('m', compress=True)"]
)
def test_a_later_session_loads_what_an_earlier_one_stored(place, tmp_path):
    """From both places."""
    assert process(tmp_path, LATER % place) == "1\n"
    assert process(tmp_path, LATER % place) == "0\n"


def test_a_users_own_storage_needs_three_methods(calls):
    """Values and what is known of them are kept in it."""
    kept = {}
    own = types.SimpleNamespace(
        exists=kept.__contains__, save=kept.__setitem__, load=kept.__getitem__
    )
    assert numbered(own).f(1) == [1] == numbered(own).f(1)
    assert "f(1)" in kept
    assert numbered(own).date("f(1)").date() == datetime.date.today()
    assert len(calls) == 1


DATA = {"x": [1, 2]}


def test_a_value_is_no_reference_to_what_its_function_reads(where, monkeypatch):
    """It is what it was when it was stored, and loaded without the function."""
    monkeypatch.setitem(globals(), "DATA", {"x": [1, 2]})
    m = Metrics(where, track="none")
    m.collect(name="f")(lambda: DATA["x"])
    assert m.f() == [1, 2]
    DATA["x"].append(3)
    m.clear_cache()
    assert m.f() == [1, 2] == m.load("f") == Metrics(where, track="none").load("f")
