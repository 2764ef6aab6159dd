"""`%%cached` in real kernels: what a hit leaves, shows and says."""

import json
import re

import pytest
from kernel import Kernel, Terminal

LAST = "import json, nbcache.cache as c; print(json.dumps(c.outcomes[-1].to_json()))"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kernel")
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as running:
        yield running


@pytest.fixture
def fresh(kernel, tmp_path):
    """Give a function that makes the namespace new, as in a new kernel."""

    def begin() -> Kernel:
        kernel.run("%reset -f")
        kernel.run("import nbcache\n%load_ext nbcache\nimport warnings")
        kernel.run(f"nbcache.set_cache_dir({str(tmp_path / 'store')!r})")
        return kernel

    return begin


def last(kernel: Kernel) -> dict:
    return json.loads(kernel.run(LAST).stdout)


def run_twice(fresh, cell: str, after: str, before: str = "") -> list:
    """Run a cell cold and warm; give what another cell then shows of each."""
    shown = []
    for hit in (False, True):
        kernel = fresh()
        if before:
            ran = kernel.run(before)
            assert ran.ok, ran.traceback
        ran = kernel.run(cell)
        assert ran.ok, ran.traceback
        outcome = last(kernel)
        assert outcome["hit"] == hit, outcome
        asked = kernel.run(after)
        assert asked.ok, asked.traceback
        shown.append((ran.page, asked.page))
    return shown


RESTORED = {
    "value": ("", "%%cached a\ny = [1, (2.5, {'k': None})]", "y"),
    "same value as before": ("y = 3", "%%cached a\ny = 3\nz = y", "(y, z)"),
    "two names of one array": (
        "",
        "%%cached a\nimport numpy as np\na = np.zeros(3)\nb = a",
        "b[0] = 7; (a is b, a)",
    ),
    "a view and its base": (
        "",
        "%%cached a\nimport numpy as np\na = np.arange(10)\nb = a[2:5]",
        "b[0] = 99; (np.shares_memory(a, b), a, b)",
    ),
    "an alias of an input": (
        "x = [1, 2]",
        "%%cached a\ny = x\nz = [x, x]",
        "(y is x, z[0] is x, z)",
    ),
    "a view of an input": (
        "import numpy as np\nx = np.arange(6)",
        "%%cached a\ny = x[1:4]",
        "x[1] = 50; y",
    ),
    "private name": ("", "%%cached a\n_tmp = 5\ny = _tmp", "(_tmp, y)"),
    "deleted name": ("y = 1", "%%cached a\nx = y\ndel y", "'y' in globals()"),
    "function": ("k = 2", "%%cached a\ndef f(x):\n    return x * k", "k = 5; f(1)"),
    "computed default": (
        "",
        "%%cached a\nn = 4 * 2\ndef f(x=n):\n    return x\nm = f()",
        "(f(), f.__defaults__)",
    ),
    "closure": (
        "",
        "%%cached a\ndef make(k):\n    return lambda x: x * k\nf = make(3)",
        "f(4)",
    ),
    "instance of a class of the cell": (
        "",
        """%%cached a
class M:
    def __init__(self):
        self.v = [1]
    def get(self):
        return self.v
m = M()""",
        "(isinstance(m, M), type(m) is M, m.get())",
    ),
    "instance of a dataclass of the cell": (
        "",
        """%%cached a
from dataclasses import dataclass
@dataclass
class P:
    x: int
p = P(3)""",
        "(isinstance(p, P), p, p == P(3))",
    ),
    "instance of a class of the notebook": (
        "class M:\n    pass",
        "%%cached a\nm = M()\nm.x = 1",
        "(isinstance(m, M), m.x)",
    ),
    "import": (
        "",
        "%%cached a\nimport math as m\nfrom os import path",
        "m.pi, path.sep",
    ),
    "frame": (
        "",
        """%%cached a
import pandas as pd
d = pd.DataFrame({'a': [1.5, 2], 'b': ['x', None]})
s = d['a']""",
        "d.dtypes.astype(str).tolist(), d.to_csv(), s.tolist()",
    ),
    "conditional name": (
        "f = True",
        "%%cached a\nif f:\n    y = 1\nelse:\n    z = 1",
        "y",
    ),
    "rebound input": ("x = 1", "%%cached a\nx = x + 1", "x"),
    "global bound by a helper": (
        "def h():\n    global g\n    g = 5",
        "%%cached a\nh()",
        "g",
    ),
    "loop names": ("", "%%cached a\nfor i in range(3):\n    t = i * i", "(i, t)"),
    "random state": (
        "",
        "%%cached a\nimport numpy as np\nnp.random.seed(1)\nx = np.random.rand()",
        "np.random.rand()",
    ),
}


