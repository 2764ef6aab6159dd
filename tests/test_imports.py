"""What importing nbcache loads, and that the layer contracts cover all of it."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import nbcache

ROOT = Path(__file__).parents[1]
# The modules that may know Jupyter, and the two that reach them inside functions.
DOORS = {"cell", "magic", "widgets", "server", "demo"}
LATE = {"__main__", "cli"}


def contract(identifier):
    """One import-linter contract of pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    return next(one for one in contracts if one["id"] == identifier)


def modules():
    """The modules and packages directly inside nbcache."""
    return {module.name for module in pkgutil.iter_modules(nbcache.__path__)}


def loaded_after(code, packages, *, launcher=("-c",), environment=None):
    """Which of the packages a fresh process has loaded when it ran the code."""
    code += "\nimport sys, json"
    code += f"\nprint(json.dumps(sorted({packages!r} & set(sys.modules))))"
    process = subprocess.run(
        [sys.executable, *launcher, code],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def jupyter_packages():
    """The packages that headless modules must not load."""
    return set(contract("headless")["forbidden_modules"])


def test_import_loads_neither_pandas_nor_jupyter():
    """`import nbcache` is cheap: pandas alone would cost seconds."""
    heavy = {"pandas", *jupyter_packages()}
    assert loaded_after("import nbcache", heavy) == []


def test_load_ext_loads_neither_pandas_nor_ipywidgets(ipython_environment):
    """`%load_ext nbcache` in a real IPython waits for nothing that a hit can spare."""
    loaded = loaded_after(
        "%load_ext nbcache",
        {"pandas", "ipywidgets", "anywidget", "nbcache.magic"},
        launcher=("-m", "IPython", "--colors=NoColor", "-c"),
        environment=ipython_environment,
    )
    assert loaded == ["nbcache.magic"]


def test_command_line_loads_neither_pandas_nor_jupyter():
    """`nbcache --help` and the listings answer at once."""
    heavy = {"pandas", *jupyter_packages()}
    assert loaded_after("import nbcache.cli", heavy) == []


def test_headless_modules_load_no_jupyter():
    """What the contract says of the source holds for a process that imports them."""
    names = sorted(modules() - DOORS - LATE)
    code = "\n".join(f"import nbcache.{name}" for name in names)
    assert loaded_after(code, jupyter_packages()) == []


def test_headless_contract_names_every_module_that_is_no_door():
    """A new module cannot escape the contract by not being listed."""
    listed = {
        name.removeprefix("nbcache.") for name in contract("headless")["source_modules"]
    }
    assert listed == modules() - DOORS - LATE


@pytest.fixture
def ipython_environment(tmp_path, monkeypatch):
    """An IPython without the profile of whoever runs the tests."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("NBCACHE_DIR", str(tmp_path / "cache"))
    return dict(os.environ)
