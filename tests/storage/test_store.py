"""The store: put, get, list, delete; damage and distrust."""

import os
import sqlite3
import time

import numpy as np
import pytest

from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.storage import codec
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content, Store

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


@pytest.fixture(autouse=True)
def own_secret(tmp_path, monkeypatch):
    """Keep the tests' secret apart from the user's."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.delenv("NBCACHE_SECRET_FILE", raising=False)


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, value, key: str = KEY, name: str = "fit", **more) -> Entry:
    encoded = codec.encode({"value": value})
    entry = Entry(key, "function", name, created=time.time(), **more)
    return store.put(entry, Content(encoded.tree, dict(encoded.members)))


def stored(store: Store, entry: Entry):
    """Give the file of an entry."""
    return store.place.files()[entry.file]


def value_of(store: Store, key: str = KEY):
    opened = store.get(key)
    assert opened is not None
    try:
        return codec.decode(
            opened.tree, lambda name: opened.archive.read(name, "copy")
        )["value"]
    finally:
        opened.close()


def test_what_is_put_is_got(store):
    """Value and metadata come back in another Store object."""
    put(store, np.arange(5), seconds=2.5, source="x = 1")
    again = Store(store.folder)
    assert value_of(again).tolist() == [0, 1, 2, 3, 4]
    opened = again.get(KEY)
    assert (opened.entry.name, opened.entry.seconds) == ("fit", 2.5)
    assert opened.entry.source == "x = 1"
    opened.close()


def test_no_entry_is_none(store):
    """A key that was never stored, in a folder that does not exist."""
    assert store.get(KEY) is None
    assert not store.folder.exists()


def test_a_store_is_private_and_marked(store):
    """Modes, the marker and .gitignore, whatever the umask."""
    before = os.umask(0)
    try:
        put(store, 1)
    finally:
        os.umask(before)
    for path in store.folder.rglob("*"):
        if path.suffix in ("-wal", "-shm") or path.name.startswith("index.sqlite"):
            continue
        assert path.stat().st_mode & 0o077 == 0, path
    assert (store.folder / ".gitignore").read_text() == "*\n"
    tag = (store.folder / "entries" / "CACHEDIR.TAG").read_text()
    assert tag.startswith("Signature: 8a477f597d28d172789f06886806bc55")
    assert list((store.folder / "tmp").iterdir()) == []


def test_np_load_reads_an_entry(store):
    """An entry is a plain npz with the user's arrays under their names."""
    entry = put(store, np.arange(4.0))
    with np.load(store.place.files()[entry.file], allow_pickle=False) as members:
        assert members["value"].tolist() == [0, 1, 2, 3]


def test_one_key_has_one_value(store):
    """Whoever stores second keeps the first one's entry."""
    first = put(store, 1)
    second = put(store, 2)
    assert value_of(store) == 1
    assert second.created == first.created


def test_overwrite_replaces(store):
    """A refresh does replace."""
    put(store, 1)
    encoded = codec.encode({"value": 2})
    store.put(
        Entry(KEY, "function", "fit"),
        Content(encoded.tree, dict(encoded.members)),
        overwrite=True,
    )
    assert value_of(store) == 2


@pytest.mark.parametrize("place", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_flipped_bit_is_noticed(store, place):
    """Anywhere in the file: data, manifest, directory or trailer."""
    path = stored(store, put(store, np.arange(100)))
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 4
    path.write_bytes(data)
    with pytest.raises(DamagedEntry):
        Store(store.folder).get(KEY)


def test_a_damaged_entry_is_set_aside(store):
    """It can be looked at, and is no longer in the way or in the listing."""
    path = stored(store, put(store, 1))
    path.write_bytes(b"nonsense")
    store.set_aside(path)
    assert store.get(KEY) is None
    assert store.entries() == []
    assert [one.read_bytes() for one in (store.folder / "damaged").iterdir()] == [
        b"nonsense"
    ]


def test_an_entry_under_another_key_is_refused(store):
    """A copy made by hand does not become the answer to another question."""
    path = stored(store, put(store, 1))
    target = store.place.entry(OTHER)
    target.parent.mkdir(parents=True)
    target.write_bytes(path.read_bytes())
    with pytest.raises(DamagedEntry, match="stands under"):
        store.get(OTHER)


def test_another_users_entry_is_not_used(store, tmp_path, monkeypatch):
    """An entry signed with another secret is refused before it is read."""
    put(store, 1)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "somebody"))
    with pytest.raises(UntrustedEntry, match="someone else"):
        Store(store.folder).get(KEY)


