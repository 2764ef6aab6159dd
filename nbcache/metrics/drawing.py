"""A graph of metrics as a figure: in columns, what others need on the left.

A metric stands one column right of all that it needs.  Where an arrow passes a column,
it has a row of its own there, as a box has, so that it crosses none.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

from nbcache.errors import NbcacheError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nbcache.metrics.graph import Graph

__all__ = ["drawn"]

# a column, and what has a row there: a metric, or the (metric, needed) of an arrow
Slot = tuple[int, Any]
Edge = tuple[str, str]

# inches, but for the font: points
_ROW, _BOX, _PADDING, _GAP, _MARGIN, _FONT = 0.5, 0.32, 0.12, 0.8, 0.2, 9
_LONGEST, _END = 28, 10
_SWEEPS = 4


def drawn(graph: Graph) -> Figure:
    """Draw it.

    Raises
    ------
    NbcacheError
        There is no matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise NbcacheError(
            "a figure needs matplotlib: pip install 'nbcache[plot]'"
        ) from None
    boxes, ways = _slots(graph)
    columns = _in_order([*boxes.values()], [*ways.values()])
    spans = _spans(columns)
    rows = _rows(columns)
    size = spans[-1][1] + _MARGIN, max(map(len, columns)) * _ROW + 2 * _MARGIN
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0))
    axes.set_axis_off()
    for way in ways.values():
        _draw_arrow(axes, [(*spans[slot[0]], rows[slot]) for slot in way])
    for slot in boxes.values():
        _draw_box(axes, spans[slot[0]], rows[slot], slot[1])
    return figure


# --- where things stand


def _slots(graph: Graph) -> tuple[dict[str, Slot], dict[Edge, list[Slot]]]:
    """Give the slot of each metric, and those that each arrow passes, from the left."""
    column: dict[str, int] = {}
    needs: dict[str, list[str]] = {}
    for metric, needed in graph.edges:
        needs.setdefault(metric, []).append(needed)
    for name in graph.nodes:
        known = [column[one] for one in needs.get(name, ()) if one in column]
        column[name] = 1 + max(known, default=-1)
    boxes: dict[str, Slot] = {name: (one, name) for name, one in column.items()}
    ways = {}
    for metric, needed in graph.edges:
        between = range(column[needed] + 1, column[metric])
        passed = [(one, (metric, needed)) for one in between]
        ways[metric, needed] = [boxes[needed], *passed, boxes[metric]]
    return boxes, ways


def _in_order(boxes: list[Slot], ways: list[list[Slot]]) -> list[list[Slot]]:
    """Sort each column so that few arrows cross: by where their other ends are."""
    slots = dict.fromkeys([*boxes, *(slot for way in ways for slot in way)])
    last = max((column for column, _ in slots), default=0)
    columns: list[list[Slot]] = [[] for _ in range(1 + last)]
    before: dict[Slot, list[Slot]] = {slot: [] for slot in slots}
    after: dict[Slot, list[Slot]] = {slot: [] for slot in slots}
    for slot in slots:
        columns[slot[0]].append(slot)
    for way in ways:
        for one, other in pairwise(way):
            after[one].append(other)
            before[other].append(one)
    for sweep in range(_SWEEPS):
        is_leftward = sweep % 2 == 0
        near = after if is_leftward else before
        for column in reversed(columns) if is_leftward else columns:
            rows = _rows(columns)
            wanted = {
                slot: fmean(rows[one] for one in near[slot] or [slot])
                for slot in column
            }
            column.sort(key=wanted.__getitem__)
    return columns


def _rows(columns: Iterable[list[Slot]]) -> dict[Slot, float]:
    """Give the height of each slot's middle, in inches from the top."""
    most = max(map(len, columns))
    return {
        slot: _MARGIN + _ROW * (number + (1 + most - len(column)) / 2)
        for column in columns
        for number, slot in enumerate(column)
    }


def _spans(columns: list[list[Slot]]) -> list[tuple[float, float]]:
    """Give the left and right end of the boxes of each column, in inches."""
    spans, at = [], _MARGIN
    for column in columns:
        names = [_label(name) for _, name in column if isinstance(name, str)]
        width = max(map(_width, names), default=0) + 2 * _PADDING
        spans.append((at, at + width))
        at += width + _GAP
    return spans


# --- what is drawn


def _label(name: str) -> str:
    """Give a name as one line, a long one without its middle."""
    line = " ".join(name.split())
    if len(line) > _LONGEST:
        line = f"{line[: _LONGEST - _END - 1]}…{line[-_END:]}"
    # a name is no formula
    return line.replace("$", r"\$")


def _width(label: str) -> float:
    from matplotlib.textpath import TextPath

    if not label:
        return 0.0
    return float(TextPath((0, 0), label, size=_FONT).get_extents().width) / 72


def _draw_box(axes: Any, span: tuple[float, float], y: float, name: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    left, right = span
    axes.add_patch(
        FancyBboxPatch(
            (left, y - _BOX / 2),
            right - left,
            _BOX,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor="#eef3fa",
            edgecolor="0.3",
            gid=name,
        )
    )
    middle = (left + right) / 2
    style = {"ha": "center", "va": "center_baseline", "fontsize": _FONT}
    axes.text(middle, y, _label(name), color="black", **style)


def _draw_arrow(axes: Any, passed: list[tuple[float, float, float]]) -> None:
    """Draw an arrow from the right of the first box to the left of the last one."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    _, *start = passed[0]
    points = [tuple(start)]
    kinds = [Path.MOVETO]
    for left, right, y in passed[1:]:
        x, before = points[-1]
        middle = (x + left) / 2
        points += [(middle, before), (middle, y), (left, y), (right, y)]
        kinds += [Path.CURVE4] * 3 + [Path.LINETO]
    # it ends at the box
    way = Path(points[:-1], kinds[:-1])
    axes.add_patch(
        FancyArrowPatch(
            path=way,
            arrowstyle="-|>",
            mutation_scale=9,
            color="0.5",
            linewidth=1,
        )
    )
