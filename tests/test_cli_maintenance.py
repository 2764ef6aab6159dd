"""The commands that keep a store in order."""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from full_stores import DAY, path_of, put, there

from nbcache import Cache, cli, config
from nbcache.storage.store import Store


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Fill a store: three entries of `fit`, one expired, and one of `clean`."""
    place = tmp_path_factory.mktemp("filled")
    before = os.environ.get("JUPYTER_DATA_DIR")
    os.environ["JUPYTER_DATA_DIR"] = str(place / "jupyter")
    try:
        store = Store(place / "store")
        put(store, 0, "fit", seconds=9.0, tags=["sweep"])
        put(store, 1, "fit", seconds=1.0, age=40 * DAY)
        put(store, 2, "fit", seconds=5.0, age=2 * DAY, expires_after=DAY)
        put(store, 3, "clean", seconds=3.0)
        outcome = {"kind": "function", "hit": False, "reason": "new", "seconds": 9.0}
        store.history.note_outcome("fit", "", outcome)
        store.history.flush()
    finally:
        os.environ.pop("JUPYTER_DATA_DIR")
        if before is not None:
            os.environ["JUPYTER_DATA_DIR"] = before
    return place


@pytest.fixture
def folder(filled, tmp_path, monkeypatch) -> Path:
    """Give a copy of the store, to do with as one likes."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(filled / "jupyter"))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(filled / "store", tmp_path / "store"))


class Ran(NamedTuple):
    """What a command said."""

    returncode: int
    stdout: str
    stderr: str


