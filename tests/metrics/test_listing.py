"""Metrics among other entries: the table, the command line, the panel."""

import json
import subprocess
import sys

import counting
import pytest
from kernel import environment

import nbcache
from nbcache import Metrics
from nbcache.widgets.panel import Panel

READS = """
import sys, nbcache
print(nbcache.Cache(sys.argv[1]).load("square(3)")["value"])
"""


@pytest.fixture
def cache(tmp_path):
    """Give a cache of its own."""
    counting.ran.clear()
    return nbcache.Cache(tmp_path / "store")


@pytest.fixture
def metrics(cache):
    """Give two metrics of which one depends on the other, both stored."""
    m = Metrics(cache)

    @m.collect(params_list=[2, 3])
    def square(x):
        counting.count("square", x)
        return x * x

    @m.collect
    def both():
        counting.count("both")
        return m.square(2) + m.square(3)

    assert m.both(verbose=False) == 13
    return m


def keys(cache, name):
    """Give the keys of the entries of a name."""
    return [entry.key for entry in cache.core.store.entries() if entry.name == name]


def command(cache, *arguments):
    """Run the command line on a cache; give what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "nbcache", "--cache", str(cache.directory), *arguments],
        capture_output=True,
        text=True,
        env=environment(cache.directory.parent),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_table_lists_them_as_metrics(cache, metrics):
    """By their names with parameters."""
    table = cache.entries()
    assert set(table["name"]) == {"both", "square(2)", "square(3)"}
    assert set(table["kind"]) == {"metric"}


def test_the_command_line_lists_tells_and_clears_them(cache, metrics):
    """Each by its name."""
    rows = json.loads(command(cache, "ls", "--json"))
    assert {(one["name"], one["kind"]) for one in rows} == {
        ("both", "metric"),
        ("square(2)", "metric"),
        ("square(3)", "metric"),
    }
    assert "depends   argument x: int 3" in command(cache, "info", "square(3)")
    command(cache, "clear", "square(3)", "--yes")
    assert not metrics.exists("square(3)")
    assert metrics.exists("square(2)")
    counting.ran.clear()
    # what has to be computed again for the look-up is, what depends on it is not
    assert metrics.both(verbose=False) == 13
    assert counting.ran == [("square", 3)]


def test_values_are_loaded_without_the_code(cache, metrics):
    """By name, in another process."""
    cache.close()
    done = subprocess.run(
        [sys.executable, "-c", READS, str(cache.directory)],
        capture_output=True,
        text=True,
        env=environment(cache.directory.parent),
    )
    assert done.stdout == "9\n", done.stderr


def test_the_panel_computes_them_again(cache, metrics):
    """And what depends on them when it is asked for."""
    panel = Panel(cache)
    panel.selected = keys(cache, "square(3)")
    counting.ran.clear()
    assert panel.recompute() == 1, panel.message
    assert counting.ran == [("square", 3)]
    assert metrics.both(verbose=False) == 13
    assert counting.ran == [("square", 3)]


def test_the_panel_says_what_is_not_collected_here(cache, metrics):
    """Nothing has run then."""
    del metrics._metrics["square"]
    panel = Panel(cache)
    panel.selected = keys(cache, "square(3)")
    assert panel.recompute() == 0
    assert "no metric 'square(3)' of 'metrics' is collected here" in panel.message


def test_the_panel_clears_them(cache, metrics):
    """After asking."""
    panel = Panel(cache)
    panel.selected = keys(cache, "both")
    assert panel.clear() == 1
    assert not metrics.exists("both")
    assert metrics.exists("square(2)")
