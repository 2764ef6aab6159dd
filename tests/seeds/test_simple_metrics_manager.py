"""The scenarios of simple_metrics_manager: nbcache's metrics take its place."""

import pickle
import re
import threading
from datetime import date
from pathlib import Path

import counting
import numpy as np
import pytest
from stories import counted_by_a_list, process, script

from nbcache import FileStorage, JsonStorage, Metrics, NpyStorage, NpzStorage
from nbcache.errors import UnstorableValue

PLACES = {"cache": "", "files": "NpzStorage('metrics')"}

IMPORTS = """
import contextlib, io, re, sys
import counting
import numpy as np
from nbcache import Metrics, NpzStorage, UnknownName

def quiet(f, *a, **k):
    o = io.StringIO()
    with contextlib.redirect_stderr(o):
        r = f(*a, **k)
    return r, o.getvalue()
"""


@pytest.fixture(params=list(PLACES))
def where(request):
    """Give where values are kept: the default cache, or a folder of files."""
    return NpzStorage("metrics") if request.param == "files" else None


def files(folder):
    """Give the names of the files that people see."""
    return sorted(one.name for one in Path(folder).glob("[!.]*"))


def stored():
    """Give the names of the files of values."""
    return [name for name in files("metrics") if name.endswith(".npz")]


# --- S01


def test_S01_metric_with_memory_and_disk_cache_and_date(where, calls, capsys):
    """Computed once, said so once; stored with its date."""
    CM = Metrics(where)

    @CM.collect
    def metric_1():
        counting.count(1)
        return np.arange(3)

    r = CM.metric_1()
    out = capsys.readouterr().err
    assert r.tolist() == [0, 1, 2]
    assert "Compute metric_1" in out
    assert "Completed metric_1 in" in out
    assert "Save metric_1" in out
    r2 = CM.metric_1()
    assert calls == [(1,)]
    assert capsys.readouterr().err == ""
    assert np.array_equal(r, r2)
    assert CM.exists("metric_1")
    assert CM.date("metric_1").date() == date.today()
    if where is not None:
        assert files("metrics") == ["metric_1.meta.json", "metric_1.npz"]


S01 = """
CM = Metrics(%s)

@CM.collect
def metric_1():
    counting.count(1)
    return np.arange(3)

r, out = quiet(CM.metric_1)
assert np.array_equal(r, [0, 1, 2])
print(len(counting.ran), bool(re.search(r"Load metric_1 of \\d{4}-\\d\\d-\\d\\d", out)))
"""


@pytest.mark.parametrize("place", PLACES)
def test_S01_in_a_new_process_it_is_loaded(place, tmp_path):
    """The line says of which day it is."""
    text = IMPORTS + S01 % PLACES[place]
    assert process(tmp_path, text) == "1 False\n"
    assert process(tmp_path, text) == "0 True\n"


COUNTED_BY_A_LIST = """
import numpy as np
from nbcache import Metrics
CM = Metrics()
calls = []

@CM.collect
def metric_1():
    calls.append(1)
    return np.arange(3)

assert CM.metric_1().tolist() == [0, 1, 2] == CM.metric_1().tolist()
print(calls)
"""


def test_S01_counted_by_a_global_list(tmp_path):
    """Writing to it is no input; one warning says that a hit does not repeat it."""
    assert counted_by_a_list(tmp_path, COUNTED_BY_A_LIST) == "[1]\n"


# --- S02


def test_S02_decorated_original_unchanged(where, calls):
    """Called plainly it runs; by the three other ways it has one kept value."""
    CM = Metrics(where)

    @CM.collect
    def m():
        counting.count()
        return np.arange(3)

    m()
    m()
    assert len(calls) == 2
    assert not CM.exists("m")
    assert stored() == []
    a, b, c = m(cache=True), CM.m(), CM["m"]
    assert a.tolist() == b.tolist() == c.tolist() == [0, 1, 2]
    assert len(calls) == 3
    assert m.__name__ == "m"
    assert CM.m.original_function().tolist() == [0, 1, 2]
    assert len(calls) == 4


