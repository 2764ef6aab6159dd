"""What is refused, and what is stored with a word: each row of the table has a test."""

import json
from dataclasses import dataclass

import pytest
from kernel import Kernel

LAST = "import json, nbcache.cache as c; print(json.dumps(c.outcomes[-1].to_json()))"
BEGIN = """
import datetime as dt, locale, os, secrets, threading, time, uuid, warnings
from datetime import datetime
from time import time as now
from warnings import simplefilter as simple
import numpy as np, nbcache
%load_ext nbcache
warnings.simplefilter("always", nbcache.CacheWarning)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refusals")
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as kernel:
        yield kernel


@pytest.fixture
def kernel(running, tmp_path):
    """Give the kernel as new: its namespace and its cache are empty."""
    running.run("%reset -f")
    running.run(BEGIN)
    running.run(f"nbcache.set_cache_dir({str(tmp_path / 'store')!r})")
    return running


def last(kernel: Kernel) -> dict:
    return json.loads(kernel.run(LAST).stdout)


def said(stderr: str) -> list[str]:
    """Give the cache's warnings in what a cell wrote to stderr."""
    mark = "CacheWarning: "
    return [line.partition(mark)[2] for line in stderr.splitlines() if mark in line]


@dataclass(frozen=True)
class Row:
    """A cell, what stands before it, and what must be said of it."""

    cell: str
    says: tuple[str, ...]
    before: str = ""


