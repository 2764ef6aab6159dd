"""The folder of a store: its layout, its files, what may reach a path.

Only a key (hexadecimal digits) and a slug (letters, digits, ``_``) ever do.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from nbcache.storage.interrupts import uninterrupted
from nbcache.storage.plain_files import MAKE_FLAGS

__all__ = ["Folder", "file_name", "is_key", "key_of", "made_real", "require_real"]

_BESIDE = ("locks", "tmp", "damaged")
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


def file_name(key: str, slug: str = "") -> str:
    """Give the name of an entry's file."""
    return f"{slug}-{key}.npz" if slug else f"{key}.npz"


def key_of(file: str) -> str | None:
    """Give the key in the name of an entry's file; None if it is no such name."""
    match = _FILE.fullmatch(file)
    return match[1] if match else None


_REMEDY = "Entries of others are not used, but they could delete yours"


def require_real(folder: Path) -> Path:
    """Give a folder back; what is written there stays in the store.

    Raises
    ------
    OSError
        It is a link, or something else than a folder, or not there.
    """
    if not stat.S_ISDIR(os.lstat(folder).st_mode):
        raise NotADirectoryError(f"{folder} is no folder of the store's own")
    return folder


def made_real(folder: Path) -> Path:
    """Make a private folder if it is missing, and give it; see `require_real`."""
    folder.mkdir(exist_ok=True, mode=0o700)
    return require_real(folder)


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
        return f"{self._entries}{os.sep}{key[:2]}{os.sep}{file_name(key, slug)}"

    def lock(self, key: str) -> Path:
        """Give the lock file of a key."""
        return self.path / "locks" / f"{key}.lock"

    @property
    def evictor_lock(self) -> Path:
        """The lock file of who evicts, or replaces a broken database."""
        return self.path / "locks" / "evictor.lock"

    def exposure(self) -> str:
        """Say that others may write to the folder; '' if they may not, or it is new."""
        try:
            found = self.path.stat()
        except OSError:
            return ""
        if not stat.S_ISDIR(found.st_mode):
            return ""
        if getattr(os, "geteuid", lambda: found.st_uid)() != found.st_uid:
            return f"the store {self.path} belongs to another user. {_REMEDY}"
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return f"others may write to the store {self.path} (chmod 700). {_REMEDY}"
        return ""

    def make(self) -> None:
        """Make the folder and what belongs into it, all private.

        Raises
        ------
        OSError
            It cannot be made, or what is in its place is something else.
        """
        if self._is_made():
            return
        # by itself: as a parent it would get the mode that the umask leaves
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in ("entries", *_BESIDE):
            made_real(self.path / folder)
        for path, data in (
            (self.entries / "CACHEDIR.TAG", _TAG),
            (self.path / ".gitignore", b"*\n"),
        ):
            if not os.path.exists(path):
                with self.temporary() as (file, temporary):
                    file.write(data)
                    file.flush()
                    temporary.replace(path)

    def _is_made(self) -> bool:
        # whoever deletes the folder deletes it whole; what comes last is looked at
        made = (f"{self._entries}/CACHEDIR.TAG", f"{self.path}/.gitignore")
        folders = (self._entries, *(f"{self.path}/{one}" for one in _BESIDE))
        try:
            # no links: what is written through one lands elsewhere
            real = (stat.S_ISDIR(os.lstat(one).st_mode) for one in folders)
            return all(real) and all(map(os.path.exists, made))
        except OSError:
            return False

    @cached_property
    def origin(self) -> str:
        """How the names of this host's temporaries begin."""
        host = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:40]
        return host or "host"

    @contextmanager
    def temporary(self) -> Iterator[tuple[BinaryIO, Path]]:
        """Open a new private file in the same file system; removed at the end."""
        name = f"{self.origin}-{os.getpid()}-{uuid.uuid4().hex}"
        path = require_real(self.path / "tmp") / name
        try:
            with uninterrupted():
                file = os.fdopen(os.open(path, MAKE_FLAGS, 0o600), "w+b")
            with file:
                yield file, path
        finally:
            with suppress(OSError):  # the sweep takes what stays
                path.unlink()

    def stamps(self) -> dict[str, int]:
        """Give the folders that hold entries, and when names came or went, in ns."""
        try:
            require_real(self.entries)
            with os.scandir(self.entries) as scan:
                return {
                    one.name: one.stat().st_mtime_ns
                    for one in scan
                    if one.is_dir(follow_symlinks=False)
                }
        except OSError:
            return {}

    def files(self, folders: Iterable[str] | None = None) -> dict[str, Path]:
        """Give the entries' files by name, of all folders or some; none is opened."""
        found: dict[str, Path] = {}
        for folder in self.stamps() if folders is None else folders:
            path = self.entries / folder
            # between the two looks it may have gone
            with suppress(OSError):
                for name in os.listdir(require_real(path)):  # noqa: PTH208
                    key = key_of(name)
                    if key and folder == key[:2]:
                        found[name] = path / name
        return found

    def holds(self, path: Path) -> bool:
        """Say whether something stands at an entry's place, in folders of the store."""
        try:
            require_real(self.entries)
            require_real(path.parent)
            os.lstat(path)
        except OSError:
            return False
        return True

    def is_ours(self) -> bool:
        """Say whether the folder of the entries has the marker of a store."""
        return os.path.isfile(self.entries / "CACHEDIR.TAG")
