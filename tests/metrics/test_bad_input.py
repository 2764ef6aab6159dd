"""What cannot be meant is refused at once, named, with what to do."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import counting
import numpy as np
import pytest
from kernel import environment
from stories import process

from nbcache import CacheWarning, Metrics, NpzStorage, UndeclaredParameters, UnknownName
from nbcache.errors import MetricCycle

slow = pytest.mark.slow


def declared(where=None):
    """Give metrics with one of declared parameters."""
    m = Metrics(where)

    @m.collect(params_list=[[1], [2]])
    def total(number):
        counting.count(number)
        return np.arange(number)

    return m


# --- names


def test_an_unknown_metric_is_named_with_a_near_match():
    """By any way of asking; it is what each way leads one to expect."""
    m = declared()
    asks = [m.get, m.compute, m.save, m.load, m.date, m.clear, m.recompute]
    for ask in (*asks, m.__getitem__, m.functions.__getitem__):
        with pytest.raises(UnknownName, match=r"no metric 'totl'.*total") as caught:
            ask("totl")
        assert isinstance(caught.value, KeyError)
        assert isinstance(caught.value, ValueError)
        assert caught.value.name == "totl"
    with pytest.raises(AttributeError, match=r"no metric 'totl'.*total"):
        m.totl  # noqa: B018
    assert not m.exists("totl")
    assert not hasattr(m, "totl")
    with pytest.raises(UnknownName, match="None was collected"):
        Metrics()["x"]


def test_undeclared_parameters_are_named_with_those_that_are_declared():
    """By any way of asking; nothing runs."""
    m = declared()
    plain = m.collect(name="other", params_list=[[1]])(lambda number: number)
    asks = [
        lambda: m.total(3),
        lambda: m["total(3)"],
        lambda: m.get("total(number=3)"),
        lambda: m.compute("total(3)"),
        lambda: m.save("total(3)"),
        lambda: m.recompute("total(3)"),
    ]
    for ask in asks:
        with pytest.raises(UndeclaredParameters, match="dynamic=True") as caught:
            ask()
        assert "total(3) is not among the declared parameters" in str(caught.value)
        assert "total(1), total(2)" in str(caught.value)
        assert caught.value.name == "total(3)"
        assert isinstance(caught.value, ValueError)
    with pytest.raises(UndeclaredParameters):
        plain(3, cache=True)
    assert plain(3) == 3
    assert counting.ran == []


@pytest.mark.parametrize(
    "name",
    [
        "get",
        "collect",
        "functions",
        "name",
        "where",
        "track",
        "dynamic",
        "title",
        "graph",
        "rename",
        "parameterized_metrics",
        "_held",
        "_metrics",
        "__len__",
    ],
)
def test_a_metric_is_not_named_like_what_metrics_have(name):
    """Methods and attributes; by any way of collecting."""
    m = Metrics()
    match = f"no metric can be named '{name}'.*collect\\(name=...\\)"
    with pytest.raises(ValueError, match=match):
        m.collect(name=name)(lambda: 1)
    with pytest.raises(ValueError, match=match):
        m.set_functions_dict({name: lambda: 1})

    def function():
        return 1

    function.__name__ = name
    with pytest.raises(ValueError, match=match):
        m.collect(function)
    assert list(m.functions) == []


@pytest.mark.parametrize("name", [" ", 5, b"x"])
def test_a_metric_has_a_name(name):
    """That is a text."""
    with pytest.raises(ValueError, match=r"has a name|can be named"):
        Metrics().set_functions_dict({name: lambda: 1})


def test_a_new_name_is_checked_like_any():
    """When values are renamed."""
    m = declared()
    m.total(1)
    with pytest.raises(ValueError, match="no metric can be named 'get'"):
        m.rename("total", "get")
    with pytest.raises(UnknownName, match=r"no value of 'totl' is stored.*total"):
        m.rename("totl", "x")
    m.total(2)
    with pytest.raises(ValueError, match=r"total\(2\) is stored already"):
        m.rename("total", "total", parameters={1: 2}, dry_run=False)
    with pytest.raises(ValueError, match="several values would become"):
        m.rename("total", "x", parameters={1: 5, 2: 5}, dry_run=False)
    assert m.exists("total(1)")
    assert m.exists("total(2)")


# --- functions


@pytest.mark.parametrize("name", ["cache", "use_stored", "verbose"])
def test_parameters_that_calls_of_metrics_have_themselves_are_refused(name):
    """Neither could be given."""
    function = eval(f"lambda a, {name}=1: a")
    with pytest.raises(ValueError, match=f"has the parameter '{name}'"):
        Metrics().collect(name="f")(function)


def generator():
    """Yield."""
    yield 1


async def coroutine():
    """Wait."""
    await asyncio.sleep(0)


async def stream():
    """Both."""
    yield 1


class Kind:
    """No function."""


@pytest.mark.parametrize("one", [generator, coroutine, stream, Kind, 5, "f", None])
def test_only_functions_that_return_are_metrics(one):
    """What gives its values later, or is no function, is refused when collected."""
    m = Metrics()
    with pytest.raises((TypeError, ValueError)) as caught:
        m.collect(name="f")(one)
    assert "__" not in str(caught.value)
    with pytest.raises((TypeError, ValueError)):
        m.set_functions_dict({"f": one})
    assert list(m.functions) == []


@pytest.mark.parametrize(
    "params", [[[1, 2]], [[]], [{"b": 1}], [[1], {}], [[1], {"a": 1, "c": 2}]]
)
def test_parameters_that_do_not_fit_the_function_are_named(params):
    """When it is collected."""
    m = Metrics()
    with pytest.raises(ValueError, match=r"params_list of 'f': .* does not fit f\(a\)"):

        @m.collect(params_list=params)
        def f(a):
            return a

    assert list(m.functions) == []


@pytest.mark.parametrize("params", [5, 1.5])
def test_a_params_list_is_a_list(params):
    """One number is not."""
    with pytest.raises(TypeError):

        @Metrics().collect(params_list=params)
        def f(a):
            return a


def test_parameters_that_have_no_name_are_refused():
    """They would not be found again."""
    m = Metrics(dynamic=True)
    m.collect(name="f")(lambda a: 1)
    with pytest.raises(TypeError, match="lock"):
        m.f(threading.Lock())


def test_arguments_of_metrics_are_checked():
    """Each error has the value."""
    with pytest.raises(ValueError, match="track is auto, source, none, not 'all'"):
        Metrics(track="all")
    with pytest.raises(ValueError, match="metrics have a name, not ''"):
        Metrics(name="")
    with pytest.raises(ValueError, match="metrics have a name, not 5"):
        Metrics(name=5)
    with pytest.raises(TypeError, match="a storage is an object with exists"):
        Metrics("folder")
    with pytest.raises(TypeError, match="an object, not a class"):
        Metrics(NpzStorage)


def test_a_cycle_is_named_whole():
    """Direct, and through another one."""
    m = Metrics()
    m.collect(name="a")(lambda: m["b"])
    m.collect(name="b")(lambda: m["a"])
    with pytest.raises(MetricCycle, match="a depends on itself: a → b → a") as caught:
        m["a"]
    assert isinstance(caught.value, RecursionError)
    assert caught.value.names == ("a", "b", "a")


# --- places


def can_mount():
    """Say whether this process may mount what only its children see."""
    if os.name != "posix" or os.getuid() or not shutil.which("unshare"):
        return False
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


READ_ONLY = """
import sys, warnings
import counting
from nbcache import Metrics, NpzStorage
m = Metrics(NpzStorage("metrics"))

