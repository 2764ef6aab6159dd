"""A picture of what a cache is worth: time saved and size on disk, by name."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any

from nbcache import info
from nbcache.cache import Core
from nbcache.stats import Sum, summed, sums

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot"]

MOST_NAMES = 20
_SAVED, _SIZE = "#2a7f9e", "#c9803c"


def plot(core: Core) -> Figure:
    """Give a figure of the seconds saved and the bytes stored, by name.

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Notes
    -----
    A figure of its own, which no other window or backend knows: a notebook shows it as
    the last value of a cell, ``savefig`` writes it.
    """
    try:
        picture = _picture()
    except ImportError as error:
        raise ImportError(
            "the plot needs matplotlib: pip install 'nbcache[plot]'"
        ) from error
    found = sums(core)
    shown = _shown(found)
    total = summed(found)
    size = 9, 1.6 + 0.32 * max(len(shown), 3)
    figure: Figure = picture(figsize=size, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    names = [_short(one.name) for one in shown]
    places = range(len(shown))
    _bars(left, places, [one.saved for one in shown], info.seconds_text, _SAVED)
    _bars(right, places, [one.bytes for one in shown], info.bytes_text, _SIZE)
    left.set_title(f"time saved: {info.seconds_text(total.saved)}", fontsize=11)
    right.set_title(f"on disk: {info.bytes_text(total.bytes)}", fontsize=11)
    left.set_yticks(list(places), names, parse_math=False)
    left.set_ylim(len(shown) - 0.5, -0.5 if shown else 0.5)
    figure.suptitle(
        f"{info.counted(total.entries)}, {total.hits} hits, {total.missed} misses",
        fontsize=10,
        color="#666666",
    )
    return figure


@functools.cache
def _picture() -> Any:
    """Give the class of figures that a notebook shows without pyplot."""
    from matplotlib.figure import Figure

    class Picture(Figure):  # type: ignore[misc,unused-ignore]
        def _repr_png_(self) -> bytes:
            data = io.BytesIO()
            self.savefig(data, format="png")
            return data.getvalue()

    return Picture


def _shown(found: list[Sum]) -> list[Sum]:
    """Give the names that matter most; the others as one."""
    size = summed(found).bytes or 1
    time = summed(found).saved or 1.0
    ranked = sorted(found, key=lambda one: -max(one.saved / time, one.bytes / size))
    most, others = ranked[:MOST_NAMES], ranked[MOST_NAMES:]
    most.sort(key=lambda one: (-one.saved, -one.bytes))
    if not others:
        return most
    rest = summed(others)
    name = f"{len(others)} others"
    return [*most, Sum(name, saved=rest.saved, bytes=rest.bytes)]


def _bars(axes: Any, places: range, values: list[float], text: Any, color: str) -> None:
    """Draw bars with their values beside them, as people read them."""
    most = max(values, default=0.0) or 1.0
    axes.barh(list(places), values, color=color, height=0.7)
    for place, value in zip(places, values, strict=True):
        axes.annotate(
            text(value) if value else "0",
            (value, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xlim(0, most * 1.25)
    axes.xaxis.set_visible(False)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=9)


def _short(name: str) -> str:
    printable = name.encode("utf-8", "replace").decode("utf-8")
    return printable if len(printable) <= 32 else f"…{printable[-31:]}"
