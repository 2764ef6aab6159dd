"""Rows: cells, and the first hit of a process with all imports."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

from .children import run_python
from .rows import OURS, AtMost, Row, Setup, benchmarks
from .subjects import peer
from .timing import Case, measure

_LINES = 200


@benchmarks("cell")
def cell(setup: Setup) -> Iterator[Row]:
    """Measure a hit of a cell of 200 lines over a cell that does nothing."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.io import capture_output

    from nbcache import config

    shell: Any = InteractiveShell()
    lines = [f"x{number} = {number} * 2 + len('{number}')" for number in range(_LINES)]
    plain = "\n".join(lines)
    hit = f"%%cached\n{plain}"
    with config.using(dir=str(setup.fresh("cell"))), capture_output():
        shell.run_line_magic("load_ext", "nbcache")
        shell.run_cell(hit)
        cases = [
            Case("cached", lambda: shell.run_cell(hit)),
            Case("plain run_cell", lambda: shell.run_cell(plain)),
            Case("nothing", lambda: shell.run_cell("pass")),
        ]
        found = measure(cases, setup.rounds)
    yield Row(
        f"%%cached hit of {_LINES} lines, over an empty cell",
        {
            OURS: found["cached"] - found["nothing"],
            "plain run_cell": found["plain run_cell"] - found["nothing"],
        },
        (AtMost(10e-3),),
    )


_WORK = """
import numpy
def small(x):
    return numpy.full(16, float(x))
"""
# as their users write it, with nothing else imported
_PROGRAMS = {
    OURS: "import nbcache" + _WORK + "nbcache.Cache({folder!r}).cached(small)(3.0)",
    "joblib": "import joblib"
    + _WORK
    + "joblib.Memory({folder!r}, verbose=0).cache(small)(3.0)",
    "diskcache": "import diskcache"
    + _WORK
    + "diskcache.Cache({folder!r}).memoize()(small)(3.0)",
}


@benchmarks("import")
def imports(setup: Setup) -> Iterator[Row]:
    """Measure import and first hit in a new process, over importing numpy."""
    folder = setup.fresh("import")
    names = [OURS, *(name for name in ("joblib", "diskcache") if peer(name))]
    (folder / "numpy_alone.py").write_text("import numpy")
    programs = {"numpy": str(folder / "numpy_alone.py")}
    for name in names:
        path = folder / f"with_{name}.py"
        path.write_text(_PROGRAMS[name].format(folder=str(folder / name)))
        programs[name] = str(path)
        run_python(str(path))
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(setup.size(9, 1)):
        for name, program in programs.items():
            began = time.perf_counter()
            run_python(program)
            times[name].append(time.perf_counter() - began)
    found = {name: statistics.median(some) for name, some in times.items()}
    yield Row(
        "import and first hit in a new process, over numpy",
        {name: max(0.0, found[name] - found["numpy"]) for name in names},
        (AtMost(30e-3),),
        remark=f"numpy itself: {found['numpy'] * 1e3:.0f} ms",
    )