# --- S03


def test_S03_dependencies(where, calls):
    """What two metrics need is computed once, and stored under its own name."""
    CM = Metrics(where)

    @CM.collect(params_list=[[1], [4]])
    def poly_X(a):
        counting.count("X", a)
        return np.array([a])

    @CM.collect(params_list=[[1, 2], [1, 3], [4, 5]])
    def poly_Y(a, b):
        counting.count("Y", a, b)
        return CM.poly_X(a) ** 2 + b

    assert CM.poly_Y(1, 2) == [3]
    assert CM.poly_Y(1, 3) == [4]
    assert CM.poly_Y(1, 2) == [3]
    assert calls == [("Y", 1, 2), ("X", 1), ("Y", 1, 3)]
    assert CM["poly_X_1"] == [1]
    assert CM["poly_X(1)"] == [1]
    names = ["poly_X(1)", "poly_Y(1, 2)", "poly_Y(1, 3)"]
    assert list(map(CM.exists, names)) == [True] * 3
    assert not CM.exists("poly_X(4)")
    if where is not None:
        assert where.list() == names
        assert stored() == [f"{name}.npz" for name in names]


# --- S04


def test_S04_declared_parameters_and_get_all(where, calls, capsys):
    """Others are refused through the metrics; all come in the declared order."""
    CM = Metrics(where)

    @CM.collect(params_list=[[3], [1], [2]])
    def f(a):
        counting.count(a)
        return np.array([a])

    assert f(9) == [9]
    calls.clear()
    for ask in (lambda: CM.f(9), lambda: f(9, cache=True), lambda: CM["f(9)"]):
        with pytest.raises(ValueError, match=r"f\(9\) is not among the declared"):
            ask()
    assert calls == []
    values = CM.f.get_all(verbose=True)
    assert [int(one[0]) for one in values] == [3, 1, 2]
    assert "get_all 2/3" in capsys.readouterr().err
    assert calls == [(3,), (1,), (2,)]
    CM.f.get_all()
    assert calls == [(3,), (1,), (2,)]
    CM.f.get_all(use_stored=False)
    assert calls == [(3,), (1,), (2,)] * 2
    assert capsys.readouterr().err == ""
    assert CM.f.params_list == [[3], [1], [2]]
    assert CM.f.base_name == "f"
    assert [one.__name__ for one in CM.parameterized_metrics] == ["f"]


def test_S04_dynamic_metrics_take_any_parameters(where):
    """And list the calls that were made among their functions."""
    CM = Metrics(where, dynamic=True)

    @CM.collect
    def t(x, y):
        return np.array([x * y])

    assert CM.t(12, 13) == [156]
    assert "t_12_13" in CM.functions
    assert list(CM.functions) == ["t(12, 13)"]
    assert CM.functions["t_12_13"]() == [156]


# --- S05

k = [1]


def holding(where, track):
    """Give metrics with one that reads a global."""
    CM = Metrics(where, track=track)

    @CM.collect
    def m():
        counting.count()
        return np.array([k[0]])

    return CM


def test_S05_use_stored_false_replaces_the_value(where, monkeypatch):
    """Without tracking: the stored value is expected until it is replaced."""
    monkeypatch.setitem(globals(), "k", [1])
    CM = holding(where, "none")
    assert CM.m() == [1]
    k[0] = 2
    assert CM.m() == [1]
    assert CM.m(use_stored=False) == [2]
    assert CM.m() == [2]
    CM.clear_cache()
    assert CM.load("m") == [2]


def test_S05_a_changed_global_is_noticed_by_itself(where, monkeypatch, calls):
    """With tracking, as by default."""
    monkeypatch.setitem(globals(), "k", [1])
    CM = holding(where, "auto")
    assert CM.m() == [1]
    k[0] = 2
    assert CM.m() == [2]
    assert CM.m() == [2]
    assert len(calls) == 2


S05 = """
k = [1]
CM = Metrics({place} track="none")

@CM.collect
def m():
    return np.array([k[0]])

CM.m(verbose=False)
k[0] = 2
print(CM.m(verbose=False), CM.m(use_stored=False, verbose=False))
"""
S05_LATER = 'print(Metrics({place} track="none").load("m", verbose=False))'


