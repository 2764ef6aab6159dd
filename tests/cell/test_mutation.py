"""Cells that change what they did not make: a hit leaves what a run leaves.

"Cached twice equals uncached twice": programs run plain, cached cold and cached warm,
each in a namespace of its own; what every name then stands for, which objects are one,
and which arrays share memory must be the same.
"""

from __future__ import annotations

import sys
import textwrap
from collections import deque
from itertools import count
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nbcache
from nbcache.keys import hashing

# --- what can be seen of a namespace


class Sight:
    """Describes objects by what they hold, and by which of them are one."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.kept: list[Any] = []

    def describe(self, value: Any) -> Any:
        """Describe a value; of one that was described before, give the number."""
        if isinstance(value, str | int | float | bool | None):
            return repr(value)
        if isinstance(value, tuple):
            return type(value).__name__, list(map(self.describe, value))
        if id(value) in self.numbers:
            return "same", self.numbers[id(value)]
        self.numbers[id(value)] = number = len(self.numbers)
        self.kept.append(value)
        return number, type(value).__name__, self.content(value)

    def content(self, value: Any) -> Any:
        """Describe what an object holds."""
        if isinstance(value, list | deque):
            return list(map(self.describe, value))
        if isinstance(value, dict):
            factory = getattr(value, "default_factory", None)
            return factory, [self.describe(pair) for pair in value.items()]
        if isinstance(value, np.ndarray):
            if value.dtype.kind == "O":
                return list(map(self.describe, value.ravel().tolist()))
            return hashing.digest(value), value.flags.writeable
        if isinstance(value, FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            return self.describe([vars(value), cells, value.__defaults__])
        if type(value).__module__ == "__main__":
            return self.describe([self.attributes(type(value)), self.attributes(value)])
        if isinstance(value, type):
            return self.describe(self.attributes(value))
        return hashing.digest(value)

    def attributes(self, value: Any) -> dict[str, Any]:
        """Give data that stands in a dictionary or slots."""
        names = (
            *getattr(type(value), "__slots__", ()),
            *getattr(value, "__dict__", ()),
        )
        found = {name: getattr(value, name, None) for name in sorted(names)}
        return {k: v for k, v in found.items() if k[0] != "_" and not callable(v)}


def seen(roots: dict[str, Any]) -> list[Any]:
    """Describe names, and which of the arrays behind them share memory."""
    sight = Sight()
    found = [(name, sight.describe(value)) for name, value in sorted(roots.items())]
    arrays = [one for one in enumerate(sight.kept) if isinstance(one[1], np.ndarray)]
    shared = [
        (one, other)
        for place, (one, x) in enumerate(arrays)
        for other, y in arrays[:place]
        if np.shares_memory(x, y)
    ]
    return [found, shared]


def run_fresh(shell, before: str, cell: str, after: str = "") -> list[Any]:
    """Run cells in a new namespace; give what can be seen of it."""
    shell.reset(new_session=False)
    hidden = set(shell.user_ns)
    for code in (before, cell, after):
        shell.run_cell(code).raise_error()
    return seen(
        {
            name: value
            for name, value in shell.user_ns.items()
            if name not in hidden and not name.startswith("_")
        }
    )


def run_three(shell, before: str, cell: str, after: str = "") -> bool:
    """Run plain, cold and warm; compare; say whether the last was a hit."""
    plain = run_fresh(shell, before, cell, after)
    assert run_fresh(shell, before, f"%%cached a\n{cell}", after) == plain
    assert not nbcache.last().hit
    assert run_fresh(shell, before, f"%%cached a\n{cell}", after) == plain
    return nbcache.last().hit


# --- one by one

HELD = """
holder = {'deep': [x]}
class Keeper:
    kept = x
def use(given=x):
    return given
"""
CLASS = """
class M:
    count = 0
    items = []
    def __init__(self):
        self.own = [1]
    def add(self, item):
        M.count += 1
        self.items.append(item)
        self.own.append(item)
        self.last = item
