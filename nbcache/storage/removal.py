"""Taking entries out of a store without harm to who reads them, or to anything else.

A file leaves by a rename into ``tmp/`` and is unlinked there; who has it open keeps its
bytes.  Every step goes by descriptors of folders that are no links, and touches only
names of our own grammar, so that nothing planted in a store leads out of it.
"""

from __future__ import annotations

import os
import re
import stat
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nbcache.storage.folder import Folder, key_of

__all__ = ["clear", "empty", "not_a_store", "remove"]

_FOLDER = re.compile(r"[0-9a-f]{2}")
_TRACES = re.compile(r"[0-9a-f]{32,64}\.traces")
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def _opened(path: str | Path, within: int | None = None) -> Iterator[int]:
    """Open a folder that is no link.

    Raises
    ------
    OSError
        It is not there, or is a link.
    """
    descriptor = os.open(path, _OPEN, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove(place: Folder, files: Iterable[str], *, strict: bool = False) -> list[str]:
    """Remove entries by their file names; give those that are gone now.

    Parameters
    ----------
    place : Folder
        Of the store.
    files : iterable of str
        What is no name of an entry is passed over.
    strict : bool
        Whether to say, in the end, what could not be removed.

    Raises
    ------
    OSError
        Something could not be removed, if that is asked for.
    """
    gone, aside, failed = [], [], None
    if not place.is_ours():
        if strict and place.entries.exists():
            raise not_a_store(place)
        return []
    try:
        with _opened(place.path / "tmp") as target:
            for file in files:
                key = key_of(file)
                if key is None:
                    continue
                name = f"removed-{uuid.uuid4().hex}"
                try:
                    with (
                        _opened(place.entries) as root,
                        _opened(key[:2], root) as folder,
                    ):
                        os.rename(file, name, src_dir_fd=folder, dst_dir_fd=target)
                    aside.append(name)
                except FileNotFoundError:
                    pass  # somebody else was first
                except OSError as error:
                    failed = failed or error
                    continue
                gone.append(file)
            for name in aside:
                _delete(name, target)
    except OSError as error:
        failed = failed or error
    if failed is not None and strict:
        raise failed
    return gone


def _delete(name: str, folder: int) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)


def clear(place: Folder) -> int:
    """Remove all entries: out of the way in one step, deleted behind; count them.

    Raises
    ------
    OSError
        The folder cannot be written, or is not one of ours.
    """
    if not os.path.lexists(place.entries):
        return 0
    if os.path.islink(place.entries) or not place.is_ours():
        if _is_begun(place.entries):
            return 0
        raise not_a_store(place)
    place.make()
    aside = place.path / "tmp" / f"cleared-{uuid.uuid4().hex}"
    place.entries.replace(aside)
    place.make()
    return empty(aside, place.entries)


def _is_begun(entries: Path) -> bool:
    """Say whether whoever made a folder was killed before marking it as ours."""
    return not os.path.islink(entries) and not os.listdir(entries)


def not_a_store(place: Folder) -> OSError:
    """Give the error for a folder that has not our marker."""
    return OSError(
        f"{place.entries} has no CACHEDIR.TAG: not a store of nbcache, nothing was "
        "deleted"
    )


def empty(aside: Path, home: Path | None = None) -> int:
    """Delete what is ours in a folder of entries; give how many entries there were.

    Parameters
    ----------
    aside : Path
        The folder; it goes too if nothing is left.
    home : Path, optional
        Where to put back what is not ours; None: it stays.
    """
    count = 0
    with suppress(OSError), _opened(aside) as root:
        for name in os.listdir(root):
            if name == "CACHEDIR.TAG":
                os.unlink(name, dir_fd=root)
            elif _FOLDER.fullmatch(name) and _is_folder(name, root):
                count += _empty_one(name, root)
        for name in os.listdir(root):
            if home is not None:
                _put_back(aside / name, home / name)
    with suppress(OSError):
        aside.rmdir()
    return count


def _is_folder(name: str, within: int) -> bool:
    found = os.stat(name, dir_fd=within, follow_symlinks=False)
    return stat.S_ISDIR(found.st_mode)


def _empty_one(name: str, root: int) -> int:
    count = 0
    with _opened(name, root) as folder:
        for file in os.listdir(folder):
            is_entry = key_of(file) is not None
            if is_entry or _TRACES.fullmatch(file):
                with suppress(OSError):  # a folder of that name is not ours
                    os.unlink(file, dir_fd=folder)
                    count += is_entry
    with suppress(OSError):
        os.rmdir(name, dir_fd=root)
    return count


def _put_back(path: Path, target: Path) -> None:
    """Move what is not ours back to where it was."""
    if path.is_dir() and not path.is_symlink() and target.is_dir():
        for one in path.iterdir():
            _put_back(one, target / one.name)
        with suppress(OSError):
            path.rmdir()
    elif not os.path.lexists(target):
        with suppress(OSError):
            path.rename(target)
