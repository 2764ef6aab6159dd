"""Cached functions in the pools of others: each point once in all, one key everywhere.

The script below is `__main__` of a process of its own.  What the workers run tells by
an audit event, whose hook appends to a file that was opened before.
"""

import json
import os
import subprocess
import sys
import textwrap

import pytest
from kernel import Kernel, environment

import nbcache

WORK = """
import os, sys, time
import nbcache

LIMIT = 3
_ran = os.open("ran", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def _hook(event, arguments):
    if event == "test.ran":
        os.write(_ran, b".")

sys.addaudithook(_hook)

def ran():
    with open("ran") as file:
        return len(file.read())

def tell():
    sys.audit("test.ran")

def helper(x):
    return x + LIMIT

@nbcache.cached
def of_module(x, y=1):
    sys.audit("test.ran")
    time.sleep(0.02)
    return helper(x) * y

class Model:
    def __init__(self, k):
        self.k = k

    @nbcache.cached
    def method(self, x):
        sys.audit("test.ran")
        return self.k + x

@nbcache.cached
def total(values):
    sys.audit("test.ran")
    return float(values.sum())

@nbcache.cached
def applied(function, x):
    sys.audit("test.ran")
    return function(x) + 1
"""

MAIN = """
import dataclasses, functools, json, multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
import numpy as np
import joblib, nbcache
import work

N = 3
SCALE = np.arange(5.0)

class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return type(other) is Point and other.x == self.x

@dataclasses.dataclass
class Data:
    a: int
    point: Point

def helper(x):
    return x * N + float(SCALE.sum())

def told(x):
    work.tell()

@nbcache.cached
def of_main(x, y=1):
    told(x)
    return helper(x) + y

@nbcache.cached(track="none")
def untracked(x):
    told(x)
    return x

@nbcache.cached
def instances(x):
    told(x)
    return [Point(x), Data(x, Point(2))]

@nbcache.cached
def big(x):
    told(x)
    return np.full(20_000, float(x))

class Local:
    k = 2
    @nbcache.cached
    def method(self, x):
        told(x)
        return self.k + x
    @classmethod
    @nbcache.cached
    def of_class(cls, x):
        told(x)
        return cls.k + x

def closure(k):
    @nbcache.cached
    def inner(x):
        told(x)
        return helper(x) + k
    return inner

def run(pool, function, points):
    kind, _, how = pool.partition(" ")
    if kind == "joblib":
        delayed = joblib.delayed(function)
        return joblib.Parallel(2, backend=how)(delayed(x) for x in points)
    if kind == "threads":
        with ThreadPoolExecutor(4) as workers:
            return list(workers.map(function, points))
    context = multiprocessing.get_context(how)
    if kind == "futures":
        with ProcessPoolExecutor(2, context) as workers:
            return list(workers.map(function, points))
    with context.Pool(2) as workers:
        return workers.map(function, points, chunksize=1)

def key(function, x):
    return str(function.key(x))

def check(pool, function, points=(1, 2, 3, 4)):
    nbcache.clear(all=True)
    before = work.ran()
    points = list(points)
    # some are asked for twice at the same time
    found = run(pool, function, [*points, *points[:2]])
    assert len(found) == len(points) + 2
    computed = work.ran() - before
    for point, result in zip(points, found):
        assert result == function(point), (pool, function, point, result)
        assert nbcache.last().hit, (pool, function, point)
    assert found[-2:] == found[:2]
    assert work.ran() - before == computed
    keys = run(pool, functools.partial(key, function), points[:1])
    assert keys == [key(function, points[0])]
    stored = Path(".nbcache/entries").glob("*/*.npz")
    assert len(list(stored)) == len(points)
    return [computed, len(points)]

if __name__ == "__main__":
    answers = []
    {body}
    print(json.dumps(answers))
"""


