"""Files that `with` has closed: as values of an entry and as parts of a key."""

import io

import pytest

from nbcache.errors import UnhashableValue, UnstorableValue
from nbcache.keys.hashing import digest
from nbcache.storage import codec

OPENED = {
    "text": ("r", {}),
    "text written": ("w", {"encoding": "utf-8"}),
    "latin": ("r", {"encoding": "latin-1", "errors": "replace"}),
    "appended": ("a", {"encoding": "utf-8"}),
    "bytes": ("rb", {}),
    "bytes written": ("wb", {}),
    "both": ("r+b", {}),
    "unbuffered": ("rb", {"buffering": 0}),
}


def round_trip(value):
    encoded = codec.encode({"f": value})
    members = dict(encoded.members)
    return codec.decode(encoded.tree, members.__getitem__)["f"]


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "data.txt"
    made.write_text("content")
    return made


@pytest.mark.parametrize(("mode", "options"), OPENED.values(), ids=OPENED)
def test_closed_file_comes_back_as_it_is(path, mode, options):
    """Closed, with class, name, mode and encoding; the file on disk is not touched."""
    with open(path, mode, **options) as file:
        pass
    before = path.read_bytes()
    again = round_trip([file, file])
    assert again[0] is again[1]
    assert type(again[0]) is type(file)
    assert again[0].closed
    assert repr(again[0]) == repr(file)
    assert again[0].name == file.name
    assert again[0].mode == file.mode
    assert getattr(again[0], "errors", None) == getattr(file, "errors", None)
    assert path.read_bytes() == before


def test_file_of_a_folder_that_is_gone_comes_back(tmp_path):
    """Nothing is opened, so nothing need be there."""
    place = tmp_path / "gone"
    place.mkdir()
    with open(place / "x", "wb") as file:
        pass
    (place / "x").unlink()
    place.rmdir()
    assert repr(round_trip(file)) == repr(file)
    assert not place.exists()


def test_open_file_is_refused(path):
    """Its position and its file would be lost."""
    with open(path) as file:
        with pytest.raises(UnstorableValue):
            round_trip(file)
        with pytest.raises(UnhashableValue, match="open file"):
            digest(file)


def test_closed_file_of_a_number_is_refused(path):
    """The number says nothing in another process."""
    with open(path) as outer, open(outer.fileno(), closefd=False) as file:
        pass
    with pytest.raises(UnstorableValue):
        round_trip(file)


def test_digest_tells_closed_files_apart(path, tmp_path):
    """By name, mode, class and encoding; not by when they were opened."""

    def closed(name, *arguments, **options):
        with open(name, *arguments, **options) as file:
            return file

    other = tmp_path / "other.txt"
    other.write_text("content")
    files = [
        closed(path),
        closed(other),
        closed(path, "rb"),
        closed(path, "rb", buffering=0),
        closed(path, "a"),
        closed(path, encoding="latin-1"),
    ]
    assert len({digest(file) for file in files}) == len(files)
    assert digest(closed(path)) == digest(files[0])
    assert digest(files[0]) == digest(round_trip(files[0]))
    assert digest(io.StringIO("x")) != digest(files[0])
