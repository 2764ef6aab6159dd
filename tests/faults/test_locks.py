"""Locks of the dead, of children, of others; a second look once a lock is held."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from faults import without
from faults.tally import Tally
from kernel import environment

import nbcache
from nbcache.storage import locks
from nbcache.storage.flight import Flight

HOLDER = """
import os, sys, time
from pathlib import Path
from faults import without
without.apply()
from nbcache.storage import locks
from nbcache.storage.flight import Flight
with Flight(Path(sys.argv[1])):
    child = os.fork() if "fork" in sys.argv else 1
    if child:
        print(child, flush=True)
    time.sleep(60)
"""
SHORT_S = 5.0


def hold(tmp_path: Path, path: Path, *how: str) -> tuple[subprocess.Popen, int]:
    """Start a process that holds a lock; give it and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), *how],
        stdout=subprocess.PIPE,
        env={**environment(tmp_path), **_kept()},
    )
    return process, int(process.stdout.readline())


def _kept() -> dict[str, str]:
    name = without.VARIABLE
    return {name: os.environ[name]} if name in os.environ else {}


def waited(path: Path) -> float:
    """Give how many s it takes to get a lock, SHORT_S at most."""
    began = time.monotonic()
    with Flight(path, timeout_s=SHORT_S):
        return time.monotonic() - began


def end(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()  # not for the pipe, which its children have too
    if process.stdout:
        process.stdout.close()


def test_a_forked_child_does_not_hold_its_parents_lock(tmp_path, report):
    """A pool's worker lives on when its parent was killed: the lock is free."""
    tally = Tally()
    for turn in range(3):
        path = tmp_path / f"{turn}.lock"
        process, child = hold(tmp_path, path, "fork")
        end(process)
        tally.injected += 1
        if waited(path) > SHORT_S - 1:
            tally.note("hung", "the child keeps the lock")
        os.kill(child, signal.SIGKILL)
    report(tally)


def test_a_child_that_ends_keeps_its_parents_lock(tmp_path, report):
    """It neither frees it nor removes the file, also when it unwinds all of it."""
    tally, path = Tally(injected=1), tmp_path / "a.lock"
    script = f"""
import os, sys, time
from pathlib import Path
from nbcache.storage import locks
from nbcache.storage.flight import Flight
path = Path({str(path)!r})
child = None
try:
    with Flight(path):
        child = os.fork()
        if child == 0:
            raise SystemExit
        os.waitpid(child, 0)
        print(int(path.exists()), flush=True)
        time.sleep(60)
except SystemExit:
    pass
"""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script],
        stdout=subprocess.PIPE,
        env=environment(tmp_path),
    )
    if process.stdout.readline() != b"1\n":
        tally.note("lost", "the child removed the lock file")
    began = time.monotonic()
    with Flight(path, timeout_s=0.5):
        if time.monotonic() - began < 0.4:
            tally.note("wrong", "the child freed the lock")
    end(process)
    report(tally)


def test_a_lock_on_an_unlinked_file_is_none(tmp_path, report):
    """Who waits on a file that its holder removed looks at the file there is now."""
    tally, path = Tally(), tmp_path / "a.lock"
    code = """
import sys, time
from pathlib import Path
from faults import without
without.apply()
from nbcache.storage import locks
from nbcache.storage.flight import Flight
until, place, count = time.monotonic() + 2.0, Path(sys.argv[2]), 0
while time.monotonic() < until:
    with Flight(Path(sys.argv[1])):
        count += 1
        try:
            place.mkdir()
        except FileExistsError:
            print("two", flush=True)
        time.sleep(0.0005)
        try:
            place.rmdir()
        except FileNotFoundError:
            print("two", flush=True)
print(count)
"""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(tmp_path / "inside")],
            stdout=subprocess.PIPE,
            env={**environment(tmp_path), **_kept()},
            text=True,
        )
        for _ in range(6)
    ]
    for process in running:
        lines = process.communicate()[0].split()
        tally.injected += int(lines[-1])
        if "two" in lines:
            tally.note("wrong", "two held one lock", lines.count("two"))
    if path.exists():
        tally.note("litter", path)
    report(tally)


