"""Which things outside its key the runs of one look-up key found.

``entries/ab/<look-up key>.traces`` lists *descriptors*, newest first: kinds and names,
without digests, and the entry of the newest run.  Only a hint where to look: the signed
entry repeats what its run found, so a damaged or planted list costs a miss at most.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbcache.storage.folder import Folder, is_key

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


class Traces:
    """The descriptors in a store.

    Parameters
    ----------
    place : Folder
        Of the store.
    """

    def __init__(self, place: Folder) -> None:
        self._place = place

    def path(self, lookup: str) -> Path:
        """Give the file of a look-up key, there or not."""
        return self._place.entry(lookup).with_suffix(".traces")

    def read(self, lookup: str) -> list[Descriptor]:
        """Give the descriptors of a look-up key, newest first; [] if unreadable."""
        try:
            with self.path(lookup).open("rb") as file:
                data = file.read(_MOST_BYTES)
            rows = json.loads(data)["descriptors"]
            return [_descriptor(row) for row in rows[:MOST]]
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return []

    def add(self, lookup: str, items: Iterable[tuple[str, str]], newest: str) -> None:
        """Enter a run as the newest one.

        Raises
        ------
        OSError
            It cannot be written.
        """
        first = Descriptor(tuple(sorted(items)), newest)
        known = self.read(lookup)
        if known and known[0] == first:
            return
        kept = [first, *(one for one in known if one.items != first.items)][:MOST]
        text = json.dumps(
            {
                "descriptors": [
                    {"items": one.items, "newest": one.newest} for one in kept
                ]
            }
        )
        path = self.path(lookup)
        path.parent.mkdir(exist_ok=True, mode=0o700)
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
        self.path(lookup).unlink(missing_ok=True)


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
