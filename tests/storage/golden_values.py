"""The values in the golden files of `test_golden`: what every later version reads."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd

KEY = "0123456789abcdef0123456789abcdef"


def golden_values() -> dict[str, Any]:
    """Give values of all kinds that need no pickle; `big` is compressible."""
    shared = np.arange(3)
    return {
        "x": np.linspace(0, 1, 7),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "structured": np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]),
        "when": np.array(["2026-01-02", "NaT"], "datetime64[D]"),
        "masked": np.ma.array([1, 2, 3], mask=[0, 1, 0]),
        "big": np.zeros((60, 50)),
        "plain": [None, True, 2**70, 1.5, 2j, "ä\ud800", b"\0", (1, [2]), {3: {4}}],
        "standard": [
            datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC),
            decimal.Decimal("1.10"),
            range(3),
            slice(1, 2),
        ],
        "shared": [shared, shared],
        "table": pd.DataFrame(
            {
                "n": [1, 2, 3],
                "text": ["a", None, "c"],
                "kind": pd.Categorical(["u", "v", "u"]),
                "time": pd.date_range("2026-01-01", periods=3, tz="UTC"),
            },
            index=["p", "q", "r"],
        ),
    }
