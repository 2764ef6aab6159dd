"""Entries as one file, to be given to somebody else or to another machine.

The file is a plain zip, nothing deflated: ``nbcache.json`` (format and names) and each
entry under its own file name, ``[slug-]key.npz``.  Unzipped, `numpy.load` reads them.
What a run found outside its key stands in its entry, so that lists of traces are made
anew from what was verified; nothing else of a file is believed.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

from nbcache import sizes
from nbcache.errors import DamagedEntry, NbcacheError
from nbcache.storage.entry import Entry
from nbcache.storage.folder import is_key, key_of, made_real
from nbcache.storage.plain_files import beside, open_plain
from nbcache.storage.publishing import publish
from nbcache.storage.store import Store
from nbcache.storage.verification import Problem, examine

__all__ = ["Exported", "Imported", "NotAnExport", "export", "import_"]

_LIST = "nbcache.json"
_FORMAT = 1
_BLOCK = 1 << 20
_MOST_LIST_BYTES = 1 << 26
_DATE = (1980, 1, 1, 0, 0, 0)


class NotAnExport(NbcacheError, ValueError):
    """A file is not one that `export` wrote."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written to a file.

    Parameters
    ----------
    entries, bytes : int
        How many, and their size.
    private : int
        Entries left out because they are private.
    refused : tuple of Problem
        Entries left out because they are damaged or cannot be read.
    """

    entries: int
    bytes: int
    private: int = 0
    refused: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        """Say it in lines."""
        lines = [f"exported {_counted(self.entries)} ({sizes.text(self.bytes)})"]
        if self.private:
            lines.append(f"{_counted(self.private)} left out: private")
        lines += [f"left out  {one}" for one in self.refused]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken from a file.

    Parameters
    ----------
    entries, bytes : int
        How many are new, and their size.
    known : int
        How many were there already.
    foreign : int
        Of the new ones, those that another user signed: not used until they are
        trusted.
    refused : tuple of Problem
        What was not taken, and why.
    """

    entries: int
    bytes: int
    known: int = 0
    foreign: int = 0
    refused: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        """Say it in lines."""
        lines = [f"imported {_counted(self.entries)} ({sizes.text(self.bytes)})"]
        if self.known:
            lines.append(f"{_counted(self.known)} there already")
        if self.foreign:
            lines.append(
                f"{_counted(self.foreign)} written by someone else: not used until "
                "trusted"
            )
        lines += [f"refused  {one}" for one in self.refused]
        return "\n".join(lines)


def _counted(count: int) -> str:
    return f"{count} entr{'y' if count == 1 else 'ies'}"


