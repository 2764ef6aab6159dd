"""Runs in pools of all kinds: stored by who computes them, each once, with one key."""

import pytest
from kernel import Kernel
from pools import run

slow = pytest.mark.slow
POOLS = [
    "loky",
    "fork",
    "threads",
    pytest.param("spawn", marks=slow),
    pytest.param("submit", marks=slow),
    pytest.param("dask", marks=slow),
]

KINDS = """
K = 3
SCALE = np.arange(5.0)

def helper(x):
    return x * K + float(SCALE.sum())

def of_main(x):
    work.begins(x)
    return helper(x)

def closure(k):
    def inner(x):
        work.begins(x)
        return helper(x) + k
    return inner

class Base(Run):
    scale = 2
    def run(self, x, y=1):
        work.begins(x)
        return {"value": self.computed(x) + y, "pid": os.getpid()}

class Derived(Base):
    def computed(self, x):
        self.seen = x
        return helper(x) * self.scale

class Callable:
    def __init__(self, n):
        self.n = n
    def __call__(self):
        work.begins(self.n)
        return helper(self.n)

@nbcache.cached
def cached(x):
    work.begins(x)
    return helper(x)

def check(kwargs, target, name="x", count=6):
    batch = Batch("kinds")
    before = len(work.told())
    batch.add_factorial_runs(target, {name: range(count)})
    batch.add_factorial_runs(target, {name: range(2)})
    keys = [run.key for run in batch.run]
    batch(progress=False, **kwargs)
    assert all(batch.rundone)
    assert [run._inside.held for run in batch.run] == [None] * (count + 2)
    assert len(work.told()) - before == count, work.told()
    again = Batch("again")
    again.add_factorial_runs(target, {name: range(count)})
    assert again.rundone == [True] * count
    assert [run.key for run in again.run] == keys[:count]
    return batch.res[3]
"""


@pytest.mark.parametrize("kind", POOLS)
def test_each_run_is_computed_once_and_stored_by_its_worker(kind, tmp_path):
    """Functions, closures, classes of the script and of modules, duplicates."""
    answers, error = run(
        tmp_path,
        KINDS
        + f"""
# main
with pool({kind!r}) as kwargs:
    assert check(kwargs, of_main) == 19
    assert check(kwargs, work.of_module) == 6
    assert check(kwargs, closure(5)) == 24
    assert check(kwargs, closure(6)) == 25
    assert check(kwargs, cached) == 19
    assert check(kwargs, Callable, "n") == 19
    assert check(kwargs, Derived)["value"] == 39
    K = 4
    assert check(kwargs, Derived)["value"] == 45
print(json.dumps(in_others()))
""",
    )
    assert answers is (kind != "threads")
    assert "Warning" not in error, error


def test_only_references_return(tmp_path):
    """What the client needs does not grow with the results."""
    grown, _ = run(
        tmp_path,
        """
import resource
def big(n):
    return np.full(2_000_000, float(n))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
# main
batch = Batch("big")
batch.add_factorial_runs(big, {"n": range(12)})
warm = Batch("warm")
warm.add_factorial_runs(big, {"n": [100, 101]})
warm(workers=2, progress=False)
before = peak()
batch(workers=2, progress=False)
after = peak()
assert all(batch.rundone)
assert batch.run[7].result.sum() == 14_000_000
print(json.dumps(after - before))
""",
    )
    assert grown < 32_000  # KiB, of 192 MB


BAD = """
import threading
class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(f"odd {a} {b}")
class Lock:
    def __init__(self):
        self.lock = threading.Lock()
    def __nbcache_hash__(self):
        return 1
def wrong(x):
    work.begins(x)
    if x == 1:
        raise Odd(1, 2)
    if x == 2:
        return threading.Lock()
    if x == 3:
        error = ValueError("has a lock")
        error.lock = threading.Lock()
        raise error
    if x == 4:
        sys.exit(3)
    return x
def given(x, lock=None):
    work.begins(x)
    return x
class Elsewhere:
    def __reduce__(self):
        return _here, ()
def _here():
    raise LookupError("not here")
"""


@pytest.mark.parametrize(
    "kind", ["loky", pytest.param("fork", marks=slow), pytest.param("dask", marks=slow)]
)
def test_what_cannot_travel_fails_by_itself(kind, tmp_path):
    """Errors that do not unpickle, results that do not pickle, parameters too."""
    told, _ = run(
        tmp_path,
        BAD
        + f"""
# main
with pool({kind!r}) as kwargs:
    batch = Batch("bad")
    batch.add_factorial_runs(wrong, {{"x": range(6)}})
    batch.add_runs(given, [{{"x": 10}}, {{"x": 11, "lock": Lock()}}])
    try:
        batch(progress=False, **kwargs)
    except BatchError as error:
        told = [[one.run.index, one.kind, one.message] for one in error.failures]
        texts = [one.traceback for one in error.failures]
    done = batch.rundone
    assert done == [True, False, False, False, False, True, True, False], done
    assert batch.res[5] == 5
    assert any("raise Odd(1, 2)" in text for text in texts)
    print(json.dumps(sorted(told)))
""",
    )
    assert [one[0] for one in told] == [1, 2, 3, 4, 7]
    odd, result, lock, left, parameter = told
    assert odd[1] == "__main__.Odd"
    assert "odd 1 2" in odd[2]
    assert "neither be stored" in result[2]
    assert lock[1] == "ValueError"
    assert "has a lock" in lock[2]
    assert left[1] == "SystemExit"
    assert "cannot be sent to a worker" in parameter[2]


