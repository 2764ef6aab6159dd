"""The scenarios of batchpy, the batches that nbcache's take the place of."""

import hashlib
import inspect
import json
import re
import sys
from pathlib import Path

import counting
import numpy as np
import pytest
from stories import counted_by_a_list, process

from nbcache import Batch, BatchError, Run


class OldRun:
    """A run of 2015: any callable with an id."""

    def __init__(self, A, B=None, C=(1, 2, 3)):
        self.A, self.B, self.C = A, B, C
        self.id = hashlib.sha1(str([A, B, C]).encode()).hexdigest()

    def __call__(self):
        """Give a result by name."""
        counting.count(self.A, self.B)
        return {"result_1": 10 * self.B}


class MyRun(Run):
    """A run of the 1.x generation."""

    def run(self, A=10, B=None, C=len, _v=False):
        """Give several results by name."""
        counting.count(A)
        return {
            "a": list(range(A)),
            "b": B,
            "c": C(range(A)) if callable(C) else C,
        }


IMPORTS = """
import hashlib, json, os, sys
import counting
import numpy as np
from nbcache import Batch, Run
"""
OLD = f"{IMPORTS}\n{inspect.getsource(OldRun)}\n"
NEW = f"{IMPORTS}\n{inspect.getsource(MyRun)}\n"
READS = IMPORTS.replace("import counting\n", "")


def parameters(runs):
    """Give two parameters of each run."""
    return [(run.parameters["A"], run.parameters["B"]) for run in runs]


# --- B01


def test_B01_batch_of_callables_results_in_list_order(calls):
    """Runs, results, ids and what is done line up."""
    batch = Batch("my_batch")
    for i in range(5):
        batch.add_run(OldRun("temp_parameter_A", B=i))
    assert batch.rundone == [False] * 5
    assert list(batch.res) == [None] * 5
    batch(progress=False)
    assert batch.rundone == [True] * 5
    assert len(calls) == 5
    assert batch.run[4].B == 4
    assert batch.res[4]["result_1"] == 40
    assert batch.get_res("result_1") == [0, 10, 20, 30, 40]
    assert batch.ids == [run.target.id for run in batch.run]
    assert len(list(Path("_cache/entries").glob("*/*.npz"))) == 5
    (listed,) = Path("_cache/batches").glob("my_batch-*.json")
    assert json.loads(listed.read_text())["name"] == "my_batch"


COUNTED_BY_A_LIST = """
from nbcache import Batch
calls = []

class Run:
    def __init__(self, B):
        self.B = B
        self.id = str(B)
    def __call__(self):
        calls.append(self.B)
        return {"result_1": 10 * self.B}

batch = Batch("counted")
for i in range(5):
    batch.add_run(Run(i))
batch(progress=False)
again = Batch("counted")
for i in range(6):
    again.add_run(Run(i))
again(progress=False)
assert again.get_res("result_1") == [0, 10, 20, 30, 40, 50]
print(calls)
"""


def test_B01_counted_by_a_global_list(tmp_path):
    """Writing to it is no input; one warning says that a hit does not repeat it."""
    printed = counted_by_a_list(tmp_path, COUNTED_BY_A_LIST)
    assert printed == "[0, 1, 2, 3, 4, 5]\n"


# --- B02

B02 = f"""{OLD}
b = Batch("my_batch")
for i in range(5):
    b.add_run(OldRun("x", B=i))
if len(sys.argv) == 1 and os.path.exists("extend"):
    assert list(b.rundone) == [True] * 5 and b.res[3]["result_1"] == 30
    b(progress=False)
    assert counting.ran == []
    for i in range(5):
        b.add_run(OldRun("x", B=i + 20))
    assert list(b.rundone) == [True] * 5 + [False] * 5
b(progress=False)
print([B for _, B in counting.ran])
"""
B02_CHANGED = f"""{OLD}
b = Batch("my_batch")
for i in range(5):
    b.add_run(OldRun("x", B=i, C=(1, 2, 3) if i != 2 else (9,)))
b(progress=False)
print([B for _, B in counting.ran])
"""


