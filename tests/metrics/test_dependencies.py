"""What a metric asked for is recorded, and brought up to date before it is used."""

import threading
from concurrent.futures import ThreadPoolExecutor

import counting
import numpy as np
import pytest
from stories import process

import nbcache
from nbcache import Metrics, cached
from nbcache.errors import MetricCycle

LEVEL = [1]
OTHER = [10]


@pytest.fixture(autouse=True)
def levels(monkeypatch):
    """Give globals that metrics read."""
    monkeypatch.setitem(globals(), "LEVEL", [1])
    monkeypatch.setitem(globals(), "OTHER", [10])


def ran():
    """Give what was executed since the last time."""
    names = [one[0] for one in counting.ran]
    counting.ran.clear()
    return names


def chained(where=None, track="auto"):
    """Give metrics a <- b <- c, of which a reads a global."""
    m = Metrics(where, track=track)

    @m.collect
    def a():
        counting.count("a")
        return LEVEL[0]

    @m.collect
    def b():
        counting.count("b")
        return m.a() % 10

    @m.collect
    def c():
        counting.count("c")
        return m.b() + 100

    return m


# --- kept while equal, computed again when changed


def test_a_chain_is_computed_from_its_end_once(where):
    """Each is stored; asked for again, nothing runs."""
    m = chained(where)
    assert m.c() == 101
    assert ran() == ["c", "b", "a"]
    assert [m.a(), m.b(), m.c()] == [1, 1, 101]
    assert ran() == []


def test_a_change_at_the_beginning_reaches_the_end(where):
    """Though nobody asked for what is between."""
    m = chained(where)
    m.c()
    ran()
    LEVEL[0] = 2
    assert m.c() == 102
    assert sorted(ran()) == ["a", "b", "c"]
    assert m.c() == 102
    assert ran() == []


def test_a_change_that_does_not_show_goes_no_further(where):
    """B is the same for 1 and 11: c is kept."""
    m = chained(where)
    assert m.c() == 101
    ran()
    LEVEL[0] = 11
    assert m.c() == 101
    assert ran() == ["a", "b"]
    assert m.c() == 101
    assert ran() == []


def test_without_tracking_dependencies_still_count(where):
    """What is recomputed by hand reaches the end."""
    m = chained(where, track="none")
    assert m.c() == 101
    LEVEL[0] = 2
    assert m.c() == 101
    m.a(use_stored=False)
    assert m.c() == 102
    m.recompute("a")
    ran()
    assert m.c() == 102
    assert ran() == []


def test_a_dependency_that_was_cleared_is_computed_to_compare(where):
    """Its value is what it was: the rest is kept."""
    m = chained(where)
    m.c()
    ran()
    m.clear("a")
    m.clear("b")
    assert m.c() == 101
    assert sorted(ran()) == ["a", "b"]


def test_code_of_a_dependency_that_changed_counts(where):
    """Redefined, as by a cell that is run again."""
    m = chained(where)
    assert m.c() == 101

    @m.collect
    def a():
        return 5

    assert m.c() == 105


def test_a_diamond_is_computed_once(where):
    """However many ways lead to a metric."""
    m = Metrics(where)

    @m.collect
    def a():
        counting.count("a")
        return LEVEL[0]

    for name in "bcd":
        m.collect(name=name)(
            lambda name=name: counting.count(name) or (name, m.a(verbose=False))
        )

    @m.collect
    def top():
        counting.count("top")
        return [m[name] for name in "bcd"]

    assert m.top() == [("b", 1), ("c", 1), ("d", 1)]
    assert sorted(ran()) == ["a", "b", "c", "d", "top"]
    LEVEL[0] = 2
    assert m.top() == [("b", 2), ("c", 2), ("d", 2)]
    assert sorted(ran()) == ["a", "b", "c", "d", "top"]


def test_what_a_run_did_not_ask_for_does_not_count(where):
    """Which metric it is may depend on another one."""
    m = Metrics(where)
    m.collect(name="which")(lambda: "x" if LEVEL[0] == 1 else "y")
    m.collect(name="x")(lambda: counting.count("x") or 1)
    m.collect(name="y")(lambda: counting.count("y") or OTHER[0])

    @m.collect
    def chosen():
        counting.count("chosen")
        return m[m["which"]]

    assert m.chosen() == 1
    assert ran() == ["chosen", "x"]
    OTHER[0] = 20
    assert m.chosen() == 1
    assert ran() == []
    LEVEL[0] = 2
    assert m.chosen() == 20
    assert ran() == ["chosen", "y"]
    OTHER[0] = 30
    assert m.chosen() == 30
    assert ran() == ["y", "chosen"]
    assert m.graph().dependencies("chosen") == ["which", "y"]


