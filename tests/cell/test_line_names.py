"""Outputs that name lines of cells name those of today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kernel import Kernel

HELPER = "import warnings, traceback\ndef h():\n    warnings.warn('in h')"
CELLS = {
    "a warning": ("warnings.warn('one')", "\n# why\nwarnings.warn( 'one' )"),
    "two lines": (
        "x = 1\nwarnings.warn('one')\nwarnings.warn('two')",
        "x = 1\n\nwarnings.warn('one')\n# why\n\nwarnings.warn('two')",
    ),
    "a printed traceback": (
        "try:\n    1/0\nexcept Exception:\n    traceback.print_exc()",
        "\ntry:\n    1 / 0\n\nexcept Exception:\n    traceback.print_exc()",
    ),
    "a line that became two": (
        "warnings.warn('one'); warnings.warn('two')",
        "warnings.warn('one')\nwarnings.warn('two')",
    ),
    "a helper": ("h()", "\nh()"),
}


def shown(kernel: Kernel, cell: str) -> str:
    """Give what a cell printed, with the pid left out."""
    return re.sub(r"ipykernel_\d+", "ipykernel", kernel.run(cell).stderr)


@pytest.mark.parametrize("name", CELLS)
def test_a_replay_names_the_lines_of_today(tmp_path: Path, name: str) -> None:
    """A hit after an edit of layout shows what a run would, in the next kernel too."""
    with Kernel(tmp_path) as kernel:
        plain = []
        for text in CELLS[name]:
            kernel.restart()
            kernel.run(f"%load_ext nbcache\nimport nbcache\n{HELPER}")
            # the file's name is of the whole cell's text
            plain.append(shown(kernel, f"%%cached a --refresh\n{text}"))
            kernel.run("%nbcache clear --all --yes")
        kernel.restart()
        kernel.run(f"%load_ext nbcache\nimport nbcache\n{HELPER}")
        cells = [f"%%cached a \n{text}" for text in CELLS[name]]
        lines = [re.sub(r"/\d+\.py", "/n.py", text) for text in plain]
        for _ in range(2):
            for cell, expected in zip(cells, lines, strict=True):
                found = re.sub(r"/\d+\.py", "/n.py", shown(kernel, cell))
                assert found == expected
            kernel.restart()
            kernel.run(f"%load_ext nbcache\nimport nbcache\n{HELPER}")
        kernel.run(cells[1])
        assert kernel.run("nbcache.last().hit").result == {"text/plain": "True"}


def test_a_replay_names_files_that_exist(tmp_path: Path) -> None:
    """The file of a warning is that of the cell in this kernel."""
    with Kernel(tmp_path) as kernel:
        kernel.run(f"%load_ext nbcache\n{HELPER}")
        before = kernel.run("%%cached a\nwarnings.warn('one')").stderr
        kernel.restart()
        kernel.run(f"%load_ext nbcache\n{HELPER}")
        after = kernel.run("%%cached a\nwarnings.warn('one')").stderr
        pid = kernel.run("import os; os.getpid()").result["text/plain"]
        assert f"ipykernel_{pid}/" in after
        assert f"ipykernel_{pid}/" not in before


def test_a_helper_whose_cell_is_another_now(tmp_path: Path) -> None:
    """Its line cannot be named: the cell runs again."""
    with Kernel(tmp_path) as kernel:
        kernel.run(f"%load_ext nbcache\nimport nbcache\n{HELPER}")
        kernel.run("%%cached a\nh()")
        kernel.restart()
        kernel.run(f"%load_ext nbcache\nimport nbcache\n# moved\n{HELPER}")
        assert ":6: UserWarning" in kernel.run("%%cached a\nh()").stderr
