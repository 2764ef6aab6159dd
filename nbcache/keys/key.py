"""The identity of one computation: labelled parts, kept apart, and one digest."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import xxhash

from nbcache.keys import differences, edits

__all__ = ["KEY_SCHEMA", "Change", "Key", "Part"]

KEY_SCHEMA = 1
"""Raised when a key is made differently: all entries of before are then misses."""

_CODE_CHARACTERS = 20_000  # of code kept with all parts of one key, to show a diff
_PACKED_ABOVE = 400


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
    details : dict, optional
        What the value looks like inside (`keys.details`), as plain data.
    describe : callable, optional
        Makes the details; asked for on a miss, never on a hit.
    """

    label: str
    digest: str
    summary: str = ""
    details: Any = field(default=None, hash=False)
    describe: Callable[[], Any] | None = field(default=None, compare=False, repr=False)

    def feed(self, running: Any) -> None:
        """Add the part to the running digest of a key."""
        for text in (self.label, self.digest):
            data = text.encode("utf-8", "surrogatepass")
            running.update(len(data).to_bytes(8, "little") + data)

    def __reduce__(self) -> tuple[type[Part], tuple[Any, ...]]:
        # the values behind `describe` stay where they are
        return Part, (self.label, self.digest, self.summary, self.details)


@dataclass(frozen=True, slots=True)
class Change:
    """One part in which two keys differ; None stands for a part that is not there.

    Parameters
    ----------
    label : str
        That of the part.
    before, after : str or None
        Its summaries.
    old, new : dict, optional
        Its details.
    """

    label: str
    before: str | None
    after: str | None
    old: Any = None
    new: Any = None

    def __str__(self) -> str:
        """Say it as a notice does: ``global K: 1 → 100``."""
        return differences.brief(
            self.label, self.before, self.after, self.old, self.new
        )

    def lines(self) -> tuple[str, ...]:
        """Say all of it, one thing a line."""
        return tuple(
            differences.lines(self.label, self.before, self.after, self.old, self.new)
        )

    @property
    def is_code(self) -> bool:
        """Whether it is a change of code alone, of a cell, function or method."""
        kinds = {
            one.get("kind") for one in (self.old, self.new) if isinstance(one, dict)
        }
        if kinds:
            return kinds == {"code"}
        last = self.label.rpartition(" → ")[2]
        return last == "code" or last.startswith("helper ")

    def difference(self, before: str, after: str) -> str:
        """Give the diff of the code; '' if it is none, or not known.

        Parameters
        ----------
        before, after : str
            When the two versions are of.
        """
        return edits.code_difference(self.label, self.old, self.new, before, after)


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
                part = replace(part, label=f"{part.label} ({count})")
            unique.append(part)
        return cls(tuple(unique))

    @cached_property
    def digest(self) -> str:
        """The key as 32 hexadecimal digits: the name of its entry."""
        return str(self.running().hexdigest())

    def running(self) -> Any:
        """Give the running digest after the parts: other parts may be fed to it."""
        running = xxhash.xxh3_128(b"nbcache-key-%d" % KEY_SCHEMA)
        for part in self.parts:
            part.feed(running)
        return running

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
        return tuple(
            _change(label, old.get(label), new.get(label))
            for label in self.differing(other)
        )

    def differing(self, other: Key) -> list[str]:
        """Give the labels of the parts in which another key differs from this one."""
        old = {part.label: part.digest for part in self.parts}
        new = {part.label: part.digest for part in other.parts}
        return [
            label
            for label in dict.fromkeys([*old, *new])
            if old.get(label) != new.get(label)
        ]

    @cached_property
    def described(self) -> Key:
        """The key with the details of its parts, as they are when first asked for."""
        room = _CODE_CHARACTERS
        parts = []
        for part in self.parts:
            details = part.details if part.describe is None else _made(part.describe)
            text = details.get("text", "") if _is_code(details) else ""
            room -= len(text)
            if room < 0 and text:
                details, room = {"kind": "code"}, room + len(text)
            parts.append(replace(part, details=details, describe=None))
        found = Key(tuple(parts))
        found.__dict__["described"] = found
        return found

    def without_summaries(self) -> Key:
        """Give this key without any text of values or code: for private entries."""
        return Key(tuple(Part(part.label, part.digest) for part in self.parts))

    def without_values(self) -> Key:
        """Give this key so that it holds no value any more."""
        return Key(tuple(replace(part, describe=None) for part in self.parts))

    def to_json(self) -> list[list[Any]]:
        """Give the parts as plain lists, for the manifest of an entry."""
        return [
            [part.label, part.digest, part.summary]
            + ([] if part.details is None else [_packed(part.details)])
            for part in self.described.parts
        ]

    @classmethod
    def from_json(cls, rows: Iterable[Iterable[Any]]) -> Key:
        """Read back `to_json`.

        Raises
        ------
        ValueError
            A row is not label, digest and summary.
        """
        return cls(tuple(_part(*row) for row in rows))

    def __getitem__(self, label: str) -> Part:
        """Give the part with a label."""
        return self._by_label[label]

    @cached_property
    def _by_label(self) -> Mapping[str, Part]:
        return {part.label: part for part in self.parts}


def _change(label: str, before: Part | None, after: Part | None) -> Change:
    return Change(
        label,
        None if before is None else before.summary,
        None if after is None else after.summary,
        None if before is None else before.details,
        None if after is None else after.details,
    )


def _made(describe: Callable[[], Any]) -> Any:
    try:
        return describe()
    except Exception:
        return None  # no explanation is worth an error in somebody's cell


def _is_code(details: Any) -> bool:
    return isinstance(details, dict) and details.get("kind") == "code"


def _packed(details: Any) -> Any:
    """Deflate a long text of code: every entry that uses a helper holds it."""
    text = details.get("text", "") if _is_code(details) else ""
    if len(text) < _PACKED_ABOVE:
        return details
    data = zlib.compress(text.encode("utf-8", "surrogatepass"))
    plain = {name: one for name, one in details.items() if name != "text"}
    return {**plain, "packed": base64.b64encode(data).decode("ascii")}


def _part(label: Any, digest: Any, summary: Any = "", details: Any = None) -> Part:
    """Read back one part; details that cannot be read explain nothing."""
    if _is_code(details) and not isinstance(details.get("text", ""), str):
        details = None
    if isinstance(details, dict) and "packed" in details:
        plain = {name: one for name, one in details.items() if name != "packed"}
        try:
            data = base64.b64decode(details["packed"], validate=True)
            # no more than was packed, whatever the file says
            text = zlib.decompressobj().decompress(data, 4 * _CODE_CHARACTERS)
            details = {**plain, "text": text.decode("utf-8", "surrogatepass")}
        except (ValueError, TypeError, zlib.error, binascii.Error):
            details = plain
    return Part(str(label), str(digest), str(summary), details)
