"""What surrounds a call: a hit would not restore it, so it is not stored."""

import os
import threading
import time
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import nbcache
from nbcache.cache import outcomes
from nbcache.surroundings.threads import ThreadWatch


@pytest.fixture
def cache(tmp_path):
    return nbcache.Cache(tmp_path / "cache")


@pytest.fixture
def put_back(tmp_path, monkeypatch):
    """Leave the process as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", os.environ)
    with (
        mpl.rc_context(),
        np.printoptions(),
        np.errstate(),
        pd.option_context("display.max_rows", 60),
    ):
        yield
    os.environ.pop("NB_A", None)


def go():
    os.chdir("/")


def put():
    os.environ.update(NB_A="1")


def style():
    mpl.rcParams["lines.linewidth"] = 7


def options():
    pd.options.display.max_rows = 7


def printing():
    np.set_printoptions(precision=3)


def thread():
    threading.Thread(target=lambda: time.sleep(5)).start()


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (go, "working directory"),
        (put, "variable NB_A"),
        (style, "'lines.linewidth'"),
        (options, "'display.max_rows'"),
        (printing, "'print precision'"),
        (thread, "still runs"),
    ],
)
def test_a_function_that_changes_its_surroundings_is_not_stored(
    cache, put_back, function, says
):
    """It runs each time, and one line says why."""
    if function is thread and not ThreadWatch().is_alone():
        pytest.skip("another test's thread runs: nothing tells who began a new one")
    wrapped = cache.cached(function)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wrapped()
    assert says in outcomes[-1].refused
    assert not outcomes[-1].stored


def test_a_function_that_puts_all_back_is_stored(cache, put_back):
    """For a while, anything may be other."""

    @cache.cached
    def f():
        here = os.getcwd()
        os.chdir("/")
        os.chdir(here)
        old = os.environ["HOME"]
        os.environ["HOME"] = "/x"
        os.environ["HOME"] = old
        with np.printoptions(precision=1), pd.option_context("display.max_rows", 3):
            return str(np.ones(1) / 3)

    assert f() == "[0.3]"
    assert outcomes[-1].stored, outcomes[-1]


def test_calls_in_threads_do_not_refuse_each_other(cache):
    """Threads that others start meanwhile are not the call's."""

    @cache.cached
    def f(x):
        time.sleep(0.05)
        return x

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(f, range(8)))
    assert all(one.stored for one in list(outcomes)[-8:])


def test_a_function_says_what_it_freezes(cache):
    """Its own calls, and those of functions that it uses."""

    def helper():
        return uuid.uuid4()

    @cache.cached
    def f():
        return str(helper()), time.time()

    with pytest.warns(nbcache.CacheWarning, match=r"time\.time\(\), uuid\.uuid4\(\)"):
        first = f()
    assert f() == first
