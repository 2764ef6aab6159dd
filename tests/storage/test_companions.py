"""Storages of users' own, with metadata beside the values."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from nbcache import JsonStorage, NotCached
from nbcache.storage.companions import Companions, shelf


class Plain:
    """A user's storage with no more than it must have."""

    def __init__(self):
        self.values = {}

    def exists(self, name):
        """Say whether it is there."""
        return name in self.values

    def save(self, name, data):
        """Keep it."""
        self.values[name] = data

    def load(self, name):
        """Give it."""
        return self.values[name]


class Whole(Plain):
    """One that can delete and list."""

    def delete(self, name):
        """Remove it."""
        del self.values[name]

    def list(self):
        """Give the names, companions and all."""
        return list(self.values)


class Arrays(Whole):
    """One that keeps arrays only, as bytes if they are text."""

    def save(self, name, data):
        """Keep an array."""
        if not isinstance(data, np.ndarray):
            raise TypeError("arrays only")
        super().save(name, data)

    def load(self, name):
        """Give it, with a dimension more."""
        found = self.values[name]
        return found if found.ndim else np.char.encode(found, "utf-8")


@pytest.mark.parametrize("kind", [Plain, Whole, Arrays])
def test_metadata_stand_beside_the_value(kind):
    """As text, or as an array of text; with a date."""
    shelved = Companions(kind())
    before = datetime.datetime.now().replace(microsecond=0)
    stored = shelved.put("é", np.arange(3), {"key": "ab", "value": "cd"})
    assert shelved.meta("é") == stored
    assert stored["key"] == "ab"
    assert before <= shelved.date("é") <= datetime.datetime.now()
    assert shelved.load("é").tolist() == [0, 1, 2]
    assert shelved.list() == ["é"]
    assert shelved.storage.exists("é.meta")
    assert shelf(kind()).meta("é") is None


def test_rename_and_delete_take_the_metadata_along():
    """With the date; refused where the new name is taken."""
    shelved = Companions(Whole())
    date = {"date": "2020-01-02T03:04:05"}
    shelved.put("a", 1, {**date, "key": "x"})
    shelved.save("b", 2)
    with pytest.raises(FileExistsError, match="'b'"):
        shelved.rename("a", "b")
    with pytest.raises(NotCached, match="'zzz'"):
        shelved.rename("zzz", "c")
    shelved.rename("a", "c")
    assert shelved.meta("c") == {**date, "key": "x"}
    shelved.rename("c", "d", {"key": "y"})
    assert shelved.meta("d") == {**date, "key": "y"}
    assert shelved.delete("d")
    assert not shelved.delete("d")
    assert shelved.storage.values.keys() == {"b", "b.meta"}


def test_what_a_storage_lacks_is_said():
    """Deleting, and with it renaming; names are those seen here."""
    shelved = Companions(Plain())
    shelved.save("a", 1)
    for call in (lambda: shelved.delete("a"), lambda: shelved.rename("a", "b")):
        with pytest.raises(TypeError, match=r"Plain has no method delete\(name\)"):
            call()
    assert shelved.list() == ["a"]
    with pytest.raises(NotCached, match="'b'"):
        shelved.load("b")
    with pytest.raises(ValueError, match=r"\.meta"):
        shelved.save("a.meta", 1)


def test_damaged_metadata_are_none():
    """Or those of another name, or what cannot be loaded."""
    shelved = Companions(Whole())
    for found in ("", "{", "[1]", '{"name": "b"}', None, b"\xff", np.arange(3)):
        shelved.put("a", 1, {"key": "x"})
        shelved.storage.values["a.meta"] = found
        assert shelved.meta("a") is None
        assert shelved.load("a") == 1
        assert shelved.date("a") is None
    shelved.put("a", 1, {"key": "x"})
    del shelved.storage.values["a"]
    assert shelved.meta("a") is None


def test_what_is_no_storage_is_refused(tmp_path):
    """Saying what one has; files are their own."""
    ours = JsonStorage(tmp_path)
    assert shelf(ours) is ours
    wrapped = shelf(Plain())
    assert shelf(wrapped) is wrapped
    with pytest.raises(TypeError, match=r"exists\(name\).*'metrics'.*no exists, save"):
        shelf("metrics")
    with pytest.raises(TypeError, match="an object, not a class"):
        shelf(Plain)
