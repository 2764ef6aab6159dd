"""Last values that are shown but not kept."""

from __future__ import annotations

from typing import Any

__all__ = ["Standin", "is_figure"]


class Standin:
    """Stands for a last value that cannot outlive its kernel: it looks the same.

    Parameters
    ----------
    text : str
        The repr of what it stands for.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def is_figure(value: Any) -> bool:
    """Say whether a last value is a figure or part of one: shown, but not kept."""
    first = value[0] if isinstance(value, list | tuple) and value else value
    return type(first).__module__.partition(".")[0] == "matplotlib"
