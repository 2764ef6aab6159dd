"""What a process keeps in memory of the entries that it used last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from nbcache.storage.forking import ForkLock

__all__ = ["Recent"]


class _Kept(Protocol):
    def again(self, path: str, /) -> _Kept | None: ...

    @property
    def kept_bytes(self) -> int: ...


Kept = TypeVar("Kept", bound=_Kept)


class Recent(Generic[Kept]):
    """Opened entries by path, the one used longest ago dropped first.

    Parameters
    ----------
    max_bytes : int
        What all of them may take together.

    Notes
    -----
    Thread-safe.  Nothing is handed out twice: `get` opens the entry once more, and only
    if the file at the path is still the one that was opened.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._kept: OrderedDict[str, tuple[Kept, int]] = OrderedDict()
        self._lock = ForkLock()

    def get(self, path: str) -> Kept | None:
        """Give the entry of a path, or None if it is not kept or no longer the same."""
        with self._lock.lock:
            found = self._kept.get(path)
            if found is None:
                return None
            self._kept.move_to_end(path)
        again = found[0].again(path)
        if again is None:
            self._drop(path, found[0])
        return again  # type: ignore[return-value]

    def keep(self, path: str, opened: Kept) -> None:
        """Keep an entry, in the place of what was kept of its path."""
        size = opened.kept_bytes
        if size > self.max_bytes // 4:
            return  # one alone would drive out all others
        with self._lock.lock:
            self.bytes += size - self._kept.pop(path, (opened, 0))[1]
            self._kept[path] = opened, size
            while self.bytes > self.max_bytes:
                _, (_, gone) = self._kept.popitem(last=False)
                self.bytes -= gone

    def _drop(self, path: str, opened: Kept) -> None:
        with self._lock.lock:
            if self._kept.get(path, (None, 0))[0] is opened:
                self.bytes -= self._kept.pop(path)[1]
