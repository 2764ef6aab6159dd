"""Real clients: each runs a notebook twice in new processes, the second time cached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from kernel import Terminal, environment
from nbformat.v4 import new_code_cell, new_notebook

CELLS = (
    "import warnings; import numpy as np; import pandas as pd\nscale = 2",
    "%%cached first\nprint('begin'); y = [scale * i for i in range(3)]\ny",
    "%%cached second\n%time z = np.arange(3) * scale\npd.DataFrame({'z': z})",
    "%%cached third\n%matplotlib inline\nfrom matplotlib.pyplot import plot\nplot(y);",
    "%%cached fourth\n!echo from a shell",
    "%%cached fifth\nimport sys\nprint('careful', file=sys.stderr)",
    "y, z.sum()",
)
LOAD = "%load_ext nbcache"
ASK = (
    "import json, nbcache.cache\n"
    "with open('outcomes.jsonl', 'a') as file:\n"
    "    print(json.dumps([o.hit for o in nbcache.cache.outcomes]), file=file)"
)


def notebook(*, cached: bool = True) -> Any:
    """Give the notebook; without the cache, its cells are the same lines."""
    head = ["import nbcache", LOAD]
    cells = list(CELLS)
    if not cached:
        head = ["", ""]
        cells = [one.partition("\n")[2] if one[:2] == "%%" else one for one in CELLS]
    codes = ["\n".join(head), *cells, ASK if cached else "0"]
    made = new_notebook(cells=[new_code_cell(one) for one in codes])
    made.metadata.language_info = {"name": "python", "nbconvert_exporter": "python"}
    for cell in made.cells:
        if "%time" in cell.source:
            cell.metadata.tags = ["nbval-ignore-output"]
    made.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return made


def write(folder: Path, *, cached: bool = True) -> Path:
    path = folder / "note.ipynb"
    nbformat.write(notebook(cached=cached), path)
    return path


def hits(folder: Path) -> list[list[bool]]:
    lines = (folder / "outcomes.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def shown(path: Path) -> list[Any]:
    """Give the outputs in a notebook, but for the last cell and wall-clock times."""
    read = nbformat.read(path, as_version=4)
    found = []
    for cell in read.cells[1:-1]:
        for output in cell.outputs:
            output.pop("execution_count", None)
            if "Wall time" in output.get("text", ""):
                output["text"] = "times\n"
            found.append(dict(output))
    return found


def call(folder: Path, *arguments: str) -> str:
    """Run a module's command line as a user does."""
    ran = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


NBCONVERT = ("nbconvert", "--to", "notebook", "--execute", "note.ipynb", "--output")
PROGRAMS = {
    "nbconvert": lambda out: (*NBCONVERT, out),
    "papermill": lambda out: ("papermill", "note.ipynb", out, "--no-progress-bar"),
    "jupyter execute": lambda out: (
        "jupyter",
        "execute",
        "note.ipynb",
        f"--output={out}",
    ),
}


# these run notebooks by the same package as nbconvert
_SLOW = ("papermill", "jupyter execute")


@pytest.fixture(scope="module")
def uncached(tmp_path_factory):
    """Give what the notebook shows without the cache."""
    pytest.importorskip("nbconvert")
    folder = tmp_path_factory.mktemp("uncached")
    write(folder, cached=False)
    call(folder, *NBCONVERT, "out.ipynb")
    return shown(folder / "out.ipynb")


@pytest.mark.parametrize(
    "program",
    [pytest.param(one, marks=[pytest.mark.slow] * (one in _SLOW)) for one in PROGRAMS],
)
def test_program_shows_the_same_from_the_cache(program, uncached, tmp_path):
    """Run twice: computed, then all from the cache; both show what plain cells do."""
    pytest.importorskip(program.partition(" ")[0])
    write(tmp_path)
    for out in ("cold.ipynb", "warm.ipynb"):
        call(tmp_path, *PROGRAMS[program](out))
        assert shown(tmp_path / out) == uncached
    assert hits(tmp_path) == [[False] * 5, [True] * 5]


def test_nbval_finds_no_difference_from_the_cache(tmp_path):
    """Outputs saved by the first run are those that nbval sees in the second."""
    pytest.importorskip("nbval")
    write(tmp_path)
    call(tmp_path, *NBCONVERT, "note.ipynb")
    call(tmp_path, "pytest", "-p", "no:cacheprovider", "--nbval", "note.ipynb")
    assert hits(tmp_path) == [[False] * 5, [True] * 5]


def test_script_of_a_notebook_runs_from_the_cache(tmp_path):
    """`nbconvert --to script` and ipython: the same text, the second time cached."""
    pytest.importorskip("nbconvert")
    write(tmp_path)
    call(tmp_path, "nbconvert", "--to", "script", "note.ipynb")
    script = ("IPython", "--no-banner", "--colors=NoColor", "note.py")
    texts = [call(tmp_path, *script) for _ in range(2)]
    assert "begin" in texts[0]
    assert texts[0] == texts[1]
    assert hits(tmp_path) == [[False] * 5, [True] * 5]


def test_terminal_shows_the_same_from_the_cache(tmp_path):
    """A terminal's IPython shows the text of all cells again."""
    texts = []
    for _ in range(2):
        with Terminal(tmp_path) as terminal:
            terminal.run("import nbcache\n%load_ext nbcache")
            ran = [terminal.run(cell) for cell in CELLS]
            assert all(one.ok for one in ran), ran
            texts.append([one.text for one in ran])
            terminal.run(ASK)
    assert texts[0][:2] == texts[1][:2]
    assert texts[0][4:] == texts[1][4:]
    assert hits(tmp_path) == [[False] * 5, [True] * 5]
