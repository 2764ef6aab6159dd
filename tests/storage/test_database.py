"""A database that is replaced, broken, or on a file system where it cannot be."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from full_stores import put, started

from nbcache.storage import filesystems
from nbcache.storage.database import Database
from nbcache.storage.filesystems import kind_in, mounts_of_linux, mounts_of_macos
from nbcache.storage.locks import exclusive
from nbcache.storage.store import Store

SCHEMA = "CREATE TABLE IF NOT EXISTS t (x INTEGER);"


@pytest.fixture
def database(tmp_path) -> Database:
    """Give a database with one row."""
    made = Database(tmp_path / "d.sqlite", SCHEMA, 1, lock=tmp_path / "lock")
    made.run(insert(1))
    return made


def insert(number):
    """What puts a row in."""
    return lambda connection: connection.execute("INSERT INTO t VALUES (?)", (number,))


def rows(database) -> list[int]:
    """Give what is in it."""
    query = "SELECT x FROM t ORDER BY x"
    return database.run(
        lambda connection: [row[0] for row in connection.execute(query)]
    )


def test_it_is_private_and_uses_a_log(database):
    """Mode 0600; WAL, so that readers and a writer do not wait for each other."""
    assert database.path.stat().st_mode & 0o777 == 0o600
    mode = database.run(
        lambda connection: connection.execute("PRAGMA journal_mode").fetchone()
    )
    assert mode == ("wal",)


def test_a_transaction_that_fails_leaves_nothing(database):
    """All of it or none."""

    def work(connection):
        connection.execute("INSERT INTO t VALUES (2)")
        raise OSError("interrupted")

    with pytest.raises(OSError, match="interrupted"):
        database.run(work)
    assert rows(database) == [1]


def test_a_broken_file_is_renamed_aside_and_begun_anew(database):
    """It can be looked at; another database in the folder is not touched."""
    database.path.write_bytes(b"nonsense" * 600)
    assert rows(database) == []
    aside = database.path.with_name("d.sqlite.bad")
    assert aside.read_bytes() == b"nonsense" * 600


def test_a_broken_file_is_not_touched_while_another_process_evicts(
    database, monkeypatch
):
    """Who renames it holds the evictor's lock: two of them would lose rows."""
    monkeypatch.setattr("nbcache.storage.database._REPLACING_S", 0.05)
    code = (
        "import sys; from pathlib import Path\n"
        "from nbcache.storage.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1])) as mine:\n"
        "    print(mine, flush=True); sys.stdin.readline()\n"
    )
    database.path.write_bytes(b"nonsense" * 600)
    holder = started(code, database.path.parent / "lock")
    try:
        assert holder.stdout.readline() == "True\n"
        with pytest.raises(sqlite3.OperationalError, match="being replaced"):
            rows(database)
        assert database.path.read_bytes() == b"nonsense" * 600
    finally:
        holder.communicate("\n")
    assert rows(database) == []


def test_a_file_that_another_process_has_replaced_meanwhile_stays(database):
    """Who waited for the lock finds a sound one, and does not rename that."""
    database._set_aside((0, 0))
    assert rows(database) == [1]


def test_who_holds_the_evictors_lock_replaces_it_too(database):
    """An evictor that finds the index broken does not wait for itself."""
    database.path.write_bytes(b"nonsense" * 600)
    with exclusive(database.path.parent / "lock") as mine:
        assert mine
        assert rows(database) == []


def test_what_is_written_to_a_file_that_was_replaced_is_written_again(database):
    """Deleting a database under a writer loses its writes without an error."""
    calls = []

    def work(connection):
        if not calls:
            for suffix in ("", "-wal", "-shm"):
                database.path.with_name(f"d.sqlite{suffix}").unlink(missing_ok=True)
            with closing(sqlite3.connect(database.path)) as other, other:
                other.executescript(SCHEMA)
        calls.append(None)
        connection.execute("INSERT INTO t VALUES (2)")

    database.run(work)
    assert len(calls) == 2
    assert rows(database) == [2]


