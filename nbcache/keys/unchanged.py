"""Whether the parts of a key that calls have in common are what they were.

Where things were read is compared by identity (`reads`), which is exact for what
cannot change in place; values that can change are compared by content.
"""

from __future__ import annotations

from typing import Any

from nbcache.keys.plain import ATOMS, CONTAINERS, dumps, survey
from nbcache.keys.reads import Reads
from nbcache.keys.walk import Walk

__all__ = ["Unchanged", "is_plain"]


class Unchanged:
    """Tells whether dependencies are what they were.

    Parameters
    ----------
    reads : Reads
        Where they were read.
    added : tuple of (str, object, str)
        All values, in the order of the walk.
    changing : list of object
        Those of them that can change in place.
    """

    __slots__ = ("_raw", "added", "changing", "holds_by_identity", "is_plain")

    def __init__(
        self, reads: Reads, added: tuple[Any, ...], changing: list[Any]
    ) -> None:
        self.added, self.changing = added, changing
        self.holds_by_identity = reads.compiled()
        self.is_plain = True
        self._raw = b""
        if changing:
            self.is_plain = is_plain(changing)
            self._raw = dumps(changing) if self.is_plain else b""

    def holds(self) -> bool:
        """Say whether a key made today would have the same parts."""
        try:
            if not self.holds_by_identity():
                return False
        except ValueError:  # a variable has no value any more
            return False
        if not self.changing:
            return True
        if self.is_plain:
            return is_plain(self.changing) and dumps(self.changing) == self._raw
        return self.walked() is not None

    def walked(self) -> Walk | None:
        """Give a walk that has met all values anew; None if something is another."""
        if not self.holds_by_identity():
            return None
        walk = Walk()
        walk.written = {}
        for label, value, digest in self.added:
            if walk.digest(value, label) != digest:
                return None
        return walk


def is_plain(values: list[Any]) -> bool:
    """Say whether values are plain trees in which nothing mutable stands twice."""
    return survey(values, ATOMS, CONTAINERS).plain
