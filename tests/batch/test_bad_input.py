"""What cannot be meant is said at once and clearly; nothing that is done is lost."""

import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import counting
import pytest

from nbcache import Batch, BatchError, CacheWarning, Run, cached
from nbcache.errors import UnknownName, UnknownParameter


@pytest.fixture(autouse=True)
def calls():
    """Give the list of executions."""
    counting.ran.clear()
    return counting.ran


class Pendulum(Run):
    """A run with two parameters."""

    def run(self, length=1, mass=2):
        """Give their product."""
        counting.count(length)
        return {"y": length * mass}


def pendulum(length, mass=2):
    """Give the product of two parameters."""
    return length * mass


class Called:
    """A callable that is made from parameters."""

    def __init__(self, length):
        self.length = length

    def __call__(self):
        """Give it back."""
        return self.length


@pytest.mark.parametrize("target", [Pendulum, pendulum, cached(pendulum), Called])
def test_an_unknown_parameter_is_refused_with_a_near_match(target):
    """Already when the run is added."""
    batch = Batch("names")
    with pytest.raises(UnknownParameter, match=r"'lenght'.*Did you mean 'length'"):
        batch.add_run(target, {"lenght": 1})
    assert batch.run == []


def test_an_unknown_parameter_of_one_of_many_adds_none():
    """All runs are made before the first is added."""
    batch = Batch("names")
    with pytest.raises(UnknownParameter, match="Did you mean 'mass'"):
        batch.add_factorial_runs(Pendulum, {"length": [1, 2], "masss": 3})
    with pytest.raises(UnknownParameter, match="Did you mean 'length'"):
        batch.add_runs(Pendulum, [{"length": 1}, {"lengt": 2}])
    assert batch.run == []


def test_a_missing_parameter_is_named():
    """One without default."""
    with pytest.raises(TypeError, match="pendulum needs the parameter 'length'"):
        Batch("names").add_run(pendulum)


def test_parameters_without_values_are_refused():
    """There would be no runs, silently."""
    with pytest.raises(ValueError, match="'length' has no values"):
        Batch("names").add_factorial_runs(Pendulum, {"length": []})


def test_a_run_class_without_run_is_refused():
    """The text says what is missing."""

    class Empty(Run):
        pass

    class Odd(Run):
        run = 3

    batch = Batch("empty")
    for kind in (Empty, Odd, Run):
        with pytest.raises(TypeError, match=r"no method run\(self, \*\*named\)"):
            batch.add_run(kind)
    assert batch.run == []


def test_what_cannot_be_called_or_kept_is_refused():
    """When it is added, so that the others can be computed."""

    def numbers(a):
        yield a

    async def awaited(a):
        return a

    batch = Batch("odd")
    with pytest.raises(TypeError, match="generator"):
        batch.add_run(numbers, {"a": 1})
    with pytest.raises(TypeError, match="awaited"):
        batch.add_run(awaited, {"a": 1})
    with pytest.raises(TypeError, match="not NoneType"):
        batch.add_run(None)
    with pytest.raises(TypeError, match="dict of names and values, not list"):
        batch.add_run(pendulum, [1])
    assert batch.run == []


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_executor_that_is_shut_down_loses_nothing(kind):
    """It is said; what is done is kept, and another call goes on."""
    executor = kind(1)
    executor.shutdown()
    batch = Batch("down")
    batch.add_factorial_runs(Pendulum, {"length": [1, 2, 3]})
    batch(0, progress=False)
    with pytest.raises(RuntimeError, match=r"takes no work.*What is done is kept"):
        batch(executor=executor, progress=False)
    assert batch.rundone == [True, False, False]
    batch(progress=False)
    assert batch.get_res("y") == [2, 4, 6]


@pytest.mark.parametrize("executor", [3, "loky", ThreadPoolExecutor, object()])
def test_no_executor_is_refused(executor):
    """The text lists what is one."""
    batch = Batch("none")
    batch.add_run(Pendulum)
    with pytest.raises(TypeError, match="executor is None, an object with submit"):
        batch(executor=executor, progress=False)