def test_parameters_of_dependencies_count(where):
    """Each call is a metric of its own."""
    m = Metrics(where, track="none")

    @m.collect(params_list=[[1], [2]])
    def x(a):
        return LEVEL[0] * a

    @m.collect(params_list=[[1], [2]])
    def y(a):
        counting.count(f"y{a}")
        return m.x(a) + 1

    assert m.y.get_all() == [2, 3]
    ran()
    LEVEL[0] = 5
    m.x(2, use_stored=False)
    assert m.y.get_all() == [2, 11]
    assert ran() == ["y2"]


def test_arrays_are_compared_by_content(where):
    """As what depends on them sees it."""
    m = Metrics(where)
    m.collect(name="a")(lambda: np.arange(4.0) * (1 if LEVEL[0] < 5 else 2))
    m.collect(name="b")(lambda: counting.count("b") or m.a().sum())
    assert m.b() == 6
    LEVEL[0] = 2
    assert m.b() == 6
    assert ran() == ["b"]
    LEVEL[0] = 5
    assert m.b() == 12
    assert ran() == ["b"]


def test_values_that_cannot_be_kept_make_what_needs_them_computed(where):
    """Each time, with its lines why."""
    m = Metrics(where)

    @m.collect
    def stream():
        counting.count("stream")
        return (number for number in (1, 2))

    @m.collect
    def total():
        counting.count("total")
        return sum(m.stream())

    for _ in range(2):
        with pytest.warns(nbcache.CacheWarning, match="not stored"):
            assert m.total() == 3
    assert ran().count("total") == 2


def test_compute_and_load_are_recorded_as_well(where):
    """Whichever way a metric asks."""
    m = Metrics(where, track="none")
    m.collect(name="a")(lambda: LEVEL[0])

    @m.collect
    def b():
        return m.compute("a", verbose=False) + 1

    @m.collect
    def d():
        return m.load("a", verbose=False) + 1

    m.a()
    assert [m.b(), m.d()] == [2, 2]
    LEVEL[0] = 5
    m.a(use_stored=False)
    assert m.b() == 6
    assert m.d() == 6


def test_plain_calls_depend_on_what_the_other_depends_on(where):
    """They are part of the run."""
    m = Metrics(where)
    m.collect(name="a")(lambda: LEVEL[0])
    b = m.collect(name="b")(lambda: m.a() + 1)
    m.collect(name="c")(lambda: b() * 10)
    assert m.c() == 20
    LEVEL[0] = 2
    assert m.c() == 30
    assert m.graph().dependencies("c") == ["a"]


def test_two_collections_depend_on_each_other(where):
    """One in files, one in the cache."""
    one, two = Metrics(where, name="one"), Metrics(name="two")
    one.collect(name="a")(lambda: LEVEL[0])
    two.collect(name="b")(lambda: counting.count("b") or one.a() + 1)
    one.collect(name="c")(lambda: counting.count("c") or two.b() * 10)
    assert one.c() == 20
    assert ran() == ["c", "b"]
    assert one.c() == 20
    assert ran() == []
    LEVEL[0] = 2
    assert one.c() == 30
    assert sorted(ran()) == ["b", "c"]


LATER = """
import counting, os
from nbcache import Metrics, NpzStorage
m = Metrics(%s)
LEVEL = int(os.environ["LEVEL"])

@m.collect
def a():
    counting.count("a")
    return LEVEL

@m.collect
def b():
    counting.count("b")
    return m.a() + 1

print(m.b(verbose=False), [one for one, in counting.ran])
"""


