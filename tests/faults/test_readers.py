"""Who reads while another one writes sees a whole entry or none."""

from __future__ import annotations

import os
import subprocess
import sys

from faults import without
from faults.tally import Tally
from kernel import environment

from nbcache.errors import DamagedEntry
from nbcache.storage import npz
from nbcache.storage.store import Store

WRITER = """
import itertools, sys
import numpy as np
from faults import without
without.apply()
from nbcache import Cache
def work(number):
    return np.full(400_000, number)
call = Cache(sys.argv[1]).cached(work)
print("begins", flush=True)
for number in itertools.count():
    call.refresh(number % 3)
"""


def test_readers_see_whole_entries_only(tmp_path, report):
    """Six hundred looks at three entries that are written again and again."""
    tally, store = Tally(), Store(tmp_path / "store")
    around = {
        **environment(tmp_path),
        without.VARIABLE: os.environ.get(without.VARIABLE, ""),
        "JUPYTER_DATA_DIR": os.environ["JUPYTER_DATA_DIR"],
    }
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WRITER, str(store.folder)],
        stdout=subprocess.PIPE,
        env=around,
    )
    assert process.stdout.readline() == b"begins\n"
    try:
        while tally.injected < 600:
            for path in store.place.files().values():
                tally.injected += 1
                try:
                    # not mapped: a file that becomes shorter would end this process
                    with npz.Archive.open(path, mappable=False) as archive:
                        archive.verify()
                except FileNotFoundError:
                    tally.note("lost", path.name)
                except DamagedEntry as error:
                    tally.note("wrong", f"a torn entry was seen: {error}")
    finally:
        process.kill()
        process.communicate()
    report(tally)
