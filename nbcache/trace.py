"""What a computation touched while it ran: the files that it opened.

One audit hook, installed once in a process at the first recording; recording covers
the whole process, worker threads included: overlap may add a file, never lose one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath

from nbcache.keys import origin

__all__ = ["Trace", "recording", "unseen"]

# what the system and libraries read on their own account: devices, zone and locale
# tables, fonts; and what Python itself compiles
_SYSTEM = tuple(
    {
        "/proc/",
        "/sys/",
        "/dev/",
        "/usr/",
        "/etc/",
        "/lib",
        f"{sys.prefix}{os.sep}",
        f"{sys.base_prefix}{os.sep}",
    }
)
_LIBRARY_CACHES = frozenset({"matplotlib", "fontconfig", "numba", "__pycache__"})


@dataclass
class Trace:
    """Files that were opened while this was active, with how."""

    opened: dict[str, bool] = field(default_factory=dict)

    def files(self, store: str = "") -> dict[str, bool]:
        """Give the user's files among them: path, and whether it was written.

        Parameters
        ----------
        store : str
            Folder of the cache, whose files are its own affair.
        """
        modules = {
            os.path.abspath(found)
            for module in list(sys.modules.values())
            if isinstance(found := getattr(module, "__file__", None), str)
        }
        return {
            path: written
            for path, written in self.opened.items()
            if path not in modules and _is_users(path, store)
        }

    def refusal(self, store: str) -> str:
        """Say that files were opened, whose later change nothing would notice."""
        files = self.files(store)
        if not files:
            return ""
        path, written = next(iter(files.items()))
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        return (
            f"it {'wrote' if written else 'read'} the file {path}{more}. "
            "Open files in a cell or function that is not cached"
        )


def _is_users(path: str, store: str) -> bool:
    if path.startswith(_SYSTEM) or not origin.is_user_file(path):
        return False
    if store and path.startswith(store.rstrip("/") + "/"):
        return False
    parts = PurePath(path).parts
    if _LIBRARY_CACHES.intersection(parts) or path.endswith((".pyc", ".ttf", ".otf")):
        return False
    # sockets, pipes and lock files of process pools
    in_temporary = path.startswith(tempfile.gettempdir() + "/")
    return not (in_temporary and ("pymp-" in path or "joblib_memmap" in path))


_active: list[Trace] = []


class _Own(threading.local):
    """How deep a thread is in work of the cache's own."""

    work = 0


_own = _Own()
_guard = threading.Lock()
_installed = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or not _active or _own.work:
        return
    path, mode, flags = arguments
    if not isinstance(path, str | bytes | os.PathLike):
        return  # a descriptor: its file was opened before
    found = os.path.abspath(os.fsdecode(path))
    if isinstance(mode, str):
        written = not set("wax+").isdisjoint(mode)
    else:
        written = bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR))
    for trace in tuple(_active):
        trace.opened[found] = trace.opened.get(found, False) or written


@contextmanager
def unseen() -> Iterator[None]:
    """Record nothing that this thread opens inside a ``with`` block.

    For the cache's own work: a cached call inside a recorded one reads the store.
    """
    _own.work = _own.work + 1
    try:
        yield
    finally:
        _own.work -= 1


@contextmanager
def recording() -> Iterator[Trace]:
    """Record what is opened inside a ``with`` block."""
    global _installed
    if not _installed:
        # an audit hook cannot be removed: one for the life of the process
        sys.addaudithook(_hook)
        _installed = True
    # what the user's code opens is the user's, also below the cache's own work
    outer, _own.work = _own.work, 0
    trace = Trace()
    with _guard:
        _active.append(trace)
    try:
        yield trace
    finally:
        with _guard:
            _active[:] = [one for one in _active if one is not trace]
        _own.work = outer
