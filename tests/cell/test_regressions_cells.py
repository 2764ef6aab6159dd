"""Cells whose hits once left or showed something else than a run, in real kernels."""

import json
from dataclasses import dataclass, field

import pytest
from kernel import Kernel

LAST = 'print(__import__("json").dumps(nbcache.cache.outcomes[-1].to_json()))'
MODULE = (
    "K = 1\nL = []\ndef set_k(v):\n    global K\n    K = v\ndef add(x): L.append(x)\n"
)


@dataclass(frozen=True)
class Case:
    """A cell between two others.

    Parameters
    ----------
    before, cell, after : str
        The cached one is `cell`; `after` shows what is left.
    refused : str
        Why it is not stored; '' for one that is.
    edit : tuple of str
        What is replaced in `before` by what, and must make the cell run anew.
    """

    before: str
    cell: str
    after: str
    refused: str = ""
    edit: tuple[str, str] | None = None
    modules: dict[str, str] = field(default_factory=dict)


CLASS = "class M:\n    k = 1\n    seen = []\n    def __init__(self): M.k += 1"

PLACE = "hit would not"

CASES = {
    # --- what a hit changes in place, and what it would not
    "a default that the defining cell changes": Case(
        "",
        "def f(x, seen=[]):\n    seen.append(x)\n    return seen\ny = f(1)",
        "f(2)",
        PLACE,
    ),
    "an attribute of a function that the defining cell sets": Case(
        "", "def f(x): return x\nf.note = [3]", "f.note", PLACE
    ),
    "an attribute of a class that the defining cell sets": Case(
        "", "class M: pass\nM.more = lambda self: 4", "M().more()", PLACE
    ),
    "a class that counts, in the cell that defines it": Case(
        "", f"{CLASS}\ny = 1 if M() else 0", "M.k", PLACE
    ),
    "a cached function that takes the name of the function": Case(
        "import functools\ndef f(x): return x",
        "f = functools.lru_cache(f)",
        "f(1), f.cache_info().misses",
        "cannot store",
    ),
    "a class with slots that is defined in a branch": Case(
        "",
        "if True:\n    class S:\n        __slots__ = ('x',)\n",
        "sorted(vars(S))",
        "cannot store",
    ),
    "a name of IPython's that the cell binds": Case(
        "", "for _ in range(3): y = 1", "_"
    ),
    "a file that the cell begins by appending": Case(
        "import os, tempfile\nfolder = tempfile.mkdtemp()\npath = f'{folder}/log'",
        "with open(path, 'a') as file: print('x', file=file)\ndel file",
        "open(path).read()",
        "appends to",
    ),
    "an attribute of a function that it imports in a branch": Case(
        "",
        "if True:\n    from regmod2 import add\n    add.note = 2",
        "import regmod2; vars(regmod2.add)",
        "no hit can repeat",
        modules={"regmod2": MODULE},
    ),
    "an attribute of a method of a class that it imports": Case(
        "",
        "from regmod3 import C\nC.m.note = 2",
        "import regmod3; vars(regmod3.C.m)",
        "no hit can repeat",
        modules={"regmod3": "class C:\n    def m(self): return 1\n"},
    ),
    "a function to which its module gives an attribute": Case(
        "",
        "if True:\n    from regmod4 import f\n    y = f()",
        "y, f.note",
        modules={"regmod4": "def f(): return 1\nf.note = 3\n"},
    ),
    "a class in a container, whose name the cell binds": Case(
        "class w:\n    extra = 3\nheld = [w]",
        "w = list(held)",
        "w[0] is held[0], w[0].extra",
    ),
    "a class in an array, whose name the cell binds": Case(
        "import numpy as np\nclass w: pass\nB = np.array([w, None], dtype=object)",
        "w = B.copy()",
        "w[0] is B[0]",
    ),
    "a view of an array that the cell makes read-only": Case(
        "import numpy as np\nB = np.arange(6.0)",
        "B.setflags(write=False)\nm = {'k': B[1:]}",
        "m['k'].flags.writeable, B.flags.writeable, np.shares_memory(m['k'], B)",
    ),
    "an array of objects, of which a hit made a view": Case(
        "import numpy as np\nA = np.array([[], None], dtype=object)\n"
        "get_ipython().run_cell('%%cached view\\nw = A.T')",
        "v = w.ravel().copy()\nA[0] = 2",
        "v.tolist(), A.tolist(), w.tolist()",
    ),
    "an array that the cell makes writable": Case(
        "import numpy as np\nB = np.arange(6.0)\nB.setflags(write=False)",
        "B.setflags(write=True)\nB[2] = 7",
        "B.tolist(), B.flags.writeable",
    ),
    "a read-only view of an array that the cell changes": Case(
        "import numpy as np\nB = np.arange(6.0)\nv = B[2:]\nv.setflags(write=False)",
        "y = v.sum()\nB[3] = 7",
        "B.tolist(), v.tolist(), v.flags.writeable, np.shares_memory(v, B)",
    ),
    "a read-only part of an array that the cell makes writable": Case(
        "import numpy as np\nB = np.arange(6.0)\nv = B[2:]\nv.setflags(write=False)",
        "v.setflags(write=True)\nv[0] = 7",
        "B.tolist(), v.tolist()",
        "read-only part",
    ),
    "an array that pandas lent, of a column that the cell changes": Case(
        "import pandas as pd\ncol = pd.Series([4, 1, 2])\nw = col.to_numpy()\nv = w",
        "col.iloc[0] = 2\nw = w.reshape(-1)\nw = 0",
        "col.tolist(), w, v.tolist()",
    ),
    "an attribute of a class": Case(CLASS, "M.k = 5", "M.k"),
    "a class that counts": Case(CLASS, "y = 1 if M() else 0", "M.k"),
    "an attribute of a module": Case(
        "import regmod", "regmod.K = 5", "regmod.K", modules={"regmod": MODULE}
    ),
    "a module that the cell imports": Case(
        "",
        "import regmod\nregmod.K = 5",
        "regmod.K",
        modules={"regmod": MODULE},
    ),
    "a global that a module's function binds": Case(
        "import regmod",
        "regmod.set_k(5)",
        "regmod.K",
        modules={"regmod": MODULE},
    ),
    "a list of a module": Case(
        "import regmod", "regmod.add(5)", "regmod.L", modules={"regmod": MODULE}
    ),
    "a list that a helper writes to": Case(
        "log = []\ndef note(x): log.append(x)", "note(3)", "log"
    ),
    "an attribute of a function": Case(
        "def f(x): return x\nf.calls = 0", "f.calls = 5\ny = f(1)", "f.calls"
    ),
    "a variable of the environment": Case(
        "import os\nos.environ.pop('REGRESSION', None)",
        "os.environ.update(REGRESSION='1')",
        "os.environ.get('REGRESSION')",
    ),
    "the working directory": Case(
        "import os, tempfile\nold = os.getcwd()",
        "os.chdir('/')",
        "here = os.getcwd(); os.chdir(old); here",
    ),
    "options of numpy": Case(
        "import numpy as np\nnp.set_printoptions(precision=8)",
        "np.set_printoptions(precision=2)",
        "np.pi * np.ones(1)",
    ),
    "options of a library that the cell loads": Case(
        "",
        "import matplotlib\nmatplotlib.rcParams['lines.linewidth'] = 9.0",
        "matplotlib.rcParams['lines.linewidth'], matplotlib.rcdefaults()",
    ),
    "an expression that fails after the run": Case(
        "x = [1]", "--deps x[0]\nx.pop()\ny = 1", "x, y", "it has no key"
    ),
    # --- what no key would show
    "names through dir": Case("", "z = 'x' in dir()", "z", "dir() hides"),
    "names through the shell": Case(
        "x = 1", "y = get_ipython().user_ns['x']", "y", "get_ipython()"
    ),
    "a magic without arguments": Case("", "y = %pwd\nz = 1", "z", "%pwd"),
    "a helper that evaluates a text": Case(
        "K = 1\ndef h(): return eval('K')", "y = h()", "y", "hides which names"
    ),
    "a seed set before the first cell": Case(
        "import random\nrandom.seed(1)",
        "y = random.random()",
        "y",
        edit=("seed(1)", "seed(2)"),
    ),
    # --- what must make a cell run anew
    "an alias of another helper": Case(
        "def a(x): return x\ndef b(x): return -x\nc = a",
        "y = a(1), b(1), c(1)",
        "y",
        edit=("c = a", "c = b"),
    ),
    "a variable in a query": Case(
        "import pandas as pd\nd = pd.DataFrame({'a': [1, 2, 3]})\nlimit = 1",
        "y = len(d.query('a > @limit'))",
        "y",
        edit=("limit = 1", "limit = 2"),
    ),
    "a variable in a text for a query": Case(
        "import pandas as pd\nd = pd.DataFrame({'a': [1, 2, 3]})\n"
        "limit = 1\ntext = 'a > @limit'",
        "y = len(d.query(text))",
        "y",
        edit=("limit = 1", "limit = 2"),
    ),
    "a function with the name of IPython's": Case(
        "def display(x): return 1",
        "y = display(0)",
        "y",
        edit=("return 1", "return 2"),
    ),
    # --- what values refer to
    "a dict of a helper": Case(
        "c = {'a': 1}\ndef get(): return c", "d = get()", "d['a'] = 5; c"
    ),
    "a dict of a class": Case(
        "class S:\n    d = {'a': 1}", "d = S.d", "d['a'] = 5; S.d"
    ),
    "a dict in a closure": Case(
        "def make():\n    c = {'a': 1}\n    return lambda: c\nget = make()",
        "d = get()",
        "d['a'] = 5; get()",
    ),
    "a default": Case("def get(x=[1]): return x", "d = get()", "d.append(2); get()"),
    "a function of the cell": Case(
        "", "def g(): return 1\nd = {'g': g}", "d['g'] is g, g()"
    ),
    "an instance of a named tuple": Case(
        "",
        "from typing import NamedTuple\nclass P(NamedTuple):\n    a: int\np = P(1)",
        "type(p) is P, p",
    ),
    "a starred import": Case(
        "",
        "from regmod import *\ny = g(2)",
        "y, g(3), g.__module__",
        modules={"regmod": "_K = 5\ndef g(x): return x * _K\n"},
    ),
    "a scalar that is bound and shown": Case(
        "import numpy as np", "z = np.float64(3)\nz", "z, [z, z]"
    ),
    # --- which objects are one, and how they behave
    "a part of a named tuple": Case(
        "a = [1]",
        "from collections import namedtuple\nP = namedtuple('P', 'q')\np = P(a)",
        "p.q is a, hasattr(p, '__dict__')",
    ),
    "a class that takes the name of its base": Case(
        "class M: pass\nold = M", "class M(M): x = 1", "M.__bases__[0] is old, M.x"
    ),
    "a class with an attribute that its base has too": Case(
        "class M: x = 1", "class M(M):\n    x = 1\n    y = 2", "'x' in vars(M), M.y"
    ),
    "a partial that was looked at": Case(
        "import functools\ndef f(*a): return a\ng = functools.partial(f, 1)",
        "h = functools.partial(g, 4)",
        "h.func is f, functools.partial(g, 2).func is f",
    ),
    "an attribute of a function whose name is bound anew": Case(
        "import functools\ndef f(x): return x\nold = f",
        "f.note = 4\nf = functools.partial(f, 1)",
        "old.note, f.func is old",
    ),
    "a list of a module that the cell imports": Case(
        "",
        "import regmod\nheld = [regmod.L]",
        "held[0] is regmod.L",
        modules={"regmod": MODULE},
    ),
    "a list of a module that the cell imports twice": Case(
        "",
        "import regmod\nimport regmod; held = regmod.L",
        "held is regmod.L",
        modules={"regmod": MODULE},
    ),
    "a list of a module that a loop imports": Case(
        "",
        "for i in []:\n    pass\nelse:\n    import regmod\n    held = regmod.L",
        "held is regmod.L",
        modules={"regmod": MODULE},
    ),
    "an input that is changed, then bound anew": Case(
        "import pandas as pd\ns = pd.Series([1, 2])\nsame = s",
        "s.name = 'n'\ns = 3",
        "same.name, s",
    ),
    "results shown before": Case(
        "g = 4",
        "seen = Out.get(2)\ng",
        "sorted(Out)",
    ),
    "an array that a column lent out before": Case(
        "import pandas as pd\ns = pd.Series([2, 1, 2])",
        "w = s.to_numpy()\nv = w[1:]",
        "s.__setitem__(1, 4), w.tolist(), v.tolist(), w.flags.writeable",
    ),
    "an array that a column lends out": Case(
        "import pandas as pd",
        "s = pd.Series([2.5, 1, 2])\nw = s.values[::2]",
        "s.__setitem__(0, 4), w.tolist(), w.flags.writeable",
    ),
    "an array that a frame lends out": Case(
        "import pandas as pd",
        "df = pd.DataFrame({'a': [1, 2], 't': ['x', 'y'], 'b': [3, 4]})\n"
        "w = df[['a', 'b']].to_numpy()\nv = df['b'].to_numpy()",
        "df.isetitem(0, [7, 8]), df.__setitem__('b', 5), w.tolist(), v.tolist()",
    ),
    "an array of a column that another frame has too": Case(
        "import pandas as pd",
        "s = pd.Series([2, 1, 2])\nother = s[:]\nw = s.to_numpy()",
        "s.__setitem__(0, 4), w.tolist(), other.tolist()",
    ),
    "an attribute of a class that the cell defines": Case(
        "",
        "class C:\n    kept = [2]\n    other = {}\nc = C.kept\nd = [C.other]",
        "C.kept is c, d[0] is C.other",
    ),
    "a read-only array": Case(
        "import numpy as np",
        "w = np.arange(3)\nw.setflags(write=False)\nv = w[1:]",
        "w.flags.writeable, v.flags.writeable, np.shares_memory(v, w)",
    ),
    "a read-only array of objects": Case(
        "import numpy as np",
        "w = np.array([None, []], dtype=object)\nw.setflags(write=False)",
        "w.flags.writeable, w",
    ),
    "an array that is resized": Case(
        "import numpy as np\nx = np.arange(4)", "x.resize(8)", "x", "in place"
    ),
    "an array that is resized later": Case(
        "import numpy as np", "x = np.arange(4)", "x.resize(8), x"
    ),
    # --- classes and functions of the cell that hits had not found again
    "an enumeration": Case(
        "",
        "import enum\nclass C(enum.Enum):\n    A = enum.auto()\nc = C.A",
        "c is C.A, c",
    ),
    "a generic class": Case(
        "",
        "from typing import Generic, TypeVar\nT = TypeVar('T')\n"
        "class Box(Generic[T]):\n    v = 1\nb = Box()",
        "type(b) is Box, b.v",
    ),
    "a class with a loop in it": Case(
        "",
        "class C:\n    for i in range(2): pass\nc = C()",
        "type(c) is C, c.i",
    ),
    "a global that a function of the cell binds": Case(
        "", "def f():\n    global late\n    late = 5\nf()", "late"
    ),
}


