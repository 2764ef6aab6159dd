"""A look at every byte of a store."""

from __future__ import annotations

import dataclasses
import os
import random

import pytest
from full_stores import key, path_of, put, there

from nbcache.storage.store import Store
from nbcache.storage.verification import Report, verify


@pytest.fixture
def store(tmp_path) -> Store:
    """Give a store with four entries."""
    store = Store(tmp_path / "store")
    for number in range(4):
        put(store, number, size=2000)
    return store


def damage(store: Store, number: int, place: float = 0.5) -> str:
    """Flip a bit of an entry; give its file."""
    path = store.place.files()[f"{key(number)}.npz"]
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)
    return path.name


def test_a_good_store_has_no_problems(store):
    """All entries counted and read."""
    report = verify(store)
    assert (report.checked, report.intact) == (4, 4)
    assert report.bytes == sum(one.bytes for one in store.entries())
    assert (report.problems, report.exit_code, bool(report)) == (0, 0, True)
    assert (
        str(report)
        .splitlines()[0]
        .endswith("4 intact, 0 damaged, 0 written by someone else")
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.checked = 5


def test_an_empty_or_missing_store_has_no_problems(tmp_path):
    """And none is made."""
    report = verify(Store(tmp_path / "none"))
    assert report == Report()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("place", [0.0, 0.2, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("setting", ["first", "never"])
def test_a_flipped_bit_is_found_whatever_the_setting(store, place, setting):
    """Also of an entry that this process has verified before, or never does."""
    store = Store(store.folder, verify=setting)
    store.get(key(2)).close()
    file = damage(store, 2, place)
    report = verify(store)
    assert [problem.file for problem in report.damaged] == [file]
    assert (report.intact, report.exit_code) == (3, 1)
    assert there(store) == {0, 1, 2, 3}


def test_repair_sets_damaged_files_aside(store):
    """After that there is nothing to complain of."""
    file = damage(store, 1)
    assert verify(store).exit_code == 1
    report = verify(store, repair=True)
    assert (report.repaired, report.exit_code) == (True, 0)
    assert [problem.file for problem in report.damaged] == [file]
    (aside,) = (store.folder / "damaged").iterdir()
    assert aside.name.endswith(file)
    assert verify(store).problems == 0
    assert {entry.key for entry in store.entries()} == {key(0), key(2), key(3)}


def test_repair_makes_the_index_right(store, monkeypatch):
    """What no listing finds: the folders look as if nothing had changed."""
    monkeypatch.setattr("nbcache.storage.verification._YOUNG_S", 0.0)
    for folder in store.place.entries.iterdir():
        os.utime(folder, (0, 0))
    store.entries()
    store.index._run(
        lambda database: database.execute("DELETE FROM listed WHERE key = ?", [key(3)])
    )
    store.place.files()[f"{key(2)}.npz"].unlink()
    os.utime(store.place.entries / key(2)[:2], (0, 0))
    told = verify(store)
    assert told.missing == (f"{key(2)}.npz",)
    assert told.unlisted == (f"{key(3)}.npz",)
    assert (told.problems, told.exit_code) == (2, 1)
    assert verify(store, repair=True).exit_code == 0
    assert verify(store).problems == 0
    assert sorted(store.listing().keys) == [key(0), key(1), key(3)]


def test_what_others_stored_just_now_is_no_problem(store):
    """Their rows are written in batches."""
    other = Store(store.folder)
    put(other, 7)
    assert verify(store).problems == 0


def test_an_entry_under_another_key_is_damaged(store):
    """A copy made by hand."""
    path = store.place.files()[f"{key(0)}.npz"]
    target = store.place.entry(key(9))
    target.parent.mkdir()
    target.write_bytes(path.read_bytes())
    (problem,) = verify(store).damaged
    assert problem.reason == f"it is the entry of {key(0)}"


def test_entries_of_others_are_told_and_no_problem(store, tmp_path, monkeypatch):
    """They are whole; trusting them is another question."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "somebody"))
    report = verify(store)
    assert len(report.foreign) == 4
    assert (report.intact, report.exit_code) == (4, 0)
    assert "4 written by someone else" in str(report)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_is_a_problem_and_no_hang(store, kind):
    """It is not set aside as damaged unless it is known to be."""
    path = path_of(store, store.entries()[0])
    path.unlink()
    if kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert [problem.file for problem in verify(store).damaged] == [path.name]


def test_a_sample_reads_a_part_and_leaves_random_numbers_alone(store):
    """At least one entry; the user's generator goes on as if nothing happened."""
    random.seed(7)
    told = random.random()
    random.seed(7)
    assert verify(store, sample=0.5).checked == 2
    assert verify(store, sample=0.01).checked == 1
    assert random.random() == told


@pytest.mark.parametrize("sample", [0, -1, 1.5, float("nan")])
def test_a_sample_is_a_part(store, sample):
    """Neither nothing nor more than all."""
    with pytest.raises(ValueError, match="at most 1"):
        verify(store, sample=sample)
