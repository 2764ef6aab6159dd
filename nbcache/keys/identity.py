"""Numbers of the mutable objects that a walk has met, in the order of first visits."""

from __future__ import annotations

import bisect
from typing import Any

from nbcache.keys.plain import CONTAINERS

__all__ = ["Numbers"]


class Numbers:
    """Ranks of objects by identity; the objects are held, so that ids stay theirs."""

    def __init__(self) -> None:
        self._ranks: dict[int, int] = {}  # id -> rank; negative: inside that tree
        self._trees: list[tuple[int, Any]] = []  # rank of the first inside, root
        self._starts: list[int] = []  # rank at which each digest began
        self._held: list[Any] = []
        self.start = 0
        """Rank at which the present digest began."""

    def __len__(self) -> int:
        return len(self._ranks)

    def __contains__(self, value: object) -> bool:
        return id(value) in self._ranks

    def begin(self) -> tuple[int, int, int]:
        """Begin the next digest; gives what `rewind` takes."""
        self.start = len(self._ranks)
        self._starts.append(self.start)
        return self.start, len(self._trees), len(self._held)

    def rewind(self, begin: tuple[int, int, int]) -> None:
        """Forget what was met since a digest began."""
        self.start, trees, held = begin
        while len(self._ranks) > self.start:
            self._ranks.popitem()
        del self._trees[trees:]
        del self._held[held:]

    def add(self, value: Any) -> None:
        """Give the next rank to an object."""
        self._ranks[id(value)] = len(self._ranks)
        self._held.append(value)

    def add_tree(self, root: Any, inside: set[int]) -> bool:
        """Give ranks to the lists and dicts inside a container, unless one has some.

        Parameters
        ----------
        root : list, tuple or dict
            Plain tree (`plain.survey`), not itself meant.
        inside : set of int
            Ids of the lists and dicts below it.  Their ranks are those of a walk node
            by node, but only found out when one of them is asked for.
        """
        if not self._ranks.keys().isdisjoint(inside):
            return False
        if inside:
            self._trees.append((len(self._ranks), root))
            self._ranks.update(dict.fromkeys(inside, -len(self._trees)))
            self._held.append(root)
        return True

    def place(self, value: Any) -> tuple[int, int]:
        """Digest and position in it at which an object was first met.

        The present digest is -1, so that references inside one value do not depend on
        what was digested before it.
        """
        rank = self._ranks[id(value)]
        if rank < 0:
            self._rank_inside(*self._trees[-rank - 1])
            rank = self._ranks[id(value)]
        if rank >= self.start:
            return -1, rank - self.start
        index = bisect.bisect_right(self._starts, rank) - 1
        return index, rank - self._starts[index]

    def _rank_inside(self, rank: int, root: Any) -> None:
        pending = [iter(_children(root))]
        while pending:
            for child in pending[-1]:
                kind = type(child)
                if kind in CONTAINERS:
                    if kind is not tuple:
                        self._ranks[id(child)] = rank
                        rank += 1
                    pending.append(iter(_children(child)))
                    break
            else:
                pending.pop()


def _children(container: Any) -> Any:
    # the keys of a dict hold no list or dict
    return container.values() if type(container) is dict else container
