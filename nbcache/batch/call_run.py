"""Runs of functions and other callables."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from nbcache.batch.run import Run
from nbcache.executors.callee import Callee

if TYPE_CHECKING:
    from nbcache.batch.batch import Batch

__all__ = ["CallRun"]


class CallRun(Run):
    """A run of a function, or of another callable.

    Attributes of a callable object are those of the run too.
    """

    def __init__(
        self,
        batch: Batch | None,
        target: Any,
        parameters: Mapping[str, Any],
        *,
        saveresult: bool = True,
    ) -> None:
        own = None if inspect.isroutine(target) else getattr(target, "id", None)
        identity = "" if own is None or callable(own) else str(own)
        self._begin(batch, saveresult, Callee(target, identity), parameters)

    @property
    def target(self) -> Any:
        """What is called."""
        return self._inside.callee.target

    @property
    def id(self) -> str:
        """The id that the callable has, else as of any run."""
        return self._inside.callee.identity or super().id

    def __getattr__(self, name: str) -> Any:
        """Give an attribute of what is called."""
        if name.startswith("_") or "_inside" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self.target, name)

    def __copy__(self) -> Self:
        return self
