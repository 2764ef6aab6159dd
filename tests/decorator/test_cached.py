"""`cached` functions: keys of calls, options, methods of the wrapper, bad input."""

import functools
import os
import re
import subprocess
import sys
import threading
import warnings

import counting
import numpy as np
import pandas as pd
import pytest

import nbcache
from nbcache import config


def files(cache) -> list[str]:
    folder = cache.directory / "entries"
    return sorted(path.name for path in folder.rglob("*.npz"))


def test_spellings_of_a_call_share_an_entry(cache, runs):
    """Positional, keyword and default arguments are bound as the signature says."""

    @cache.cached
    def f(x, y=3):
        counting.count()
        return x * y

    assert {f(2, 3), f(2, y=3), f(x=2, y=3), f(y=3, x=2), f(2)} == {6}
    assert len(runs) == 1


DIFFERENT = [
    (1, 1.0, True, "1", np.float64(1), np.int64(1), None, b"1", [1], (1,), {1}),
    (np.arange(4), np.arange(4.0), np.arange(4).reshape(2, 2), np.arange(4)[::-1]),
    (np.arange(4).reshape(2, 2), np.arange(4).reshape(2, 2).T),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    (
        pd.DataFrame({"a": [1, 2]}),
        pd.DataFrame({"b": [1, 2]}),
        pd.DataFrame({"a": [1, 2]}, index=[1, 2]),
        pd.DataFrame({"a": [1.0, 2]}),
        pd.DataFrame({"a": [1, 2]}).set_axis([0, 1]),
    ),
    (
        pd.Series(pd.Categorical(["a", "b"], categories=["a", "b"])),
        pd.Series(pd.Categorical(["a", "b"], categories=["b", "a"])),
        pd.Series(pd.Categorical(["a", "b"], ["a", "b"], ordered=True)),
        pd.Series(["a", "b"]),
    ),
    (
        np.ma.array([1, 2], mask=[0, 1]),
        np.ma.array([1, 2], mask=[1, 0]),
        np.ma.array([1, 2], mask=[0, 0]),
    ),
]


@pytest.mark.parametrize(
    "values", DIFFERENT, ids=lambda values: type(values[0]).__name__
)
def test_different_arguments_do_not_share(cache, runs, values):
    """Nothing observable is left out: type, shape, order, names, masks."""

    @cache.cached
    def f(x):
        counting.count()
        return repr(x)

    for value in values:
        assert f(value) == repr(value)
    for value in values:
        assert f(value) == repr(value)
    assert len(runs) == len(values)


def test_equal_content_hits_whatever_its_memory(cache, runs):
    """A copy, a strided view and an array of another owner are one argument."""

    @cache.cached
    def f(x):
        counting.count()
        return float(x.sum())

    x = np.arange(0, 20, 2)
    f(x), f(x.copy()), f(np.arange(20)[::2])
    assert len(runs) == 1
    x[5] = 0
    f(x)
    assert len(runs) == 2


def test_results_keep_type_and_structure_in_a_new_process(tmp_path):
    """A tuple stays a tuple, an int an int."""
    script = (
        "import sys; sys.path.insert(0, {tests!r})\n"
        "import numpy as np, numpy.testing as npt, counting, nbcache\n"
        "from numpy import array, float32\n"
        "cache = nbcache.Cache({folder!r})\n"
        "values = [None, 23, 2.5, 'txt', np.arange(5), (np.arange(5), np.arange(6)),\n"
        "          (23, ({{1: 2, 4: 3}}, np.arange(4)), np.eye(3)), [1, [2]],\n"
        "          {{1: 2}}, np.float32(3)]\n"
        "@cache.cached(ignore_globals='values')\n"
        "def f(i):\n    counting.count()\n    return values[i]\n"
        "for i, value in enumerate(values):\n"
        "    got = f(i)\n    npt.assert_equal(got, value)\n"
        "    assert type(got) is type(value)\n"
        "print(len(counting.ran))\n"
    ).format(tests=os.path.dirname(counting.__file__), folder=str(tmp_path / "c"))
    counts = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert counts == ["10\n", "0\n"]


def test_a_hit_may_be_changed_without_harm(cache):
    """What the caller does to a result does not reach the next one."""

    @cache.cached
    def f():
        return np.zeros(10**5)

    for _ in range(3):
        result = f()
        assert result[0] == 0
        result[0] = 1


