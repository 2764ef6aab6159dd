"""Power cuts and a file system that lies: as root, once, ``pytest -m by_hand``."""

from __future__ import annotations

import importlib.util
import os
import shutil

import pytest
from faults.power import MAKE
from faults.test_places import can_mount

pytestmark = [
    pytest.mark.by_hand,
    pytest.mark.skipif(not can_mount(), reason="mounting needs root"),
]


@pytest.mark.parametrize("durability", ["always", "never"])
@pytest.mark.parametrize("system", ["ext4", "xfs"])
def test_power_cuts(campaign, system, durability):
    """Nothing is wrong; with ``durability="always"`` nothing is lost."""
    if not shutil.which(MAKE[system][1][0]):
        pytest.skip(f"{MAKE[system][1][0]} is missing")
    tally = campaign(
        "power",
        "cuts",
        system=system,
        durability=durability,
        command=("unshare", "-m"),
    )
    print("\n".join(tally.told))


def test_a_lying_file_system(campaign):
    """Failing calls, flipped bits, writes that are dropped."""
    if importlib.util.find_spec("fuse") is None or not os.path.exists("/dev/fuse"):
        pytest.skip("needs fusepy, libfuse2 and /dev/fuse")
    campaign("lying", "everything", command=("unshare", "-m"))