@pytest.mark.parametrize("place", PLACES)
def test_S05_a_new_process_loads_the_new_value(place, tmp_path):
    """Without any function."""
    given = PLACES[place] and f"{PLACES[place]},"
    assert process(tmp_path, IMPORTS + S05.format(place=given)) == "[1] [2]\n"
    assert process(tmp_path, IMPORTS + S05_LATER.format(place=given)) == "[2]\n"


# --- S06


def test_S06_manual_metrics(where, capsys):
    """A dict of functions that ask for each other does without decorators."""
    CM = Metrics(where)
    CM.set_functions_dict(
        {"metric_1": lambda: np.arange(3), "metric_2": lambda: CM["metric_1"] * 2}
    )
    assert CM.get("metric_2", verbose=False).tolist() == [0, 2, 4]
    assert capsys.readouterr().err == ""
    assert CM.exists("metric_1")
    assert not CM.exists("zzz")
    assert CM.compute("metric_1").tolist() == [0, 1, 2]
    assert CM.load("metric_1").tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="no metric 'zzz'"):
        CM.get("zzz")
    assert CM.save("metric_2").tolist() == [0, 2, 4]
    assert CM["metric_2"].tolist() == [0, 2, 4]


# --- S07


def kept(storage, value):
    """Give what comes back."""
    storage.save("x", value)
    return storage.load("x")


def test_S07_storage_backends():
    """Arrays, lists of more than ten, dicts; JSON has lists."""
    z, n, j = NpzStorage("d"), NpyStorage("d"), JsonStorage("d")
    assert kept(z, np.arange(3)).tolist() == [0, 1, 2]
    assert kept(n, np.eye(2)).tolist() == np.eye(2).tolist()
    many = kept(z, [np.array([i]) for i in range(12)])
    assert [int(one[0]) for one in many] == list(range(12))
    found = kept(z, {"a": np.arange(2), "b": np.eye(2)})
    assert list(found) == ["a", "b"]
    assert found["b"].tolist() == np.eye(2).tolist()
    assert kept(j, np.arange(3)) == [0, 1, 2]
    assert kept(j, {"k": "v"}) == {"k": "v"}
    assert z.exists("x")
    assert not z.exists("y")
    assert files("d") == ["x.json", "x.meta.json", "x.npy", "x.npz"]


def test_S07_json_gives_lists_on_the_first_call_too():
    """What a later one gets."""
    CM = Metrics(JsonStorage("d"))

    @CM.collect
    def m():
        return {"a": np.arange(3), "b": [np.eye(1)]}

    first = CM.m()
    assert first == {"a": [0, 1, 2], "b": [[[1.0]]]}
    assert CM.m() == first
    assert type(first["a"]) is list


# --- S08


@pytest.mark.parametrize("value", [None, {"a": {"b": 1}}, {1, 2}, {"x": [(1, {2})]}])
def test_S08_what_needs_no_pickle_comes_back_as_it_was(value):
    """None, nested dicts, sets."""
    z = NpzStorage("d")
    z.save("o", value)
    assert z.load("o") == value


class Own:
    """What only pickle keeps in a file that any program may read."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other.value

    __hash__ = None


def test_S08_pickle_is_opt_in():
    """Refused when it is saved, and nothing is stored; a limit of lists as well."""
    with pytest.raises(UnstorableValue, match="allow_pickle") as caught:
        NpzStorage("d").save("o", Own({1}))
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(UnstorableValue):
        NpzStorage("d", allow_pickle=True).save("o", threading.Lock())
    assert not NpzStorage("d").exists("o")
    p = NpzStorage("d", allow_pickle=True)
    p.save("o", {"a": Own({1})})
    assert p.load("o") == {"a": Own({1})}
    with pytest.raises(TypeError, match="list_limit=2"):
        NpzStorage("d", list_limit=2).save("l", [np.ones(1)] * 3)
    assert not NpzStorage("d").exists("l")


class Pickle(FileStorage):
    """A user's own storage."""

    def __init__(self, d):
        super().__init__(d, ".pkl")

    def _save(self, path, data):
        path.write_bytes(pickle.dumps(data))

    def _load(self, path):
        return pickle.loads(path.read_bytes())


