"""What a run found outside its key: files, listings, the state of generators.

An *observation* is a kind, a name and a digest.  `Today` gives the digests of now.
Reading a file again is spared while its stat is as it was when its digest was taken,
as in git's index: a change within the clock's tick would not show, so a stat counts
only if the file had rested for 2 s by then.
"""

from __future__ import annotations

import glob
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xxhash

from nbcache import randomness
from nbcache.errors import NbcacheError
from nbcache.keys import hashing
from nbcache.keys.files import ABSENT, streamed_digest

__all__ = [
    "ABSENT",
    "FOLDER",
    "MOST_FILES",
    "Observed",
    "Stat",
    "Today",
    "Unknowable",
    "entry_key",
    "file_digest",
    "file_stat",
    "may_not_run",
    "may_run",
    "metric_digests",
]

FOLDER = "folder"
RESTED_NS = 2_000_000_000
MOST_FILES = 10_000

Stat = tuple[int, int, int, int, int]
"""Device, inode, bytes, times of change of content and of status in ns."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One thing that a run found.

    Parameters
    ----------
    kind : str
        ``file``, ``listing``, ``matches``, ``tree``, ``exists``, ``stat``, ``random``,
        ``folder``, ``metric`` or ``metric parameters``.
    name : str
        A path as the code gave it, a library, a metric.
    digest : str
        32 hexadecimal digits, or ``absent`` or ``folder``.
    stat : Stat, optional
        Of a file that had rested when its digest was taken.
    """

    kind: str
    name: str
    digest: str
    stat: Stat | None = None

    def to_json(self) -> list[Any]:
        """Give it as plain data."""
        return [self.kind, self.name, self.digest, self.stat and list(self.stat)]

    @classmethod
    def from_json(cls, row: list[Any]) -> Observed:
        """Read it back.

        Raises
        ------
        ValueError
            It is no such row.
        """
        kind, name, digest, found = row
        if not all(isinstance(text, str) for text in (kind, name, digest)):
            raise ValueError("an observation is kind, name and digest")
        return cls(kind, name, digest, tuple(found) if found else None)


def entry_key(lookup: str, found: Iterable[Observed]) -> str:
    """Give the key of the entry of a run, from what the run found.

    Parameters
    ----------
    lookup : str
        The key of what is known before it runs; given back if the run found nothing.
    found : iterable of Observed
        In any order.
    """
    rows = sorted((one.kind, one.name, one.digest) for one in found)
    if not rows:
        return lookup
    running = xxhash.xxh3_128(b"nbcache-entry-1")
    for text in (lookup, *(text for row in rows for text in row)):
        data = text.encode("utf-8", "surrogatepass")
        running.update(len(data).to_bytes(8, "little"))
        running.update(data)
    return running.hexdigest()