"""
SLOTS = """
class S:
    __slots__ = ("a", "b")
    def __setattr__(self, name, value):
        raise TypeError("frozen")
"""
CLOSURE = """
def make():
    n, held = 0, []
    def inner(v):
        nonlocal n
        n += v
        held.append(v)
        return n
    return inner
"""
MODULE = """
K = 1
LOG = []
class C:
    n = 0
def bind(v):
    global K, NEW
    K, NEW = v, [v]
def note(v):
    LOG.append(v)
    C.n += v
"""

CHANGES = {
    "list": ("x = [1, [2]]", "x.append(3)\nx[1].append(x)"),
    "nested in a tuple": ("x = ([1], 2)", "x[0].append(3)"),
    "nested in a namedtuple": (
        "from collections import namedtuple\nP = namedtuple('P', 'a b')\nx = P([1], 2)",
        "x.a.append(3)",
    ),
    "dict": ("x = {'a': 1, 'b': [2]}", "x['b'].append(3)\nx['c'] = x.pop('a')"),
    "dict with odd keys": (
        "x = {(1, 2): [1], None: [2], 2.5: [3]}",
        "x[1, 2].append(1)\nx[None].append(2)\nx[2.5].append(3)",
    ),
    "order of a dict": ("x = {'a': 1, 'b': 2}", "x['a'] = x.pop('a')"),
    "set": ("x = {1, 2}", "x.add(3)\nx.discard(1)"),
    "bytearray": ("x = bytearray(b'abc')", "x[0] = 65\nx += b'd'"),
    "deque": (
        "from collections import deque\nx = deque([1, [2]], maxlen=3)",
        "x.append(4)\nx.append(5)\nx[0].append(0)",
    ),
    "OrderedDict": (
        "from collections import OrderedDict\nx = OrderedDict(a=1, b=2)",
        "x.move_to_end('a')\nx['c'] = []",
    ),
    "defaultdict": (
        "from collections import defaultdict\nx = defaultdict(list, a=[1])",
        "x['a'].append(2)\nx['b'].append(3)\nx.default_factory = dict",
    ),
    "Counter": (
        "from collections import Counter\nx = Counter('aab')",
        "x.update('bc')",
    ),
    "array": ("import numpy as np\nx = np.arange(6.0)", "x[1:3] = 9"),
    "array of objects": (
        "import numpy as np\nx = np.array([[1], None, 'a'], dtype=object)",
        "x[0].append(2)\nx[1] = x[0]",
    ),
    "read-only from now on": (
        "import numpy as np\nx = np.arange(3)",
        "x[0] = 5\nx.flags.writeable = False",
    ),
    "structured array": (
        "import numpy as np\nx = np.zeros(2, [('a', 'i4'), ('b', 'f8')])",
        "x['a'] = 4",
    ),
    "masked array": (
        "import numpy as np\nx = np.ma.array([1.0, 2, 3])",
        "x[0] = np.ma.masked\nx[1] = 7\nx.fill_value = 8",
    ),
    "matrix": ("import numpy as np\nx = np.matrix([[1, 2], [3, 4]])", "x[0, 1] = 7"),
    "frame": (
        "import pandas as pd\nx = pd.DataFrame({'a': [1, 2], 'b': ['u', None]})",
        "x.loc[0, 'a'] = 9\nx['c'] = [1.5, 2.5]",
    ),
    "frame with fewer rows": (
        "import pandas as pd\nx = pd.DataFrame({'a': [3, 1, 2], 'b': list('xyz')})",
        (
            "x.sort_values('a', inplace=True)\nx.drop(index=0, inplace=True)\n"
            "del x['b']\nx.attrs['k'] = [1]"
        ),
    ),
    "names of a frame": (
        "import pandas as pd\nx = pd.DataFrame({'a': [3, 1]})",
        "x.columns = ['q']\nx.index.name = 'i'",
    ),
    "series": (
        "import pandas as pd\nx = pd.Series([1, 2], name='n')",
        "x.iloc[0] = 5\nx.name = 'm'\nx.index = ['a', 'b']",
    ),
    "generator": (
        "import numpy as np\nx = np.random.default_rng(1)",
        "x.normal(size=3)\nx.integers(5)\nx.spawn(2)",
    ),
    "old generator": (
        "import numpy as np\nx = np.random.RandomState(1)",
        "x.normal(size=3)",
    ),
    "random.Random": ("import random\nx = random.Random(1)", "x.gauss(0, 1)"),
    "instance": (f"{CLASS}x = M()", "x.add([1])\nx.add(x.own)"),
    "slots": (
        f"{SLOTS}x = S()\nobject.__setattr__(x, 'a', [1])",
        "object.__setattr__(x, 'b', x.a)\nobject.__delattr__(x, 'a')",
    ),
    "namespace": (
        "import types\nx = types.SimpleNamespace(a=[1])",
        "x.a.append(2)\nx.b = x.a\nx.me = x",
    ),
    "class": (f"{CLASS}x = M", "x.count += 1\nx.items.append(4)\nx.new = x.items"),
    "closure": (
        (f"{CLOSURE}x = make()"),
        "x(3)",
    ),
    "function in a list": (
        (f"{CLOSURE}x = [make()]"),
        "x[0](3)",
    ),
    "attribute of a function": (
        "def x(v):\n    x.calls += 1\n    x.seen.append(v)\nx.calls = 0\nx.seen = []",
        "x(5)",
    ),
    "default of a function": (
        "def x(v, seen=[]):\n    seen.append(v)",
        "x(5)\nx(6)",
    ),
    "bound method": (f"{CLASS}m = M()\nx = m.add", "x(3)"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", CHANGES)
def test_every_reference_sees_the_change(shell, name):
    """Also those of which the cell knows nothing."""
    before, cell = CHANGES[name]
    assert run_three(shell, before + HELD, f"{cell}\ny = x"), nbcache.last()


SEEN_ELSEWHERE = {
    "two names": ("x = [1]\nz = x", "x.append(2)", ""),
    "a view taken before": (
        "import numpy as np\nx = np.arange(5)\nv = x[1:3]\nr = x[::-1]",
        "x[2] = 50",
        "v[0] = 7",
    ),
    "a view that is the input": (
        "import numpy as np\nbase = np.arange(5)\nx = base[1:3]",
        "x[:] = 9\ny = x[1:]",
        "base[2] = 0",
    ),
    "two views that overlap": (
        "import numpy as np\nbase = np.arange(6)\nx = base[:4]\nz = base[2:]",
        "x[3] = 9\nz[3] = 8",
        "base[3] = 0",
    ),
    "data of a masked array": (
        "import numpy as np\nx = np.ma.array([1, 2, 3])\nd = x.data",
        "x[1] = 9\ny = x.data[1:]",
        "d[1] = 4",
    ),
    "bytes under an array": (
        "import numpy as np\nx = bytearray(8)\nv = np.frombuffer(x, 'u1')",
        "x[3] = 9",
        "v[4] = 5",
    ),
    "a part taken out": (
        "x = {'k': [1], 'l': [2]}\nheld = x['k']",
        "x['k'].append(3)\ny = x.pop('k')\nx['n'] = y",
        "y.append(4)",
    ),
    "parts exchanged": (
        "x = [[1], [2]]\na, b = x",
        "x.reverse()\nx[0].append(3)\ny = x[1]",
        "a.append(0)",
    ),
    "an equal part put in": (
        "x = {'k': [1]}\nheld = x['k']",
        "x['k'] = [1]\ny = x['k']",
        "y.append(2)",
    ),
    "an input deleted": ("x = [1]\nz = x", "x.append(2)\ndel x", ""),
    "an input bound anew": ("x = [1]\nz = x", "x.append(2)\nx = [x]", "z.append(3)"),
    "a list of a helper": (
        "log = []\nheld = log\ndef note(v):\n    log.append(v)",
        "note(1)",
        "note(2)",
    ),
    "a global that a helper binds": (
        "K = [1]\nheld = K\ndef bind(v):\n    global K\n    K.append(v)\n    K = [K]",
        "bind(2)",
        "bind(3)",
    ),
    "what a method reads": (
        (
            f"LOG = []\n{CLASS}\nclass N(M):\n    def note(self, v):\n"
            "        LOG.append(v)\n        self.add(v)\nx = N()"
        ),
        "x.note(1)",
        "x.note(2)",
    ),
    "a new array in a list": (
        "import numpy as np\nx = []",
        "y = np.arange(4)\nx.append(y)\nx.append(y[1:])",
        "y[1] = 9",
    ),
    "an unchanged array next to a changed list": (
        "import numpy as np\nx = {'a': np.arange(4), 'l': []}\nheld = x['a']",
        "x['l'].append(x['a'][1:])\ny = x['a']",
        "y[1] = 9",
    ),
    "an instance of a class of the cell": (
        "x = []",
        "class C:\n    pass\nc = C()\nc.v = x\nx.append(c)",
        "x[0].w = 1",
    ),
    "a registry of decorated functions": (
        "x = []\ndef enter(f):\n    x.append(f)\n    return f",
        "@enter\ndef g(v):\n    return v\ny = len(x)",
        "z = x[0] is g",
    ),
    "a registry of subclasses": (
        "x = []\nclass B:\n    def __init_subclass__(cls):\n        x.append(1)",
        "class D(B):\n    pass",
        "",
    ),
    "a name that a method reads, bound anew": (
        "k = 1\nclass C:\n    def get(self):\n        return k\nx = C()",
        "k = 3\ny = x.get()",
        "",
    ),
    "a lock beside what changes": (
        (
            "import threading\nclass C:\n    def __init__(self):\n"
            "        self.lock, self.n = threading.Lock(), 0\n"
            "    def __getstate__(self):\n        return {'n': self.n}\n"
            "x = C()\nheld = x.lock"
        ),
        "x.n += 1\ny = [x]",
        "z = x.lock is held, y[0] is x\ndel held, x, y",
    ),
    "a list in a frame": (
        (
            "import pandas as pd\nx = [1]\nf = pd.DataFrame({'a': [x, [2]]})\ndel x\n"
            "held = f.loc[0, 'a']"
        ),
        "f.loc[0, 'a'].append(3)\ny = f.loc[0, 'a']",
        "y.append(4)",
    ),
    "a conditional name": (
        "x = [1]",
        "if len(x) > 1:\n    y = x\nelse:\n    z = x\nx.append(2)",
        "z.append(3)",
    ),
    "numbers of random generators": (
        "import numpy as np\nr = np.random.default_rng(0)\nx = {'r': r}",
        "y = x['r'].random(3)",
        "z = r.random(2)",
    ),
    "two generators with one source": (
        (
            "import numpy as np\nb = np.random.PCG64(1)\n"
            "x, z = np.random.Generator(b), np.random.Generator(b)"
        ),
        "y = x.random()",
        "w = z.random()",
    ),
}


@pytest.mark.parametrize("name", SEEN_ELSEWHERE)
def test_aliases_and_shared_memory_stay(shell, name):
    """What is changed afterwards shows where it would after a run."""
    before, cell, after = SEEN_ELSEWHERE[name]
    assert run_three(shell, before, cell, after), nbcache.last()


MODULES = {
    "attribute": "mutmod.K = 5",
    "new attribute": "mutmod.fresh = [1]\ny = mutmod.fresh",
    "attribute deleted": "del mutmod.K",
    "global bound by a function": "mutmod.bind(4)\ny = mutmod.NEW",
    "list and class": "mutmod.note(4)\ny = mutmod.LOG",
    "function taken from it": "f(4)",
}


@pytest.mark.parametrize("name", MODULES)
def test_local_modules_are_left_as_by_a_run(shell, name, tmp_path, monkeypatch):
    """Attributes, globals that functions bind, and what they hold."""
    (tmp_path / "mutmod.py").write_text(textwrap.dedent(MODULE))
    monkeypatch.syspath_prepend(str(tmp_path))
    before = (
        "import sys\nsys.modules.pop('mutmod', None)\nimport mutmod\n"
        "from mutmod import note as f\nheld = mutmod.LOG"
    )
    after = (
        "left = [mutmod.__dict__.get(n) for n in ('K', 'NEW', 'LOG', 'fresh')]\n"
        "left.append(mutmod.C.n)\nhas = 'K' in vars(mutmod)\ndel mutmod, f, sys"
    )
    try:
        assert run_three(shell, before, MODULES[name], after), nbcache.last()
    finally:
        sys.modules.pop("mutmod", None)


# --- what cannot be

REFUSED = {
    "array of another shape": (
        "import numpy as np\nx = np.arange(6)",
        "x.shape = (2, 3)",
        "has another shape",
    ),
    "instance of another class": (
        "class A: pass\nclass B: pass\nx = A()",
        "x.__class__ = B",
        "given another class",
    ),
    "list of a kind of one's own": (
        "class L(list): pass\nx = L([1])",
        "x.append(2)",
        "cannot be changed in place",
    ),
    "a class that the cell defines and alters": (
        "x = 1",
        "class C:\n    items = []\nC.items.append(x)",
        "changed 'C' after defining it",
    ),
    "member of a set": (
        "class A: pass\nx = {A()}",
        "y = next(iter(x))",
        "--skip y",
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_no_hit_can_change_is_not_stored(shell, name):
    """The run counts; one line says why, and how to go on."""
    before, cell, expected = REFUSED[name]
    with pytest.warns(nbcache.errors.CacheWarning, match=expected):
        assert not run_three(shell, before, cell)


def test_skip_gives_a_change_up(shell):
    """The user takes a hit that leaves the input alone."""
    cell = "%%cached a --skip x\nx.append(2)\ny = len(x)"
    for expected in ([1, 2], [1]):
        run_fresh(shell, "x = [1]", cell)
        assert (shell.user_ns["x"], shell.user_ns["y"]) == (expected, 2)
    assert nbcache.last().hit


def test_the_second_run_in_a_kernel_has_another_input(shell):
    """And in a new kernel both steps hit."""
    cell = "%%cached a\nx.append(len(x))"
    for hits in (False, True):
        shell.reset(new_session=False)
        shell.run_cell("x = []").raise_error()
        for length in (1, 2):
            shell.run_cell(cell).raise_error()
            assert shell.user_ns["x"] == list(range(length))
            assert nbcache.last().hit == hits


def test_a_hit_that_fails_touches_nothing(shell):
    """An input that is read-only now is no input that can be written."""
    cell = "%%cached a\nx.append(1)\nv[0] = 5\ny = 1"
    run_fresh(shell, "import numpy as np\nx = []\nv = np.zeros(2)", cell)
    before = (
        "import numpy as np\nx = []\nv = np.zeros(2)\nv.flags.writeable = False\nz = x"
    )
    shell.reset(new_session=False)
    shell.run_cell(before).raise_error()
    ran = shell.run_cell(cell)
    assert isinstance(ran.error_in_exec, ValueError)  # as without a cache
    assert shell.user_ns["z"] == [1]
    assert "y" not in shell.user_ns


def test_large_parts_that_did_not_change_are_not_stored(shell, tmp_path):
    """A new column of a large frame, a new item beside a large array."""
    before = (
        "import numpy as np, pandas as pd\n"
        "d = {'big': np.arange(1e6), 'l': []}\n"
        "f = pd.DataFrame(np.random.default_rng(0).random((100_000, 8)))\n"
    )
    run_fresh(shell, before, "%%cached a\nd['l'].append(1)\nf['new'] = 1.5")
    assert nbcache.last().stored
    assert nbcache.last().bytes < 1_000_000


def test_a_hit_writes_into_the_memory_of_a_frame_where_pandas_does(shell):
    """An array that shows a column shows the change; a lazy copy does not."""
    before = (
        "import pandas as pd\nx = pd.DataFrame({'a': [1, 2], 'b': [3.0, 4.0]})\n"
        "shown = x['b'].to_numpy()\nlazy = x[['a']]\ncopied = x.copy(deep=False)\n"
        "del copied"
    )
    assert run_three(shell, before, "x.loc[0, 'b'] = 9.0\nx.loc[1, 'a'] = 7")


# --- generated

SETUP = """
import numpy as np, pandas as pd
from collections import OrderedDict, defaultdict, deque
class M:
    shared = []
    def __init__(self):
        self.l, self.n = [1], 0
    def grow(self, v):
        self.l.append(v)
        M.shared.append(len(self.l))
