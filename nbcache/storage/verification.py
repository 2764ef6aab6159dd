"""Looking at every byte of a store: what is damaged, foreign, or not in the index."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nbcache import sizes
from nbcache.errors import DamagedEntry
from nbcache.storage import npz, trust
from nbcache.storage.entry import Entry, read_manifest
from nbcache.storage.filesystems import is_local
from nbcache.storage.folder import key_of
from nbcache.storage.foreign_entry import document_of
from nbcache.storage.store import Store

__all__ = ["Problem", "Report", "examine", "verify"]

_YOUNG_S = 10.0


@dataclass(frozen=True, slots=True)
class Problem:
    """A file, and what is wrong with it."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at a store found.

    Parameters
    ----------
    checked, bytes : int
        Entries that were read to the last byte, and their size.
    intact : int
        How many of them are as they were written, whoever wrote them.
    damaged : tuple of Problem
        Those that are not, and those that cannot be read.
    foreign : tuple of str
        Files of intact entries that another user wrote.
    unlisted, missing : tuple of str
        Files without a row in the index; rows without a file.  Those that a listing
        finds by itself are none.
    index : str
        Why the index could not be compared; '' if it was.
    repaired : bool
        Whether damaged files were set aside and the index was put right.
    """

    checked: int = 0
    bytes: int = 0
    intact: int = 0
    damaged: tuple[Problem, ...] = ()
    foreign: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    index: str = ""
    repaired: bool = False

    @property
    def problems(self) -> int:
        """How many there are; entries of others are none."""
        return len(self.damaged) + len(self.unlisted) + len(self.missing)

    @property
    def exit_code(self) -> int:
        """0: no problem, or all were put right; 1: some."""
        return int(self.problems > 0 and not self.repaired)

    def __bool__(self) -> bool:
        """Whether the store is as it should be."""
        return not self.problems

    def __str__(self) -> str:
        """Say it in lines."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        entries = "entry" if self.checked == 1 else "entries"
        yield (
            f"{self.checked} {entries} ({sizes.text(self.bytes)}) checked: "
            f"{self.intact} intact, {len(self.damaged)} damaged, "
            f"{len(self.foreign)} written by someone else"
        )
        for problem in self.damaged:
            yield f"damaged  {problem}"
        for file in self.foreign:
            yield f"foreign  {file}"
        for file in self.unlisted:
            yield f"not in the index  {file}"
        for file in self.missing:
            yield f"in the index, but not there  {file}"
        if self.index:
            yield f"the index was not compared: {self.index}"
        if self.repaired and self.problems:
            yield "repaired: damaged files set aside in damaged/, the index put right"


def verify(store: Store, *, sample: float = 1.0, repair: bool = False) -> Report:
    """Read entries to the last byte and compare their checksums.

    Parameters
    ----------
    store : Store
        Where they are.
    sample : float
        Part of the entries that is read, 0 < sample <= 1, chosen at random.
    repair : bool
        Set damaged files aside and make the index agree with the folder.

    Raises
    ------
    ValueError
        No such part.

    Notes
    -----
    No value is decoded.  An entry that goes while this looks is no problem.
    """
    if not 0 < sample <= 1:
        raise ValueError(f"a sample is more than 0 and at most 1, not {sample!r}")
    there = store.place.files()
    chosen = sorted(there)
    if sample < 1 and chosen:
        count = max(1, round(sample * len(chosen)))
        # a generator of its own: the user's random numbers stay as they are
        chosen = sorted(random.Random().sample(chosen, count))
    checked = size = 0
    damaged, foreign = [], []
    for file in chosen:
        try:
            entry, is_mine = examine(there[file])
        except FileNotFoundError:
            continue
        except (OSError, DamagedEntry) as error:
            checked += 1
            damaged.append(Problem(file, _said(error)))
            if repair and isinstance(error, DamagedEntry):
                store.set_aside(there[file])
            continue
        checked, size = checked + 1, size + entry.bytes
        if not is_mine:
            foreign.append(file)
    unlisted, missing, told = _compared(store, repair)
    return Report(
        checked=checked,
        bytes=size,
        intact=checked - len(damaged),
        damaged=tuple(damaged),
        foreign=tuple(foreign),
        unlisted=unlisted,
        missing=missing,
        index=told,
        repaired=repair,
    )


def examine(path: Path, file: str = "") -> tuple[Entry, bool]:
    """Read an entry's file to the last byte; give it, and whether it is this user's.

    Parameters
    ----------
    path : Path
        Where it is.
    file : str
        The name that it is to have; '': that which it has.

    Raises
    ------
    DamagedEntry
        Its bytes are not those that were written, or not under this name.
    OSError
        It cannot be read.
    """
    with npz.Archive.open(path, mappable=is_local(str(path.parent))) as archive:
        trailer, file = archive.trailer, file or path.name
        archive.verify()
        if trailer.key != key_of(file):
            raise DamagedEntry(f"it is the entry of {trailer.key}")
        is_mine = trust.signer().is_mine(
            trailer.key, trailer.length, trailer.digest, trailer.mac
        )
        if is_mine:
            document = read_manifest(
                archive.manifest(), lambda name: archive.read(name, None), whole=True
            )
        else:  # nothing that takes more memory than its file is worth
            document = document_of(archive, whole=True)
        entry = Entry.from_json(document, file=file, bytes=archive.size)
        if entry.key != trailer.key:
            raise DamagedEntry(f"its manifest is that of {entry.key}")
    return entry, is_mine


def _compared(
    store: Store, repair: bool
) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """Give files without a row, rows without a file, and why that is not known."""
    if not store.place.entries.is_dir():
        return (), (), ""
    try:
        store.sums()  # what others did not enter yet is no problem
        known = store.index.all_files()
        # between two looks at the index: meanwhile others store and delete
        there = store.place.files().keys()
        known_now = store.index.all_files()
        if repair:
            store.index.note_folders({}, store.index.folders())
            store.sums()
    except (OSError, sqlite3.Error) as error:
        return (), (), _said(error)
    young = {file for file in there - known_now if _is_young(store, file)}
    return (
        tuple(sorted(there - known_now - young)),
        tuple(sorted((known & known_now) - there)),
        "",
    )


def _is_young(store: Store, file: str) -> bool:
    """Say whether a file came while this looked, or is about to be entered."""
    with suppress(OSError):
        path = store.place.entries / str(key_of(file))[:2] / file
        return time.time() - path.lstat().st_ctime < _YOUNG_S
    return True


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
