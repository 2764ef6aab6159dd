"""What the formats of storages keep, refuse, and notice."""

from __future__ import annotations

import collections
import json
import pickle
import warnings
import zipfile

import numpy as np
import pytest
from digests import same
from hypothesis import HealthCheck, given, settings
from round_trips import assert_same
from strategies import Thing, arrays, values

from nbcache import FileStorage, JsonStorage, NpyStorage, NpzStorage, UnstorableValue
from nbcache.errors import DamagedEntry, UntrustedEntry

EXACT = {
    "array": np.arange(3),
    "list": [np.array([number]) for number in range(12)],
    "one": [np.ones(2)],
    "tuple": (np.ones(2), np.zeros((2, 0))),
    "dict": {"b": np.eye(2), "a": np.arange(2)},
    "numbered": {"arr_0": np.arange(2)},
    "odd keys": {"x y": np.ones(1), "": np.ones(2), "__nbcache__/manifest": np.eye(1)},
    "float": 1.5,
    "scalar": np.float64(1.5),
    "0-d": np.array(1.5),
    "none": None,
    "empty": [],
    "no keys": {},
    "nested": {"a": {"b": 1}, "c": [np.arange(2), {"d": (None, {1, 2})}]},
    "objects": np.array([None, [1]], object),
}


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("compress", [False, True])
def test_npz_gives_back_exactly_what_was_saved(tmp_path, name, compress):
    """In type, order and shape."""
    storage = NpzStorage(tmp_path, compress=compress)
    storage.save(name, EXACT[name])
    assert_same(NpzStorage(tmp_path).load(name), EXACT[name])


def test_npz_opens_with_numpy_under_the_names_one_expects(tmp_path):
    """An array is arr_0, a list arr_0 and so on, a dict its keys."""
    storage = NpzStorage(tmp_path)
    for name in ("array", "list", "tuple", "dict"):
        storage.save(name, EXACT[name])
    members = {}
    for name in ("array", "list", "tuple", "dict"):
        with np.load(storage.path(name)) as file:
            found = [one for one in file.files if not one.startswith("__nbcache__")]
            members[name] = found
            assert all(type(file[one]) is np.ndarray for one in found)
    assert members["array"] == ["arr_0"]
    assert members["list"] == [f"arr_{number}" for number in range(12)]
    assert members["tuple"] == ["arr_0", "arr_1"]
    assert members["dict"] == ["b", "a"]


def test_npz_keeps_what_is_shared(tmp_path):
    """An array twice is one array, and a view is one."""
    array = np.arange(4)
    storage = NpzStorage(tmp_path)
    storage.save("x", [array, array, array[1:]])
    one, other, view = storage.load("x")
    assert one is other
    view[0] = 9
    assert one[1] == 9


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values())
def test_npz_keeps_any_value_or_refuses_it(tmp_path, value):
    """What only pickle keeps is refused, and kept where that is allowed."""
    storage = NpzStorage(tmp_path)
    storage.delete("x")
    try:
        storage.save("x", value)
    except UnstorableValue:
        assert not storage.exists("x")
        storage = NpzStorage(tmp_path, allow_pickle=True)
        storage.save("x", value)
    same(storage.load("x"), value)


def test_npz_refuses_what_needs_pickle(tmp_path):
    """Naming the part; the earlier value stays."""
    storage = NpzStorage(tmp_path)
    storage.save("x", 1)
    with pytest.raises(UnstorableValue, match=r"value\['a'\]\[1\].*strategies.Thing"):
        storage.save("x", {"a": [0, Thing(x=1)]})
    assert storage.load("x") == 1
    with pytest.raises(ValueError, match="only pickle"):
        storage.save("new", Thing(x=1))
    assert not storage.exists("new")


def test_npz_loads_pickles_only_where_that_is_allowed(tmp_path):
    """Its own and numpy's; saying how."""
    NpzStorage(tmp_path, allow_pickle=True).save("own", [Thing(x=1)])
    np.savez(tmp_path / "numpy.npz", np.array({"a": {"b": 1}}, object))
    for name in ("own", "numpy"):
        with pytest.raises(UntrustedEntry, match=r"NpzStorage\(.*allow_pickle=True"):
            NpzStorage(tmp_path).load(name)
    trusting = NpzStorage(tmp_path, allow_pickle=True)
    assert trusting.load("own")[0].x == 1
    assert trusting.load("numpy").item() == {"a": {"b": 1}}


def test_npz_refuses_long_lists(tmp_path):
    """Of any items; arrays may be as long as they are."""
    storage = NpzStorage(tmp_path, list_limit=2)
    for value in ([np.ones(1)] * 3, (1, 2, 3)):
        with pytest.raises(TypeError, match="3 items, more than list_limit=2"):
            storage.save("x", value)
    storage.save("x", np.ones(3))
    storage.save("x", [1, 2])