def test_B02_restart_and_extend_computes_only_the_new_runs(tmp_path):
    """Also when one parameter of one run changes."""
    assert process(tmp_path, B02) == "[0, 1, 2, 3, 4]\n"
    (tmp_path / "extend").touch()
    assert process(tmp_path, B02) == "[20, 21, 22, 23, 24]\n"
    assert process(tmp_path, B02_CHANGED) == "[2]\n"


# --- B03


def test_B03_full_factorial_sweep_with_constants():
    """Text and numbers are the same for all; the caller's dict is left alone."""
    grid = {"A": [1, 2, 3], "B": [[1, 2], [3, 4]], "C": "test"}
    batch = Batch("b")
    batch.add_factorial_runs(MyRun, grid)
    assert [tuple(run.parameters.values()) for run in batch.run] == [
        (1, [1, 2], "test"),
        (1, [3, 4], "test"),
        (2, [1, 2], "test"),
        (2, [3, 4], "test"),
        (3, [1, 2], "test"),
        (3, [3, 4], "test"),
    ]
    other = Batch("b2")
    other.add_factorial_runs(MyRun, {"A": [1, 2], "B": 1.0})
    assert parameters(other.run) == [(1, 1.0), (2, 1.0)]
    assert grid == {"A": [1, 2, 3], "B": [[1, 2], [3, 4]], "C": "test"}


# --- B04


def test_B04_run_properties(calls):
    """Parameters, id and place are there before, the rest after."""
    batch = Batch("ex")
    batch.add_run(MyRun, {"A": 3})
    run = batch.add_run(MyRun, {"A": 4})
    assert run is batch.run[1]
    assert run.parameters == {"A": 4, "B": None, "C": len}
    assert run.index == 1
    assert re.fullmatch("[0-9a-f]{32}", run.id)
    assert run.done is False
    assert run.result is None
    assert run.load() is None
    assert run.runtime is None
    assert not Path(run.filename).exists()
    out = run()
    assert out == {"a": [0, 1, 2, 3], "b": None, "c": 4} == run.result == run.load()
    assert run.done
    assert run.runtime >= 0
    assert Path(run.filename).is_file()
    assert run() == out
    assert calls == [(4,)]


# --- B05

B05_COMPUTES = f"""{NEW}
def rms(x): return sum(v * v for v in x) ** .5
b = Batch("t")
b.add_run(MyRun, {{"A": 4, "C": rms}})
b.add_run(MyRun, {{"A": 5, "C": rms}})
b(progress=False)
b.save_ids(format="npy")
b.save_ids(format="py")
b.save_ids()
"""
B05_READS = f"""{READS}
ids = list(np.load("t_ids.npy"))
sys.path.insert(0, os.getcwd())
from t_ids import ids as ids_py
assert ids == ids_py == json.load(open("t_ids.json"))
b = Batch("t")
b.add_resultrun(ids)
assert [r.parameters for r in b.run] == [
    {{"A": 4, "B": None, "C": "rms"}}, {{"A": 5, "B": None, "C": "rms"}}]
assert b.run[0].result["a"] == [0, 1, 2, 3] and b.run[0].runtime is not None
assert b.get_runs_with(A__ge=5) == [b.run[1]]
one = Batch("t")
one.add_resultrun(ids[0])
assert len(one.run) == 1, len(one.run)
assert one.run[0]() == one.run[0].result
by_key = Batch("t")
by_key.add_resultrun(one.run[0].key)
assert by_key.run[0].id == ids[0]
folder = Batch("t")
folder.add_resultrun_folder()
assert folder.ids == ids
assert "counting" not in sys.modules
print(b.to_dataframe()["result", "c"].tolist())
"""


def test_B05_results_without_the_code_that_made_them(tmp_path):
    """By id, by key and by folder; functions are told by name."""
    process(tmp_path, B05_COMPUTES)
    expected = f"[{14**0.5}, {30**0.5}]\n"
    assert process(tmp_path, B05_READS) == expected


