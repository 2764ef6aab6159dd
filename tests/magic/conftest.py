"""A kernel with nbcache, begun anew for each test."""

from __future__ import annotations

import json

import pytest
from kernel import Kernel, Ran

_LAST = "import json, nbcache.cache as c; print(json.dumps(c.outcomes[-1].to_json()))"


class Notebook:
    """Cells that run in a kernel, and what the cache says of them.

    Parameters
    ----------
    kernel : Kernel
        Where they run.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __call__(self, code: str) -> Ran:
        """Run a cell that must not fail."""
        ran = self.run(code)
        assert ran.ok, ran.traceback or ran.stderr
        return ran

    def run(self, code: str) -> Ran:
        """Run a cell that may fail."""
        return self.kernel.run(code)

    def value(self, expression: str) -> str:
        """Give the text that a notebook shows for an expression."""
        return str(self(expression).result["text/plain"])

    def last(self) -> dict:
        """Give the latest outcome."""
        return dict(json.loads(self(_LAST).stdout))

    def count(self) -> int:
        """Give how many requests there were."""
        return int(self.value("len(nbcache.cache.outcomes)"))

    def wrong(self, code: str) -> str:
        """Run a cell that is refused in one line; give the line."""
        ran = self.run(code)
        assert not ran.ok
        assert ran.reply["ename"] == "UsageError", ran.traceback
        assert "\n" not in ran.reply["evalue"]
        return str(ran.reply["evalue"])


@pytest.fixture(scope="session")
def magic_kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("magic")
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as running:
        yield running


@pytest.fixture
def notebook(magic_kernel, tmp_path):
    """An empty namespace and store, in a folder of its own."""
    magic_kernel.run("%unload_ext nbcache\n%reset -f")
    begun = magic_kernel.run(
        f"import os, nbcache, warnings\nos.chdir({str(tmp_path)!r})\n"
        f"nbcache.set_cache_dir({str(tmp_path / 'store')!r})\n"
        "nbcache.cache._registry.clear()\n%load_ext nbcache"
    )
    assert begun.ok, begun.traceback
    yield Notebook(magic_kernel)
    magic_kernel.run(
        "from nbcache import config\n"
        "config.configure(**dict.fromkeys(config.describe()))"
    )