log = []
def note(v):
    log.append(v)
    return log
a = [1, [2, 3], 'text']
b = {'n': [4], 'a': a, 'arr': np.arange(4.0)}
c = np.arange(8)
v = c[2:6]
o = np.array([a, None, 'x'], dtype=object)
q = deque([1, b])
s = {1, 2}
m = M()
m.b = b
t = (a, [5])
g = np.random.default_rng(3)
f = pd.DataFrame({'u': [1, 2, 3], 'w': ['p', 'q', None]})
outside = [a, a[1], b, b['n'], b['arr'], c, o, q, s, m, m.l, M.shared, t[1], g, f, log]
"""
VALUES = (
    *("a", "b", "c", "m", "o", "t", "[1]", "{'k': a}", "'word'", "a[1:]", "c[1:3]"),
    *("b.get('n')", "b.get('arr')", "np.zeros(2)", "v", "m.l", "g.random()", "f", "q"),
    *("f['u'].sum()", "M()", "log", "note(1)", "M.shared", "7", "(a, c)", "v[1:]"),
)
STATEMENTS = (
    *("a.append({})", "a[0] = {}", "a.pop()", "a.reverse()", "a.insert(0, {})"),
    *("b['n'] = {}", "b['new'] = {}", "b.pop('n', None)", "b.clear()"),
    *("b.setdefault('m', []).append({})", "b['arr'] = {}", "b.update(a=1)"),
    *("c[1] += 1", "c *= 2", "v[:] = 7", "v[0] = c[-1]", "c[::-1].sort()"),
    *("o[0] = {}", "o[1] = {}", "q.append({})", "q.rotate(1)", "q.popleft()"),
    *("s.add(3)", "s.discard(1)", "s.add('z')", "m.x = {}", "m.grow({})", "m.n += 1"),
    *("m.l = {}", "del m.b", "M.extra = {}", "M.shared = {}", "t[1].append({})"),
    *("note({})", "y = {}", "z = {}", "a = {}", "w = [{}, y] if 'y' in b else {}"),
    *("f['new'] = 1.5", "f.loc[0, 'u'] = 9", "f.loc[1, 'w'] = 'r'", "del f['w']"),
    *("f = f.assign(k=1)", "f.sort_values('u', inplace=True)", "g.integers(9)"),
    *("for i in range(2): a.append({})", "del t", "x = c[1:4]; x[0] = 3"),
)
AFTER = """
try: y.append('later')
except Exception: pass
try: y[0] = 77
except Exception: pass
c[3] = -1
outside[0].append('end')
"""
statement = st.builds(
    lambda form, one, other: form.format(one, other),
    st.sampled_from(STATEMENTS),
    st.sampled_from(VALUES),
    st.sampled_from(VALUES),
)
fresh = count()


@pytest.mark.filterwarnings("ignore")
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=st.lists(statement, min_size=1, max_size=6))
def test_generated_programs_leave_the_same_cached_or_not(shell, program):
    """Values, identities and shared memory, also of what the cell does not name."""
    guarded = "\n".join(
        f"try:\n    {line}\nexcept Exception as error:\n    failed = str(error)"
        for line in program
    )
    # a cell of its own for each program
    cell = f"nonce = {next(fresh)}\n{guarded}"
    run_three(shell, SETUP, cell, AFTER)
