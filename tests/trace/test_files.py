"""What runs find on disk and leave there: every version hits, and nothing is stale.

Each case runs one cell plainly in one folder and cached in another, with the same edits
of files between the runs: names and files must agree each time.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nbcache
from nbcache.errors import CacheWarning

# cells of users leave closing files to the interpreter
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMPORTS = (
    "import glob, json, os, pathlib, shutil, sqlite3, subprocess, tempfile\n"
    "import numpy as np, pandas as pd\n"
)


def write(name: str, text: str) -> Callable[[], None]:
    """Give the edit that writes a file."""
    return lambda: _write(name, text)


def _write(name: str, text: str) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text)


def remove(name: str) -> Callable[[], None]:
    """Give the edit that removes a file or folder."""
    return lambda: shutil.rmtree(name) if os.path.isdir(name) else os.remove(name)


def nothing() -> None:
    """Change nothing."""


def later(name: str) -> Callable[[], None]:
    """Give the edit that changes a file's time only."""
    return lambda: os.utime(name, (time.time() + 100,) * 2)


def parquet(*values: int) -> Callable[[], None]:
    """Give the edit that writes a table."""
    return lambda: pd.DataFrame({"a": values}).to_parquet("t.parquet")


@dataclass(frozen=True)
class Case:
    """A cell, what is there before, and edits with what the cell then does.

    Parameters
    ----------
    cell : str
        Its text.
    before : callable
        Makes the files that it needs.
    steps : tuple of (edit, str)
        ``hit`` or ``run``; the first run comes before all of them.
    """

    cell: str
    before: Callable[[], None]
    steps: tuple[tuple[Callable[[], None], str], ...]


DATA = write("data.txt", "1")
AGAIN = (nothing, "hit")
A_B_A = (
    AGAIN,
    (write("data.txt", "2"), "run"),
    AGAIN,
    (write("data.txt", "1"), "hit"),
    (write("data.txt", "2"), "hit"),
    (later("data.txt"), "hit"),
)