def test_read_only_arrays_on_request(cache):
    """``mmap="read"`` hands out what cannot be changed."""

    @cache.cached(mmap="read")
    def f():
        return np.zeros(10**5)

    f()
    with pytest.raises(ValueError, match="read-only"):
        f()[0] = 1


def test_the_switches(cache, runs):
    """enabled, write and refresh, alone and together."""

    def f():
        counting.count()
        return len(runs)

    cached = functools.partial(cache.cached, f, ignore_globals="runs")
    off = cached(enabled=False)
    reading = cached(write=False)
    normal = cached()
    forced = cached(write=False, refresh=True)
    off(), off(), reading(), reading()
    assert len(runs) == 4
    assert files(cache) == []
    assert normal() == reading() == normal() == 5
    off()
    assert forced() == 7
    assert forced() == 8
    assert normal() == reading() == 8
    assert len(files(cache)) == 1


def test_readable_file_names(cache):
    """They begin with function and arguments, and lead nowhere else."""

    def fn(*a, **k):
        return 1

    readable = cache.cached(fn, key="readable")
    readable(3.5, "../Hello World", y=[1, 2, 3])
    readable(np.arange(100), "z" * 500, "z" * 500, "z" * 500)
    readable(password="hunter2")
    readable()
    names = files(cache)
    assert any(
        re.fullmatch(r"fn_35_HelloWorld_y_123-[0-9a-f]{32}\.npz", n) for n in names
    )
    assert all(re.fullmatch(r"[A-Za-z0-9_]+-[0-9a-f]{32}\.npz", name) for name in names)
    assert all(len(name) <= 100 for name in names)
    assert not any("hunter" in name for name in names)
    assert len(names) == 4
    assert readable.is_cached(3.5, "../Hello World", y=[1, 2, 3])


def test_a_key_function_replaces_the_arguments(cache, runs):
    """Its value is hashed; an object that cannot be hashed may be passed."""

    @cache.cached(key=lambda lock, n: n)
    def f(lock, n):
        counting.count()
        return n

    f(threading.Lock(), 1), f(threading.Lock(), 1), f(threading.Lock(), 2)
    assert len(runs) == 2


def test_compress_changes_the_size_only(cache):
    """A compressible array of 8 MB takes little; reading does not care."""

    @cache.cached(compress=True)
    def f():
        return np.zeros(10**6)

    f()
    assert np.array_equal(f(), np.zeros(10**6))
    (entry,) = (cache.directory / "entries").rglob("*.npz")
    assert entry.stat().st_size < 50_000


def test_ignored_arguments(cache, runs):
    """By name, and those that begin with an underscore."""

    @cache.cached(ignore="verbose")
    def f(x, verbose=False, _log=None):
        counting.count()
        return x

    f(1), f(1, verbose=True), f(1, _log=threading.Lock())
    assert len(runs) == 1


def test_hash_funcs_say_what_counts(cache, runs):
    """A type's identity may be chosen; ``unordered`` lets dicts share."""

    @cache.cached(hash_funcs={dict: nbcache.unordered})
    def f(d):
        counting.count()
        return sorted(d)

    f({"a": 1, "b": 2}), f({"b": 2, "a": 1})
    assert len(runs) == 1
    f({"a": 1, "b": 3})
    assert len(runs) == 2


def test_version_and_dependencies_belong_to_the_key(cache, runs):
    """Another token, or another value that it depends on, is another result."""

    def f():
        counting.count()
        return 1

    cache.cached(f, version=1)(), cache.cached(f, version=2)()
    cache.cached(f, depends_on=[1])(), cache.cached(f, depends_on=[2])()
    cache.cached(f, version=1)()
    assert len(runs) == 4


def test_track_source_and_none(cache, runs):
    """Less of the code may count, on request."""
    table = {"k": 1}

    def make(text: str, **options):
        namespace = {"count": counting.count, "K": table["k"]}
        exec(text, namespace)
        return cache.cached(namespace["f"], **options)

    one = "def f():\n    count()\n    return K"
    two = "def f():\n    count()\n    return K + 0"
    make(one, track="source")()
    table["k"] = 2
    assert make(one, track="source")() == 1
    assert make(two, track="source")() == 2
    assert make(one, track="none")() == 2
    table["k"] = 3
    assert make(two, track="none")() == 2
    assert make(one)() == 3
    assert len(runs) == 4


