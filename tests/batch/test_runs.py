"""Runs: what tells them apart, where results are, how they are chosen and listed."""

import functools
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import counting
import numpy as np
import pandas as pd
import pytest
from kernel import Kernel

import nbcache
from nbcache import Batch, BatchError, Cache, CacheWarning, ResultRun, Run, cached


@pytest.fixture(autouse=True)
def calls():
    """Give the list of executions."""
    counting.ran.clear()
    return counting.ran


class Double(Run):
    """A run."""

    def run(self, x=1, _p=0):
        """Give the double."""
        counting.count(x)
        return {"y": x * 2, "p": _p}


class Triple(Run):
    """Another run with the same parameters."""

    def run(self, x=1, _p=0):
        """Give the triple."""
        counting.count(x)
        return {"y": x * 3, "p": _p}


class Shown(Run):
    """A run that shows its parameter."""

    def run(self, a=0, b=0):
        """Give both as text."""
        return f"{a!r} {b!r}"


class Applied(Run):
    """A run of a function."""

    def run(self, f):
        """Call it."""
        return f(3)


class Scaled(Run):
    """A run with an attribute of its own."""

    def __init__(self, batch=None, scale=2, **more):
        super().__init__(batch, **more)
        self.scale = scale

    def run(self, x=1):
        """Use it."""
        counting.count(x)
        self.seen = True
        return x * self.scale


def product(a, b=2):
    """Give a product."""
    counting.count(a)
    return a * b


# --- what tells runs apart


def test_two_classes_with_equal_parameters_are_two_runs():
    """Names count, not only values."""
    batch = Batch("two")
    batch.add_run(Double)
    batch.add_run(Triple)
    batch(progress=False)
    assert batch.get_res("y") == [2, 3]
    assert batch.ids[0] != batch.ids[1]


def test_names_and_types_of_parameters_count():
    """Neither values alone nor their texts make an id."""
    batch = Batch("texts")
    for one in (
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        {"a": None},
        {"a": "None"},
        {"a": 1},
        {"a": 1.0},
        {"a": True},
        {"a": "1"},
    ):
        batch.add_run(Shown, one)
    assert len(set(batch.ids)) == len(batch)
    batch(progress=False)
    assert list(batch.res) == [
        "1 2",
        "2 1",
        "None 0",
        "'None' 0",
        "1 0",
        "1.0 0",
        "True 0",
        "'1' 0",
    ]


def test_functions_as_parameters_count_by_what_they_do():
    """Lambdas, closures and partials."""

    def adding(k):
        def add(x):
            return x + k

        return add

    batch = Batch("functions")
    functions = [
        lambda x: x + 1,
        lambda x: x * 2,
        adding(1),
        adding(10),
        functools.partial(pow, 2),
        functools.partial(pow, 3),
    ]
    batch.add_factorial_runs(Applied, {"f": functions})
    assert len(set(batch.ids)) == 6
    batch(progress=False)
    assert list(batch.res) == [4, 6, 4, 13, 8, 27]


def test_attributes_that_init_sets_count_and_those_of_run_are_gone(calls):
    """As a stored result could not bring them back."""
    batch = Batch("scaled")
    batch.add_run(Scaled, {"x": 3, "scale": 5})
    batch.add_run(Scaled, {"x": 3, "scale": 7})
    batch(progress=False)
    assert list(batch.res) == [15, 21]
    assert batch.ids[0] != batch.ids[1]
    assert not hasattr(batch.run[0], "seen")
    again = Batch("scaled")
    again.add_run(Scaled, {"x": 3, "scale": 7})
    assert again.rundone == [True]


def test_callables_without_id_have_ids_that_tell_them_apart():
    """Objects by attributes, partials and methods by what they hold."""

    class Holding:
        def __init__(self, v):
            self.v = v

        def __call__(self):
            return self.v

        def times(self, a):
            return a * self.v

    batch = Batch("callables")
    batch.add_factorial_runs(Holding, {"v": [5, 6]})
    batch.add_run(functools.partial(product, 5))
    batch.add_run(functools.partial(product, 6))
    batch.add_run(Holding(3).times, {"a": 2})
    batch.add_run(Holding(4).times, {"a": 2})
    batch.add_run(lambda: "one")
    batch.add_run(lambda: "two")
    assert len(set(batch.ids)) == 8
    assert batch.run[1].v == 6
    batch(progress=False)
    expected = [5, 6, 10, 12, 6, 8, "one", "two"]
    assert list(batch.res) == expected
    stored = Batch("callables")
    stored.add_resultrun(batch.ids)
    stored.add_resultrun_folder()
    assert list(stored.res) == expected * 2


