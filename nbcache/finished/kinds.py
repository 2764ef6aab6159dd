"""How one kind of finished handle is taken apart and made again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

__all__ = ["Finished", "Kind", "Left"]

Left = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The parts it is made from, and what of them tells two of them apart."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What is left of a handle.

    Parameters
    ----------
    module, name : str
        Of its class.
    parts : tuple
        What it is made from.
    told : tuple
        What tells it from others: its parts, but for times and numbers of processes.
    """

    module: str
    name: str
    parts: tuple[Any, ...]
    told: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """One class of handles.

    Parameters
    ----------
    home, name : str
        Module, once it is loaded, and name there of the class.
    take : callable (value) -> Left or None
        Gives what is left; None of one that is not finished.
    make : callable (module, *parts) -> value
        Makes one.
    """

    home: str
    name: str
    take: Callable[[Any], Left | None]
    make: Callable[..., Any]

    def of(self, modules: Mapping[str, ModuleType]) -> object:
        """Give the class."""
        return getattr(modules.get(self.home), self.name, None)
