"""Campaigns in which file calls fail while a store is used."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.campaign import count, judge
from faults.forked import forked
from faults.kills import subjects, warm
from faults.shim import NAMES, Shim
from faults.tally import Tally

from nbcache.errors import UnknownName

__all__ = ["every", "silent"]

SLOW_S = 15.0


def every(
    folder: Path,
    *,
    doing: str = "put",
    kind: str = "small",
    names: tuple[str, ...] = NAMES,
    lasting: tuple[bool, ...] = (False, True),
    step: int = 1,
    **options: Any,
) -> Tally:
    """Let each file call fail, with each error, once and from then on."""
    tally, shim = Tally(), Shim()
    warm(folder, kind, **options)
    for name in names:
        for goes_on in lasting:
            make = subjects(folder / f"{name}{goes_on}", kind, **options)
            nth = 1
            while _one(tally, shim, make(nth), _Failing(doing, name, nth, goes_on)):
                nth += step
    return tally


@dataclass(frozen=True)
class _Failing:
    """Which call fails, how, while what is done; shown in what is told."""

    doing: str
    name: str
    nth: int
    goes_on: bool

    def __str__(self) -> str:
        lasting = " and all after it" if self.goes_on else ""
        return f"{self.name} at call {self.nth}{lasting} of {self.doing}"


def _one(tally: Tally, shim: Shim, make: Any, fault: _Failing) -> bool:
    """Let one call fail; False if there are fewer calls than that."""

    def work(say: Any) -> list[Any]:
        user = make()
        user.call(0)
        if fault.doing != "put":
            user.call(1)
        shim.arm(user.store, fault.nth, fault.name, lasting=fault.goes_on)
        began = time.monotonic()
        problem = _do(user, fault.doing)
        took = time.monotonic() - began
        calls = shim.disarm()
        if problem:
            say([*problem, shim.name(fault.nth)])
        for number in (0, 1, 2):  # the same process goes on
            if not user.is_right(number):
                say(["wrong", f"{number} later", ""])
        return [calls, took]

    ended = forked(work, timeout_s=40)
    if ended.how == "done" and ended.value[0] < fault.nth:
        return False
    tally.injected += 1
    for bad, what, call in ended.said:
        tally.note(bad, f"{what} after {fault} ({call})")
    count(tally, ended, fault)
    if ended.how == "done" and ended.value[1] > SLOW_S:
        tally.note("hung", f"{ended.value[1]:.0f} s for {fault}")
    judge(tally, fault, make, [0, 1, 2])
    return True


def _do(user: Any, doing: str) -> list[str] | None:
    """Do what a user does; say what is not as promised."""
    try:
        if doing in ("put", "get"):
            return None if user.is_right(1) else ["wrong", "1"]
        if doing == "list":
            user.cache.entries()
            user.call.entries()
            user.call.cache_info()
            with suppress(UnknownName):  # what cannot be read is not known
                user.cache.explain("small")
        elif doing == "clear":
            _told_clear(lambda: user.cache.clear(all=True))
        elif doing == "clear one":
            _told_clear(lambda: user.call.clear(1))
        else:
            raise ValueError(doing)
    except Exception as error:
        return ["raised", f"{error!r} at {_place(error)}"]
    return None


def _told_clear(clear: Any) -> None:
    """Clear; that it could not be done is what a user must be told."""
    with suppress(OSError):
        clear()


def _place(error: BaseException) -> str:
    trace, last = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        last = f"{code.co_filename[-30:]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return last


def silent(
    folder: Path,
    *,
    kind: str = "large",
    actions: tuple[str, ...] = ("short", "drop"),
    step: int = 1,
    **options: Any,
) -> Tally:
    """Let each write take half of what it is given, or nothing while it says all."""
    tally, shim = Tally(), Shim()
    warm(folder, kind, **options)
    for action in actions:
        for goes_on in (False, True):
            nth = 1
            while True:
                make = subjects(folder / f"{action}{goes_on}", kind, **options)(nth)
                fault = f"{action} at call {nth}{'+' * goes_on} of {kind}"

                def work(
                    say: Any,
                    make: Any = make,
                    action: str = action,
                    nth: int = nth,
                    goes_on: bool = goes_on,
                ) -> int:
                    user = make()
                    user.call(0)
                    shim.arm(user.store, nth, action, lasting=goes_on, reads=False)
                    for number in (1, 1):
                        if not user.is_right(number):
                            say(number)
                    return shim.disarm()

                ended = forked(work)
                if ended.how == "done" and ended.value < nth:
                    break
                tally.injected += 1
                for number in ended.said:
                    tally.note("wrong", f"{number} after {fault}")
                count(tally, ended, fault)
                judge(tally, fault, make, [0, 1, 2])
                nth += step
    return tally