def test_S08_a_users_own_storage_serves_metrics(calls):
    """With dates and all."""
    CM = Metrics(Pickle("d"))

    @CM.collect
    def m():
        counting.count()
        return {"any": {1, 2}}

    assert CM.m() == {"any": {1, 2}} == CM.m()
    assert len(calls) == 1
    assert Pickle("d").load("m") == {"any": {1, 2}}
    assert CM.date("m").date() == date.today()


# --- S13


def test_S13_names_never_collide(where):
    """However parameters look when they are joined."""
    CM = Metrics(where, dynamic=True)

    @CM.collect(name="p_1", params_list=[[2]])
    def u(a):
        return np.array([100])

    @CM.collect(name="p", params_list=[[1, 2]])
    def v(a, b):
        return np.array([200])

    assert CM.p_1(2) == [100]
    assert CM.p(1, 2) == [200]
    assert CM.p_1(2) == [100]
    assert CM["p_1(2)"] == [100]
    assert CM["p(1, 2)"] == [200]
    with pytest.raises(ValueError, match=r"can be p_1\(2\) and p\(1, 2\)"):
        CM["p_1_2"]


def test_S13_no_parameter_is_taken_for_another_or_leaves_the_folder(where, tmp_path):
    """1.5 and '1p5'; slashes."""
    CM = Metrics(where, dynamic=True)

    @CM.collect
    def q(a):
        return repr(a)

    odd = [1.5, "1p5", "1.5", "../../x", "a/b", "a\\b", "..", "", 1, "1", 1.0, True]
    assert [CM.q(one) for one in odd] == list(map(repr, odd))
    assert [CM.q(one) for one in odd] == list(map(repr, odd))
    CM.clear_cache()
    assert [CM.load(f"q({one!r})") for one in odd] == list(map(repr, odd))
    outside = [one.name for one in tmp_path.iterdir()]
    assert set(outside) <= {"_cache", "metrics"}
    if where is not None:
        assert all(one.is_file() for one in Path("metrics").glob("q*"))
        assert len(stored()) == len(odd)


# --- S14


def test_S14_rename_a_stored_metric(where, calls):
    """A dry run only says it; another metric with a longer name stays."""
    CM = Metrics(where, dynamic=True)

    @CM.collect
    def poly(a):
        counting.count(a)
        return np.array([a])

    @CM.collect
    def polygon():
        return np.array([9])

    CM.poly(1)
    CM.polygon()
    when = CM.date("poly(1)")
    assert CM.rename("poly", "quad") == [("poly(1)", "quad(1)")]
    assert CM.exists("poly(1)")
    assert not CM.exists("quad(1)")
    assert CM.rename("poly", "quad", dry_run=False) == [("poly(1)", "quad(1)")]
    assert not CM.exists("poly(1)")
    assert CM.exists("polygon")
    assert CM.exists("quad(1)")
    assert CM.date("quad(1)") == when
    assert CM.load("quad(1)") == [1]
    if where is not None:
        assert where.list() == ["polygon", "quad(1)"]
        assert stored() == ["polygon.npz", "quad(1).npz"]


def test_S14_what_is_renamed_stays_valid_under_its_new_name(where, calls):
    """The name of a function is no part of its code."""
    CM = Metrics(where, dynamic=True)

    @CM.collect
    def poly(a):
        counting.count(a)
        return np.array([a])

    CM.poly(1)
    CM.rename("poly", "quad", dry_run=False)

    @CM.collect
    def quad(a):
        counting.count(a)
        return np.array([a])

    assert CM.quad(1) == [1]
    assert calls == [(1,)]


