"""A store against a dict: put, get, clear, evict, corrupt, kill, reopen, at random."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import warnings
from pathlib import Path

import pytest
from faults.forked import collect, start
from faults.subject import Subject
from faults.tally import Tally
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from nbcache import NotCached
from nbcache.storage.removal import remove

NUMBERS = st.integers(0, 5)
counted = Tally()


class Model(RuleBasedStateMachine):
    """What was stored, and whether it must still be there."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="nbcache-model-", dir=_memory()))
        self.user = Subject(self.folder, "tree")
        self.sure: set[int] = set()

    def teardown(self):
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @rule(number=NUMBERS)
    def put(self, number):
        """Call: the value is right, and a hit where it must be one."""
        before = self.user.computed()[number]
        assert self.user.is_right(number)
        if number in self.sure:
            assert self.user.computed()[number] == before, "lost"
        self.sure.add(number)

    @rule(number=NUMBERS)
    def get(self, number):
        """Ask without computing."""
        try:
            value = self.user.call.peek(number)
        except NotCached:
            assert number not in self.sure
        else:
            assert value == self.user.call.uncached(number)

    @rule()
    def clear(self):
        """Delete all."""
        self.user.cache.clear(all=True)
        self.sure.clear()
        assert len(self.user.cache.entries()) == 0

    @rule()
    def evict(self):
        """Take half of it out."""
        place = self.user.cache.core.store.place
        files = sorted(place.files())
        remove(place, files[::2])
        self.sure.clear()

    @rule(place=st.floats(0, 1), bit=st.integers(0, 7))
    def corrupt(self, place, bit):
        """Flip a bit of one file of the store, whichever it is."""
        counted.injected += 1
        # not the marker, without which nothing is deleted
        files = [
            path
            for path in self.user.store.rglob("*.*")
            if path.is_file() and path.name != "CACHEDIR.TAG"
        ]
        if files:
            path = files[int(place * (len(files) - 1))]
            data = bytearray(path.read_bytes())
            if data:
                data[int(place * (len(data) - 1))] ^= 1 << bit
                path.write_bytes(data)
        self.sure.clear()

    @rule(name=st.sampled_from(["index", "history"]))
    def lose_a_database(self, name):
        """Delete a database."""
        counted.injected += 1
        for path in self.user.store.glob(f"{name}.sqlite*"):
            path.unlink()

    @rule(wait_s=st.floats(0.0, 0.03), first=NUMBERS)
    def kill(self, wait_s, first):
        """Kill another process that calls."""
        counted.injected += 1

        def work(say):
            other = Subject(self.folder, "tree")
            for number in (*range(first, 6), *range(first)):
                assert other.is_right(number)

        child, here = start(work)
        collect_after(wait_s, child, here)

    @rule()
    def reopen(self):
        """Go on as a new process would."""
        self.user = Subject(self.folder, "tree")

    @rule()
    def list(self):
        """All that is surely there is listed."""
        assert len(self.user.cache.entries()) >= len(self.sure)


def collect_after(wait_s: float, child: int, here: int) -> None:
    """Kill a child after some time."""
    import time

    time.sleep(wait_s)
    os.kill(child, signal.SIGKILL)
    collect(child, here, 10)


def _memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def run(examples: int, report) -> None:
    """Run the model, and count its faults."""
    random.seed(1)
    counted.injected = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_state_machine_as_test(
            Model,
            settings=settings(
                max_examples=examples,
                stateful_step_count=15,
                deadline=None,
                derandomize=True,
                # kills come when they come: no example can be run again
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    report(Tally(injected=counted.injected))


def test_a_store_is_a_dict_that_may_forget(report):
    """It never gives another value, and forgets nothing without a cause."""
    run(12, report)


@pytest.mark.faults
def test_many_stores_are_dicts_that_may_forget(report):
    """The same for longer."""
    run(250, report)
