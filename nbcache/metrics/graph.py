"""Which metrics depend on which: what their last runs asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nbcache.metrics import live
from nbcache.storage.entry import Entry

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nbcache.metrics.metrics import Metrics

__all__ = ["Graph", "graph_of"]


@dataclass(frozen=True, repr=False)
class Graph:
    """Metrics and what they asked for while they were computed.

    Parameters
    ----------
    nodes : tuple of str
        Names of what is stored, in memory, or asked for by it; what others need first.
    edges : tuple of (str, str)
        Each metric with one that it asked for.
    entries : dict of str to Entry
        What is known of the last run of each.
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    entries: dict[str, Entry]

    def dependencies(self, name: str) -> list[str]:
        """Give what a metric asked for itself."""
        return [needed for metric, needed in self.edges if metric == name]

    def dependents(self, name: str) -> list[str]:
        """Give what asked for a metric itself."""
        return [metric for metric, needed in self.edges if needed == name]

    def upstream(self, name: str) -> list[str]:
        """Give all that a metric depends on; what others need first."""
        return self._reached(name, self.dependencies)

    def downstream(self, name: str) -> list[str]:
        """Give all that depends on a metric; what others need first."""
        return self._reached(name, self.dependents)

    def _reached(self, name: str, step: Any) -> list[str]:
        met: set[str] = set()
        waiting = [name]
        while waiting:
            new = set(step(waiting.pop())) - met
            met |= new
            waiting += new
        return [node for node in self.nodes if node in met and node != name]

    # --- as text, data, figure

    def text(self) -> str:
        """Give it as an indented list: below each metric what it asked for."""
        asked = {needed for _, needed in self.edges}
        roots = [node for node in reversed(self.nodes) if node not in asked]
        # metrics that ask for each other have no root
        roots = roots or list(reversed(self.nodes))
        told: set[str] = set()
        lines = [line for root in roots for line in self._lines(root, "", told)]
        return "\n".join(lines) or "no metric was computed yet"

    def _lines(self, name: str, indent: str, told: set[str]) -> Iterator[str]:
        needed = self.dependencies(name)
        if name in told and needed:
            yield f"{indent}{name} …"
            return
        told.add(name)
        yield f"{indent}{name}"
        for one in needed:
            yield from self._lines(one, f"{indent}  ", told)

    __str__ = text
    __repr__ = text

    def data(self) -> pd.DataFrame:
        """Give it as a table.

        Returns
        -------
        DataFrame
            A row for each metric, in the order of `nodes`, with the columns ``metric,
            depends_on`` (list of str), ``seconds`` (float, that computing it took) and
            ``date`` (local time at which it was stored).
        """
        import pandas as pd

        known = [self.entries.get(node) for node in self.nodes]
        nan, never = float("nan"), pd.NaT
        dates = [
            pd.Timestamp.fromtimestamp(one.created) if one else never for one in known
        ]
        return pd.DataFrame(
            {
                "metric": list(self.nodes),
                "depends_on": [self.dependencies(node) for node in self.nodes],
                "seconds": [one.seconds if one else nan for one in known],
                "date": pd.Series(dates, dtype="datetime64[ns]"),
            }
        )

    def figure(self) -> Figure:
        """Draw it: what others need on the left.

        Raises
        ------
        NbcacheError
            There is no matplotlib.
        """
        from nbcache.metrics.drawing import drawn

        return drawn(self)


def graph_of(owner: Metrics) -> Graph:
    """Give the graph of what is stored and held of a collection."""
    known = owner._kept.entries()
    known |= {
        said: held.entry
        for said, held in list(owner._held.items())
        if held.entry is not None
    }
    edges = [
        (said, needed)
        for said, entry in known.items()
        for kind, name, *_ in entry.trace
        if kind == "metric" and (needed := live.own_name(owner.title, name))
    ]
    order = _ordered([*known, *(needed for _, needed in edges)], edges)
    place = {name: number for number, name in enumerate(order)}
    edges.sort(key=lambda edge: (place[edge[0]], place[edge[1]]))
    return Graph(tuple(order), tuple(edges), known)


def _ordered(names: list[str], edges: list[tuple[str, str]]) -> list[str]:
    """Sort names so that each comes after all that it needs, as far as it can."""
    needs: dict[str, list[str]] = {name: [] for name in sorted(set(names))}
    for metric, needed in edges:
        needs[metric].append(needed)
    order: dict[str, None] = {}
    met: set[str] = set()
    waiting = [(name, False) for name in reversed(needs)]
    while waiting:
        name, is_ready = waiting.pop()
        if is_ready:
            order.setdefault(name)
        elif name not in met:
            met.add(name)
            waiting.append((name, True))
            waiting += [(one, False) for one in sorted(needs[name], reverse=True)]
    return list(order)