def test_S14_with_other_parameters(where):
    """Exactly the listed ones are renamed."""
    CM = Metrics(where, dynamic=True)

    @CM.collect
    def poly(a, b):
        return np.array([a, b])

    for a in (1, 2, 3):
        CM.poly(a, 0)
    moves = CM.rename("poly", "quad", parameters={(1, 0): (1, 7), (3, 0): (3, 9)})
    assert moves == [("poly(1, 0)", "quad(1, 7)"), ("poly(3, 0)", "quad(3, 9)")]
    assert all(CM.exists(old) and not CM.exists(new) for old, new in moves)
    CM.rename("poly", "quad", parameters={(1, 0): (1, 7)}, dry_run=False)
    assert CM.load("quad(1, 7)").tolist() == [1, 0]
    names = ["poly(1, 0)", "poly(2, 0)", "poly(3, 0)", "quad(3, 9)"]
    assert list(map(CM.exists, names)) == [False, True, True, False]


# --- S15


def test_S15_upstream_recomputation(where, monkeypatch, calls):
    """What depends on a metric that has another value is computed again."""
    monkeypatch.setitem(globals(), "k", [1])
    CM = Metrics(where, track="none")

    @CM.collect
    def a():
        counting.count("a")
        return np.array([k[0]])

    @CM.collect
    def b():
        counting.count("b")
        return CM.a() * 10

    assert CM.b() == [10]
    k[0] = 2
    CM.a(use_stored=False)
    assert CM.b() == [20]
    assert calls == [("b",), ("a",), ("a",), ("b",)]
    CM.a(use_stored=False)
    assert CM.b() == [20]
    assert calls[4:] == [("a",)]


def test_S15_upstream_recomputation_with_tracking(where, monkeypatch):
    """Also where nobody asks for the first one."""
    monkeypatch.setitem(globals(), "k", [1])
    CM = Metrics(where)

    @CM.collect
    def a():
        return np.array([k[0]])

    @CM.collect
    def b():
        return CM.a() * 10

    assert CM.b() == [10]
    k[0] = 2
    assert CM.b() == [20]


# --- "basic usage" of its documentation

BASIC = """
CM = Metrics(NpzStorage("metrics"))

@CM.collect
def metric_1():
    counting.count("metric_1")
    return np.arange(5) * 1.5

@CM.collect
def metric_2():
    counting.count("metric_2")
    return CM.metric_1() ** 2 + 1
"""


def ran():
    """Give what was executed since the last time."""
    names = [one[0] for one in counting.ran]
    counting.ran.clear()
    return names


def test_basic_usage(calls):
    """Two metrics without parameters, as the documentation has them."""
    CM = Metrics(NpzStorage("metrics"))

    @CM.collect
    def metric_1():
        counting.count("metric_1")
        return np.arange(5) * 1.5

    @CM.collect
    def metric_2():
        counting.count("metric_2")
        return CM.metric_1() ** 2 + 1

    # computes metric_1 and metric_2, and stores both
    expected = (np.arange(5) * 1.5) ** 2 + 1
    assert np.array_equal(metric_2(cache=True), expected)
    assert ran() == ["metric_2", "metric_1"]
    # loads them
    assert np.array_equal(CM.metric_1(), np.arange(5) * 1.5)
    assert np.array_equal(metric_1(cache=True), np.arange(5) * 1.5)
    assert np.array_equal(CM["metric_2"], expected)
    assert ran() == []
    # the plain function is as it was: it computes
    assert np.array_equal(metric_1(), np.arange(5) * 1.5)
    assert ran() == ["metric_1"]
    # ... also where it needs the other one, which is stored
    assert np.array_equal(metric_2(), expected)
    assert ran() == ["metric_2"]
    # forces a computation, and stores it
    assert np.array_equal(metric_1(cache=True, use_stored=False), np.arange(5) * 1.5)
    assert np.array_equal(CM.metric_1(use_stored=False), np.arange(5) * 1.5)
    assert ran() == ["metric_1"] * 2
    assert stored() == ["metric_1.npz", "metric_2.npz"]


