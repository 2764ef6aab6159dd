"""A file system that fails, flips bits and drops writes: fusepy passes calls through.

``python -m faults.lying BACK MOUNT`` serves it.  What it does wrong stands in the JSON
file ``BACK.json``: ``{"fail": 0.2}``, ``{"flip": 0.1}`` or ``{"drop": 0.5}`` of calls.
"""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from faults.campaign import count
from faults.forked import forked
from faults.kills import warm
from faults.subject import KINDS, is_right
from faults.tally import Tally

__all__ = ["everything"]

RESULTS, ROUNDS = 8, 12


def everything(folder: Path, *, kind: str = "large") -> Tally:
    """Use a store on it while it lies, and once more when it does not."""
    tally, back, mount = Tally(), folder / "back", folder / "mount"
    warm(folder, kind)
    for path in (back, mount):
        path.mkdir()
    rule = Path(f"{back}.json")
    rule.write_text("{}")
    server = subprocess.Popen(
        [sys.executable, "-m", "faults.lying", str(back), str(mount)]
    )
    try:
        for _ in range(100):
            if os.path.ismount(mount):
                break
            time.sleep(0.1)
        for wrong in ({"fail": 0.2}, {"flip": 0.1}, {"drop": 0.5}):
            _lie(tally, mount / next(iter(wrong)), rule, wrong, kind)
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=False)
        server.wait(timeout=20)
    return tally


def _lie(
    tally: Tally, store: Path, rule: Path, wrong: dict[str, float], kind: str
) -> None:
    from nbcache import Cache

    def work(say: Any) -> None:
        for turn in range(ROUNDS + 1):
            rule.write_text(json.dumps(wrong if turn < ROUNDS else {}))
            call = Cache(store).cached(ignore_globals="told")(KINDS[kind])
            for number in range(RESULTS):
                right = is_right(kind, number, call(number))
                say(["asked" if right else "wrong", f"{number} in round {turn}"])
            Cache(store).entries()

    ended = forked(work, timeout_s=120)
    tally.injected += len(ended.said)
    for what, text in ended.said:
        if what == "wrong":
            tally.note("wrong", f"{text}, {wrong}")
    count(tally, ended, wrong)


class Lying:
    """The calls of the file system; errors of what is below are its own.

    Parameters
    ----------
    back : str
        The folder below.
    """

    def __init__(self, back: str) -> None:
        self.back = back
        self.rule = Path(f"{back}.json")
        self.draw = random.Random(1)

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Do what fusepy asks for."""
        function = getattr(self, name, None)
        if function is None:
            raise OSError(errno.ENOSYS, name)
        return function(*arguments)

    def _hits(self, what: str) -> bool:
        try:
            often = json.loads(self.rule.read_text()).get(what, 0)
        except ValueError:
            return False  # just being written
        return self.draw.random() < often

    def _pass(self, function: Any, *arguments: Any) -> Any:
        if self._hits("fail"):
            raise OSError(errno.EIO, "made up")
        return function(*arguments)

    def init(self, path: str) -> None:
        """Begin."""

    def destroy(self, path: str) -> None:
        """End."""

    def getattr(self, path: str, fh: Any = None) -> dict[str, Any]:
        """Tell of a file; this never fails, or nothing could be mounted."""
        found = os.lstat(self.back + path)
        names = ("mode", "nlink", "size", "uid", "gid", "atime", "mtime", "ctime")
        return {f"st_{name}": getattr(found, f"st_{name}") for name in names}

    def readdir(self, path: str, fh: Any) -> list[str]:
        """List a folder."""
        return [".", "..", *self._pass(os.listdir, self.back + path)]

    def mkdir(self, path: str, mode: int) -> None:
        """Make a folder."""
        self._pass(os.mkdir, self.back + path, mode)

    def rmdir(self, path: str) -> None:
        """Remove a folder."""
        self._pass(os.rmdir, self.back + path)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        self._pass(os.unlink, self.back + path)

    def rename(self, old: str, new: str) -> None:
        """Move a file."""
        self._pass(os.rename, self.back + old, self.back + new)

    def link(self, target: str, source: str) -> None:
        """Give a file another name."""
        self._pass(os.link, self.back + source, self.back + target)

    def chmod(self, path: str, mode: int) -> None:
        """Change who may use a file."""
        self._pass(os.chmod, self.back + path, mode)

    def utimens(self, path: str, times: Any = None) -> None:
        """Change times."""
        self._pass(os.utime, self.back + path, times)

    def truncate(self, path: str, length: int, fh: Any = None) -> None:
        """Cut a file."""
        self._pass(os.truncate, self.back + path, length)

    def open(self, path: str, flags: int) -> int:
        """Open a file."""
        return int(self._pass(os.open, self.back + path, flags))

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        """Make a file."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC
        return int(self._pass(os.open, self.back + path, flags, mode))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read, and flip a bit now and then."""
        data = bytearray(self._pass(os.pread, fh, size, offset))
        if data and self._hits("flip"):
            place = self.draw.randrange(8 * len(data))
            data[place // 8] ^= 1 << place % 8
        return bytes(data)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write, or say so."""
        if self._hits("drop"):
            return len(data)
        return int(self._pass(os.pwrite, fh, data, offset))

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        """Flush a file."""
        self._pass(os.fsync, fh)

    def release(self, path: str, fh: int) -> None:
        """Close a file."""
        os.close(fh)


def _serve(back: str, mount: str) -> None:
    import fuse

    fuse.FUSE(Lying(back), mount, foreground=True, nothreads=True, direct_io=True)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
