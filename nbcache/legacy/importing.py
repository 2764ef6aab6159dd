"""Take the results of earlier packages into a store, as entries to list and load."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from nbcache import sizes
from nbcache.cache import Core
from nbcache.errors import DamagedEntry, NbcacheError, UntrustedEntry
from nbcache.keys.classes import UserClasses
from nbcache.keys.key import Key, Part
from nbcache.legacy.formats import FORMATS, KINDS
from nbcache.legacy.report import LegacyImport, Taken
from nbcache.legacy.result import Format, Given, Refused, Result
from nbcache.storage import codec
from nbcache.storage.described import type_rows
from nbcache.storage.entry import IMPORTED, Entry
from nbcache.storage.store import Content
from nbcache.storage.verification import Problem
from nbcache.wording import one_line

__all__ = ["NothingToImport", "import_legacy"]

_VALUE = "value"


class NothingToImport(NbcacheError, ValueError):
    """A folder has no file that could be one of an earlier package."""


def import_legacy(
    core: Core,
    path: str | os.PathLike[str],
    kind: str | None = None,
    *,
    allow_pickle: bool = False,
    dry_run: bool = False,
) -> LegacyImport:
    """Take the results of earlier packages into a store.

    Parameters
    ----------
    core : Core
        Whose store.
    path : path
        A file, the folder of the files, or one in which their folders are.
    kind : str, optional
        Of `KINDS`; only files of it.  None: each file by what it is.
    allow_pickle : bool
        Whether code that is in the files may run.
    dry_run : bool
        Write nothing.

    Raises
    ------
    ValueError
        No such kind.
    NothingToImport
        There is no such file.
    OSError
        The path cannot be read, or the store not be written.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind is {' or '.join(map(repr, KINDS))}, not {kind!r}")
    formats = [one.asked() if one.kind == kind else one for one in FORMATS]
    wanted = [one for one in formats if kind in (None, one.kind)]
    files = _files(Path(path), wanted)
    if not files:
        raise NothingToImport(f"no file of {_kinds(wanted)} is in {path}")
    work = _Import(core, formats, wanted, allow_pickle, dry_run)
    for file in files:
        try:
            work.take(file)
        except Refused as error:
            work.refused.append(Problem(str(file), str(error)))
    return work.report()


def _files(path: Path, wanted: Sequence[Format]) -> list[Path]:
    """Give the files that may have results, in order."""
    if not stat.S_ISDIR(path.stat().st_mode):
        return [path]
    made = [one for one in wanted if one.folder and (path / one.folder).is_dir()]
    homeless = [one for one in wanted if not one.folder] if made else wanted
    places = [(path / one.folder, wanted) for one in made] + [(path, homeless)]
    return [
        file
        for folder, formats in places
        if formats
        for file in sorted(folder.iterdir())
        if any(one.may_hold(file) for one in formats)
    ]


def _kinds(formats: Sequence[Format]) -> str:
    *others, last = (one.kind for one in formats)
    return f"{', '.join(others)} or {last}" if others else last


@dataclass
class _Import:
    core: Core
    formats: Sequence[Format]
    wanted: Sequence[Format]
    allow_pickle: bool
    dry_run: bool
    refused: list[Problem] = field(default_factory=list)
    _taken: dict[str, Taken] = field(default_factory=dict)
    _remarks: dict[str, list[Path]] = field(default_factory=dict)
    _unfinished: int = 0

    def report(self) -> LegacyImport:
        taken = tuple(self._taken.values())
        remarks = (*self._remarked(), *self._overfull(taken))
        return LegacyImport(
            taken, tuple(self.refused), remarks, self._unfinished, self.dry_run
        )

    def _remarked(self) -> Iterator[str]:
        for remark, (first, *others) in self._remarks.items():
            more = f" and {len(others)} more" if others else ""
            yield f"{first}{more}: {remark}"

    def _overfull(self, taken: Sequence[Taken]) -> Iterator[str]:
        """Say that there is no room left for what is computed."""
        store = self.core.store
        limit = store.room.max_bytes
        if limit is None or not any(one.bytes for one in taken):
            return
        size = store.sums()[1]
        if size > limit:
            yield (
                f"the store has {sizes.text(size)} now, more than max_size "
                f"({sizes.text(limit)}): imported entries are never evicted, others are"
            )

    def take(self, file: Path) -> None:
        """Take all results of a file; one that cannot be stored stops no other.

        Raises
        ------
        Refused
            It has none, or may not be read.
        """
        found = next((one for one in self.formats if one.holds(file)), None)
        if found is None:
            raise Refused(f"no result of {_kinds(self.wanted)}")
        if found not in self.wanted:
            return
        try:
            given = found.read(file, allow_pickle=self.allow_pickle)
        except Refused:
            raise
        except Exception as error:  # whatever objects of a foreign pickle do
            raise Refused(f"it cannot be read: {one_line(error)}") from error
        self._note(file, given)
        for result in given.results:
            try:
                self._put(file, found.kind, result)
            except Refused as error:
                what = f"{file}, run {result.id}" if len(given.results) > 1 else file
                self.refused.append(Problem(str(what), str(error)))

    def _note(self, file: Path, given: Given) -> None:
        self._unfinished += given.unfinished
        if given.remark:
            self._remarks.setdefault(given.remark, []).append(file)

    def _put(self, file: Path, kind: str, result: Result) -> None:
        if not _is_text(f"{file.name}{result.name}{result.id}"):
            raise Refused("its name is not UTF-8: rename it to import it")
        key = _key(kind, result)
        if key in self._taken:
            return
        taken = Taken(str(file), kind, result.name, result.id, key)
        if self._is_there(key):
            taken = replace(taken, is_known=True)
        else:
            entry, content = self._encoded(file, kind, key, result)
            if not self.dry_run:
                stored = self.core.store.put(entry, content)
                taken = replace(taken, bytes=stored.bytes)
        self._taken[key] = taken

    def _is_there(self, key: str) -> bool:
        try:
            opened = self.core.store.get(key)
        except (DamagedEntry, UntrustedEntry):
            return False  # it may be replaced
        if opened is not None:
            opened.close()
        return opened is not None

    def _encoded(
        self, file: Path, kind: str, key: str, result: Result
    ) -> tuple[Entry, Content]:
        values = {_VALUE: result.value}
        try:
            encoded = codec.encode(
                values, classes=UserClasses(), namespace=vars(sys.modules["__main__"])
            )
        except Exception as error:  # whatever a class of the user's raises
            told = "" if isinstance(error, NbcacheError) else "cannot be stored: "
            raise Refused(f"{told}{one_line(error)}") from error
        origin = {"format": kind, "file": file.name, "id": result.id}
        created = result.created
        entry = Entry(
            key=key,
            kind=IMPORTED,
            name=result.name,
            variables=type_rows(values),
            pickled=list(encoded.pickled),
            seconds=result.seconds,
            created=file.stat().st_mtime if created is None else created,
            # not those of today: with which it was computed is not known
            packages={},
            options={"compress": self.core.settings.compress},
            state={**result.state, IMPORTED: origin},
        )
        return entry, Content.of(encoded)


def _is_text(name: str) -> bool:
    """Say whether what lists entries could show a name."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _key(kind: str, result: Result) -> str:
    """Give the key: the same whenever the same result is imported."""
    return Key.of(
        [
            Part(IMPORTED, kind),
            Part("name", result.name),
            Part("id", result.id),
            Part("content", result.content),
        ]
    ).digest