@pytest.mark.parametrize("name", RESTORED)
def test_a_hit_leaves_what_the_run_left(fresh, name):
    """Names, identities and shared memory, seen by the cells that follow."""
    before, cell, after = RESTORED[name]
    cold, warm = run_twice(fresh, cell, after, before)
    assert warm == cold


SHOWN = {
    "print": "%%cached a\nprint('one')\nprint('two')",
    "both streams": "%%cached a\nimport sys\nprint(1)\nprint(2, file=sys.stderr)",
    "last value": "%%cached a\n[1, 2]",
    "silenced value": "%%cached a\nx = 1\nx;",
    "frame": "%%cached a\nimport pandas as pd\npd.DataFrame({'a': [1]})",
    "displays": "%%cached a\nfrom IPython.display import display, HTML\n"
    "display(HTML('<b>x</b>'))\nprint('between')\ndisplay({'a': 1})",
    "figures": "%%cached a\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\n"
    "plt.show()\nfig, ax = plt.subplots()\nax.bar([1], [2])\n'end'",
    "shell line": "%%cached a\n!echo hello",
    "carriage return": "%%cached a\nprint('1 %', end='\\r')\nprint('2 %')",
}


def resolved(output: dict) -> dict:
    """Give an output with the lines that a carriage return overwrote left out."""
    if "text" not in output:
        return output
    return {**output, "text": re.sub(r"[^\n]*\r(?!\n)", "", output["text"])}


@pytest.mark.parametrize("name", SHOWN)
def test_a_hit_shows_what_the_run_showed(fresh, name):
    """Streams, displays, figures, result: the page is the same."""
    cold, warm = run_twice(fresh, SHOWN[name], "_", before="0")
    assert warm[0] == [
        resolved(one) | ({"id": two["id"]} if "id" in one else {})
        for one, two in zip(cold[0], warm[0], strict=True)
    ]
    if name != "figures":
        assert warm[1] == cold[1]


def test_a_hit_keeps_out_and_underscore(fresh):
    """``_`` and ``Out[n]`` are the stored value."""
    cold, warm = run_twice(fresh, "%%cached a\n[1] * 3", "(_, Out[max(Out)] is _)")
    assert warm == cold


def test_running_a_cell_again_in_one_kernel_hits(fresh):
    """Names that the first run bound do not make the second another question."""
    kernel = fresh()
    cell = (
        "%%cached a\nimport warnings\nwith warnings.catch_warnings():\n    d = 1\n"
        "for i in range(2):\n    t = i\nprint(d, t)\ndef g():\n    return h()\n"
        "def h():\n    return 1\ng()"
    )
    assert kernel.run(cell).ok
    assert not last(kernel)["hit"]
    assert kernel.run(cell).ok
    assert last(kernel)["hit"]


NOT_STORED = {
    "appended file": (
        "open('f.txt', 'w').write('a')",
        "%%cached a\nwith open('f.txt', 'a') as f:\n    f.write('b')\ndel f",
        "appends to the file f.txt",
    ),
    "dynamic names": ("", "%%cached a\ny = eval('1 + 1')", "eval"),
    "unknown magic": ("", "%%cached a\n%alias_magic tt time\ny = 1", "%alias_magic"),
    "unhashable input": (
        "g = (i for i in [1])",
        "%%cached a\ny = next(g)",
        "generator",
    ),
    "unstorable output": (
        "",
        "%%cached a\nimport threading\nlock = threading.Lock()\ny = 1",
        "--skip lock",
    ),
}


@pytest.mark.parametrize("name", NOT_STORED)
def test_what_cannot_be_kept_runs_and_says_so(fresh, name):
    """The cell runs each time; one line names the cause."""
    before, cell, expected = NOT_STORED[name]
    for _ in range(2):
        kernel = fresh()
        kernel.run(f"warnings.simplefilter('always')\n{before}")
        ran = kernel.run(cell)
        assert ran.ok, ran.traceback
        lines = [line for line in ran.stderr.splitlines() if "CacheWarning" in line]
        assert len(lines) == 1, ran.stderr
        assert expected in ran.stderr
        outcome = last(kernel)
        assert not outcome["hit"]
        assert not outcome["stored"]


