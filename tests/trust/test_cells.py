"""A colleague's entry of a cell in a real shell."""

import os
import subprocess
import sys

import pytest
from trust.forging import STRANGER, document_of, forge, resealed

import nbcache

CELL = """
get_ipython().run_line_magic("load_ext", "nbcache")
get_ipython().run_line_magic("config", "NbCache.verbosity = 'quiet'")
get_ipython().run_cell('''%%cached shown
from IPython.display import HTML, display
import numpy as np
display(HTML("<script>1</script>"))
print("printed")
x = np.arange(5) * factor''')
import nbcache
print("hit", nbcache.last().hit, "x", x.tolist(), "data", data)
"""


@pytest.fixture
def run(tmp_path):
    """Run the cell in a fresh shell."""

    def running(level, *before):
        lines = ["data = 'mine'", "factor = 2", *before, CELL]
        (tmp_path / "cells.ipy").write_text("\n".join(lines))
        found = subprocess.run(
            [sys.executable, "-m", "IPython", "--quiet", "cells.ipy"],
            cwd=tmp_path,
            env={
                **os.environ,
                "NBCACHE_DIR": str(tmp_path / "store"),
                "NBCACHE_TRUST": level,
                "IPYTHONDIR": str(tmp_path),
            },
            check=False,
            capture_output=True,
            text=True,
        )
        return found.stdout + found.stderr

    return running


@pytest.fixture
def entry(run, tmp_path):
    """The cell's entry, of a stranger."""
    assert "hit False" in run("mine")
    [path] = (tmp_path / "store" / "entries").rglob("*.npz")
    path.write_bytes(resealed(path.read_bytes(), STRANGER))
    return path


def test_its_values_and_text_are_restored(run, entry):
    """Its HTML is not shown."""
    told = run("data")
    assert "hit True x [0, 2, 4, 6, 8] data mine" in told
    assert "printed" in told
    assert "<script>" not in told


def test_at_mine_it_runs_again(run, entry):
    """With one line that says why."""
    told = run("mine")
    assert "hit False x [0, 2, 4, 6, 8]" in told
    assert told.count("someone else") == 1


@pytest.mark.parametrize("harm", ["binds", "deletes", "sets"])
def test_it_cannot_reach_other_names(run, entry, harm):
    """What it binds or deletes besides is refused with all of it."""
    document = document_of(entry)
    fields = {
        "binds": {"tree": {"values": [["x", 1], ["data", "theirs"], ["print", 1]]}},
        "deletes": {"state": {**document["state"], "deleted": ["data"]}},
        "sets": {"state": {"environment": [["PATH", "/x"]]}},
    }[harm]
    tree = {"values": [["x", ["list", [6, 6, 6]]]]}
    forge(entry, **{"tree": tree, **fields})
    told = run("data")
    assert "hit False x [0, 2, 4, 6, 8] data mine" in told


def test_a_later_shell_gets_ones_own_entry(run, entry):
    """The foreign one was replaced openly."""
    run("mine")
    assert "hit True" in run("mine")
    assert len(nbcache.Cache(entry.parents[2]).core.store.entries()) == 1
