"""What `why` tells of a run: asked in a process that has none of the values."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kernel import Kernel, environment

FRAME = """
import numpy as np, pandas as pd
df = pd.DataFrame({"price": np.arange(3, dtype="float32"), "day": list("abc")})
"""
SUM = "total = df.price.sum()"
HELPER = "K = 1\ndef clean(x):\n    return x * K\n"
CLASS = """
class Model:
    def fit(self, x):
        return x + 1
model = Model()
"""
CLOSURE = """
def make(rate):
    def scale(x):
        return x * rate
    return scale
scale = make(2)
"""
NESTED = "K = 1\ndef inner(x):\n    return x * K\ndef outer(x):\n    return inner(x)\n"
POINT = """
from dataclasses import dataclass
@dataclass
class Settings:
    depth: int = 3
    api_token: str = "one"
settings = Settings()
"""


@dataclass(frozen=True)
class Case:
    """A cell, asked for before and after a change, and what is told of that."""

    before: str
    cell: str
    after: str
    told: tuple[str, ...]
    new_cell: str = ""
    never: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def frame(change: str, *told: str) -> Case:
    return Case(FRAME, SUM, FRAME + change, ("an input changed", "input df:", *told))


def value(before: str, after: str, *told: str, never: tuple[str, ...] = ()) -> Case:
    return Case(f"x = {before}", "y = str(x)", f"x = {after}", told, never=never)


CASES = {
    "column_dtype": frame(
        "df = df.astype({'price': 'float64'})", "column 'price' float32 → float64"
    ),
    "column_added": frame("df['size'] = 1.0", "column 'size' added (float64)"),
    "column_removed": frame("del df['day']", "column 'day' removed"),
    "column_renamed": frame(
        "df = df.rename(columns={'day': 'date'})", "column 'day' is now called 'date'"
    ),
    "columns_moved": frame("df = df[['day', 'price']]", "columns in another order"),
    "column_values": frame("df.loc[1, 'day'] = 'x'", "values of column 'day' changed"),
    "rows": frame("df = df.iloc[:2]", "rows 3 → 2"),
    "index": frame("df.index = [1, 2, 3]", "index RangeIndex 3 int64 → Index 3 int64"),
    "series": Case(
        f"{FRAME}s = df.price",
        "y = s.sum()",
        f"{FRAME}s = df.price + 1",
        ("input s:", "values changed"),
    ),
    "array": Case(
        "import numpy as np\na = np.zeros((2, 3))",
        "y = a.sum()",
        "import numpy as np\na = np.zeros((2, 4), 'float32')",
        ("shape (2, 3) → (2, 4)", "float64 → float32"),
    ),
    "number": value("1", "100", "input x: 1 → 100"),
    "kind_of_number": value("1", "1.0", "input x: int 1 → float 1.0"),
    "text": value("'abc'", "'abd'", "input x: 'abc' → 'abd'"),
    "long_text": value(
        "'x' * 100 + 'cost 1'", "'x' * 100 + 'cost 2'", "cost 1' → ", "character 106"
    ),
    "lines_of_text": value(
        "'a\\nb\\n' * 40", "'a\\nb\\n' * 30 + 'a\\nB\\n'", "line 62: 'b' → 'B'"
    ),
    "dict": value(
        "{'model': {'depth': 3}, 'old': 1}",
        "{'model': {'depth': 5}, 'new': 2}",
        "input x:",
        "['model']['depth'] 3 → 5",
        "['old'] removed",
        "['new'] added: int 2",
    ),
    "list": value("[1, 2, 3]", "[1, 5, 3, 4]", "[1] 2 → 5", "length 3 → 4"),
    "set": value("{'a', 'b'}", "{'b', 'c'}", "'c' added", "'a' removed"),
    "secret": value(
        "{'api_key': 'wren', 'n': 1}",
        "{'api_key': 'robin', 'n': 1}",
        "['api_key'] changed",
        never=("wren", "robin"),
    ),
    "instance": Case(
        POINT,
        "y = settings.depth",
        f"{POINT}settings.depth = 4\nsettings.api_token = 'two'",
        ("input settings:", ".depth 3 → 4", ".api_token changed"),
        never=("'two'",),
    ),
    "helper_global": Case(
        HELPER,
        "y = clean(2)",
        HELPER.replace("K = 1", "K = 100"),
        ("something that it uses changed", "helper clean → global K: 1 → 100"),
    ),
    "helper_code": Case(
        HELPER,
        "y = clean(2)",
        HELPER.replace("return x * K", "# twice\n    return x * K * 2"),
        ("helper clean changed (line 4)", "-    return x * K", "+    return x * K * 2"),
    ),
    "helper_nested": Case(
        NESTED,
        "y = outer(2)",
        NESTED.replace("K = 1", "K = 2"),
        ("helper outer → helper inner → global K: 1 → 2",),
    ),
    "method": Case(
        CLASS,
        "y = model.fit(1)",
        CLASS.replace("x + 1", "x + 2"),
        ("input model:", "its method Model.fit changed"),
    ),
    "class_method": Case(
        CLASS,
        "y = Model().fit(1)",
        CLASS.replace("x + 1", "x + 2"),
        ("class Model.fit changed (line 3)", "+        return x + 2"),
    ),
    "closure": Case(
        CLOSURE,
        "y = scale(1)",
        CLOSURE.replace("make(2)", "make(3)"),
        ("helper scale → closure rate: 2 → 3",),
    ),
    "default": Case(
        "def f(x, steps=10):\n    return x * steps",
        "y = f(1)",
        "def f(x, steps=20):\n    return x * steps",
        ("helper f → defaults:", "['steps'] 10 → 20"),
    ),
    "module_attribute": Case(
        "import localmod",
        "y = localmod.K",
        "import localmod",
        ("global localmod.K: 1 → 2",),
        files={"localmod.py": "K = 1\n", "localmod.py after": "K = 2\n"},
    ),
    "library": Case(
        "import fakelib",
        "y = fakelib.f()",
        "import fakelib",
        ("a library changed", "fakelib 2.3.1 → 2.4.0"),
        files={
            "site-packages/fakelib.py": "__version__ = '2.3.1'\ndef f(): return 1\n",
            "site-packages/fakelib.py after": (
                "__version__ = '2.4.0'\ndef f(): return 1\n"
            ),
        },
    ),
    "environment": Case(
        "import os; os.environ['STAGE'] = 'wren'",
        "import os\ny = os.environ['STAGE']",
        "import os; os.environ['STAGE'] = 'robin'",
        ("environment variable STAGE changed",),
        never=("wren", "robin"),
    ),
    "setting": Case(
        "import numpy as np",
        "y = 1",
        "import numpy as np; np.set_printoptions(precision=3)",
        ("settings of numpy: defaults → print precision=3",),
    ),
    "code": Case(
        "x = 1",
        "# first\ny = x\nz = 2",
        "x = 1",
        ("the code changed", "code changed (line 4)", "-z = 2", "+z = 3"),
        new_cell="# another comment\ny = x\nz = 3",
    ),
    "new_input": Case(
        "x = 1",
        "y = x",
        "x = 1; w = 2",
        ("code changed (line 2)", "input 'w' is new"),
        new_cell="y = x + w",
    ),
    "argument": Case(
        "import nbcache\n@nbcache.cached(name='argument')\ndef f(x, scale=2): return x",
        "FUNCTION f(1)",
        "import nbcache\n@nbcache.cached(name='argument')\ndef f(x, scale=2): return x",
        ("an input changed", "argument scale: 2 → 3"),
        new_cell="FUNCTION f(1, scale=3)",
    ),
    "file_changed": Case(
        "",
        "y = open('read.txt').read()",
        "",
        ("a file changed", "file read.txt changed", "looked at while it ran: file"),
        files={"read.txt": "one", "read.txt after": "two"},
    ),
    "file_gone": Case(
        "open('gone.txt', 'w').close()",
        "import os\ny = os.path.exists('gone.txt') and open('gone.txt').read()",
        "import os; os.remove('gone.txt')",
        ("a file changed", "gone.txt is gone"),
    ),
    "random_state": Case(
        "import random; random.seed(1)",
        "y = random.random()",
        "import random; random.seed(2)",
        ("state of the random generator random changed",),
    ),
    "deleted": Case(
        "",
        "y = 'deleted'",
        "import nbcache; nbcache.clear('deleted')",
        ("the entry is no longer there", "stored y"),
    ),
    "refused_output": Case(
        "x = 1",
        "import threading\ny = threading.Lock()",
        "x = 2",
        ("first run", "not stored: cannot store 'y' (_thread.lock)", "--skip y"),
    ),
    "unhashable_input": Case(
        "import threading; x = threading.Lock()",
        "y = x",
        "import threading; x = threading.Lock()",
        (
            "it cannot be looked up",
            "not stored: input cannot be part of a key: x: _thread.lock",
            "--ignore x",
        ),
    ),
}


def ran(kernel: Kernel, name: str, setup: str, cell: str) -> None:
    """Ask for a cell or a function in a namespace of its own."""
    kernel.run("%reset -f\nimport sys; sys.modules.pop('localmod', None)")
    kernel.run("%load_ext nbcache")
    assert kernel.run(setup).ok
    is_call = cell.startswith("FUNCTION ")
    text = cell.removeprefix("FUNCTION ") if is_call else f"%%cached {name}\n{cell}"
    answer = kernel.run(text)
    assert answer.ok, answer.traceback
    kernel.run(
        "import sys\nif 'numpy' in sys.modules:\n"
        "    import numpy; numpy.set_printoptions(precision=8)"
    )


TELL = """
import json, sys, nbcache
print(json.dumps({name: nbcache.explain(name) for name in sys.argv[1:]}))
"""


def told_elsewhere(folder: Path, *names: str) -> dict[str, str]:
    """Ask in a process that knows nothing."""
    done = subprocess.run(
        [sys.executable, "-c", TELL, *names],
        env=environment(folder),
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run every case in one kernel, then changed in another; ask in a third process."""
    folder = tmp_path_factory.mktemp("why")
    packages = folder / "site-packages"
    packages.mkdir()
    add = f"import sys; sys.path.insert(0, {str(packages)!r})"
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as kernel:
        for again in (False, True):
            kernel.run(f"{add}; sys.dont_write_bytecode = True")
            for name, case in CASES.items():
                for file, text in case.files.items():
                    if file.endswith(" after") == again:
                        (folder / file.removesuffix(" after")).write_text(text)
                setup = case.after if again else case.before
                cell = (case.new_cell if again else "") or case.cell
                ran(kernel, name, setup, cell)
            if not again:
                kernel.restart()
    return told_elsewhere(folder, *CASES)


