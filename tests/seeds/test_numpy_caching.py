"""The scenarios of numpy_caching, the decorator that nbcache takes the place of."""

import datetime
import os
import re
from pathlib import Path

import counting
import numpy as np
import numpy.testing
import pandas as pd
import pytest
from kernel import Kernel
from stories import counted_by_a_list, process

import nbcache
from nbcache import cached, set_cache_dir


def entries(folder="_cache"):
    """Give the files of the entries in a store, by path."""
    return sorted(Path(folder).glob("entries/*/*.npz"))


def names(folder="_cache"):
    """Give the names of the entries' files."""
    return sorted(path.name for path in entries(folder))


# --- N01

N01 = """
import counting
from pathlib import Path
from nbcache import cached, set_cache_dir
set_cache_dir("_cache")

@cached
def f(x, y):
    counting.count()
    return x * y

assert f(2, 3) == 6 == f(2, 3)
assert len(list(Path("_cache/entries").glob("*/*.npz"))) == 1
print(len(counting.ran))
"""


def test_N01_hit_on_the_second_call_also_in_another_interpreter(tmp_path):
    """One execution in all, one file."""
    assert process(tmp_path, N01) == "1\n"
    assert process(tmp_path, N01) == "0\n"


COUNTED_BY_A_LIST = """
from nbcache import cached
calls = []

@cached
def f(x, y):
    calls.append(1)
    return x * y

assert f(2, 3) == 6 == f(2, 3) == f(x=2, y=3)
assert f(3, 3) == 9 == f(3, 3)
print(len(calls))
"""


def test_N01_counted_by_a_global_list(tmp_path):
    """Writing to it is no input; one warning says that a hit does not repeat it."""
    printed = counted_by_a_list(tmp_path, COUNTED_BY_A_LIST)
    assert printed == "2\n"


# --- N02

value = ["old"]


def current():
    """Give what a global holds."""
    counting.count()
    return value[0]


def test_N02_the_three_switches(monkeypatch, calls):
    """Off neither reads nor writes; read only never stores; refresh always does."""
    monkeypatch.setitem(globals(), "value", ["old"])
    off = cached(enabled=False, track="none")(current)
    read = cached(write=False, track="none")(current)
    both = cached(track="none")(current)
    force = cached(write=False, refresh=True, track="none")(current)
    off(), off(), read(), read()
    assert len(calls) == 4
    assert names() == []
    both()
    assert len(names()) == 1
    calls.clear()
    assert read() == both() == "old"
    assert not calls
    off()
    assert len(calls) == 1
    value[0] = "new"
    assert both() == "old"
    assert force() == "new" == force()
    assert len(names()) == 1
    assert both() == "new" == read()
    assert len(calls) == 3


def test_N02_a_changed_global_is_noticed_by_itself(monkeypatch, calls):
    """Nobody needs a switch for that."""
    monkeypatch.setitem(globals(), "value", ["old"])
    both = cached(current)
    assert both() == "old" == both()
    value[0] = "new"
    assert both() == "new" == both()
    value[0] = "old"
    assert both() == "old"
    assert len(calls) == 2


# --- N03


def anything(*args, **kwargs):
    """Take what is given."""
    return 1


def test_N03_hash_and_readable_keys():
    """File names are a digest, or begin with function and arguments."""
    cached(anything)(1)
    (name,) = names()
    assert re.fullmatch(r"[0-9a-f]{32}\.npz", name)
    set_cache_dir("./r")
    readable = cached(key="readable")(anything)
    readable(3.5, "../Hello World", y=[1, 2, 3])
    readable(np.arange(100), *["z" * 500] * 4)
    readable()
    found = names("r")
    assert len(found) == 3
    assert any(
        re.fullmatch(r"anything_35_HelloWorld_y_123-[0-9a-f]{32}\.npz", one)
        for one in found
    )
    assert all(len(one) <= 100 for one in found)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+-[0-9a-f]{32}\.npz", one) for one in found)
    assert readable(3.5, "../Hello World", y=[1, 2, 3]) == 1
    assert nbcache.last().hit


def test_N03_another_kind_of_key_is_an_error_at_decoration():
    """Also before there is a function."""
    with pytest.raises(ValueError, match="must be one of hash, readable"):
        cached(key="x")
    with pytest.raises(ValueError, match="must be one of hash, readable"):
        nbcache.Cache("c").cached(key="x")
    with pytest.raises(ValueError, match="must be one of hash, readable"):
        cached(key="x")(anything)


# --- N04


def test_N04_cache_directory_and_compression(tmp_path):
    """The folder is made at once; functions decorated before use it."""
    sizes = {}
    for compress in (True, False):

        @cached(compress=compress)
        def zeros():
            return np.zeros(10**6)

        folder = f"some/c{compress:d}"
        set_cache_dir(folder)
        assert Path(folder).is_dir()
        zeros()
        np.testing.assert_array_equal(zeros(), np.zeros(10**6))
        assert nbcache.last().hit
        (path,) = entries(folder)
        sizes[compress] = path.stat().st_size
        set_cache_dir(f"elsewhere{compress:d}")
        zeros()
        assert not nbcache.last().hit
    assert sizes[True] < 50_000
    assert sizes[False] >= 8_000_000