def _ask(kernel: Kernel, folder, number: int, before: str, case: Case) -> tuple:
    """Run the three cells in a namespace of their own; give outcome and what shows."""
    kernel.run("%reset -f\nimport sys\nsys.modules.pop('regmod', None)")
    kernel.run("import nbcache, nbcache.cache\n%load_ext nbcache")
    kernel.run(f"nbcache.set_cache_dir({str(folder / str(number))!r})")
    kernel.run(before)
    head, _, rest = case.cell.partition("\n")
    options = head if head.startswith("--") else ""
    ran = kernel.run(f"%%cached a {options}\n{rest if options else case.cell}")
    assert ran.ok, ran.traceback
    outcome = json.loads(kernel.run(LAST).stdout)
    shown = kernel.run(case.after)
    assert shown.ok, shown.traceback
    return outcome, shown.result


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> dict[str, list[tuple]]:
    """Ask everything in one kernel, in another one again, and then edited."""
    folder = tmp_path_factory.mktemp("cells")
    found: dict[str, list[tuple]] = {name: [] for name in CASES}
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as kernel:
        for _ in range(2):
            kernel.run("import sys; sys.dont_write_bytecode = True")
            for number, (name, case) in enumerate(CASES.items()):
                for module, text in case.modules.items():
                    (folder / f"{module}.py").write_text(text)
                found[name].append(_ask(kernel, folder, number, case.before, case))
            kernel.restart()
        for number, (name, case) in enumerate(CASES.items()):
            if case.edit:
                edited = case.before.replace(*case.edit)
                found[name].append(_ask(kernel, folder, number, edited, case))
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_second_kernel_is_left_as_by_a_run(asked, name):
    """By a hit, or by another run where a hit cannot."""
    case, (first, second, *_) = CASES[name], asked[name]
    assert second[1] == first[1]
    assert case.refused in first[0]["refused"]
    assert first[0]["stored"] == (not case.refused), first
    assert second[0]["hit"] == (not case.refused), second


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].edit])
def test_an_edit_before_the_cell_counts(asked, name):
    """It runs again, and gives something else."""
    first, _, third = asked[name]
    assert not third[0]["hit"]
    assert third[1] != first[1]


def test_a_builtin_that_a_cell_rebinds_is_not_forgiven(tmp_path):
    """Run twice in one kernel it fails the second time, as it would without us."""
    with Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")) as kernel:
        kernel.run("%load_ext nbcache")
        cell = "%%cached a\nmax = max(1, 2)"
        assert kernel.run(cell).ok
        assert "not callable" in kernel.run(cell).traceback


def test_a_name_that_a_cell_looks_for_counts(tmp_path):
    """The idiom that keeps what an earlier cell bound."""
    with Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")) as kernel:
        kernel.run("%load_ext nbcache")
        cell = "%%cached a\nif 'x' not in dir():\n    x = 10\ny = x"
        kernel.run(cell)
        assert kernel.run("y").result == {"text/plain": "10"}
        kernel.run("x = 5")
        kernel.run(cell)
        assert kernel.run("y").result == {"text/plain": "5"}