def test_large_arguments_are_stored_once_and_are_gone_afterwards(tmp_path):
    """Runs get them as references, and may change what they got."""
    told, _ = run(
        tmp_path,
        """
def of_array(data, n):
    work.begins(n)
    data += n
    return float(data.sum())
# main
data = np.ones(1_000_000)
batch = Batch("large")
batch.add_factorial_runs(of_array, {"data": [data], "n": range(4)})
from nbcache.executors import work as inner, drive
sizes = []
def packed(self, work, before=drive.Pool.pack):
    sizes.append(len(before(self, work)))
    return before(self, work)
drive.Pool.pack = packed
batch(workers=2, progress=False)
assert list(batch.res) == [1e6, 2e6, 3e6, 4e6], list(batch.res)
assert data.sum() == 1e6
kinds = set(nbcache.entries()["kind"])
assert max(sizes) < 50_000, sizes
print(json.dumps([once(), sorted(kinds)]))
""",
    )
    assert told[0]
    assert not {"argument", "canary"} & set(told[1])


def test_short_runs_go_in_chunks(tmp_path):
    """Hundreds of them are sent in tens of pieces."""
    sent, _ = run(
        tmp_path,
        """
def quick(n):
    work.begins(n)
    return n
class Counting(ProcessPoolExecutor):
    sent = 0
    def submit(self, *args, **kwargs):
        Counting.sent += 1
        return super().submit(*args, **kwargs)
# main
batch = Batch("quick")
batch.add_factorial_runs(quick, {"n": range(300)})
with Counting(2) as executor:
    batch(executor=executor, progress=False)
assert list(batch.res) == list(range(300))
assert once()
print(json.dumps(Counting.sent))
""",
    )
    assert sent < 100


def test_executors_that_take_no_work_are_told_of(tmp_path):
    """Shut down, broken for good, or none at all; what is stored needs none."""
    told, _ = run(
        tmp_path,
        """
def f(n):
    work.begins(n)
    return n
def dies():
    os._exit(1)
# main
def told(executor, **more):
    batch = Batch("none")
    batch.add_factorial_runs(f, {"n": range(3)})
    try:
        batch(executor=executor, progress=False, **more)
    except (RuntimeError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
ended = ThreadPoolExecutor(1)
ended.shutdown()
ended_too = ProcessPoolExecutor(1)
ended_too.shutdown()
answers = [told(ended), told(ended_too), told(3), told("dask"), told(None, workers=0)]
with ProcessPoolExecutor(2, initializer=dies) as executor:
    answers.append(told(executor))
batch = Batch("none")
batch.add_factorial_runs(f, {"n": range(3)})
batch(progress=False)
answers.append(told(ended))
print(json.dumps(answers))
""",
    )
    threads, processes, number, dask, none, dying, stored = told
    for one in (threads, processes):
        assert one.startswith("RuntimeError: the executor takes no work"), one
        assert "shutdown" in one
    assert number.startswith("TypeError: executor is None, an object with submit()")
    assert dask.startswith("ValueError: executor='dask' stands for the current client")
    assert none.startswith("ValueError: workers is a number from 1")
    assert "the workers end before they compute anything" in dying
    assert stored is None


NOTEBOOK = """
import os, nbcache
from nbcache import Batch, Run
LIMIT = 3
def helper(x):
    return x + LIMIT
class Base(Run):
    def run(self, x):
        return {"value": self.more(x), "pid": os.getpid()}
class Study(Base):
    def more(self, x):
        return helper(x)
def closure(k):
    def inner(x):
        return {"value": helper(x) * k, "pid": os.getpid()}
    return inner
def applied(x, function, model):
    return {"value": function(x) * model.k, "pid": os.getpid()}
class Model:
    def __init__(self, k):
        self.k = k
def study(target, **more):
    batch = Batch("study")
    batch.add_factorial_runs(target, {"x": range(4), **more})
    batch(workers=2, progress=False)
    assert all(one != os.getpid() for one in batch.get_res("pid"))
    assert len(batch) == sum(batch.rundone)
    return batch.get_res("value")
"""


def test_a_notebook_gives_its_functions_and_classes_to_workers(tmp_path):
    """With helpers and base classes, and what is changed in between."""
    with Kernel(tmp_path) as kernel:
        assert kernel.run(NOTEBOOK).ok
        ask = "print(study(Study), study(closure(2)))"
        told = kernel.run(ask)
        assert told.stdout == "[3, 4, 5, 6] [6, 8, 10, 12]\n", told.traceback
        told = kernel.run(
            "class Other(Model):\n    pass\ndef twice(x):\n    return 2 * helper(x)\n"
            "print(study(applied, function=[twice], model=[Other(3)]))\n"
        )
        assert told.stdout == "[18, 24, 30, 36]\n", told.traceback
        told = kernel.run(f"LIMIT = 4\n{ask}")
        assert told.stdout == "[4, 5, 6, 7] [8, 10, 12, 14]\n", told.traceback
        told = kernel.run(f"def helper(x):\n    return -x\n{ask}")
        assert told.stdout == "[0, -1, -2, -3] [0, -2, -4, -6]\n", told.traceback