def test_basic_usage_in_a_later_session(tmp_path):
    """What the first one stored is loaded, and its lines say so."""
    text = IMPORTS + BASIC + "print(CM.metric_2().tolist(), len(counting.ran))\n"
    first = script(tmp_path, text, "-W", "error")
    second = script(tmp_path, text, "-W", "error")
    assert first.stdout == "[1.0, 3.25, 10.0, 21.25, 37.0] 2\n", first.stderr
    assert second.stdout == "[1.0, 3.25, 10.0, 21.25, 37.0] 0\n", second.stderr
    lines = ["Compute metric_2", "Compute metric_1", "Completed metric_1 in"]
    lines += ["Save metric_1", "Completed metric_2 in", "Save metric_2"]
    found = first.stderr.splitlines()
    assert [line in one for line, one in zip(lines, found, strict=True)] == [True] * 6
    said = r"nbcache: Load metric_2 of \d{4}-\d\d-\d\d\n"
    assert re.fullmatch(said, second.stderr), second.stderr


def test_basic_usage_with_parameters(calls):
    """Declared parameters, all of them at once, and what is refused."""
    CM = Metrics(NpzStorage("metrics"))

    @CM.collect(params_list=[[1], [4]])
    def poly_X(a):
        counting.count("poly_X", a)
        return np.arange(3) * a

    @CM.collect(params_list=[[1, 2], [1, 3], [4, 5]])
    def poly_Y(a, b):
        counting.count("poly_Y", a, b)
        return CM.poly_X(a) ** 2 + b

    assert CM.poly_X(1).tolist() == [0, 1, 2]
    assert CM.poly_Y(1, 2).tolist() == [2, 3, 6]
    assert poly_Y(1, 3, cache=True).tolist() == [3, 4, 7]
    assert CM.poly_Y(1, 3, use_stored=False).tolist() == [3, 4, 7]
    assert ran() == ["poly_X", "poly_Y", "poly_Y", "poly_Y"]
    assert [one.tolist() for one in CM.poly_X.get_all()] == [[0, 1, 2], [0, 4, 8]]
    assert [one.tolist() for one in CM.poly_Y.get_all()] == [
        [2, 3, 6],
        [3, 4, 7],
        [5, 21, 69],
    ]
    assert ran() == ["poly_X", "poly_Y"]
    # not declared: computed when it is called plainly, refused by the metrics
    assert poly_X(7).tolist() == [0, 7, 14]
    with pytest.raises(ValueError, match=r"params_list"):
        poly_X(7, cache=True)


METRIC_1 = "metric_1"
METRIC_2 = "metric_2"


def test_basic_usage_of_manual_metrics(calls):
    """Constants as names, and a dict of functions."""
    CM = Metrics(NpzStorage("metrics"))

    def compute_metric_1():
        counting.count(METRIC_1)
        return np.arange(5)

    def compute_metric_2():
        counting.count(METRIC_2)
        return CM[METRIC_1] * 2

    CM.set_functions_dict({METRIC_1: compute_metric_1, METRIC_2: compute_metric_2})
    assert list(CM.functions) == [METRIC_1, METRIC_2]
    # saves it if that is not done already, and loads it
    assert CM[METRIC_2].tolist() == [0, 2, 4, 6, 8]
    assert CM.get(METRIC_2).tolist() == [0, 2, 4, 6, 8]
    assert ran() == [METRIC_2, METRIC_1]
    # only saves, only loads; both give the value
    assert CM.save(METRIC_1).tolist() == [0, 1, 2, 3, 4]
    assert CM.load(METRIC_1).tolist() == [0, 1, 2, 3, 4]
    assert ran() == []
    # computes in any case; on storage it is as it was
    assert CM.compute(METRIC_1, force=True).tolist() == [0, 1, 2, 3, 4]
    assert ran() == [METRIC_1]
    assert CM.get(METRIC_1, use_stored=False).tolist() == [0, 1, 2, 3, 4]
    assert ran() == [METRIC_1]
    # only memory is emptied
    CM.clear_cache()
    assert CM.exists(METRIC_1)
    assert CM[METRIC_1].tolist() == [0, 1, 2, 3, 4]
    assert ran() == []
