"""The folder of a store: its layout, its files, what may reach a path.

Only a key (hexadecimal digits) and a slug (letters, digits, ``_``) ever do.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

__all__ = ["Folder", "is_key", "key_of"]

_KEY = re.compile(r"[0-9a-f]{32,64}")
_SLUG = re.compile(r"[A-Za-z0-9_]{1,60}")
_FILE = re.compile(r"(?:[A-Za-z0-9_]{1,60}-)?([0-9a-f]{32,64})\.npz")
_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# This folder holds entries of nbcache, format 1. It can be deleted.\n"
    b"# https://bford.info/cachedir/\n"
)


def is_key(text: object) -> bool:
    """Say whether something is the text of a key."""
    return isinstance(text, str) and _KEY.fullmatch(text) is not None


def key_of(file: str) -> str | None:
    """Give the key in the name of an entry's file; None if it is no such name."""
    match = _FILE.fullmatch(file)
    return match[1] if match else None


class Folder:
    """Where the files of a store are.

    Parameters
    ----------
    path : Path
        Made at the first write, never before.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = str(path / "entries")

    @property
    def entries(self) -> Path:
        """The folder of the entries."""
        return self.path / "entries"

    def entry(self, key: str, slug: str = "") -> Path:
        """Give the file of a key, there or not.

        Raises
        ------
        ValueError
            Not a key, or not a slug.
        """
        return Path(self.checked_name(key, slug))

    def checked_name(self, key: str, slug: str = "") -> str:
        """Give the file of a key as text.

        Raises
        ------
        ValueError
            Not a key, or not a slug.
        """
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a key: {key!r}")
        if slug and not _SLUG.fullmatch(slug):
            raise ValueError(f"not a slug: {slug!r}")
        return self.name(key, slug)

    def name(self, key: str, slug: str = "") -> str:
        """Give the file of a key as text, unchecked: several times faster."""
        name = f"{slug}-{key}.npz" if slug else f"{key}.npz"
        return f"{self._entries}{os.sep}{key[:2]}{os.sep}{name}"

    def lock(self, key: str) -> Path:
        """Give the lock file of a key."""
        return self.path / "locks" / f"{key}.lock"

    def make(self) -> None:
        """Make the folder and what belongs into it, all private."""
        if self._is_made():
            return
        for folder in ("entries", "locks", "tmp", "damaged"):
            (self.path / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
        for path, data in (
            (self.entries / "CACHEDIR.TAG", _TAG),
            (self.path / ".gitignore", b"*\n"),
        ):
            if not path.exists():
                with self.temporary() as (file, temporary):
                    file.write(data)
                    file.flush()
                    temporary.replace(path)

    def _is_made(self) -> bool:
        # whoever deletes the folder deletes it whole; what comes last is looked at
        made = (f"{self._entries}/CACHEDIR.TAG", f"{self.path}/.gitignore")
        folders = (f"{self.path}/{one}" for one in ("locks", "tmp", "damaged"))
        return all(map(os.path.exists, (*made, *folders)))

    @cached_property
    def _origin(self) -> str:
        host = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:40]
        return host or "host"

    @contextmanager
    def temporary(self) -> Iterator[tuple[BinaryIO, Path]]:
        """Open a new private file in the same file system; removed at the end."""
        name = f"{self._origin}-{os.getpid()}-{uuid.uuid4().hex}"
        path = self.path / "tmp" / name
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(path, flags, 0o600), "w+b") as file:
                yield file, path
        finally:
            path.unlink(missing_ok=True)

    def stamps(self) -> dict[str, int]:
        """Give the folders that hold entries, and when names came or went, in ns."""
        try:
            with os.scandir(self.entries) as scan:
                return {
                    one.name: one.stat().st_mtime_ns for one in scan if one.is_dir()
                }
        except OSError:
            return {}

    def files(self, folders: Iterable[str] | None = None) -> dict[str, Path]:
        """Give the entries' files by name, of all folders or some; none is opened."""
        found: dict[str, Path] = {}
        for folder in self.stamps() if folders is None else folders:
            path = self.entries / folder
            # between the two looks it may have gone
            names = os.listdir(path) if path.is_dir() else []  # noqa: PTH208
            found.update((name, path / name) for name in names if _FILE.fullmatch(name))
        return found

    def is_ours(self) -> bool:
        """Say whether the folder of the entries has the marker of a store."""
        return (self.entries / "CACHEDIR.TAG").is_file()

    def empty(self) -> None:
        """Delete all entries: out of the way in one step, then one by one."""
        self.make()
        aside = self.path / "tmp" / f"cleared-{uuid.uuid4().hex}"
        self.entries.replace(aside)
        self.make()
        shutil.rmtree(aside, ignore_errors=True)