def file_stat(path: str) -> Stat | None:
    """Give what tells a file's versions apart; None if there is no such file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return _identity(found) if stat.S_ISREG(found.st_mode) else None


def _identity(found: os.stat_result) -> Stat:
    return (
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


# path -> stat and digest of a file that had rested
_known: dict[str, tuple[Stat, str]] = {}
_MOST_KNOWN = 100_000


class Unknowable(NbcacheError, RuntimeError):
    """What something is now cannot be told, so that nothing that depends on it can."""


metric_digests: list[Callable[[str, str, bool], str]] = []
"""Who gives the digest of a kind of observation by a metric's name, once there are any;
told whether it may be computed for that."""

_may_run: ContextVar[bool] = ContextVar("nbcache_may_run", default=False)


@contextmanager
def may_run() -> Iterator[None]:
    """Allow look-ups inside a block to compute the metrics that they compare.

    For what is wanted now; who only asks whether it is stored makes nothing run.
    """
    token = _may_run.set(True)
    try:
        yield
    finally:
        _may_run.reset(token)


@contextmanager
def may_not_run() -> Iterator[None]:
    """Allow look-ups inside a block to use what is stored only."""
    token = _may_run.set(False)
    try:
        yield
    finally:
        _may_run.reset(token)


class Today:
    """Digests as they are now; each is taken once.

    Parameters
    ----------
    folder : str, optional
        That relative paths stand in; the working directory if not given.
    """

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder
        self._found: dict[tuple[str, str], Observed] = {}

    def observe(self, kind: str, name: str) -> Observed:
        """Give an observation as it is now.

        Raises
        ------
        OSError
            Something is there, but cannot be read.
        Unknowable
            A metric is not defined here, or fails, or would have to be computed.
        """
        found = self._found.get((kind, name))
        if found is None:
            found = self._found[kind, name] = self._observed(kind, name)
        return found

    def _observed(self, kind: str, name: str) -> Observed:
        if kind == "file":
            return self._file(name)
        if kind == "random":
            return Observed(kind, name, randomness.seeded_digest(name))
        if kind == "folder":
            return Observed(kind, name, _texts([os.getcwd()]))
        if kind.startswith("metric"):
            return Observed(kind, name, _metric(kind, name))
        return Observed(kind, name, _DIGESTS[kind](self._path(name)))

    def _path(self, name: str) -> str:
        return os.path.join(self._folder or os.getcwd(), name)

    def _file(self, name: str) -> Observed:
        path = self._path(name)
        digest, found = file_digest(path)
        return Observed("file", name, digest, found)

    def trust(self, earlier: Iterable[Observed]) -> None:
        """Take digests of files over that have the stat of an earlier observation."""
        for one in earlier:
            if one.kind == "file" and one.stat is not None:
                path = self._path(one.name)
                if file_stat(path) == one.stat:
                    _remember(path, one.stat, one.digest)


def file_digest(path: str) -> tuple[str, Stat | None]:
    """Give the digest of a file's content, and its stat if it has rested.

    Raises
    ------
    OSError
        It is there, but cannot be read, or is no plain file.
    """
    found = file_stat(path)
    if found is None:
        return _special(path), None
    known = _known.get(path)
    if known is not None and known[0] == found:
        return known[1], found
    digest = streamed_digest(path)
    after = file_stat(path)
    rested = time.time_ns() - max(found[3], found[4]) > RESTED_NS
    if after != found or not rested:
        return digest, None
    _remember(path, found, digest)
    return digest, found


def _remember(path: str, found: Stat, digest: str) -> None:
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[path] = (found, digest)


def _special(path: str) -> str:
    if not os.path.exists(path):
        return ABSENT
    if os.path.isdir(path):
        return FOLDER
    raise OSError(f"{path} is no plain file: its content cannot be compared")


def _metric(kind: str, name: str) -> str:
    if not metric_digests:
        raise Unknowable(f"the metric {name} is not defined here")
    return metric_digests[0](kind, name, _may_run.get())


def _texts(names: Iterable[str]) -> str:
    return hashing.digest(list(names))


def _listing(path: str) -> str:
    try:
        return _texts(sorted(os.listdir(path)))
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT


def _matches(path: str) -> str:
    return _texts(sorted(glob.glob(path, recursive=True)))


def _tree(path: str) -> str:
    """Digest all that is below a folder, by content."""
    rows = []
    for number, file in enumerate(sorted(Path(path).rglob("*"))):
        if number > MOST_FILES:
            raise OSError(f"{path} has more than {MOST_FILES} files")
        rows += [str(file.relative_to(path)), file_digest(str(file))[0]]
    return _texts(rows) if rows or os.path.isdir(path) else ABSENT


def _exists(path: str) -> str:
    if os.path.isdir(path):
        return FOLDER
    return "file" if os.path.exists(path) else ABSENT


def _stat(path: str) -> str:
    found = file_stat(path)
    return ABSENT if found is None else _texts([str(found[2]), str(found[3])])


_DIGESTS = {
    "listing": _listing,
    "matches": _matches,
    "tree": _tree,
    "exists": _exists,
    "stat": _stat,
}