def test_methods_of_the_wrapper(cache, runs):
    """key, is_cached, peek, explain, refresh, put, clear, uncached, entries, info."""

    @cache.cached
    def f(x):
        counting.count()
        return x + 1

    assert not f.is_cached(1)
    assert f.explain(1) == "miss: first run"
    with pytest.raises(nbcache.NotCached, match="not cached for these arguments"):
        f.peek(1)
    assert f(1) == 2
    assert f.is_cached(1)
    assert f.peek(1) == 2
    assert f.explain(1).startswith("hit: stored 20")
    assert "argument x: 1 → 5" in f.explain(5)
    assert f.key(1) == f.key(x=1) != f.key(2)
    assert re.fullmatch("[0-9a-f]{32}", f.key(1).digest)
    f.put(100, 5)
    assert f(5) == 100
    assert len(runs) == 1
    assert f.refresh(5) == 6
    assert f.uncached(5) == 6
    assert f(5) == 6
    assert len(runs) == 3
    assert [row["name"].rpartition(".")[2] for row in f.entries()] == ["f", "f"]
    info = f.cache_info()
    assert (info.hits, info.currsize, info.maxsize) == (3, 2, None)
    assert info.bytes > 0
    assert f.clear(5) == 1
    assert not f.is_cached(5)
    assert f.is_cached(1)
    assert f.clear() == 1
    assert f.entries() == []
    assert f.__wrapped__(1) == 2
    assert f.__name__ == "f"


def test_methods_and_partials_can_be_decorated(cache, runs):
    """`self` is an argument like any other; other callables count by value."""

    class Model:
        def __init__(self, k):
            self.k = k

        @cache.cached
        def fit(self, x):
            counting.count()
            return self.k * x

    assert [Model(2).fit(3), Model(2).fit(3), Model(5).fit(3)] == [6, 6, 15]
    assert len(runs) == 2
    assert Model(2).fit.is_cached(3)

    def power(x, n):
        counting.count()
        return x**n

    square = cache.cached(functools.partial(power, n=2))
    assert (square(3), square(3), cache.cached(functools.partial(power, n=3))(3)) == (
        9,
        9,
        27,
    )
    assert len(runs) == 4


def test_a_cached_helper_counts_as_its_function(cache, runs):
    """Whether a helper is cached does not change what is computed."""

    def helper(x):
        return x + 1

    def make(helper):
        def f(x):
            counting.count()
            return helper(x)

        return cache.cached(f)

    assert make(helper)(1) == make(cache.cached(helper))(1) == 2
    assert len(runs) == 1


def test_recursion(cache, runs):
    """A cached function may call itself."""

    @cache.cached
    def fib(n):
        counting.count()
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(10) == 55
    assert len(runs) == 11


def test_exceptions_pass_and_are_not_stored(cache, runs):
    """The function's error is the caller's, each time."""

    @cache.cached
    def f():
        counting.count()
        raise ValueError("mine")

    for _ in range(2):
        with pytest.raises(ValueError, match="mine"):
            f()
    assert len(runs) == 2
    assert files(cache) == []


def test_a_wrong_call_raises_as_without_us(cache):
    """Python's own message, from the signature."""

    @cache.cached
    def f(x):
        return x

    with pytest.raises(TypeError, match="missing a required argument: 'x'"):
        f()


def test_an_argument_that_comes_back_is_the_very_object(cache):
    """Also its parts, and views of it."""

    @cache.cached
    def f(x, a):
        return x, x["k"], a[1:3]

    x, a = {"k": [1]}, np.arange(5)
    f(x, a)
    same, part, view = f(x, a)
    assert same is x
    assert part is x["k"]
    assert np.shares_memory(view, a)


def test_a_changed_argument_is_said_and_not_stored(cache, runs):
    """The result is the caller's; a hit could not change the argument."""

    @cache.cached
    def f(x):
        counting.count()
        x.append(1)
        return len(x)

    for _ in range(2):
        with pytest.warns(nbcache.CacheWarning, match="changed its argument 'x'"):
            assert f([]) == 1
    assert len(runs) == 2


CALLS: list[int] = []
MEMO: dict[int, int] = {}


