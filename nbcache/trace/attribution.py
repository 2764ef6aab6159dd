"""Whose doing an audit event is: the user's code, or Python's and libraries' own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import FrameType

from nbcache.keys import origin

__all__ = ["is_own_affair", "may_exist"]

# They open source files to show lines of them
_SOURCE_READERS = ("/linecache.py", "/pkgutil.py", "/zipimport.py")
# Pools start workers and talk to them, fonts are looked up: no input comes from there
_MACHINERY = (
    *("/joblib/externals/loky/", "/joblib/_parallel_backends", "/joblib/_memmapping"),
    *("/joblib/disk.py", "/joblib/pool.py", "/loky/", "/multiprocessing/"),
    *("/concurrent/futures/process.py", "/matplotlib/font_manager.py"),
    *("/matplotlib/texmanager.py", "/numba/core/caching.py", "/threadpoolctl.py"),
    *("/distributed/", "/dask/", "/tornado/", "/ipykernel/", "/jupyter_client/"),
    *("/zmq/", "/debugpy/", "/IPython/core/history.py", "/asyncio/", "/platform.py"),
    *("/ctypes/util.py", "/importlib/metadata/", "/psutil/"),
    # another thread's call may hold its key while this one is recorded
    *("/nbcache/storage/locks.py", "/nbcache/storage/flight.py"),
)
_IMPORTLIB = "<frozen importlib"
_DYNAMIC_IMPORT = "/importlib/__init__.py"
_FOLDER_MAKERS = ("/pathlib.py", "/pathlib/_local.py", "/os.py", "<frozen os>")
_LISTINGS = ("os.listdir", "os.scandir")


def is_own_affair(event: str, frame: FrameType | None) -> bool:
    """Say whether an event comes from no code whose result could depend on it.

    Parameters
    ----------
    event : str
        Of `sys.audit`.
    frame : frame
        Where it was raised.

    Notes
    -----
    The innermost code that is known decides.  What an installed package does while it
    is imported belongs to its version; what a module of the user does meanwhile counts,
    and so do the files of modules whose import no analysis of code can see.
    """
    frames = _outwards(frame)
    for filename in frames:
        if filename.startswith(_IMPORTLIB):
            return event in _LISTINGS or not _is_dynamic(frames)
        if filename.startswith("<frozen"):
            continue
        if origin.is_user_file(filename):
            return False
        if os.sep != "/":
            filename = filename.replace(os.sep, "/")
        if filename.endswith(_SOURCE_READERS) or any(
            part in filename for part in _MACHINERY
        ):
            return True
    return False


def _outwards(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back


def _is_dynamic(frames: Iterator[str]) -> bool:
    return any(filename.endswith(_DYNAMIC_IMPORT) for filename in frames)


def may_exist(frame: FrameType | None) -> bool:
    """Say whether a folder is made by ``makedirs`` or ``mkdir`` with ``exist_ok``.

    Parameters
    ----------
    frame : frame
        Where ``os.mkdir`` is called.
    """
    while frame is not None and frame.f_code.co_filename.endswith(_FOLDER_MAKERS):
        if frame.f_locals.get("exist_ok"):
            return True
        frame = frame.f_back
    return False