def test_an_id_vouches_for_state_that_has_no_content():
    """A lock can be no part of a key."""

    class Locked:
        def __init__(self, v):
            self.v, self.lock, self.id = v, threading.Lock(), f"locked {v}"

        def __call__(self):
            counting.count(self.v)
            return self.v

    for executed in (2, 2):
        batch = Batch("locked")
        batch.add_factorial_runs(Locked, {"v": [1, 2]})
        batch(progress=False)
        assert list(batch.res) == [1, 2]
        assert len(counting.ran) == executed
    assert batch.ids == ["locked 1", "locked 2"]


def test_a_run_alone_is_in_no_batch_until_it_is_added():
    """It computes all the same."""
    run = Double(x=3)
    assert run.index is None
    assert run.batch is None
    assert not run.done
    assert run()["y"] == 6
    batch = Batch("later")
    batch.add_run(run)
    assert run.index == 0
    assert batch.rundone == [True]


def test_private_parameters_do_not_make_a_run_another(calls):
    """They reach `run`, and are no part of the id or of the key."""
    batch = Batch("private")
    batch.add_run(Double, {"x": 5, "_p": 9})
    batch(progress=False)
    assert batch.res[0] == {"y": 10, "p": 9}
    again = Batch("private")
    again.add_run(Double, {"x": 5, "_p": 10})
    assert again.rundone == [True]
    assert again.ids == batch.ids


SOURCE = """
from nbcache import Batch, Run

def helper(x):
    return x + {offset}

class Simulate(Run):
    def run(self, a=1):
        print("computed")
        return helper(a) * {factor}

batch = Batch("edited")
batch.add_run(Simulate, {{"a": 5}})
batch(progress=False)
print(batch.res[0], batch.ids[0])
"""


def test_in_a_notebook_an_edit_of_run_or_of_a_helper_computes_anew(tmp_path):
    """The id stays; back to the earlier code, the earlier result is there."""
    with Kernel(tmp_path) as kernel:

        def told(**values):
            ran = kernel.run(SOURCE.format(**values))
            assert ran.ok, ran.traceback
            *computed, last = ran.stdout.splitlines()
            value, id = last.split()
            ids.add(id)
            return len(computed), int(value)

        ids = set()
        assert told(offset=1, factor=1) == (1, 6)
        assert told(offset=1, factor=2) == (1, 12)
        assert told(offset=2, factor=2) == (1, 14)
        assert told(offset=2, factor=2) == (0, 14)
        kernel.restart()
        assert told(offset=1, factor=1) == (0, 6)
        ran = kernel.run(
            "b = Batch('edited'); b.add_resultrun_folder(); len(b), b.res[0]"
        )
        assert ran.result["text/plain"] == "(1, 14)"
        assert len(ids) == 1


# --- adding many


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_cells_of_frames_become_scalars_of_python(library):
    """So that rows equal runs that are written by hand."""
    frames = pytest.importorskip(library)

    def kinds(x, n, f):
        counting.count()
        return [type(x), type(n), type(f)]

    batch = Batch("rows")
    table = {"x": [1, 2], "n": ["a", "b"], "f": [1.5, 2.5]}
    batch.add_runs(kinds, frames.DataFrame(table))
    batch(progress=False)
    assert list(batch.res) == [[int, str, float]] * 2
    other = Batch("rows")
    other.add_runs(kinds, [{"x": 1, "n": "a", "f": 1.5}])
    other.add_runs(kinds, {"x": [1, 2], "n": ["a", "b"], "f": 1.5})
    other.add_runs(kinds, zip([1, 2], "ab", [1.5, 2.5], strict=True))
    assert other.rundone == [True, True, False, True, True]
    assert other.ids[0] == batch.ids[0]


def test_rows_that_do_not_fit_are_refused():
    """Columns of different lengths, too many values, no rows at all."""
    batch = Batch("rows")
    with pytest.raises(ValueError, match="different lengths"):
        batch.add_runs(product, {"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match="3 values does not fit the parameters a, b"):
        batch.add_runs(product, [(1, 2, 3)])
    with pytest.raises(TypeError, match="a row is a dict"):
        batch.add_runs(product, [1])
    assert batch.run == []


# --- choosing


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (slice(0, 2), [0, 1]),
        (range(2, 4), [2, 3]),
        ((0, -1), [0, 4]),
        ([False, True, False, False, True], [1, 4]),
        (np.arange(5) == 3, [3]),
        (np.int64(2), [2]),
        (-1, [4]),
        (lambda run: run.parameters["x"] > 102, [3, 4]),
        ([], []),
    ],
)
def test_runs_are_chosen(wanted, expected, calls):
    """By index, slice, range, mask or condition."""
    batch = Batch("chosen")
    batch.add_factorial_runs(Double, {"x": range(100, 105)})
    batch(wanted, progress=False)
    assert [one[0] - 100 for one in calls] == expected


