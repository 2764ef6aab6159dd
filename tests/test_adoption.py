"""Adopting an entry for an edit that changes no result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel import Kernel

SETUP = """
import nbcache, numpy as np
%load_ext nbcache
%config NbCache.verbosity = 'full'
K = 2
def clean(x):
    return x * K
x = 3
"""
FIT = "%%cached fit\nprint('fitted')\ny = clean(x)\nbig = np.arange(5000)"
EDITED = "%%cached fit\nprint('fitted')\ny = clean(x) + 0\nbig = np.arange(5000)"


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel in which the cell was stored."""
    with Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")) as running:
        running.run(SETUP)
        assert running.run(FIT).ok
        yield running


def dry(cell: str) -> str:
    return cell.replace("%%cached fit", "%%cached fit -n")


def test_an_adopted_entry_is_a_hit_for_the_edited_code(kernel):
    """With values and outputs of the run before, also in the next process."""
    assert "code changed (line 3)" in kernel.run(dry(EDITED)).stdout
    told = kernel.run("%nbcache adopt fit --yes").stdout
    assert "-y = clean(x)\n+y = clean(x) + 0" in told
    assert "adopted 'fit'" in told
    kernel.restart()
    kernel.run(SETUP)
    hit = kernel.run(EDITED)
    assert "from the cache" in hit.stderr
    assert hit.stdout == "fitted\n"
    assert kernel.run("y, int(big.sum())").result == {"text/plain": "(6, 12497500)"}
    assert (
        "from the cache" in kernel.run(FIT).stderr
    )  # the old code has its entry still


def test_an_adopted_entry_says_so(kernel):
    """In info and why, for good."""
    kernel.run(dry(EDITED))
    kernel.run("%nbcache adopt fit --yes")
    kernel.run(EDITED)
    assert "adopted   for edited code" in kernel.run("%nbcache info fit").stdout
    assert "adopted for edited code" in kernel.run("%nbcache why fit").stdout


def test_an_edit_of_a_helper_can_be_adopted(kernel):
    """Its diff is shown as that of the cell is."""
    kernel.run("def clean(x):\n    return x * K * 1")
    kernel.run(dry(FIT))
    assert "+    return x * K * 1" in kernel.run("%nbcache adopt fit -y").stdout
    assert "from the cache" in kernel.run(FIT).stderr


def test_a_dry_run_adopts_nothing(kernel):
    """It only shows what would be agreed to."""
    kernel.run(dry(EDITED))
    assert "+y = clean(x) + 0" in kernel.run("%nbcache adopt fit --dry-run").stdout
    assert "would run" in kernel.run(dry(EDITED)).stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("x = 4", "input x: 3 → 4"),
        ("K = 5", "helper clean → global K: 2 → 5"),
        ("np.set_printoptions(precision=3)", "settings of numpy"),
    ],
)
def test_more_than_code_is_refused_and_named(kernel, change, told):
    """An adopted entry would be wrong."""
    kernel.run(change)
    kernel.run(dry(EDITED))
    answer = kernel.run("%nbcache adopt fit --yes")
    assert f"not only its code changed, but {told}" in answer.traceback + answer.stderr
    assert "would run" in kernel.run(dry(EDITED)).stdout


def test_code_that_binds_other_names_is_refused(kernel):
    """The entry does not hold them."""
    kernel.run(dry(FIT.replace("big =", "large =")))
    answer = kernel.run("%nbcache adopt fit --yes")
    assert "other names (big, large)" in answer.traceback + answer.stderr


def test_what_was_run_again_needs_no_adoption(kernel):
    """It has an entry of its own."""
    kernel.run(EDITED)
    answer = kernel.run("%nbcache adopt fit --yes")
    assert "nothing to adopt" in answer.traceback + answer.stderr


def test_without_a_dry_run_it_says_what_to_do(kernel):
    """A new process does not know the edited cell."""
    kernel.restart()
    kernel.run(SETUP)
    answer = kernel.run("%nbcache adopt fit --yes")
    assert "%%cached fit --dry-run" in answer.traceback + answer.stderr


def test_an_unknown_name_has_near_matches(kernel):
    """As everywhere."""
    answer = kernel.run("%nbcache adopt fti --yes")
    assert "Did you mean 'fit'?" in answer.traceback + answer.stderr


def test_what_the_run_read_still_counts(kernel, tmp_path):
    """An adopted entry is a hit while its files are as they were."""
    data = tmp_path / "data.txt"
    data.write_text("1")
    cell = f"%%cached fit\nz = open({str(data)!r}).read()"
    kernel.run(cell)
    kernel.run(dry(f"{cell} + ''"))
    assert "adopted" in kernel.run("%nbcache adopt fit --yes").stdout
    assert "from the cache" in kernel.run(f"{cell} + ''").stderr
    data.write_text("22")
    assert f"file {data} changed" in kernel.run(f"{cell} + ''").stderr
    assert kernel.run("z").result == {"text/plain": "'22'"}