def nbcache(folder: Path, *arguments: str) -> Ran:
    """Run a command on a store, off a terminal.

    In this process: each of its own would take a second (`test_cli` has those).
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = cli.main(["--cache", str(folder), *arguments])
        except SystemExit as error:  # argparse
            code = int(error.code or 0)
        finally:
            # what another process would find on the disk
            Cache(folder).close()
    return Ran(code, out.getvalue(), err.getvalue())


def numbers(folder: Path) -> set[int]:
    """Give the numbers of the entries that are there."""
    return there(Store(folder))


def test_pin_shows_in_the_listing_and_keeps(folder):
    """Against clear and gc; unpin lets go; JSON tells it too."""
    assert nbcache(folder, "pin", "clean").stdout == "pinned clean\n"
    lines = nbcache(folder, "ls").stdout.splitlines()
    assert lines[0].split()[-1] == "pinned"
    assert [line.split()[0] for line in lines if line.endswith("  pinned")][1:] == [
        "clean"
    ]
    rows = json.loads(nbcache(folder, "ls", "--json").stdout)
    assert [row["name"] for row in rows if row["pinned"]] == ["clean"]
    assert "pinned" in nbcache(folder, "info", "clean").stdout
    ran = nbcache(folder, "clear", "--all", "-y")
    assert ran.returncode == 0
    assert "deleted 3 entries" in ran.stdout
    assert "1 pinned entry stays" in ran.stderr
    assert numbers(folder) == {3}
    assert nbcache(folder, "unpin", "clean").returncode == 0
    assert nbcache(folder, "clear", "--all", "-y").returncode == 0
    assert numbers(folder) == set()


def test_pin_and_unpin_of_nothing_exit_with_3(folder):
    """No such entry; nothing pinned under that name."""
    ran = nbcache(folder, "pin", "fti")
    assert (ran.returncode, "Did you mean 'fit'" in ran.stderr) == (3, True)
    ran = nbcache(folder, "unpin", "fit")
    assert (ran.returncode, "is not pinned" in ran.stderr) == (3, True)


def test_gc_says_what_went_and_why(folder):
    """First as a dry run."""
    ran = nbcache(folder, "gc", "--max-size", "250kB", "-n")
    assert ran.returncode == 0
    what = "would remove 1 entry of 'fit' (101.5 kB)"
    assert ran.stdout.splitlines() == [
        f"{what}: expired",
        f"{what}: over the limit of 250.0 kB, worth least",
        "would remove 2 entries (203.1 kB); 2 entries (203.1 kB) stay",
    ]
    assert numbers(folder) == {0, 1, 2, 3}
    assert nbcache(folder, "gc", "--max-size", "250kB").returncode == 0
    assert numbers(folder) == {0, 3}


def test_gc_by_age_tag_and_setting(folder):
    """`max_size` is the limit where none is given."""
    assert nbcache(folder, "gc", "--max-age", "30d", "--tag", "sweep").returncode == 0
    assert numbers(folder) == {0, 1, 2, 3}
    nbcache(folder, "gc", "--max-age", "30d")
    assert numbers(folder) == {0, 3}
    with config.using(max_size="120kB"):
        assert nbcache(folder, "--quiet", "gc").stdout == ""
    assert numbers(folder) == {0}


@pytest.mark.parametrize(
    "arguments",
    [
        ("gc", "--max-size", "5XB"),
        ("gc", "--max-age", "soon"),
        ("gc", "--keep", "-1"),
        ("verify", "--sample", "0%"),
        ("clear", "--older", "soon"),
        ("pin",),
        ("export",),
        ("clear", "--all", "--stale"),
    ],
)
def test_wrong_use_exits_with_2(folder, arguments):
    """And nothing happens."""
    ran = nbcache(folder, *arguments)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert numbers(folder) == {0, 1, 2, 3}


def test_verify_exits_with_1_until_it_is_repaired(folder):
    """0 for a good store; the report names the file."""
    ran = nbcache(folder, "verify")
    assert (ran.returncode, ran.stdout.count("\n")) == (0, 1)
    assert nbcache(folder, "verify", "--sample", "50%").stdout.startswith("2 entries")
    store = Store(folder)
    path = path_of(store, store.by_name("clean")[0])
    path.write_bytes(path.read_bytes()[:-700])
    ran = nbcache(folder, "verify")
    assert ran.returncode == 1
    assert f"damaged  {path.name}: " in ran.stdout
    assert nbcache(folder, "verify", "--repair").returncode == 0
    assert nbcache(folder, "verify").returncode == 0
    assert numbers(folder) == {0, 1, 2}


def test_stats_as_text_and_json(folder):
    """By name and in all."""
    assert nbcache(folder, "stats").stdout.splitlines()[-1].startswith("in all")
    told = json.loads(nbcache(folder, "stats", "--json").stdout)
    assert told["total"]["misses"] == {"new": 1}
    assert told["total"]["entries"] == 4


def test_export_and_import(folder, tmp_path, monkeypatch):
    """All, or names; into a store that is not there yet."""
    ran = nbcache(folder, "export", "all.zip")
    assert (ran.returncode, ran.stdout) == (0, "exported 4 entries (406.1 kB)\n")
    assert nbcache(folder, "export", "all.zip", "clean").returncode == 1
    assert nbcache(folder, "export", "all.zip", "nope").returncode == 3
    assert nbcache(folder, "export", "all.zip", "clean", "-y").returncode == 0
    other = tmp_path / "other"
    assert nbcache(other, "import", "all.zip").stdout == (
        "imported 1 entry (101.5 kB)\n"
    )
    assert numbers(other) == {3}
    assert "1 entry there already" in nbcache(other, "import", "all.zip").stdout
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "somebody"))
    ran = nbcache(tmp_path / "third", "import", "all.zip")
    assert (ran.returncode, ran.stdout.splitlines()[1]) == (
        0,
        "1 entry written by someone else: not used until trusted",
    )


def test_import_of_what_is_no_export(folder):
    """Wrong use: one line. A file that is not there: a problem."""
    (folder.parent / "text").write_text("hello")
    ran = nbcache(folder, "import", "text")
    assert ran.returncode == 2
    assert ran.stderr == (
        "nbcache: text is not an export of nbcache: File is not a zip file\n"
    )
    ran = nbcache(folder, "import", "nothing")
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)


def test_clear_by_tag_age_and_state(folder):
    """And what there is nothing to delete of."""
    assert nbcache(folder, "clear", "--stale", "-y").returncode == 0
    assert numbers(folder) == {0, 1, 3}
    nbcache(folder, "clear", "fit", "--older", "30d", "-y")
    assert numbers(folder) == {0, 3}
    assert nbcache(folder, "clear", "--older", "30d").stdout == "nothing to delete\n"
    assert nbcache(folder, "clear", "--tag", "nope", "-y").returncode == 3
    assert nbcache(folder, "clear", "--tag", "sweep").returncode == 2  # asks
    nbcache(folder, "clear", "--tag", "sweep", "-y")
    assert numbers(folder) == {3}


def test_ls_by_tag_and_state(folder):
    """What is not current; what has a tag."""
    rows = json.loads(nbcache(folder, "ls", "--stale", "--json").stdout)
    assert [row["state"] for row in rows] == ["expired"]
    rows = json.loads(nbcache(folder, "ls", "--tag", "sweep", "--json").stdout)
    assert [row["tags"] for row in rows] == ["sweep"]
