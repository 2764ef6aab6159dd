"""Who reads while another one writes sees a whole entry or none."""

from __future__ import annotations

import os
import subprocess
import sys

from faults import without
from faults.tally import Tally
from kernel import environment

from nbcache.errors import DamagedEntry
from nbcache.storage.folder import key_of
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
    """Three thousand looks at three entries that are written again and again."""
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
        while tally.injected < 1500:
            for name in store.place.files():
                tally.injected += 1
                try:
                    opened = store.get(key_of(name))
                except DamagedEntry as error:
                    tally.note("wrong", f"a torn entry was seen: {error}")
                    continue
                if opened is not None:
                    opened.close()
    finally:
        process.kill()
        process.communicate()
    report(tally)
