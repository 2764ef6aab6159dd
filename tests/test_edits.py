"""What makes a result be computed anew: edits between two real processes."""

import json
import textwrap
from pathlib import Path

import pytest
from kernel import Kernel
from scenarios import MODULE, SCENARIOS, Scenario

LAST = "import json, nbcache.cache as c; print(json.dumps(c.outcomes[-1].to_json()))"


def as_function(body: str) -> str:
    return f"@nbcache.cached\ndef ask(x):\n    {body}\n\nask(2)"


def as_cell(body: str) -> str:
    """Turn the body of a function into the lines of a cell."""
    lines = textwrap.dedent(f"    {body}").replace("return ", "answer = ")
    return f"%%cached ask\nx = 2\n{lines}"


ASKED = {"function": as_function, "cell": as_cell}


def ask(kernel: Kernel, folder: Path, name: str, setup: str, question: str) -> dict:
    """Ask in a namespace and a store of their own."""
    scenario = SCENARIOS[name]
    kernel.run("%reset -f\nimport sys\nsys.modules.pop('localmod', None)")
    kernel.run("import nbcache\n%load_ext nbcache")
    kernel.run(f"nbcache.set_cache_dir({str(folder / 'caches' / name)!r})")
    for text in (setup, question):
        ran = kernel.run(text)
        assert ran.ok, f"{scenario}: {ran.traceback}"
    return json.loads(kernel.run(LAST).stdout)


CASES = [(kind, name) for name, one in SCENARIOS.items() for kind in one.kinds]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[tuple[str, str], list[dict]]:
    """Ask everything of functions and of cells."""
    found = {}
    for kind in ASKED:
        names = [name for one, name in CASES if one == kind]
        answers = all_asked(tmp_path_factory.mktemp(kind), ASKED[kind], names)
        found.update({(kind, name): answers[name] for name in names})
    return found


def all_asked(folder, asked, names) -> dict[str, list[dict]]:
    """Ask in one kernel, then edited in another, then there in the first's way."""
    module = folder / "localmod.py"
    found: dict[str, list[dict]] = {name: [] for name in names}
    scenarios = {name: SCENARIOS[name] for name in names}
    with Kernel(folder, JUPYTER_DATA_DIR=str(folder / "jupyter")) as kernel:
        for name, scenario in scenarios.items():
            module.write_text(MODULE)
            found[name].append(
                ask(kernel, folder, name, scenario.before, asked(scenario.body))
            )
        kernel.restart()
        kernel.run("import sys; sys.dont_write_bytecode = True")
        for name, scenario in scenarios.items():
            module.write_text(scenario.files.get("localmod.py", MODULE))
            body = scenario.new_body or scenario.body
            found[name].append(ask(kernel, folder, name, scenario.after, asked(body)))
        for name, scenario in scenarios.items():
            module.write_text(MODULE)
            found[name].append(
                ask(kernel, folder, name, scenario.before, asked(scenario.body))
            )
    return found


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_an_edit_counts_exactly_if_it_matters(outcomes, kind, name):
    """Stored at first; after the edit a hit or not; the earlier code hits again."""
    scenario: Scenario = SCENARIOS[name]
    first, second, third = outcomes[kind, name]
    assert not first["hit"]
    assert first["stored"], first["refused"]
    assert second["hit"] != scenario.again, second
    assert third["hit"], third


@pytest.mark.parametrize("kind", ASKED)
def test_a_miss_names_what_changed(outcomes, kind):
    """In the user's words, down to the value behind a helper."""
    changes = outcomes[kind, "helpers_global"][1]["changes"]
    assert "helper helper → global K: 1 → 2" in changes
    assert outcomes[kind, "own_body"][1]["changes"] == ["code changed (line 3)"]
    assert outcomes[kind, "own_body"][1]["reason"] == "code"


def test_a_module_edited_without_reload_counts_as_it_runs(tmp_path):
    """The running code is what computes, so it is what counts."""
    module = tmp_path / "localmod.py"
    module.write_text(MODULE)
    with Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")) as kernel:
        kernel.run("import nbcache, localmod\n%load_ext nbcache")
        kernel.run("f = nbcache.cached(lambda x: localmod.scale(x))")
        assert kernel.run("f(2)").result == {"text/plain": "20"}
        module.write_text(MODULE.replace("K = 10", "K = 1000"))
        assert kernel.run("f(2)").result == {"text/plain": "20"}
        assert json.loads(kernel.run(LAST).stdout)["hit"]
        kernel.run("import importlib; importlib.reload(localmod)")
        assert kernel.run("f(2)").result == {"text/plain": "2000"}
        assert not json.loads(kernel.run(LAST).stdout)["hit"]


def test_a_module_imported_in_the_cell_has_one_identity(tmp_path):
    """Before and after its import, and in the next kernel; an edit counts."""
    module = tmp_path / "localmod.py"
    module.write_text(MODULE)
    cell = "%%cached a\nimport localmod\ny = localmod.scale(2)"
    with Kernel(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")) as kernel:
        hits = []
        for round_ in range(3):
            kernel.run("%load_ext nbcache")
            for _ in range(2):
                assert kernel.run(cell).ok
                hits.append(json.loads(kernel.run(LAST).stdout)["hit"])
            kernel.restart()
            if round_ == 1:
                module.write_text(MODULE.replace("K = 10", "K = 1000"))
    assert hits == [False, True, True, True, False, True]
