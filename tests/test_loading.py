"""`nbcache.load`: the values of a stored result, running nothing."""

import numpy as np
import pytest

import nbcache
from nbcache.errors import NotCached


@pytest.fixture(autouse=True)
def numpy(shell):
    """Import numpy where the cells run."""
    shell.run_cell("import numpy as np")


def run(shell, cell):
    done = shell.run_cell(cell)
    done.raise_error()


def test_the_variables_of_the_newest_cell(shell):
    """By name, also by key, without what it displayed or drew."""
    run(shell, "%%cached fit\nx = 1\ny = np.arange(3)")
    run(shell, "%%cached fit\nx = 2\ny = np.arange(3.0)\nx")
    found = nbcache.load("fit")
    assert list(found) == ["x", "y"]
    assert found["x"] == 2
    np.testing.assert_array_equal(found["y"], [0.0, 1.0, 2.0])
    assert found["y"].dtype == float
    keys = [entry.key for entry in nbcache.Cache().core.store.entries()]
    assert [nbcache.load(key)["x"] for key in keys] == [2, 1]
    assert nbcache.Cache().load("fit")["x"] == 2


def test_the_value_of_the_newest_call():
    """Of a function, and of an expression kept by `%cached`."""

    @nbcache.cached(name="double")
    def double(x):
        return x * 2

    double(2)
    double(3)
    assert nbcache.load("double") == {"value": 6}


def test_the_value_of_an_expression(shell):
    """Has no name of its own either."""
    run(shell, "%cached sum([1, 2])")
    assert nbcache.load("sum([1, 2])") == {"value": 3}


def test_a_readable_file_name_is_found():
    """The slug in the name of the file does not matter."""

    @nbcache.cached(name="f", key="readable")
    def f(x):
        return x

    f("a-b")
    assert nbcache.load("f") == {"value": "a-b"}


def test_what_is_not_cached_is_said(shell):
    """With near matches."""
    with pytest.raises(NotCached, match="The cache is empty"):
        nbcache.load("fit")
    run(shell, "%%cached fit\nx = 1")
    with pytest.raises(NotCached, match=r"no entry 'fti'\. Did you mean 'fit'"):
        nbcache.load("fti")


def test_references_to_inputs_hold_while_these_are_what_they_were(shell):
    """Another value under the input's name is not taken for it."""
    run(shell, "n = 3\ndata = [1, 2]")
    run(shell, "%%cached a\ny = [data, n]")
    data = shell.user_ns["data"]
    assert nbcache.load("a")["y"][0] is data
    data.append(3)
    with pytest.raises(NotCached, match="refers to what is not here"):
        nbcache.load("a")