def test_npz_compresses(tmp_path):
    """What becomes smaller."""
    for compress, least, most in ((False, 80_000, 90_000), (True, 1, 5_000)):
        storage = NpzStorage(tmp_path, compress=compress)
        storage.save("x", np.zeros(10_000))
        assert least < storage.path("x").stat().st_size < most


def test_npz_reads_what_numpy_wrote(tmp_path):
    """One array, some in a row, or named ones; compressed or not."""
    storage = NpzStorage(tmp_path)
    row = [np.array([number]) for number in range(12)]
    np.savez(tmp_path / "one.npz", np.eye(2))
    np.savez_compressed(tmp_path / "row.npz", *row)
    np.savez(tmp_path / "named.npz", arr_0=row[0], arr_2=row[1])
    np.savez(tmp_path / "none.npz")
    assert_same(storage.load("one"), np.eye(2))
    assert_same(storage.load("row"), row)
    assert_same(storage.load("named"), {"arr_0": row[0], "arr_2": row[1]})
    assert storage.load("none") == {}


def wrong(storage, name, value, damaged):
    """Say whether damaged bytes give a value that is not the one saved."""
    storage.path(name).write_bytes(damaged)
    try:
        found = storage.load(name)
    except DamagedEntry:
        return False
    try:
        assert_same(found, value)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("is_ours", [True, False])
def test_npz_notices_every_damaged_byte(tmp_path, is_ours):
    """Cut anywhere, or with one bit flipped anywhere: never another value."""
    storage = NpzStorage(tmp_path)
    value = [np.arange(5), np.array([2.5])]
    if is_ours:
        storage.save("x", value)
        (tmp_path / "x.meta.json").unlink()
    else:
        np.savez(storage.path("x"), *value)
    whole = storage.path("x").read_bytes()
    random = np.random.default_rng(7)
    for place in range(len(whole)):
        assert not wrong(storage, "x", value, whole[:place]), f"cut at {place}"
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(random.integers(8))
        assert not wrong(storage, "x", value, bytes(flipped)), f"flip at {place}"
    assert not wrong(storage, "x", value, whole + whole)
    storage.path("x").write_bytes(whole)
    assert_same(storage.load("x"), value)


def test_npz_says_what_else_a_file_is(tmp_path):
    """An entry of a cache, another zip, no zip at all."""
    storage = NpzStorage(tmp_path)
    with zipfile.ZipFile(tmp_path / "zip.npz", "w") as file:
        file.writestr("a.txt", "x")
    (tmp_path / "text.npz").write_text("x" * 1000)
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("zip", "text", "empty"):
        with pytest.raises(DamagedEntry, match=f"{name}.npz"):
            storage.load(name)


# ------------------------------------------------------------ npy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(arrays())
def test_npy_keeps_any_array(tmp_path, array):
    """In dtype, shape and memory layout; `numpy.load` reads it too."""
    storage = NpyStorage(tmp_path)
    storage.save("x", array)
    found = storage.load("x")
    assert_same(found, array)
    assert found.flags.f_contiguous == array.flags.f_contiguous
    assert found.flags.writeable
    assert found.flags.owndata
    assert_same(np.load(storage.path("x")), array)


