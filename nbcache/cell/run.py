"""What a run of a cell left, besides the namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbcache import randomness, surroundings, trace
from nbcache.cell.altered import DefinitionWatch
from nbcache.cell.capture import Recording
from nbcache.cell.figures import FigureWatch
from nbcache.cell.logs import LogSettings
from nbcache.cell.mutation import InputWatch
from nbcache.keys import hashing
from nbcache.outcome import Computed
from nbcache.trace.observed import Observed

__all__ = ["Run"]


@dataclass
class Run:
    """What was recorded of a run.

    Parameters
    ----------
    before : mapping of str to object
        The namespace before it.
    inputs : InputWatch
        What it changed in place.
    around, touched, random, record, figures, logs, defined
        What it changed around itself, touched outside the process, drew of random
        numbers, showed, left open; how it set up logging; what it defined.
    texts : frozenset of str
        Those that stand in the cell.
    """

    before: Mapping[str, Any]
    inputs: InputWatch
    around: surroundings.Watch
    touched: trace.Trace
    random: randomness.RandomWatch
    record: Recording
    figures: FigureWatch
    logs: LogSettings
    defined: DefinitionWatch
    texts: frozenset[str]

    def computed(self, seconds: float, store: str, rng: str) -> Computed[None]:
        """Give the result of a run that may be kept as far as the namespace goes."""
        for library, digest in self.random.found(rng).items():
            self.touched.note([Observed("random", library, digest)])
        start = self.around.place.start(self.texts)
        if start:
            self.touched.note([Observed("folder", "", hashing.digest([start]))])
        settled = self.touched.settled(store)
        return Computed(
            None,
            seconds + settled.seconds,
            settled.refused,
            self.random.told(rng) or settled.told,
            settled.found,
            settled.written,
        )
