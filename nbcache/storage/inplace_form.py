"""What the kinds of objects that can be written in place have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import Array, Node, encoders

if TYPE_CHECKING:
    from nbcache.storage.codec_encode import Encoder

__all__ = ["Alone", "Digest", "Form", "Target", "same", "same_items"]

Digest = Callable[[Any], str]


class Target:
    """Stands for a live object itself in a tree."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Alone:
    """Stands for the content of an array that is itself a live object."""

    def __init__(self, array: Array) -> None:
        self.array = array


def _write_target(encoder: Encoder, target: Target) -> Node:
    return encoder.live.node(target.value)


def _write_alone(encoder: Encoder, content: Alone) -> Node:
    return encoder.alone(content.array)


encoders[Target] = _write_target
encoders[Alone] = _write_alone


class Form:
    """How objects of a kind are noted, compared and written in place.

    Attributes
    ----------
    restless : bool
        Whether reading an object may look like a change.
    """

    restless = False

    def note(self, value: Any, digest: Digest) -> Any:
        """Give what tells later whether the object was changed."""
        raise TypeError

    def is_same(self, value: Any, before: Any, digest: Digest) -> bool:
        """Say whether the object is what it was when it was noted."""
        return same(self.note(value, digest), before)

    def refusal(self, value: Any, before: Any, digest: Digest) -> str:
        """Say why a changed object cannot be written in place; '' if it can."""
        return ""

    def content(self, value: Any, before: Any, digest: Digest) -> Any:
        """Give what is stored of a changed object."""
        return self.copied(value)

    def copied(self, value: Any) -> Any:
        """Give content that later changes of the object do not reach."""
        raise TypeError

    def earlier(self, before: Any) -> Any:
        """Give the content that a note holds; None if it holds none."""
        return before

    def misfit(self, value: Any, content: Any) -> str:
        """Say why content cannot be written into an object now; '' if it can."""
        raise TypeError

    def write(self, value: Any, content: Any) -> None:
        """Write content that fits; this does not fail."""
        raise TypeError


_ATOMS = frozenset((type(None), bool, int, str, bytes, np.bool_, type(...)))


def same(now: Any, before: Any) -> bool:
    """Say whether two values are one, or plain and equal; in doubt they are not."""
    if now is before:
        return True
    cls = type(now)
    if cls is not type(before):
        return False
    if cls in _ATOMS:
        return bool(now == before)
    if cls in (float, complex):
        return repr(now) == repr(before)
    return cls is tuple and same_items(now, before)


def same_items(now: tuple[Any, ...], before: tuple[Any, ...]) -> bool:
    """Say whether sequences hold the same."""
    return len(now) == len(before) and all(map(same, now, before))
