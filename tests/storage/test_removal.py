"""Taking entries away: never more than them, never out of the store."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from full_stores import array_of, expected, key, path_of, put, there

from nbcache.storage.folder import Folder
from nbcache.storage.removal import clear, empty, remove
from nbcache.storage.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    """Give a store with three entries."""
    store = Store(tmp_path / "store")
    for number in range(3):
        put(store, number, "abc"[number])
    return store


def test_delete_takes_what_it_is_given(store):
    """And forgets it in the listing; twice is once."""
    chosen = [entry for entry in store.entries() if entry.name != "b"]
    assert store.delete(chosen) == 2
    assert there(store) == {1}
    assert [entry.name for entry in store.entries()] == ["b"]
    assert list((store.folder / "tmp").iterdir()) == []
    store.delete(chosen)
    assert there(store) == {1}


def test_delete_and_clear_leave_pinned_entries(store):
    """By name or key; unless that is asked for."""
    store.history.pin(["b", key(2)])
    assert store.delete(store.entries()) == 1
    assert store.clear() == 0
    assert there(store) == {1, 2}
    assert store.delete(store.entries(), pinned=True) == 2
    assert there(store) == set()


def test_what_was_mapped_stays_whole(store):
    """After the file was deleted, and after the whole store was."""
    arrays = [array_of(store, number) for number in range(3)]
    store.delete(store.entries()[:1])
    store.clear()
    for number, array in enumerate(arrays):
        assert np.array_equal(array, expected(number, 100_000))


def test_clear_makes_the_store_empty_and_usable(store):
    """With lists of traces and all; the next put finds its place."""
    store.traces.add("ab" * 16, [("file", "x")], key(1))
    assert store.clear() == 3
    assert store.entries() == []
    assert list(store.place.entries.iterdir()) == [store.place.entries / "CACHEDIR.TAG"]
    assert list((store.folder / "tmp").iterdir()) == []
    put(store, 4)
    assert there(store) == {4}


def test_a_store_without_its_marker_is_left_alone(store):
    """Neither all nor one is deleted from it."""
    (store.place.entries / "CACHEDIR.TAG").unlink()
    with pytest.raises(OSError, match="not a store of nbcache"):
        store.delete(store.entries())
    with pytest.raises(OSError, match="not a store of nbcache"):
        store.clear()
    assert remove(store.place, [f"{key(0)}.npz"]) == []
    assert there(store) == {0, 1, 2}


def test_somebodys_files_survive_a_clear(store):
    """A note between the entries, a folder, and what has nearly our names."""
    kept = [
        store.place.entries / "note.txt",
        store.place.entries / "00" / "mine.npz",
        store.place.entries / "results" / "deep" / f"{key(7)}.npz",
        store.place.entries / "00" / f"{key(0)}.npz.bak",
    ]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    assert store.clear() == 3
    assert [path for path in kept if path.read_bytes() != b"mine"] == []
    assert list((store.folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("how", ["delete", "clear", "remove"])
def test_links_out_of_the_store_are_not_followed(store, tmp_path, how):
    """A folder of the fan-out that is a link to somebody's folder."""
    victim = tmp_path / "precious"
    victim.mkdir()
    entry = store.entries()[0]
    path_of(store, entry).replace(victim / entry.file)
    folder = store.place.entries / entry.key[:2]
    folder.rmdir()
    folder.symlink_to(victim)
    if how == "delete":
        with pytest.raises(OSError, match=folder.name):
            store.delete([entry])
    elif how == "clear":
        store.clear()
    else:
        assert remove(store.place, [entry.file]) == []
    assert (victim / entry.file).exists()


def test_a_link_in_an_entrys_place_is_removed_itself(store, tmp_path):
    """Not what it points to."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    entry = store.entries()[0]
    path_of(store, entry).unlink()
    path_of(store, entry).symlink_to(precious)
    store.delete([entry])
    assert not os.path.lexists(path_of(store, entry))
    assert precious.read_bytes() == b"mine"


def test_entries_that_are_a_link_are_not_cleared(store, tmp_path):
    """Somebody else's store under our name."""
    store.place.entries.rename(tmp_path / "elsewhere")
    store.place.entries.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="nothing was deleted"):
        store.clear()
    assert len(list((tmp_path / "elsewhere").glob("*/*.npz"))) == 3


def test_names_that_are_no_entries_are_passed_over(store, tmp_path):
    """Whatever an index that was tampered with says."""
    precious = tmp_path / "precious.npz"
    precious.write_bytes(b"mine")
    assert remove(store.place, ["../../precious.npz", str(precious), "x.npz"]) == []
    assert precious.exists()


def test_an_unwritable_store_says_so(store):
    """Deleting is asked for, so that it must not fail without a word."""
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    os.chmod(store.place.entries / "00", 0o500)
    try:
        with pytest.raises(PermissionError):
            store.delete(store.entries())
    finally:
        os.chmod(store.place.entries / "00", 0o700)


def test_a_killed_clear_is_finished_by_the_next_sweep(store):
    """At every step: what is ours goes, the store works on."""
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from nbcache.storage import removal\n"
        "from nbcache.storage.folder import Folder\n"
        "removal._empty_one = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "removal.clear(Folder(Path(sys.argv[1])))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(store.folder)], timeout=60)
    assert ran.returncode == -signal.SIGKILL
    assert there(store) == set()
    (aside,) = (store.folder / "tmp").iterdir()
    put(store, 5)
    assert empty(aside) == 3
    assert list((store.folder / "tmp").iterdir()) == []
    assert there(store) == {5}


def test_a_folder_whose_maker_was_killed_is_empty(tmp_path):
    """Made, but not yet marked: there is nothing to delete, and no error."""
    place = Folder(tmp_path)
    place.entries.mkdir()
    assert clear(place) == 0
