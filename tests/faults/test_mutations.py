"""Each defence is needed: without it, a named test fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults.without import DEFENCES, VARIABLE

HERE = Path(__file__).parent
NOTICED = {
    "digest": "test_resealed.py::test_an_entry_with_another_digest_is_not_returned",
    "key": "test_resealed.py::test_an_entry_of_another_key_is_not_returned",
    "signature": "test_resealed.py::test_an_entry_that_nobody_signed_is_not_returned",
    "temporary": "test_readers.py::test_readers_see_whole_entries_only",
    "links": "test_resealed.py::test_an_entry_behind_a_link_is_not_returned",
    "inode": "test_locks.py::test_who_gets_the_lock_of_a_removed_file_has_none",
    "second look": "test_locks.py::test_a_second_look_finds_what_was_stored_meanwhile",
    "fork hook": "test_locks.py::test_a_forked_child_does_not_hold_its_parents_lock",
}


@pytest.mark.faults
@pytest.mark.parametrize("defence", DEFENCES)
def test_a_defence_taken_away_is_noticed(defence):
    """The test passes with it, by the normal run, and fails without it."""
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider"),
            *("-m", "", str(HERE / NOTICED[defence])),
        ],
        env={**os.environ, VARIABLE: defence},
        capture_output=True,
        text=True,
        cwd=HERE.parents[1],
    )
    assert ran.returncode == 1, ran.stdout[-3000:]
    assert "1 failed" in ran.stdout
