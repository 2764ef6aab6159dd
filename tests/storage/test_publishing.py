"""Files come into their places: who is first stays, and nothing unread is replaced."""

import errno
import os

import numpy as np
import pytest

from nbcache import Cache
from nbcache.storage.publishing import flush_folders, flush_to_disk, publish


@pytest.fixture
def files(tmp_path):
    """Give a written temporary and its place."""
    temporary = tmp_path / "temporary"
    temporary.write_bytes(b"new")
    return temporary, tmp_path / "place"


def failing(number):
    """Give a link that fails."""

    def link(*given, **more):
        raise OSError(number, os.strerror(number))

    return link


def test_the_first_one_stays(files):
    """And is what the second one gets."""
    temporary, place = files
    place.write_bytes(b"first")
    assert publish(temporary, place, standing=lambda: "first") == "first"
    assert place.read_bytes() == b"first"


def test_what_is_not_good_is_replaced(files):
    """A damaged or foreign file never blocks a key."""
    temporary, place = files
    place.write_bytes(b"bad")
    assert publish(temporary, place, standing=lambda: None) is None
    assert place.read_bytes() == b"new"


def test_a_failing_disk_replaces_nothing(files, monkeypatch):
    """What stands there may be good, though it cannot be linked to now."""
    temporary, place = files
    place.write_bytes(b"first")
    monkeypatch.setattr(os, "link", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        publish(temporary, place, standing=lambda: None)
    assert place.read_bytes() == b"first"


@pytest.mark.parametrize("is_there", [False, True])
def test_without_hard_links_files_are_moved(files, monkeypatch, is_there):
    """FAT and some network file systems have none; the first one stays there too."""
    temporary, place = files
    if is_there:
        place.write_bytes(b"first")
    monkeypatch.setattr(os, "link", failing(errno.EPERM))
    first = publish(temporary, place, standing=lambda: "first")
    assert first == ("first" if is_there else None)
    assert place.read_bytes() == (b"first" if is_there else b"new")


def test_an_entry_that_cannot_be_read_now_is_not_replaced(tmp_path, monkeypatch):
    """Too many open files, for instance: the stored value stays the key's value."""
    call = Cache(tmp_path).cached(lambda number: np.arange(number))
    call(3)
    store = call._options.core().store
    (path,) = store.place.files().values()
    monkeypatch.setattr(store, "_open", failing(errno.EMFILE))
    with pytest.raises(OSError, match="open files"):
        store._standing(path, path.stem)


def test_folders_are_flushed_up_to_the_stores_own(tmp_path, monkeypatch):
    """A file's name is lost with its folder."""
    root = tmp_path / "store"
    (root / "entries" / "ab").mkdir(parents=True)
    flushed = []
    monkeypatch.setattr(
        os,
        "fsync",
        lambda number: flushed.append(os.readlink(f"/proc/self/fd/{number}")),
    )
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("reads /proc")
    flush_folders(root / "entries" / "ab", root)
    assert flushed == [
        str(path)
        for path in (root / "entries" / "ab", root / "entries", root, tmp_path)
    ]


def test_a_file_system_that_cannot_flush_is_no_error(monkeypatch, tmp_path):
    """Some say so for folders."""
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    flush_to_disk(0)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        flush_to_disk(0)
