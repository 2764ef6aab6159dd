"""Campaigns that kill a process while it stores a result."""

from __future__ import annotations

import linecache
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.campaign import judge
from faults.forked import collect, forked, start
from faults.shim import Shim
from faults.subject import Subject
from faults.tally import Tally

__all__ = ["calls", "lines", "randomly"]

PACKAGE = str(Path(__file__).parents[2] / "nbcache")
# what takes part in storing: everything else runs before or after it
STORING = ("/storage/", "/nbcache/cache.py", "/decorator/invocation.py")


def warm(folder: Path, kind: str, **options: Any) -> None:
    """Import all that a call needs, so that children need not."""
    user = Subject(folder / "warm", kind, **options)
    for _ in range(2):
        user.call(0)
    user.cache.entries()
    user.cache.clear(all=True)


def subjects(folder: Path, kind: str, **options: Any) -> Callable[[int], Any]:
    """Give what makes the n-th store of a campaign."""
    return lambda n: lambda: Subject(folder / f"{n}", kind, **options)


def calls(
    folder: Path,
    *,
    kind: str = "small",
    actions: tuple[str, ...] = ("kill", "torn"),
    step: int = 1,
    start_at: int = 1,
    **options: Any,
) -> Tally:
    """Kill at each file call of a put, and after half of each write."""
    tally, shim = Tally(), Shim()
    warm(folder, kind, **options)
    for action in actions:
        nth = start_at
        while True:
            make = subjects(folder / action, kind, **options)(nth)

            def work(
                say: Any, make: Any = make, action: str = action, nth: int = nth
            ) -> int:
                user = make()
                user.call(0)
                say(0)
                shim.arm(user.store, nth, action)
                user.call(1)
                count = shim.disarm()
                say(1)
                return count

            ended = forked(work)
            if ended.how == "done" and ended.value < nth:
                break
            tally.injected += 1
            fault = f"{action} at call {nth} of {kind}"
            if ended.how != "killed" and action != "torn":
                tally.note("raised", f"{ended} instead of death: {fault}")
            judge(tally, fault, make, [1, 2], ended.said)
            nth += step
    return tally


def lines(
    folder: Path,
    *,
    kind: str = "small",
    step: int = 1,
    start_at: int = 1,
    doing: str = "put",
    **options: Any,
) -> Tally:
    """Kill at each line that runs while a result is stored, read or cleared."""
    tally, nth = Tally(), start_at
    warm(folder, kind, **options)
    while True:
        make = subjects(folder, kind, **options)(nth)

        def work(say: Any, make: Any = make, nth: int = nth) -> bool:
            user = make()
            user.call(0)
            say(0)
            act = action_of(user, doing)
            with at_line(nth, lambda: os.kill(os.getpid(), signal.SIGKILL)):
                act()
            return False

        ended = forked(work)
        if ended.how == "done":
            break
        tally.injected += 1
        fault = f"kill at line {nth} of {doing}, {kind}"
        if ended.how != "killed":
            tally.note("raised", f"{ended} instead of death: {fault}")
        kept = [] if doing == "clear" else ended.said
        judge(tally, fault, make, [0, 1, 2], kept)
        nth += step
    return tally


def action_of(user: Subject, doing: str) -> Callable[[], Any]:
    """Give what a user does, by name."""
    if doing == "get":
        user.call(1)
    return {
        "put": lambda: user.call(1),
        "get": lambda: user.call(1),
        "clear": lambda: user.cache.clear(all=True),
        "list": lambda: user.cache.entries(),
    }[doing]


def _is_one_step(file: str, line: int) -> bool:
    """Say whether nothing but tracing can stop between a line and the one before.

    The interpreter takes signals after calls, at jumps back and where functions begin.
    """
    return linecache.getline(file, line).strip() == "os.close(descriptor)"


class at_line:
    """Does something at the n-th line of the storing code that runs inside.

    A line counts the first time that it runs.
    """

    def __init__(
        self, nth: int, act: Callable[[], Any], files: tuple[str, ...] = STORING
    ) -> None:
        self.nth, self.act, self.files = nth, act, files
        self.count = 0
        self.where = ""
        self._seen: set[tuple[str, int]] = set()

    def __enter__(self) -> at_line:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: Any, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if name.startswith(PACKAGE) and any(one in name for one in self.files):
            return self._line
        return None

    def _line(self, frame: Any, event: str, argument: Any) -> Any:
        place = frame.f_code.co_filename, frame.f_lineno
        if event == "line" and place not in self._seen and not _is_one_step(*place):
            self._seen.add(place)
            self.count += 1
            if self.count == self.nth:
                self.where = f"{place[0][len(PACKAGE) + 1 :]}:{place[1]}"
                self.act()
        return self._line


def randomly(
    folder: Path, *, kind: str = "large", times: int = 100, seed: int = 1, **more: Any
) -> Tally:
    """Kill writers after 0.5 to 60 ms; all that they acknowledged must be there."""
    tally, random_ = Tally(), random.Random(seed)
    warm(folder, kind, **more)
    known: set[int] = set()
    make = subjects(folder, kind, **more)(0)
    for turn in range(times):
        if turn % 20 == 0:
            make, known = subjects(folder, kind, **more)(turn), set()
        first = max(known, default=-1) + 1

        def work(say: Any, make: Any = make, first: int = first) -> None:
            user = make()
            say(-1)
            for number in range(first, first + 10_000):
                user.call(number)
                say(number)

        child, here = start(work)
        select.select([here], [], [], 10)  # until it begins
        time.sleep(random_.uniform(0.0005, 0.06))
        os.kill(child, signal.SIGKILL)
        ended = collect(child, here, 10)
        tally.injected += 1
        new = {number for number in ended.said if number >= 0}
        known |= new
        sample = set(random_.sample(sorted(known), min(8, len(known)))) | new
        begun = max(known, default=-1) + 1
        judge(tally, f"random kill {turn}", make, [begun], sample, again=False)
        known.add(begun)
    return tally
