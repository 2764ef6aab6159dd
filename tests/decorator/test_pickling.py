"""Cached functions in pickles: by reference, by value for cloudpickle."""

import copy
import io
import itertools
import json
import linecache
import pickle
import subprocess
import sys

import cloudpickle
import counting
import pytest

import nbcache
from nbcache.decorator import pickling


@nbcache.cached
def at_the_top(x):
    """Add one."""
    return x + 1


class Model:
    """A class with a cached method."""

    def __init__(self, n):
        self.n = n

    @nbcache.cached
    def f(self, x):
        """Add what the instance holds."""
        return self.n + x


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=lambda one: one.__name__)
def test_what_a_module_holds_is_pickled_by_reference(pickler):
    """The same object comes back, with either pickle."""
    sys.modules.setdefault(__name__, sys.modules[at_the_top.__module__])
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        data = pickler.dumps(at_the_top, protocol=protocol)
        assert pickle.loads(data) is at_the_top
        assert len(data) < 200
    assert pickle.loads(pickler.dumps(Model.f)) is Model.f
    bound = pickle.loads(pickler.dumps(Model(3).f))
    assert bound(4) == 7
    assert pickle.loads(pickler.dumps([at_the_top])) == [at_the_top]


def test_local_functions_are_refused_as_python_does():
    """With the way out."""

    @nbcache.cached
    def local():
        return 1

    with pytest.raises((AttributeError, pickle.PicklingError), match="local object"):
        pickle.dumps(local)
    with pytest.raises((AttributeError, pickle.PicklingError), match="local object"):
        pickle.dumps({"a": [local]})


def test_local_functions_go_by_value_with_cloudpickle(tmp_path):
    """Closure and options included; the copy shares the results."""
    cache = nbcache.Cache(tmp_path)
    n = 5

    @cache.cached(ignore="b", version=2, expires_after="1h", tags="t")
    def local(a, b):
        counting.count()
        return a + n

    counting.ran.clear()
    again = cloudpickle.loads(cloudpickle.dumps(local))
    assert again is not local
    assert again.key(1, 2) == local.key(1, 3)
    assert local(1, 2) == again(1, 3) == 6
    assert len(counting.ran) == 1
    assert again._options.tags == ("t",)
    assert again._options.expires_after == 3600.0


def test_copies_are_the_function_itself():
    """As for plain functions."""
    assert copy.copy(at_the_top) is at_the_top
    assert copy.deepcopy([at_the_top])[0] is at_the_top


def test_the_pickler_written_in_python_names_functions_too():
    """Joblib hashes with it."""
    sys.modules.setdefault(__name__, sys.modules[at_the_top.__module__])
    stream = io.BytesIO()
    pickle._Pickler(stream).dump([at_the_top])
    assert pickle.loads(stream.getvalue()) == [at_the_top]


DEFINING = """
import sys, json
sys.path.insert(0, {tests!r})
import asyncio, cloudpickle, counting, nbcache
import numpy as np
cache = nbcache.Cache({folder!r})
LIMIT = 3
calls = []

class Scale:
    factor = 2
    def __init__(self, by):
        self.by = by
    def apply(self, x):
        return x * self.by * self.factor

def helper(x):
    # a comment
    return x + LIMIT

@cache.cached
def f(x, *, y=1):
    '''Docstring.'''
    calls.append(x)
    return helper(x) + y

@cache.cached
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

@cache.cached
def scaled(x):
    return Scale(3).apply(x)

@cache.cached
async def later(x):
    return x + LIMIT

@nbcache.cached
def default(x):
    return f(x) + float(np.float64(1))

def task(x):
    return f(x)

lambda_ = cache.cached(lambda x: x - 1, name="lambda_")
names = ["f", "fib", "scaled", "later", "default", "lambda_"]
keys = {{name: str(globals()[name].key(5)) for name in names}}
"""

USING = """
import sys, json, pickle
sys.path.insert(0, {tests!r})
import asyncio, nbcache
with open(sys.argv[1], "rb") as file:
    given = pickle.load(file)
keys = {{name: str(given[name].key(5)) for name in given if name != "task"}}
values = {{name: given[name](5) for name in given if name != "later"}}
values["later"] = asyncio.run(given["later"](5))
hits = [outcome.hit for outcome in nbcache.cache.outcomes]
print(json.dumps([keys, values, hits]))
"""


