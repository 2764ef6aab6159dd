"""Cases measured in turn: whatever slows the machine down slows down all of them."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Case", "measure"]


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Case:
    """What is measured under a name.

    Parameters
    ----------
    name : str
    run : callable
        What is timed.
    before, after : callable
        What is done around each measurement, not timed.
    calls : int
        How often `run` is called for one measurement.
    """

    name: str
    run: Callable[[], object]
    before: Callable[[], object] = nothing
    after: Callable[[], object] = nothing
    calls: int = 1


def measure(cases: list[Case], rounds: int) -> dict[str, float]:
    """Give the median time of one call of each case, in s.

    All cases run once in each round, in an order drawn anew; once before that, not
    counted.
    """
    order = random.Random(1)
    times: dict[str, list[float]] = {case.name: [] for case in cases}
    for number in range(rounds + 1):
        for case in order.sample(cases, len(cases)):
            taken = _once(case)
            if number:
                times[case.name].append(taken)
    return {name: statistics.median(found) for name, found in times.items()}


def _once(case: Case) -> float:
    case.before()
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        for _ in range(case.calls):
            case.run()
        taken = time.perf_counter() - began
    finally:
        gc.enable()
    case.after()
    return taken / case.calls
