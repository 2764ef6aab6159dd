"""What child processes and C code write to file descriptors 1 and 2.

ipykernel replaces these by pipes, which threads copy to ``sys.stdout`` and
``sys.stderr``.  What a cell wrote there may arrive only after it has ended.  A NUL
written to the pipe comes last: once the stream's `write` sees it, all is there.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["drain", "is_forked", "without_marks", "write_from_fork"]

_PATIENCE_S = 2.0
_NUMBERS = {"stdout": 1, "stderr": 2}

_awaited: dict[str, list[threading.Event]] = {"stdout": [], "stderr": []}
_parent = os.getpid()


def drain() -> bool:
    """Return once all that was written to fd 1 and 2 has reached the streams.

    Returns
    -------
    bool
        False if it has not within the time.

    Notes
    -----
    Takes about 0.1 ms and at most 2 s for each; does nothing where no thread copies
    (terminals, Windows).
    """
    is_whole = True
    for name, number in _NUMBERS.items():
        thread = getattr(getattr(sys, name), "watch_fd_thread", None)
        if thread is not None and thread.is_alive() and _is_pipe(number):
            is_whole = _drain(name, number) and is_whole
    return is_whole


def _is_pipe(number: int) -> bool:
    """Tell whether a thread may read it; the user may have pointed it at a file."""
    try:
        return stat.S_ISFIFO(os.fstat(number).st_mode)
    except OSError:
        return False


def _drain(name: str, number: int) -> bool:
    arrived = threading.Event()
    _awaited[name].append(arrived)
    try:
        os.write(number, b"\0")
        return arrived.wait(_PATIENCE_S)
    finally:
        _awaited[name].remove(arrived)


@contextmanager
def without_marks(name: str, text: str) -> Iterator[str]:
    """Give the text without the NUL that is waited for; at the end, end the waiting.

    Not before: what came with the mark must have been recorded when it ends.

    Parameters
    ----------
    name : str
        Of the stream: ``"stdout"`` or ``"stderr"``.
    text : str
        What is written to it.

    Yields
    ------
    str
        The same text unless a NUL was waited for.
    """
    awaited = _awaited[name].copy() if "\0" in text else []
    try:
        yield text.replace("\0", "") if awaited else text
    finally:
        for arrived in awaited:
            arrived.set()


def is_forked() -> bool:
    """Tell whether this process was forked from the one that imported nbcache.

    Returns
    -------
    bool
        True in a worker of `multiprocessing` with the start method ``fork``.
    """
    return os.getpid() != _parent


def write_from_fork(name: str, stream: Any, text: str) -> bool:
    """Send what a forked process writes through the pipe that its parent reads.

    ipykernel has another way for it, past the parent's streams, where no recording
    hears it.

    Parameters
    ----------
    name : str
        Of the stream: ``"stdout"`` or ``"stderr"``.
    stream : file-like
        The stream written to.
    text : str
        What is written.

    Returns
    -------
    bool
        Whether it was sent; False where the parent reads no pipe.
    """
    number = _NUMBERS[name]
    thread = getattr(stream, "watch_fd_thread", None)
    # a kernel may itself be forked from a process with nbcache: there the thread lives,
    # and would write for ever what it reads
    if thread is None or thread.is_alive() or not _is_pipe(number):
        return False
    data = text.encode(errors="replace")
    while data:
        data = data[os.write(number, data) :]
    return True
