"""Programs of metrics made up by a seed, their edits, and how they are run."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import json
import os
import random
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import nbcache

__all__ = ["PLACES", "phases_of", "run_all"]

PLACES = {
    "cache": "None",
    "npz": 'nbcache.NpzStorage("kept")',
    "json": 'nbcache.JsonStorage("kept")',
    "pickle": 'Pickles("kept", ".pkl")',
    "own": "OWN",
}
_HEAD = """
import copy, os, pickle, random, sys
import numpy as np
import nbcache
from nbcache import Metrics


class Pickles(nbcache.FileStorage):
    def _save(self, path, data):
        with open(path, "wb") as file:
            pickle.dump(data, file)

    def _load(self, path):
        with open(path, "rb") as file:
            return pickle.load(file)


m = Metrics({where}, name="made", dynamic={dynamic})


def size(value):
    return len(repr(value))


def spoil(value):
    if isinstance(value, list):
        value.append("spoilt")
    elif isinstance(value, dict):
        value["spoilt"] = 1
    elif isinstance(value, np.ndarray):
        value[...] = 99
    return size(value)
"""


class Own:
    """A storage of a user's own: a dict that lives as long as its file."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def _all(self) -> dict[str, Any]:
        import pickle

        found: dict[str, Any] = {}
        if self.path.exists():
            found = pickle.loads(self.path.read_bytes())
        return found

    def exists(self, name: str) -> bool:
        return name in self._all()

    def save(self, name: str, data: Any) -> None:
        import pickle

        self.path.write_bytes(pickle.dumps({**self._all(), name: data}))

    def load(self, name: str) -> Any:
        return self._all()[name]

    def delete(self, name: str) -> None:
        import pickle

        rest = {one: kept for one, kept in self._all().items() if one != name}
        self.path.write_bytes(pickle.dumps(rest))

    def list(self) -> list[str]:
        return list(self._all())


_LINES = (
    "x.append(K{g})",
    "x.append(K{g} * p)",
    "x.append(h{g}({c}))",
    "x.append({ask})",
    "x.append({ask})",
    "x.append({ask})",
    "v = {ask}; x.append(spoil(v)); x.append({same})",
    "x.append(size({ask}))",
    "x.append(f{j}({q}))",
    "x.append(f{j}({q}, cache=True, verbose=False))",
    "x.append({ask} if size({ask2}) % 2 else {ask3})",
    "x.append({ask} if K{g} > 3 else {ask2})",
    'x.append({ask} if open("d{g}").read() > "3" else {c})',
    'x.append(open("d{g}").read())',
    'x.append(os.path.exists("e{g}"))',
    "np.random.seed({c}); x.append(float(np.random.rand()))",
    "np.random.seed({c})",
    "x.append(float(np.random.rand()) if SEEDED else 0)",
    "x.append(random.random() if SEEDED else 0)",
    "random.seed(K{g}); x.append(random.random())",
    "x.append(g{j}({c}))",
    'x.append(m.get("f{j}({q})", use_stored=False, verbose=False))',
    'x.append(m.compute("f{j}({q})", verbose=False))',
    'x.append(m.functions["f{j}({q})"]())',
    "x.append(m.f{j}.original_function({q}))",
    "x.append(m.f{j}.get_all()[-1])",
    "x.append(len(m.f{j}.params_list))",
    "x.append(P(K{g}).value({c}))",
    "try:\n        x.append({ask})\n    except ValueError:\n        x.append(-1)",
    'if K{g} > 3:\n        raise ValueError("K{g}")',
    "x.append([m.f{j}(q, verbose=False) for q in m.f{j}.params_list])",
    "x = [x, {ask}]",
)
_RETURNS = ("x", "x", "x", '{{"a": x}}', "[x, x]", "size(x)", "x[-1]")
_ARRAYS = ("np.arange({c}.0)", "np.array([p, K0])", "(x, p)")
_STEPS = (
    "m.f{i}({q}, verbose=False)",
    "m.f{i}({q}, verbose=False)",
    "m.f{i}({q}, verbose=False)",
    "m.f{i}({q}, verbose=False)",
    "m.f{i}.get_all()",
    'm.get("f{i}({q})", use_stored=False, verbose=False)',
    'm.compute("f{i}({q})", verbose=False)',
    'm.compute("f{i}({q})", force=True, verbose=False)',
    'spoil(m.compute("f{i}({q})", verbose=False))',
    'm.save("f{i}({q})", verbose=False)',
    'm.save("f{i}({q})", force=True, verbose=False)',
    'm.recompute("f{i}({q})", downstream=False, verbose=False)',
    '! m.recompute("f{i}({q})", verbose=False)',
    "spoil(m.f{i}({q}, verbose=False))",
    "g{i}({c})",
    "f{i}({q})",
    '! m.clear("f{i}({q})")',
    "! m.clear_cache()",
    '! m.load("f{i}({q})", verbose=False)',
    '! m.exists("f{i}({q})")',
    "! str(m.graph())",
    "= K{g} = {c}",
    "~ d{g} {c}",
    "~ e{g} {c}",
    "! os.path.exists('e{g}') and os.remove('e{g}')",
)