@pytest.mark.parametrize("key", ["", "../x", "A" * 32, "0" * 31, "0" * 65, "g" * 32])
def test_only_keys_reach_a_path(store, key):
    """Nothing a name could hold leads out of the folder."""
    with pytest.raises(ValueError, match="not a key"):
        store.place.entry(key)
    with pytest.raises(ValueError, match="not a slug"):
        store.place.entry(KEY, "../x")


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_only_regular_files_are_read(store, tmp_path, kind):
    """A link, a pipe or a folder at an entry's place is an error, not a hang."""
    put(store, 1, OTHER)
    path = store.place.entry(KEY)
    path.parent.mkdir(exist_ok=True)
    if kind == "link":
        path.symlink_to(store.place.files()[f"{OTHER}.npz"])
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises((OSError, DamagedEntry)):
        store.get(KEY)


def test_listing_is_newest_first(store):
    """With size and file name, from a new Store object."""
    put(store, 1, KEY, "a")
    put(store, 2, OTHER, "b")
    found = Store(store.folder).entries()
    assert [entry.name for entry in found] == ["b", "a"]
    assert all(entry.bytes > 0 for entry in found)
    assert [entry.key for entry in store.by_name("a")] == [KEY]


@pytest.mark.parametrize("damage", ["delete", "nonsense", "stale"])
def test_the_index_is_only_a_cache(store, damage):
    """Deleted, broken or behind, the listing is right."""
    put(store, 1, KEY, "a")
    store.entries()  # writes it
    if damage == "delete":
        for path in store.folder.glob("index.sqlite*"):
            path.unlink()
    elif damage == "nonsense":
        for path in store.folder.glob("index.sqlite*"):
            path.write_bytes(b"nonsense" * 100)
    else:
        with sqlite3.connect(store.index.path) as database:
            for table in ("entries", "listed", "folders"):
                database.execute(f"DELETE FROM {table}")
        database.close()
    put(store, 2, OTHER, "b")
    found = Store(store.folder).entries()
    assert {entry.name for entry in found} == {"a", "b"}


def test_a_file_deleted_by_hand_leaves_the_listing(store):
    """The files are the truth."""
    stored(store, put(store, 1)).unlink()
    assert store.entries() == []
    assert store.by_name("fit") == []


def test_delete_and_clear(store):
    """Delete takes some, clear all; both say how many."""
    first = put(store, 1, KEY, "a")
    put(store, 2, OTHER, "b")
    assert store.delete([first]) == 1
    assert [entry.name for entry in store.entries()] == ["b"]
    assert store.clear() == 1
    assert store.entries() == []
    assert put(store, 3).name == "fit"


def test_clear_refuses_a_folder_that_is_not_a_store(tmp_path):
    """Somebody's own folder named entries is not deleted."""
    precious = tmp_path / "entries" / "ab" / f"{KEY}.npz"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"precious")
    with pytest.raises(OSError, match="not a store"):
        Store(tmp_path).clear()
    assert precious.exists()


def test_a_failed_put_leaves_nothing(store, monkeypatch):
    """A member that cannot be written leaves no temporary and no entry."""
    put(store, 1, OTHER)
    entry = Entry(KEY, "function", "fit")
    bad = Content(None, {"x": np.array([object()])})
    with pytest.raises(Exception, match="object"):
        store.put(entry, bad)
    assert list((store.folder / "tmp").iterdir()) == []
    assert not store.has(KEY)


def test_long_fields_do_not_swell_the_manifest(store):
    """A long source is a member of its own, and comes back."""
    text = "x = 1\n" * 20_000
    put(store, 1, source=text)
    opened = store.get(KEY)
    assert opened.entry.source == text
    assert len(opened.archive.manifest()) < 64 * 1024
    opened.close()
    for path in store.folder.glob("index.sqlite*"):
        path.unlink()
    assert store.entries()[0].source == text


def test_a_name_may_be_any_text(store):
    """Also one that has no UTF-8, and one that looks like a path."""
    for key, name in ((KEY, "\ud800"), (OTHER, "../../x")):
        put(store, 1, key, name)
        assert [entry.key for entry in store.by_name(name)] == [key]
        store.history.note_outcome(name, "", {"hit": False})
        assert len(store.history.outcomes(name)) == 1
    assert {entry.name for entry in store.entries()} == {"\ud800", "../../x"}