def test_a_global_that_is_only_written_to(cache):
    """It is stored, and one line says that a hit does not repeat the writing."""

    @cache.cached
    def f(x):
        CALLS.append(x)
        return x

    CALLS.clear()
    with pytest.warns(nbcache.CacheWarning, match="CALLS.*does not repeat"):
        f(1)
    f(1)
    assert CALLS == [1]


def test_a_global_that_is_read_and_changed(cache):
    """Such a function is not cached and says how it could be."""

    def f(x):
        MEMO[x] = MEMO.get(x, 0) + 1
        return MEMO[x]

    MEMO.clear()
    reading = cache.cached(f)
    with pytest.warns(nbcache.CacheWarning, match="ignore_globals=.'MEMO'"):
        assert reading(1) == 1
    with pytest.warns(nbcache.CacheWarning, match="MEMO"):
        assert reading(1) == 2
    ignoring = cache.cached(f, ignore_globals="MEMO")
    assert (ignoring(1), ignoring(1)) == (3, 3)


def test_a_file_that_was_read_is_an_input(cache, tmp_path, runs):
    """The function runs for each version of the file, and for each once."""
    path = tmp_path / "data.txt"
    path.write_text("1")

    @cache.cached
    def f():
        counting.count()
        return path.read_text()

    for text in ("1", "1", "2", "1", "2"):
        path.write_text(text)
        assert f() == text
    assert len(runs) == 2


def test_an_argument_that_cannot_be_hashed(cache, runs):
    """It runs, one line names the path and the ways out; key() raises."""

    @cache.cached
    def f(x):
        counting.count()
        return 1

    bad = {"client": [threading.Lock()]}
    with pytest.warns(nbcache.CacheWarning, match=r"x\['client'\]\[0\].*lock") as told:
        assert f(bad) == 1
    assert "register_hash" in str(told[0].message)
    with pytest.raises(nbcache.UnhashableValue, match="lock") as caught:
        f.key(bad)
    assert caught.value.path == "x['client'][0]"
    assert not f.is_cached(bad)


def test_a_result_that_cannot_be_stored_is_returned(cache, runs):
    """With one line naming what it is."""

    @cache.cached
    def f():
        counting.count()
        return [threading.Lock()]

    for _ in range(2):
        with pytest.warns(nbcache.CacheWarning, match="not stored.*lock"):
            assert len(f()) == 1
    assert len(runs) == 2


def test_a_function_as_a_result(cache):
    """It comes back callable."""

    @cache.cached
    def f():
        return lambda: 7

    assert f()() == 7
    assert f()() == 7


@pytest.mark.parametrize("state", ["read-only", "file in place", "full"])
def test_an_unusable_folder_costs_one_warning(tmp_path, state):
    """The result is returned, whatever the folder is."""
    folder = tmp_path / "store"
    if state == "read-only":
        folder = "/proc/nbcache"  # cannot be written, not even by root
    elif state == "file in place":
        folder.write_text("mine")
    else:
        folder.symlink_to("/dev/full")

    @nbcache.Cache(folder).cached
    def f(x):
        return x + 1

    with pytest.warns(nbcache.CacheWarning, match="store failed") as told:
        assert f(1) == 2
    assert len(told) == 1


def test_a_damaged_entry_is_computed_again(cache, runs):
    """One line, and the entry is healed."""

    @cache.cached
    def f():
        counting.count()
        return np.arange(10)

    f()
    (entry,) = (cache.directory / "entries").rglob("*.npz")
    entry.write_bytes(entry.read_bytes()[:-100])
    with pytest.warns(nbcache.CacheWarning, match="damaged") as told:
        assert f().tolist() == list(range(10))
    assert len(told) == 1
    assert f().tolist() == list(range(10))
    assert len(runs) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "x"}, "key must be one of hash, readable, not 'x'"),
        ({"track": "x"}, "track must be one of auto, source, none"),
        ({"mmap": "x"}, "mmap must be one of copy, read, None"),
        ({"ignore": "vrebose"}, "Did you mean 'verbose'?"),
    ],
)
def test_wrong_options_are_refused_at_decoration(cache, options, message):
    """With what would be right."""

    def f(x, verbose=False):
        return x

    with pytest.raises(ValueError, match=re.escape(message)):
        cache.cached(f, **options)