def _metric(made: random.Random, number: int, place: str) -> dict[str, Any]:
    lines = []
    for _ in range(made.randint(1, 4)):
        line = made.choice(_LINES)
        if ("{j}" in line or "{ask" in line) and number == 0:
            line = "x.append(K{g})"
        lines.append(_filled(made, line, number))
    returns = (*_RETURNS, *(() if place == "json" else _ARRAYS))
    return {
        "lines": lines,
        "returns": made.choice(returns).format(c=made.randint(1, 6)),
        "params": made.choice([[1], [1, 2], [2, 1, 3], [1, 2]]),
    }


def _filled(made: random.Random, line: str, below: int) -> str:
    def ask() -> str:
        said = "m.f{}({}, verbose=False)", "m.get('f{}({})', verbose=False)"
        return made.choice(said).format(made.randrange(max(below, 1)), 1)

    first = ask()
    return line.format(
        g=made.randrange(3),
        c=made.randint(1, 6),
        j=made.randrange(max(below, 1)),
        q=1,
        ask=first,
        same=first,
        ask2=ask(),
        ask3=ask(),
    )


def _program(made: random.Random, place: str) -> dict[str, Any]:
    count = made.randint(3, 8)
    return {
        "metrics": [_metric(made, number, place) for number in range(count)],
        "helpers": [made.randint(1, 5) for _ in range(3)],
        "globals": [made.randint(1, 5) for _ in range(3)],
        "files": [made.randint(1, 5) for _ in range(3)],
        "nested": [made.randrange(count) for _ in range(count)],
        "class": made.randint(1, 5),
        "seeded": made.random() < 0.3,
    }


def _edited(made: random.Random, before: dict[str, Any], place: str) -> dict[str, Any]:
    after = copy.deepcopy(before)
    for _ in range(made.choice([0, 1, 1, 1, 2, 3])):
        what = made.choice(
            [
                "metrics",
                "metrics",
                "metrics",
                "helpers",
                "globals",
                "files",
                "nested",
                "class",
                "params",
                "line",
            ]
        )
        number = made.randrange(len(after["metrics"]))
        metric = after["metrics"][number]
        if what == "metrics":
            after["metrics"][number] = _metric(made, number, place)
        elif what == "params":
            metric["params"] = [*metric["params"], made.randint(4, 6)]
        elif what == "line":
            metric["lines"].insert(0, f"x.append({made.randint(1, 9)})")
        elif what == "nested":
            after[what][number] = made.randrange(len(after[what]))
        elif what == "class":
            after[what] = made.randint(1, 5)
        else:
            after[what][made.randrange(3)] = made.randint(1, 5)
    return after


