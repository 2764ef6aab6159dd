"""Figures that pyplot holds open: hidden inputs of a cell, and hidden results.

The inline backend closes figures at the end of each cell.  Elsewhere they stay, and the
next cell draws on the last one.  A run that used pyplot with nothing open stands for
just that: it is stored with the figures that it left open, and is no hit while others
are open.
"""

from __future__ import annotations

import os
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = [
    "FIGURES",
    "FigureWatch",
    "close_since",
    "is_drawn",
    "open_figures",
    "require_none_open",
    "watching",
]

FIGURES = "<figures>"
_HOLDER = "matplotlib._pylab_helpers"


class _Counted(OrderedDict[Any, Any]):
    """The figures of pyplot, counting how often anyone asks for them."""

    uses = 0

    def _count(self) -> None:
        _Counted.uses += 1

    def __bool__(self) -> bool:
        self._count()
        return len(self) > 0

    def __iter__(self) -> Iterator[Any]:
        self._count()
        return super().__iter__()

    def __setitem__(self, key: Any, value: Any) -> None:
        self._count()
        super().__setitem__(key, value)

    def get(self, key: Any, default: Any = None) -> Any:
        self._count()
        return super().get(key, default)

    def values(self) -> Any:
        self._count()
        return super().values()


def _holder() -> Any:
    module = sys.modules.get(_HOLDER)
    return getattr(module, "Gcf", None)


def open_figures() -> dict[int, Any]:
    """Give the figures that pyplot holds open, by identity of their windows."""
    holder = _holder()
    if holder is None:
        return {}
    return {id(one): one.canvas.figure for one in list(holder.figs.values())}


class FigureWatch:
    """What a run does with the figures of pyplot."""

    def __init__(self) -> None:
        holder = _holder()
        if holder is not None and not isinstance(holder.figs, _Counted):
            holder.figs = _Counted(holder.figs)
        self._before = open_figures()
        self._loaded = holder is not None
        self._uses = _Counted.uses
        self.used = False

    def end(self) -> None:
        """Note at the end of the cell's own code whether it used any."""
        if self._loaded:
            self.used = _Counted.uses != self._uses
        else:
            self.used = "matplotlib.pyplot" in sys.modules

    @property
    def left(self) -> list[Any]:
        """The figures that the run left open."""
        now = open_figures()
        return [figure for key, figure in now.items() if key not in self._before]

    def refusal(self) -> str:
        """Say why what the run drew may not be kept; '' if it may."""
        if not self.used or not self._before:
            return ""
        return (
            "it uses pyplot while a figure of an earlier cell is open, which no key "
            "shows. Close that first: plt.close('all')"
        )

    def to_json(self) -> dict[str, Any]:
        """Give what a hit must find, for the state of an entry."""
        return {"pyplot": "inline" if _is_inline() else "other"} if self.used else {}


@contextmanager
def watching() -> Iterator[FigureWatch]:
    """Watch the figures of pyplot inside a ``with`` block."""
    watch = FigureWatch()
    try:
        yield watch
    finally:
        watch.end()


def require_none_open(state: Mapping[str, Any]) -> None:
    """See that pyplot is as it was before the run.

    Raises
    ------
    LookupError
        If the run used pyplot, and figures are open now or are kept open otherwise.
    """
    wanted = state.get("pyplot")
    if wanted is None:
        return
    if open_figures():
        raise LookupError("a figure of pyplot is open, on which it would draw")
    if wanted != ("inline" if _is_inline() else "other"):
        raise LookupError("it was drawn by another kind of backend")


def close_since(before: Mapping[int, Any]) -> None:
    """Close the figures that were opened since `open_figures` gave `before`."""
    holder = _holder()
    for manager in list(holder.figs.values()) if holder is not None else ():
        if id(manager) not in before:
            holder.destroy(manager)


def _is_inline() -> bool:
    """Tell whether figures are shown and closed at the end of each cell."""
    matplotlib = sys.modules.get("matplotlib")
    name = os.environ.get("MPLBACKEND", "")
    if matplotlib is not None:
        # not `get_backend()`, which may choose one
        chosen = dict.get(matplotlib.rcParams, "backend")
        name = chosen if isinstance(chosen, str) else name
    return "inline" in name


def is_drawn(value: Any) -> bool:
    """Say whether a last value is a figure or part of one: shown, but not kept."""
    first = value[0] if isinstance(value, list | tuple) and value else value
    return type(first).__module__.partition(".")[0] == "matplotlib"
