"""``nbcache import-legacy``, as processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kernel import environment
from legacy.originals import Hostile, batch_of_2015, call, run_of_1


def run(folder: Path, *arguments: str):
    """Run Python, with the store and the secret in a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def nbcache(folder: Path, *arguments: str):
    """Run a command."""
    return run(folder, "-m", "nbcache", *arguments)


@pytest.fixture
def old(tmp_path):
    """Files of both packages: three runs in two batches, and one call."""
    run_of_1(tmp_path, "study", {"val": np.arange(3)}, A=3)
    batch_of_2015(tmp_path, "first", [True, True], [{"a": 1}, {"a": 2}], ["aa", "bb"])
    call(tmp_path, "fit_model_35__0a1b2c", (1, None))
    return tmp_path


def test_all_of_a_folder_is_imported_listed_and_loaded_elsewhere(old):
    """Code 0; a later process has neither package nor code."""
    ran = nbcache(old, "import-legacy", ".", "--allow-pickle")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "imported 2 entries as 'first' (of batchpy)" in ran.stdout
    listed = json.loads(nbcache(old, "ls", "--json").stdout)
    assert {(row["name"], row["kind"], row["state"]) for row in listed} == {
        ("study", "imported", "current"),
        ("first", "imported", "current"),
        ("fit_model", "imported", "current"),
    }
    told = nbcache(old, "info", "fit_model").stdout
    assert "  imported  of numpy_caching, 'fit_model_35__0a1b2c' in fit_" in told
    assert "computed" not in told
    assert "  computed  in 1.50 s\n" in nbcache(old, "info", "study").stdout
    loaded = run(
        old,
        "-c",
        "import nbcache; print(nbcache.load('fit_model'), nbcache.load('bb'))",
    )
    assert loaded.stdout == "{'value': (1, None)} {'value': {'a': 2}}\n"
    again = nbcache(old, "import-legacy", ".", "--allow-pickle")
    assert again.returncode == 0
    assert "imported 0 entries" in again.stdout
    assert "4 entries there already" in again.stdout


def test_a_hostile_pickle_does_nothing_without_the_flag(tmp_path):
    """Code 1, and one line for each file; what needs no pickle goes in."""
    trap = tmp_path / "trap"
    run_of_1(tmp_path, "bad", {"x": Hostile(trap)}, A=1)
    batch_of_2015(tmp_path, "plain", [True], [1.5], ["aa"])
    ran = nbcache(tmp_path, "import-legacy", "_res")
    assert ran.returncode == 1
    assert not trap.exists()
    [line] = [line for line in ran.stdout.splitlines() if "refused" in line]
    assert "a run of batchpy, pickled: unpickling can run code" in line
    assert "--allow-pickle" in line
    assert "imported 1 entry as 'plain' (of batchpy)" in ran.stdout
    assert nbcache(tmp_path, "import-legacy", "_res", "-n").returncode == 1
    assert not trap.exists()


def test_json_has_a_row_for_each_result_and_refused_file(old):
    """As other commands give rows."""
    (old / "_res" / "cut.npz").write_bytes(b"PK\x03\x04")
    ran = nbcache(old, "import-legacy", ".", "--allow-pickle", "--json")
    rows = json.loads(ran.stdout)
    assert ran.returncode == 1
    assert sorted((row["state"], row.get("name", "")) for row in rows) == [
        ("imported", "first"),
        ("imported", "first"),
        ("imported", "fit_model"),
        ("imported", "study"),
        ("refused", ""),
    ]
    assert {"file", "state", "kind", "name", "id", "key", "size"} == set(rows[0])
    assert "damaged or truncated" in rows[-1]["reason"]


def test_a_dry_run_says_what_would_be_imported(old):
    """And stores nothing."""
    ran = nbcache(old, "import-legacy", "_cache", "-n", "--allow-pickle")
    assert ran.returncode == 0
    assert ran.stdout == "would import 1 entry as 'fit_model' (of numpy_caching)\n"
    assert not (old / ".nbcache").exists()


def test_wrong_use_is_told_by_the_code(old):
    """Kinds that are not offered, folders without such files, and none at all."""
    assert nbcache(old, "import-legacy", ".", "--kind", "dman").returncode == 2
    (old / "empty").mkdir()
    ran = nbcache(old, "import-legacy", "empty")
    assert (ran.returncode, ran.stdout) == (2, "")
    names = "metrics, batchpy or numpy_caching"
    assert ran.stderr == f"nbcache: no file of {names} is in empty\n"
    assert nbcache(old, "import-legacy", "nowhere").returncode == 1
    quiet = nbcache(
        old, "--quiet", "import-legacy", ".", "--allow-pickle", "--kind", "batchpy"
    )
    assert (quiet.returncode, quiet.stdout) == (0, "")
