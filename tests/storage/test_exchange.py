"""Entries as one file: out of one store, into another, and nothing else with them."""

from __future__ import annotations

import json
import stat
import zipfile

import numpy as np
import pytest
from full_stores import array_of, expected, key, put, there

from nbcache.errors import UntrustedEntry
from nbcache.storage.exchange import NotAnExport, export, import_
from nbcache.storage.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    """Give a store with three entries, one of them of a traced run."""
    store = Store(tmp_path / "store")
    put(store, 0, "a")
    put(store, 1, "b", size=2000)
    put(store, 2, "c", lookup=key(7), trace=[["file", "data.csv", "ab" * 16]])
    return store


@pytest.fixture
def other(tmp_path) -> Store:
    """Give a store in which nothing is."""
    return Store(tmp_path / "other")


@pytest.fixture
def packed(store, tmp_path):
    """Give the three as one file."""
    file = tmp_path / "three.zip"
    assert export(store, store.entries(), file).entries == 3
    return file


def as_somebody_else(tmp_path, monkeypatch):
    """Have another secret from now on."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "somebody"))


def rewritten(source, target, change):
    """Write a zip anew, each member changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            changed = change(member.filename, old.read(member))
            if changed is not None:
                new.writestr(zipfile.ZipInfo(changed[0]), changed[1])
    return target


def test_what_is_exported_is_imported(packed, store, other):
    """The same bytes, listed and found, with the lists of traces."""
    done = import_(other, packed)
    assert (done.entries, done.known, done.foreign, done.refused) == (3, 0, 0, ())
    assert there(other) == {0, 1, 2}
    assert np.array_equal(array_of(other, 0), expected(0, 100_000))
    assert {entry.name for entry in Store(other.folder).entries()} == {"a", "b", "c"}
    (descriptor,) = other.traces.read(key(7))
    assert descriptor.items == (("file", "data.csv"),)
    assert descriptor.newest == key(2)
    for file, path in store.place.files().items():
        assert other.place.files()[file].read_bytes() == path.read_bytes()
    assert list((other.folder / "tmp").iterdir()) == []


def test_an_export_is_a_plain_private_zip(packed, tmp_path):
    """np.load reads what is unzipped; nobody else reads the file."""
    assert stat.S_IMODE(packed.stat().st_mode) == 0o600
    with zipfile.ZipFile(packed) as file:
        assert file.testzip() is None
        listed = json.loads(file.read("nbcache.json"))
        assert set(file.namelist()) == {"nbcache.json", *listed["entries"]}
        file.extract(f"{key(0)}.npz", tmp_path)
    with np.load(tmp_path / f"{key(0)}.npz") as members:
        assert np.array_equal(members["value"], expected(0, 100_000))


def test_entries_that_are_there_stay(packed, store, other):
    """A second import changes nothing."""
    import_(other, packed)
    before = {path: path.stat().st_ino for path in other.place.files().values()}
    done = import_(other, packed)
    assert (done.entries, done.known) == (0, 3)
    assert before == {p: p.stat().st_ino for p in other.place.files().values()}


def test_what_is_imported_is_found_by_name_and_makes_room(packed, tmp_path):
    """In an index that was whole before; within the limit of the store."""
    store = Store(tmp_path / "other", max_bytes=250_000)
    put(store, 5, "x")
    store.entries()
    import_(store, packed)
    assert [entry.key for entry in store.by_name("b")] == [key(1)]
    assert len(there(store)) == 3


def test_a_damaged_entry_in_place_is_healed(packed, other):
    """The good one takes its place."""
    import_(other, packed)
    path = other.place.files()[f"{key(1)}.npz"]
    path.write_bytes(b"nonsense")
    done = import_(other, packed)
    assert (done.entries, done.known) == (1, 2)
    assert np.array_equal(array_of(other, 1), expected(1, 2000))


def test_entries_of_others_are_taken_but_not_used(packed, other, tmp_path, monkeypatch):
    """Until they are trusted; and they do not block the key."""
    as_somebody_else(tmp_path, monkeypatch)
    done = import_(other, packed)
    assert (done.entries, done.foreign) == (3, 3)
    assert "not used until trusted" in str(done)
    assert import_(other, packed).known == 3
    with pytest.raises(UntrustedEntry):
        other.get(key(0))
    put(other, 0, "mine")
    assert np.array_equal(array_of(other, 0), expected(0, 100_000))


def test_an_own_entry_is_not_replaced_by_anothers(packed, other, tmp_path, monkeypatch):
    """But another's by an own one."""
    as_somebody_else(tmp_path, monkeypatch)
    put(other, 0, "mine")
    assert import_(other, packed).known == 1
    assert other.get(key(0)).entry.name == "mine"
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))


def test_private_and_damaged_entries_are_left_out_and_said(store, tmp_path):
    """Nothing of them is in the file."""
    put(store, 3, "hidden", private=True)
    path = store.place.files()[f"{key(0)}.npz"]
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    done = export(store, store.entries(), tmp_path / "f.zip")
    assert (done.entries, done.private, len(done.refused)) == (2, 1, 1)
    assert "1 entry left out: private" in str(done)
    with zipfile.ZipFile(tmp_path / "f.zip") as file:
        assert sorted(file.namelist())[:2] == [f"{key(1)}.npz", f"{key(2)}.npz"]