CASES = {
    "open": Case("y = open('data.txt').read()", DATA, A_B_A),
    "path": Case("y = pathlib.Path('data.txt').read_text()", DATA, A_B_A),
    "descriptor": Case(
        "d = os.open('data.txt', os.O_RDONLY)\ny = os.read(d, 9)\nos.close(d)\ndel d",
        DATA,
        A_B_A,
    ),
    "numpy": Case("y = np.loadtxt('data.txt')", DATA, A_B_A),
    "csv": Case("y = pd.read_csv('data.txt')", DATA, A_B_A),
    "a path made by the code": Case(
        "y = open('da' + 'ta.' + 'txt').read()", DATA, A_B_A
    ),
    "in a thread": Case(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(2) as pool:\n"
        "    y = list(pool.map(lambda p: open(p).read(), ['data.txt'] * 2))\ndel pool",
        DATA,
        A_B_A,
    ),
    "read natively": Case(
        "y = pd.read_parquet('t.parquet')",
        parquet(1),
        (AGAIN, (parquet(2), "run"), (parquet(1), "hit")),
    ),
    "named in a query": Case(
        "import pyarrow.dataset as ds\ny = ds.dataset('t.parquet').to_table()\ndel ds",
        parquet(1),
        (AGAIN, (parquet(2, 3), "run"), (parquet(1), "hit")),
    ),
    "joined of a folder and a name": Case(
        "import pyarrow.parquet as pq\nfolder = pathlib.Path('.')\n"
        "y = pq.read_table(folder / 't.parquet')\ndel pq",
        parquet(1),
        (AGAIN, (parquet(2, 3), "run"), (parquet(1), "hit")),
    ),
    "in worker processes": Case(
        "from joblib import Parallel, delayed\n"
        "y = Parallel(2)(delayed(np.loadtxt)(p) for p in sorted(glob.glob('sub/*')))",
        write("sub/a.txt", "1"),
        (AGAIN, (write("sub/a.txt", "2"), "run"), (write("sub/a.txt", "1"), "hit")),
    ),
    "in forked processes": Case(
        "import multiprocessing\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    y = pool.map(np.loadtxt, sorted(glob.glob('sub/*')))\ndel pool",
        write("sub/a.txt", "1"),
        (AGAIN, (write("sub/a.txt", "2"), "run"), (write("sub/a.txt", "1"), "hit")),
    ),
    "absent": Case(
        "try:\n    y = open('data.txt').read()\n"
        "except FileNotFoundError:\n    y = None",
        nothing,
        (AGAIN, (DATA, "run"), AGAIN, (remove("data.txt"), "hit")),
    ),
    "existence": Case(
        "y = os.path.exists('data.txt')",
        nothing,
        (AGAIN, (DATA, "run"), (remove("data.txt"), "hit")),
    ),
    "existence by a path": Case(
        "y = pathlib.Path('sub').is_dir()",
        nothing,
        (AGAIN, (write("sub/a", ""), "run"), (remove("sub"), "hit")),
    ),
    "size": Case(
        "y = os.path.getsize('data.txt')",
        DATA,
        (AGAIN, (write("data.txt", "22"), "run")),
    ),
    "listing": Case(
        "y = sorted(os.listdir('sub'))",
        write("sub/a", "1"),
        (
            AGAIN,
            (write("sub/a", "2"), "hit"),
            (write("sub/b", ""), "run"),
            (remove("sub/b"), "hit"),
        ),
    ),
    "iterdir": Case(
        "y = sorted(p.name for p in pathlib.Path('sub').iterdir())",
        write("sub/a", "1"),
        (AGAIN, (write("sub/b", ""), "run"), (remove("sub/b"), "hit")),
    ),
    "glob": Case(
        "y = sorted(open(p).read() for p in glob.glob('sub/*.txt'))",
        write("sub/a.txt", "1"),
        (
            AGAIN,
            (write("sub/b.txt", "2"), "run"),
            (write("sub/b.txt", "3"), "run"),
            (remove("sub/b.txt"), "hit"),
        ),
    ),
    "walk": Case(
        "y = sorted(f for _, _, files in os.walk('sub') for f in files)",
        write("sub/a", "1"),
        (AGAIN, (write("sub/c", ""), "run"), (remove("sub/c"), "hit")),
    ),
    "written": Case(
        "with open('out.txt', 'w') as f:\n    f.write('x')\ndel f",
        nothing,
        (
            AGAIN,
            (remove("out.txt"), "run"),
            AGAIN,
            (write("out.txt", "other"), "run"),
            AGAIN,
        ),
    ),
    "written from what was read": Case(
        "y = open('data.txt').read()\npathlib.Path('out.txt').write_text(y * 2)\ny = 0",
        DATA,
        (
            AGAIN,
            (write("data.txt", "2"), "run"),
            (write("data.txt", "1"), "run"),  # out.txt is that of the second run
            AGAIN,
        ),
    ),
    "written and read again": Case(
        "np.save('a.npy', np.arange(3))\ny = np.load('a.npy')",
        nothing,
        (AGAIN, (remove("a.npy"), "run"), AGAIN),
    ),
    "read and written": Case(
        "n = int(open('data.txt').read())\n"
        "pathlib.Path('data.txt').write_text(str(min(n + 1, 4)))\ny = n",
        DATA,
        # each run finds what the one before left, until nothing changes any more
        ((nothing, "run"), (nothing, "run"), (nothing, "run"), AGAIN),
    ),
    "replaced at once": Case(
        "pathlib.Path('new.txt').write_text('n')\nos.replace('new.txt', 'out.txt')",
        nothing,
        (AGAIN, (remove("out.txt"), "run"), AGAIN),
    ),
    "folder made": Case(
        "os.makedirs('made/deep', exist_ok=True)\n"
        "pathlib.Path('made/deep/a').write_text('1')",
        nothing,
        (AGAIN, (remove("made"), "run"), AGAIN),
    ),
    "temporary": Case(
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    pathlib.Path(folder, 'a').write_text('1')\n"
        "    y = pathlib.Path(folder, 'a').read_text()\ndel folder",
        nothing,
        (AGAIN,),
    ),
    "nameless temporary": Case(
        "with tempfile.TemporaryFile() as f:\n    f.write(b'1')\ndel f\ny = 1",
        nothing,
        (AGAIN,),
    ),
    "removed": Case(
        "if os.path.exists('data.txt'):\n    os.remove('data.txt')\ny = 1",
        DATA,
        ((nothing, "run"), AGAIN, (DATA, "run"), AGAIN),
    ),
    "folder made that must not be there": Case(
        "try:\n    os.mkdir('made')\n    y = 1\nexcept FileExistsError:\n    y = 0",
        nothing,
        ((nothing, "run"), AGAIN, (remove("made"), "run")),
    ),
    "file made that must not be there": Case(
        "try:\n    open('out', 'x').close()\n    y = 'made'\n"
        "except FileExistsError:\n    y = 0",
        nothing,
        ((nothing, "run"), AGAIN, (remove("out"), "run")),
    ),
    "removed without looking": Case(
        "try:\n    os.remove('data.txt')\n    y = 1\nexcept OSError:\n    y = 0",
        DATA,
        ((nothing, "run"), AGAIN, (DATA, "run")),
    ),
    "folder made by a path": Case(
        "pathlib.Path('made/deep').mkdir(parents=True, exist_ok=True)\ny = 1",
        nothing,
        (AGAIN, (remove("made"), "run"), AGAIN),
    ),
    "table written": Case(
        "pd.DataFrame({'a': [1]}).to_csv('out.csv')",
        nothing,
        (AGAIN, (write("out.csv", ""), "run"), AGAIN),
    ),
    "database": Case(
        "c = sqlite3.connect('my.db')\ny = c.execute('select 1').fetchall()\n"
        "c.close()\ndel c",
        lambda: _database(1),
        (AGAIN, (lambda: _database(2), "run"), AGAIN),
    ),
    "module imported by name": Case(
        "import importlib\nname = 'pl' + 'ug_trace'\nimportlib.invalidate_caches()\n"
        "y = importlib.import_module(name).V",
        write("plug_trace.py", "V = 1"),
        (AGAIN, (write("plug_trace.py", "V = 22"), "run")),
    ),
    "another working directory": Case(
        "y = os.path.basename(os.getcwd()) and open('data.txt').read()",
        DATA,
        (AGAIN,),
    ),
}


