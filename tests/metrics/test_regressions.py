"""Metrics that were wrong once."""

import importlib.util
import random
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from counting import count, ran

import nbcache
from nbcache import Metrics

HEAD = "import nbcache\nfrom nbcache import Metrics\nfrom counting import count\n"


@pytest.fixture(autouse=True)
def counted():
    """Begin with nothing counted."""
    ran.clear()


@pytest.fixture
def define(tmp_path, monkeypatch):
    """Give what runs the text of a module, as if it had been edited."""
    edits = []

    def run(text):
        edits.append(text)
        folder = tmp_path / f"edit{len(edits)}"
        folder.mkdir()
        path = folder / "defined.py"
        path.write_text(HEAD + textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location("defined", path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "defined", module)
        spec.loader.exec_module(module)
        return module.m

    return run


USES = {
    "caught": "try:\n        return m.c()\n    except ValueError:\n        return -1",
    "functions": 'return m.functions["c"]()',
    "original": "return m.c.original_function()",
    "wrapped": "return m.c.__wrapped__()",
    "plain": "return c()",
    "plain_cached": "return c(cache=True)",
    "loaded": 'm.c()\n    return m.load("c")',
    "computed": 'return m.compute("c")',
    "get_all": "return m.c.get_all()[0]",
}


@pytest.mark.filterwarnings("ignore::nbcache.errors.CacheWarning")
@pytest.mark.parametrize("use", USES)
def test_whatever_way_a_metric_uses_another_an_edit_of_that_is_seen(define, use):
    """Some ways were not recorded, or only when nothing failed."""
    given = []
    for body in ('raise ValueError("not yet")', "return 5", "return 6"):
        m = define(
            f"""
            m = Metrics()
            @m.collect
            def c():
                {body}
            @m.collect
            def user():
                """
            + USES[use].replace("\n", "\n            ")
        )
        try:
            given.append(m.user(verbose=False))
        except ValueError:
            given.append(-1)
    assert given == [-1, 5, 6]


@pytest.mark.filterwarnings("ignore::nbcache.errors.CacheWarning")
def test_a_metric_that_asks_whether_another_is_stored_is_not_kept():
    """Its value was, and so the answer."""
    m = Metrics()

    @m.collect
    def other():
        return 1

    @m.collect
    def asks():
        return m.exists("other")

    assert m.asks() is False
    m.other()
    assert m.asks() is True


@pytest.mark.parametrize("what", ["m.p.get_all()", "list(m.p.params_list)"])
def test_declared_parameters_that_are_added_count(define, what):
    """All values of a metric are others when one more is declared."""
    text = """
    m = Metrics()
    @m.collect(params_list=%s)
    def p(k):
        return k
    @m.collect
    def every():
        return %s
    """
    assert define(text % ([1], what)).every() == [1]
    assert define(text % ([1, 2], what)).every() == [1, 2]


def made(k):
    """Give metrics of the same code."""
    m = Metrics(name="made")

    @m.collect
    def a():
        return k

    @m.collect
    def b():
        return m.a() * 10

    return m


def test_metrics_made_by_a_function_are_told_apart():
    """The value of the object made last was given for all."""
    one, two = made(1), made(2)
    assert [m.b() for m in (one, two, one, two)] == [10, 20, 10, 20]


both = {}


@nbcache.cached
def from_both(k):
    """Ask one of two objects of the same name."""
    return both[k].b() + 1


def test_a_cached_function_tells_metrics_made_by_a_function_apart():
    """Which of them it asked is recorded nowhere: where they differ, it runs."""
    both.update({1: made(1), 2: made(2)})
    assert [from_both(k) for k in (1, 2, 1, 2)] == [11, 21, 11, 21]


SEED = 1


def test_a_metric_that_seeds_otherwise_is_another_though_its_value_is_equal():
    """What is drawn after it is other."""
    m = Metrics()

    @m.collect
    def seeds():
        np.random.seed(SEED)
        return 0

    @m.collect
    def draws():
        m.seeds()
        return np.random.rand()

    global SEED
    given, wanted = [], []
    for SEED in (1, 2, 1):
        given.append(m.draws())
        wanted.append(np.random.RandomState(SEED).rand())
    assert given == wanted


def test_what_a_look_up_computes_leaves_the_generators_alone():
    """What was computed then drew from another state."""
    m = Metrics()

    @m.collect
    def second():
        return random.random()

    @m.collect
    def first():
        return random.random(), m.second()

    wanted = random.Random(5)
    wanted = (wanted.random(), wanted.random()), wanted.random()
    for _ in range(3):
        random.seed(5)
        assert (m.first(), random.random()) == wanted


def test_what_fails_below_a_long_chain_is_not_run_for_each_level(tmp_path):
    """It was run twice as often with each level: for hours."""
    m = Metrics(dynamic=True)
    flag = tmp_path / "flag"
    flag.write_text("good")

    @m.collect
    def leaf():
        count("leaf")
        if flag.read_text() == "bad":
            raise ValueError("it is bad")
        return 1

    @m.collect
    def level(n):
        return (m.level(n - 1) if n else m.leaf()) + 1

    assert m.level(20) == 22
    flag.write_text("bad")
    ran.clear()
    with pytest.raises(ValueError, match="it is bad"):
        m.level(20)
    assert len(ran) <= 2


def test_a_long_chain_is_brought_up_to_date_in_few_frames_of_the_stack():
    """One of 60 levels was past the limit of recursion."""
    m = Metrics(dynamic=True)

    @m.collect
    def level(n):
        count(n)
        return m.level(n - 1) + 1 if n else 0

    for n in range(0, 150, 50):
        m.level(n, verbose=False)
    ran.clear()
    assert m.level(100, verbose=False) == 100
    assert ran == []


def test_what_a_run_would_no_longer_ask_for_is_not_computed(tmp_path):
    """The metric that was chosen before was brought up to date first."""
    m = Metrics()
    mode = tmp_path / "mode"

    @m.collect
    def chosen():
        return mode.read_text()

    @m.collect
    def slow():
        count("slow")
        return mode.read_text() + "ly"

    @m.collect
    def result():
        return m.slow() if m.chosen() == "slow" else 0

    mode.write_text("slow")
    assert m.result() == "slowly"
    ran.clear()
    mode.write_text("fast")
    assert m.result() == 0
    assert ran == []


@pytest.mark.parametrize(
    "text", ["f(-'x')", "f({[1]})", "f(np.int8(300))", "f(set(1))"]
)
def test_a_name_of_no_value_is_unknown(text):
    """Reading it raised TypeError or OverflowError."""
    m = Metrics(dynamic=True)

    @m.collect
    def f(x):
        return x

    with pytest.raises(nbcache.UnknownName):
        m.get(text)


def in_a_thread(function):
    """Call a function in a thread of a pool."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


@pytest.mark.parametrize("is_file", [False, True])
def test_a_cycle_through_a_thread_is_told(tmp_path, is_file):
    """The thread waited for the metric that waited for the thread."""
    m = Metrics(nbcache.NpzStorage(tmp_path / "values") if is_file else None)

    @m.collect
    def a():
        return in_a_thread(m.b)

    @m.collect
    def b():
        return m.a() + 1

    with pytest.raises(nbcache.MetricCycle, match="a → b → a"):
        m.a()


@pytest.mark.filterwarnings("ignore::nbcache.errors.CacheWarning")
@pytest.mark.parametrize("kind", [nbcache.NpzStorage, nbcache.JsonStorage])
def test_what_cannot_be_copied_is_given_from_memory(tmp_path, kind):
    """The error of copying a lock was raised, and the value lost."""
    m = Metrics(kind(tmp_path / "values"))

    @m.collect
    def lock():
        return threading.Lock()

    assert not m.compute("lock").locked()
    assert not m.get("lock").locked()


@pytest.mark.filterwarnings("ignore::nbcache.errors.CacheWarning")
def test_what_is_held_in_memory_is_given_though_the_storage_raises():
    """Any error of a storage of a user's own was raised, and the value lost."""

    class Broken:
        def exists(self, name):
            return False

        def save(self, name, data):
            raise RuntimeError("the disk is somewhere else")

        def load(self, name):
            raise KeyError(name)

    m = Metrics(Broken())

    @m.collect
    def one():
        return 1

    assert m.compute("one") == 1
    assert m.save("one") == 1


@pytest.mark.filterwarnings("ignore::nbcache.errors.CacheWarning")
@pytest.mark.parametrize("use", ["functions", "original", "wrapped"])
def test_a_function_taken_out_of_its_metric_is_not_followed(define, use, tmp_path):
    """What it asks of the file system is told from its code, which nobody saw."""
    flag = tmp_path / "flag"
    m = define(
        f"""
        import os
        m = Metrics()
        @m.collect
        def c():
            return os.path.exists({str(flag)!r})
        @m.collect
        def user():
            {USES[use]}
        """
    )
    assert m.user() is False
    flag.write_text("")
    assert m.user() is True


@pytest.mark.filterwarnings("ignore::nbcache.errors.CacheWarning")
def test_when_a_metric_was_stored_counts_though_its_value_was_asked_for_before():
    """Only the first of what was asked of a metric was kept."""
    m = Metrics()

    @m.collect
    def other():
        return 1

    @m.collect
    def dated():
        return m.other(), m.date("other")

    before = m.dated()
    m.get("other", use_stored=False)
    assert m.dated() == (1, m.date("other")) != before


def test_objects_of_one_title_made_in_a_loop_are_not_mixed_up(tmp_path):
    """A cached function asks one of them: which it is, only running tells."""
    store = nbcache.Cache(tmp_path / "one")
    made = []
    for number in (1, 2):
        m = Metrics(store, name="same")
        value = [number]

        def a(value=value):
            return np.array(value)

        m.collect(a)
        made.append((m, value))
    first = made[0][0]

    @store.cached
    def uses():
        return int(first.a(verbose=False)[0])

    assert uses() == 1
    assert made[1][0].a(verbose=False) == [2]
    assert uses() == 1
    assert uses() == 1


def test_an_object_that_nobody_needs_any_more_does_not_count(tmp_path):
    """A definition ran again, edited."""
    store = nbcache.Cache(tmp_path / "one")

    def make(number):
        m = Metrics(store, name="same")

        @m.collect
        def a():
            return np.array([number])

        m.a(verbose=False)
        return m

    make(1)
    m = make(2)

    @store.cached
    def uses():
        return int(m.a(verbose=False)[0])

    uses()
    assert uses() == 2
    assert nbcache.last().hit


def test_a_collection_without_the_metric_is_no_dependency(tmp_path):
    """A look-up asks all of the title for it; whoever looks up depends on none."""
    store = nbcache.Cache(tmp_path / "one")
    m, without = Metrics(store, name="same"), Metrics(store, name="same")

    @m.collect
    def a():
        return np.array([1])

    @store.cached
    def inner():
        return int(m.a(verbose=False)[0])

    @store.cached
    def outer():
        return inner() + 1

    assert inner() == 1
    assert outer() == outer() == 2
    assert nbcache.last().hit
    assert without.parameterized_metrics == []