def test_runs_are_chosen_by_themselves(calls):
    """One, or several."""
    batch = Batch("chosen")
    batch.add_factorial_runs(Double, {"x": range(5)})
    batch(batch.run[3], progress=False)
    batch(batch.get_runs_with(x__in=[0, 4]), progress=False)
    assert calls == [(3,), (0,), (4,)]


def test_floats_are_compared_closely_and_arrays_by_content():
    """A run without the parameter does not match."""

    def any_of(x=1.0, y=None):
        return 1

    batch = Batch("queries")
    batch.add_factorial_runs(any_of, {"x": [0.1 * 3, 0.5]})
    array = np.arange(3)
    batch.add_factorial_runs(any_of, {"x": 9, "y": [[array], "a", [1, 2]]})
    batch.add_run(lambda q=1: q)

    def found(**conditions):
        return [run.index for run in batch.get_runs_with(**conditions)]

    assert found(x=0.3) == [0]
    assert found(x__in=[0.3, 0.5]) == [0, 1]
    assert found(x__le=0.3) == [0]
    assert found(x__lt=0.3) == []
    assert found(y=[np.arange(3)]) == [2]
    assert found(y__gt=1) == []
    assert found(y__in=["a", [1, 2]]) == [3, 4]
    assert found(q=1) == [5]
    assert found(q__ne=1) == []
    with pytest.raises(TypeError, match="__in takes several values"):
        found(x__in=3)


# --- results


def test_results_may_be_anything():
    """None too; what is no mapping has no items."""

    class Kinds(Run):
        def run(self, k):
            counting.count(k)
            frame = pd.DataFrame({"a": [1]})
            return [None, (1, 2), np.arange(4.0), frame, "text", {"v": {1}}][k]

    batch = Batch("kinds")
    batch.add_factorial_runs(Kinds, {"k": range(6)})
    batch(progress=False)
    batch(progress=False)
    assert len(counting.ran) == 6
    assert batch.rundone == [True] * 6
    assert batch.res[0] is None
    assert batch.res[1] == (1, 2)
    assert batch.res[5] == {"v": {1}}
    np.testing.assert_array_equal(batch.res[2], np.arange(4.0))
    table = batch.to_dataframe()
    assert table["result", "value"][4] == "text"
    assert table["run", "done"].all()
    with pytest.raises(TypeError, match="no mapping"):
        batch.get_res("v")


def test_a_batch_becomes_a_table_and_arrays():
    """What is not done is missing."""

    def both(a, b):
        return {"sum": a + b, "array": np.arange(3) * a}

    batch = Batch("table")
    batch.add_factorial_runs(both, {"a": [1, 2], "b": [10, 20]})
    batch(slice(0, 3), progress=False)
    table = batch.to_dataframe()
    assert table["parameter", "b"].tolist() == [10, 20, 10, 20]
    assert table["run", "done"].tolist() == [True, True, True, False]
    np.testing.assert_array_equal(table["result", "array"][2], [0, 2, 4])
    pytest.importorskip("xarray")
    found = batch.to_xarray()
    assert np.isnan(found["sum"].sel(a=2, b=20))
    batch(progress=False)
    assert float(batch.to_xarray()["sum"].sel(a=2, b=20)) == 22