@pytest.mark.parametrize(
    "place", ["", pytest.param("NpzStorage('m')", marks=pytest.mark.slow)]
)
def test_dependencies_are_recorded_for_later_sessions(place, tmp_path):
    """Where another value is noticed before anything is asked for."""
    text = LATER % place
    assert process(tmp_path, text, LEVEL="1") == "2 ['b', 'a']\n"
    assert process(tmp_path, text, LEVEL="1") == "2 []\n"
    assert sorted(process(tmp_path, text, LEVEL="5").strip()) == sorted("6 ['a', 'b']")


# --- cached functions and cells between metrics


def test_a_cached_function_depends_on_the_metrics_that_it_asks(where):
    """It is computed again when one of them changes."""
    m = chained(where)

    @cached
    def outer():
        counting.count("outer")
        return m.b() * 2

    assert outer() == 2 == outer()
    assert ran() == ["outer", "b", "a"]
    LEVEL[0] = 11
    assert outer() == 2
    assert ran() == ["a", "b"]
    LEVEL[0] = 3
    assert outer() == 6
    assert sorted(ran()) == ["a", "b", "outer"]


def test_a_metric_depends_on_metrics_behind_a_cached_function(where):
    """Also if that was a hit."""
    m = chained(where)

    @cached
    def between():
        counting.count("between")
        return m.a() * 2

    m.collect(name="top")(lambda: counting.count("top") or between() + 1)
    between()
    ran()
    assert m.top() == 3
    assert ran() == ["top"]
    assert m.top() == 3
    assert ran() == []
    LEVEL[0] = 4
    assert m.top() == 9
    assert sorted(ran()) == ["a", "between", "top"]


METRIC_CELL = """
import counting
from nbcache import Metrics
m = Metrics()
level = 1

@m.collect
def a():
    counting.count("a")
    return level % 10
"""


def test_a_cached_cell_depends_on_the_metrics_that_it_asks(shell):
    """It is computed again when the value of one would be another."""
    shell.run_cell(METRIC_CELL)
    cell = "counting.count('cell')\nx = m.a(verbose=False) + 1"

    def run():
        shell.run_cell_magic("cached", "", cell)
        return shell.user_ns["x"]

    assert run() == 2
    assert ran() == ["cell", "a"]
    assert run() == 2
    assert ran() == []
    shell.user_ns["level"] = 11
    assert run() == 2
    assert ran() == ["a"]
    shell.user_ns["level"] = 5
    assert run() == 6
    assert sorted(ran()) == ["a", "cell"]
    shell.run_cell("@m.collect\ndef a():\n    return 7")
    assert run() == 8
    assert ran() == ["cell"]


def test_metrics_that_are_collected_in_a_cached_cell_work(shell):
    """Collecting is what the cell does each time, or restores."""
    shell.run_cell("from nbcache import Metrics\nm = Metrics()")
    cell = "@m.collect\ndef a():\n    return 1"
    for _ in range(2):
        shell.run_cell_magic("cached", "", cell)
        shell.run_cell("y = m.a()")
        assert shell.user_ns.pop("y") == 1


# --- threads


def test_what_threads_of_a_metric_ask_for_is_recorded_or_the_value_not_kept(where):
    """In no case the stored value stays though it is another."""
    m = Metrics(where)
    m.collect(name="a")(lambda: LEVEL[0])
    m.collect(name="b")(lambda: OTHER[0])

    @m.collect
    def both():
        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(m.get, ["a", "b"]))

    @m.collect
    def single():
        found = []
        thread = threading.Thread(target=lambda: found.append(m.a()))
        thread.start()
        thread.join()
        return found[0]

    assert [m.both(), m.single()] == [11, 1]
    assert [m.both(), m.single()] == [11, 1]
    LEVEL[0] = 2
    assert [m.both(), m.single()] == [12, 2]
    OTHER[0] = 20
    assert m.both() == 22


def test_many_threads_ask_for_one_metric(where):
    """It is computed once; each has the value."""
    m = Metrics(where)

    @m.collect
    def slow():
        counting.count("slow")
        threading.Event().wait(0.05)
        return np.arange(3)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: m.slow(verbose=False), range(8)))
    assert [one.tolist() for one in found] == [[0, 1, 2]] * 8
    assert len({id(one) for one in found}) == 8
    assert ran() == ["slow"]


# --- chains longer than the stack of calls


