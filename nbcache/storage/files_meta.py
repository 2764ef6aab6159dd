"""What stands beside stored values: one JSON document for each name.

It has a section for each file of the name, by suffix, with the size and digest of the
file that it is about.  A section that is not about the bytes there says nothing.
"""

from __future__ import annotations

import json
import math
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from blake3 import blake3

from nbcache.storage.plain_files import open_plain, stat_id_of

__all__ = [
    "Document",
    "Section",
    "digest_of",
    "facts",
    "is_about",
    "is_rotten",
    "json_bytes",
    "now",
    "of_time",
    "read",
    "remember_written",
    "when",
]

Section = dict[str, Any]

_FORMAT = 1
_LARGEST = 1 << 26
_BLOCK = 1 << 20
_MANY = 100_000
_RACY_S = 1.0
# by path: how the file was, and the digest of its bytes then
_known: dict[str, tuple[tuple[int, ...], str]] = {}


@dataclass(frozen=True)
class Document:
    """The metadata of a name.

    Parameters
    ----------
    name : str
        Whose it is: file names may be cut, copied, or the same in either case.
    files : dict of str to dict
        Sections by suffix.
    """

    name: str
    files: dict[str, Section] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Give it as it is written.

        Raises
        ------
        TypeError, ValueError
            It is not plain data.
        """
        document = {"format": _FORMAT, "name": self.name, "files": self.files}
        return json_bytes(document)


def json_bytes(value: Any) -> bytes:
    """Give plain data as JSON that people can read.

    Raises
    ------
    TypeError, ValueError
        It is not plain data.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:  # lone surrogates
        return (json.dumps(value, indent=1) + "\n").encode()


def read(path: Path) -> Document | None:
    """Give the metadata in a file; None if there is none, or it is damaged.

    They are to be looked at only: as long as the file is the same, so are they.
    """
    try:
        with open_plain(path) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return None
            known = _documents.get(str(path))
            if known is not None and known[0] == stat_id_of(status):
                return known[1]
            document = _document(json.loads(str(file.read(), "utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    except RecursionError:  # brackets by the thousand
        return None
    # while the clock of the file system stands, it may change and look the same
    if document is not None and time.time() - status.st_mtime > _RACY_S:
        if len(_documents) >= _MOST_DOCUMENTS:
            _documents.clear()
        _documents[str(path)] = stat_id_of(status), document
    return document


_documents: dict[str, tuple[Any, Document]] = {}
_MOST_DOCUMENTS = 2_000


def _document(found: Any) -> Document | None:
    if found["format"] != _FORMAT or not isinstance(found["name"], str):
        return None
    files = {str(one): dict(section) for one, section in found["files"].items()}
    return Document(found["name"], files)


def digest_of(path: Path, *, written: bool = False) -> tuple[str, os.stat_result]:
    """Give the digest of a regular file, remembered as long as it is the same.

    Parameters
    ----------
    path : Path
        The file.
    written : bool
        It was made here: nobody else has written to it.

    Raises
    ------
    OSError
        It cannot be read, or is no regular file.
    """
    with open_plain(path) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is not a regular file")
        known = _known.get(str(path))
        if known is not None and known[0] == stat_id_of(status):
            return known[1], status
        running = blake3()
        while block := file.read(_BLOCK):
            running.update(block)
        digest = running.hexdigest()
        # while the clock of the file system stands, it may change and look the same
        is_settled = time.time() - status.st_mtime > _RACY_S
        is_same = stat_id_of(os.fstat(file.fileno())) == stat_id_of(status)
        if not written and is_settled and is_same:
            _remember(path, status, digest)
    return digest, status


def remember_written(path: Path, section: Section) -> None:
    """Keep in mind the digest of a file that was just put into its place."""
    try:
        status = path.lstat()
    except OSError:
        return
    # another one's file has another time
    if status.st_mtime_ns == section["mtime_ns"]:
        _remember(path, status, section["blake3"])


def _remember(path: Path, status: os.stat_result, digest: str) -> None:
    if len(_known) >= _MANY:
        _known.clear()
    _known[str(path)] = stat_id_of(status), digest


def facts(digest: str, status: os.stat_result) -> Section:
    """Give what a section says of its file."""
    return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns, "blake3": digest}


def is_about(section: Mapping[str, Any] | None, path: Path) -> bool:
    """Say whether a section is about the bytes of a file."""
    try:
        if section is None or section.get("bytes") != path.lstat().st_size:
            return False
        digest, status = digest_of(path)
    except OSError:
        return False
    return section.get("blake3") == digest and section["bytes"] == status.st_size


def is_rotten(section: Mapping[str, Any] | None, path: Path) -> bool:
    """Say whether bytes changed in a file that nobody has written to since.

    Raises
    ------
    OSError
        It cannot be read.
    """
    if section is None or not isinstance(section.get("blake3"), str):
        return False
    status = path.lstat()
    if (section.get("bytes"), section.get("mtime_ns")) != (
        status.st_size,
        status.st_mtime_ns,
    ):
        return False
    digest, then = digest_of(path)
    return then.st_mtime_ns == status.st_mtime_ns and digest != section["blake3"]


def now() -> str:
    """Give the local time as it is written."""
    return datetime.now().isoformat(timespec="seconds")


def when(section: Mapping[str, Any] | None) -> datetime | None:
    """Give the date of a section, as local time; None if it has none."""
    text = None if section is None else section.get("date")
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone().replace(tzinfo=None) if found.tzinfo else found


def of_time(seconds: float) -> datetime:
    """Give s since 1970 as local time."""
    return datetime.fromtimestamp(math.floor(seconds))
