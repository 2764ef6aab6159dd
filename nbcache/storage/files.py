"""Storages: values in plain files that people can open, one file for each name.

Beside each value stands ``<name>.meta.json`` (`files_meta`): when it was stored, and
what whoever stored it wants to know of it.  Value and metadata come into their places
one after the other, so the metadata tell by size and digest which bytes they are about;
metadata of other bytes count as none.
"""

from __future__ import annotations

import builtins
import errno
import os
import stat
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from nbcache.errors import DamagedEntry, NotCached, UntrustedEntry
from nbcache.storage import files_meta
from nbcache.storage.files_meta import Document, Section
from nbcache.storage.files_names import (
    META_SUFFIX,
    decoded,
    encoded,
    require_suffix,
)
from nbcache.storage.files_writing import (
    locked,
    move,
    naming,
    settle,
    sweep,
    temporary,
    written_beside,
)
from nbcache.wording import one_line

__all__ = ["FileStorage"]


class FileStorage:
    """A folder with a file for each value; subclasses say how one is written.

    Parameters
    ----------
    folder : path
        Made at the first write.
    suffix : str
        What the names of its files end with: ``".pkl"``.

    Attributes
    ----------
    folder : Path
        Absolute: it stays where it is when the working directory changes.
    given : str
        The folder as it was spelled.
    suffix : str

    Notes
    -----
    A subclass has `_save` and `_load`.  Everything else is here: a file stands in its
    place whole or not at all, also when several processes write it, and a failing
    `_save` leaves what was there before.
    """

    __nbcache_opaque__ = True

    def __init__(self, folder: str | os.PathLike[str], suffix: str) -> None:
        self.given = os.fspath(folder)
        self.folder = Path(self.given).absolute()
        self.suffix = require_suffix(suffix)

    def __repr__(self) -> str:
        """Show the folder as it was spelled."""
        return f"{type(self).__name__}({self.given!r})"

    def __nbcache_hash__(self) -> str:
        """Be the same in every key: where values are kept does not change them."""
        return "a storage of files"

    # ------------------------------------------------------------ for subclasses

    def _save(self, path: Path, data: Any) -> None:
        """Write a value to a file that is not there yet.

        Parameters
        ----------
        path : Path
            A temporary file in the folder; its name ends with the suffix.
        data
            The value; what cannot be kept exactly should be a TypeError.
        """
        kinds = f"{type(self).__name__}, {type(data).__name__}"
        raise TypeError(f"there is no _save to write {path} ({kinds})")

    def _load(self, path: Path) -> Any:
        """Read a value from a file."""
        raise TypeError(f"{type(self).__name__} has no _load to read {path}")

    # ------------------------------------------------------------ values

    def path(self, name: str) -> Path:
        """Give the place of a value."""
        return self.folder / f"{encoded(name)}{self.suffix}"

    def exists(self, name: str) -> bool:
        """Say whether there is a value of this name."""
        return os.path.lexists(self.path(name)) and not self._is_of_another(name)

    def save(self, name: str, data: Any) -> None:
        """Keep a value, in place of an earlier one.

        Parameters
        ----------
        name : str
            Any text.
        data
            What the storage can keep.

        Raises
        ------
        TypeError
            It cannot be kept; nothing is written.
        OSError
            It cannot be written; an earlier value stays.
        """
        self.put(name, data, {})

    def load(self, name: str) -> Any:
        """Give the value of a name.

        Raises
        ------
        NotCached
            There is none.
        DamagedEntry
            Its file cannot be read, or changed since it was written.
        UntrustedEntry
            Reading it could run code, which was not allowed.
        """
        path = self.path(name)
        self._require(name)
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise DamagedEntry("it is not a regular file")
            if files_meta.is_rotten(self._section(name), path):
                raise DamagedEntry("its bytes changed, though nobody wrote to it")
            return self._load(path)
        except (UntrustedEntry, MemoryError):
            raise
        except FileNotFoundError as error:
            if os.path.lexists(path):
                raise _unreadable(path, error) from error
            raise NotCached(f"{path} was removed while it was read") from error
        except Exception as error:  # whatever a format makes of other bytes
            # seeking to where damaged bytes point is invalid; all else is the system's
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise _unreadable(path, error) from error

    def delete(self, name: str) -> bool:
        """Remove a value and what is known of it; say whether there was one.

        Raises
        ------
        OSError
            It cannot be removed.
        """
        if not self.exists(name):
            return False
        path = self.path(name)
        with self._locked(name):
            if not self.exists(name):
                return False
            try:
                path.unlink()
            except FileNotFoundError:
                return False
            self._drop_section(name)
        return True

    def list(self) -> builtins.list[str]:
        """Give the names of all values, sorted."""
        try:
            files = [one.name for one in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted({name for file in files if (name := self._name_of(file))})

    def date(self, name: str) -> datetime | None:
        """Give the local time at which a value was stored; None if there is none."""
        if not self.exists(name):
            return None
        found = files_meta.when(self.meta(name))
        if found is None:
            with suppress(OSError):
                return files_meta.of_time(self.path(name).lstat().st_mtime)
        return found

    # ------------------------------------------------------------ values with metadata

    def put(self, name: str, data: Any, meta: Mapping[str, Any]) -> Section:
        """Keep a value with metadata, in place of earlier ones.

        Parameters
        ----------
        name : str
            Any text.
        data
            What the storage can keep.
        meta : mapping of str to object
            Plain data, for JSON.  A ``date`` is kept; ``bytes``, ``mtime_ns`` and
            ``blake3`` are told of the file.

        Returns
        -------
        dict
            The metadata as they were stored.

        Raises
        ------
        TypeError, ValueError
            The value cannot be kept, or the metadata are no plain data.
        OSError
            It cannot be written.  In every case earlier ones stay.
        """
        path = self.path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        ready = temporary(self.folder, self.suffix)
        try:
            with naming(path):
                self._save(ready, data)
                settle(ready, f"{type(self).__name__}._save")
                section = {"date": files_meta.now(), **meta, **_facts(ready)}
                with self._locked(name):
                    self._replace(name, ready, section)
        finally:
            with suppress(OSError):
                ready.unlink()
        return section

    def _replace(self, name: str, ready: Path, section: Section) -> None:
        path, place = self.path(name), self._meta_path(name)
        document = files_meta.read(place)
        if document is not None and document.name != name:
            self._require_no_twin(name, document)
            document = None
        files = {} if document is None else document.files
        text = Document(name, {**files, self.suffix: section}).to_bytes()
        with written_beside(place, text) as beside:
            ready.replace(path)
            beside.replace(place)
        files_meta.remember_written(path, section)

    def meta(self, name: str) -> Section | None:
        """Give the metadata of a value; None without value or metadata of its bytes."""
        section = self._section(name)
        if section is None or not files_meta.is_about(section, self.path(name)):
            return None
        return {**section}

    def rename(self, old: str, new: str, meta: Mapping[str, Any] | None = None) -> None:
        """Give a value another name.

        Parameters
        ----------
        old, new : str
            Names.
        meta : mapping of str to object, optional
            Metadata in place of those it has; its date stays unless another is given.

        Raises
        ------
        NotCached
            There is no value of the old name.
        FileExistsError
            There is one of the new name.
        OSError
            It cannot be done.

        Notes
        -----
        Killed in the middle, it leaves the value under the old name or under both.
        """
        path, target = self.path(old), self.path(new)
        self._require(old)
        with self._locked(old, new), naming(target):
            if os.path.lexists(target):
                raise FileExistsError(f"{new!r} is stored already: {target}")
            section = self.meta(old) or {}
            date = {"date": self._date_text(old, section)}
            known = {**date, **(section if meta is None else meta), **_facts(path)}
            place = self._meta_path(new)
            document = files_meta.read(place)
            is_mine = document is not None and document.name == new
            files = document.files if document is not None and is_mine else {}
            text = Document(new, {**files, self.suffix: known}).to_bytes()
            with written_beside(place, text) as beside:
                # first, as it says nothing as long as there is no value
                beside.replace(place)
                move(path, target)
            self._drop_section(old)

    # ------------------------------------------------------------ metadata

    def _meta_path(self, name: str) -> Path:
        return self.folder / f"{encoded(name)}{META_SUFFIX}"

    def _section(self, name: str) -> Section | None:
        document = files_meta.read(self._meta_path(name))
        if document is None or document.name != name:
            return None
        return document.files.get(self.suffix)

    def _is_of_another(self, name: str) -> bool:
        document = files_meta.read(self._meta_path(name))
        return document is not None and document.name != name

    def _require(self, name: str) -> None:
        """Refuse a name without a value.

        Raises
        ------
        NotCached
            There is none.
        """
        path = self.path(name)
        if not os.path.lexists(path):
            raise NotCached(f"nothing is stored under {name!r}: there is no {path}")
        if self._is_of_another(name):
            place = self._meta_path(name)
            raise NotCached(
                f"nothing is stored under {name!r}: {path} is of another name, says "
                f"{place.name}"
            )

    def _require_no_twin(self, name: str, document: Document) -> None:
        """Refuse to write over a name that has the same file only here.

        Raises
        ------
        FileExistsError
            The file system does not tell upper from lower case, and has the other one.
        """
        place = self.folder / encoded(name)
        suffixes = {self.suffix, *document.files}
        is_there = any(os.path.lexists(f"{place}{suffix}") for suffix in suffixes)
        if is_there and encoded(document.name).casefold() == place.name.casefold():
            raise FileExistsError(
                f"{name!r} cannot be stored beside {document.name!r}: both have the "
                f"file {self.path(name)}; choose another name, or delete the other"
            )

    def _drop_section(self, name: str) -> None:
        place = self._meta_path(name)
        document = files_meta.read(place)
        if document is None or document.name != name:
            return
        files = {
            one: kept for one, kept in document.files.items() if one != self.suffix
        }
        if not files:
            place.unlink(missing_ok=True)
            return
        with written_beside(place, Document(name, files).to_bytes()) as beside:
            beside.replace(place)

    def _date_text(self, name: str, section: Section) -> str:
        found = files_meta.when(section) or self.date(name)
        return files_meta.now() if found is None else found.isoformat()

    def _name_of(self, file: str) -> str | None:
        if file.startswith(".") or not file.endswith(self.suffix):
            return None
        stem = file.removesuffix(self.suffix)
        name = None if file.endswith(META_SUFFIX) else decoded(stem)
        if name is None:
            return None
        document = files_meta.read(self.folder / f"{stem}{META_SUFFIX}")
        if document is None or document.name == name:
            return name
        is_its = encoded(document.name or "?").casefold() == stem.casefold()
        return document.name if is_its else None

    def _locked(self, *names: str) -> AbstractContextManager[None]:
        return locked(self.folder, [encoded(name) for name in names])


def _facts(path: Path) -> Section:
    return files_meta.facts(*files_meta.digest_of(path, written=True))


def _unreadable(path: Path, error: BaseException) -> DamagedEntry:
    said = one_line(error).removeprefix(f"{path} ")
    return DamagedEntry(f"{path} cannot be read, it may be damaged: {said}")