def test_what_cannot_be_decorated(cache):
    """Generators, properties, classes and things that are no functions."""

    def generator():
        yield 1

    for wrong, message in (
        (generator, "generator"),
        (3, "takes a function"),
        (property(len), "@property above"),
        (int, "not the class int"),
    ):
        with pytest.raises(TypeError, match=message):
            cache.cached(wrong)


def test_threads_compute_a_key_once(cache, runs):
    """Whoever comes second takes the first one's result."""
    import time

    @cache.cached
    def f():
        counting.count()
        time.sleep(0.2)
        return object.__hash__(threading.current_thread())

    found = []
    threads = [threading.Thread(target=lambda: found.append(f())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1
    assert len(set(found)) == 1


def test_set_cache_dir_reaches_decorated_functions(tmp_path, monkeypatch):
    """The default cache is found anew for each call; the folder is made at once."""

    @nbcache.cached
    def f():
        return 1

    for name in ("one", "two"):
        with config.using():
            nbcache.set_cache_dir(tmp_path / name)
            assert (tmp_path / name).is_dir()
            f()
            assert len(list((tmp_path / name / "entries").rglob("*.npz"))) == 1
    monkeypatch.setenv("NBCACHE_ENABLED", "0")
    with config.using(dir=str(tmp_path / "three")):
        f()
    assert not (tmp_path / "three").exists()


def test_clear_needs_a_name_or_all(cache):
    """Neither is an error; an unknown name offers the nearest."""

    @cache.cached(name="fit")
    def f():
        return 1

    f()
    with pytest.raises(ValueError, match=r"a name, .* or all=True alone"):
        cache.clear()
    with pytest.raises(nbcache.UnknownName, match="Did you mean 'fit'"):
        cache.clear("fti")
    assert cache.entries().name.tolist() == ["fit"]
    assert cache.clear("fi*") == 1
    assert cache.clear(all=True) == 0


def test_switches_for_a_block(cache, runs):
    """disabled, read_only and refreshing hold inside ``with``, for every function."""

    @cache.cached
    def f():
        counting.count()
        return 1

    with nbcache.disabled():
        f()
    with nbcache.read_only():
        f()
    assert files(cache) == []
    f()
    with nbcache.read_only():
        f()
    assert len(runs) == 3
    with nbcache.refreshing():
        f()
    assert len(runs) == 4
    f()
    assert len(runs) == 4


def test_the_last_outcome(cache):
    """It says what was asked for, whether it was a hit, and if not why."""

    @cache.cached(name="fit")
    def f(x):
        return x

    f(1)
    assert (nbcache.last().name, nbcache.last().hit) == ("fit", False)
    assert nbcache.last().reason == "new"
    f(1)
    assert nbcache.last().hit
    f(2)
    assert nbcache.last().changes == ("argument x: 1 → 2",)


def test_global_random_generators(cache, runs):
    """Restored after a hit; a seed from outside is never mistaken for another."""

    @cache.cached
    def own_seed():
        np.random.seed(3)
        return np.random.rand()

    @cache.cached
    def f():
        counting.count()
        return np.random.rand()

    first = own_seed(), np.random.rand()
    np.random.seed(99)
    assert (own_seed(), np.random.rand()) == first
    found = []
    for seed in (1, 2, 1):
        np.random.seed(seed)
        found.append((f(), np.random.rand()))
    assert found[0] == found[2] != found[1]
    assert len(runs) == 2


def test_unseeded_values_stay_until_somebody_seeds(tmp_path):
    """One line says so; with a seed the function runs."""
    script = (
        "import sys, numpy as np, nbcache\n"
        "if len(sys.argv) > 2: np.random.seed(5)\n"
        "@nbcache.Cache(sys.argv[1]).cached\n"
        "def f():\n    return np.random.rand()\n"
        "print(f())\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "c")]
    ran = [
        subprocess.run(one, capture_output=True, text=True, check=True)
        for one in (command, command, [*command, "seed"])
    ]
    assert "nobody seeded" in ran[0].stderr
    assert ran[0].stdout == ran[1].stdout != ran[2].stdout
    assert ran[2].stdout == f"{np.random.RandomState(5).rand()}\n"


def test_a_result_survives_warnings_that_are_errors(cache, capsys):
    """Where the filter makes errors of warnings, the line is printed instead."""

    @cache.cached
    def f():
        return [threading.Lock()]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(f()) == 1
    assert "was run, not stored" in capsys.readouterr().err
