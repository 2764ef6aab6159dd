"""A store that is full: what goes from the disk, who may do it, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from full_stores import DAY, array_of, key, path_of, put, started, there

from nbcache.storage.database import Database
from nbcache.storage.entry import Entry
from nbcache.storage.locks import exclusive
from nbcache.storage.store import Store

LIMIT = 1_000_000
TESTS = Path(__file__).parents[1]


@pytest.fixture
def store(tmp_path) -> Store:
    """Give a store of one megabyte."""
    return Store(tmp_path / "store", max_bytes=LIMIT)


def unlimited(store: Store) -> Store:
    """Give the same folder without a limit."""
    return Store(store.folder)


def test_a_put_beyond_the_limit_removes_what_is_worth_least(store):
    """Down to nine tenths of it; neither the dear one nor the new one goes."""
    before = unlimited(store)
    for number in range(9):
        put(before, number, seconds=100.0 if number == 3 else 1.0 + number)
    put(store, 9, age=0, size=200_000)
    assert there(store) == {3, 4, 5, 6, 7, 8, 9}
    assert {int(one.key[:2], 16) for one in store.entries()} == there(store)
    assert list((store.folder / "tmp").iterdir()) == []


def test_lists_of_traces_go_with_their_last_entry(store):
    """What says where to look is of no use when nothing is there."""
    before = unlimited(store)
    traced = {"trace": [["file", "x", "ab" * 16]], "size": 300_000, "seconds": 0.0}
    put(before, 0, lookup=key(20), **traced)
    put(before, 1, lookup=key(21), **traced)
    put(before, 2, lookup=key(21), **{**traced, "seconds": 9.0})
    put(store, 3, age=0, size=400_000)
    assert there(store) == {2, 3}
    assert store.traces.read(key(20)) == []
    assert len(store.traces.read(key(21))) == 1


def test_without_a_limit_or_a_policy_nothing_goes(store):
    """`max_size = "none"`, `eviction = "none"`."""
    for number in range(12):
        put(unlimited(store), number)
    put(Store(store.folder, max_bytes=LIMIT, eviction="none"), 12)
    assert len(there(store)) == 13


def test_lru_removes_what_was_used_longest_ago(store):
    """A hit noted by an earlier process counts."""
    before = unlimited(store)
    for number in range(10):
        put(before, number, age=DAY - number, seconds=1.0)
    before.history.note_hit(key(0), 1.0)
    before.history.flush()
    put(Store(store.folder, max_bytes=LIMIT, eviction="lru"), 10, age=0)
    assert there(store) == {0, *range(4, 11)}


@pytest.mark.parametrize("pin", ["dull", key(0)], ids=["name", "key"])
def test_pinned_entries_stay(store, pin):
    """By name or by key, whoever pinned them."""
    before = unlimited(store)
    put(before, 0, "dull", seconds=0.0)
    for number in range(1, 9):
        put(before, number, seconds=1.0)
    before.history.pin([pin])
    put(store, 9, age=0, size=200_000)
    assert 0 in there(store)
    assert len(there(store)) < 10


def test_young_entries_stay(store):
    """What a running notebook just stored is not lost to what it stores next."""
    for number in range(15):
        put(store, number, age=0)
    assert len(there(store)) == 15


def test_an_entry_whose_array_a_process_holds_stays(store, tmp_path):
    """As long as the process lives and holds it; then it goes like others."""
    before = unlimited(store)
    for number in range(10):
        put(before, number, seconds=float(number))
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from full_stores import Store, array_of\n"
        "held = array_of(Store(sys.argv[1]), 0)\n"
        "print('holds', flush=True); sys.stdin.readline()\n"
    )
    holder = started(code, store.folder, TESTS)
    try:
        assert holder.stdout.readline() == "holds\n"
        assert store.leases.held() == {f"{key(0)}.npz"}
        put(store, 10, age=0)
        assert {0, 10} < there(store)
        assert 1 not in there(store)
        holder.kill()
        holder.wait(20)
        assert store.leases.held() == set()
        put(Store(store.folder, max_bytes=LIMIT), 11, age=0, size=200_000)
        assert 0 not in there(store)
    finally:
        holder.kill()
        holder.communicate()


def test_a_lease_ends_with_the_array(store):
    """Not with the process, nor with the opened file."""
    put(store, 0)
    held = array_of(store, 0)
    part = held[5:10]
    del held
    assert store.leases.held() == {f"{key(0)}.npz"}
    assert unlimited(store).leases.held() == {f"{key(0)}.npz"}
    del part
    assert store.leases.held() == set()
    assert unlimited(store).leases.held() == set()


def test_a_forked_child_leaves_the_parents_lease_alone(store):
    """It neither frees nor keeps it: its own life is another."""
    put(store, 0)
    put(store, 1)
    held = array_of(store, 0)
    child = os.fork()
    if not child:
        try:
            mine = array_of(store, 1)
            # as others see it: in a file of its own
            ok = f"{key(1)}.npz" in unlimited(store).leases.held() and len(mine)
        finally:
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert unlimited(store).leases.held() == {f"{key(0)}.npz"}
    assert len(held)


def test_small_results_need_no_lease(store):
    """They are copied out of the file."""
    put(store, 0, size=1000)
    small = array_of(store, 0)
    assert len(small) == 1000
    assert list((store.folder / "locks").glob("*.lease")) == []


def test_an_evicted_array_is_still_all_there(store):
    """Removing a mapped file harms nobody."""
    before = put(unlimited(store), 0, size=900_000, seconds=0.0)
    held = array_of(store, 0)
    told = held.copy()
    put(store, 1, age=0, size=400_000)  # more than 110 %: leases give way
    assert not path_of(store, before).exists()
    assert np.array_equal(held, told)


def test_one_process_evicts_at_a_time(store):
    """Who comes second goes on at once, and its result is stored."""
    for number in range(12):
        put(unlimited(store), number)
    code = (
        "import sys; from pathlib import Path\n"
        "from nbcache.storage.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1])) as mine:\n"
        "    print(mine, flush=True); sys.stdin.readline()\n"
    )
    holder = started(code, store.place.evictor_lock)
    try:
        assert holder.stdout.readline() == "True\n"
        with exclusive(store.place.evictor_lock) as mine:
            assert not mine
        put(store, 12, age=0)
        assert len(there(store)) == 13
        holder.communicate("\n")
        put(Store(store.folder, max_bytes=LIMIT), 13, age=0)
        assert len(there(store)) < 13
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize("damage", ["deleted", "nonsense", "emptied"])
def test_it_works_without_a_good_index(store, damage):
    """Totals and choice come from the files then."""
    for number in range(12):
        put(unlimited(store), number, seconds=float(number))
    for path in store.folder.glob("index.sqlite*"):
        if damage == "nonsense":
            path.write_bytes(b"nonsense" * 600)
        else:
            path.unlink()
    if damage == "emptied":
        put(unlimited(store), 12, seconds=12.0)
    put(store, 13, age=0)
    assert there(store) >= {11, 13}
    assert sum(path.stat().st_size for path in store.place.files().values()) <= LIMIT


def test_without_any_history_the_costs_decide(store):
    """A history that is nonsense loses the uses, not the eviction."""
    for number in range(10):
        put(unlimited(store), number, seconds=float(number))
    (store.folder / "history.sqlite").write_bytes(b"nonsense" * 600)
    put(store, 10, age=0)
    assert there(store) == set(range(3, 11))


def test_the_level_rises_so_that_the_dear_ones_age(store):
    """A costly result that nobody uses goes after enough cheap ones went."""
    put(unlimited(store), 0, size=300_000, seconds=3.0, age=3 * DAY)
    for number in range(1, 8):
        put(unlimited(store), number, seconds=0.9, age=2 * DAY)
    put(Store(store.folder, max_bytes=LIMIT), 8, age=1 * DAY, seconds=0.9)
    levels = store.history.levels()
    assert [level for _, level in levels] == [pytest.approx(0.9e-5, rel=0.1)]
    store.history.note_level(1.1e-5)
    for number in range(1, 9):
        store.history.note_hit(key(number), 0.9)
    # the hits are a minute ago, so that they do not count as use in the last hour
    store.history.flush()
    store.history._database.run(
        lambda database: database.execute("UPDATE uses SET last = last + 1")
    )
    known = store.room.candidates(store.index.short_rows())
    from nbcache.storage.eviction import POLICIES

    rank = POLICIES["greedy-dual-size"]
    ranks = {one.key: rank(one, store.room.levels()) for one in known}
    assert min(ranks, key=ranks.get) == key(0)


def test_a_store_that_stays_too_large_is_not_looked_at_for_each_put(store, monkeypatch):
    """All of it pinned: the index is read once in a while, not each time."""
    for number in range(12):
        put(unlimited(store), number, "kept")
    store.history.pin(["kept"])
    looks = []
    run = Database.run

    def counted(self, work):
        looks.append(self.path.name)
        return run(self, work)

    put(store, 12, "kept", size=2000)
    monkeypatch.setattr(Database, "run", counted)
    for number in range(13, 16):
        put(store, number, "kept", size=500)
    assert looks == []


def test_totals_of_very_many_entries_come_at_once(tmp_path):
    """From an index of SQLite, without a look at rows or files."""
    store = Store(tmp_path / "store")
    store.prepare()
    source = "x = 1\n" * 200
    store.index.add(
        Entry(f"{n:032x}", "cell", "a", source=source, bytes=7, file=f"{n:032x}.npz")
        for n in range(20_000)
    )
    began = time.perf_counter()
    assert store.index.sums() == (20_000, 140_000)
    assert time.perf_counter() - began < 0.2
    plan = store.index._run(
        lambda database: database.execute(
            "EXPLAIN QUERY PLAN SELECT count(*), sum(bytes) FROM listed"
        ).fetchall()
    )
    assert "COVERING INDEX listed_by_bytes" in str(plan)


READERS = """
import sys, time
sys.path.insert(0, sys.argv[2])
import numpy as np
from full_stores import Store, array_of, expected, key
store, wrong, hits = Store(sys.argv[1]), 0, 0
until = time.monotonic() + 1.5
print("reads", flush=True)
held = []
while time.monotonic() < until:
    for number in range(16):
        opened = store.get(key(number))
        if opened is None:
            continue
        opened.close()
        try:
            array = array_of(store, number)
        except AssertionError:
            continue
        hits += 1
        wrong += not np.array_equal(array, expected(number, 100_000))
        held = [*held[-5:], array]
