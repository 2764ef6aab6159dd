"""Imports that draw random numbers: a hit imports too, so they are not the run's."""

import json

import pytest
from kernel import Kernel

DRAWS = "import random, numpy\nVALUE = random.random() + numpy.random.random()\n"
STATE = "__import__('random').getstate()[1][:5]"
LAST = (
    "import json, nbcache.cache as c; o = c.outcomes[-1].to_json(); "
    "print(json.dumps([o['hit'], o.get('told', '')]))"
)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawing")
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as kernel:
        yield kernel


@pytest.fixture
def begin(running, tmp_path):
    """Give a function that makes the kernel as new: nothing is loaded or seeded."""
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "drawing.py").write_text(DRAWS)
    (tmp_path / "ownmodule.py").write_text(DRAWS)

    def begin(seed="random.seed(5); numpy.random.seed(5); R._seeded.clear()"):
        ran = running.run(
            "%reset -f\n%load_ext nbcache\n"
            "import os, sys, random, numpy, nbcache, nbcache.randomness as R\n"
            "nbcache.cache._registry.clear()\nnbcache.cache.outcomes.clear()\n"
            f"nbcache.set_cache_dir({str(tmp_path / 'store')!r})\n"
            f"os.chdir({str(tmp_path)!r})\n"
            "sys.modules.pop('drawing', 0); sys.modules.pop('ownmodule', 0)\n"
            f"sys.path[:0] = [{str(tmp_path)!r}, {str(packages)!r}]\n{seed}"
        )
        assert ran.ok, ran.traceback
        return running

    return begin


def run(kernel, cell):
    """Run a cell; give whether it was a hit, and what it wrote to stderr."""
    ran = kernel.run(cell)
    assert ran.ok, ran.traceback
    hit, told = json.loads(kernel.run(LAST).stdout)
    return hit, told or ran.stderr


def test_installed_package_that_draws_is_no_random_result(begin):
    """Nothing is said, and seeding otherwise does not matter."""
    cell = "%%cached a\nimport drawing\ny = 1"
    assert run(begin(), cell) == (False, "")
    assert run(begin("random.seed(1); numpy.random.seed(2)"), cell) == (True, "")


def test_generator_is_as_a_run_leaves_it(begin):
    """Where the package is loaded, no import draws; else it does, on a hit too."""
    cell = "%%cached a\nimport drawing\ny = 1"
    states = []
    for code in (cell, cell, cell.partition("\n")[2]):
        kernel = begin()
        kernel.run(code)
        states.append(kernel.run(STATE).result)
        kernel.run(code)
        states.append(kernel.run(STATE).result)
    assert len({str(state) for state in states}) == 1


def test_cell_that_draws_itself_is_a_random_result(begin):
    """After an import that draws, and before one."""
    for cell in (
        "%%cached a\nimport drawing\ny = random.random()",
        "%%cached b\ny = random.random()\nimport drawing",
    ):
        hit, told = run(begin(), cell)
        assert not hit
        assert "nobody seeded" in told


def test_own_module_that_draws_is_a_random_result(begin):
    """What it has drawn is in its values."""
    hit, told = run(begin(), "%%cached a\nimport ownmodule\ny = ownmodule.VALUE")
    assert not hit
    assert "nobody seeded" in told


def test_seeding_after_an_import_that_draws_decides_alone(begin):
    """The state before then matters no more."""
    cell = "%%cached a\nimport drawing\nrandom.seed(3)\ny = random.random()"
    assert run(begin(), cell) == (False, "")
    assert run(begin("random.seed(1)"), cell) == (True, "")
