"""Takes one defence of the store away, to see which test notices.

``NBCACHE_FAULTS_WITHOUT`` names it, for a process and all that it starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

__all__ = ["DEFENCES", "VARIABLE", "apply"]

VARIABLE = "NBCACHE_FAULTS_WITHOUT"


def _digest() -> None:
    """Verify nothing."""
    from nbcache.storage.npz_read import Archive

    Archive.verify = lambda self: None  # type: ignore[method-assign]


def _key() -> None:
    """Take an entry under whatever name it stands."""
    from nbcache.storage.acceptance import Acceptance

    check = Acceptance._check

    def trusting(self: Any, archive: Any, key: str, path: Any) -> bool:
        return check(self, archive, archive.trailer.key, path)

    Acceptance._check = trusting  # type: ignore[method-assign]


def _signature() -> None:
    """Believe everybody."""
    from nbcache.storage.trust import Signer

    Signer.is_mine = lambda self, *told: True  # type: ignore[method-assign]


def _temporary() -> None:
    """Write straight into the place: what links would do is done already."""
    from nbcache.storage import store

    temporary = store.Store._put

    def straight(self: Any, entry: Any, content: Any, slug: str, over: bool) -> Any:
        path = self.place.entry(entry.key, slug)
        real = self.place.temporary

        @contextmanager
        def in_place() -> Any:
            self.place.temporary = real
            path.parent.mkdir(exist_ok=True)
            with path.open("w+b") as file:
                yield file, path

        self.place.make()
        self.place.temporary = in_place
        publish = store.publish
        store.publish = lambda *given, **more: None
        try:
            return temporary(self, entry, content, slug, over)
        finally:
            store.publish = publish
            self.place.temporary = real

    store.Store._put = straight  # type: ignore[method-assign]


def _links() -> None:
    """Follow links, and wait for pipes."""
    from nbcache.storage import npz_read

    npz_read.OPEN_FLAGS &= ~(os.O_NOFOLLOW | os.O_NONBLOCK)


def _inode() -> None:
    """Believe that a locked file is the one that stands there."""
    from nbcache.storage import locks

    locks._is_same_file = lambda descriptor, path: True


def _as_it_was(self: Any, request: Any, task: Any, miss: Any) -> Any:
    return miss


def _second_look() -> None:
    """Compute as soon as the lock is won."""
    from nbcache.cache import Core

    Core.find_again = _as_it_was  # type: ignore[method-assign]


def _fork_hook() -> None:
    """Leave inherited locks open in children."""
    from nbcache.storage import locks

    locks._held = _Forgetful()  # type: ignore[assignment]


class _Forgetful(set[int]):
    """A set that the hook finds empty."""

    def __iter__(self) -> Any:
        return iter(())


DEFENCES: dict[str, Callable[[], None]] = {
    "digest": _digest,
    "key": _key,
    "signature": _signature,
    "temporary": _temporary,
    "links": _links,
    "inode": _inode,
    "second look": _second_look,
    "fork hook": _fork_hook,
}


def apply() -> None:
    """Take away what the environment names."""
    name = os.environ.get(VARIABLE)
    if name:
        DEFENCES[name]()
