"""Run a program plain and cached, and say in what they disagree."""

from __future__ import annotations

import json
import keyword
import re
import shutil
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from differential.programs import Notebook, Program
from differential.runner import Server

__all__ = ["Laboratory", "Verdict"]


@dataclass
class Verdict:
    """What came of one program.

    Parameters
    ----------
    wrong : list of str
        Where a cached run left something else than the plain one.
    needless : list of str
        Cells that ran again though nothing that they depend on was edited.
    refused : Counter of str
        Why cells were not stored.
    unfit : bool
        Whether the plain run did not come to an end.
    hits, cells : int
        Of the warm runs.
    """

    wrong: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    unfit: bool = False
    hits: int = 0
    cells: int = 0

    def __str__(self) -> str:
        """Say it in a few lines."""
        return "\n".join([*self.wrong[:12], *self.needless[:6]])


class Laboratory:
    """Where programs are run: four warm processes and a folder.

    Parameters
    ----------
    home : Path
        An empty folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._servers = {
            (mode, seed): Server(mode, seed, home)
            for mode in ("plain", "cached")
            for seed in (1, 2)
        }
        self._pool = ThreadPoolExecutor(2)

    def close(self) -> None:
        """End the processes."""
        for server in self._servers.values():
            server.close()
        self._pool.shutdown()

    def judge(self, program: Program) -> Verdict:
        """Run a program plain and cached, edited plain and cached, and once more."""
        # as long as the other name: texts may be cut at a width
        place = self.home / uuid.uuid4().hex[:12]
        try:
            return self._judge(program, place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _judge(self, program: Program, place: Path) -> Verdict:
        verdict = Verdict()
        runs = []
        notebooks = (program.first, program.second, program.first)
        for number, notebook in enumerate(notebooks):
            fresh = number == 0 or program.fresh
            seed = 1 + number % 2
            if number < 2 or not program.fresh:
                plain, cached = self._pool.map(
                    lambda mode, n=notebook, f=fresh, s=seed: self._run(
                        mode, s, place, n, f
                    ),
                    ("plain", "cached"),
                )
            else:
                cached = self._run("cached", seed, place, notebook, fresh)
                plain = runs[0][0]
            if "died" in plain:
                return Verdict(unfit=True)
            runs.append((plain, cached))
            for text in _differences(plain, cached):
                verdict.wrong.append(f"run {number + 1}: {text}")
            if number == 0:
                for told in cached.get("cells", ()):
                    for outcome in told["outcomes"]:
                        if outcome["refused"]:
                            verdict.refused[_cause(outcome["refused"])] += 1
            else:
                done = [
                    one["hit"] for c in cached.get("cells", ()) for one in c["outcomes"]
                ]
                verdict.hits += sum(done)
                verdict.cells += len(done)
        if not verdict.wrong:
            _needless(program, [cached for _, cached in runs], verdict)
        return verdict

    def repeatable(self, program: Program) -> list[str]:
        """Run a program plain twice; say in what the runs differ."""
        place = self.home / uuid.uuid4().hex[:12]
        told = []
        for notebook in (program.first, program.second):
            one = self._run("plain", 1, place, notebook, True)
            other = self._run("plain", 1, place, notebook, True)
            told += _differences(one, other)
        shutil.rmtree(place, ignore_errors=True)
        return told

    def _run(
        self, mode: str, seed: int, place: Path, notebook: Notebook, fresh: bool
    ) -> dict[str, Any]:
        folder = place / f"{mode:_<6}" / "work"
        if fresh:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in notebook.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        server = self._servers[mode, seed]
        server.start(
            folder,
            place / "store",
            [[cell.text, cell.cached] for cell in notebook.cells],
        )
        told = json.dumps(server.finish())
        found: dict[str, Any] = json.loads(told.replace(str(folder), "<work>"))
        return found


def _cause(refused: str) -> str:
    return re.sub(r"'[^']*'|/\S+|\d+", "~", refused)[:90]


def _differences(plain: dict[str, Any], cached: dict[str, Any]) -> list[str]:
    if "died" in cached:
        return [f"the cached process died: {cached['died']}"]
    found = []
    for number, (one, other) in enumerate(
        zip(plain["cells"], cached["cells"], strict=True)
    ):
        if one["outputs"] != other["outputs"]:
            how = [("hit" if o["hit"] else "miss") for o in other["outcomes"]]
            found.append(
                f"output of cell {number} ({how}): plain {one['outputs']!r} "
                f"cached {other['outputs']!r}"
            )
    for part in ("values", "state"):
        one, other = plain[part], cached[part]
        found += [
            f"{part} {path}: plain {one.get(path, '<nothing>')} | "
            f"cached {other.get(path, '<nothing>')}"
            for path in sorted(one.keys() | other.keys())
            if one.get(path) != other.get(path)
        ]
    return found


# --- needless runs


def _needless(program: Program, runs: list[dict[str, Any]], verdict: Verdict) -> None:
    cold, warm, again = runs
    stored = {
        number
        for number, told in enumerate(cold["cells"])
        if told["outcomes"] and told["outcomes"][-1]["stored"]
    }
    same = _unaffected(program)
    texts = [cell.text for cell in program.first.cells]
    # files that the run before left, or not, matter to these
    others = _reached(texts, [text for text in texts if _FILES.search(text)])
    for number in sorted(stored - others):
        for run, place in ((warm, same.get(number)), (again, number)):
            if place is None or not run["cells"][place]["outcomes"]:
                continue
            outcome = run["cells"][place]["outcomes"][-1]
            if not outcome["hit"]:
                told = outcome["changes"] or outcome["refused"]
                verdict.needless.append(
                    f"{'warm' if run is warm else 'third'} run: cell {number} ran "
                    f"again: {outcome['reason']} {told}"
                )


_FILES = re.compile(
    r"open|write|savetxt|save|dump|to_csv|to_json|listdir|glob|exists|remove|unlink|"
    r"mkdir|makedirs|iterdir|is_file"
)


_WORDS = re.compile(r"[A-Za-z_]\w*")
_EVERYWHERE = re.compile(
    r"set_printoptions|seterr|set_option|seed|random|environ|chdir|putenv|"
    r"open|write|save|dump|to_csv|to_json|unlink|remove|mkdir|makedirs|import|\b_+\b|Out|"
    r"filterwarnings|simplefilter"
)
_COMMON = frozenset(keyword.kwlist) | frozenset(
    [
        "np",
        "pd",
        "os",
        "random",
        "json",
        "pathlib",
        "collections",
        "dataclasses",
        "re",
        "math",
        "print",
        "display",
        "len",
        "sum",
        "sorted",
        "range",
        "list",
        "dict",
        "set",
        "tuple",
        "int",
        "float",
        "str",
        "bool",
        "zip",
        "map",
        "max",
        "min",
        "repr",
        "append",
        "array",
    ]
)


def _unaffected(program: Program) -> dict[int, int]:
    """Give the cells that no edit reaches: place in the first and second notebook.

    By words: an edited cell affects whatever holds one of its words, and so on.
    """
    first = [cell.text for cell in program.first.cells]
    second = [cell.text for cell in program.second.cells]
    places = program.same
    if program.first.files != program.second.files and program.edit != "none":
        return {}
    changed = [text for i, text in enumerate(first) if i not in places]
    changed += [t for j, t in enumerate(second) if j not in set(places.values())]
    if any(_EVERYWHERE.search(text) for text in changed):
        return {}
    reached = _reached(first, changed)
    return {
        i: j
        for i, j in places.items()
        if i not in reached and not (changed and re.search(r"\b_+\d*\b|Out", first[i]))
    }


def _reached(texts: list[str], sources: list[str]) -> set[int]:
    """Give the cells that some pieces of code reach: by words, and so on from them."""
    words = {word for text in sources for word in _WORDS.findall(text)} - _COMMON
    reached: set[int] = set()
    while True:
        more = {
            number
            for number, text in enumerate(texts)
            if number not in reached
            and (words & set(_WORDS.findall(text)) or text in sources)
        }
        if not more:
            return reached
        reached |= more
        for number in more:
            if _EVERYWHERE.search(texts[number]) and texts[number] not in sources:
                return set(range(len(texts)))
            words |= set(_WORDS.findall(texts[number])) - _COMMON