CLASS = "class A:\n    def __init__(self): self.x = 1\na = A()"
REFUSED = {
    "an input without digest": Row(
        "y = next(g)",
        ("g: generator", "--ignore g", "--opaque g"),
        "g = (i for i in [1])",
    ),
    "an output that cannot be stored": Row(
        "lock = threading.Lock()\ny = 1", ("'lock'", "lock", "--skip lock", "-o y")
    ),
    "dynamic names": Row("y = eval('1')", ("eval() hides which names",)),
    "an unknown magic": Row("%alias_magic tt time", ("%alias_magic", "--trust-magics")),
    "another directory by magic": Row("%cd .", ("%cd",)),
    "a variable by magic and expression": Row("x = 1\n%env NB_A={x}", ("%env",)),
    "warning filters": Row(
        "warnings.filterwarnings('default', 'x')", ("filterwarnings()", "own")
    ),
    "warning filters by another name": Row("simple('default')", ("simple()", "own")),
    "warning filters by an import": Row(
        "from warnings import resetwarnings as r\nif False: r()", ("r()", "own")
    ),
    "the locale": Row(
        "locale.setlocale(locale.LC_ALL, 'C')", ("locale.setlocale()", "own")
    ),
    "a thread of the user's": Row(
        "t = threading.Thread(target=wait)\nt.start()\ndel t",
        ("still runs", "Join it"),
        "def wait(): time.sleep(1)",
    ),
    "a timer": Row(
        "t = threading.Timer(1, wait)\nt.start()\ndel t",
        ("still runs", "Join it"),
        "def wait(): pass",
    ),
    "a name that a thread rebinds": Row(
        "time.sleep(0.3)",
        ("'beat' may have been bound by the thread", "Join"),
        "def tick():\n    global beat\n    for beat in range(50): time.sleep(0.02)\n"
        "threading.Thread(target=tick).start()",
    ),
    "a task": Row(
        "import asyncio\nasyncio.create_task(wait());",
        ("'wait' is not done", "Await it"),
        "async def wait(): await __import__('asyncio').sleep(0.2)",
    ),
    "the attributes of an object": Row(
        "q = vars(a)", ("'q'", "copy", "dict(vars(...))"), CLASS
    ),
    "the attributes of an object in a list": Row("q = [a.__dict__]", ("'q'",), CLASS),
    "the attributes of an object by a function": Row(
        "q = f(a)", ("'q'",), f"{CLASS}\ndef f(x): return vars(x)"
    ),
    "a secret": Row("os.environ['A_TOKEN'] = 'x'", ("A_TOKEN", "secret", "own")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_runs_and_says_so_in_one_line(kernel, name):
    """The line names the cause and what to do."""
    row = REFUSED[name]
    kernel.run(row.before)
    ran = kernel.run(f"%%cached a\n{row.cell}")
    assert ran.ok, ran.traceback
    outcome = last(kernel)
    assert not outcome["stored"]
    (line,) = said(ran.stderr)
    assert outcome["refused"] in line
    for words in row.says:
        assert words in line


FROZEN = {
    "the clock": Row("y = time.time()", ("time.time()",)),
    "the clock by another name": Row("y = now()", ("now()",)),
    "the date": Row("y = datetime.now()", ("datetime.now()",)),
    "the date by a module": Row("y = dt.datetime.utcnow()", ("utcnow()",)),
    "the day": Row("y = dt.date.today()", ("dt.date.today()",)),
    "a method": Row("y = when()", ("when()",), "when = datetime.now"),
    "an import": Row("from datetime import datetime as D\ny = D.now()", ("D.now()",)),
    "pandas": Row("import pandas as pd\ny = pd.Timestamp.now()", ("Timestamp.now()",)),
    "a text": Row("y = np.datetime64('now')", ("np.datetime64()",)),
    "an id": Row("y = uuid.uuid4()", ("uuid.uuid4()",)),
    "bytes": Row("y = os.urandom(2)", ("os.urandom()",)),
    "secrets": Row("y = secrets.token_hex()", ("secrets.token_hex()",)),
    "no seed": Row("y = np.random.default_rng().random()", ("default_rng()",)),
    "a function": Row("y = f()", ("time.time()",), "def f(): return [time.time()]"),
    "a function's function": Row(
        "y = f()", ("uuid4()",), "def g(): return uuid.uuid4()\ndef f(): return g()"
    ),
    "a generator that nobody seeded": Row(
        "y = np.random.rand()", ("global generator of numpy", "nobody seeded")
    ),
}


@pytest.mark.parametrize("name", FROZEN)
def test_a_value_that_a_hit_freezes_is_stored_with_a_word(running, kernel, name):
    """One line names the call."""
    row = FROZEN[name]
    if "seeded" in name:
        running.restart()
        running.run(BEGIN)
    kernel.run(row.before)
    # `utcnow` is deprecated
    ran = kernel.run(f"%%cached a\n{row.cell}")
    assert ran.ok, ran.traceback
    outcome = last(kernel)
    assert outcome["stored"], outcome
    (line,) = said(ran.stderr)
    for words in (*row.says, "stay as they are"):
        assert words in line


ACCEPTED = {
    "filters for a while": "with warnings.catch_warnings():\n"
    "    warnings.simplefilter('ignore')\n    y = 1",
    "a question about the locale": "y = locale.setlocale(locale.LC_ALL)",
    "how long it takes": "t = time.perf_counter()\ny = time.perf_counter() - t",
    "a seed": "y = np.random.default_rng(1).random()",
    "a copy of attributes": "class A:\n    x = 1\na = A()\na.y = 2\nq = dict(vars(a))",
    "the attributes of an object that is gone": "class A: pass\nb = A()\nb.y = 2\n"
    "q = vars(b)\ndel b",
    "a date": "y = dt.datetime(2020, 1, 1)",
    "a thread that is done": "t = threading.Thread(target=lambda: 1)\nt.start()\n"
    "t.join()\ndel t",
    "a task that is done": "import asyncio\n"
    "await asyncio.create_task(asyncio.sleep(0, 1))",
    "an idle pool": "from concurrent.futures import ThreadPoolExecutor\n"
    "pool = ThreadPoolExecutor(2)\ny = list(pool.map(abs, [1, -2]))\ndel pool",
    "joblib": "import joblib\n"
    "y = joblib.Parallel(2)(joblib.delayed(abs)(i) for i in [1, -1])",
    "a progress bar": "import tqdm, io\n"
    "for i in tqdm.tqdm(range(2), file=io.StringIO()): pass",
    "a variable by magic": "%env NB_A=1",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_harmless_is_stored_without_a_word(kernel, name):
    """Nothing is said of what a hit repeats, or of what libraries keep running."""
    if name in ("joblib", "a progress bar"):
        pytest.importorskip(name if name == "joblib" else "tqdm")
    ran = kernel.run(f"%%cached a\n{ACCEPTED[name]}")
    assert ran.ok, ran.traceback
    assert last(kernel)["stored"], last(kernel)
    assert said(ran.stderr) == []


def test_an_error_is_never_stored(kernel):
    """Nor is an interrupt."""
    for error in ("ValueError(1)", "KeyboardInterrupt"):
        for _ in range(2):
            assert not kernel.run(f"%%cached a\ny = 1\nraise {error}").ok
    assert kernel.run("len(nbcache.entries())").result == {"text/plain": "0"}


def test_an_interrupt_from_outside_is_never_stored(running, kernel):
    """The stop button."""
    request = kernel.start("%%cached a\nprint('on')\ntime.sleep(60)\ny = 1")
    kernel.wait_for(request, "on")
    running.interrupt()
    assert not kernel.finish(request).ok
    assert kernel.run("len(nbcache.entries())").result == {"text/plain": "0"}


def test_a_cause_is_told_once_for_a_cell(kernel):
    """Also when filters change in between; with verbosity `full` each time."""
    kernel.run("warnings.simplefilter('default', nbcache.CacheWarning)")
    cell = "%%cached once\ny = eval('1 + 1')"
    assert len(said(kernel.run(cell).stderr)) == 1
    kernel.run("with warnings.catch_warnings(): warnings.simplefilter('ignore')")
    assert said(kernel.run(cell).stderr) == []
    assert len(said(kernel.run(cell.replace("once", "other")).stderr)) == 1
    kernel.run("nbcache.configure(verbosity='full')")
    assert len(said(kernel.run(cell).stderr)) == 1
    kernel.run("nbcache.configure(verbosity='quiet')")


SLOW = """
class Slow:
    def __reduce__(self):
        time.sleep(0.7)
        return Slow, ()
"""


def test_storing_that_takes_longer_than_computing_is_said(kernel):
    """In notices of cells, and once for a function."""
    kernel.run(SLOW)
    kernel.run("nbcache.configure(verbosity='brief')")
    ran = kernel.run("%%cached a\nslow = Slow()")
    assert "'a', but storing took longer than computing" in ran.stderr
    ran = kernel.run("%%cached b\ny = 1")
    assert ran.stderr == ""
    ran = kernel.run("@nbcache.cached\ndef f(): return Slow()\nf();")
    (line,) = said(ran.stderr)
    assert "not worth it" in line
    kernel.run("nbcache.configure(verbosity='quiet')")


MODES = {
    "keep": ([True, True], "nobody seeded", True),
    "refuse": ([False, False], "--rng keep", False),
    "ignore": ([True, True], "", False),
}


@pytest.mark.parametrize("mode", MODES)
def test_what_becomes_of_values_that_nobody_seeded(running, tmp_path, mode):
    """Kept with a word, refused, or stored as if they came from nowhere."""
    stored, says, restores = MODES[mode]
    seen = []
    for expected in stored:
        running.restart()
        running.run(BEGIN)
        running.run(f"nbcache.set_cache_dir({str(tmp_path / 'store')!r})")
        ran = running.run(f"%%cached a --rng {mode}\ny = np.random.rand()")
        assert ran.ok, ran.traceback
        outcome = last(running)
        assert outcome["stored"] == expected, outcome
        if not outcome["hit"]:
            assert all(says in line for line in said(ran.stderr))
            assert len(said(ran.stderr)) == bool(says)
        seen.append((outcome["hit"], running.run("print(y, np.random.rand())").stdout))
    first, second = seen
    assert not first[0]
    assert second[0] == stored[0]
    assert (second[1] == first[1]) == restores
    assert (second[1].split()[0] == first[1].split()[0]) == stored[0]
