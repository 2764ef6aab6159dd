"""Disks that are full, read-only, somebody else's; clocks that are wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from faults.tally import Tally
from kernel import environment

FAKETIME = (
    Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"),
    Path("/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"),
)


def can_mount() -> bool:
    """Say whether this process may mount what only it sees."""
    if os.name != "posix" or os.getuid() or not shutil.which("unshare"):
        return False
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


needs_root = pytest.mark.skipif(not can_mount(), reason="mounting needs root")
is_linux = sys.platform.startswith("linux")


@pytest.mark.faults
@needs_root
def test_unusable_disks_cost_no_result(campaign, tmp_path):
    """A full one, a read-only one, a folder of another user."""
    campaign("places", "everywhere", folder=tmp_path, command=("unshare", "-m"))


@pytest.mark.skipif(not is_linux, reason="reads /proc")
def test_limits_cost_no_result(campaign):
    """No descriptor left, files cut at 60 kB."""
    campaign("places", "limits")


CALL = """
import sys
import numpy as np
from nbcache import Cache
def work(number):
    return np.arange(number)
cache = Cache(sys.argv[1])
call = cache.cached(work)
missed = sum(not call.is_cached(number) for number in range(20))
right = sum(call(number).tolist() == list(range(number)) for number in range(20))
print(missed, right, len(cache.entries()), len(list(cache.directory.glob("tmp/*"))))
cache.close()
"""


@pytest.mark.faults
def test_wrong_clocks_change_nothing(tmp_path, report):
    """Writers and readers hours, days and years apart."""
    library = next((path for path in FAKETIME if path.exists()), None)
    if library is None:
        pytest.skip("libfaketime is missing (apt install libfaketime)")
    tally = Tally()
    shifts = ("-2h", "+2h", "-1d", "+1d", "+15y")
    for shift in shifts:
        place = str(tmp_path / f"store{shift}")
        for turn, offset in enumerate((shift, "+0", shift)):
            ran = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", CALL, place],
                env={
                    **environment(tmp_path),
                    "LD_PRELOAD": str(library),
                    "FAKETIME": offset,
                    "DONT_FAKE_MONOTONIC": "1",
                },
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            )
            missed, right, listed, left = map(int, ran.stdout.split())
            tally.injected += 20
            if right != 20:
                tally.note("wrong", f"{shift}, {turn}")
            if missed != 20 * (turn == 0) or listed != 20:
                tally.note("lost", f"{missed} missed, {listed} listed, {shift}, {turn}")
            if left:
                tally.note("litter", f"{left}, {shift}, {turn}")
    report(tally)