def test_who_gets_the_lock_of_a_removed_file_has_none(tmp_path, report, monkeypatch):
    """The holder removes the file between another one's opening and locking it."""
    tally = Tally(injected=1)
    (tmp_path / "real").mkdir()
    paths = [tmp_path / "real" / "a.lock"]
    for name in ("one", "two"):  # other paths to one file, as in other processes
        (tmp_path / name).symlink_to(tmp_path / "real")
        paths.append(tmp_path / name / "a.lock")
    first, second, third = map(locks.Hold, paths)
    assert first.attempt()

    def late(descriptor, operation):
        first.release()
        monkeypatch.undo()
        fcntl.flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    got = [second.attempt(), third.attempt()]
    if all(got):
        tally.note("wrong", "two hold one lock")
    second.release()
    third.release()
    report(tally)


def test_a_second_look_finds_what_was_stored_meanwhile(tmp_path, report, monkeypatch):
    """Another process finishes just before the lock is won: nothing is computed."""
    tally, computed = Tally(), []
    monkeypatch.setattr(nbcache.cache, "warn", lambda message: None)
    told = computed.append

    def work(number):
        told(number)
        return np.arange(number)

    cache = nbcache.Cache(tmp_path / "store")
    call = cache.cached(ignore_globals=("told", "computed"))(work)
    enter = Flight.__enter__
    for number in range(1, 6):
        other = cache.cached(ignore_globals=("told", "computed"))(work)

        def late(self, number=number, other=other):
            # what another process would do
            Flight.__enter__ = enter
            other(number)
            found = enter(self)
            Flight.__enter__ = late
            return found

        computed.clear()
        Flight.__enter__ = late
        try:
            value = call(number)
        finally:
            Flight.__enter__ = enter
        tally.injected += 1
        if len(computed) != 1:
            tally.note("extra", f"{computed} computed")
        if value.tolist() != list(range(number)):
            tally.note("wrong", value)
    report(tally)


def test_strange_lock_files_cost_no_result(tmp_path, report):
    """Stale, foreign, a folder, a link, a pipe: the result is there at once."""
    tally = Tally()
    cache = nbcache.Cache(tmp_path / "store")
    call = cache.cached(_double)
    call(0)
    for number, make in enumerate(_STRANGE, 1):
        make(cache.core.store.place.lock(call.key(number).digest))
        began = time.monotonic()
        tally.injected += 1
        if call(number) != 2 * number:
            tally.note("wrong", make)
        if time.monotonic() - began > SHORT_S:
            tally.note("hung", make)
    report(tally)


def _double(number):
    return 2 * number


def _linked(path: Path) -> None:
    path.symlink_to("/etc/passwd")


_STRANGE = (
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"host 4242"),
    lambda path: (path.write_bytes(b""), path.chmod(0)),
    lambda path: path.mkdir(),
    lambda path: os.mkfifo(path),
    _linked,
)


def test_waiters_of_a_killed_holder_compute_once(tmp_path, report):
    """Eight callers wait while one computes, which is killed: one goes on."""
    tally = Tally()
    script = tmp_path / "script.py"
    script.write_text(
        """
import os, sys, time
from faults import without
without.apply()
import nbcache
def work(number):
    told(number)
    time.sleep(30 if first else 0.1)
    return number
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
told = lambda number: os.write(file, b"x")
first = len(sys.argv) > 2
call = nbcache.Cache(sys.argv[1] + ".store").cached(
    ignore_globals=("told", "first"))(work)
print(call(3), flush=True)
"""
    )
    around = {**environment(tmp_path), **_kept(), "PYTHONWARNINGS": "ignore"}
    place = str(tmp_path / "calls")
    command = [sys.executable, str(script), place]
    holder = subprocess.Popen([*command, "first"], env=around)
    for _ in range(600):
        if Path(place).exists() and Path(place).read_bytes() == b"x":
            break
        time.sleep(0.05)
    waiting = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=around) for _ in range(8)
    ]
    time.sleep(1)
    end(holder)
    tally.injected += 1
    for process in waiting:
        try:
            text = process.communicate(timeout=30)[0]
        except subprocess.TimeoutExpired:
            tally.note("hung", "a waiter")
            end(process)
            continue
        if text != b"3\n":
            tally.note("wrong", text)
    extra = len(Path(place).read_bytes()) - 2
    if extra:
        tally.note("extra", "computations", extra)
    report(tally)


@pytest.mark.skipif(sys.platform == "darwin", reason="forks with threads end badly")
def test_children_forked_among_threads_find_no_lock_taken(campaign):
    """They call while the threads of their parent store."""
    campaign("crowds", "forks", times=6)


@pytest.mark.skipif(sys.platform == "darwin", reason="forks with threads end badly")
@pytest.mark.faults
def test_many_forks_among_threads(campaign):
    """The same for longer."""
    campaign("crowds", "forks", times=60)