def long_chain(where=None):
    """Give metrics of which each step asks for the one before."""
    m = Metrics(where, dynamic=True)

    @m.collect
    def start():
        counting.count("start")
        return 10 // LEVEL[0]

    @m.collect
    def step(n):
        counting.count(n)
        before = m.step(n - 1, verbose=False) if n else m.start(verbose=False)
        return before + 1

    return m


def test_a_chain_may_be_longer_than_the_stack(where):
    """It is computed in pieces, and loaded at once."""
    m = long_chain(where)
    for n in range(0, 101, 20):
        assert m.step(n, verbose=False) == n + 11
    assert len(ran()) == 102
    later = long_chain(where)
    assert later.step(100, verbose=False) == 111
    assert ran() == []
    graph = later.graph()
    assert len(graph.upstream("step(100)")) == 101
    assert len(graph.text().splitlines()) == 102


@pytest.mark.slow
def test_a_long_chain_is_brought_up_to_date_from_its_beginning(where):
    """Each step once; also after the beginning failed."""
    m = long_chain(where)
    for n in range(0, 101, 20):
        m.step(n, verbose=False)
    ran()
    LEVEL[0] = 2
    assert m.step(100, verbose=False) == 106
    assert ran() == ["start", *range(101)]
    LEVEL[0] = 0
    with pytest.raises(ZeroDivisionError):
        m.step(30, verbose=False)
    assert set(ran()) == {"start", *range(31)}
    LEVEL[0] = 1
    assert m.step(100, verbose=False) == 111


def test_a_long_circle_of_old_records_ends(where):
    """Today's functions have none."""
    old = Metrics(where, dynamic=True, track="none")
    old.collect(name="step")(lambda n: old.step(n - 1, verbose=False) if n else 0)
    for n in range(0, 61, 20):
        old.step(n, verbose=False)
    circle = Metrics(where, dynamic=True, track="none")
    circle.collect(name="step")(lambda n: n or circle.load("step(60)", verbose=False))
    # now the first one was computed from the last one's value, and that from it
    assert circle.step(0, use_stored=False, verbose=False) == 0
    assert circle.graph().dependencies("step(0)") == ["step(60)"]
    assert circle.graph().dependencies("step(60)") == ["step(59)"]
    assert circle.step(60, verbose=False) == 0
    assert circle.recompute("step(60)", downstream=False, verbose=False) == 60
    assert circle.step(0, verbose=False) == 60


# --- the graph


def test_the_graph_tells_what_was_asked_for(where):
    """As text, as lists, as a table, as a figure."""
    m = chained(where)
    assert m.graph().text() == "no metric was computed yet"
    assert m.graph().nodes == ()
    m.collect(name="alone")(lambda: 1)
    m.c()
    m.alone()
    graph = m.graph()
    assert str(graph) == repr(graph) == graph.text()
    assert "c\n  b\n    a" in graph.text()
    assert "alone" in graph.text().splitlines()
    assert set(graph.edges) == {("b", "a"), ("c", "b")}
    order = [name for name in graph.nodes if name != "alone"]
    assert order == ["a", "b", "c"]
    assert graph.dependencies("c") == ["b"]
    assert graph.dependents("a") == ["b"]
    assert graph.upstream("c") == ["a", "b"]
    assert graph.downstream("a") == ["b", "c"]
    assert graph.downstream("c") == [] == graph.upstream("a")
    table = graph.data().set_index("metric")
    assert table.loc["c", "depends_on"] == ["b"]
    assert table.loc["a", "seconds"] >= 0
    assert abs(table.loc["a", "date"] - m.date("a")).total_seconds() < 1e-3
    axes = graph.figure().axes[0]
    drawn = {text.get_text() for text in axes.texts}
    assert {"a", "b", "c", "alone"} <= drawn


def test_the_graph_has_calls_with_their_parameters():
    """And tells what is in memory only."""
    m = Metrics(dynamic=True)
    m.collect(name="x")(lambda a: a)
    m.collect(name="y")(lambda a: m.x(a) + m.x(a + 1))
    m.compute("y(1)")
    graph = m.graph()
    assert graph.dependencies("y(1)") == ["x(1)", "x(2)"]
    assert set(graph.data()["metric"]) == {"x(1)", "x(2)", "y(1)"}


