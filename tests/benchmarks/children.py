"""What only a new process shows: the first hit, imports, many at once.

As a program: ``python -m benchmarks.children KIND NAME FOLDER ARGUMENT`` prints a
number.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

__all__ = [
    "at_once",
    "run_python",
    "seconds_in_a_new_process",
]


def _environment() -> dict[str, str]:
    places = [str(Path(place or ".").resolve()) for place in sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


def run_python(*arguments: str) -> str:
    """Give what a new interpreter prints."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=_environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def _child(*arguments: object) -> list[str]:
    return ["-m", f"{__package__}.children", *map(str, arguments)]


def seconds_in_a_new_process(
    names: list[str], folder: Path, size: int, rounds: int
) -> dict[str, float]:
    """Give the median time of the first call of each cached function."""
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, found in times.items():
            found.append(float(run_python(*_child("first", name, folder, size))))
    return {name: statistics.median(found) for name, found in times.items()}


def at_once(
    kind: str, name: str, folder: Path, processes: int, seconds: float
) -> float:
    """Give how many calls a second several processes do together."""
    started = [
        subprocess.Popen(
            [sys.executable, *_child(kind, name, folder, f"{number} {seconds}")],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for one in started:
        assert one.stdout is not None
        one.stdout.readline()  # it is ready
    for one in started:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    return sum(float(one.communicate()[0]) for one in started)


def _first(name: str, folder: Path, size: int) -> float:
    from . import work
    from .subjects import cached_by

    if name == "np.load":
        import numpy as np

        began = time.perf_counter()
        with np.load(folder / "array.npz") as file:
            file["value"]
        return time.perf_counter() - began
    function = cached_by([name], work.numbers, folder)[name]
    # whatever is imported late is imported now
    cached_by([name], work.one, folder / "warm")[name](1.0)
    began = time.perf_counter()
    function(size)
    return time.perf_counter() - began


def _many(name: str, folder: Path, argument: str, *, new: bool) -> float:
    from . import work
    from .subjects import cached_by

    number, seconds = argument.split()
    function = cached_by([name], work.one, folder)[name]
    for value in range(50):
        function(float(value))
    print("ready", flush=True)
    sys.stdin.readline()
    end, calls = time.perf_counter() + float(seconds), 0
    began = time.perf_counter()
    while time.perf_counter() < end:
        value = 1e6 * (1 + int(number)) + calls if new else calls % 50
        function(float(value))
        calls += 1
    return calls / (time.perf_counter() - began)


def main(kind: str, name: str, place: str, argument: str) -> None:
    """Print what was asked for."""
    folder = Path(place)
    if kind == "first":
        print(_first(name, folder, int(argument)))
    else:
        print(_many(name, folder, argument, new=kind == "misses"))


if __name__ == "__main__":
    main(*sys.argv[1:])