def test_a_damaged_result_is_computed_anew(calls):
    """It is set aside; the others stay."""
    batch = Batch("damaged")
    batch.add_factorial_runs(Double, {"x": [1, 2]})
    batch(progress=False)
    path = Path(batch.run[0].filename)
    data = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(data[: len(data) // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        batch(progress=False)
    assert batch.get_res("y") == [2, 4]
    assert len(calls) == 3


# --- cached functions, caches, folders


def test_a_cached_function_and_its_batch_share_results(calls):
    """Also with options; results that a call stored have their parameters."""
    function = cached(product)
    function(1)
    batch = Batch("shared")
    batch.add_factorial_runs(function, {"a": [1, 2]})
    assert batch.rundone == [True, False]
    batch(progress=False)
    assert function(2) == 4
    assert len(calls) == 2
    stored = Batch("shared")
    stored.add_resultrun_folder()
    assert stored.ids == batch.ids
    assert [run.parameters for run in stored.run] == [
        {"a": 1, "b": 2},
        {"a": 2, "b": 2},
    ]
    stored.add_resultrun(function.key(1))
    stored.add_resultrun(np.str_(batch.ids[1]))
    assert list(stored.res) == [2, 4, 2, 4]


def test_options_of_a_cached_function_hold_in_a_batch(calls):
    """What is ignored does not make another run; what is private is not told."""
    function = cached(
        ignore=("b",), version=3, tags=("x",), private=True, expires_after=3600
    )(product)
    batch = Batch("options")
    batch.add_factorial_runs(function, {"a": 1, "b": [1, 2]})
    batch(progress=False)
    assert len(calls) == 1
    stored = Batch("options")
    stored.add_resultrun_folder()
    assert stored.ids == batch.ids
    assert stored.run[0].parameters == {"a": "", "b": ""}


def test_results_are_where_the_batch_says(tmp_path):
    """In a cache, in a folder, or with the cached function."""
    cache = Cache(tmp_path / "own")
    for batch in (Batch("a", cache=cache), Batch("b", path=tmp_path / "path")):
        batch.add_run(Double)
        assert not batch.run[0].done
        batch(progress=False)
    assert batch.save_ids() == tmp_path / "path" / "b_ids.json"
    function = cache.cached(product)
    plain = Batch("c")
    plain.add_run(function, {"a": 1})
    plain(progress=False)
    assert len(list((tmp_path / "own" / "entries").glob("*/*.npz"))) == 2
    stored = Batch("c", cache=cache)
    stored.add_resultrun_folder()
    assert list(stored.res) == [2]


def test_the_folder_of_another_store_is_read(tmp_path):
    """Only the batch of that name, in its order, whoever finished first."""

    def slow_first(a):
        if a == 0:
            threading.Event().wait(0.05)
        return a

    batch = Batch("order", path=tmp_path / "one")
    batch.add_factorial_runs(slow_first, {"a": range(4)})
    with ThreadPoolExecutor(4) as pool:
        batch([0, 2, 3], executor=pool, progress=False)
    batch(1, progress=False)
    longer = Batch("order_longer", path=tmp_path / "one")
    longer.add_run(slow_first, {"a": 9})
    longer(progress=False)
    stored = Batch("order", path=tmp_path / "two")
    stored.add_resultrun_folder(tmp_path / "one")
    assert list(stored.res) == [0, 1, 2, 3]
    assert all(isinstance(run, ResultRun) for run in stored.run)
    stored(progress=False)
    assert stored.run[0].clear() is False
    assert stored.run[0]() == 0


# --- failures


def failing(a):
    """Fail for what is outside of the key."""
    counting.count(a)
    if os.path.exists("/proc/self") and threading.current_thread().name == f"bad {a}":
        raise ValueError("bad weather")
    return a


@pytest.fixture
def weather():
    """Give a function that says which run fails."""
    thread = threading.current_thread()
    name = thread.name

    def make(text):
        thread.name = text

    yield make
    thread.name = name


def test_failures_are_kept_until_one_succeeds(weather, calls):
    """With traceback and attempts, also for another batch and for a single run."""
    weather("bad 2")
    batch = Batch("failing")
    batch.add_factorial_runs(failing, {"a": [1, 2, 3]})
    with pytest.warns(CacheWarning, match="1 of 3 runs of 'failing' failed"):
        batch(on_error="keep", progress=False)
    other = Batch("failing")
    other.add_run(failing, {"a": 2})
    error = other.run[0].error
    assert (error.kind, error.message, error.attempts) == (
        "ValueError",
        "bad weather",
        1,
    )
    assert "in failing" in error.traceback
    with pytest.raises(ValueError, match="bad weather"):
        other.run[0]()
    assert batch.run[1].error.attempts in (1, 2)
    assert Batch("x").add_run(failing, {"a": 2}).error.attempts == 2
    weather("good")
    batch(progress=False)
    assert list(batch.res) == [1, 2, 3]
    assert batch.run[1].error is None
    assert other.run[0].error is None
    assert not (nbcache.entries()["kind"] == "failure").any()


def test_a_batch_can_stop_at_the_first_failure(weather, calls):
    """What follows is not run."""
    weather("bad 2")
    batch = Batch("stopping")
    batch.add_factorial_runs(failing, {"a": [1, 2, 3]})
    with pytest.raises(BatchError, match="bad weather"):
        batch(on_error="stop", progress=False)
    assert calls == [(1,), (2,)]
    assert batch.rundone == [True, False, False]


# --- what runs do to each other

state = {"n": 0}


class Counting(Run):
    """A run that changes what it reads."""

    def run(self, x=1):
        """Depend on how many have run."""
        state["n"] = state["n"] + 1
        return x, state["n"]


def test_a_run_that_changes_what_others_read_stops_no_batch():
    """Each is computed with what it finds; none of them is stored."""
    state["n"] = 0
    batch = Batch("changing")
    batch.add_factorial_runs(Counting, {"x": [1, 2, 3]})
    with pytest.warns(CacheWarning, match="not stored"):
        batch(progress=False)
    assert list(batch.res) == [(1, 1), (2, 2), (3, 3)]
