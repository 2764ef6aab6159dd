"""The functions that are cached, and the values that they give.

In a module of their own, so that other processes have the same.
"""

from __future__ import annotations

import numpy as np

__all__ = ["frame", "many_arrays", "numbers", "ragged_arrays", "small", "table"]


def small(x: float) -> np.ndarray:
    """Give sixteen numbers."""
    return np.full(16, float(x))


def one(x: float) -> float:
    """Give a number."""
    return x * 2.0


def numbers(size: int, seed: int = 0) -> np.ndarray:
    """Give `size` bytes of random float64."""
    return np.random.default_rng(seed).standard_normal(max(1, size // 8))


def many_arrays(count: int) -> list[np.ndarray]:
    """Give arrays of 100 numbers."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(100) for _ in range(count)]


def ragged_arrays(count: int) -> list[np.ndarray]:
    """Give arrays of 1 to 200 numbers."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(number % 200 + 1) for number in range(count)]


def frame(rows: int):
    """Give a DataFrame of eight columns: numbers, times, categories, text."""
    import pandas as pd

    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "a": rng.standard_normal(rows),
            "b": rng.standard_normal(rows),
            "count": rng.integers(0, 1000, rows),
            "code": rng.integers(0, 9, rows).astype("i4"),
            "flag": rng.random(rows) < 0.1,
            "time": pd.date_range("2020", periods=rows, freq="s"),
            "kind": pd.Categorical.from_codes(rng.integers(0, 5, rows), list("abcde")),
            "text": pd.Series(rng.integers(0, 10**6, rows)).astype(str),
        }
    )


def table(rows: int):
    """Give the same, as the work that is cached."""
    return frame(rows)