def test_skip_and_only_choose_what_is_stored(fresh):
    """The rest is kept without what cannot be."""
    cell = "%%cached a --skip lock\nimport threading\nlock = threading.Lock()\ny = 1"
    run_twice(fresh, cell, "y")
    cold, warm = run_twice(fresh, "%%cached b -o y\ny = 1\nz = 2", "'z' in globals()")
    assert (cold[1][0]["data"], warm[1][0]["data"]) == (
        {"text/plain": "True"},
        {"text/plain": "False"},
    )


def test_an_error_stops_and_is_not_stored(fresh):
    """Run All stops; the traceback shows the user's line and none of ours."""
    kernel = fresh()
    for _ in range(2):
        ran = kernel.run("%%cached a\nx = 1\n1/0\ny = 2")
        assert not ran.ok
        assert "----> 3 1/0" in ran.traceback
        for ours in ("nbcache/", "magic.py", "cache.py", "contextlib"):
            assert ours not in ran.traceback, ran.traceback
    assert kernel.run("import nbcache; len(nbcache.entries())").result == {
        "text/plain": "0"
    }


def test_an_error_in_a_helper_shows_the_way_to_it(fresh):
    """Frames of the user's functions stay."""
    kernel = fresh()
    kernel.run("def deep(x):\n    return x / 0")
    ran = kernel.run("%%cached a\ndeep(1)")
    assert "return x / 0" in ran.traceback
    assert "deep(1)" in ran.traceback
    assert "nbcache/" not in ran.traceback


def test_a_syntax_error_points_into_the_cell(fresh):
    """At the line of the cell that is wrong."""
    ran = fresh().run("%%cached a\nx = 1\ny = = 2")
    assert not ran.ok
    assert "line 3" in ran.traceback
    assert "y = = 2" in ran.traceback


def test_a_cell_may_await(fresh):
    """Top-level await works cold and warm."""
    cell = "%%cached a\nimport asyncio\nawait asyncio.sleep(0)\ny = 5\ny"
    cold, warm = run_twice(fresh, cell, "y")
    assert warm == cold


def test_options_of_the_magic(fresh):
    """--deps, --ignore, -f, -n, --no-output, --compress, --cache, -r."""
    kernel = fresh()
    kernel.run("v = 1; w = 1")

    def hit(line: str, body: str = "y = 5\nprint('shown')\nw") -> bool:
        ran = kernel.run(f"%%cached {line}\n{body}")
        assert ran.ok, ran.traceback
        return last(kernel)["hit"]

    assert not hit("a --deps v")
    assert hit("a --deps v")
    kernel.run("v = 2")
    assert not hit("a --deps v")
    assert not hit("a --deps v -f")
    assert not hit("b --ignore w")
    kernel.run("w = 2")
    assert hit("b --ignore w")
    assert kernel.run("%%cached b --ignore w --no-output\ny = 5\nprint('shown')\nw")
    foretold = kernel.run("%%cached c -n\ny = 7").stdout
    assert "'c' would run: first run" in foretold
    assert kernel.run("'y' in globals() and y").result == {"text/plain": "5"}
    assert not hit("d --compress", "import numpy as np\nz = np.zeros(10**6)")
    assert last(kernel)["bytes"] < 100_000
    assert not hit("e --cache other", "q = 1")
    assert hit("e --cache other", "q = 1")
    kernel.run("del q")
    ran = kernel.run("%%cached e --cache other -r -v\nq = 2")
    assert ran.ok
    assert "not current: code changed" in ran.stderr
    assert kernel.run("q").result == {"text/plain": "1"}


def test_notices(fresh):
    """Quiet by default here; brief and full on request; nothing in the outputs."""
    kernel = fresh()
    cell = "x = 1\nx"
    assert kernel.run(f"%%cached a\n{cell}").stderr == ""
    assert "'a' from the cache: x" in kernel.run(f"%%cached a -v\n{cell}").stderr
    assert kernel.run(f"%%cached a -q\n{cell}").stderr == ""
    told = kernel.run("%%cached a -v\nx = 2\nx").stderr
    assert "'a' runs again: code changed" in told