@m.collect(params_list=[[1], [2]])
def f(a):
    counting.count(a)
    return [a]

with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    found = [f(a, cache=True, verbose=False) for a in map(int, sys.argv[1:])]
print(found, len(counting.ran), [str(one.message) for one in told])
"""


def test_a_folder_that_cannot_be_written_costs_no_value(tmp_path):
    """What is stored is loaded; what is not is computed, and told of once."""
    (tmp_path / "program.py").write_text(READ_ONLY)
    run = f"{sys.executable} program.py"
    if can_mount():
        mounted = "mount --bind metrics metrics && mount -o remount,ro,bind metrics"
        command = ["unshare", "-m", "sh", "-c", f"{mounted} && {run} 1 2 2"]
    elif os.name == "posix" and os.getuid():
        command = ["sh", "-c", f"chmod 555 metrics && {run} 1 2 2"]
    else:
        pytest.skip("nothing here makes a folder that cannot be written")
    env = environment(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "home"))
    how = {"cwd": tmp_path, "env": env, "text": True, "capture_output": True}
    first = subprocess.run([sys.executable, "program.py", "1"], check=False, **how)
    assert first.stdout == "[[1]] 1 []\n", first.stderr
    later = subprocess.run(command, check=False, **how)
    (tmp_path / "metrics").chmod(0o755)
    assert later.stdout.startswith("[[1], [2], [2]] 2 ["), later.stdout + later.stderr
    assert "f(2)" in later.stdout
    assert "not stored" in later.stdout
    assert "f(1)'" not in later.stdout


def test_a_folder_that_is_a_file_costs_no_value(calls):
    """Each is computed, and one line tells why it is not stored."""
    Path("metrics").write_text("a file")
    m = declared(NpzStorage("metrics"))
    with pytest.warns(CacheWarning, match=r"total\(1\).*not stored"):
        assert m.total(1).tolist() == [0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        assert m.total(1).tolist() == [0]
        assert [one.tolist() for one in m.total.get_all()] == [[0], [0, 1]]
    assert not m.exists("total(1)")
    assert m.graph().nodes == ()
    assert Path("metrics").read_text() == "a file"


def damaged(path, how):
    """Damage a file."""
    data = bytearray(path.read_bytes())
    if how == "empty":
        data = b""
    elif how == "cut":
        data = data[: len(data) // 2]
    elif how == "flipped":
        data[len(data) // 2] ^= 0xFF
    else:
        data = b"something else"
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["empty", "cut", "flipped", "other"])
def test_a_damaged_value_is_computed_again(how, calls):
    """With one line that names it; then it is whole."""
    declared(NpzStorage("metrics")).total(2)
    damaged(Path("metrics/total(2).npz"), how)
    m = declared(NpzStorage("metrics"))
    with pytest.warns(CacheWarning, match=r"'total\(2\)' cannot be used") as told:
        assert m.total(2).tolist() == [0, 1]
    assert len(told) == 1
    assert "computed again" in str(told[0].message)
    assert len(calls) == 2
    assert declared(NpzStorage("metrics")).total(2).tolist() == [0, 1]
    assert len(calls) == 2


@pytest.mark.parametrize("how", ["empty", "cut", "other"])
def test_damaged_metadata_are_none(how, calls):
    """Nothing tells how the value was computed: it is computed again, with one line."""
    declared(NpzStorage("metrics")).total(2)
    damaged(Path("metrics/total(2).meta.json"), how)
    m = declared(NpzStorage("metrics"))
    with pytest.warns(CacheWarning, match="meta.json cannot be read") as told:
        assert m.total(2).tolist() == [0, 1]
    assert len(told) == 1
    assert len(calls) == 2
    assert m.total(2).tolist() == [0, 1]
    assert declared(NpzStorage("metrics")).total(2).tolist() == [0, 1]
    assert len(calls) == 2


@pytest.mark.parametrize("folder", ["total(2).npz", "total(2).meta.json"])
def test_a_folder_in_the_place_of_a_file_costs_no_value(folder):
    """It is left alone."""
    (Path("metrics") / folder).mkdir(parents=True)
    m = declared(NpzStorage("metrics"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        assert m.total(2).tolist() == [0, 1]
        assert m.total(2).tolist() == [0, 1]
    assert (Path("metrics") / folder).is_dir()


def test_a_value_that_was_replaced_by_hand_is_not_taken(calls):
    """By another one that can be read."""
    m = declared(NpzStorage("metrics"))
    m.total.get_all()
    shutil.copy("metrics/total(1).npz", "metrics/total(2).npz")
    later = declared(NpzStorage("metrics"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        assert later.total(2).tolist() == [0, 1]
    assert len(calls) == 3


def test_a_damaged_entry_of_a_cache_is_computed_again(tmp_path, calls):
    """With one line that names it."""
    import nbcache

    with nbcache.Cache(tmp_path / "own") as cache:
        declared(cache).total(2)
    (file,) = (tmp_path / "own").glob("entries/*/*.npz")
    file.chmod(0o600)
    damaged(file, "cut")
    with nbcache.Cache(tmp_path / "own") as cache:
        m = declared(cache)
        with pytest.warns(CacheWarning):
            assert m.total(2).tolist() == [0, 1]
        assert m.total(2).tolist() == [0, 1]
    assert len(calls) == 2


RACE = """
import subprocess, sys, warnings
import numpy as np
from nbcache import Metrics, NpzStorage
who = int(sys.argv[1]) if len(sys.argv) > 1 else 0
m = Metrics(NpzStorage("metrics"), track="none")

