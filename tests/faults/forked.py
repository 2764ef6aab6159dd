"""Work in a forked child, with limits of time and memory."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Ended", "collect", "forked", "start"]


@dataclass
class Ended:
    """How a child ended.

    Parameters
    ----------
    how : str
        ``done``, ``raised``, ``killed`` or ``hung``.
    value
        What the work gave; the text of the error; the number of the signal.
    said : list
        What the work said with its argument, in order.
    """

    how: str
    value: Any = None
    said: list[Any] = field(default_factory=list)


Say = Callable[[Any], None]


def start(work: Callable[[Say], Any], *, memory: int = 0) -> tuple[int, int]:
    """Fork a child that works; give its id and where it writes."""
    here, there = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.close(there)
        return child, here
    # a group of its own: an interrupt meant for the child must not reach the parent
    os.setpgid(0, 0)
    os.close(here)
    code = 1
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        if not os.environ.get("FAULTS_LOUD"):
            os.dup2(quiet, 2)
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

        def say(what: Any) -> None:
            os.write(there, (json.dumps(["said", what]) + "\n").encode())

        try:
            told = ["done", work(say)]
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-4:]
            lines = [f"{one.filename[-40:]}:{one.lineno}" for one in where]
            told = ["raised", f"{error!r} at {' '.join(lines)}"[:600]]
        os.write(there, (json.dumps(told) + "\n").encode())
        code = 0
    finally:
        os._exit(code)


def collect(child: int, here: int, timeout_s: float) -> Ended:
    """Wait for a child; one that takes too long is killed, and hung."""
    data, end, hung = b"", time.monotonic() + timeout_s, False
    while True:
        left = end - time.monotonic()
        if left <= 0 and not hung:
            os.kill(child, signal.SIGKILL)
            hung = True
        ready = select.select([here], [], [], max(left, 0.05))[0]
        if ready:
            piece = os.read(here, 1 << 16)
            if not piece:
                break
            data += piece
        elif hung:
            break  # a grandchild holds the pipe
    os.close(here)
    _, status = os.waitpid(child, 0)
    said, told = _parsed(data)
    if hung:
        return Ended("hung", None, said)
    if told is None:
        return Ended("killed", os.waitstatus_to_exitcode(status), said)
    return Ended(told[0], told[1], said)


def _parsed(data: bytes) -> tuple[list[Any], list[Any] | None]:
    """Give what a child said, and how its work ended."""
    said, told = [], None
    for line in data.decode().splitlines():
        try:
            kind, what = json.loads(line)
        except ValueError:
            continue  # cut when it was killed
        if kind == "said":
            said.append(what)
        else:
            told = [kind, what]
    return said, told


def forked(
    work: Callable[[Say], Any], *, timeout_s: float = 20.0, memory: int = 0
) -> Ended:
    """Run work in a child, and give how that ended."""
    return collect(*start(work, memory=memory), timeout_s)
