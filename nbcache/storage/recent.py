"""What a process keeps in memory of the entries that it used last."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from nbcache import config
from nbcache.storage.forking import ForkLock

__all__ = ["Recent"]


class _Kept(Protocol):
    def again(self, path: str, /) -> _Kept | None: ...

    def is_at(self, path: str, /) -> bool: ...

    def is_in(self, path: str, /) -> bool: ...

    @property
    def kept_bytes(self) -> int: ...


Kept = TypeVar("Kept", bound=_Kept)


class Recent(Generic[Kept]):
    """Opened entries by path, the one used longest ago dropped first.

    Parameters
    ----------
    max_bytes : int, optional
        What all of them may take together; None: setting `max_memory`, as it is then.
    reads : bool
        Whether `standing` reads the file and compares all of it.

    Notes
    -----
    Thread-safe.  Nothing is handed out twice: `get` opens the entry once more, and only
    if the file at the path is still the one that was opened.
    """

    def __init__(self, max_bytes: int | None = None, *, reads: bool = False) -> None:
        self._reads = reads
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

    def standing(self, path: str) -> Kept | None:
        """Give what is kept of a path itself, not opened anew: to look at only."""
        try:
            with self._lock.lock:
                self._kept.move_to_end(path)
                found = self._kept[path][0]
        except KeyError:
            return None
        same = found.is_in(path) if self._reads else found.is_at(path)
        return found if same else None

    def keep(self, path: str, opened: Kept) -> None:
        """Keep an entry, in the place of what was kept of its path."""
        size, limit = opened.kept_bytes, self.limit
        with self._lock.lock:
            # one alone must not drive out all others
            if size <= limit // 4:
                self.bytes += size - self._kept.pop(path, (opened, 0))[1]
                self._kept[path] = opened, size
            while self.bytes > limit:
                _, (_, gone) = self._kept.popitem(last=False)
                self.bytes -= gone

    @property
    def limit(self) -> int:
        """Bytes that all of them may take now."""
        if self.max_bytes is None:
            return int(config.current().max_memory)
        return self.max_bytes

    def _drop(self, path: str, opened: Kept) -> None:
        with self._lock.lock:
            if self._kept.get(path, (None, 0))[0] is opened:
                self.bytes -= self._kept.pop(path)[1]
