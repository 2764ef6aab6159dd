"""What is said of an entry that somebody else wrote, and which may go unverified."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from nbcache.errors import DamagedEntry, NbcacheError, UntrustedEntry
from nbcache.storage import foreign, npz
from nbcache.storage.entry import read_manifest
from nbcache.storage.opened import MOST_FIELD, Opened, require_modest

__all__ = ["author_of", "document_of", "foreign_text", "is_plain"]

_AUTHOR = re.compile(r'"author":"([0-9a-f]{16})"')
_LOOKED_AT = 1 << 16


def author_of(archive: npz.Archive) -> str:
    """Give who an entry says wrote it, in a few digits; '' if it says nothing.

    Its manifest is not parsed: nobody has signed it.
    """
    if archive.trailer.manifest_bytes > _LOOKED_AT:
        return ""
    found = _AUTHOR.search(archive.manifest().decode("latin-1"))
    return found[1][:4] if found else ""


def foreign_text(archive: npz.Archive, path: Path) -> str:
    """Say that an entry was written by someone else, and how it can be used."""
    try:
        author = author_of(archive)
        when = time.strftime("%Y-%m-%d", time.localtime(path.stat().st_mtime))
    except (OSError, ValueError, NbcacheError):
        author, when = "", ""
    known = ", ".join(filter(None, (author and f"{author}…", when)))
    told = f" ({known})" if known else ""
    return (
        f'it was written by someone else{told}. To use it: nbcache trust "{path}", or '
        'trust = "data"'
    )


def document_of(archive: npz.Archive, *, whole: bool) -> dict[str, Any]:
    """Give a manifest that nobody has verified; see `entry.read_manifest`.

    Raises
    ------
    DamagedEntry
        It is none, or takes more memory than any honest one.
    OSError
        It cannot be read.
    """
    require_modest(archive)

    def read(name: str) -> np.ndarray:
        found = archive.read(name, None)
        if found.nbytes > MOST_FIELD:
            raise DamagedEntry(f"its {name} takes more than {MOST_FIELD} bytes")
        return found

    return read_manifest(archive.manifest(), read, whole=whole)


def is_plain(opened: Opened) -> bool:
    """Say whether an entry only gives data and shows only text and pictures."""
    if foreign.code_in(opened.tree):
        return False
    try:
        foreign.plain_state(opened.entry.state)
    except (UntrustedEntry, LookupError):
        return False
    return not opened.outputs