def test_the_graph_is_of_the_last_runs(where):
    """What an earlier one asked for is gone."""
    m = Metrics(where)
    m.collect(name="a")(lambda: 1)
    m.collect(name="b")(lambda: 2)
    m.collect(name="top")(lambda: m["a"] if LEVEL[0] == 1 else m["b"])
    m.top()
    assert m.graph().dependencies("top") == ["a"]
    LEVEL[0] = 2
    m.top()
    assert m.graph().dependencies("top") == ["b"]


# --- recompute


def test_recompute_brings_what_depends_on_it_up_to_date(where):
    """In order; what shows no change is kept."""
    m = chained(where, track="none")
    m.collect(name="side")(lambda: counting.count("side") or 1)
    m.c()
    m.side()
    ran()
    LEVEL[0] = 2
    assert m.recompute("a") == 2
    assert ran() == ["a", "b", "c"]
    assert m.load("c") == 102
    LEVEL[0] = 12
    m.recompute("a")
    assert ran() == ["a", "b"]


def test_recompute_alone_leaves_the_rest_for_later(where):
    """Until it is asked for."""
    m = chained(where, track="none")
    m.c()
    ran()
    LEVEL[0] = 2
    assert m.recompute("a", downstream=False) == 2
    assert ran() == ["a"]
    assert m.load("c") == 101
    assert m.c() == 102
    assert ran() == ["b", "c"]


def test_recompute_passes_over_what_is_not_collected_any_more(where):
    """It is only stored."""
    m = chained(where)
    m.c()
    later = Metrics(where)
    later.collect(m.a.original_function)
    later.collect(m.b.original_function)
    assert later.recompute("a") == 1
    assert later.exists("c")


# --- cycles


def test_a_metric_that_asks_for_itself_is_named(where):
    """It is not stored; other metrics work."""
    m = Metrics(where)
    m.collect(name="a")(lambda: m["a"])
    m.collect(name="b")(lambda: 1)
    for ask in (m.a, lambda: m.compute("a"), lambda: m.a(use_stored=False)):
        with pytest.raises(MetricCycle, match=r"a depends on itself: a → a"):
            ask()
    assert not m.exists("a")
    assert m.b() == 1


def test_a_cycle_names_all_that_are_in_it(where):
    """From whichever it is asked for; and not what leads to it."""
    m = Metrics(where, dynamic=True)
    m.collect(name="p")(lambda n: m.q(n))
    m.collect(name="q")(lambda n: m.r(n))
    m.collect(name="r")(lambda n: m.p(n))
    m.collect(name="top")(lambda: m.p(1))
    with pytest.raises(MetricCycle) as caught:
        m.top()
    assert caught.value.names == ("p(1)", "q(1)", "r(1)", "p(1)")
    with pytest.raises(MetricCycle, match=r"r\(1\) → p\(1\) → q\(1\) → r\(1\)"):
        m.r(1)


def test_a_cycle_across_collections_is_found(where):
    """Each in its own place."""
    one, two = Metrics(where, name="one"), Metrics(name="two")
    one.collect(name="a")(lambda: two.b())
    two.collect(name="b")(lambda: one.a())
    with pytest.raises(MetricCycle, match="a → b → a"):
        one.a()


def test_parameters_that_end_are_no_cycle(where):
    """Each call is a metric of its own."""
    m = Metrics(where, dynamic=True)

    @m.collect
    def fibonacci(n):
        counting.count(n)
        return n if n < 2 else m.fibonacci(n - 1) + m.fibonacci(n - 2)

    assert m.fibonacci(20) == 6765
    assert len(ran()) == 21
    assert m.fibonacci(20) == 6765
    assert ran() == []


def test_old_records_in_a_circle_are_no_cycle(where):
    """Only today's code can have one."""
    m = Metrics(where)
    m.collect(name="a")(lambda: m["b"] + 1 if LEVEL[0] == 1 else 5)
    m.collect(name="b")(lambda: m["a"] + 1 if LEVEL[0] == 2 else 7)
    assert m["a"] == 8
    LEVEL[0] = 2
    assert m["b"] == 6
    assert [m["a"], m["b"]] == [5, 6]
    LEVEL[0] = 1
    assert [m["a"], m["b"]] == [8, 7]


