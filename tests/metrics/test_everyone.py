"""All values of a metric: in the declared order, here or in pools of all kinds."""

import counting
import numpy as np
import pytest
from pools import run

from nbcache import Metrics

slow = pytest.mark.slow
POOLS = [
    "threads",
    "fork",
    pytest.param("loky", marks=slow),
    pytest.param("spawn", marks=slow),
    pytest.param("submit", marks=slow),
    pytest.param("dask", marks=slow),
]
PLACES = {"cache": "", "files": "NpzStorage('metrics')"}
SOME = [
    ("threads", "files"),
    ("fork", "cache"),
    pytest.param("fork", "files", marks=slow),
    pytest.param("loky", "cache", marks=slow),
    pytest.param("spawn", "files", marks=slow),
]


# --- in order, here


def test_values_come_in_the_declared_order(where, calls):
    """Lists, dicts and single values; each once."""
    m = Metrics(where)

    @m.collect(params_list=[[3], {"a": 1, "b": 5}, 2, [3]])
    def f(a, b=0):
        counting.count(a)
        return np.array([a, b])

    found = [one.tolist() for one in m.f.get_all()]
    assert found == [[3, 0], [1, 5], [2, 0], [3, 0]]
    assert calls == [(3,), (1,), (2,)]
    assert [one.tolist() for one in m.f.get_all()] == found
    assert len(calls) == 3
    m.f.get_all(use_stored=False)
    assert len(calls) >= 6


def test_of_a_metric_without_parameters_there_is_one(where):
    """As of one with defaults."""
    m = Metrics(where)
    m.collect(name="f")(lambda: 1)
    m.collect(name="g")(lambda a=2: a)
    assert m.f.get_all() == [1]
    assert m.g.get_all() == [2]


def test_of_a_metric_that_needs_parameters_and_has_no_list_there_is_none(where):
    """Whatever it was asked for."""
    m = Metrics(where, dynamic=True)
    m.collect(name="h")(lambda a: a)
    assert m.h(5) == 5
    assert m.h.params_list == []
    assert m.h.get_all() == [] == m.h.get_all(workers=2)


def test_a_failure_keeps_what_was_computed_before(where, calls):
    """It is what the metric raised."""
    m = Metrics(where)

    @m.collect(params_list=[[1], [0], [2]])
    def f(a):
        counting.count(a)
        return 1 / a

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            m.f.get_all()
    assert calls == [(1,), (0,), (0,)]
    assert m.exists("f(1)")
    assert not m.exists("f(2)")


# --- in pools

STUDY = """
from nbcache import Metrics, NpzStorage
FACTOR = 2
m = Metrics(%s)

@m.collect(params_list=[[3], [1], [2], [5], [4]])
def f(a):
    work.begins(a)
    return np.full(3, a * FACTOR)

def values(**more):
    return [one.tolist() for one in m.f.get_all(**more)]

EXPECTED = [[2 * a] * 3 for a in (3, 1, 2, 5, 4)]
"""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", POOLS)
def test_a_pool_computes_what_is_missing(kind, place, tmp_path):
    """Each once, stored; the rest is loaded; in the declared order."""
    told, error = run(
        tmp_path,
        STUDY % PLACES[place]
        + f"""
# main
m.f(1, verbose=False)
with pool({kind!r}) as kwargs:
    assert values(**kwargs) == EXPECTED
    first = sorted(number for number, _ in work.told())
    assert values(**kwargs) == EXPECTED == values()
    second = len(work.told())
    assert values(**kwargs, use_stored=False) == EXPECTED
    third = len(work.told())
    assert values() == EXPECTED
    there = sum(m.exists(f"f({{a}})") for a in range(1, 6))
others = {{pid for _, pid in work.told()}} - {{os.getpid()}}
print(json.dumps([first, second, third, len(work.told()), there, bool(others)]))
""",
    )
    assert told == [[1, 2, 3, 4, 5], 5, 10, 10, 5, kind != "threads"]
    assert "Warning" not in error, error


