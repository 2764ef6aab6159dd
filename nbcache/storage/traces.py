"""Which things outside its key the runs of one look-up key found.

``entries/ab/<look-up key>.traces`` lists *descriptors*, newest first: kinds and names,
without digests, and the entry of the newest run.  Only a hint where to look: the signed
entry repeats what its run found, so a damaged list costs a miss at most.  It is signed
too, since a planted one could have anything on the machine read to its end.
"""

from __future__ import annotations

import json
import os
import stat
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from nbcache.storage.folder import Folder, is_key, made_real
from nbcache.storage.foreign import is_modest
from nbcache.storage.plain_files import open_plain, stat_id_of
from nbcache.storage.trust import signer

__all__ = ["Descriptor", "Traces"]

MOST = 16
_MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What some run of a look-up key found.

    Parameters
    ----------
    items : tuple of (kind, name)
        In order.
    newest : str
        Key of the newest entry of such a run.
    """

    items: tuple[tuple[str, str], ...]
    newest: str


# what is read again and again, by path: as long as the file is the same
_read: dict[str, tuple[Any, tuple[list[Descriptor], bool]]] = {}
_MOST_READ = 10_000


class Traces:
    """The descriptors in a store.

    Parameters
    ----------
    place : Folder
        Of the store.
    foreign : bool
        Whether lists are read that this user did not sign.
    """

    def __init__(self, place: Folder, *, foreign: bool = False) -> None:
        self._place = place
        self._foreign = foreign

    def path(self, lookup: str) -> Path:
        """Give the file of a look-up key, there or not."""
        return self._place.entry(lookup).with_suffix(".traces")

    def read(self, lookup: str) -> list[Descriptor]:
        """Give the descriptors of a look-up key, newest first; [] if unreadable."""
        found, is_mine = self._listed(lookup)
        if is_mine:
            return found
        return [one for one in found if self._foreign and _is_modest(one)]

    def _listed(self, lookup: str) -> tuple[list[Descriptor], bool]:
        """Give what a list holds, and whether this user wrote it."""
        path = self.path(lookup)
        try:
            known = stat_id_of(os.lstat(path)), signer().author
        except OSError:
            return [], False
        found = _read.get(str(path))
        if found is None or found[0] != known:
            if len(_read) >= _MOST_READ:
                _read.clear()
            found = _read[str(path)] = known, self._parsed(lookup)
        return found[1]

    def _parsed(self, lookup: str) -> tuple[list[Descriptor], bool]:
        try:
            document = json.loads(_plain_bytes(self.path(lookup)))
            rows = document["descriptors"]
            found = [_descriptor(row) for row in rows[:MOST]]
            return found, _is_mine(lookup, rows, document.get("mac"))
        except (OSError, ValueError, TypeError, LookupError):
            return [], False
        except (RecursionError, AttributeError):
            return [], False

    def add(self, lookup: str, items: Iterable[tuple[str, str]], newest: str) -> None:
        """Enter a run as the newest one.

        Raises
        ------
        OSError
            It cannot be written.
        """
        first = Descriptor(tuple(sorted(items)), newest)
        known, is_mine = self._listed(lookup)
        known = known if is_mine else []
        if known and known[0] == first:
            return
        kept = [first, *(one for one in known if one.items != first.items)][:MOST]
        rows = [{"items": one.items, "newest": one.newest} for one in kept]
        mac = signer().sign(lookup, *_digested(rows))
        text = json.dumps({"descriptors": rows, "mac": mac})
        path = self.path(lookup)
        made_real(path.parent)
        if path.is_dir() and not path.is_symlink():
            path.replace(self._place.path / "damaged" / f"{uuid.uuid4().hex}.traces")
        with self._place.temporary() as (file, temporary):
            file.write(text.encode("ascii"))
            file.flush()
            temporary.replace(path)

    def remove(self, lookup: str) -> None:
        """Forget a look-up key.

        Raises
        ------
        OSError
            The folder cannot be written.
        """
        path = self.path(lookup)
        if self._place.holds(path):
            path.unlink(missing_ok=True)


def _plain_bytes(path: Path) -> bytes:
    """Read a file that is one: a pipe would block, a link lead elsewhere.

    Raises
    ------
    OSError
        It is none, or too large.
    """
    with open_plain(path) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            raise OSError(f"{path} is no list of traces")
        return file.read(_MOST_BYTES)


def _is_modest(found: Descriptor) -> bool:
    return all(is_modest(kind, name) for kind, name in found.items)


def _is_mine(lookup: str, rows: Any, mac: Any) -> bool:
    """Say whether this user wrote a list: it says which files are looked at."""
    return type(mac) is str and signer().is_mine(lookup, *_digested(rows), mac)


def _digested(rows: Any) -> tuple[int, str]:
    """Give length and digest of a list; it is never taken for an entry's."""
    data = json.dumps(rows).encode("ascii")
    return len(data), "traces " + blake3(data).hexdigest()


def _descriptor(row: Any) -> Descriptor:
    """Read a descriptor back.

    Raises
    ------
    ValueError, TypeError, LookupError
        It is none.
    """
    items = tuple((str(kind), str(name)) for kind, name in row["items"])
    newest = row["newest"]
    if not items or not is_key(newest):
        raise ValueError("not a descriptor")
    return Descriptor(items, newest)