# --- B07


def test_B07_query_by_parameter():
    """Equal, unequal, ordered, by list and by function; no condition is ignored."""
    batch = Batch("q")
    batch.add_factorial_runs(MyRun, {"A": [1, 2, 3], "B": [[1, 2], [3, 4]], "C": [min]})
    found = batch.get_runs_with
    assert parameters(found(A=1)) == [(1, [1, 2]), (1, [3, 4])]
    assert parameters(found(A__ne=1, B=[3, 4])) == [(2, [3, 4]), (3, [3, 4])]
    assert parameters(found(A__ge=2, A__le=2, C=min)) == [(2, [1, 2]), (2, [3, 4])]
    assert parameters(found(A__gt=2)) == [(3, [1, 2]), (3, [3, 4])]
    assert found(C=max) == []
    with pytest.raises(ValueError, match="no run has the parameter 'nope'"):
        found(nope=3)
    with pytest.raises(ValueError, match="no operator 'about'"):
        found(A__about=2)


# --- B08

B08 = f"""{NEW}
class K: pass
b = Batch("h")
made = [{{"A": 2, "C": sum}}, {{"A": 2, "C": K}}, {{"B": {{"x": 1, "y": 2}}}}]
ids = [MyRun(b, **one).id for one in made]
assert MyRun(b, A=2.).id == MyRun(b, A=2.0000).id
assert len(set(ids)) == 3
print(ids)
"""


def test_B08_ids_are_stable_across_processes_and_hash_seeds(tmp_path):
    """Whatever the values: a function, a class, a dict."""
    first = process(tmp_path, B08, PYTHONHASHSEED="1")
    assert process(tmp_path, B08, PYTHONHASHSEED="7") == first


# --- B10


def test_B10_array_parameters():
    """Each content has its id, also long, also inside of lists."""
    batch = Batch("arr")
    x = np.arange(5000)
    y = x.copy()
    y[2500] = -1
    assert MyRun(batch, B=[x]).id == MyRun(batch, B=[x.copy()]).id
    assert MyRun(batch, B=[x]).id != MyRun(batch, B=[y]).id
    assert MyRun(batch, B=x).id != MyRun(batch, B=y).id
    batch.add_factorial_runs(MyRun, {"A": 1, "B": [[x], [y]]})
    batch(progress=False)
    np.testing.assert_array_equal(batch.res[1]["b"][0], y)


# --- B11


def test_B11_duplicates_computed_once(calls):
    """Both runs have the result."""
    batch = Batch("dup")
    batch.add_run(MyRun, {"A": 7})
    batch.add_run(MyRun, {"A": 7})
    batch(progress=False)
    assert batch.run[0].result == batch.run[1].result == batch.res[1]
    assert batch.rundone == [True, True]
    assert len(calls) == 1


def test_B11_one_id_on_differing_runs_is_told_apart(calls):
    """Both are computed and kept; the id alone names neither."""
    batch = Batch("same")
    for b in (1, 2):
        one = OldRun("x", B=b)
        one.id = "mine"
        batch.add_run(one)
    batch(progress=False)
    assert batch.get_res("result_1") == [10, 20]
    assert len(calls) == 2
    stored = Batch("stored")
    with pytest.raises(ValueError, match="2 runs that differ") as told:
        stored.add_resultrun("mine")
    assert all(run.key in str(told.value) for run in batch.run)
    stored.add_resultrun([run.key for run in batch.run])
    assert stored.get_res("result_1") == [10, 20]


# --- B12


