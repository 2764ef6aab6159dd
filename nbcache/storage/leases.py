"""What processes hold of a store: entries whose arrays they have mapped.

Each process names what it holds in a file of its own, locked for as long as it lives,
as Nix does with its temporary roots: when it dies, by whatever, its lease is free at
once.  A lease protects nothing from harm (a removed file stays mapped); it tells the
evictor what is likely to be asked for again.
"""

from __future__ import annotations

import os
import threading
import uuid
import weakref
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbcache.storage.folder import Folder, key_of
from nbcache.storage.locks import is_held, lock_for_life, unlock
from nbcache.storage.plain_files import open_plain

__all__ = ["Leases"]

_MOST_BYTES = 4_000_000
_GRAMMAR = "*.lease"


_all: weakref.WeakSet[Leases] = weakref.WeakSet()


def _begin_anew() -> None:
    for leases in list(_all):
        leases.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


class _Watch(weakref.ref[Any]):
    """A reference that knows what it was to, when that is gone.

    Its callback is a method of a deque: an interrupt that arrives in a callback in
    Python is printed and lost.
    """

    __slots__ = ("file", "number")
    file: str
    number: int


class Leases:
    """The leases of a store.

    Parameters
    ----------
    place : Folder
        Of the store.

    Notes
    -----
    Thread-safe, and safe in a garbage collection in the middle of anything.
    """

    def __init__(self, place: Folder) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()
        self._watches: dict[int, weakref.ref[Any]] = {}
        # filled by the garbage collector, which must wait for nobody
        self._given_back: deque[_Watch] = deque()
        self._descriptor: int | None = None
        _all.add(self)

    def begin_anew(self) -> None:
        """Forget the parent's file and lock after a fork."""
        self._lock = threading.Lock()
        self._descriptor = None

    def hold(self, file: str, arrays: Iterable[Any]) -> None:
        """Name an entry's file for as long as one of some arrays lives."""
        with self._lock:
            self._settle()
            is_new = not self._held[file]
            for array in arrays:
                watch = _Watch(array, self._given_back.append)
                watch.file = file
                watch.number = id(array)
                self._watches[watch.number] = watch
                self._held[file] += 1
            if is_new and self._held[file]:
                # a store that cannot be written has no evictor either
                with suppress(OSError):
                    self._name(file)

    def _settle(self) -> None:
        """Count out what was given back since, and write the list anew if it helps."""
        gone = False
        while self._given_back:
            watch = self._given_back.popleft()
            if not hasattr(watch, "number"):
                continue  # an interrupt came before it was held
            # unless another array has come to the same place since
            if self._watches.get(watch.number) is watch:
                del self._watches[watch.number]
            self._held[watch.file] -= 1
            if self._held[watch.file] <= 0:
                del self._held[watch.file]
                gone = True
        if gone and self._descriptor is not None:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                self._write(self._held)

    def _name(self, file: str) -> None:
        if self._descriptor is None:
            path = self._place.path / "locks" / f"{uuid.uuid4().hex}.lease"
            self._descriptor = lock_for_life(path)
            weakref.finalize(self, unlock, os.getpid(), self._descriptor, path)
            self._write(self._held)
        else:
            self._write([file])

    def _write(self, files: Iterable[str]) -> None:
        if self._descriptor is not None:
            os.write(self._descriptor, "".join(f"{one}\n" for one in files).encode())

    def held(self) -> set[str]:
        """Give the files that living processes hold, this one among them."""
        with self._lock:
            self._settle()
            found = set(self._held)
        for path in self._files():
            with suppress(OSError):
                if is_held(path):
                    found.update(_named_in(path))
        return {file for file in found if key_of(file)}

    def _files(self) -> Iterator[Path]:
        return (self._place.path / "locks").glob(_GRAMMAR)


def _named_in(path: Path) -> list[str]:
    with open_plain(path) as file:
        return file.read(_MOST_BYTES).decode("utf-8", "replace").splitlines()
