"""Power cuts: a file system loses what is not on the disk, and is mounted again.

Run by ``unshare -m`` as root: images of ext4 and xfs, mounted by loop.  The ioctl is
that of xfstests' ``godown``.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import signal
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

from faults.campaign import count
from faults.forked import collect, forked, start
from faults.kills import warm
from faults.subject import Subject
from faults.tally import Tally

__all__ = ["cuts"]

SHUTDOWN = 0x8004587D
WITHOUT_LOG = struct.pack("I", 2)
MAKE = {
    # not lazily: a fresh ext4 would flush by itself, and hide what is lost
    "ext4": (
        "96M",
        ("mkfs.ext4", "-qF", "-E", "lazy_itable_init=0,lazy_journal_init=0"),
    ),
    "xfs": ("320M", ("mkfs.xfs", "-qf")),
}


def cuts(
    folder: Path,
    *,
    kind: str = "large",
    system: str = "ext4",
    durability: str = "always",
    times: int = 12,
    later_s: float = 0.0,
) -> Tally:
    """Cut the power while a process stores, and ask for what it had stored."""
    tally, image, disk = Tally(), folder / "image", folder / "disk"
    warm(folder, kind)
    disk.mkdir()
    size, make = MAKE[system]
    random_ = random.Random(7)
    for turn in range(times):
        _run("truncate", "-s", "0", str(image))
        _run("truncate", "-s", size, str(image))
        _run(*make, str(image))
        _run("mount", "-o", "loop", "-t", system, str(image), str(disk))

        def work(say: Any) -> None:
            user = Subject(disk, kind, durability=durability)
            for number in range(60):
                user.call(number)
                say(number)
                time.sleep(later_s / 60)
            time.sleep(60)

        child, here = start(work)
        known = _heard(here, random_.randrange(5, 30))
        time.sleep(random_.uniform(0, later_s))
        _cut(disk)
        os.kill(child, signal.SIGKILL)
        collect(child, here, 10)
        _run("umount", str(disk))
        _run("mount", "-o", "loop", "-t", system, str(image), str(disk))
        tally.injected += 1

        def read(say: Any, known: int = known) -> int:
            user = Subject(disk, kind, durability=durability)
            user.calls.write_bytes(b"")
            for number in range(known + 2):
                if not user.is_right(number):
                    say(number)
            return sum(number < known for number in user.computed())

        ended = forked(read, timeout_s=60)
        fault = f"cut {turn} of {system}, {durability}"
        for number in ended.said:
            tally.note("wrong", f"{number} after {fault}")
        count(tally, ended, fault)
        if ended.how == "done" and ended.value:
            kept = f"{ended.value} of {known} after {fault}"
            if durability == "always":
                tally.note("lost", kept, ended.value)
            else:
                tally.told.append(f"computed again: {kept}")
        _run("umount", str(disk))
    return tally


def _heard(here: int, most: int) -> int:
    """Wait until so many results are acknowledged; give how many are."""
    data = b""
    while data.count(b"\n") < most:
        select.select([here], [], [], 20)
        data += os.read(here, 4096)
    return most


def _cut(disk: Path) -> None:
    descriptor = os.open(disk, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, SHUTDOWN, WITHOUT_LOG)
    finally:
        os.close(descriptor)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
