"""The metrics of a collection as functions by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from nbcache import trace
from nbcache.errors import UnknownName

if TYPE_CHECKING:
    from nbcache.metrics.collection import Collection

__all__ = ["Functions"]


class Functions(Mapping[str, Callable[[], Any]]):
    """Calls by name, each a function without arguments that computes it, uncached.

    Listed are the calls that are declared, and those that were made; looked up by any
    spelling.

    Parameters
    ----------
    owner : Metrics
        The collection.
    """

    def __init__(self, owner: Collection) -> None:
        self._owner = owner

    def __getitem__(self, name: str) -> Callable[[], Any]:
        metric, (args, kwargs) = self._owner._found(name)
        trace.refuse(f"it takes {name} from the functions: ask for the metric")
        if not (args or kwargs):
            return metric._function
        return functools.partial(metric._function, *args, **kwargs)

    def __contains__(self, name: object) -> bool:
        trace.refuse(f"it asks whether there is a metric {name}")
        try:
            self._owner._found(str(name))
        except UnknownName:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        trace.refuse("it lists the metrics that there are")
        known = [
            said for one in self._owner._metrics.values() for said in one._declared
        ]
        return iter(dict.fromkeys([*known, *self._owner._met]))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<functions {', '.join(self)}>"
