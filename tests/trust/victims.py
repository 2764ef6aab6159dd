"""What the tests of hostile stores call, and what a payload would like to reach."""

from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import Any

import numpy as np

MARK = Path(os.environ.get("NBCACHE_TEST_MARK", "/nonexistent/mark"))
"""Made by whatever code of an entry runs."""


def compute(x: int) -> dict[str, Any]:
    """Give a result of some size."""
    return {"table": np.arange(20_000) * x, "text": f"result {x}", "list": [x] * 40}


def traced(x: int) -> str:
    """Read a file, so that the result stands under a key of its own."""
    return f"{x} {Path('data.txt').read_text()}"


def mark(*_: Any) -> str:
    """Leave the mark of a payload that ran."""
    MARK.write_text("ran")
    return "ran"


class Gadget:
    """A class of the user's that acts on its state when it goes."""

    path = ""

    def __del__(self) -> None:
        if self.path:
            mark()

    def __hash__(self) -> int:
        mark()
        return 1


class Looks(enum.Flag):
    """An enumeration that runs code for what it does not know."""

    ONE = 1

    @classmethod
    def _missing_(cls, value: object) -> Any:
        mark()
        return cls.ONE


class Evil:
    """What runs when it is unpickled."""

    def __reduce__(self) -> Any:
        return mark, ()
