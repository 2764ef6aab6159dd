"""The rows of the table: what was measured, and whether it is fast enough."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = [
    "OURS",
    "AtMost",
    "Benchmark",
    "Faster",
    "Row",
    "Setup",
    "benchmarks",
    "text_of",
]

OURS = "nbcache"


@dataclass(frozen=True)
class Setup:
    """Where and how large.

    Parameters
    ----------
    folder : Path
        Empty; removed afterwards.
    quick : bool
        Tiny sizes and few rounds: whether it runs, not how fast.
    """

    folder: Path
    quick: bool

    def size(self, full: int, quick: int) -> int:
        """Give one of two sizes."""
        return quick if self.quick else full

    @property
    def rounds(self) -> int:
        """How often each case is measured."""
        return 2 if self.quick else 9

    def fresh(self, name: str) -> Path:
        """Give a new folder."""
        path = self.folder / name
        path.mkdir(parents=True)
        return path


@dataclass(frozen=True)
class AtMost:
    """A figure of ours that is not to be passed."""

    limit: float

    def verdict(self, row: Row) -> tuple[str, bool]:
        """Give the target as text, and whether it is met."""
        return f"≤ {text_of(self.limit, row.unit)}", row.ours <= self.limit


@dataclass(frozen=True)
class Faster:
    """How many times better than a peer it is to be."""

    factor: float
    peer: str

    def verdict(self, row: Row) -> tuple[str, bool]:
        """Give the target as text, and whether it is met."""
        theirs = row.figures.get(self.peer)
        said = f"≥ {self.factor:.3g} × {self.peer}"
        return said, theirs is not None and row.ratio(self.peer) >= self.factor


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters
    ----------
    work : str
        What was done.
    figures : dict of str to float
        By who did it; ours under `OURS`.
    targets : tuple
        Of AtMost and Faster.
    unit : str
        ``s``, ``B`` (less is better), ``×`` (growth: less is better) or ``/s`` (more
        is better).
    remark : str
        What must be known to read it.
    """

    work: str
    figures: dict[str, float]
    targets: tuple[AtMost | Faster, ...] = ()
    unit: str = "s"
    remark: str = ""

    @property
    def ours(self) -> float:
        """Our figure."""
        return self.figures[OURS]

    def ratio(self, peer: str) -> float:
        """Say how many times better than a peer we are."""
        ours, theirs = max(self.ours, 1e-12), max(self.figures[peer], 1e-12)
        return ours / theirs if self.unit == "/s" else theirs / ours

    @property
    def missed(self) -> bool:
        """Whether a target that could be judged is missed."""
        return any(
            not met
            for target in self.targets
            for _, met in [target.verdict(self)]
            if isinstance(target, AtMost) or target.peer in self.figures
        )


@dataclass(frozen=True)
class Benchmark:
    """Measures some rows."""

    name: str
    run: Callable[[Setup], Iterable[Row]]


@dataclass
class _Table:
    known: dict[str, Benchmark] = field(default_factory=dict)

    def __call__(
        self, name: str
    ) -> Callable[[Callable[[Setup], Iterable[Row]]], Callable[[Setup], Iterable[Row]]]:
        """Enter a function under a name."""

        def entered(
            run: Callable[[Setup], Iterable[Row]],
        ) -> Callable[[Setup], Iterable[Row]]:
            self.known[name] = Benchmark(name, run)
            return run

        return entered


benchmarks = _Table()


def text_of(value: float, unit: str) -> str:
    """Give a figure with three digits and a fitting unit."""
    if unit == "×":
        return f"{value:.2f} ×"
    if unit == "/s":
        return f"{value:,.0f} /s".replace(",", " ")
    scales = {
        "s": (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)),
        "B": (("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)),
    }[unit]
    name, scale = next((one for one in scales if value >= one[1]), scales[-1])
    return f"{value / scale:.3g} {name}"


def remove(path: str | os.PathLike[str]) -> None:
    """Delete a file that may be there."""
    Path(path).unlink(missing_ok=True)