@pytest.mark.parametrize("name", CASES)
def test_why_tells_what_changed(told, name):
    """In the user's terms, after a restart and without the values."""
    text = told[name]
    for expected in CASES[name].told:
        assert expected in text
    for secret in CASES[name].never:
        assert secret not in text


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A kernel with the magics."""
    with Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")) as running:
        running.run("import nbcache\n%load_ext nbcache")
        yield running


def test_a_hit_is_told_in_this_process_and_later(kernel, tmp_path):
    """With what it saved, and whether it was just now."""
    for _ in range(2):
        kernel.run("%%cached a\ny = 1")
    here = kernel.run("%nbcache why a").stdout
    assert here.startswith("a came from the cache (")
    assert "this process" in here
    later = told_elsewhere(tmp_path, "a")["a"]
    assert "an earlier process" in later
    assert "saved" in later


def test_full_notices_name_the_line_and_the_input(kernel):
    """As in the design: what runs again, and why, in one line."""
    kernel.run("%config NbCache.verbosity = 'full'\ncfg = {'depth': 3}\nx = [[1]]")
    first = kernel.run("%%cached fit\nmodel = cfg['depth'], x").stderr
    assert first.startswith("nbcache: 'fit' ran: first run; ")
    kernel.run("cfg['depth'] = 4")
    again = kernel.run("%%cached fit\nmodel = cfg['depth'], x, 1").stderr
    assert again.startswith(
        "nbcache: 'fit' runs again: code changed (line 2), input cfg: ['depth'] 3 → 4; "
    )
    hit = kernel.run("%%cached fit\nmodel = cfg['depth'], x, 1").stderr
    assert "'fit' from the cache: model (" in hit
    assert ", saved " in hit
    assert ", stored 2" in hit


def test_the_command_line_tells_too(kernel, tmp_path):
    """Exit code 3 and a near match where there is no such name."""
    kernel.run("%%cached fit\ny = 1")
    environ = environment(tmp_path)
    command = [sys.executable, "-m", "nbcache", "why"]
    found = subprocess.run(
        [*command, "fit"], env=environ, capture_output=True, text=True, check=True
    )
    assert "first run" in found.stdout
    missing = subprocess.run(
        [*command, "fti"], env=environ, capture_output=True, text=True
    )
    assert missing.returncode == 3
    assert "Did you mean 'fit'?" in missing.stderr


def test_a_function_is_found_by_the_end_of_its_name(tmp_path):
    """A qualified name is long to type."""
    (tmp_path / "m.py").write_text(
        "import nbcache\nclass A:\n    @nbcache.cached\n"
        "    def fit(self, x): return x\nA().fit(1)\nA().fit(2)\n"
    )
    environ = environment(tmp_path)
    subprocess.run([sys.executable, "m.py"], cwd=tmp_path, env=environ, check=True)
    assert "argument x: 1 → 2" in told_elsewhere(tmp_path, "fit")["fit"]


def test_a_call_is_explained_in_the_same_terms(kernel):
    """Before it runs, with the parts of the nearest earlier call."""
    kernel.run("@nbcache.cached\ndef f(x): return x\nf({'a': [1, 2]})")
    text = kernel.run("print(f.explain({'a': [1, 3]}))").stdout
    assert text == "miss:\n  argument x:\n    ['a'][1] 2 → 3\n"


def test_of_several_notebooks_the_one_that_asks_is_told(tmp_path):
    """Each has cells of its own under the same name."""
    for notebook, text in (("a.ipynb", "y = 1"), ("b.ipynb", "y = 2")):
        with Kernel(tmp_path, JPY_SESSION_NAME=notebook) as kernel:
            kernel.run("%load_ext nbcache\n%config NbCache.verbosity = 'quiet'")
            kernel.run(f"%%cached a\n{text}")
            own = kernel.run("%nbcache why a").stdout
            assert ("code changed" in own) == (notebook == "b.ipynb")
    both = told_elsewhere(tmp_path, "a")["a"]
    assert "in a.ipynb): first run" in both
    assert "in b.ipynb): the code changed" in both


def test_a_dry_run_says_what_would_happen(kernel):
    """Before the second run there is something to ask."""
    kernel.run("x = 1")
    kernel.run("%%cached a\ny = x")
    kernel.run("x = 2")
    text = kernel.run("%%cached a -n\ny = x").stdout
    assert text == "nbcache: 'a' would run: input x: 1 → 2\n"


def test_versions_that_the_key_allows_are_told_of_a_hit_too(tmp_path):
    """A patch release is no reason to run, but may be what is looked for."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    texts = [f"import sys; sys.path.insert(0, {str(packages)!r})", "import fakelib"]
    for version in ("2.3.1", "2.3.2"):
        (packages / "fakelib.py").write_text(f"__version__ = {version!r}\n")
        with Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")) as kernel:
            kernel.run("\n".join(["%load_ext nbcache", *texts]))
            kernel.run("%%cached a\ny = fakelib.__name__")
            told = kernel.run("%nbcache why a").stdout
    assert told.startswith("a came from the cache")
    assert "versions that differ: fakelib 2.3.1 → 2.3.2" in told