@pytest.fixture
def script(tmp_path):
    """Give a function that runs a script with its modules, and gives its answers."""
    (tmp_path / "work.py").write_text(WORK)

    def run(body):
        path = tmp_path / "script.py"
        path.write_text(MAIN.replace("{body}", textwrap.indent(body, " " * 4).strip()))
        done = subprocess.run(
            [sys.executable, str(path)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            env=environment(
                tmp_path,
                JUPYTER_DATA_DIR=str(tmp_path / "home"),
                PYTHONPATH=os.pathsep.join(
                    [environment(tmp_path)["PYTHONPATH"], str(tmp_path)]
                ),
            ),
        )
        assert done.returncode == 0, done.stderr
        assert "CacheWarning" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    return run


slow = pytest.mark.slow
POOLS = [
    "threads",
    "futures fork",
    pytest.param("futures spawn", marks=slow),
    pytest.param("futures forkserver", marks=slow),
    "processes fork",
    pytest.param("processes forkserver", marks=slow),
    pytest.param("processes spawn", marks=slow),
    "joblib loky",
    "joblib threading",
    "joblib multiprocessing",
]


@pytest.mark.parametrize("pool", POOLS)
def test_each_point_is_computed_once_in_all_and_hits_in_the_parent(pool, script):
    """Functions of modules and of the script, methods, and results of its classes."""
    body = """
for function in (work.of_module, work.Model(5).method, of_main, untracked, instances,
                 Local().method, Local.of_class):
    answers.append(check({!r}, function))
"""
    answers = script(body.replace("{!r}", repr(pool)))
    assert len(answers) == 7
    assert all(computed == points for computed, points in answers)


@pytest.mark.parametrize("pool", ["threads", "joblib loky", "joblib threading"])
def test_closures_go_to_workers_where_pickles_are_by_value(pool, script):
    """What they hold counts."""
    body = f"answers += [check({pool!r}, closure(5)), check({pool!r}, closure(6))]"
    assert script(body) == [[4, 4], [4, 4]]


@pytest.mark.parametrize("pool", ["futures spawn", "joblib loky", "threads"])
def test_references_and_functions_cross_processes_as_arguments(pool, script):
    """A reference counts as its value there too, and one made there loads here."""
    body = """
made = big.ref(3)
before = work.ran()
assert run(POOL, work.total, [made, made]) == [60000.0] * 2
assert work.total(big(3)) == 60000.0
assert nbcache.last().hit
there = run(POOL, big.ref, [3, 4])
assert there[0] == made
assert float(there[1].load().sum()) == 80000.0
assert work.total(there[1]) == 80000.0
answers.append(work.ran() - before)
before = work.ran()
applied = functools.partial(work.applied, work.of_module)
assert run(POOL, applied, [1, 2, 1]) == [5, 6, 5]
assert work.applied(work.of_module, 2) == 6
assert nbcache.last().hit
assert work.of_module(2) == 5
assert nbcache.last().hit
answers.append(work.ran() - before)
""".replace("POOL", repr(pool))
    assert script(body) == [3, 4]


NESTED = """
def outer(points):
    def inside(points):
        told(points)
        return sum(run(POOL, work.of_module, points))
    return inside(points)
outer = nbcache.cached(outer)
before = work.ran()
assert outer([1, 2, 3, 1]) == 19
assert outer([1, 2, 3, 1]) == 19
assert nbcache.last().hit
assert work.of_module(2) == 5
assert nbcache.last().hit
answers.append(work.ran() - before)
"""


@pytest.mark.parametrize(
    "pool", ["threads", "futures fork", "futures spawn", "joblib loky"]
)
def test_a_cached_function_may_use_a_pool_of_cached_calls(pool, script):
    """It waits for workers while it holds its own key; each is stored for itself."""
    assert script(NESTED.replace("POOL", repr(pool))) == [4]


RECURSIVE = """
def tree(depth):
    told(depth)
    if not depth:
        return 1
    with ThreadPoolExecutor(2) as workers:
        return sum(workers.map(tree, [depth - 1, depth - 1]))
tree = nbcache.cached(tree)
before = work.ran()
assert tree(4) == 16
answers.append(work.ran() - before)
"""


def test_a_cached_function_may_call_itself_in_threads(script):
    """Each depth is computed once; nobody waits for one who waits for it."""
    assert script(RECURSIVE) == [5]


FIRST_CALLS = """
sys.setswitchinterval(1e-5)
for number in range(8):
    text = "\\n".join([
        "import sys, work",
        f"def helper(x): return x + {number}",
        "def f(x):",
        "    sys.audit('test.ran')",
        "    return helper(x)",
    ])
    import types
    module = types.ModuleType(f"made{number}")
    path = os.path.abspath(f"made{number}.py")
    with open(path, "w") as file:
        file.write(text)
    exec(compile(text, path, "exec"), vars(module))
    answers.append(check("threads", nbcache.cached(module.f)))
    assert not any(outcome.refused for outcome in list(nbcache.cache.outcomes))
    stored = nbcache.cores.default_core().store.by_name(f"made{number}.f")
    assert [entry.trace for entry in stored] == [[]] * 4
"""


def test_the_first_calls_in_threads_get_one_key_and_see_nothing_of_each_other(script):
    """Handlers load, sources are parsed and keys are locked in all of them at once."""
    assert script(FIRST_CALLS) == [[4, 4]] * 8


# --- in a notebook

NOTEBOOK = """
import os, sys, multiprocessing, nbcache
from concurrent.futures import ProcessPoolExecutor
from joblib import Parallel, delayed
LIMIT = 3
class Point:
    def __init__(self, x):
        self.x = x
def helper(x):
    return x + LIMIT
@nbcache.cached
def f(x):
    return helper(x), os.getpid()
def closure(k):
    @nbcache.cached
    def inner(x):
        return helper(x) * k, os.getpid()
    return inner
@nbcache.cached
def point(x):
    return Point(x)
def same(function, points):
    there = Parallel(2)(delayed(function)(x) for x in [*points, *points])
    here = []
    for x in points:
        here.append(function(x))
        assert nbcache.last().hit
    assert there == [*here, *here]
    assert all(number != os.getpid() for _, number in here)
    return [value for value, _ in here]
"""


def test_a_notebook_gives_its_functions_to_joblib(tmp_path):
    """With helpers, closures, classes, and what is changed in between."""
    with Kernel(tmp_path) as kernel:
        assert kernel.run(NOTEBOOK).ok
        told = kernel.run(
            "print(same(f, range(4)), same(closure(2), range(2)))\nLIMIT = 4\n"
            "print(same(f, range(4)), same(closure(2), range(2)))\n"
        )
        assert told.stdout == "[3, 4, 5, 6] [6, 8]\n[4, 5, 6, 7] [8, 10]\n", (
            told.traceback
        )
        told = kernel.run(
            "there = Parallel(2)(delayed(point)(x) for x in range(3))\n"
            "print([type(one) is Point for one in [*there, point(1)]])\n"
            "print(nbcache.last().hit)\n"
            "class Point:\n    def __init__(self, x):\n        self.x = -x\n"
            "print(point(1).x, type(point(1)) is Point)\n"
        )
        assert told.stdout == "[True, True, True, True]\nTrue\n-1 True\n", told
        told = kernel.run(
            "context = multiprocessing.get_context('fork')\n"
            "with ProcessPoolExecutor(2, context) as pool:\n"
            "    print([value for value, _ in pool.map(f, [7, 8])])\n"
            "print(f(7)[0], nbcache.last().hit)\n"
        )
        assert told.stdout == "[11, 12]\n11 True\n", told


def test_class_methods_pickle_by_the_name_of_their_class():
    """As those of Python do, those of base classes too."""
    import pickle

    sys.modules.setdefault(__name__, sys.modules[Base.__module__])
    for function in (Base.of_class, Derived.of_class, Base.other, Derived.other):
        again = pickle.loads(pickle.dumps(function))
        assert again == function


class Base:
    """With class methods of both spellings."""

    @classmethod
    @nbcache.cached
    def of_class(cls):
        """Give the class's name."""
        return cls.__name__

    @nbcache.cached
    @classmethod
    def other(cls):
        """Give the class's name."""
        return cls.__name__


class Derived(Base):
    """Inherits them."""
