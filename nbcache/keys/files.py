"""Files whose content belongs to a key, named by the user."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import xxhash

from nbcache.errors import UnhashableValue
from nbcache.keys import source
from nbcache.keys.key import Part

__all__ = [
    "ABSENT",
    "File",
    "content_digest",
    "file_parts",
    "matching_files",
    "streamed_digest",
]

ABSENT = "absent"
_BLOCK_BYTES = 1 << 20


def matching_files(pattern: str) -> list[str]:
    """Give the files that a path or glob names, sorted, as they would be opened.

    A path that exists is meant itself, whatever characters are in it; a folder stands
    for all files below it.  ``**`` matches folders at any depth.
    """
    path = Path(pattern).expanduser()
    if path.is_dir():
        found = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
        ]
    elif os.path.lexists(path):
        found = [str(path)]
    else:
        # pathlib takes no absolute pattern
        found = glob.glob(str(path), recursive=True, include_hidden=True)  # noqa: PTH207
    return sorted(one for one in found if not Path(one).is_dir())


def content_digest(path: str) -> str:
    """Give the xxh3_128 of a file's content; `ABSENT` if there is none.

    Raises
    ------
    UnhashableValue
        It cannot be read.
    """
    try:
        # a pipe would keep its reader waiting
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise UnhashableValue(path, "file", "it is no regular file")
        return streamed_digest(path)
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except OSError as error:
        raise UnhashableValue(path, "file", str(error)) from error


def streamed_digest(path: str) -> str:
    """Give the xxh3_128 of a regular file's content.

    Raises
    ------
    OSError
        It cannot be read.
    """
    running = xxhash.xxh3_128()
    buffer = bytearray(_BLOCK_BYTES)
    view = memoryview(buffer)
    with Path(path).open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            running.update(view[:count])
    return running.hexdigest()


def file_parts(pattern: str) -> Iterator[Part]:
    """Give a part for each file that a path or glob names; one that says none does.

    Raises
    ------
    UnhashableValue
        A file cannot be read.
    """
    paths = matching_files(pattern)
    for path in paths:
        yield Part(f"file {path}", source.text_digest(content_digest(path)))
    if not paths:
        yield Part(f"file {pattern}", source.text_digest(ABSENT), ABSENT)


@dataclass(frozen=True, slots=True)
class File:
    """A file, or the files of a glob, identified by path and content.

    As an argument of a cached function, among ``depends_on`` or in ``--deps``, it makes
    a result depend on what is in the file when it is asked for::

        @cached(depends_on=File("data.parquet"))
        def load(): ...

    Parameters
    ----------
    path : str or path
        A file; a folder, for all files below it; or a glob, ``**`` for any depth.
        Relative to the working directory of the moment.  A missing file has an
        identity too: that it is missing.
    """

    path: str | os.PathLike[str]

    def __fspath__(self) -> str:
        """Give the path, so that it can be opened."""
        return os.fspath(self.path)

    def __nbcache_hash__(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Give the path as written, and each file with the digest of its content."""
        pattern = os.fspath(self.path)
        found = matching_files(pattern)
        return pattern, tuple((path, content_digest(path)) for path in found)
