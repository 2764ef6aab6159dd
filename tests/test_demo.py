"""The demo, on short notebooks in real kernels."""

from __future__ import annotations

import subprocess
import sys

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from nbcache import demo

SETUP = "%load_ext nbcache\nfrom nbcache import cached"
SQUARE = "%%cached square\nx = 7**2\nprint('squared')\nx"
DEPENDENT = "%%cached dependent\nnumber = seed + 1"
FUNCTION = "@cached\ndef double(value):\n    return 2 * value"
CALLS = "[double(value) for value in range(3)]"


@pytest.fixture(autouse=True)
def own_secret(tmp_path, monkeypatch):
    """Sign with a key of this test, not of whoever runs it."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook of the given code cells, and give its path."""

    def write(*sources):
        cells = [new_markdown_cell("# Short"), *map(new_code_cell, sources)]
        path = tmp_path / "short.ipynb"
        nbformat.write(new_notebook(cells=cells), str(path))
        return path

    return write


def test_demo_takes_cells_and_calls_from_the_cache(notebook, capsys):
    """The second run asks the cache, gets all of it, and the report says so."""
    assert demo.run(notebook=notebook(SETUP, SQUARE, FUNCTION, CALLS)) == 0
    report = capsys.readouterr().out
    assert "from the cache (%%cached)" in report
    assert "3 of 3 calls of double from the cache (@cached)" in report
    assert "cached cells together" in report
    assert "Every cell shows the same, cold and warm." in report


def test_demo_names_every_cell_once_in_its_report(notebook, capsys):
    """A cell stands under its NAME, or under its first line."""
    demo.run(notebook=notebook(SETUP, SQUARE))
    report = capsys.readouterr().out.partition("the second time\n")[2]
    assert [line.split()[0] for line in report.splitlines()[:2]] == [
        "%load_ext",
        "square",
    ]


def test_demo_fails_where_a_cell_shows_something_else(notebook, capsys):
    """Outputs are compared exactly, also those of cells that are not cached."""
    clock = "import time\nprint(time.time_ns())"
    assert demo.run(notebook=notebook(SETUP, SQUARE, clock)) == 1
    assert "'import time' shows something else: output 1" in capsys.readouterr().out


def test_demo_fails_where_a_cached_cell_runs_again(notebook, capsys):
    """A miss in the second run is a failure, with the cache's reason."""
    changing = "import os\nseed = os.getpid()"
    assert demo.run(notebook=notebook(SETUP, SQUARE, changing, DEPENDENT)) == 1
    report = capsys.readouterr().out
    assert "'dependent' was not taken from the cache" in report
    assert "'square' was not" not in report


def test_demo_lets_a_cell_compute_again_that_says_so(notebook, capsys):
    """With the tag `recomputes` a miss is no failure, and its time does not count."""
    path = notebook(SETUP, SQUARE, "import os\nseed = os.getpid()", DEPENDENT)
    document = nbformat.read(str(path), as_version=4)
    document.cells[-1].metadata.tags = ["recomputes"]
    nbformat.write(document, str(path))
    assert demo.run(notebook=path) == 0
    report = capsys.readouterr().out
    assert "ran again (%%cached)" in report
    assert "PROBLEM" not in report


def test_demo_fails_where_nothing_is_cached(notebook, capsys):
    """A notebook that never asks the cache shows nothing about it."""
    assert demo.run(notebook=notebook("1 + 1")) == 1
    assert "nothing in this notebook is cached" in capsys.readouterr().out


def test_demo_says_which_cell_failed(notebook, capsys):
    """An error in the notebook ends the demo with that cell and its traceback."""
    assert demo.run(notebook=notebook(SETUP, "1 / 0")) == 1
    report = capsys.readouterr().out
    assert "cell '1 / 0' failed" in report
    assert "ZeroDivisionError" in report


def test_demo_leaves_its_entries_in_a_given_folder(notebook, tmp_path):
    """With `cache_dir` the entries can be looked at afterwards."""
    store = tmp_path / "store"
    assert demo.run(store, notebook=notebook(SETUP, SQUARE)) == 0
    assert list(store.rglob("*.npz"))


def test_demo_leaves_no_kernel_behind(notebook):
    """Both kernels have ended when the report is there, also after an error."""
    before = set(psutil.Process().children(recursive=True))
    demo.run(notebook=notebook(SETUP, "1 / 0"))
    demo.run(notebook=notebook(SETUP, SQUARE))
    assert set(psutil.Process().children(recursive=True)) <= before


def test_demo_refuses_a_folder_that_is_not_empty(notebook, tmp_path, capsys):
    """With entries in the folder the first run would not be cold."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "something").touch()
    assert demo.run(tmp_path / "store", notebook=notebook(SETUP)) == 1
    assert "needs an empty folder" in capsys.readouterr().out


def test_demo_names_the_extra_that_is_missing():
    """Without its packages the demo says in one line how to get them."""
    code = (
        "import sys; sys.modules['nbclient'] = None\n"
        "from nbcache import demo; sys.exit(demo.run())"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert process.returncode == 1
    assert process.stdout == (
        "nbcache demo needs nbclient: pip install 'nbcache[demo]'\n"
    )
    assert process.stderr == ""