def test_wrong_use_is_one_line(fresh):
    """A UsageError, not a traceback of ours."""
    kernel = fresh()
    ran = kernel.run("%%cached a --frobnicate\nx = 1")
    assert not ran.ok
    assert "no option --frobnicate" in ran.stdout + ran.stderr
    kernel.run("%%cached fit\nx = 1")
    ran = kernel.run("%nbcache info fti")
    assert "Did you mean 'fit'?" in ran.stdout + ran.stderr + ran.traceback


def test_the_line_magic(fresh):
    """Ls gives a DataFrame; info, why and clear name the entry."""
    kernel = fresh()
    kernel.run("%%cached fit\nx = 1")
    assert kernel.run("df = %nbcache ls\ndf.name.tolist()").result == {
        "text/plain": "['fit']"
    }
    assert "holds     x: int" in kernel.run("%nbcache info fit").stdout
    assert "first run" in kernel.run("%nbcache why fit").stdout
    kernel.run("%%cached fit\nx = 2")
    assert "the code changed" in kernel.run("%nbcache why fit").stdout
    assert "would delete 2 entries" in kernel.run("%nbcache clear fit -n").stdout
    assert "deleted 2 entries" in kernel.run("%nbcache clear fit").stdout
    kernel.run("%%cached fit\nx = 1")
    assert "deleted 1 entry" in kernel.run("%nbcache clear --all -y").stdout


def test_a_damaged_entry_is_computed_again_with_one_line(fresh, tmp_path):
    """It is set aside, said once, and healed."""
    kernel = fresh()
    kernel.run("%%cached a\nx = list(range(5))")
    (entry,) = (tmp_path / "store" / "entries").rglob("*.npz")
    data = bytearray(entry.read_bytes())
    data[len(data) // 2] ^= 1
    entry.write_bytes(data)
    kernel = fresh()
    kernel.run("warnings.simplefilter('always')")
    ran = kernel.run("%%cached a\nx = list(range(5))")
    assert ran.ok
    assert ran.stderr.count("CacheWarning") == 1
    assert "damaged" in ran.stderr
    assert last(kernel)["stored"]
    assert kernel.run("x").result == {"text/plain": "[0, 1, 2, 3, 4]"}


def test_loading_twice_and_unloading(fresh):
    """Twice is harmless; unloading takes the magics away and leaves IPython whole."""
    kernel = fresh()
    assert kernel.run("%load_ext nbcache\n%reload_ext nbcache").ok
    assert kernel.run("%%cached a\nx = 1").ok
    assert kernel.run("%unload_ext nbcache").ok
    assert "cached" in kernel.run("%%cached a\nx = 1").stderr
    assert kernel.run("print(1); 2").page[0]["text"] == "1\n"
    assert kernel.run("%load_ext nbcache").ok
    kernel.run("%%cached a\nx = 1")
    assert last(kernel)["hit"]


def test_settings_of_the_shell(fresh):
    """%config sets them; a wrong value is refused, or left out with one warning."""
    kernel = fresh()
    assert "Deflate entries" in kernel.run("%config NbCache").stdout
    kernel.run("%config NbCache.verbosity = 'full'")
    assert "'a' ran: first run" in kernel.run("%%cached a\nx = 1").stderr
    refused = kernel.run("%config NbCache.verbosity = 'loud'")
    assert "verbosity is one of" in refused.stderr
    kernel.run("%config NbCache.enabled = False")
    assert kernel.run("%%cached a\nx = 1").stderr == ""
    kernel.run("%config NbCache.enabled = True")
    kernel.run("%unload_ext nbcache\nget_ipython().config.NbCache.verbosity = 'loud'")
    ran = kernel.run("%load_ext nbcache")
    assert ran.ok
    assert "not 'loud'" in ran.stderr
    kernel.run("del get_ipython().config.NbCache\n%config NbCache.verbosity = 'auto'")


def test_a_terminal_shell(tmp_path):
    """Outside Jupyter the magics do the same."""
    shown = []
    for _ in range(2):
        with Terminal(tmp_path) as terminal:
            terminal.run("%load_ext nbcache")
            ran = terminal.run("%%cached a\nprint('hello')\nx = 3\nx")
            assert ran.ok, ran.text
            shown.append((ran.text, terminal.run("x + 1").text))
    assert shown[0] == shown[1]
    assert "hello" in shown[0][0]