def test_many_processes_replace_a_broken_file_once(tmp_path):
    """None of their rows is lost."""
    store = Store(tmp_path / "store")
    store.prepare()
    (store.folder / "index.sqlite").write_bytes(b"nonsense" * 600)
    code = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from full_stores import Store, put\n"
        "sys.stdin.readline()\n"
        "store = Store(sys.argv[1])\n"
        "for n in range(10): put(store, int(sys.argv[2]) * 10 + n, size=10)\n"
    )
    here = Path(__file__).parents[1]
    ran = [started(code, store.folder, number, here) for number in range(3)]
    for one in ran:
        one.stdin.write("\n")
        one.stdin.flush()
    for one in ran:
        one.communicate(timeout=60)
        assert one.returncode == 0
    assert len(store.index.all_files()) == 30
    assert store.index.sums()[0] == 30


def test_an_index_that_was_never_whole_is_completed(tmp_path):
    """A name is found although the index was deleted and begun anew since."""
    store = Store(tmp_path / "store")
    put(store, 0, "a")
    for path in store.folder.glob("index.sqlite*"):
        path.unlink()
    put(store, 1, "b")
    assert [entry.name for entry in Store(store.folder).by_name("a")] == ["a"]


# --- file systems


def test_no_database_on_a_file_system_that_is_not_known(tmp_path, monkeypatch):
    """All of the store works without: listed by a scan, nothing written beside."""
    monkeypatch.setattr(filesystems, "LOCAL", frozenset())
    filesystems.is_local.cache_clear()
    try:
        store = Store(tmp_path / "store", max_bytes=150_000)
        put(store, 0, "a")
        put(store, 1, "b")
        assert {entry.name for entry in store.entries()} == {"a", "b"}
        assert [entry.name for entry in store.by_name("a")] == ["a"]
        opened = store.get(store.entries()[0].key)
        opened.archive.verify()
        assert opened.archive.read("value").nbytes == 100_000
        assert opened.archive.mapped() == []
        opened.close()
        store.history.note_hit("k", 1.0)
        store.history.flush()
        assert store.pins() == set()
        assert store.delete(store.entries()) == 2
        assert list(store.folder.glob("*.sqlite*")) == []
    finally:
        filesystems.is_local.cache_clear()


def test_this_machine_is_known():
    """Where the tests run; the kernel's own file systems are not."""
    assert not filesystems.is_local("/proc/self")


MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:5 / /proc rw - proc proc rw
40 22 0:40 / /home rw shared:5 master:1 - nfs4 server:/home rw
41 40 0:41 / /home/me/my\\040disk rw - xfs /dev/sdb rw
42 22 0:42 / /mnt rw - fuse.sshfs host: rw
43 22 0:43 / /mnt rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/tmp/x", "ext4"),
        ("/home", "nfs4"),
        ("/home/me/a", "nfs4"),
        ("/home/me/my disk/a", "xfs"),
        ("/homes/a", "ext4"),
        ("/mnt/a", "tmpfs"),
        ("/", "ext4"),
    ],
)
def test_the_file_system_of_a_path_on_linux(path, kind):
    """The longest mount point that covers it, the last of those at one place."""
    assert kind_in(mounts_of_linux(MOUNTINFO), path) == kind


def test_the_file_system_of_a_path_on_macos():
    """As `mount` prints it there."""
    told = (
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n"
        "//me@server/share on /Volumes/a share (smbfs, nodev, nosuid)\n"
    )
    assert kind_in(mounts_of_macos(told), "/Users/me") == "apfs"
    assert kind_in(mounts_of_macos(told), "/Volumes/a share/x") == "smbfs"


def test_a_path_is_judged_where_its_links_lead(tmp_path):
    """A folder linked to another file system."""
    if not os.path.isdir("/proc/self"):
        pytest.skip("no /proc here")
    (tmp_path / "link").symlink_to("/proc")
    code = (
        "import sys, nbcache.storage.filesystems as f; print(f.is_local(sys.argv[1]))"
    )
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            str(tmp_path / "link" / "x"),
        ],
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "False\n"