def _database(value: int) -> None:
    import sqlite3

    Path("my.db").unlink(missing_ok=True)
    connection = sqlite3.connect("my.db")
    connection.execute("create table t(a)")
    connection.execute("insert into t values (?)", (value,))
    connection.commit()
    connection.close()


@pytest.fixture(autouse=True)
def old_files(monkeypatch):
    """Let files count as rested soon: tests cannot wait for 2 s each time."""
    monkeypatch.setattr("nbcache.trace.observed.RESTED_NS", 30_000_000)


def _run(shell: Any, source: str) -> None:
    shell.run_cell(source).raise_error()


def _forget_modules() -> None:
    import sys

    sys.modules.pop("plug_trace", None)


def _state(shell: Any) -> tuple[dict[str, str], dict[str, bytes]]:
    names = {
        name: repr(shell.user_ns[name])
        for name in ("y", "n", "f", "folder", "d")
        if name in shell.user_ns
    }
    files = {
        str(path): path.read_bytes()
        for path in sorted(Path().rglob("*"))
        if path.is_file() and path.suffix not in (".db", ".pyc")
    }
    return names, files


def _forget_names(shell):
    """Delete what cells have bound; `reset` collects garbage too, which takes long."""
    for name in set(shell.user_ns) - set(shell.user_ns_hidden):
        del shell.user_ns[name]


@pytest.mark.parametrize("name", CASES)
def test_each_version_of_what_is_on_disk_hits_once_known(
    shell, tmp_path, monkeypatch, name
):
    """A cached cell leaves what a run leaves, and runs only when it must."""
    case = CASES[name]
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    plain, cached = tmp_path / "plain", tmp_path / "cached"
    for folder in (plain, cached):
        folder.mkdir()
        monkeypatch.chdir(folder)
        case.before()
    time.sleep(0.05)
    for number, (edit, expected) in enumerate(((nothing, "run"), *case.steps)):
        found = []
        for folder, head in ((plain, ""), (cached, "%%cached a\n")):
            monkeypatch.chdir(folder)
            monkeypatch.syspath_prepend(str(folder))
            edit()
            time.sleep(0.04)
            _forget_names(shell)
            _forget_modules()
            _run(shell, IMPORTS)
            _run(shell, head + case.cell)
            found.append(_state(shell))
        assert found[0] == found[1], (number, nbcache.last())
        outcome = nbcache.last()
        assert outcome.hit == (expected == "hit"), (number, outcome.changes, outcome)
        assert not outcome.refused