def test_npy_reads_what_numpy_wrote(tmp_path):
    """Fields with names of other alphabets, gaps and the other byte order too."""
    storage = NpyStorage(tmp_path)
    fields = np.zeros(2, np.dtype([("a", "i1"), ("b", ">f8")], align=True))
    named = np.zeros(2, [("é名", "<i2")])
    for array in (fields, named, np.zeros(3, ">i4"), np.arange(10)[::2]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a format that old numpy cannot read
            np.save(storage.path("x"), array)
        assert_same(storage.load("x"), np.load(storage.path("x")))
        storage.save("y", array)
        assert_same(np.load(storage.path("y")), np.load(storage.path("x")))


@pytest.mark.parametrize(
    "value",
    [
        *(np.float64(1), 1.5, [np.ones(1)], {"a": np.ones(1)}, None),
        np.ma.array([1], mask=[True]),
        np.array([None]),
    ],
)
def test_npy_refuses_all_but_arrays(tmp_path, value):
    """Saying what keeps the others."""
    storage = NpyStorage(tmp_path)
    storage.save("x", np.ones(1))
    with pytest.raises(TypeError, match="NpzStorage"):
        storage.save("x", value)
    assert_same(storage.load("x"), np.ones(1))


def test_npy_notices_cut_files(tmp_path):
    """Longer ones too, and pickles are not loaded."""
    storage = NpyStorage(tmp_path)
    storage.save("x", np.arange(3))
    whole = storage.path("x").read_bytes()
    for damaged in (*(whole[:place] for place in range(len(whole))), whole + b"x"):
        storage.path("x").write_bytes(damaged)
        with pytest.raises(DamagedEntry):
            storage.load("x")
    np.save(storage.path("x"), np.array([None]))
    with pytest.raises(DamagedEntry, match=r"x\.npy"):
        storage.load("x")


# ------------------------------------------------------------ json


def test_json_makes_lists_of_arrays_at_any_depth(tmp_path):
    """And numbers of numpy's scalars."""
    storage = JsonStorage(tmp_path)
    value = {
        "a": [np.arange(3), (1, np.float32(2.5))],
        "b": {"c": np.array([[True]]), "d": np.str_("x"), np.str_("e"): np.int8(1)},
        "f": np.array([None, np.arange(2), "x"], object),
        "g": np.array(1.5),
        "h": collections.OrderedDict(z=np.array(["é"])),
    }
    storage.save("x", value)
    plain = {
        "a": [[0, 1, 2], [1, 2.5]],
        "b": {"c": [[True]], "d": "x", "e": 1},
        "f": [None, [0, 1], "x"],
        "g": 1.5,
        "h": {"z": ["é"]},
    }
    assert_same(storage.load("x"), plain)
    text = storage.path("x").read_text(encoding="utf-8")
    assert json.loads(text) == plain
    assert "é" in text
    assert "\n  " in text


def test_json_keeps_numbers_exactly(tmp_path):
    """With the infinities and NaN, as Python spells them."""
    storage = JsonStorage(tmp_path)
    value = [0.1, -0.0, 1e300, 10**400, float("inf"), -float("inf"), float("nan")]
    storage.save("x", value)
    assert_same(storage.load("x"), value)
    assert "NaN" in storage.path("x").read_text()


def itself():
    """Give what contains itself."""
    found = [1]
    found.append({"a": found})
    return found


def nested():
    """Give what is nested more deeply than Python can go."""
    found = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({1: 2}, r"key 1 is no str"),
        ({"a": [0, {3}]}, r"value\['a'\]\[1\]"),
        ([1j], r"value\[0\]"),
        ([np.datetime64("2026")], r"value\[0\].*datetime64"),
        (np.array(["2026"], "M8[D]"), "datetime64"),
        (np.array([1, {2}], object), r"value\[1\]"),
        (np.longdouble(1), "has no"),
        (np.ma.array([1], mask=[True]), "JSON has no"),
        (b"x", "bytes"),
        (itself(), "contains itself"),
        (nested(), "too deeply"),
        ([10**5000], "digits"),
    ],
)
def test_json_refuses_what_it_cannot_keep(tmp_path, value, told):
    """With the path of the part; the earlier value stays."""
    storage = JsonStorage(tmp_path)
    storage.save("x", 1)
    with pytest.raises(TypeError, match=told):
        storage.save("x", value)
    assert storage.load("x") == 1


def test_json_that_is_damaged_is_said_to_be(tmp_path):
    """With the path; a byte order mark is none."""
    storage = JsonStorage(tmp_path)
    for data in (b"", b"[1", b"\xff", b"[" * 100_000, b"[1] 2"):
        storage.path("x").write_bytes(data)
        with pytest.raises(DamagedEntry, match=r"x\.json"):
            storage.load("x")
    storage.path("x").write_bytes(b"\xef\xbb\xbf[1]")
    assert storage.load("x") == [1]


# ------------------------------------------------------------ a user's own


class Pickle(FileStorage):
    """As a user writes it: the file is closed when nobody has it any more."""

    def __init__(self, folder):
        super().__init__(folder, ".pkl")

    def _save(self, path, data):
        with path.open("wb") as file:
            pickle.dump(data, file)

    def _load(self, path):
        with path.open("rb") as file:
            return pickle.load(file)


def test_a_small_class_is_a_storage(tmp_path):
    """Names, dates, metadata and damage are those of every storage."""
    storage = Pickle(tmp_path)
    storage.save("f(1/2)", {"any": {1, 2}})
    assert Pickle(tmp_path).load("f(1/2)") == {"any": {1, 2}}
    assert storage.list() == ["f(1/2)"]
    with pytest.raises(AttributeError, match=r"[Cc]an't (pickle|get) local"):
        storage.save("f(1/2)", lambda: 0)
    assert storage.load("f(1/2)") == {"any": {1, 2}}
    assert [path.name for path in tmp_path.glob(".*")] == [".locks"]
    storage.path("f(1/2)").write_bytes(b"\x80")
    with pytest.raises(DamagedEntry, match=r"f\(1%2F2\)\.pkl"):
        storage.load("f(1/2)")
