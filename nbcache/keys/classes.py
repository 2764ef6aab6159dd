"""Classes of notebooks and local modules: found again by name, if still the same."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Set
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import hashing, origin
from nbcache.scripts import MAIN, plain_name

__all__ = ["UserClasses", "classes_of", "sent_classes"]


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
        if cls.__module__ == MAIN and first in self._absent:
            return None
        try:
            if self._find(cls.__module__, cls.__qualname__) is not cls:
                return None
        except LookupError:
            if cls not in sent_classes(cls.__module__, cls.__qualname__):
                return None
        try:
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
        try:
            candidates = [self._find(module, qualname)]
        except LookupError:
            candidates = sent_classes(module, qualname)
            if not candidates:
                raise
        for found in candidates:
            if isinstance(found, type) and hashing.digest(found) == digest:
                return found
        raise LookupError(f"class {qualname} has changed")

    def _find(self, module: str, qualname: str) -> Any:
        first, *rest = qualname.split(".")
        scope = vars(sys.modules[module]) if module in sys.modules else {}
        if module == MAIN and first in self._namespace:
            scope = dict(self._namespace)
        if first not in scope:
            raise LookupError(f"class {module}.{qualname} is not defined")
        found = scope[first]
        for step in rest:
            found = getattr(found, step, None)
        return found


def classes_of(scope: Mapping[str, Any] | None) -> UserClasses:
    """Give the classes that a function with these globals finds.

    In a worker process, what was sent there from a notebook has globals of its own.
    """
    if scope is None or plain_name(str(scope.get("__name__"))) != MAIN:
        return UserClasses()
    return UserClasses(scope)


def sent_classes(module: str, qualname: str) -> list[type]:
    """Give the classes of a notebook that came by value from another process.

    cloudpickle keeps a table of them, and so does each copy of it that libraries bring
    along.
    """
    if module != MAIN or "<locals>" in qualname:
        return []
    found: dict[type, None] = {}
    for name, pickler in list(sys.modules.items()):
        if name.rpartition(".")[2] != "cloudpickle":
            continue
        table = getattr(pickler, "_DYNAMIC_CLASS_TRACKER_BY_ID", None)
        for cls in list((table or {}).values()):
            if (cls.__module__, cls.__qualname__) == (module, qualname):
                found[cls] = None
    return list(found)
