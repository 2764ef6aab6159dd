"""The members of an entry while they are gathered; all small arrays share one."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbcache.storage.codec_nodes import INTERNAL, Array

__all__ = ["SMALL", "Members"]

# smaller arrays stand in one member together: a member costs 300 bytes and 10 us
SMALL = 1 << 12
_ALIGNMENT = 16


class Members:
    """The members of an entry while they are gathered."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._small: list[bytes] = []
        self._small_bytes = 0
        self._count = 0

    def add(self, array: Array, name: str | None = None) -> str | int:
        """Add a member; give its name, or its number if it has none."""
        if name is not None and name not in self.arrays:
            self.arrays[name] = array
            return name
        number = self._count
        self._count += 1
        self.arrays[f"{INTERNAL}{number}"] = array
        return number

    def number(self, array: Array) -> int:
        """Add a member without a name."""
        number = self.add(array)
        assert isinstance(number, int)
        return number

    def add_small(self, array: Array) -> int:
        """Add to the member of small arrays; give the place there in bytes."""
        start = self._small_bytes
        data = array.tobytes("A")
        padding = -len(data) % _ALIGNMENT
        self._small += (data, b"\0" * padding)
        self._small_bytes += len(data) + padding
        return start

    def blob(self, array: Array) -> int | list[Any]:
        """Add an array of a plain type that is ours, not the user's."""
        if array.nbytes >= SMALL:
            return self.number(array)
        return [self.add_small(array), array.dtype.str, list(array.shape)]

    def finish(self) -> int | None:
        """Add the small arrays; give the number of their member."""
        if not self._small:
            return None
        return self.number(np.frombuffer(b"".join(self._small), np.uint8))
