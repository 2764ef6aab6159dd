"""Classes of notebooks and local modules: found again by name, if still the same."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Set
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import hashing, origin

__all__ = ["UserClasses"]


class UserClasses:
    """Says which classes an entry may name, and finds them again.

    Parameters
    ----------
    namespace : mapping, optional
        Searched first for classes of ``__main__``: definitions that a hit has
        executed again but not yet put into the notebook.
    absent : set of str, optional
        Names of ``__main__`` that stand for nothing yet where an entry is read.
    """

    def __init__(
        self,
        namespace: Mapping[str, Any] | None = None,
        absent: Set[str] = frozenset(),
    ) -> None:
        self._namespace = namespace or {}
        self._absent = absent
        self._held: dict[type, str] = {}

    def hold(self, classes: Iterable[type]) -> None:
        """Take digests now, for what is written later: a run may change classes."""
        self._held.update(
            (cls, digest)
            for cls in classes
            if (digest := self.digest_of(cls)) is not None
        )

    def digest_of(self, cls: type) -> str | None:
        """Give the code digest of a user class; None if it is none, or not found."""
        if not origin.is_user_class(cls):
            return None
        first = cls.__qualname__.partition(".")[0]
        if cls.__module__ == "__main__" and first in self._absent:
            return None
        try:
            if self._find(cls.__module__, cls.__qualname__) is not cls:
                return None
            return self._held.get(cls) or hashing.digest(cls)
        except (LookupError, UnhashableValue):
            return None

    def resolve(self, module: str, qualname: str, digest: str) -> type:
        """Give the class of a name.

        Raises
        ------
        LookupError
            It is not there, or its code is another one.
        """
        found = self._find(module, qualname)
        if not isinstance(found, type) or hashing.digest(found) != digest:
            raise LookupError(f"class {qualname} has changed")
        return found

    def _find(self, module: str, qualname: str) -> Any:
        first, *rest = qualname.split(".")
        scope = vars(sys.modules[module]) if module in sys.modules else {}
        if module == "__main__" and first in self._namespace:
            scope = dict(self._namespace)
        if first not in scope:
            raise LookupError(f"class {module}.{qualname} is not defined")
        found = scope[first]
        for step in rest:
            found = getattr(found, step, None)
        return found
