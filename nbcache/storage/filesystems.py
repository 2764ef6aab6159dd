"""On which file systems files may be mapped, and databases be opened.

A file that is cut on a network file system kills whoever mapped it, and a SQLite
database there loses data without an error, so only those that are known to do it right
are on the list; on all others entries are read plainly and listed by a scan.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["LOCAL", "is_local", "kind_in", "mounts_of_linux", "mounts_of_macos"]

LOCAL = frozenset(
    (
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs"),
        *("tmpfs", "overlay", "apfs", "hfs"),
    )
)
"""Kinds of file systems whose locks and shared mappings can be relied on."""

_OCTAL = re.compile(r"\\([0-7]{3})")
_MOUNT = re.compile(r".+? on (/.*) \(([^,)]+)[^)]*\)")


@functools.lru_cache(maxsize=64)
def is_local(path: str) -> bool:
    """Say whether a path, which need not exist, lies on a file system of the list."""
    real = os.path.realpath(path)
    try:
        return kind_in(_mounts(), real) in LOCAL
    except (OSError, subprocess.SubprocessError):
        return False


def _mounts() -> Iterator[tuple[str, str]]:
    if (table := Path("/proc/self/mountinfo")).exists():
        return mounts_of_linux(table.read_text(encoding="utf-8", errors="replace"))
    ran = subprocess.run(
        ["/sbin/mount"], capture_output=True, text=True, timeout=5, check=True
    )
    return mounts_of_macos(ran.stdout)


def kind_in(mounts: Iterable[tuple[str, str]], path: str) -> str:
    """Give the kind of the file system of a path.

    Parameters
    ----------
    mounts : iterable of (str, str)
        Place and kind of each; of two at one place the later one counts.
    path : str
        Absolute, without links.
    """
    found, longest = "", -1
    for place, kind in mounts:
        root = place.rstrip("/")
        covers = path == root or path.startswith(f"{root}/")
        if covers and len(root) >= longest:
            found, longest = kind, len(root)
    return found


def mounts_of_linux(text: str) -> Iterator[tuple[str, str]]:
    """Read ``/proc/self/mountinfo``: place and kind of each file system."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if after and len(fields) > 4:
            yield _OCTAL.sub(_character, fields[4]), after.split(" ")[0]


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def mounts_of_macos(text: str) -> Iterator[tuple[str, str]]:
    """Read what ``mount`` prints: place and kind of each file system."""
    for line in text.splitlines():
        if match := _MOUNT.fullmatch(line.strip()):
            yield match[1], match[2]
