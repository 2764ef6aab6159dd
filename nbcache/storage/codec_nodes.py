"""What encoder and decoder agree on: nodes, and the table of their kinds.

A tree is plain data.  None, bool, int, float and str stand for themselves; everything
else is a *node*, a list of two items or three: ``[kind, content]`` or ``[kind, content,
number]``.  The number is given to a node that others refer to, as ``["=", number]``.
Nodes are filled in place, so that one can be referred to while it is being made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = [
    "Array",
    "Kind",
    "Node",
    "Unresolved",
    "Write",
    "decoders",
    "encoders",
    "finders",
    "kind",
]

# None | bool | int | float | str | list: what JSON gives back unchanged
Node = Any
Array = np.ndarray[Any, Any]

INTERNAL = "__nbcache__/"


class Unresolved(LookupError):
    """Something the entry refers to by name is not here, or is not what it was.

    Not damage: the entry is whole, but this process cannot use it.
    """


@dataclass(frozen=True, slots=True)
class Kind:
    """How nodes of one kind become values.

    Parameters
    ----------
    make : callable (decoder, content) -> value
        Makes the value; of a container, an empty one.
    fill : callable (decoder, value, content) -> None, optional
        Fills it.  Content that refers to the container finds it already made.
    """

    make: Callable[[Decoder, Any], Any]
    fill: Callable[[Decoder, Any, Any], None] | None = None


decoders: dict[str, Kind] = {}
Write = Callable[["Encoder", Any], Node]
encoders: dict[type, Write] = {}
# the same by top module and name of the class, for classes that need not be imported
named_encoders: dict[tuple[str, str], Write] = {}
# asked in turn how instances of a class without an entry in the table are written
finders: list[Callable[[Encoder, type], Write | None]] = []


def kind(
    name: str,
    make: Callable[[Decoder, Any], Any],
    fill: Callable[[Decoder, Any, Any], None] | None = None,
) -> None:
    """Enter a kind of node into the table."""
    if name in decoders:
        raise ValueError(f"two kinds of node are called {name!r}")
    decoders[name] = Kind(make, fill)
