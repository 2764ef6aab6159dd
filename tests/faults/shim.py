"""The preloaded library that makes file calls fail: built on demand, armed inside."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["ACTIONS", "Shim", "build", "why_not"]

SOURCE = Path(__file__).with_name("shim.c")
NAMES = ("ENOSPC", "EIO", "EACCES", "EMFILE", "EROFS", "EDQUOT", "ESTALE")
ACTIONS = {
    **{name: getattr(errno, name) for name in NAMES},
    "none": 0,
    "kill": -1,
    "torn": -2,
    "short": -3,
    "drop": -4,
}


def why_not() -> str:
    """Say why there can be no shim here; '' if there can."""
    if not sys.platform.startswith("linux"):
        return "LD_PRELOAD and /proc are Linux's"
    return "" if shutil.which("gcc") else "gcc is missing (apt install gcc)"


def build(folder: Path) -> Path:
    """Compile the library, once a folder."""
    library = folder / "shim.so"
    if not library.exists():
        made = folder / f"shim-{os.getpid()}.so"
        command = ["gcc", "-shared", "-fPIC", "-O1", "-w", "-o", made, SOURCE, "-ldl"]
        subprocess.run(command, check=True)
        made.replace(library)
    return library


class Shim:
    """The library in this process, which was started with it preloaded."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._arm = library.faults_arm
        self._arm.argtypes = (
            ctypes.c_char_p,
            ctypes.c_long,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_int,
        )
        self._disarm = library.faults_disarm
        self._count = library.faults_count
        self._count.restype = ctypes.c_long
        self._name = library.faults_name
        self._name.argtypes, self._name.restype = (ctypes.c_long,), ctypes.c_char_p

    def arm(
        self,
        folder: Path,
        nth: int,
        action: str,
        *,
        lasting: bool = False,
        reads: bool = True,
    ) -> None:
        """Let the nth file call below a folder go wrong; lasting: all after it too."""
        path = os.path.realpath(folder).encode()
        self._arm(path, nth, ACTIONS[action], lasting, reads)

    def disarm(self) -> int:
        """Let all go well again; give how many calls were counted."""
        count = int(self._count())
        self._disarm()
        return count

    def name(self, nth: int) -> str:
        """Give the name of the nth counted call."""
        return bytes(self._name(nth)).decode()