CHAIN = """
from nbcache import Metrics, NpzStorage
m = Metrics(%s)

@m.collect
def base():
    work.begins(100)
    time.sleep(0.2)
    return 10

@m.collect(params_list=[[n] for n in range(4)])
def f(n):
    work.begins(n)
    return m.base(verbose=False) + n
"""


@pytest.mark.parametrize(("kind", "place"), SOME)
def test_what_all_workers_need_is_computed_once(kind, place, tmp_path):
    """One computes it, the others wait; what depends on it knows that."""
    told, _ = run(
        tmp_path,
        CHAIN % PLACES[place]
        + f"""
# main
with pool({kind!r}) as kwargs:
    values = m.f.get_all(**kwargs)
edges = sorted(m.graph().edges)
print(json.dumps([values, sorted(n for n, _ in work.told()), edges]))
""",
    )
    values, ran, edges = told
    assert values == [10, 11, 12, 13]
    assert ran == [0, 1, 2, 3, 100]
    assert edges == [[f"f({n})", "base"] for n in range(4)]


@pytest.mark.parametrize(("kind", "place"), SOME)
def test_a_failure_in_a_worker_arrives_and_the_others_are_stored(kind, place, tmp_path):
    """Its note says of which metric it is."""
    told, _ = run(
        tmp_path,
        STUDY.replace("    work.begins(a)", "    assert a != 2, 'two'") % PLACES[place]
        + f"""
# main
with pool({kind!r}) as kwargs:
    try:
        values(**kwargs)
    except AssertionError as error:
        text = [str(error), *error.__notes__]
there = [m.exists(f"f({{a}})") for a in (3, 1, 2, 5, 4)]
print(json.dumps([text, there]))
""",
    )
    text, there = told
    assert text[0] == "two"
    assert any("f(2)" in one and "the others are stored" in one for one in text[1:])
    assert there == [True, True, False, True, True]


STREAM = """
from nbcache import Metrics, NpzStorage
m = Metrics(%s)

@m.collect(params_list=[[1], [2]])
def f(a):
    work.begins(a)
    return a if a == 1 else (one for one in range(3))
"""


@pytest.mark.parametrize("place", ["cache", pytest.param("files", marks=slow)])
def test_values_that_cannot_be_stored_are_given_all_the_same(place, tmp_path):
    """From threads as they are; a line says why."""
    told, error = run(
        tmp_path,
        STREAM % PLACES[place]
        + """
# main
with pool("threads") as kwargs:
    one, two = m.f.get_all(**kwargs)
print(json.dumps([one, list(two), m.exists("f(1)"), m.exists("f(2)"), once()]))
""",
    )
    assert told == [1, [0, 1, 2], True, False, True]
    assert "not stored" in error


def test_an_unknown_executor_is_refused(where):
    """As batches refuse it."""
    m = Metrics(where)
    m.collect(name="f")(lambda: 1)
    with pytest.raises(TypeError, match="executor is"):
        m.f.get_all(executor=5)
    with pytest.raises(ValueError, match="workers is"):
        m.f.get_all(workers=0)


def test_nothing_is_started_where_nothing_is_missing(where, calls):
    """A pool that does not work is not asked."""

    class Broken:
        def submit(self, *_, **__):
            raise AssertionError("asked")

    m = Metrics(where)
    m.collect(name="f", params_list=[[1], [2]])(lambda a: a)
    m.f.get_all()
    assert m.f.get_all(executor=Broken()) == [1, 2]


def test_disabled_a_pool_computes_and_nothing_is_stored(tmp_path):
    """As one metric does."""
    told, _ = run(
        tmp_path,
        STUDY % ""
        + """
# main
with nbcache.disabled(), pool("threads") as kwargs:
    assert values(**kwargs) == EXPECTED
print(json.dumps([len(work.told()), m.exists("f(1)")]))
""",
    )
    assert told == [5, False]