def test_old_records_in_a_circle_without_tracking_are_computed_away(where):
    """The stored ones ask for each other; the functions do not any more."""
    first = Metrics(where, track="none")
    first.collect(name="a")(lambda: first["b"] + 1)
    first.collect(name="b")(lambda: 7)
    assert first["a"] == 8
    second = Metrics(where, track="none")
    second.collect(name="a")(lambda: 5)
    second.collect(name="b")(lambda: second["a"] + 1)
    second.get("b", use_stored=False)
    assert second["b"] == second["a"] + 1
    assert second["a"] in (5, 8)
    second.graph().text()
    second.graph().figure()
    assert second.recompute("a") == 5
    assert second["b"] == 6


# --- what cannot be told any more


def test_a_failing_metric_is_not_run_again_and_again(where):
    """However long the chain is that depends on it."""
    m = Metrics(where)

    @m.collect(params_list=[[n] for n in range(12)])
    def f(n):
        if n == 0:
            counting.count("first")
            return 1 // LEVEL[0]
        return m.f(n - 1) + 1

    assert m.f(11) == 12
    assert ran() == ["first"]
    LEVEL[0] = 0
    with pytest.raises(ZeroDivisionError):
        m.f(11)
    assert len(ran()) < 50
    LEVEL[0] = 2
    assert m.f(11) == 11


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m["later"],
        lambda m: m.later(),
        lambda m: m.get("later"),
        lambda m: m.load("later"),
        lambda m: m.known(2),
    ],
)
def test_what_a_metric_does_without_may_be_there_later(ask, where):
    """It is not taken to be missing for ever."""
    m = Metrics(where)
    m.collect(name="known", params_list=[[1]])(lambda a: a * 100)

    @m.collect
    def top():
        try:
            return ask(m)
        except (KeyError, ValueError, AttributeError):
            return "nothing"

    assert m.top() == "nothing" == m.top()
    m.collect(name="later")(lambda: 200)
    m.collect(name="known", params_list=[[1], [2]])(lambda a: a * 100)
    m.later()
    assert m.top() == 200


def test_what_is_stored_of_a_metric_is_looked_at_each_time(where):
    """A metric that asks whether another is there is computed again."""
    m = Metrics(where)
    m.collect(name="a")(lambda: 1)
    m.collect(name="there")(lambda: m.exists("a"))
    assert m.there() is False
    m.a()
    assert m.there() is True


def test_a_dependency_that_fails_now_makes_the_metric_run(where, tmp_path):
    """Which raises what it raises, or does without."""
    m = Metrics(where)
    m.collect(name="a")(lambda: 1 / (LEVEL[0] - 5))

    @m.collect
    def strict():
        return m.a()

    @m.collect
    def lenient():
        try:
            return m.a()
        except ZeroDivisionError:
            return "failed"

    assert [m.strict(), m.lenient()] == [-0.25, -0.25]
    LEVEL[0] = 5
    with pytest.raises(ZeroDivisionError):
        m.strict()
    assert m.lenient() == "failed"
    LEVEL[0] = 6
    assert [m.strict(), m.lenient()] == [1.0, 1.0]


def test_a_dependency_that_is_not_collected_any_more_makes_the_metric_run(where):
    """Then it says what is missing, if it still asks for it."""
    m = chained(where)
    m.c()
    ran()
    later = Metrics(where)

    @later.collect
    def c():
        return later.b() + 100

    with pytest.raises(AttributeError, match="no metric 'b'"):
        later.c()

    @later.collect
    def b():
        counting.count("new b")
        return 3

    assert later.c() == 103
    assert ran() == ["new b"]


def test_a_dependency_with_other_parameters_now_makes_the_metric_run(where):
    """A call of then is none of today's."""
    m = Metrics(where, dynamic=True)
    m.collect(name="x")(lambda a: a)
    m.collect(name="y")(lambda: m["x(1)"] + 1)
    assert m.y() == 2
    m.collect(name="x")(lambda a, b=5: a + b)
    assert m.y() == 7


def test_files_that_a_dependency_reads_count(where, tmp_path):
    """Through all metrics between."""
    path = tmp_path / "data.txt"
    path.write_text("1")
    m = Metrics(where)
    m.collect(name="a")(lambda: int(path.read_text()))
    m.collect(name="b")(lambda: counting.count("b") or m.a() + 1)
    assert m.b() == 2
    path.write_text("10")
    assert m.b() == 11
    assert ran() == ["b", "b"]