def test_N04_compression_does_not_matter_to_reading():
    """Either finds what the other stored."""

    def zeros():
        return np.zeros(10**6)

    cached(compress=True)(zeros)()
    assert not cached(compress=False)(zeros)().any()
    assert nbcache.last().hit
    assert len(names()) == 1


def test_N04_a_relative_folder_is_resolved_at_once(tmp_path, monkeypatch):
    """Going elsewhere does not take the cache along."""
    assert set_cache_dir("here") == tmp_path / "here"
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir("sub")
    cached(anything)(1)
    assert len(names(tmp_path / "here")) == 1
    assert os.listdir() == []


def test_N04_importing_makes_nothing(tmp_path):
    """Nor does decorating; the default folder is made at the first write."""
    text = (
        "import os, nbcache\nassert os.listdir() == ['script.py']\n"
        "f = nbcache.cached(abs)\nassert os.listdir() == ['script.py']\n"
        "f(-1)\nprint(sorted(os.listdir()))\n"
    )
    folder = tmp_path / "empty"
    folder.mkdir()
    told = process(
        folder, text, NBCACHE_DIR="", JUPYTER_DATA_DIR=str(tmp_path / "home")
    )
    assert told == "['.nbcache', 'script.py']\n"


# --- N05

N05 = """
import counting, sys
import numpy as np, numpy.testing
from nbcache import cached, set_cache_dir
set_cache_dir("_cache")
values = [
    None, 23, 2.5, "txt", np.arange(5), (np.arange(5), np.arange(6)),
    (23, ({1: 2, 4: 3}, np.arange(4)), np.eye(3)), [1, [2]], {1: 2}, np.float32(3),
]

@cached
def f(i):
    counting.count()
    return values[i]

def same_types(one, other):
    assert type(one) is type(other), (one, other)
    if isinstance(one, (list, tuple)):
        for pair in zip(one, other, strict=True):
            same_types(*pair)
    elif isinstance(one, dict):
        same_types(list(one.items()), list(other.items()))

for i, value in enumerate(values):
    got = f(i)
    np.testing.assert_equal(got, value)
    same_types(got, value)
print(len(counting.ran))
"""


def test_N05_return_values_keep_type_and_structure(tmp_path):
    """A tuple stays a tuple and an int an int, at any depth, in a new process."""
    assert process(tmp_path, N05) == "10\n"
    assert process(tmp_path, N05) == "0\n"


# --- N06


def test_N06_array_arguments(calls):
    """Equal content hits, strided views too; one changed element misses."""

    @cached
    def total(x):
        counting.count()
        return float(x.sum())

    x = np.arange(10)
    total(x), total(x.copy())
    assert len(calls) == 1
    y = x.copy()
    y[5] = 0
    assert total(y) == 40.0
    assert len(calls) == 2
    calls.clear()
    total(np.arange(20)[::2]), total(np.arange(0, 20, 2))
    assert len(calls) == 1
    calls.clear()
    big = np.random.default_rng(0).random((10, 100, 1000))
    total(big), total(big), total(big.copy())
    assert len(calls) == 1
    big[9, 99, 999] = 0
    total(big)
    assert len(calls) == 2


def frame(**changed):
    """Give a long table."""
    found = pd.DataFrame({"a": np.arange(1000), "b": np.arange(1000.0)})
    for column, value in changed.items():
        found.loc[500, column] = value
    return found


DIFFERENT = [
    [np.zeros(4), np.zeros((2, 2)), np.zeros(4, int), np.zeros(4, np.float32)],
    [1, "1", 1.0, True, np.int64(1), [1], (1,)],
    [[np.arange(3000.0)], [np.where(np.arange(3000) == 1500, -1, np.arange(3000.0))]],
    [frame(), frame(a=-1), frame(b=-1.0)],
    [
        np.datetime64("2020-01-01"),
        np.datetime64("2020-01-01T00"),
        np.timedelta64(1, "D"),
        np.array(["2020-01-01", "NaT"], "M8[D]"),
        np.array(["2020-01-01", "2020-01-02"], "M8[D]"),
        pd.Timestamp("2020-01-01"),
        datetime.date(2020, 1, 1),
    ],
    [np.array([{"a": 1}], object), np.array([{"a": 2}], object)],
]


@pytest.mark.parametrize("values", DIFFERENT, ids=["zeros", *"abcde"])
def test_N06_what_the_original_took_for_one_another_has_its_own_entry(values, calls):
    """Each is computed once, in whatever order they come."""

    @cached
    def told(x):
        counting.count()
        return f"{type(x).__name__} {x!r}"

    for _ in range(2):
        for value in values:
            assert told(value) == f"{type(value).__name__} {value!r}"
    assert len(calls) == len(values) == len(names())


class Opaque:
    """Without a repr of its own."""

    def __init__(self, held):
        self.held = held


