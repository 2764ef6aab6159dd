"""Campaigns with many processes and threads at once."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.campaign import HANG_S, count, judge, swept
from faults.forked import Ended, collect, start
from faults.kills import subjects, warm
from faults.subject import Subject, is_right
from faults.tally import Tally

__all__ = ["forks", "mixed", "stampede", "threads"]


def _gate(folder: Path) -> tuple[Callable[[], None], Callable[[], None]]:
    """Give what waits, in children, for what opens, in the parent."""
    here, there = os.pipe()

    def wait() -> None:
        os.close(there)
        os.read(here, 1)

    def open_() -> None:
        os.close(there)
        os.close(here)

    return wait, open_


def stampede(
    folder: Path, *, kind: str = "slow", processes: int = 32, keys: int = 3, **more: Any
) -> Tally:
    """Let all processes ask for the same missing keys: each is computed once."""
    tally = Tally()
    warm(folder, kind, **more)
    make = subjects(folder, kind, **more)(0)
    for key in range(1, keys + 1):
        wait, open_ = _gate(folder)

        def work(say: Any, key: int = key, wait: Any = wait) -> None:
            user = make()
            wait()
            value = user.call(key)
            again = user.call(key)
            say(["value", _text(value)])
            if not (is_right(kind, key, value) and is_right(kind, key, again)):
                say(["wrong", f"{key}: {value!r}, {again!r}"[:200]])
            elif _text(value) != _text(again):
                say(["wrong", f"{key} changed"])

        children = [start(work) for _ in range(processes)]
        time.sleep(0.05)
        open_()
        values = set()
        for child in children:
            ended = collect(*child, HANG_S)
            tally.injected += 1
            values |= {text for what, text in ended.said if what == "value"}
            _count(tally, ended, f"stampede on {key} of {kind}")
        if len(values) > 1:
            tally.note("wrong", f"{len(values)} values of {key} of {kind}")
    if more.get("lock_timeout") is None:
        _count_computations(tally, make(), keys)
    judge(tally, "a stampede", make, range(1, keys + 1), range(1, keys + 1))
    return tally


def threads(
    folder: Path, *, kind: str = "slow", number: int = 32, keys: int = 3, **more: Any
) -> Tally:
    """Do the same with threads of one process."""
    tally = Tally()
    warm(folder, kind, **more)
    user = Subject(folder / "0", kind, **more)
    for key in range(1, keys + 1):
        barrier = threading.Barrier(number)
        values: list[Any] = []

        def work(key: int = key, barrier: Any = barrier, values: Any = values) -> None:
            barrier.wait()
            try:
                values.append(user.call(key))
            except BaseException as error:
                tally.note("raised", repr(error))

        running = [threading.Thread(target=work, daemon=True) for _ in range(number)]
        for one in running:
            one.start()
        for one in running:
            one.join(HANG_S)
            if one.is_alive():
                tally.note("hung", f"thread, {key}")
        tally.injected += number
        if len({_text(value) for value in values}) != 1:
            tally.note("wrong", f"{len(values)} values of {key}")
        if not all(is_right(kind, key, value) for value in values):
            tally.note("wrong", f"{key}: {values[0]!r}")
    _count_computations(tally, user, keys)
    return tally


def forks(folder: Path, *, times: int = 40) -> Tally:
    """Fork while threads store: the children call too, and none hangs."""
    tally = Tally()
    warm(folder, "small")
    user = Subject(folder / "0", "small")
    goes_on = threading.Event()
    goes_on.set()

    def work(number: int) -> None:
        while goes_on.is_set():
            number += 8
            if not user.is_right(number % 400):
                tally.note("wrong", number)

    running = [threading.Thread(target=work, args=(one,)) for one in range(8)]
    for one in running:
        one.start()
    for turn in range(times):
        # all is imported already: forks amid an import hang by themselves
        child = start(lambda say: [user.is_right(one) for one in range(5)])
        ended = collect(*child, HANG_S)
        tally.injected += 1
        count(tally, ended, f"fork {turn}")
        if ended.how == "done" and not all(ended.value):
            tally.note("wrong", f"in fork {turn}")
    goes_on.clear()
    for one in running:
        one.join()
    return tally


def mixed(
    folder: Path,
    *,
    kind: str = "large",
    readers: int = 16,
    seconds: float = 3.0,
    evils: tuple[str, ...] = ("clear", "remove", "index", "evict"),
) -> Tally:
    """Let processes read and store while others clear, evict and delete."""
    tally = Tally()
    warm(folder, kind)
    for evil in evils:
        make = subjects(folder / evil, kind)(0)
        until = time.monotonic() + seconds

        def read(say: Any, make: Any = make, until: float = until) -> int:
            user = make()
            draw = random.Random(os.getpid())
            calls, held = 0, []
            while time.monotonic() < until:
                number = draw.randrange(12)
                value = user.call(number)
                calls += 1
                held.append((number, value))
                if not is_right(kind, number, value):
                    say(["wrong", number])
                # what was handed out stays as it is, whatever becomes of its file
                number, value = held.pop(draw.randrange(len(held)))
                if len(held) > 5 and not is_right(kind, number, value):
                    say(["wrong", f"{number}, held"])
            return calls

        def harm(
            say: Any, make: Any = make, until: float = until, evil: str = evil
        ) -> int:
            user, done = make(), 0
            while time.monotonic() < until:
                time.sleep(0.02)
                HARMS[evil](user)
                done += 1
            return done

        children = [start(read) for _ in range(readers)]
        harmer = start(harm)
        for child in children:
            _count(tally, collect(*child, seconds + HANG_S), f"{evil} under readers")
        ended = collect(*harmer, seconds + HANG_S)
        _count(tally, ended, evil)
        tally.injected += ended.value or 0
        judge(tally, f"{evil} under readers", make, range(4), again=True)
    return tally


def _clear(user: Subject) -> None:
    user.cache.clear(all=True)


def _remove(user: Subject) -> None:
    shutil.rmtree(user.store, ignore_errors=True)


def _index(user: Subject) -> None:
    for path in user.store.glob("*.sqlite*"):
        if random.random() < 0.5:
            path.unlink(missing_ok=True)
        elif path.name.endswith("-shm"):
            # not in place: SQLite has it mapped, and cutting it ends the process
            made = user.folder / f"noise{os.getpid()}"
            made.write_bytes(os.urandom(5_000))
            made.replace(path)
        else:
            path.write_bytes(os.urandom(5_000))
    user.cache.entries()


def _evict(user: Subject) -> None:
    """Take entries out one by one, as an evictor does."""
    from nbcache.storage.removal import remove

    store = user.cache.core.store
    files = list(store.place.files())
    remove(store.place, random.sample(files, len(files) // 2))


HARMS = {"clear": _clear, "remove": _remove, "index": _index, "evict": _evict}


def _count(tally: Tally, ended: Ended, fault: str) -> None:
    count(tally, ended, fault)
    for what, text in ended.said:
        if what != "value":
            tally.note(what, f"{text} after {fault}")


def _count_computations(tally: Tally, user: Subject, keys: int) -> None:
    for key, times in user.computed().items():
        if times > 1 and 1 <= key <= keys:
            tally.note("extra", f"{key} computed {times} times", times - 1)
    for name in swept(user.store):
        tally.note("litter", name)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)
