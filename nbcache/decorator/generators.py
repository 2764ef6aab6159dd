"""Random generators among the arguments of a call: left in the state after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbcache.keys import hashing
from nbcache.keys.dependencies import reached
from nbcache.storage.inplace import Snapshot
from nbcache.storage.inplace_random import RandomForm, form_of
from nbcache.storage.live import LiveIndex

__all__ = ["Generators"]


class Generators:
    """The generators among some values, before a call.

    Parameters
    ----------
    values : mapping of str to object
        What the key of the call was made of.

    Attributes
    ----------
    other : str
        The argument of which `changes` found that something else was changed.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.index = LiveIndex(values, reached)
        arguments = LiveIndex(
            {name: one for name, one in values.items() if name.startswith("argument ")}
        )
        # with none among them, nothing that changed may be kept
        self._snapshot = None
        self.other = ""
        if any(form_of(value) is not None for value in arguments.objects()):
            self._snapshot = Snapshot(self.index, hashing.digest)

    def changes(self) -> list[Any] | None:
        """Give the generators that changed with their states; None if others did."""
        if self._snapshot is None or not self.index.complete:
            return None
        found = self._snapshot.changed()
        for one in found:
            if not isinstance(one.form, RandomForm) or self._snapshot.refusal(one):
                self.other = str(self.index.path(one.value)[0]).rpartition(" ")[2]
                return None
        return [self._snapshot.change(one) for one in found] or None
