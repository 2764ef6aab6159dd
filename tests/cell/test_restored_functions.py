"""Functions from the cache are what they were, for the cells that use them too."""

from pathlib import Path

import pytest
from kernel import Kernel

MAKES = {
    "a lambda": "f = lambda x: x + 1",
    "a closure": (
        "def make(n):\n    def f(x):\n        return x + n\n    return f\nf = make(1)"
    ),
    "one of several": "fs = [lambda x: x, lambda x: x + 1]; f = fs[1]",
    "defined under a condition": "if True:\n    def f(x):\n        return x + 1",
    "on a class": "class A: pass\nA.f = staticmethod(lambda x: x + 1)\nf = A.f",
}


@pytest.mark.parametrize("name", MAKES)
def test_what_uses_a_restored_function_hits(tmp_path: Path, name: str) -> None:
    """In the next kernel, where its cell has not run, and with its source."""
    with Kernel(tmp_path) as kernel:
        for expected in ("False", "True"):
            kernel.restart()
            kernel.run("%load_ext nbcache\nimport nbcache, inspect")
            kernel.run(f"%%cached make\n{MAKES[name]}")
            ran = kernel.run("%%cached use\ny = f(2)")
            assert ran.ok, ran.traceback
            assert kernel.run("y").result == {"text/plain": "3"}
            hit = kernel.run("nbcache.last().hit").result
            assert hit == {"text/plain": expected}, kernel.run(
                "%nbcache why use"
            ).stdout
        assert "x + " in kernel.run("print(inspect.getsource(f))").stdout