def test_a_pool_that_is_not_asked_reads_nothing(shell, tmp_path, monkeypatch):
    """A cell that lists a folder depends on its files only if workers were at work."""
    monkeypatch.chdir(tmp_path)
    _write("sub/a", "1")
    _run(shell, IMPORTS + "from joblib import Parallel, delayed")
    _run(shell, "Parallel(2)(delayed(abs)(n) for n in range(2))")
    for value in ("1", "2"):
        _write("sub/a", value)
        _run(shell, "%%cached t\ny = os.listdir('sub')")
    assert nbcache.last().hit


def test_two_folders_with_one_cell_do_not_mix(shell, tmp_path, monkeypatch):
    """A relative path is looked up where the notebook runs now."""
    for value in ("a", "b", "a", "b"):
        folder = tmp_path / value
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        _write("data.txt", value)
        _run(shell, "%%cached t\ny = open('data.txt').read()")
        assert shell.user_ns["y"] == value
    assert nbcache.last().hit


def test_an_unchanged_stat_spares_reading_the_file(shell, tmp_path, monkeypatch):
    """A hit opens no data file, not even in a process that never saw it."""
    import sys

    from nbcache.trace import observed

    monkeypatch.chdir(tmp_path)
    _write("data.txt", "1")
    time.sleep(0.05)
    _run(shell, "%%cached t\ny = open('data.txt').read()")
    observed._known.clear()
    opened = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and opened is not None:
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)
    _run(shell, "%%cached t\ny = open('data.txt').read()")
    seen, opened = opened, None
    assert nbcache.last().hit
    assert seen
    assert not [path for path in seen if path.endswith("data.txt")]


def test_a_change_within_the_tick_of_the_clock_is_seen(shell, tmp_path, monkeypatch):
    """A file that had not rested is read again, whatever its stat."""
    monkeypatch.setattr("nbcache.trace.observed.RESTED_NS", 2_000_000_000)
    monkeypatch.chdir(tmp_path)
    _write("data.txt", "1")
    before = os.stat("data.txt")
    for value in ("1", "2"):
        # same size, and the times of before
        with open("data.txt", "r+") as file:
            file.write(value)
        os.utime("data.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
        _run(shell, "%%cached t\ny = open('data.txt').read()")
        assert shell.user_ns["y"] == value


def test_a_file_changed_by_others_meanwhile_is_not_stored(shell, tmp_path, monkeypatch):
    """Which version the run read cannot be known."""
    monkeypatch.chdir(tmp_path)
    _write("data.txt", "1")
    with pytest.warns(CacheWarning, match=r"data.txt changed while it ran"):
        _run(
            shell,
            "%%cached t\nname = '.'.join(['data', 'txt'])\ny = open(name).read()\n"
            "import subprocess\n"
            "subprocess.run(['sh', '-c', 'echo 22 > ' + name], check=True)\ny = 1",
        )
    assert not nbcache.last().stored


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("with open('log.txt', 'a') as f:\n    f.write('x')", "appends to the file"),
        ("with open('log.txt', 'r+') as f:\n    f.write('x')", "changes the file"),
        (
            "d = os.open('log.txt', os.O_WRONLY | os.O_APPEND)\nos.close(d)",
            "appends to the file",
        ),
        ("os.truncate('log.txt', 0)", "changes the file"),
        (
            "m = np.memmap('log.txt', dtype='u1', mode='r+')\nm[0] = 1\ndel m",
            "changes the file",
        ),
    ],
)
def test_what_changes_a_file_in_place_is_not_stored(
    shell, tmp_path, monkeypatch, cell, message
):
    """One line says which file, and what to do."""
    monkeypatch.chdir(tmp_path)
    _write("log.txt", "old")
    _run(shell, IMPORTS)
    with pytest.warns(CacheWarning, match=rf"{message} log\.txt") as told:
        _run(shell, f"%%cached t\n{cell}")
    assert "not cached" in str(told[0].message)
    assert not nbcache.last().stored


@pytest.mark.parametrize(
    ("cell", "reached"),
    [
        ("y = subprocess.run(['true']).returncode", "another program"),
        ("y = os.system('true')", "another program"),
        ("c = sqlite3.connect('file:x?mode=rwc', uri=True)\nc.close()\ndel c", "data"),
        (
            (
                "import socket\ns = socket.socket()\ns.settimeout(0.2)\n"
                "y = s.connect_ex(('127.0.0.1', 9))\ns.close()\ndel s"
            ),
            "the network",
        ),
    ],
)
def test_what_cannot_be_followed_is_said_once(
    shell, tmp_path, monkeypatch, cell, reached
):
    """The result is kept; one line says what a hit will not notice, and the remedy."""
    from nbcache import cache

    monkeypatch.chdir(tmp_path)
    cache._registry.clear()
    _run(shell, IMPORTS)
    with pytest.warns(CacheWarning, match=rf"may depend on .*{reached}.*--ttl"):
        _run(shell, f"%%cached t\n{cell}")
    assert nbcache.last().stored
    _run(shell, f"%%cached t\n{cell}")
    assert nbcache.last().hit