@pytest.mark.parametrize("workers", [0, -1, "2", True, 1.5])
def test_no_number_of_workers_is_refused(workers):
    """It is a whole number from 1."""
    with pytest.raises(ValueError, match="workers is a number from 1"):
        Batch("none")(workers=workers)


def same(a):
    """Give a number."""
    counting.count()
    return 1


def test_an_unpicklable_parameter_costs_only_its_own_run():
    """In workers; the text names the run and says what to do."""
    batch = Batch("pickle")
    batch.add_factorial_runs(same, {"a": [1, threading.Lock(), 3]})
    with pytest.raises(BatchError, match=r"run 1 .*cannot be sent to a worker"):
        batch(workers=2, progress=False)
    assert batch.rundone == [True, False, True]


def test_a_parameter_without_content_is_run_and_not_stored(calls):
    """In this process; one line for all such runs says so."""
    batch = Batch("locks")
    batch.add_factorial_runs(same, {"a": [threading.Lock(), threading.Lock(), 3]})
    with pytest.warns(CacheWarning, match="run, not stored") as told:
        batch(progress=False)
    assert len(told) <= 2
    assert list(batch.res) == [1, 1, 1]
    batch(progress=False)
    assert len(calls) == 3


def test_one_id_on_differing_runs_is_kept_apart():
    """Both are computed; the id alone is refused, and the keys are listed."""

    class Own:
        id = "mine"

        def __init__(self, value):
            self.value = value

        def __call__(self):
            return self.value

    batch = Batch("ids")
    batch.add_factorial_runs(Own, {"value": [1, 2]})
    batch(progress=False)
    assert list(batch.res) == [1, 2]
    with pytest.raises(ValueError, match="2 runs that differ have the id 'mine'"):
        Batch("stored").add_resultrun("mine")


def test_a_run_is_added_once():
    """Neither twice nor to two batches."""
    run = Pendulum(length=3)
    batch = Batch("a")
    batch.add_run(run)
    with pytest.raises(ValueError, match="in the batch already"):
        batch.add_run(run)
    with pytest.raises(ValueError, match="in the batch 'a' already"):
        Batch("b").add_run(run)
    with pytest.raises(TypeError, match="has its parameters already"):
        Batch("b").add_run(Pendulum(length=3), {"mass": 1})


def test_results_that_are_not_there_are_said_to_be_missing():
    """By id, and by what is none."""
    batch = Batch("none")
    with pytest.raises(UnknownName, match="no result of run 'x'"):
        batch.add_resultrun("x")
    with pytest.raises(TypeError, match="by its id or key, not 5"):
        batch.add_resultrun(5)
    with pytest.raises(FileNotFoundError):
        batch.add_resultrun_folder("no/such/folder")


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (99, IndexError),
        ([0, 99], IndexError),
        ("a", TypeError),
        (1.5, TypeError),
        (True, TypeError),
        ([True], ValueError),
        ({"a": 1}, TypeError),
        (Pendulum(length=9), IndexError),
    ],
)
def test_runs_that_cannot_be_meant_are_refused(wanted, error, calls):
    """Before anything is computed."""
    batch = Batch("selected")
    batch.add_factorial_runs(Pendulum, {"length": [1, 2]})
    with pytest.raises(error):
        batch(wanted, progress=False)
    assert calls == []


def test_other_arguments_are_checked_as_well():
    """Each names what it takes."""
    with pytest.raises(ValueError, match="a batch has a name"):
        Batch("")
    with pytest.raises(TypeError, match=r"nbcache\.Cache, not int"):
        Batch("a", cache=3)
    with pytest.raises(ValueError, match="on_error is raise, keep, stop"):
        Batch("a")(on_error="x")
    with pytest.raises(ValueError, match="json, npy, py"):
        Batch("a").save_ids(format="txt")
