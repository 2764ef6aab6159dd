"""Edits between two processes, and whether they must make a result be computed anew.

Each scenario defines things, then asks for ``ask()`` in one kernel; in another it
defines them again, edited, and asks again.  Functions and cells are asked alike.
"""

from dataclasses import dataclass, field

MODULE = (
    "K = 10\nOTHER = 1\ndef scale(x):\n    return x * K\ndef unused():\n    return 0\n"
)


@dataclass(frozen=True)
class Scenario:
    """One edit.

    Parameters
    ----------
    before, after : str
        What is executed before the question, in the first and second process.
    again : bool
        Whether the edit must make the result be computed anew.
    body : str
        The code in question, as the body of a function of ``x``.
    files : dict of str to str
        Local modules written before the second process begins.
    """

    before: str
    after: str
    again: bool
    body: str = "return helper(x)"
    new_body: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("function", "cell")


SCENARIOS = {
    "own_body": Scenario("", "", True, "return x + 1", "return x + 2"),
    "own_comment": Scenario(
        "", "", False, "return x + 1", "# why\n    return (x\n            + 1)"
    ),
    "own_docstring": Scenario(
        "",
        "",
        False,
        "return x + 1",
        "'''Doc.'''\n    return x + 1",
        kinds=("function",),
    ),
    "position": Scenario("", "pass\n" * 5, False, "return x + 1"),
    "helper": Scenario("def helper(x): return x", "def helper(x): return x + 1", True),
    "helper_layout": Scenario(
        "def helper(x): return x", "def helper(x):\n    # same\n    return x", False
    ),
    "unused_helper": Scenario(
        "def helper(x): return x\ndef unused(): return 1",
        "def helper(x): return x\ndef unused(): return 2",
        False,
    ),
    "helpers_helper": Scenario(
        "def inner(x): return x\ndef helper(x): return inner(x)",
        "def inner(x): return -x\ndef helper(x): return inner(x)",
        True,
    ),
    "closure": Scenario(
        "def make(k):\n    return lambda x: x * k\nhelper = make(2)",
        "def make(k):\n    return lambda x: x * k\nhelper = make(3)",
        True,
    ),
    "global_value": Scenario("K = 1", "K = 100", True, "return x * K"),
    "global_type": Scenario("K = 1", "K = 1.0", True, "return x * K"),
    "unread_global": Scenario("K = 1; L = 1", "K = 1; L = 2", False, "return x * K"),
    "helpers_global": Scenario(
        "K = 1\ndef helper(x): return x * K",
        "K = 2\ndef helper(x): return x * K",
        True,
    ),
    "default": Scenario(
        "def helper(x, k=1): return x * k", "def helper(x, k=2): return x * k", True
    ),
    "keyword_default": Scenario(
        "def helper(x, *, k=1): return x * k",
        "def helper(x, *, k=2): return x * k",
        True,
    ),
    "class_attribute": Scenario(
        "class M:\n    k = 1\n    def f(self, x): return x * self.k",
        "class M:\n    k = 2\n    def f(self, x): return x * self.k",
        True,
        "return M().f(x)",
    ),
    "method": Scenario(
        "class M:\n    def f(self, x): return x",
        "class M:\n    def f(self, x): return x + 1",
        True,
        "return M().f(x)",
    ),
    "base_class": Scenario(
        "class B:\n    def f(self, x): return x\nclass M(B): pass",
        "class B:\n    def f(self, x): return -x\nclass M(B): pass",
        True,
        "return M().f(x)",
    ),
    "property": Scenario(
        "class M:\n    @property\n    def k(self): return 1",
        "class M:\n    @property\n    def k(self): return 2",
        True,
        "return M().k * x",
    ),
    "instance": Scenario(
        "class M:\n    def __init__(self, k): self.k = k\nm = M(1)",
        "class M:\n    def __init__(self, k): self.k = k\nm = M(2)",
        True,
        "return m.k * x",
    ),
    "partial": Scenario(
        "import functools\ndef g(k, x): return k * x\nhelper = functools.partial(g, 2)",
        "import functools\ndef g(k, x): return k * x\nhelper = functools.partial(g, 3)",
        True,
    ),
    "lambda": Scenario("helper = lambda x: x", "helper = lambda x: x + 1", True),
    "lambda_same": Scenario("helper = lambda x: x", "helper = lambda x:  x", False),
    "dict_of_functions": Scenario(
        "def g(x): return x\ntable = {'g': g}",
        "def g(x): return -x\ntable = {'g': g}",
        True,
        "return table['g'](x)",
    ),
    "decorated_helper": Scenario(
        "def deco(f):\n    return lambda x: f(x)\n@deco\ndef helper(x): return x",
        "def deco(f):\n    return lambda x: f(x) + 1\n@deco\ndef helper(x): return x",
        True,
    ),
    "module_attribute_used": Scenario(
        "import localmod",
        "import localmod",
        True,
        "return localmod.scale(x)",
        files={"localmod.py": MODULE.replace("x * K", "x + K")},
    ),
    "modules_own_global": Scenario(
        "import localmod",
        "import localmod",
        True,
        "return localmod.scale(x)",
        files={"localmod.py": MODULE.replace("K = 10", "K = 11")},
    ),
    "module_attribute_unused": Scenario(
        "import localmod",
        "import localmod",
        False,
        "return localmod.scale(x)",
        files={"localmod.py": MODULE.replace("return 0", "return 9") + "\nNEW = 3\n"},
    ),
    "from_import": Scenario(
        "from localmod import scale",
        "from localmod import scale",
        True,
        "return scale(x)",
        files={"localmod.py": MODULE.replace("x * K", "x - K")},
    ),
    "environment_variable": Scenario(
        "import os; os.environ['NB_TEST'] = 'a'",
        "import os; os.environ['NB_TEST'] = 'b'",
        True,
        "return os.environ['NB_TEST'] * x",
    ),
    "nothing": Scenario(
        "import math\nK = [1, {'a': (2.5, 'b')}]\ndef helper(x): return math.pi * x",
        "import math\nK = [1, {'a': (2.5, 'b')}]\ndef helper(x): return math.pi * x",
        False,
        "return helper(x) + K[0]",
    ),
    "mutable_global": Scenario("K = [1, 2]", "K = [1, 3]", True, "return x * sum(K)"),
    "array_global": Scenario(
        "import numpy as np; K = np.arange(3)",
        "import numpy as np; K = np.arange(3) * 1.0",
        True,
        "return x * K.sum()",
    ),
}
