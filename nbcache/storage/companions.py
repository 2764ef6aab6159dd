"""Storages of users' own, with metadata kept as values of their own beside the values.

Whatever has ``exists``, ``save`` and ``load`` will do.  The metadata of ``x`` are the
value ``x.meta``: JSON as text, or as an array of text where only arrays can be kept.
"""

from __future__ import annotations

import builtins
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from nbcache.errors import NotCached
from nbcache.storage import files_meta
from nbcache.storage.files import FileStorage
from nbcache.storage.files_meta import Section

__all__ = ["Companions", "Storage", "as_loaded", "changed_since", "shelf"]

_META = ".meta"
_NEEDED = ("exists", "save", "load")


class Storage(Protocol):
    """What a storage of a user's own has at least."""

    def exists(self, name: str) -> bool:
        """Say whether there is a value of this name."""

    def save(self, name: str, data: Any) -> Any:
        """Keep a value, in place of an earlier one."""

    def load(self, name: str) -> Any:
        """Give the value of a name."""


class Companions:
    """A storage with only the plain methods, used like a `FileStorage`.

    Parameters
    ----------
    storage : object
        With ``exists``, ``save`` and ``load``; ``delete`` and ``list`` if it has them.

    Notes
    -----
    Nothing here ties metadata to the bytes of a value: who puts them says in them which
    value they are of.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._seen: set[str] = set()

    def __repr__(self) -> str:
        """Show what is wrapped."""
        return f"{type(self).__name__}({self.storage!r})"

    def __nbcache_hash__(self) -> str:
        """Be the same in every key: where values are kept does not change them."""
        return "a storage of a user's own"

    def exists(self, name: str) -> bool:
        """Say whether there is a value of this name."""
        return bool(self.storage.exists(name))

    def save(self, name: str, data: Any) -> None:
        """Keep a value, in place of an earlier one."""
        self.put(name, data, {})

    def load(self, name: str) -> Any:
        """Give the value of a name.

        Raises
        ------
        NotCached
            There is none.
        """
        self._require(name)
        return self.storage.load(name)

    def delete(self, name: str) -> bool:
        """Remove a value and its metadata; say whether there was one.

        Raises
        ------
        TypeError
            The storage cannot delete.
        """
        delete = self._method("delete")
        companion = _companion(name)
        # the value last: alone, it is one without metadata
        if self.exists(companion):
            delete(companion)
        if not self.exists(name):
            return False
        delete(name)
        self._seen.discard(name)
        return True

    def list(self) -> builtins.list[str]:
        """Give the names of all values, sorted.

        Of a storage that cannot list: those that were put or found here.
        """
        found = getattr(self.storage, "list", None)
        names = found() if callable(found) else filter(self.exists, tuple(self._seen))
        return sorted(name for name in names if not name.endswith(_META))

    def date(self, name: str) -> datetime | None:
        """Give the local time at which a value was stored; None if nobody knows."""
        return files_meta.when(self.meta(name))

    def put(self, name: str, data: Any, meta: Mapping[str, Any]) -> Section:
        """Keep a value with metadata, in place of earlier ones.

        Returns
        -------
        dict
            The metadata as they were stored: with a ``date``.

        Raises
        ------
        TypeError, ValueError
            The metadata are no plain data, or the storage refuses the value.
        """
        companion = _companion(name)
        section = {"date": files_meta.now(), **meta}
        text = str(files_meta.json_bytes({"name": name, **section}), "utf-8")
        self.storage.save(name, data)
        self._seen.add(name)
        try:
            self.storage.save(companion, text)
        except (TypeError, ValueError):  # it keeps arrays only
            self.storage.save(companion, np.array(text))
        return section

    def meta(self, name: str) -> Section | None:
        """Give the metadata of a value; None without value or readable metadata."""
        try:
            companion = _companion(name)
            if not self.exists(name) or not self.exists(companion):
                return None
            found = json.loads(_text(self.storage.load(companion)))
        except Exception:  # whatever a storage makes of damage
            return None
        if not isinstance(found, dict) or found.pop("name", None) != name:
            return None
        self._seen.add(name)
        return found

    def rename(self, old: str, new: str, meta: Mapping[str, Any] | None = None) -> None:
        """Give a value another name; see `FileStorage.rename`.

        Raises
        ------
        NotCached
            There is no value of the old name.
        FileExistsError
            There is one of the new name.
        TypeError
            The storage cannot delete.
        """
        self._method("delete")
        self._require(old)
        if self.exists(new):
            raise FileExistsError(f"{new!r} is stored already")
        known = self.meta(old) or {}
        date = {one: known[one] for one in ("date",) if one in known}
        self.put(new, self.load(old), {**date, **(known if meta is None else meta)})
        self.delete(old)

    def _require(self, name: str) -> None:
        if not self.exists(name):
            raise NotCached(f"nothing is stored under {name!r} in {self.storage!r}")
        self._seen.add(name)

    def _method(self, name: str) -> Any:
        found = getattr(self.storage, name, None)
        if not callable(found):
            kind = type(self.storage).__name__
            raise TypeError(f"{kind} has no method {name}(name): give it one")
        return found


def _companion(name: str) -> str:
    if name.endswith(_META):
        raise ValueError(f"{name!r} ends like the names of metadata ({_META})")
    return f"{name}{_META}"


def _text(found: Any) -> str:
    value: Any = np.asarray(found)[()]
    return str(value, "utf-8") if isinstance(value, bytes) else str(value)


def changed_since(storage: FileStorage | Companions, name: str) -> str:
    """Say what is wrong with a value without metadata; '' if it never had any."""
    if isinstance(storage, Companions):
        return ""
    with suppress(OSError), storage._locked(name):
        if storage.meta(name) is not None:
            return ""  # they came a moment after the value
    place = storage._meta_path(name)
    if not os.path.lexists(place):
        return ""
    if files_meta.read(place) is None:
        return f"{place.name} cannot be read"
    return "its file changed since it was stored" if storage._section(name) else ""


def as_loaded(storage: FileStorage | Companions, data: Any) -> Any:
    """Give a value as it comes back once it is stored; the storage is left alone.

    Raises
    ------
    TypeError
        It cannot be kept.
    OSError
        There is no room for temporary files.
    """
    if isinstance(storage, Companions):
        return deepcopy(data)  # what the storage would make of it is not known
    with tempfile.TemporaryDirectory(prefix="nbcache-") as folder:
        path = Path(folder) / f"value{storage.suffix}"
        storage._save(path, data)
        return storage._load(path)


def shelf(storage: Any) -> FileStorage | Companions:
    """Give a storage with metadata: itself, or wrapped.

    Raises
    ------
    TypeError
        It is no storage.
    """
    if isinstance(storage, FileStorage | Companions):
        return storage
    missing = [one for one in _NEEDED if not callable(getattr(storage, one, None))]
    if missing or isinstance(storage, type):
        needed = "exists(name), save(name, data) and load(name)"
        what = "an object, not a class," if isinstance(storage, type) else "an object"
        lack = f"; it has no {', '.join(missing)}" if missing else ""
        raise TypeError(f"a storage is {what} with {needed}, not {storage!r}{lack}")
    return Companions(storage)
