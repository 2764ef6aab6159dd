"""What a file of an earlier package gives, and why it may give nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nbcache.errors import NbcacheError

__all__ = ["Format", "Given", "Refused", "Result"]


class Refused(NbcacheError, ValueError):
    """A file cannot be read, must not be read, or is of another kind."""


@dataclass(frozen=True, slots=True)
class Result:
    """One result.

    Parameters
    ----------
    name : str
        By which it will be listed and loaded.
    id : str
        By which the earlier package knew it.
    value : object
        The result itself.
    content : str
        What tells this result from another one of that name and id.
    seconds : float
        s that computing it took; 0.0 if that is not known.
    state : dict
        What its entry keeps besides.
    created : float, optional
        When it was computed, in s since 1970.  None: when its file was last changed.
    """

    name: str
    id: str
    value: Any
    content: str
    seconds: float = 0.0
    state: dict[str, Any] = field(default_factory=dict)
    created: float | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What one file gave.

    Parameters
    ----------
    results : sequence of Result
        In its order.
    unfinished : int
        Runs that it lists without a result.
    remark : str
        What may be other than it was; '' if nothing.
    """

    results: Sequence[Result] = ()
    unfinished: int = 0
    remark: str = ""


class Format(Protocol):
    """How one earlier package kept its results."""

    @property
    def kind(self) -> str:
        """What the user calls it."""

    @property
    def folder(self) -> str:
        """Name of the folder that it made; '' if that was the user's to choose."""

    def asked(self) -> Format:
        """Give the format as it is where it alone is looked for."""

    def may_hold(self, path: Path) -> bool:
        """Say by its name whether a file can be one with results."""

    def holds(self, path: Path) -> bool:
        """Say by its form whether a file is one of this package; runs nothing of it.

        Raises
        ------
        Refused
            It cannot be read.
        """

    def read(self, path: Path, *, allow_pickle: bool) -> Given:
        """Give what a file holds.

        Raises
        ------
        Refused
            It needs unpickling and may not, or is not what it seemed to be.
        """
