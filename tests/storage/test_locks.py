"""Single flight among threads and processes."""

import subprocess
import sys
import threading
import time

from nbcache.storage.flight import Flight

HOLDER = """
import sys, time
from pathlib import Path
from nbcache.storage.flight import Flight
with Flight(Path(sys.argv[1]), lambda: False, lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    return process


def test_threads_exclude_each_other(tmp_path):
    """Never are two inside at once, and the file is gone afterwards."""
    path = tmp_path / "a.lock"
    inside, most = [], []

    def work():
        with Flight(path, lambda: False, lambda: None):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert not path.exists()


def test_a_killed_holder_frees_the_lock_at_once(tmp_path):
    """Nobody waits for the dead."""
    path = tmp_path / "a.lock"
    process = hold(path)
    process.kill()
    process.communicate()
    began = time.monotonic()
    with Flight(path, lambda: False, lambda: None):
        assert time.monotonic() - began < 2


def test_waiting_ends_when_the_value_is_there(tmp_path):
    """Whoever waits goes on when the entry exists, and is told after 2 s."""
    path = tmp_path / "a.lock"
    process = hold(path)
    told = []
    began = time.monotonic()

    def ready():
        return time.monotonic() - began > 2.5

    with Flight(path, ready, lambda: told.append(1)):
        assert time.monotonic() - began > 2.4
    process.kill()
    process.communicate()
    assert told == [1]


def test_it_is_reentrant(tmp_path):
    """A cell inside a cell of the same key does not wait for itself."""
    path = tmp_path / "a.lock"
    with (
        Flight(path, lambda: False, lambda: None),
        Flight(path, lambda: False, lambda: None),
    ):
        pass


def test_without_a_folder_there_is_no_lock(tmp_path):
    """A read-only or missing folder costs single flight, not the result."""
    with Flight(tmp_path / "none" / "a.lock", lambda: False, lambda: None):
        pass
