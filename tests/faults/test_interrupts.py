"""An interrupt always arrives, and leaves no lock, no descriptor, no wrong entry."""

from __future__ import annotations

import queue
import random
import time

import pytest
from faults.tally import Tally
from kernel import Kernel


def test_an_interrupted_put_can_be_done_again(campaign):
    """At some lines, in the same process, in another thread and in another process."""
    campaign("interrupts", "lines", step=90)


def test_interrupts_at_random(campaign):
    """Of a process that goes on each time."""
    campaign("interrupts", "randomly", times=40)


@pytest.mark.faults
@pytest.mark.parametrize("doing", ["put", "get", "clear", "list"])
def test_interrupts_at_every_line(campaign, doing):
    """Each line of the storing code, the first time that it runs."""
    campaign("interrupts", "lines", doing=doing, step=1 if doing == "put" else 6)


@pytest.mark.faults
def test_many_interrupts_at_random(campaign):
    """Of a process that goes on each time."""
    campaign("interrupts", "randomly", times=600, seed=3)


CELL = """
import itertools, numpy as np
from nbcache import cached
@cached
def work(number):
    return np.full(20_000, number)
def ask():
    print("begins", flush=True)
    for number in itertools.count({start}):
        if not (work(number % 60) == number % 60).all():
            print("WRONG", number)
ask()
"""


HOOK = """
import sys, traceback
def ignore(gone):
    with open("ignored", "a") as file:
        traceback.print_tb(gone.exc_traceback, file=file)
sys.unraisablehook = ignore
"""


@pytest.mark.faults
def test_a_real_kernel_is_interrupted_and_killed(tmp_path, report):
    """Sixty times, while a cell fills and reads the cache; it answers each time."""
    tally, draw = Tally(), random.Random(5)
    ignored = tmp_path / "ignored"
    with Kernel(tmp_path) as kernel:
        kernel.run(HOOK)
        for turn in range(60):
            request = kernel.start(CELL.format(start=draw.randrange(1000)))
            kernel.wait_for(request, "begins")
            time.sleep(draw.uniform(0.0, 0.3))
            tally.injected += 1
            if turn % 15 == 14:
                kernel.restart()
                kernel.run(HOOK)
            else:
                kernel.interrupt()
                try:
                    ran = kernel.finish(request, timeout_s=20)
                except queue.Empty:
                    # Python loses what arrives in a weak reference's callback
                    lost = ignored.read_text() if ignored.exists() else ""
                    if "nbcache/" in lost or not lost:
                        tally.note("swallowed", lost)
                    kernel.interrupt()
                    ran = kernel.finish(request)
                if "KeyboardInterrupt" not in ran.traceback:
                    tally.note("swallowed", ran.traceback or ran.stdout)
                if "WRONG" in ran.stdout:
                    tally.note("wrong", ran.stdout)
            after = kernel.run("print('works')")
            if after.stdout != "works\n":
                tally.note("hung", after)
    report(tally)