@pytest.fixture
def definer(tmp_path):
    """Give a function that runs a script as ``__main__`` and gives its output."""
    tests, numbers = counting.__file__.rpartition("/")[0], itertools.count()

    def run(text, *arguments):
        path = tmp_path / f"script{next(numbers)}.py"
        path.write_text(text.format(tests=tests, folder=str(tmp_path / "cache")))
        done = subprocess.run(
            [sys.executable, str(path), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        # no other process shall find the source there
        path.unlink()
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_functions_of_main_have_the_same_keys_in_other_processes(definer, tmp_path):
    """The code counts as where it was defined, so results are shared."""
    dumping = DEFINING + (
        "values = {{n: globals()[n](5) for n in names if n != 'later'}}\n"
        "values['task'] = task(5)\n"
        "values['later'] = asyncio.run(later(5))\n"
        "with open(sys.argv[1], 'wb') as file:\n"
        "    cloudpickle.dump({{n: globals()[n] for n in [*names, 'task']}}, file)\n"
        "print(json.dumps([keys, values]))\n"
    )
    path = tmp_path / "pickle"
    keys, values = json.loads(definer(dumping, path))
    there, found, hits = json.loads(definer(USING, path))
    assert there == keys
    assert found == values
    assert all(hits)


def test_other_globals_there_make_other_keys(definer, tmp_path):
    """What the pickle brings counts, not what the name meant where it was made."""
    path = tmp_path / "pickle"
    dumping = DEFINING + (
        "LIMIT = {{!r}}\n".replace("{{!r}}", "30")
        + "Scale.factor = 7\n"
        + "with open(sys.argv[1], 'wb') as file:\n"
        + "    cloudpickle.dump({{n: globals()[n] for n in [*names, 'task']}}, file)\n"
        + "print(json.dumps([keys, f(5), scaled(5)]))\n"
    )
    keys, value, scaled = json.loads(definer(dumping, path))
    there, found, _ = json.loads(definer(USING, path))
    assert found["f"] == value == 36
    assert found["scaled"] == scaled == 105
    for name in ("f", "scaled", "later", "default"):
        assert there[name] != keys[name]
    for name in ("fib", "lambda_"):
        assert there[name] == keys[name]


def test_a_changed_helper_there_makes_another_key(definer, tmp_path):
    """The digests that came along are those of code, not of names."""
    path = tmp_path / "pickle"
    dumping = DEFINING + (
        "f(5)\n"
        "with open(sys.argv[1], 'wb') as file:\n"
        "    cloudpickle.dump({{n: globals()[n] for n in [*names, 'task']}}, file)\n"
    )
    definer(dumping, path)
    using = USING.replace(
        "keys =", "given['f'].__globals__['helper'] = lambda x: -x\nkeys ="
    )
    using = using.replace("given['f'].", "given['f'].__wrapped__.")
    _, found, _ = json.loads(definer(using, path))
    assert found["f"] == -4
    assert found["default"] == -3


POOL = (
    DEFINING.replace("cache = ", "from concurrent.futures import *\ncache = ", 1)
    + """
import multiprocessing
if __name__ == "__main__":
    f(1)
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, context) as pool:
            print(list(pool.map(f, [1, 2, 3])), list(pool.map(fib, [5])))
    print(len(f.entries()))
"""
)


def test_pools_of_the_standard_library_take_functions_of_main(definer):
    """By reference, which a fork or an import of the script finds."""
    told = definer(POOL).splitlines()
    assert told == ["[5, 6, 7] [5]"] * 2 + ["3"]


METHODS = """
import sys, json, pickle, cloudpickle, nbcache
cache = nbcache.Cache(sys.argv[1])

class Model:
    n = 2
    def __init__(self, k):
        self.k = k
    @cache.cached
    def f(self, x):
        return self.g(x) + self.k
    def g(self, x):
        return x * self.n  # a comment
    @cache.cached
    @classmethod
    def made(cls, x):
        return cls(x).g(x)

if len(sys.argv) == 3:
    print(json.dumps([Model(3).f(4), Model.made(4), str(Model(3).f.key(4))]))
    with open(sys.argv[2], "wb") as file:
        cloudpickle.dump([Model(3), Model(3).f, Model], file)
"""

USING_METHODS = """
import sys, json, pickle, nbcache
with open(sys.argv[1], "rb") as file:
    model, f, Model = pickle.load(file)
told = [f(4), Model.made(4), str(model.f.key(4))]
print(json.dumps(told))
print(json.dumps([outcome.hit for outcome in nbcache.cache.outcomes]))
"""


def test_methods_of_classes_of_main_go_by_value_too(definer, tmp_path):
    """Bound ones, class methods, and the class itself."""
    path = tmp_path / "pickle"
    here = definer(METHODS.replace("{", "{{").replace("}", "}}"), tmp_path / "c", path)
    told = definer(USING_METHODS, path).splitlines()
    assert json.loads(told[0]) == json.loads(here)
    assert json.loads(told[1]) == [True, True]


LOKY = (
    DEFINING
    + """
from loky import get_reusable_executor
f(1), fib(5)
pool = get_reusable_executor(max_workers=2)
def ask(x):
    return f(x), nbcache.last().hit, str(f.key(x)), sys.argv[0] == "x"
def ask_default(x):
    return default(x), str(default.key(x)), fib(5), nbcache.last().hit
print(list(pool.map(ask, [1]))[0][:3] == (f(1), True, str(f.key(1))))
print(list(pool.map(ask_default, [1]))[0] == (6.0, str(default.key(1)), 5, True))
default(1)
print(nbcache.last().hit)
pool.shutdown()
"""
)


def test_workers_of_loky_share_results(definer, tmp_path, monkeypatch):
    """Joblib's too: they pickle by value, and keep results in the same folder."""
    pytest.importorskip("loky")
    monkeypatch.setenv("NBCACHE_DIR", str(tmp_path / "default"))
    assert definer(LOKY).split() == ["True"] * 3


def test_sources_are_remembered_but_never_replaced():
    """What this process knows under a name is not overwritten."""
    name = "<nbcache test of known sources>"
    pickling.learn_sources(pickling.Known({name: "a = 1\n"}, []))
    assert linecache.getline(name, 1) == "a = 1\n"
    pickling.learn_sources(pickling.Known({name: "b = 2\n"}, []))
    assert linecache.getline(name, 1) == "a = 1\n"