def test_an_export_replaces_no_file_unasked(packed, store):
    """And a failed one leaves nothing."""
    before = packed.read_bytes()
    with pytest.raises(FileExistsError, match="is there already"):
        export(store, [], packed)
    assert packed.read_bytes() == before
    export(store, [], packed, overwrite=True)
    assert packed.read_bytes() != before
    assert [path.name for path in packed.parent.glob(".*")] == []


def evil_name(name):
    return lambda old, data: (name if old.endswith(".npz") else old, data)


@pytest.mark.parametrize(
    "name",
    [
        "../../escaped.npz",
        "/tmp/escaped.npz",
        f"../{key(5)}.npz",
        f"x/{key(5)}.npz",
        f"a b-{key(5)}.npz",
        f"{key(5)}.traces",
        "x.npz",
        f"{key(5)}.npz",  # a good name, but not the one of these bytes
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_name_of_a_file_reaches_a_path(packed, other, tmp_path, name):
    """Nothing is written for a name that is not that of the entry."""
    evil = rewritten(packed, tmp_path / "evil.zip", evil_name(name))
    done = import_(other, evil)
    assert (done.entries, len(done.refused)) == (0, 3)
    assert there(other) == set()
    found = {path.name for path in tmp_path.rglob("*")}
    assert not found & {"escaped.npz", f"{key(5)}.npz", "x.npz"}


def test_a_changed_byte_is_refused(packed, other, tmp_path):
    """With zip checksums that are right."""

    def change(name, data):
        flipped = bytearray(data)
        flipped[300] ^= name.endswith(".npz")
        return name, bytes(flipped)

    def only_the_first(name, data):
        return change(name, data) if key(0) in name else (name, data)

    evil = rewritten(packed, tmp_path / "evil.zip", only_the_first)
    done = import_(other, evil)
    assert done.entries == 2
    assert [problem.file for problem in done.refused] == [f"{key(0)}.npz"]
    assert there(other) == {1, 2}
    assert list((other.folder / "tmp").iterdir()) == []


def test_a_link_in_a_file_is_only_bytes(packed, other, tmp_path):
    """A member that unzipping would make a link is no entry."""
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(evil, "w") as new:
        new.writestr("nbcache.json", old.read("nbcache.json"))
        member = zipfile.ZipInfo(f"{key(0)}.npz")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        new.writestr(member, "/etc/passwd")
    assert len(import_(other, evil).refused) == 1
    assert there(other) == set()


def test_a_bomb_is_refused(packed, other, tmp_path):
    """Deflated, or claiming more than the file has."""
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(bomb, "w") as new:
        new.writestr("nbcache.json", old.read("nbcache.json"))
        member = zipfile.ZipInfo(f"{key(0)}.npz")
        new.writestr(member, bytes(50_000_000), zipfile.ZIP_DEFLATED)
    with pytest.raises(NotAnExport, match="claims to hold"):
        import_(other, bomb)
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(bomb, "w") as new:
        new.writestr("nbcache.json", old.read("nbcache.json"))
        member = zipfile.ZipInfo(f"{key(0)}.npz")
        new.writestr(member, old.read(member.filename), zipfile.ZIP_DEFLATED)
        for number in range(20):  # the headers make up for what it gains
            new.writestr(f"{number}.txt", b"")
    assert {problem.reason for problem in import_(other, bomb).refused} == {
        "deflated: exports are not",
        "not the name of an entry",
    }


@pytest.mark.parametrize(
    "what", ["nothing", "text", "zip", "other format", "list of lists", "cut"]
)
def test_what_is_no_export_says_so(packed, other, tmp_path, what):
    """One line, no traceback, no entry."""
    file = tmp_path / "other.zip"
    if what == "nothing":
        file.write_bytes(b"")
    elif what == "text":
        file.write_text("hello" * 1000)
    elif what == "cut":
        file.write_bytes(packed.read_bytes()[:-100])
    else:
        listed = {"zip": None, "other format": {"format": 99}, "list of lists": [[]]}
        with zipfile.ZipFile(file, "w") as new:
            new.writestr("a", "b")
            if listed[what] is not None:
                new.writestr("nbcache.json", json.dumps(listed[what]))
    with pytest.raises(NotAnExport) as raised:
        import_(other, file)
    assert "\n" not in str(raised.value)
    assert there(other) == set()


def test_an_offset_before_the_file_is_no_error_of_the_disk(packed, other, tmp_path):
    """A file whose beginning was lost: seeking there raises an error of the system."""
    file = tmp_path / "behead.zip"
    file.write_bytes(packed.read_bytes()[64:])
    done = import_(other, file)
    assert done.refused
    assert done.entries + len(done.refused) == 3


def test_every_truncation_and_many_flips_of_a_file_are_survived(store, tmp_path):
    """A file of one small entry: never another value, never another error."""
    small = put(store, 9, "small", size=64)
    export(store, [small], tmp_path / "one.zip")
    data = (tmp_path / "one.zip").read_bytes()
    evil, tried = tmp_path / "evil.zip", 0
    store = Store(tmp_path / "target")
    for place in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        for changed in (bytes(flipped), data[:place]):
            evil.write_bytes(changed)
            tried += 1
            try:
                done = import_(store, evil)
            except NotAnExport:
                continue
            if done.entries:
                assert np.array_equal(array_of(store, 9), expected(9, 64))
                store.delete(store.entries())
    assert tried > 400
