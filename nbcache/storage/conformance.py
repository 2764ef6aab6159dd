"""Tests that a storage of your own can inherit, for pytest.

In a test module of yours::

    from nbcache.storage.conformance import StorageTests

    class TestMyStorage(StorageTests):
        def make(self, folder):
            return MyStorage(folder)
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np

__all__ = ["ODD_NAMES", "StorageTests"]

ODD_NAMES = (
    *("f(1, b=2)", "f(1.5)", "f('1.5')", "p_1(2)", "p(1, 2)", "x", "X", "x.meta-1"),
    *("a/b", "../up", "..", ".", ".hidden", "/root", "C:\\x", "a\\b", "~", "a~b"),
    *("ends with a dot.", "ends with a space ", " begins", "%41", "A", "a%2Fb"),
    *("CON", "nul.txt", 'f("x", [1], {2: 3})', "é", "e\u0301", "名前", "\U0001f600"),
    *("tab\t", "line\n", "nul\0", "star*?<>|:", "-rf", "n" * 100, "n" * 101),
    *("n" * 3000, "n" * 2999 + "m", "名" * 60, "名" * 59 + "字"),
)
"""Names that a storage keeps apart."""


class _Refused:
    """What no storage writes."""

    def __reduce_ex__(self, _: Any) -> Any:
        raise TypeError("this object cannot be written")


class StorageTests:
    """What every storage does; inherit it, and say in `make` how yours is made.

    Attributes
    ----------
    is_shared : bool
        Whether two storages that are made of one folder have the same values.
    is_picklable : bool
        Whether it can be sent to another process.
    names : tuple of str
        Names that must be kept apart.
    """

    is_shared = True
    is_picklable = True
    names: tuple[str, ...] = ODD_NAMES

    def make(self, folder: Path) -> Any:
        """Give a storage whose values are kept in a folder, which is there."""
        raise TypeError(f"give {type(self).__name__} a method make(self, {folder!r})")

    def values(self) -> Mapping[str, Any]:
        """Give values that the storage keeps exactly, two at least, with names."""
        return {"array": np.arange(3), "more": np.eye(2), "none": np.zeros((0, 2))}

    def assert_same(self, found: Any, expected: Any) -> None:
        """Fail unless a loaded value is the one that was saved, type and all."""
        difference = _difference(found, expected, "value")
        assert not difference, difference

    # ------------------------------------------------------------ the tests

    def test_what_was_saved_is_loaded(self, tmp_path: Path) -> None:
        """Equal and of the same types, each under its name."""
        storage = self.make(tmp_path)
        values = self.values()
        for name, value in values.items():
            storage.save(name, value)
        for name, value in values.items():
            assert storage.exists(name) is True, f"{name!r} was saved, yet is not there"
            self.assert_same(storage.load(name), value)

    def test_nothing_is_there_that_was_not_saved(self, tmp_path: Path) -> None:
        """And asking leaves nothing behind; loading it is a LookupError or OSError."""
        storage = self.make(tmp_path)
        assert storage.exists("x") is False, "there is a value that nobody saved"
        try:
            storage.load("x")
        except (LookupError, OSError):
            pass
        else:
            raise AssertionError("load gave a value that nobody saved")
        assert storage.exists("x") is False, "load made what it did not find"

    def test_the_last_save_counts(self, tmp_path: Path) -> None:
        """Whatever was there before."""
        storage = self.make(tmp_path)
        for value in (*self.values().values(), *self.values().values()):
            storage.save("x", value)
            self.assert_same(storage.load("x"), value)

    def test_saving_and_loading_leave_the_value_alone(self, tmp_path: Path) -> None:
        """Changing what was saved or loaded changes nothing that is stored."""
        storage = self.make(tmp_path)
        value = np.arange(3)
        try:
            storage.save("x", value)
        except TypeError:
            raise SkipTest("it keeps no arrays") from None
        value[0] = 9
        first = storage.load("x")
        assert first[0] == 0, "what is stored changed with the value that was saved"
        first[1] = 9
        assert storage.load("x")[1] == 1, "what is stored changed with a loaded value"

    def test_odd_names_are_kept_apart(self, tmp_path: Path) -> None:
        """Slashes, other alphabets, upper and lower case, long ones; none escapes."""
        folder = tmp_path / "inside"
        folder.mkdir()
        storage = self.make(folder)
        values = list(self.values().values())
        for number, name in enumerate(self.names):
            assert storage.exists(name) is False, f"{name!r} is that of another name"
            storage.save(name, values[number % len(values)])
        for number, name in enumerate(self.names):
            assert storage.exists(name) is True, f"{name!r} was saved, yet is not there"
            self.assert_same(storage.load(name), values[number % len(values)])
        outside = [path.name for path in tmp_path.iterdir() if path != folder]
        assert not outside, f"written outside of its folder: {outside}"

    def test_delete_takes_one_value(self, tmp_path: Path) -> None:
        """It says whether there was one, and leaves the others."""
        storage = self.make(tmp_path)
        delete = _optional(storage, "delete")
        value = next(iter(self.values().values()))
        storage.save("x", value)
        storage.save("y", value)
        assert delete("x") is not False, "delete says that there was no value"
        assert storage.exists("x") is False, "a deleted value is still there"
        assert storage.exists("y") is True, "delete took another value too"
        assert not delete("x"), "delete says that there was a value twice"
        storage.save("x", value)
        self.assert_same(storage.load("x"), value)

    def test_list_gives_the_names(self, tmp_path: Path) -> None:
        """All that were saved, as they were given, and nothing else."""
        storage = self.make(tmp_path)
        listed = _optional(storage, "list")
        assert list(listed()) == [], "there are names in a new storage"
        value = next(iter(self.values().values()))
        for name in self.names:
            storage.save(name, value)
        found = sorted(listed())
        assert found == sorted(self.names), _lists(found, sorted(self.names))

    def test_a_failing_save_keeps_the_earlier_value(self, tmp_path: Path) -> None:
        """And makes none where there was none."""
        storage = self.make(tmp_path)
        value = next(iter(self.values().values()))
        storage.save("x", value)
        for name in ("x", "new"):
            try:
                storage.save(name, {"inside": [_Refused()]})
            except Exception:  # any error will do
                continue
            raise SkipTest("it keeps everything")
        self.assert_same(storage.load("x"), value)
        assert storage.exists("new") is False, "a save that failed left a value"

    def test_two_storages_of_a_folder_have_the_same_values(
        self, tmp_path: Path
    ) -> None:
        """What one saves or replaces, the other loads."""
        if not self.is_shared:
            raise SkipTest("each storage has its own values")
        one, other = self.make(tmp_path), self.make(tmp_path)
        for value in self.values().values():
            one.save("x", value)
            assert other.exists("x") is True, "the other storage does not have it"
            self.assert_same(other.load("x"), value)

    def test_it_is_the_same_after_pickling(self, tmp_path: Path) -> None:
        """As it must be to be used in another process."""
        if not (self.is_picklable and self.is_shared):
            raise SkipTest("it is not sent to other processes")
        storage = self.make(tmp_path)
        value = next(iter(self.values().values()))
        storage.save("x", value)
        self.assert_same(pickle.loads(pickle.dumps(storage)).load("x"), value)

    def test_threads_save_one_name_at_a_time(self, tmp_path: Path) -> None:
        """Each load gives a whole value that somebody saved; the last one stays."""
        storage = self.make(tmp_path)
        values = list(self.values().values())
        storage.save("x", values[0])

        def work(number: int) -> Any:
            storage.save("x", values[number % len(values)])
            return storage.load("x")

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(work, range(24)))
        for value in (*found, storage.load("x")):
            known = [_difference(value, one, "value") for one in values]
            assert not all(known), f"a value that nobody saved: {known[0]}"


def _optional(storage: Any, name: str) -> Callable[..., Any]:
    found = getattr(storage, name, None)
    if not callable(found):
        raise SkipTest(f"it has no {name}")
    result: Callable[..., Any] = found
    return result


def _lists(found: list[str], expected: list[str]) -> str:
    more, less = set(found) - set(expected), set(expected) - set(found)
    return f"list gives {sorted(more)!r} too, and not {sorted(less)!r}"


def _difference(found: Any, expected: Any, path: str) -> str:
    """Say where two values differ; '' if they do not."""
    if type(found) is not type(expected):
        types = f"{type(found).__name__}, not {type(expected).__name__}"
        return f"{path} is of type {types}"
    if isinstance(expected, np.ndarray):
        return _array_difference(found, expected, path)
    if isinstance(expected, dict) and list(found) == list(expected):
        return _first(
            _difference(found[key], expected[key], f"{path}[{key!r}]") for key in found
        )
    if isinstance(expected, list | tuple) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return _first(_difference(*pair, f"{path}[{place}]") for place, pair in pairs)
    is_nan = isinstance(expected, float) and math.isnan(expected)
    is_same = math.isnan(found) if is_nan else bool(np.all(found == expected))
    return "" if is_same else f"{path} is {found!r}, not {expected!r}"


def _array_difference(found: Any, expected: Any, path: str) -> str:
    for what in ("dtype", "shape"):
        one, other = getattr(found, what), getattr(expected, what)
        if one != other:
            return f"{path} has {what} {one}, not {other}"
    if expected.dtype.hasobject:
        return _difference(found.tolist(), expected.tolist(), path)
    can_be_nan = expected.dtype.kind in "fcmM"
    is_same = np.array_equal(found, expected, equal_nan=can_be_nan)
    return "" if is_same else f"{path} is {found!r}, not {expected!r}"


def _first(found: Any) -> str:
    return next((one for one in found if one), "")