def _text(program: dict[str, Any], place: str) -> str:
    parts = [_HEAD.format(where=PLACES[place], dynamic=True)]
    parts.append(f"SEEDED = {program['seeded']}")
    for number, value in enumerate(program["globals"]):
        parts.append(f"K{number} = {value}")
    for number, value in enumerate(program["helpers"]):
        parts.append(f"def h{number}(c):\n    return c * {value} + K{number}")
    parts.append(
        f"class P:\n    def __init__(self, k):\n        self.k = k\n"
        f"    def value(self, c):\n        return self.k * c + {program['class']}"
    )
    for number, metric in enumerate(program["metrics"]):
        lines = "\n    ".join(metric["lines"])
        parts.append(
            f"@m.collect(params_list={metric['params']})\n"
            f"def f{number}(p):\n    sys.audit('nbcache_test.ran', {number})\n"
            f"    x = [p]\n    {lines}\n    return {metric['returns']}"
        )
        parts.append(
            f"@nbcache.cached\ndef g{number}(c):\n"
            f"    return [c, m.f{min(program['nested'][number], number)}"
            "(1, verbose=False)]"
        )
    return "\n\n\n".join(parts)


def phases_of(seed: int, place: str) -> list[list[dict[str, Any]]]:
    """Give what several processes run one after the other: programs and steps."""
    made = random.Random(f"{seed} {place}")
    versions = [_program(made, place)]
    processes = []
    for _ in range(made.randint(2, 4)):
        phases = []
        for _ in range(made.randint(1, 2)):
            program = made.choice([versions[-1], made.choice(versions)])
            count = len(program["metrics"])
            steps = [
                made.choice(_STEPS).format(
                    i=made.choice([count - 1, made.randrange(count)]),
                    q=made.choice([1, 1, 1, 2]),
                    g=made.randrange(3),
                    c=made.randint(1, 6),
                )
                for _ in range(made.randint(2, 6))
            ]
            steps += [f"m.f{one}(1, verbose=False)" for one in (count - 1, count // 2)]
            phases.append(
                {
                    "text": _text(program, place),
                    "files": program["files"],
                    "steps": steps,
                    "seeded": program["seeded"],
                }
            )
            versions.append(_edited(made, made.choice(versions[-2:]), place))
        processes.append(phases)
    return processes


def run_all(
    processes: list[list[dict[str, Any]]], folder: Path, *, stores: bool
) -> list[Any]:
    """Run each in a process of its own, one after the other; give what they got."""
    folder.mkdir()
    return [
        _forked(phases, folder, stores, number)
        for number, phases in enumerate(processes)
    ]


def _forked(phases: Any, folder: Path, stores: bool, number: int) -> Any:
    answer = folder / "answer"
    answer.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        try:
            warnings.simplefilter("ignore")
            os.dup2(os.open(folder / "stderr", os.O_CREAT | os.O_WRONLY), 2)
            os.chdir(folder)
            answer.write_text(json.dumps(_here(phases, stores, number)))
        except BaseException:
            answer.write_text(json.dumps(traceback.format_exc()))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    return json.loads(answer.read_text())


def _here(phases: Any, stores: bool, process: int) -> list[Any]:
    alive, answers = [], []
    with nbcache.config.using(dir=str(Path("store").absolute()), enabled=stores):
        for number, phase in enumerate(phases):
            for one, text in enumerate(phase["files"]):
                Path(f"d{one}").write_text(str(text))
            path = Path(f"v{process}_{number}.py").absolute()
            path.write_text(phase["text"])
            spec = importlib.util.spec_from_file_location("made", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            module.OWN = Own("own")  # type: ignore[attr-defined]
            sys.modules["made"] = module
            spec.loader.exec_module(module)
            alive.append(module)
            answers += [
                [phase["steps"][at], _step(step, module, phase["seeded"])]
                for at, step in enumerate(phase["steps"])
            ]
    return answers


def _step(step: str, module: Any, seeded: bool) -> Any:
    np.random.seed(7)
    random.seed(7)
    try:
        if step[0] == "=":
            exec(step[2:], vars(module))
            return None
        if step[0] == "~":
            _, name, text = step.split()
            Path(name).write_text(text)
            return None
        if step[0] == "!":
            with contextlib.suppress(nbcache.NotCached, ValueError):
                eval(step[2:], vars(module))
            return None
        value = eval(step, vars(module))
    except Exception as error:
        value = f"{type(error).__name__}: {error}"
    return [repr(value), float(np.random.rand()) if seeded else 0]