@m.collect
def value():
    return np.full(5000, who)

if who:
    for _ in range(20):
        m.value(use_stored=False, verbose=False)
    sys.exit()
children = [subprocess.Popen([sys.executable, __file__, str(n)]) for n in (1, 2)]
seen, looks = set(), 0
while any(one.poll() is None for one in children):
    if m.exists("value"):
        found = m.load("value", force=True, verbose=False)
        assert found.shape == (5000,) and len(set(found.tolist())) == 1, found
        seen.add(int(found[0]))
        m.date("value")
        looks += 1
assert [one.returncode for one in children] == [0, 0]
assert seen <= {1, 2} and looks > 3, (seen, looks)
last = m.value(verbose=False)
assert last.shape == (5000,) and int(last[0]) in (1, 2)
import pathlib
names = sorted(one.name for one in pathlib.Path("metrics").glob("[!.]*"))
assert names == ["value.meta.json", "value.npz"], names
"""


def test_two_processes_that_save_one_name_leave_one_of_both_values(tmp_path):
    """Whoever loads it meanwhile has one of them, whole."""
    process(tmp_path, RACE)


ONCE = """
import subprocess, sys, time
import counting
from nbcache import Metrics, NpzStorage
m = Metrics(%s)

@m.collect
def value():
    counting.count()
    time.sleep(0.5)
    return 1

if len(sys.argv) == 1:
    command = [sys.executable, __file__, "x"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    print(sum(int(one.communicate()[0]) for one in children))
else:
    assert m.value(verbose=False) == 1
    print(len(counting.ran))
"""


@pytest.mark.parametrize("place", [pytest.param("", marks=slow), "NpzStorage('m')"])
def test_two_processes_that_ask_for_one_metric_compute_it_once(place, tmp_path):
    """The second one waits for the first."""
    assert process(tmp_path, ONCE % place) == "1\n"
