"""The figure of a graph: what it says, and that nothing lies on anything else."""

from __future__ import annotations

import io
from itertools import combinations

import pytest

from nbcache.metrics.graph import Graph

pytest.importorskip("matplotlib")

SEASONS = ("winter", "spring", "summer", "autumn")
WIND = Graph(
    (
        "flights",
        "directions",
        *(f"legs('{season}')" for season in SEASONS),
        *(f"wind('{season}')" for season in SEASONS),
        "year",
    ),
    (
        *((f"legs('{season}')", "flights") for season in SEASONS),
        *((f"legs('{season}')", "directions") for season in SEASONS),
        *((f"wind('{season}')", f"legs('{season}')") for season in SEASONS),
        *(("year", f"wind('{season}')") for season in SEASONS),
    ),
    {},
)
SKIPPING = Graph(
    ("lonely", "a", "x", "b", "c", "d", "e"),
    tuple(
        (metric, needed)
        for metric, needed in ["ba", "cb", "dc", "db", "ed", "ea", "eb", "ex"]
    ),
    {},
)
LONG = "distance_of_two_airports('New York', 'San Francisco', unit='km')"
TEXTS = Graph(
    (LONG, "cost $5 and $6", "result"),
    (("result", LONG), ("result", "cost $5 and $6")),
    {},
)
CYCLE = Graph(("a", "b", "c"), (("a", "b"), ("b", "a"), ("c", "b")), {})
EMPTY = Graph((), (), {})
each_graph = pytest.mark.parametrize(
    "graph",
    [WIND, SKIPPING, TEXTS, CYCLE, EMPTY],
    ids=["wind", "skipping", "texts", "cycle", "empty"],
)


def parts(graph):
    """Give the figure's boxes by metric, its texts and its arrows, in pixels."""
    figure = graph.figure()
    figure.savefig(io.BytesIO())
    (axes,) = figure.axes
    boxes = {p.get_gid(): p.get_window_extent() for p in axes.patches if p.get_gid()}
    arrows = [p for p in axes.patches if not p.get_gid()]
    return figure, boxes, axes.texts, arrows


@each_graph
def test_figure_has_a_box_for_each_metric_and_an_arrow_for_each_dependency(graph):
    """Nothing is left out, whatever the shape of the graph."""
    _, boxes, texts, arrows = parts(graph)
    assert set(boxes) == set(graph.nodes)
    assert len(texts) == len(graph.nodes)
    assert len(arrows) == len(graph.edges)


@each_graph
def test_boxes_do_not_overlap_and_lie_in_the_figure(graph):
    """Each can be read as a whole."""
    figure, boxes, _, _ = parts(graph)
    for one, other in combinations(boxes.values(), 2):
        assert not one.overlaps(other)
    for box in boxes.values():
        assert figure.bbox.x0 < box.x0 < box.x1 < figure.bbox.x1
        assert figure.bbox.y0 < box.y0 < box.y1 < figure.bbox.y1


@each_graph
def test_labels_fit_into_their_boxes(graph):
    """Also long ones, which are shortened, and those with dollar signs."""
    _, boxes, texts, _ = parts(graph)
    for text in texts:
        label = text.get_window_extent()
        assert any(
            box.x0 < label.x0 and label.x1 < box.x1 and box.contains(*label.p0)
            for box in boxes.values()
        )


@pytest.mark.parametrize(
    "graph", [WIND, SKIPPING, TEXTS], ids=["wind", "skipping", "texts"]
)
def test_arrows_pass_no_box(graph):
    """They begin at one and end at another; between them is nothing."""
    _, boxes, _, arrows = parts(graph)
    for arrow in arrows:
        path = arrow.axes.transData.transform_path(arrow.get_path())
        points = [
            point for line in path.to_polygons(closed_only=False) for point in line
        ]
        assert len(points) > 2
        for box in boxes.values():
            # arrows end at the edge
            assert not any(box.padded(-2).contains(*point) for point in points)


def test_what_is_needed_stands_on_the_left():
    """Each metric is right of all that it asked for."""
    _, boxes, _, _ = parts(WIND)
    for metric, needed in WIND.edges:
        assert boxes[needed].x1 < boxes[metric].x0


def test_arrows_of_a_chain_with_parameters_do_not_cross():
    """Metrics stand in the row of what they ask for, where that is possible."""
    _, boxes, _, _ = parts(WIND)
    for season in SEASONS:
        assert boxes[f"legs('{season}')"].y0 == boxes[f"wind('{season}')"].y0


def test_long_name_keeps_its_beginning_and_its_end():
    """Which differ among the calls of one metric."""
    _, _, texts, _ = parts(TEXTS)
    (label,) = [one.get_text() for one in texts if "…" in one.get_text()]
    assert len(label) == 28
    assert label.startswith("distance_of_two_a")
    assert label.endswith("unit='km')")
