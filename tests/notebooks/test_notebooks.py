"""Every notebook of the project: run cold, then warm, and the same both times."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from nbcache import demo

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
# In the one, others compute runs, which are no cells of the notebook; in the other,
# there is little to compute, and figures are drawn again.
LEAST_TIMES_FASTER = {"batches": 2, "metrics": 5}
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.mark.timeout(600)
@each_notebook
def test_notebook_is_the_same_and_far_faster_from_the_cache(
    path, tmp_path, monkeypatch, capsys
):
    """Cold and warm show the same, every look-up hits, and it is worth the while."""
    if path.stem == "batches":
        pytest.importorskip("distributed")
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    status = demo.run(notebook=path)
    report = capsys.readouterr().out
    assert status == 0, report
    times_faster = float(re.search(r"([\d.e+]+) times faster", report)[1])
    assert times_faster >= LEAST_TIMES_FASTER.get(path.stem, 20), report


@each_notebook
def test_notebook_is_stored_clean(path):
    """No outputs or counts in the repository, and a kernel that everybody has."""
    notebook = nbformat.read(str(path), as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_demo_runs_the_tour_of_the_checkout():
    """`nbcache demo` finds the notebook that these tests run."""
    assert demo._tour() in NOTEBOOKS