def test_N06_temporary_objects_at_one_address_are_not_mixed_up(calls):
    """What they hold counts, not where they are."""

    @cached
    def held(x):
        counting.count()
        return x.held

    assert [held(Opaque(i)) for i in range(20)] == list(range(20))
    assert [held(Opaque(i)) for i in range(20)] == list(range(20))
    assert len(calls) == 20


# --- N09


def test_N09_call_spelling(calls):
    """Positional, by keyword, in any order, or by default: one entry."""

    @cached
    def f(x, y=3):
        counting.count()
        return x * y

    for result in (f(2, 3), f(2, y=3), f(x=2, y=3), f(y=3, x=2), f(2)):
        assert result == 6
    assert len(calls) == 1 == len(names())


# --- N10


def test_N10_dict_and_set_arguments(calls):
    """The order of a dict can be observed, so it counts; that of a set does not."""

    @cached
    def f(d):
        counting.count()
        return list(d)

    assert f({"a": 1, "b": 2}) == ["a", "b"]
    assert f({"b": 2, "a": 1}) == ["b", "a"]
    assert len(calls) == 2
    assert f({"a": 1, "b": 2}) == ["a", "b"]
    assert len(calls) == 2
    calls.clear()
    f({"a", "b", "c"}), f({"c", "b", "a"})
    assert len(calls) == 1


def test_N10_dicts_share_an_entry_where_that_is_asked_for(calls):
    """At any depth; what they hold still counts."""

    @cached(hash_funcs={dict: nbcache.unordered})
    def f(d):
        counting.count()
        return sorted(d)

    f({"a": 1, "b": {"x": 1, "y": 2}}), f({"b": {"y": 2, "x": 1}, "a": 1})
    assert len(calls) == 1
    f({"a": 1, "b": {"x": 1, "y": 3}})
    assert len(calls) == 2


# --- N12


def test_N12_a_result_that_cannot_be_stored(calls):
    """It reaches the caller, with a warning; a lambda can be stored, a lock cannot."""

    @cached
    def seven():
        counting.count()
        return lambda: 7

    assert seven()() == 7 == seven()()
    assert len(calls) == 1

    @cached
    def opened():
        counting.count()
        return open(os.devnull)

    with pytest.warns(nbcache.CacheWarning, match="was run, not stored") as told:
        opened().close()
    assert len(told) == 1
    assert len(calls) == 2
    opened().close()
    assert len(calls) == 3


# --- where the original fails besides

ONE_NAME = """
import counting, nbcache
@nbcache.cached
def f(x):
    counting.count()
    return x {operator} 10
print(f(1), f(2), len(counting.ran))
"""


def test_two_notebooks_with_functions_of_one_name_do_not_mix(tmp_path):
    """Other code, other entries, also after an edit; the same code shares them."""
    told = []
    with Kernel(tmp_path) as one, Kernel(tmp_path) as other:
        plus, times = (ONE_NAME.format(operator=sign) for sign in "+*")
        cells = [(one, plus), (other, times), (other, plus), (one, times)]
        for kernel, cell in cells:
            told.append(kernel.run("import counting; counting.ran.clear()\n" + cell))
    assert [ran.stdout for ran in told] == [
        "11 12 2\n",
        "10 20 2\n",
        "11 12 0\n",
        "10 20 0\n",
    ]


@pytest.mark.parametrize(
    ("first", "step"), [(0, 29), pytest.param(0, 1, marks=pytest.mark.slow)]
)
def test_every_byte_of_an_entry_may_flip(first, step, recwarn):
    """Computed again or harmless; nothing is raised, nothing wrong comes back."""

    @cached(memory=False)
    def small(x):
        return [x, np.arange(3), "text"]

    small(1)
    (path,) = entries()
    whole = path.read_bytes()
    for place in range(first, len(whole), step):
        flipped = bytes([whole[place] ^ 0xFF])
        path.write_bytes(whole[:place] + flipped + whole[place + 1 :])
        numpy.testing.assert_equal(small(1), [1, np.arange(3), "text"])
        path.write_bytes(whole)
    for content in (b"", b"no entry", whole[:100], whole * 2):
        path.write_bytes(content)
        numpy.testing.assert_equal(small(1), [1, np.arange(3), "text"])


def test_exceptions_propagate_and_leave_nothing(calls):
    """The next call tries again."""

    @cached
    def failing():
        counting.count()
        raise KeyError("no")

    for _ in range(2):
        with pytest.raises(KeyError, match="no"):
            failing()
    assert len(calls) == 2
    assert names() == []


def test_a_missing_file_is_computed_again(calls):
    """As is what stands where the folder was."""

    @cached(memory=False)
    def f(x):
        counting.count()
        return x

    f(1)
    entries()[0].unlink()
    assert f(1) == 1
    assert len(calls) == 2 == len(names()) + 1


def test_the_decorated_function_keeps_its_name():
    """And its docstring and signature."""

    @cached(enabled=True)
    def documented(x: int) -> int:
        """Give it back."""
        return x

    assert documented.__name__ == "documented"
    assert documented.__doc__ == "Give it back."
    assert documented.__wrapped__(3) == 3
