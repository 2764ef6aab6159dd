"""Files that the user names: by content, by every path that a glob matches."""

import os

import pytest

from nbcache import File, cached, last
from nbcache.errors import UnhashableValue
from nbcache.keys import hashing
from nbcache.keys.files import ABSENT, content_digest, file_parts, matching_files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_content_counts_not_time(folder):
    """Written anew with the same bytes, it is the same file."""
    path = folder / "a.bin"
    path.write_bytes(b"x" * 3_000_000)
    before = hashing.digest(File("a.bin"))
    path.unlink()
    path.write_bytes(b"x" * 3_000_000)
    os.utime(path, (1, 1))
    assert hashing.digest(File("a.bin")) == before
    path.write_bytes(b"x" * 2_999_999 + b"y")
    assert hashing.digest(File("a.bin")) != before


def test_an_absent_file_differs_from_an_empty_one(folder):
    """And from one that nobody may read."""
    absent = hashing.digest(File("a"))
    assert content_digest("a") == ABSENT
    (folder / "a").touch()
    assert hashing.digest(File("a")) != absent


def test_which_file_counts_too(folder):
    """Two files of the same content are two files."""
    (folder / "a").write_text("1")
    (folder / "b").write_text("1")
    assert hashing.digest(File("a")) != hashing.digest(File("b"))


def test_what_globs_and_folders_match(folder):
    """Sorted; hidden files and folders at any depth; a path that exists is itself."""
    for name in ("b.txt", "a.txt", ".c.txt", "sub/d.txt", "sub/deep/e.txt", "[x].txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert matching_files("*.txt") == [".c.txt", "[x].txt", "a.txt", "b.txt"]
    assert matching_files("[x].txt") == ["[x].txt"]
    assert matching_files("sub") == ["sub/d.txt", "sub/deep/e.txt"]
    assert matching_files("**/e.txt") == ["sub/deep/e.txt"]
    assert matching_files(str(folder / "b*")) == [str(folder / "b.txt")]
    assert matching_files("nothing*") == []


def test_parts_name_the_files(folder):
    """One each; a glob without a match says so."""
    (folder / "a.csv").write_text("1")
    (one,) = file_parts("*.csv")
    assert (one.label, one.summary) == ("file a.csv", "")
    (none,) = file_parts("*.json")
    assert (none.label, none.summary) == ("file *.json", ABSENT)


def test_what_cannot_be_read_is_refused(folder):
    """A pipe would keep its reader waiting."""
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnhashableValue, match="pipe"):
        hashing.digest(File("pipe"))


def test_a_function_depends_on_a_file(folder):
    """As `depends_on` and as an argument; it can be opened like a path."""
    (folder / "a").write_text("1")

    @cached(depends_on=File("a"))
    def listed():
        return 1

    @cached
    def given(file):
        with open(file) as text:
            return text.read()

    seen = []
    for text in ("1", "2", "1"):
        (folder / "a").write_text(text)
        listed()
        seen.append(last().hit)
        assert given(File("a")) == text
    assert seen == [False, False, True]
