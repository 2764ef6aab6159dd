"""Cached functions that once gave another result than without the cache.

Each case is a program and an edit of it.  It runs in one process; edited, and then as
it was, in another: the answers must be those of plain Python, and going back must hit.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from kernel import environment


@dataclass(frozen=True)
class Case:
    """A program, what is replaced in it by what, and both answers."""

    text: str
    old: str
    new: str
    answers: tuple[object, object]
    modules: dict[str, str] = field(default_factory=dict)
    refused: str = ""


PACKAGE = {"regpkg/__init__.py": "", "regpkg/sub.py": "K = 1\n"}
SPACE = {"regspace/sub.py": "K = 1\n"}

CASES = {
    "an alias of another helper": Case(
        "def a(x): return x\ndef b(x): return -x\nc = a\n"
        "@cached\ndef f(x): return a(x), b(x), c(x)\nanswer = f(1)",
        "c = a",
        "c = b",
        ((1, -1, 1), (1, -1, -1)),
    ),
    "an alias of another class": Case(
        "class A: k = 1\nclass B: k = 2\nC = A\n"
        "@cached\ndef f(): return A.k, B.k, C.k\nanswer = f()",
        "C = A",
        "C = B",
        ((1, 2, 1), (1, 2, 2)),
    ),
    "an alias of another library": Case(
        "import math, cmath\nlib = math\n@cached\n"
        "def f(x): return math.pi, cmath.pi, type(lib.sqrt(x))\nanswer = f(4)[2]",
        "lib = math",
        "lib = cmath",
        (float, complex),
    ),
    "an alias of another part of a library": Case(
        "import numpy as np\nlib = np.fft\n"
        "@cached\ndef f(): return lib.__name__\nanswer = f()",
        "np.fft",
        "np.linalg",
        ("numpy.fft", "numpy.linalg"),
    ),
    "the order of an enumeration": Case(
        "import enum\nclass C(enum.Enum):\n    A = 1; B = 2\n"
        "@cached\ndef f(): return [one.name for one in C]\nanswer = f()",
        "A = 1; B = 2",
        "B = 2; A = 1",
        (["A", "B"], ["B", "A"]),
    ),
    "metadata of a field": Case(
        "import dataclasses as d\n@d.dataclass\nclass P:\n"
        "    x: int = d.field(default=1, metadata={'unit': 'm'})\n"
        "@cached\ndef f(): return d.fields(P)[0].metadata['unit']\nanswer = f()",
        "'m'",
        "'s'",
        ("m", "s"),
    ),
    "a namedtuple": Case(
        "import collections\nP = collections.namedtuple('P', 'a b')\n"
        "@cached\ndef f(): return P(1, 2).a\nanswer = f()",
        "'a b'",
        "'b a'",
        (1, 2),
    ),
    "an implementation of a single dispatch": Case(
        "import functools\n@functools.singledispatch\ndef g(x): return 0\n"
        "@g.register\ndef _(x: int): return 1\n"
        "@cached\ndef f(x): return g(x)\nanswer = f(1)",
        "return 1",
        "return 2",
        (1, 2),
    ),
    "a new type": Case(
        "import typing\nN = typing.NewType('N', int)\n"
        "@cached\ndef f(): return N.__supertype__\nanswer = f()",
        "int",
        "str",
        (int, str),
    ),
    "a function put into builtins": Case(
        "import builtins\ndef mine(x): return 5\nbuiltins.regression = mine\n"
        "@cached\ndef f(x): return regression(x)\nanswer = f(1)",
        "return 5",
        "return 6",
        (5, 6),
    ),
    "a function put into an installed module": Case(
        "import math\ndef mine(x): return 5\nmath.regression = mine\n"
        "@cached\ndef f(x): return math.regression(x)\nanswer = f(1)",
        "return 5",
        "return 6",
        (5, 6),
    ),
    "a method put into a class of pandas": Case(
        "import pandas as pd\ndef mine(self): return 5\npd.DataFrame.mine = mine\n"
        "@cached\ndef f(x): return x.mine()\nanswer = f(pd.DataFrame())",
        "return 5",
        "return 6",
        (5, 6),
    ),
    "a variable in the text of a query": Case(
        "import pandas as pd\nlimit = 1\n@cached\n"
        "def f(x): return len(x.query('a > @limit'))\n"
        "answer = f(pd.DataFrame({'a': [1, 2, 3]}))",
        "limit = 1",
        "limit = 2",
        (2, 1),
    ),
    "a variable in the text of eval": Case(
        "K = 1\n@cached\ndef f(): return eval('K')\nanswer = f()",
        "K = 1",
        "K = 2",
        (1, 2),
        refused="hides which names it reads",
    ),
    "a module taken from a package inside": Case(
        "@cached\ndef f():\n    from regpkg import sub\n    return sub.K\nanswer = f()",
        "K = 1",
        "K = 2",
        (1, 2),
        PACKAGE,
    ),
    "a module of a folder without init": Case(
        "@cached\ndef f():\n    from regspace import sub\n    return sub.K\n"
        "answer = f()",
        "K = 1",
        "K = 2",
        (1, 2),
        SPACE,
    ),
    "a module imported by a text": Case(
        "import importlib\n@cached\n"
        "def f(): return importlib.import_module('regpkg.sub').K\nanswer = f()",
        "K = 1",
        "K = 2",
        (1, 2),
        PACKAGE,
    ),
    "a module inside imported by a helper": Case(
        "from regpkg.user import g\n@cached\ndef f(): return g()\nanswer = f()",
        "K = 1",
        "K = 2",
        (1, 2),
        {
            **PACKAGE,
            "regpkg/user.py": "def g():\n    from . import sub\n    return sub.K\n",
        },
    ),
    "whether a variable is in the environment": Case(
        "import os\nos.environ.pop('REGRESSION', 0)\n"
        "@cached\ndef f(): return 'REGRESSION' in os.environ\nanswer = f()",
        "os.environ.pop('REGRESSION', 0)",
        "os.environ['REGRESSION'] = ''",
        (False, True),
    ),
    "a default set after decoration": Case(
        "def g(x, y=1): return x + y\nf = cached(g)\n"
        "g.__defaults__ = (1,)\nanswer = f(1)",
        "(1,)",
        "(5,)",
        (2, 6),
    ),
    "a decorator below that takes more": Case(
        "import functools\ndef more(g):\n    @functools.wraps(g)\n"
        "    def inner(*a, extra): return g(*a) + extra\n    return inner\n"
        "@cached\n@more\ndef f(x): return x\nanswer = f(1, extra=1)",
        "extra=1",
        "extra=2",
        (2, 3),
    ),
    "a decorator below that sees which arguments are given": Case(
        "import functools\ndef count(g):\n    @functools.wraps(g)\n"
        "    def inner(*a): return g(*a), len(a)\n    return inner\n"
        "@cached\n@count\ndef f(x, y=2): return x\nanswer = f(1)",
        "f(1)",
        "f(3)",
        ((1, 1), (3, 1)),
    ),
    "a global as the result": Case(
        "C = {'a': 1}\n@cached\ndef f(): return C\nanswer = f() is C, C",
        "'a'",
        "'b'",
        ((True, {"a": 1}), (True, {"b": 1})),
    ),
    "a key that fails after the call": Case(
        "@cached(key=lambda x: x[0])\ndef f(x): return x.pop()\nanswer = f([1])",
        "[1]",
        "[2]",
        (1, 2),
        refused="after the call, it has no key",
    ),
}


def _edited(case: Case) -> tuple[str, dict[str, str]]:
    return case.text.replace(case.old, case.new), {
        name: text.replace(case.old, case.new) for name, text in case.modules.items()
    }


def _asked(folder, programs) -> list[list]:
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-W",
            "ignore",
            "-c",
            "import programs as p; p.run_all()",
        ],
        input=json.dumps(programs),
        cwd=folder,
        env=environment(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, list[list]]:
    """Run every case: as written; in another process edited, and as written."""
    folder = tmp_path_factory.mktemp("programs")
    places = {name: f"case{number}" for number, name in enumerate(CASES)}
    written = [(places[name], case.text, case.modules) for name, case in CASES.items()]
    edited = [(places[name], *_edited(case)) for name, case in CASES.items()]
    first, second = _asked(folder, written), _asked(folder, edited + written)
    third = second[len(CASES) :]
    return {
        name: [first[number], second[number], third[number]]
        for number, name in enumerate(CASES)
    }


@pytest.mark.parametrize("name", CASES)
def test_an_edited_program_answers_as_without_the_cache(answers, name):
    """The edit counts, and the program as it was hits again."""
    case, (first, second, third) = CASES[name], answers[name]
    assert [first[0], second[0], third[0]] == [
        repr(case.answers[0]),
        repr(case.answers[1]),
        repr(case.answers[0]),
    ]
    assert case.refused in first[3]
    assert [first[1], first[2]] == [False, not case.refused], first
    assert third[1] == (not case.refused), third
