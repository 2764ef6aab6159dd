"""Listings: columns, sums, and where the folder is looked into again."""

from __future__ import annotations

import os
import time

import pytest

from nbcache.storage import codec
from nbcache.storage.entry import Entry
from nbcache.storage.listing import Listing
from nbcache.storage.store import Content, Store

KEYS = [f"{number:02x}{'0' * 30}" for number in range(5)]


@pytest.fixture(autouse=True)
def own_secret(tmp_path, monkeypatch):
    """Keep the tests' secret apart from the user's."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.delenv("NBCACHE_SECRET_FILE", raising=False)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / ".nbcache")


def put(store, key, name="fit", **more):
    encoded = codec.encode({"value": 1})
    entry = Entry(key=key, kind="function", name=name, created=time.time(), **more)
    return store.put(entry, Content(encoded.tree, encoded.members))


def rest(store):
    """Make all folders look as if nothing changed for long."""
    long_ago = time.time() - 100
    for folder in store.place.entries.iterdir():
        if folder.is_dir():
            os.utime(folder, (long_ago, long_ago))


def test_a_listing_has_what_the_entries_have(store):
    """In the same order, whether read from the index or made of entries."""
    for number, key in enumerate(KEYS):
        put(store, key, f"f{number % 2}", tags=["a", "b"], seconds=float(number))
    read, made = Store(store.folder).listing(), Listing.of(store.entries())
    assert read.keys == made.keys == KEYS[::-1]
    for column in ("name", "kind", "tags", "variables", "pickled", "python"):
        assert read.column(column) == made.column(column)
    for field in ("created", "seconds", "bytes"):
        assert getattr(read, field).tolist() == getattr(made, field).tolist()
    assert len(read.alike) == 2


def test_sums_are_those_of_the_entries(store):
    """Without reading them one by one."""
    assert store.sums() == (0, 0)
    sizes = [put(store, key).bytes for key in KEYS]
    assert store.sums() == Store(store.folder).sums() == (len(KEYS), sum(sizes))


def test_a_rested_folder_is_not_looked_into_again(store):
    """A file that was made without a trace in the folder's time stays unknown."""
    path = store.place.entries / KEYS[0][:2] / put(store, KEYS[0]).file
    rest(store)
    assert len(store.entries()) == 1
    status = path.parent.stat()
    path.rename(path.with_suffix(".away"))
    os.utime(path.parent, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert len(store.entries()) == 1


def test_a_folder_that_changed_just_now_is_looked_into_again(store):
    """A second change within the clock's tick would not change its time."""
    path = store.place.entries / KEYS[0][:2] / put(store, KEYS[0]).file
    assert len(store.entries()) == 1
    status = path.parent.stat()
    path.unlink()
    os.utime(path.parent, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store.entries() == []


def test_entries_of_other_processes_are_found_by_name(store):
    """Also before those wrote them into the index."""
    put(store, KEYS[0], "a")
    assert [one.key for one in Store(store.folder).by_name("a")] == [KEYS[0]]


def test_what_is_entered_late_does_not_bring_back_what_was_deleted(store):
    """The folder is looked into again although it has rested since."""
    put(store, KEYS[0])  # not yet in the index
    other = Store(store.folder)
    other.delete(other.entries())
    rest(store)
    assert other.entries() == []
    store.index.flush()
    assert other.entries() == []


def test_an_entry_that_cannot_be_read_is_tried_again(store):
    """Whatever hindered it may pass."""
    path = store.place.entries / KEYS[0][:2] / put(store, KEYS[0]).file
    whole = path.read_bytes()
    path.write_bytes(b"torn")
    for written in store.folder.glob("index.sqlite*"):
        written.unlink()
    rest(store)
    assert Store(store.folder).entries() == []
    path.write_bytes(whole)
    assert len(Store(store.folder).entries()) == 1
