"""Campaigns on disks that are full, read-only or somebody else's; needs root.

Run by ``unshare -m``: what is mounted is seen by this process only.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.campaign import count, swept
from faults.forked import forked
from faults.kills import warm
from faults.subject import Subject
from faults.tally import Tally

__all__ = ["everywhere", "limits"]

NOBODY = 65534
RESULTS = 12


def _asked(tally: Tally, store: Path, what: str, before: Callable[[], Any]) -> None:
    """Ask for all results twice in a child that first does something to itself."""

    def work(say: Any) -> None:
        before()
        user = Subject.__new__(Subject)
        # the count of computations lies elsewhere: this folder may not be written
        user.kind, user.store = "large", store
        from faults.subject import KINDS

        from nbcache import Cache

        user.cache = Cache(store)
        user.call = user.cache.cached(ignore_globals="told")(KINDS["large"])
        for number in (*range(RESULTS), *range(RESULTS)):
            say(["asked" if user.is_right(number) else "wrong", number])
        user.cache.entries()
        user.cache.close()

    ended = forked(work, timeout_s=60)
    tally.injected += sum(kind == "asked" for kind, _ in ended.said)
    for kind, number in ended.said:
        if kind == "wrong":
            tally.note("wrong", f"{number}, {what}")
    count(tally, ended, what)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _nothing() -> None:
    pass


def _nobody() -> None:
    os.environ["JUPYTER_DATA_DIR"] = "/nonexistent"
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def everywhere(folder: Path) -> Tally:
    """Use a full disk, one that was full, a read-only one, a folder of root's."""
    tally, disk = Tally(), folder / "disk"
    disk.mkdir()
    warm(folder, "large")
    _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk))
    _asked(tally, disk / "store", "full disk", _nothing)
    _mount("-o", "remount,size=64m", str(disk))
    _asked(tally, disk / "store", "no longer full", _nothing)
    for name in swept(disk / "store"):
        tally.note("litter", name)
    _mount("-o", "remount,ro", str(disk))
    _asked(tally, disk / "store", "read-only", _nothing)
    _asked(tally, disk / "new", "read-only and empty", _nothing)
    _mount("-o", "remount,rw", str(disk))
    _asked(tally, disk / "store", "somebody else's", _nobody)
    disk.chmod(0o700)
    _asked(tally, disk / "forbidden" / "store", "a forbidden folder", _nobody)
    os.truncate(disk / "store" / "index.sqlite", 100)
    _asked(tally, disk / "store", "a cut index", _nothing)
    subprocess.run(["umount", str(disk)], check=False)
    return tally


def limits(folder: Path) -> Tally:
    """Reach the limits of open files and of a file's size."""
    tally = Tally()
    warm(folder, "large")
    for left in range(6):
        _asked(tally, folder / f"files{left}", f"{left} descriptors", _Few(left))
    _asked(tally, folder / "size", "files of 60 kB at most", _short_files)
    return tally


class _Few:
    """Leaves a process only some descriptors."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self) -> None:
        taken = max(map(int, os.listdir("/proc/self/fd"))) + 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 3, taken + 3))
        held = []
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            for descriptor in held[: self.left]:
                os.close(descriptor)


def _short_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