print(wrong, hits, flush=True)
"""


def test_readers_are_not_harmed_by_eviction_and_clearing(store):
    """Readers in four processes, while this one stores, evicts and clears."""
    for number in range(9):
        put(unlimited(store), number)
    here = TESTS
    readers = [started(READERS, store.folder, here) for _ in range(4)]
    try:
        for reader in readers:
            assert reader.stdout.readline() == "reads\n"
        rounds = 0
        while any(reader.poll() is None for reader in readers):
            put(Store(store.folder, max_bytes=LIMIT), rounds % 16)
            rounds += 1
            if rounds % 40 == 0:
                store.clear()
        for reader in readers:
            wrong, hits = map(int, reader.stdout.read().split())
            assert reader.wait(20) == 0
            assert wrong == 0
            assert hits > 0
        assert rounds > 20
    finally:
        for reader in readers:
            reader.kill()
            reader.communicate()


def test_processes_that_store_at_once_keep_the_limit(store):
    """Each puts what is old already; together they stay near the limit."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from full_stores import Store, put\n"
        f"store = Store(sys.argv[1], max_bytes={LIMIT})\n"
        "for number in range(int(sys.argv[3]), 60, 3): put(store, number)\n"
    )
    here = TESTS
    ran = [started(code, store.folder, here, start) for start in range(3)]
    for one in ran:
        one.communicate(timeout=60)
        assert one.returncode == 0
    assert sum(path.stat().st_size for path in store.place.files().values()) <= (
        1.2 * LIMIT
    )


def test_a_put_of_a_settings_process_evicts(tmp_path):
    """The setting reaches the store from the environment, in a fresh process."""
    code = (
        "import nbcache, numpy as np, time\n"
        "from nbcache.storage.entry import Entry\n"
        "cache = nbcache.Cache('store')\n"
        "print(cache.core.store.room.max_bytes, cache.core.store.room.policy)\n"
        "own = nbcache.Cache('store', max_size='1MiB', eviction='none')\n"
        "print(own.core.store.room.max_bytes, own.core.store.room.policy)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NBCACHE_MAX_SIZE": "2 MB", "NBCACHE_EVICTION": "lru"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.stdout.splitlines() == ["2000000 lru", "1048576 none"], ran.stderr