def test_B12_memory_only_batch(calls):
    """No file is made; a stored result is neither used nor in the way."""
    batch = Batch("mem", saveresult=False)
    batch.add_run(MyRun, {"A": 3})
    batch(progress=False)
    assert batch.run[0].result["a"] == [0, 1, 2]
    assert not Path(batch.run[0].filename).exists()
    stored = Batch("mem2")
    stored.add_run(MyRun, {"A": 3})
    stored(progress=False)
    assert Path(stored.run[0].filename).exists()
    batch = Batch("mem2", saveresult=False)
    batch.add_run(MyRun, {"A": 3})
    assert not batch.run[0].done
    batch(progress=False)
    assert batch.run[0].result["a"] == [0, 1, 2]
    assert len(calls) == 3
    assert batch.run[0].clear()
    assert batch.run[0].result is None
    assert stored.run[0].done


# --- B13


def test_B13_select_clear_and_recompute_single_runs(calls):
    """Exactly those that are meant."""
    batch = Batch("sel")
    batch.add_factorial_runs(MyRun, {"A": range(4)})
    batch(1, progress=False)
    batch([0, 2], progress=False)
    batch(np.array([3]), progress=False)
    batch(progress=False)
    assert calls == [(1,), (0,), (2,), (3,)]
    calls.clear()
    run = batch.run[3]
    file = run.filename
    assert run.clear() is True
    assert not Path(file).exists()
    assert not run.done
    assert run.result is None
    assert run.clear() is False
    batch(progress=False)
    assert calls == [(3,)]
    assert run.done
    batch(3, refresh=True, progress=False)
    assert calls == [(3,), (3,)]


# --- B14


class E(Run):
    """A run that can fail."""

    def run(self, A=0):
        """Fail for something that is outside of the key."""
        counting.count(A)
        sys.audit("nbcache_test.weather", A)
        return {"A": A}


bad = set()


def _weather(event, arguments):
    if event == "nbcache_test.weather" and arguments[0] in bad:
        raise RuntimeError("boom")


sys.addaudithook(_weather)


def test_B14_failure_and_resume(calls):
    """The others finish; the error names the failed one, which is tried again."""
    batch = Batch("err")
    batch.add_factorial_runs(E, {"A": [1, 2, 3]})
    bad.add(2)
    try:
        with pytest.raises(RuntimeError, match=r"run 1 .*E\(A=2\).*boom") as told:
            batch(progress=False)
    finally:
        bad.clear()
    assert isinstance(told.value, BatchError)
    assert batch.rundone == [True, False, True]
    (failure,) = told.value.failures
    assert failure.run is batch.run[1]
    assert "boom" in failure.traceback
    assert told.value.__cause__ is failure.error
    assert batch.run[1].error.attempts == 1
    batch(progress=False)
    assert calls == [(1,), (2,), (3,), (2,)]
    assert batch.run[1].error is None
    assert batch.get_res("A") == [1, 2, 3]


# --- B16


def test_B16_private_parameters_reach_run_but_not_the_id(calls):
    """Such a parameter is how to compute, not what."""
    batch = Batch("p")
    batch.add_run(MyRun, {"A": 1, "_v": True})
    batch.add_run(MyRun, {"A": 1})
    assert batch.run[0].id == batch.run[1].id
    assert "_v" not in batch.run[0].parameters
    batch(progress=False)
    assert len(calls) == 1


class Shown(Run):
    """Gives its private parameter."""

    def run(self, A=1, _v=False):
        """Give what it got."""
        return _v


def test_B16_private_parameters_are_given_to_run():
    """As they were given."""
    batch = Batch("p", saveresult=False)
    batch.add_run(Shown, {"_v": True})
    batch.add_run(Shown)
    batch(progress=False)
    assert batch.res[0] is True


def test_B16_progress_is_silent_or_a_bar_with_time_left(capfd):
    """A bar goes to stderr; without it nothing is printed."""
    for progress in (False, True):
        batch = Batch(f"p{progress}", saveresult=False)
        batch.add_factorial_runs(MyRun, {"A": list(range(200))})
        batch(progress=progress)
        out, err = capfd.readouterr()
        assert out == ""
        if not progress:
            assert err == ""
    assert "200/200" in err
    assert "<" in err  # elapsed<left
    assert err.count("\r") <= 51
