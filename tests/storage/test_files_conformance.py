"""Every storage does what `StorageTests` asks for: ours, and such as users write."""

from __future__ import annotations

import copy
import datetime
import pickle
from typing import ClassVar

import numpy as np
import pandas as pd

from nbcache import FileStorage, JsonStorage, NpyStorage, NpzStorage
from nbcache.storage.companions import Companions
from nbcache.storage.conformance import StorageTests


class Pickle(FileStorage):
    """A user's storage in one small class."""

    def __init__(self, folder):
        super().__init__(folder, ".pkl")

    def _save(self, path, data):
        with open(path, "wb") as file:
            pickle.dump(data, file)

    def _load(self, path):
        with open(path, "rb") as file:
            return pickle.load(file)


class Memory:
    """A user's storage without files."""

    held: ClassVar[dict] = {}

    def __init__(self, folder):
        self.values = self.held.setdefault(str(folder), {})

    def exists(self, name):
        """Say whether it is there."""
        return name in self.values

    def save(self, name, data):
        """Keep it."""
        self.values[name] = copy.deepcopy(data)

    def load(self, name):
        """Give it."""
        return copy.deepcopy(self.values[name])


class TestNpz(StorageTests):
    """The storage of all values."""

    def make(self, folder):
        """Give one."""
        return NpzStorage(folder)

    def values(self):
        """Give values of many kinds, with those that look like others."""
        return {
            "array": np.arange(3),
            "scalar": np.float32(1.5),
            "float": 1.5,
            "one": [np.ones(2)],
            "many": [np.array([number]) for number in range(12)],
            "tuple": (np.ones(2), np.asfortranarray(np.eye(2))),
            "dict": {"a": np.arange(2), "b": np.eye(2)},
            "numbered": {"arr_0": np.arange(2)},
            "empty": [],
            "nothing": {},
            "none": None,
            "nested": {"a": {"b": [1, (2, {3})]}, 1: "x"},
            "spelled": ["pickle", ["name", "numpy"], {"form": "array"}],
            "0-d": np.array(3),
            "objects": np.array([None, "x"], object),
            "frame": pd.DataFrame({"x": [1, 2], "y": ["a", None]}),
            "date": datetime.date(2026, 11, 22),
        }

    def assert_same(self, found, expected):
        """Frames are compared by pandas."""
        if isinstance(expected, pd.DataFrame):
            pd.testing.assert_frame_equal(found, expected)
            return
        super().assert_same(found, expected)

    def test_threads_save_one_name_at_a_time(self, tmp_path):
        """With arrays alone, which are compared."""

        class Arrays(StorageTests):
            make = self.make

        Arrays().test_threads_save_one_name_at_a_time(tmp_path)


class TestCompressedNpz(TestNpz):
    """The same, deflated."""

    def make(self, folder):
        """Give one."""
        return NpzStorage(folder, compress=True)


class TestNpy(StorageTests):
    """The storage of arrays."""

    def make(self, folder):
        """Give one."""
        return NpyStorage(folder)

    def values(self):
        """Give arrays of many kinds."""
        return {
            "array": np.arange(3),
            "0-d": np.array(3.5),
            "fortran": np.asfortranarray(np.eye(3)),
            "dates": np.array(["2026-11-22", "NaT"], "M8[D]"),
            "fields": np.array([(1, 2.5)], [("a", "<i2"), ("b", ">f8")]),
            "text": np.array(["é", ""]),
            "none": np.zeros((0, 2)),
        }


class TestJson(StorageTests):
    """The storage of plain values."""

    def make(self, folder):
        """Give one."""
        return JsonStorage(folder)

    def values(self):
        """Give what JSON has."""
        return {
            "list": [1, 2.5, "é", None, True],
            "dict": {"a": {"b": []}, "": {}},
            "number": float("nan"),
            "large": [float("inf"), -float("inf"), 10**30, -0.0],
            "text": "\ud800 alone",
        }


class TestPickle(StorageTests):
    """A user's own files."""

    def make(self, folder):
        """Give one."""
        return Pickle(folder)

    def values(self):
        """Give anything."""
        return {"array": np.arange(3), "any": {"any": {1, 2}}}


class TestMemory(StorageTests):
    """A user's own, without delete and list, which it may lack."""

    is_picklable = False

    def make(self, folder):
        """Give one."""
        return Memory(folder)


class Whole(Memory):
    """One that can delete and list."""

    def delete(self, name):
        """Remove it."""
        del self.values[name]

    def list(self):
        """Give the names."""
        return list(self.values)


class TestCompanions(TestMemory):
    """The same with metadata."""

    def make(self, folder):
        """Give one."""
        return Companions(Whole(folder))
