"""Checks that values have the same digest, or that each has another."""

from __future__ import annotations

from nbcache.keys.hashing import digest

__all__ = ["different", "same"]


def different(*values: object) -> None:
    """Check that no two values have the same digest."""
    digests = [digest(value) for value in values]
    for number, value in enumerate(values):
        assert digests.count(digests[number]) == 1, value


def same(*values: object) -> None:
    """Check that all values have the same digest."""
    digests = [digest(value) for value in values]
    for number, value in enumerate(values):
        assert digests[number] == digests[0], value