def test_a_database_in_memory_is_nobody_elses(shell, recwarn):
    """Nothing is said of it."""
    _run(shell, IMPORTS)
    _run(
        shell,
        "%%cached t\nc = sqlite3.connect(':memory:')\n"
        "y = c.execute('select 1').fetchall()\nc.close()\ndel c",
    )
    assert nbcache.last().stored
    assert not [one for one in recwarn if one.category is CacheWarning]


def test_a_hit_lends_its_files_to_what_encloses_it(shell, tmp_path, monkeypatch):
    """A cell that got a cached result depends on the files of that result."""
    monkeypatch.chdir(tmp_path)
    _write("data.txt", "1")
    _run(
        shell,
        "from nbcache import cached\n@cached\n"
        "def load():\n    return open('data.txt').read()\n",
    )
    _run(shell, "load()")
    for value, hit in (("1", False), ("1", True), ("2", False), ("1", True)):
        _write("data.txt", value)
        _run(shell, "%%cached t\ny = load()")
        assert shell.user_ns["y"] == value
        found = [one for one in nbcache.cache.outcomes if one.name == "t"]
        assert found[-1].hit == hit


def test_the_seconds_of_an_inner_hit_count_as_saved(tmp_path):
    """What a hit of the outer saves is what computing all of it would take."""
    cache = nbcache.Cache(tmp_path / "c")

    @cache.cached
    def inner():
        time.sleep(0.3)
        return 1

    @cache.cached
    def outer():
        return inner()

    inner()
    outer()
    outer()
    assert nbcache.last().hit
    assert nbcache.last().saved >= 0.3


def test_a_planted_list_of_descriptors_costs_a_miss_at_most(tmp_path, monkeypatch):
    """Whatever stands in the file, the signed entry decides."""
    monkeypatch.chdir(tmp_path)
    _write("data.txt", "1")
    cache = nbcache.Cache(tmp_path / "c")

    @cache.cached
    def load():
        return open("data.txt").read()

    assert load() == "1"
    [traces] = (tmp_path / "c" / "entries").rglob("*.traces")
    good = traces.read_text()
    entry = load.entries()[0]["key"]
    planted = (
        "",
        "{",
        "[]",
        '{"descriptors": 1}',
        '{"descriptors": [{"items": [], "newest": "' + entry + '"}]}',
        '{"descriptors": [{"items": [["file", "other"]], "newest": "' + entry + '"}]}',
        '{"descriptors": [{"items": [["evil", "x"]], "newest": "' + entry + '"}]}',
        '{"descriptors": [{"items": [["file", "/dev/zero"]], "newest": "../../x"}]}',
        good.replace(entry, "0" * 32),
    )
    for text in planted:
        for value in ("1", "2"):
            _write("data.txt", value)
            traces.write_text(text)
            assert load() == value, text


def test_sixteen_kinds_of_runs_are_known(tmp_path, monkeypatch):
    """The list of descriptors is bounded; the newest stay."""
    monkeypatch.chdir(tmp_path)
    cache = nbcache.Cache(tmp_path / "c")
    for number in range(20):
        _write(f"{number}.txt", str(number))
    _write("which", "0")

    @cache.cached
    def load():
        return open(f"{open('which').read()}.txt").read()

    for number in range(20):
        _write("which", str(number))
        assert load() == str(number)
    assert not nbcache.last().hit
    for number in (19, 10, 4):
        _write("which", str(number))
        assert load() == str(number)
        assert nbcache.last().hit


def test_large_arrays_survive_a_deleted_file(tmp_path, monkeypatch):
    """A file that is gone is a change like any other: named, and run again."""
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.arange(1000))
    cache = nbcache.Cache(tmp_path / "c")

    @cache.cached
    def load():
        return np.load("a.npy") if os.path.exists("a.npy") else np.zeros(1)

    assert load().size == 1000
    os.remove("a.npy")
    assert load().size == 1
    assert any("a.npy" in change for change in nbcache.last().changes)
