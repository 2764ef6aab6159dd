"""Directory, environment and settings: a hit leaves and shows what a run would."""

import json
from dataclasses import dataclass

import pytest
from kernel import Kernel

LAST = 'print(__import__("json").dumps(nbcache.cache.outcomes[-1].to_json()))'
BEGIN = """
import contextlib, os, sys, nbcache, nbcache.cache
import numpy as np
%load_ext nbcache
"""
# what the next cell sees and shows
STATE = """
import sys
frames, plots = sys.modules.get("pandas"), sys.modules.get("matplotlib")
print(os.getcwd(), {name: os.environ.get(name) for name in ("NB_A", "NB_B", "HOME")})
print(np.get_printoptions(), np.geterr(), np.array([1.23456, 1e-9]))
if frames:
    print(frames.get_option("display.max_rows"), frames.get_option("display.precision"))
    print(frames.DataFrame({"a": [1.23456] * 20}))
if plots:
    # this list is one with that of the defaults
    FONTS = globals().get("FONTS") or list(plots.rcParams["font.sans-serif"])
    left_out = "backend", "interactive"
    rows = sorted(dict.items(plots.rcParams))
    print([row for row in rows if row[0] not in left_out])
    import matplotlib.colors
    print(matplotlib.colors.to_rgb("b"))
"""
RESET = """
os.chdir(START)
os.environ.clear()
os.environ.update(ENVIRONMENT)
np.set_printoptions(precision=8, suppress=False, linewidth=75)
np.seterr(divide="warn", over="warn", under="ignore", invalid="warn")
if frames:
    for option in ("max_rows", "precision", "float_format"):
        frames.reset_option(f"display.{option}")
if plots:
    plots.rcdefaults()
    plots.rcParams["font.sans-serif"][:] = FONTS
    plots.colors.colorConverter.colors["b"] = plots.colors.BASE_COLORS["b"]
"""


@dataclass(frozen=True)
class Case:
    """A cell, what runs before it, and why it is not stored if so."""

    cell: str
    before: str = ""
    refused: str = ""


CASES = {
    "a relative directory": Case("os.chdir('sub')"),
    "an absolute directory": Case("os.chdir('/')"),
    "a directory and back": Case("with contextlib.chdir('sub'):\n    y = os.getcwd()"),
    "a directory by a helper": Case("go('sub')", "def go(x): os.chdir(x)"),
    "a variable": Case("os.environ['NB_A'] = '1'"),
    "a variable to what it is": Case("os.environ['NB_A'] = x = '1'"),
    "variables at once": Case("os.environ.update(NB_A='1', NB_B='\\udcff é')"),
    "a variable less": Case("os.environ.pop('NB_B', None)", "os.environ['NB_B'] = '2'"),
    "a variable of a child": Case("os.putenv('NB_A', '1')", "", "os.putenv"),
    "a magic for a variable": Case("%env NB_A=1"),
    "another magic for a variable": Case("%set_env NB_A 1 2"),
    "a variable and back": Case(
        "old = os.environ['HOME']\nos.environ['HOME'] = '/x'\nos.environ['HOME'] = old"
    ),
    "a secret": Case("os.environ['MYKEY'] = 'x'", "", "may be a secret"),
    "printing": Case("np.set_printoptions(precision=3)\nprint(np.ones(1) / 3)"),
    "printing less": Case("np.set_printoptions(suppress=True)\nnp.set_printoptions(4)"),
    "printing by functions": Case(
        "np.set_printoptions(formatter={'float': str})", "", "print formatter"
    ),
    "errors": Case("old = np.seterr(all='ignore')"),
    "errors for a while": Case("with np.errstate(all='raise'):\n    y = 1"),
    "options": Case("import pandas as pd\npd.set_option('display.max_rows', 5)"),
    "options by attributes": Case(
        "import pandas as pd\npd.options.display.precision = 2"
    ),
    "options back": Case(
        "pd.reset_option('display.max_rows')",
        "import pandas as pd\npd.set_option('display.max_rows', 7)",
    ),
    "a format": Case(
        "import pandas as pd\npd.options.display.float_format = '{:.1f}'.format"
    ),
    "a function as option": Case(
        "import pandas as pd\npd.options.display.float_format = lambda x: 'x'",
        "",
        "display.float_format",
    ),
    "options for a while": Case(
        "import pandas as pd\nwith pd.option_context('display.max_rows', 3):\n    y = 1"
    ),
    "a style": Case("import matplotlib.pyplot as plt\nplt.style.use('ggplot')"),
    "a style by a helper": Case(
        "restyle()",
        "def restyle():\n    import matplotlib as m\n    m.rc('lines', linewidth=9)",
    ),
    "a style for a while": Case(
        "import matplotlib.pyplot as plt\nwith plt.rc_context({'font.size': 3}):\n"
        "    y = plt.rcParams['font.size']"
    ),
    "a list of a style": Case(
        "import matplotlib as mpl\nmpl.rcParams['font.sans-serif'].insert(0, 'Arial')"
    ),
    "letters of colours": Case(
        "import matplotlib.colors as c\nc.colorConverter.colors['b'] = (0.1, 0.2, 0.3)"
    ),
}


