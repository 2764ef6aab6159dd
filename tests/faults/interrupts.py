"""Campaigns in which the user interrupts while a result is stored or read."""

from __future__ import annotations

import gc
import itertools
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from faults.campaign import HANG_S, count, judge
from faults.forked import forked
from faults.kills import STORING, action_of, at_line, subjects, warm
from faults.subject import Subject
from faults.tally import Tally

from nbcache.storage import store as entries

__all__ = ["lines", "randomly"]

LONGEST_S = 5.0


def lines(
    folder: Path,
    *,
    kind: str = "small",
    doing: str = "put",
    step: int = 1,
    start_at: int = 1,
    all_lines: bool = False,
    **options: Any,
) -> Tally:
    """Interrupt at each line, then go on in the same process, as a kernel does."""
    tally, nth = Tally(), start_at
    warm(folder, kind, **options)
    files = ("/",) if all_lines else STORING
    while True:
        make = subjects(folder, kind, **options)(nth)

        def work(say: Any, make: Any = make, nth: int = nth) -> int:
            user = make()
            user.call(0)
            act = action_of(user, doing)
            line = at_line(nth, _interrupt, files)
            came = False
            try:
                with line:
                    act()
            except KeyboardInterrupt as error:
                came = True
                sys.last_value = error  # as shells keep it, and with it all frames
            if line.count >= nth and not came:
                say(["swallowed", line.where])
            _go_on(user, say, line.where)
            return line.count

        ended = forked(work, timeout_s=HANG_S)
        if ended.how == "done" and ended.value < nth:
            break
        tally.injected += 1
        fault = f"interrupt at line {nth} of {doing}, {kind}"
        for kind_of, what in ended.said:
            tally.note(kind_of, f"{what} after {fault}")
        count(tally, ended, fault)
        judge(tally, fault, make, [0, 1, 2])
        nth += step
    return tally


def _interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _go_on(user: Subject, say: Any, where: str) -> None:
    """Call on in the same process, and from another thread of it."""
    began = time.monotonic()
    for number in (1, 0, 2):
        if not user.is_right(number):
            say(["wrong", f"{number} then, {where}"])
    if time.monotonic() - began > LONGEST_S:
        say(["hung", f"{time.monotonic() - began:.0f} s then, {where}"])
    other = threading.Thread(target=user.call.refresh, args=(1,), daemon=True)
    other.start()
    other.join(LONGEST_S)
    if other.is_alive():
        say(["hung", f"another thread, {where}"])
    sys.last_value = None
    entries._recent._kept.clear()  # what is kept in memory is closed with it
    gc.collect()
    if names := _open_files(user.store):
        say(["litter", f"open {names}, {where}"])


def _open_files(store: Path) -> list[str]:
    """Give the files of a store that this process has open, without leases."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            name = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if name.startswith(f"{store}/") and not name.endswith(".lease"):
            found.append(name[len(str(store)) + 1 :])
    return found


def randomly(
    folder: Path, *, kind: str = "large", times: int = 100, seed: int = 1
) -> Tally:
    """Interrupt one process again and again, at any moment; it goes on each time."""
    tally, random_ = Tally(), random.Random(seed)
    warm(folder, kind)
    for turn in range(0, times, 20):
        make = subjects(folder, kind)(turn)

        def work(say: Any, make: Any = make) -> None:
            user = make()
            for _ in range(20):
                _until_interrupted(user, random_.uniform(0.001, 0.06), say)
                say(["done", ""])
            _go_on(user, say, "at random")

        ended = forked(work, timeout_s=4 * HANG_S)
        fault = f"random interrupts from {turn}"
        tally.injected += sum(kind_of == "done" for kind_of, _ in ended.said)
        for kind_of, what in ended.said:
            if kind_of != "done":
                tally.note(kind_of, f"{what} after {fault}")
        count(tally, ended, fault)
        judge(tally, fault, make, range(5), again=False)
    return tally


def _until_interrupted(user: Subject, wait_s: float, say: Any) -> None:
    """Call until an interrupt comes, which is sent after a while."""
    ignored: list[str] = []
    sys.unraisablehook = lambda gone: ignored.append(repr(gone))
    sent: list[float] = []

    def send(number: int, frame: Any) -> None:
        sent.append(wait_s)
        _interrupt()

    signal.signal(signal.SIGALRM, send)
    try:
        # no thread's timer: the end of a thread may swallow an interrupt
        signal.setitimer(signal.ITIMER_REAL, wait_s)
        for number in itertools.count(random.randrange(1000)):
            if not user.is_right(number % 40):
                say(["wrong", number])
            if number % 7 == 0:
                user.cache.entries()
            if sent:
                say(["swallowed", f"{number} {ignored}"])
                return
    except KeyboardInterrupt as error:
        sys.last_value = error
