"""The command line, as processes of its own on a store that another process filled."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kernel import environment

from nbcache import Cache, info

FILL = """
import sys, nbcache

cache = nbcache.Cache(sys.argv[1])

@cache.cached
def fit(x):
    return x * 2

@cache.cached(name="clean")
def wash(x):
    return [x] * 1000

fit(1); fit(2); fit(2); wash(3)
cache.close()
"""


def fill(folder: Path, code: str) -> None:
    """Run a script that fills a store."""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=folder.parent,
        env=environment(folder.parent, JUPYTER_DATA_DIR=str(folder.parent / "jupyter")),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Fill a store: two entries of `fit`, one with a hit, and one of `clean`."""
    folder = tmp_path_factory.mktemp("filled") / "store"
    fill(folder, FILL)
    return folder


@pytest.fixture
def store(filled, tmp_path):
    """Give a copy of the store, to do with as one likes."""
    return Path(shutil.copytree(filled, tmp_path / "store"))


def nbcache(folder: Path, *arguments: str, **options):
    """Run a command in a process of its own, off a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "nbcache", *arguments],
        cwd=folder.parent,
        env=environment(folder.parent, JUPYTER_DATA_DIR=str(folder.parent / "jupyter")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def on(folder: Path, *arguments: str):
    """Run a command on a store."""
    return nbcache(folder, "--cache", str(folder), *arguments)


def names(folder: Path) -> list[str]:
    """Give the names of the entries that a store has now."""
    return sorted(row["name"] for row in info.rows(Cache(folder).core))


# --- ls


def test_ls_shows_each_entry_and_the_totals(store):
    """A line an entry, a heading, and the sums."""
    ran = on(store, "ls")
    lines = ran.stdout.splitlines()
    assert ran.returncode == 0
    assert lines[0].split()[:5] == ["name", "kind", "variables", "size", "hits"]
    assert sorted(line.split()[0] for line in lines[1:4]) == ["clean", "fit", "fit"]
    assert lines[4].startswith("3 entries, ")
    assert "1 hit, " in lines[4]


def test_ls_json_gives_raw_values(store):
    """For programs: numbers as numbers, the key of each entry."""
    rows = json.loads(on(store, "ls", "--json").stdout)
    hits = {row["name"]: row["hits"] for row in rows if row["hits"]}
    assert hits == {"fit": 1}
    assert all(len(row["key"]) == 32 for row in rows)
    assert all(isinstance(row["size"], int) and row["size"] > 0 for row in rows)


def test_ls_sorts_and_limits(store):
    """The largest entry alone."""
    rows = json.loads(
        on(store, "ls", "--sort", "size", "--limit", "1", "--json").stdout
    )
    assert [row["name"] for row in rows] == ["clean"]


def test_ls_of_a_folder_that_is_not_there_is_empty_and_makes_nothing(tmp_path):
    """Listing writes nothing."""
    ran = on(tmp_path / "none", "ls")
    assert (ran.returncode, ran.stdout) == (0, "the cache is empty\n")
    assert not (tmp_path / "none").exists()


def test_ls_ends_quietly_when_its_reader_stops(store):
    """`nbcache ls | head -1` tells nobody of a broken pipe."""
    # more than a pipe holds
    fill(store, FILL.replace('"clean"', '"clean" * 50_000'))
    ran = subprocess.run(
        f"{sys.executable} -m nbcache --cache {store} ls --json | head -c1",
        shell=True,
        cwd=store.parent,
        env=environment(store.parent),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.stdout, ran.stderr) == ("[", "")


# --- info


def test_info_tells_all_entries_of_a_name(store):
    """Key, size, argument of each."""
    ran = on(store, "info", "fit")
    assert ran.returncode == 0
    assert ran.stdout.count("fit  (function)") == 2
    assert "depends   argument x: int 2" in ran.stdout


def test_info_json_is_the_metadata(store):
    """What an entry says of itself, without its values."""
    found = json.loads(on(store, "info", "clean", "--json").stdout)
    assert [entry["kind"] for entry in found] == ["function"]
    assert [row[0] for row in found[0]["variables"]] == ["value"]


def test_info_of_an_unknown_name_offers_the_nearest(store):
    """Exit code 3, and what was perhaps meant."""
    ran = on(store, "info", "fti")
    assert ran.returncode == 3
    assert ran.stdout == ""
    assert "no entry 'fti'. Did you mean 'fit'?" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


# --- clear


def test_clear_deletes_the_entries_of_a_name(store):
    """All of that name, no others."""
    ran = on(store, "clear", "fit", "-y")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("deleted 2 entries (")
    assert names(store) == ["clean"]


def test_clear_takes_globs(store):
    """`f*` is `fit`."""
    assert on(store, "clear", "f*", "-y").returncode == 0
    assert names(store) == ["clean"]


def test_clear_all_deletes_all(store):
    """The folder stays a store."""
    assert on(store, "clear", "--all", "-y").stdout.startswith("deleted 3 entries")
    assert names(store) == []
    assert (store / "entries" / "CACHEDIR.TAG").is_file()


def test_clear_off_a_terminal_demands_the_flag(store):
    """A script that forgot -y deletes nothing."""
    ran = on(store, "clear", "fit")
    assert ran.returncode == 2
    assert "add -y" in ran.stderr
    assert names(store) == ["clean", "fit", "fit"]


@pytest.mark.parametrize(
    ("answer", "left"), [("y", ["clean"]), ("n", ["clean", "fit", "fit"])]
)
def test_clear_on_a_terminal_asks(store, answer, left):
    """Only a yes deletes."""
    terminal, side = pty.openpty()
    os.write(terminal, f"{answer}\n".encode())
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "nbcache", "--cache", str(store), "clear", "fit"],
            cwd=store.parent,
            env=environment(store.parent),
            stdin=side,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        os.close(side)
        os.close(terminal)
    assert "Delete 2 entries" in ran.stdout
    assert names(store) == left


def test_clear_dry_run_deletes_nothing(store):
    """It says what it would delete."""
    ran = on(store, "clear", "--all", "-n")
    assert ran.returncode == 0
    assert ran.stdout.startswith("would delete 3 entries (")
    assert ran.stdout.endswith(": clean, fit\n")
    assert names(store) == ["clean", "fit", "fit"]


def test_clear_quiet_confirms_nothing(store):
    """--quiet is for scripts."""
    assert on(store, "--quiet", "clear", "fit", "-y").stdout == ""
    assert names(store) == ["clean"]


def test_clear_of_an_unknown_name_deletes_nothing(store):
    """Exit code 3, also if other names are known."""
    ran = on(store, "clear", "fit", "cleen", "-y")
    assert ran.returncode == 3
    assert "Did you mean 'clean'?" in ran.stderr
    assert names(store) == ["clean", "fit", "fit"]


@pytest.mark.parametrize("arguments", [(), ("fit", "--all")])
def test_clear_takes_either_names_or_all(store, arguments):
    """Neither and both are wrong use."""
    ran = on(store, "clear", *arguments, "-y")
    assert ran.returncode == 2
    assert "clear takes names, --tag, --stale or --older; or --all" in ran.stderr
    assert names(store) == ["clean", "fit", "fit"]


def test_clear_all_of_a_folder_that_is_no_store_touches_nothing(tmp_path):
    """A mistyped --cache does not delete somebody's data."""
    data = tmp_path / "data" / "entries" / "ab"
    data.mkdir(parents=True)
    (data / "mine.txt").write_text("mine")
    ran = on(tmp_path / "data", "clear", "--all", "-y")
    assert ran.returncode == 1
    assert "not a store of nbcache" in ran.stderr
    assert (data / "mine.txt").read_text() == "mine"


# --- path, and wrong use


def test_path_prints_the_folder(store):
    """Absolute, for `cd "$(nbcache path)"`."""
    ran = nbcache(store, "--cache", "store", "path")
    assert (ran.returncode, ran.stdout) == (0, f"{store}\n")


def test_path_without_cache_is_the_one_of_notebooks_there(tmp_path):
    """The nearest .nbcache upward, else one in the working directory."""
    ran = nbcache(tmp_path / "store", "path")
    assert ran.stdout == f"{tmp_path / '.nbcache'}\n"


@pytest.mark.parametrize(
    "arguments", [(), ("nonsense",), ("ls", "--limit", "0"), ("ls", "--sort", "name")]
)
def test_wrong_use_exits_with_2(tmp_path, arguments):
    """What argparse refuses."""
    ran = nbcache(tmp_path / "store", *arguments)
    assert ran.returncode == 2
    assert "usage: nbcache" in ran.stderr


def test_maintenance_in_a_process_of_its_own(store):
    """verify, gc and stats; more of them in `test_cli_maintenance`."""
    assert on(store, "verify").stdout.startswith("3 entries (")
    assert "3 entries" in on(store, "gc", "-n").stdout
    assert on(store, "stats").stdout.splitlines()[-1].startswith("in all")