def export(
    store: Store,
    entries: Iterable[Entry],
    target: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> Exported:
    """Write entries to one file, whole or not at all.

    Parameters
    ----------
    store : Store
        Where they are.
    entries : iterable of Entry
        From a listing.  Private ones are left out.
    target : path
        The file, for this user alone (mode 0600).
    overwrite : bool
        Whether to replace a file that is there.

    Raises
    ------
    FileExistsError
        It is there.
    OSError
        It cannot be written.
    """
    target = Path(target).absolute()
    if target.exists() and not overwrite:
        _refuse(target)
    there = store.place.files()
    taken, private, refused = [], 0, []
    with beside(target) as (file, temporary):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as packed:
            for entry in entries:
                path = there.get(entry.file)
                if path is None:
                    refused.append(Problem(entry.file, "deleted meanwhile"))
                    continue
                try:
                    found, _ = examine(path)
                    if found.private:  # the file tells, not the index
                        private += 1
                        continue
                    _copy_in(packed, path)
                except (OSError, DamagedEntry) as error:
                    refused.append(Problem(entry.file, str(error)))
                    continue
                taken.append(found)
            listed = {"format": _FORMAT, "entries": [one.file for one in taken]}
            packed.writestr(zipfile.ZipInfo(_LIST, _DATE), json.dumps(listed))
        file.flush()
        os.fsync(file.fileno())
        standing = None if overwrite else partial(_refuse, target)
        publish(temporary, target, standing=standing)
    size = sum(entry.bytes for entry in taken)
    return Exported(len(taken), size, private, tuple(refused))


def _refuse(target: Path) -> NoReturn:
    raise FileExistsError(f"{target} is there already: name another file, or --yes")


def _copy_in(packed: zipfile.ZipFile, path: Path) -> None:
    with open_plain(path) as file:
        member = zipfile.ZipInfo(path.name, _DATE)
        member.external_attr = 0o600 << 16
        member.file_size = os.fstat(file.fileno()).st_size
        with packed.open(member, "w") as copy:
            shutil.copyfileobj(file, copy, _BLOCK)


def import_(store: Store, source: str | os.PathLike[str]) -> Imported:
    """Take the entries of a file that `export` wrote.

    Raises
    ------
    NotAnExport
        It is no such file.
    OSError
        It cannot be read, or the store cannot be written.

    Notes
    -----
    A member counts only if its name is that of an entry, it is not deflated, and its
    bytes are those that were written under that key; no name of the file reaches a
    path.  Entries that are there stay, unless they are damaged, or foreign where the
    new one is this user's.  What others signed is taken, but not used until trusted.
    """
    store.place.make()
    taken, known, foreign, refused = [], 0, 0, []
    with Path(source).open("rb") as file, _opened(file, source) as packed:
        for member in packed.infolist():
            if member.filename == _LIST:
                continue
            try:
                entry, is_mine = _take(store, packed, member)
            except (OSError, *_UNREADABLE) as error:
                if _is_of_disk(error):
                    raise
                refused.append(Problem(_shown(member.filename), _shown(str(error))))
                continue
            if entry is None:
                known += 1
                continue
            taken.append(entry)
            foreign += not is_mine
    for entry in taken:
        store.enter(entry)
    size = sum(entry.bytes for entry in taken)
    return Imported(len(taken), size, known, foreign, tuple(refused))


# what zipfile raises on bytes that are no zip, besides errors of the disk
_UNREADABLE = (
    *(zipfile.BadZipFile, EOFError, RuntimeError, ValueError, LookupError),
    *(TypeError, struct.error),
)


def _is_of_disk(error: Exception) -> bool:
    """Say whether an error is none of the file's content.

    An offset before its beginning is: seeking there is what the system calls invalid.
    """
    if isinstance(error, DamagedEntry) or not isinstance(error, OSError):
        return False
    return error.errno != errno.EINVAL


def _opened(file: IO[bytes], source: object) -> zipfile.ZipFile:
    """Open an export, and look that it is one.

    Raises
    ------
    NotAnExport
        It is none, or claims to hold more than its own size.
    """
    try:
        packed = zipfile.ZipFile(file)
        number = _listed(packed)["format"]
    except (OSError, *_UNREADABLE) as error:
        if _is_of_disk(error):
            raise
        told = _shown(str(error))
        raise NotAnExport(f"{source} is not an export of nbcache: {told}") from error
    if number != _FORMAT:
        raise NotAnExport(
            f"{source} has format {_shown(str(number))}; this version reads {_FORMAT}"
        )
    claimed = sum(member.file_size for member in packed.infolist())
    if claimed > os.fstat(file.fileno()).st_size:
        raise NotAnExport(f"{source} claims to hold {sizes.text(claimed)}")
    return packed


def _listed(packed: zipfile.ZipFile) -> Any:
    member = packed.getinfo(_LIST)
    if member.file_size > _MOST_LIST_BYTES or member.compress_type:
        raise ValueError(f"{_LIST} is no list")
    with packed.open(member) as file:
        return json.loads(file.read(member.file_size))


def _take(
    store: Store, packed: zipfile.ZipFile, member: zipfile.ZipInfo
) -> tuple[Entry | None, bool]:
    """Put one member into its place; None if a good entry is there."""
    key = key_of(member.filename)
    if key is None:
        raise DamagedEntry("not the name of an entry")
    if member.compress_type != zipfile.ZIP_STORED:
        raise DamagedEntry("deflated: exports are not")
    path = store.place.entry(key, member.filename.rpartition("-")[0])
    with store.place.temporary() as (file, temporary):
        with packed.open(member) as copy:
            shutil.copyfileobj(copy, file, _BLOCK)
        file.flush()
        entry, is_mine = examine(temporary, member.filename)
        items = [(str(kind), str(name)) for kind, name, *_ in entry.trace]
        if items and not is_key(entry.lookup):
            raise DamagedEntry("its look-up key is none")
        if not _is_wanted(path, is_mine):
            return None, is_mine
        made_real(path.parent)
        temporary.replace(path)
        # those of others are listed when they are trusted
        if items and is_mine and entry.lookup != key:
            store.traces.add(entry.lookup, items, key)
    return entry, is_mine


def _is_wanted(path: Path, is_mine: bool) -> bool:
    """Say whether an entry may take the place of what stands there."""
    try:
        _, stands_mine = examine(path)
    except OSError:  # nothing, or damaged
        return True
    return is_mine and not stands_mine


def _shown(name: str) -> str:
    """Give a name that somebody else chose as it may be printed."""
    return ascii(name[:100])[1:-1]