def _ask(kernel: Kernel, place: str, case: Case) -> tuple[dict, str, list]:
    kernel.run(f"nbcache.set_cache_dir({place!r})\n{case.before}")
    ran = kernel.run(f"%%cached a\n{case.cell}")
    assert ran.ok, ran.traceback
    shown = kernel.run(STATE)
    outcome = json.loads(kernel.run(LAST).stdout)
    assert shown.ok, shown.traceback
    reset = kernel.run(RESET)
    assert reset.ok, reset.traceback
    return outcome, shown.stdout, ran.page


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> dict[str, list[tuple]]:
    """Ask everything in one kernel, and in another one again."""
    folder = tmp_path_factory.mktemp("surroundings")
    (folder / "sub").mkdir()
    found: dict[str, list[tuple]] = {name: [] for name in CASES}
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as kernel:
        for _ in range(2):
            kernel.run(BEGIN)
            kernel.run("START, ENVIRONMENT = os.getcwd(), dict(os.environ)")
            for number, (name, case) in enumerate(CASES.items()):
                store = str(folder / f"store{number}")
                found[name].append(_ask(kernel, store, case))
            kernel.restart()
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_hit_leaves_what_surrounds_a_run(asked, name):
    """The next cell sees and shows the same, by a hit or by another run."""
    case, (first, second) = CASES[name], asked[name]
    assert case.refused in first[0]["refused"]
    assert first[0]["stored"] == (not case.refused), first[0]
    assert second[0]["hit"] == (not case.refused), second[0]
    assert second[1].splitlines() == first[1].splitlines()
    assert second[2] == first[2]


@pytest.fixture
def kernel(tmp_path):
    with Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")) as running:
        running.run(BEGIN)
        yield running


def hit(kernel: Kernel, cell: str) -> bool:
    """Run a cell; say whether it came from the cache."""
    ran = kernel.run(f"%%cached a\n{cell}")
    assert ran.ok, ran.traceback
    return json.loads(kernel.run(LAST).stdout)["hit"]


def test_settings_belong_to_the_key_only_while_they_differ(kernel):
    """A setting changed misses; changed back, it hits again."""
    assert not hit(kernel, "y = 1")
    kernel.run("np.set_printoptions(precision=2)")
    assert not hit(kernel, "y = 1")
    kernel.run("np.set_printoptions(precision=8)")
    assert hit(kernel, "y = 1")
    kernel.run("import pandas as pd, matplotlib.pyplot as plt\nplt.plot([1]);")
    assert hit(kernel, "y = 1")
    kernel.run("pd.options.display.max_rows = 5")
    assert not hit(kernel, "y = 1")
    kernel.run("pd.reset_option('display.max_rows')")
    kernel.run("plt.rcParams['font.sans-serif'].append('Arial')")
    assert not hit(kernel, "y = 1")
    kernel.run("plt.rcParams['font.sans-serif'].pop()")
    assert hit(kernel, "y = 1")


@pytest.mark.parametrize("first", ["import pandas", "import matplotlib.pyplot as plt"])
def test_a_cell_that_imports_a_library_first_hits_later(kernel, first):
    """Loaded or not, a library with its own defaults is no part of a key."""
    assert not hit(kernel, f"{first}\ny = 1")
    assert hit(kernel, f"{first}\ny = 1")


