"""Cells between others, run without the cache, cold and warm, in a kernel for each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernel import Kernel, Ran

BEGIN = "from kinds_begin import begin as _begin; _begin()"
ASK = "__import__('kinds_begin').outcomes()"
_VARYING = (
    (re.compile(r"0x[0-9a-f]+"), "0x"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"/tmp/ipykernel_\d+/\d+\.py:\d+"), "CELL"),
    (re.compile(r"\d+(\.\d+)?(e[+-]\d+)? ?(ns|[uµμm]?s|min|it/s|s/it)\b"), "TIME"),
    (re.compile(r"\[[0-9:?]+<[0-9:?]+, +[^\]]+\]"), "[TIME]"),
    (re.compile(r"<dc:date>[^<]*|\b[mp][0-9a-f]{10}\b"), "PLOT"),
    (re.compile(r"(?m)^(?:[^\r\n]*\r(?!\n))+"), ""),
    (re.compile(r"(?m)^nbcache:\d+: CacheWarning: .* stored, .*\n"), ""),
)
_WARNED = {"kind": "stream", "name": "stderr", "text": ""}


@dataclass(frozen=True)
class Case:
    """A cell and what stands around it.

    Parameters
    ----------
    cell : str
        The cell, with its ``%%cached`` line.
    before, after : str
        Cells before it, and after it: the latter shows what it left.
    refused : str
        A part of the reason why it is not kept; '' for one that is.
    files : dict of str to str
        Written into the working directory first.
    same : bool
        Whether what it shows is the same in each run, up to times.
    """

    cell: str
    after: str = "0"
    before: str = ""
    refused: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    same: bool = True


@dataclass(frozen=True)
class Shown:
    """What one run of a case showed, and what the cache said of it."""

    cell: Ran
    after: Ran
    outcomes: list[dict[str, Any]]

    def pages(self) -> list[Any]:
        """Give what the notebook holds, without what differs in each run."""
        return [_steady(self.cell.page), _steady(self.after.page)]


def _steady(data: Any) -> Any:
    if isinstance(data, list):
        steady = [_steady(one) for one in data]
        return [one for one in steady if one != _WARNED]
    if isinstance(data, dict):
        steady = {
            key: one if key == "image/png" else _steady(one)
            for key, one in data.items()
        }
        view = steady.pop("application/vnd.jupyter.widget-view+json", None)
        return {**steady, "text/plain": "VIEW"} if view else steady
    if isinstance(data, str):
        for pattern, word in _VARYING:
            data = pattern.sub(word, data)
    return data


def uncached(cell: str) -> str:
    """Give a cell without its ``%%cached`` line."""
    lines = cell.split("\n")
    kept = [line for line in lines if not line.startswith(("%%cached", "%cached"))]
    return "\n".join(kept)


class Kinds:
    """The cases, each run once in a kernel without the cache, cold and warm.

    Parameters
    ----------
    folder : Path
        Where the store and the working directories are.
    cases : mapping of str to Case
        All are run, in this order.
    """

    def __init__(self, folder: Path, cases: Mapping[str, Case]) -> None:
        self._folder = folder
        self._cases = cases
        self._shown: dict[str, dict[str, Shown]] = {}

    def case(self, name: str) -> Case:
        """Give a case by name."""
        return self._cases[name]

    def shown(self, mode: str, name: str) -> Shown:
        """Give what a case showed in one of ``"uncached", "cold", "warm"``."""
        if mode == "warm":
            self._run("cold")
        return self._run(mode)[name]

    def _run(self, mode: str) -> dict[str, Shown]:
        if mode not in self._shown:
            place = self._folder / ("alone" if mode == "uncached" else "cached")
            place.mkdir(exist_ok=True)
            with Kernel(place, JUPYTER_DATA_DIR=str(self._folder)) as kernel:
                self._shown[mode] = {
                    name: _shown(kernel, place, mode, case)
                    for name, case in self._cases.items()
                }
        return self._shown[mode]


def _shown(kernel: Kernel, place: Path, mode: str, case: Case) -> Shown:
    for name, text in case.files.items():
        (place / name).write_text(text)
    begun = kernel.run(f"{BEGIN}\n{case.before}")
    assert begun.ok, begun.traceback
    plain = mode == "uncached"
    cell = kernel.run(uncached(case.cell) if plain else case.cell)
    # also takes the names away that the test itself has bound
    outcomes = json.loads(kernel.run(f"print({ASK})").stdout)
    after = kernel.run(case.after)
    return Shown(cell, after, outcomes)


def verify(kinds: Kinds, name: str) -> None:
    """See that a case is kept, or not for its reason, and shows the same each time."""
    case = kinds.case(name)
    plain, cold, warm = (
        kinds.shown(mode, name) for mode in ("uncached", "cold", "warm")
    )
    for one in (plain, cold, warm):
        assert one.after.ok, one.after.traceback
        assert one.cell.ok == plain.cell.ok, one.cell.traceback
    if case.refused:
        reasons = [one["refused"] for one in cold.outcomes]
        assert any(case.refused in reason for reason in reasons), reasons
        assert not any(one["hit"] for one in warm.outcomes)
    else:
        assert not any(one["hit"] for one in cold.outcomes)
        assert warm.outcomes, cold.cell.stderr
        assert all(one["hit"] for one in warm.outcomes), (cold.outcomes, warm.outcomes)
    if case.same:
        assert plain.pages() == cold.pages()
        assert plain.pages() == warm.pages()
    else:
        assert plain.pages()[1:] == cold.pages()[1:] == warm.pages()[1:]
