"""The identity of one computation: labelled parts, kept apart, and one digest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import xxhash

__all__ = ["KEY_SCHEMA", "Change", "Key", "Part"]

KEY_SCHEMA = 1
"""Raised when a key is made differently: all entries of before are then misses."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a computation depends on.

    Parameters
    ----------
    label : str
        What it is, in the user's words: ``input df``, ``helper clean → global K``.
    digest : str
        32 hexadecimal digits.
    summary : str, optional
        Short text of its value, to explain a later change; empty for secrets.
    """

    label: str
    digest: str
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One part in which two keys differ; None stands for a part that is not there."""

    label: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Say it as a notice does: ``global K: 1 → 100``."""
        if self.before is None:
            return f"{self.label} is new"
        if self.after is None:
            return f"{self.label} is gone"
        if self.before == self.after or not (self.before and self.after):
            return f"{self.label} changed"
        return f"{self.label}: {_column_change(self.before, self.after)}"


def _column_change(before: str, after: str) -> str:
    """Narrow two summaries of frames to the columns that differ."""
    old, new = _columns(before), _columns(after)
    if not old or not new:
        return " → ".join(_without_common_type(before, after))
    told = [
        f"column {name!r} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    return "; ".join(told) or f"{before} → {after}"


def _without_common_type(before: str, after: str) -> tuple[str, str]:
    """Narrow ``int 1`` and ``int 100`` to what differs."""
    kind, space, old = before.partition(" ")
    other, _, new = after.partition(" ")
    return (old, new) if space and kind == other and new else (before, after)


def _columns(summary: str) -> dict[str, str]:
    """Read back ``DataFrame ...: price float64, day object`` as a mapping."""
    head, colon, tail = summary.partition(": ")
    if not colon or not head.startswith("DataFrame"):
        return {}
    pairs = [item.rpartition(" ") for item in tail.split(", ")]
    return {name: dtype for name, space, dtype in pairs if space}


@dataclass(frozen=True, eq=False)
class Key:
    """Labelled parts and their one digest; equal if the digests are.

    Parameters
    ----------
    parts : tuple of Part
        In a fixed order; labels are unique.
    """

    parts: tuple[Part, ...]

    @classmethod
    def of(cls, parts: Iterable[Part]) -> Key:
        """Make a key of parts; a repeated label is told apart by a number."""
        seen: dict[str, int] = {}
        unique = []
        for part in parts:
            count = seen[part.label] = seen.get(part.label, 0) + 1
            if count > 1:
                part = Part(f"{part.label} ({count})", part.digest, part.summary)
            unique.append(part)
        return cls(tuple(unique))

    @cached_property
    def digest(self) -> str:
        """The key as 32 hexadecimal digits: the name of its entry."""
        running = xxhash.xxh3_128()
        running.update(b"nbcache-key-%d" % KEY_SCHEMA)
        for part in self.parts:
            for text in (part.label, part.digest):
                data = text.encode("utf-8", "surrogatepass")
                running.update(len(data).to_bytes(8, "little"))
                running.update(data)
        return running.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.digest

    def difference(self, other: Key) -> tuple[Change, ...]:
        """Give the parts in which another (newer) key differs from this one.

        Parameters
        ----------
        other : Key
            The key of today; this one is the stored one.

        Returns
        -------
        tuple of Change
            In the order of this key, then what only the other has.
        """
        old = {part.label: part for part in self.parts}
        new = {part.label: part for part in other.parts}
        changes = []
        for label in dict.fromkeys([*old, *new]):
            before, after = old.get(label), new.get(label)
            if before is None or after is None or before.digest != after.digest:
                changes.append(
                    Change(
                        label,
                        None if before is None else before.summary,
                        None if after is None else after.summary,
                    )
                )
        return tuple(changes)

    def to_json(self) -> list[list[str]]:
        """Give the parts as plain lists, for the manifest of an entry."""
        return [[part.label, part.digest, part.summary] for part in self.parts]

    @classmethod
    def from_json(cls, rows: Iterable[Iterable[Any]]) -> Key:
        """Read back `to_json`.

        Raises
        ------
        ValueError
            A row is not label, digest and summary.
        """
        return cls(tuple(Part(*map(str, row)) for row in rows))

    def __getitem__(self, label: str) -> Part:
        """Give the part with a label."""
        return self._by_label[label]

    @cached_property
    def _by_label(self) -> Mapping[str, Part]:
        return {part.label: part for part in self.parts}