@pytest.mark.parametrize("order", ["magic first", "plot first"])
def test_what_the_inline_backend_sets_is_nobodys_change(kernel, order):
    """Neither part of a key nor restored, whoever uses the backend first."""
    kernel.run("%config InlineBackend.rc = {'figure.dpi': 72, 'font.size': 11}")
    magic, plot = (
        "%matplotlib inline",
        "import matplotlib.pyplot as plt\nplt.plot([1]);",
    )
    kernel.run(magic if order == "magic first" else "")
    assert not hit(kernel, plot)
    kernel.run(magic)
    assert kernel.run("plt.rcParams['font.size']").result == {"text/plain": "11.0"}
    assert hit(kernel, plot)
    kept = kernel.run("print(nbcache.entries())\nnbcache.cache.outcomes[-1].changes")
    assert "font" not in kept.stdout + str(kept.result)
    assert not hit(kernel, f"{magic}\n{plot}\nplt.rcParams['font.size'] = 12")
    kernel.restart()
    kernel.run(BEGIN)
    assert hit(kernel, f"{magic}\n{plot}\nplt.rcParams['font.size'] = 12")
    assert kernel.run("plt.rcParams['font.size']").result == {"text/plain": "12.0"}


def test_magics_that_set_up_figures_run_again(kernel):
    """What they set up shows in the figures of the next cell."""
    cell = (
        "import matplotlib.pyplot as plt\n%config InlineBackend.figure_format = 'svg'\n"
        "y = 1"
    )
    for expected in (False, True):
        assert hit(kernel, cell) == expected
        (figure,) = kernel.run("plt.plot([1]);").displays
        assert "image/svg+xml" in figure
        kernel.restart()
        kernel.run(BEGIN)


def test_a_folder_that_is_gone_fails_as_in_a_run(kernel, tmp_path):
    """A hit does not go half of the way."""
    (tmp_path / "gone").mkdir()
    cell = "os.chdir(place)\ny = 1"
    kernel.run(f"place = {str(tmp_path / 'gone')!r}; start = os.getcwd()")
    assert not hit(kernel, cell)
    kernel.run("os.chdir(start); os.rmdir(place); del y")
    assert "FileNotFoundError" in kernel.run(f"%%cached a\n{cell}").traceback
    assert kernel.run("'y' in globals()").result == {"text/plain": "False"}


def test_a_computed_folder_holds_only_where_it_was_computed(kernel, tmp_path):
    """Elsewhere the same words lead to another folder."""
    for name in ("a/sub", "b/sub"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("a", "b"):
        kernel.run(f"os.chdir({str(tmp_path / name)!r})")
        assert not hit(kernel, "os.chdir('sub')")
    for name in ("a", "b"):
        kernel.run(f"os.chdir({str(tmp_path / name)!r})")
        assert hit(kernel, "os.chdir('sub')")
        here = kernel.run("print(os.getcwd())").stdout.strip()
        assert here == str(tmp_path / name / "sub")


def test_a_variable_that_is_already_so_is_set_in_the_next_kernel(kernel):
    """Writing counts, not the difference."""
    kernel.run("os.environ['NB_A'] = '1'")
    assert not hit(kernel, "os.environ.update(NB_A='1')")
    kernel.run("os.environ['NB_A'] = '2'")
    assert hit(kernel, "os.environ.update(NB_A='1')")
    assert kernel.run("os.environ['NB_A']").result == {"text/plain": "'1'"}


def test_what_imports_set_is_left_to_them(kernel, tmp_path):
    """The import on the hit does it; where it is loaded already, it does nothing."""
    (tmp_path / "loud.py").write_text(
        "import os, numpy as np\nos.environ['NB_A'] = 'loud'\n"
        "np.set_printoptions(precision=3)\n"
    )
    assert not hit(kernel, "import loud\ny = 1")
    kernel.run("os.environ['NB_A'] = 'mine'; np.set_printoptions(precision=8)")
    assert hit(kernel, "import loud\ny = 1")
    shown = kernel.run("os.environ['NB_A'], np.get_printoptions()['precision']")
    assert shown.result == {"text/plain": "('mine', 8)"}


def test_recomputing_an_entry_leaves_the_settings(kernel):
    """It runs beside the notebook, which sees nothing of it."""
    cell = "import pandas as pd\npd.options.display.max_rows = 5\ny = 1"
    assert not hit(kernel, cell)
    kernel.run("pd.reset_option('display.max_rows'); del y")
    done = kernel.run(
        "from nbcache import api\nfrom nbcache.cell.recompute import recompute_cell\n"
        "core = api.default_core()\nentry = core.store.by_name('a')[0]\n"
        "recompute_cell(get_ipython(), core, entry).stored, "
        "pd.get_option('display.max_rows')"
    )
    assert done.result == {"text/plain": "(True, 60)"}, done.traceback
