"""Arrays that share memory do so again after decoding."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from round_trips import assert_same, round_trip, through_file

from nbcache.errors import UnstorableValue
from nbcache.storage import codec

BASE = np.random.default_rng(0).random(24)

VIEWS = {
    "slice": lambda x: x[1:3],
    "reversed": lambda x: x[::-1],
    "step": lambda x: x[::5],
    "negative_step": lambda x: x[20:3:-4],
    "reshaped": lambda x: x.reshape(4, 6),
    "transposed": lambda x: x.reshape(4, 6).T,
    "column": lambda x: x.reshape(4, 6)[:, 2],
    "block": lambda x: x.reshape(4, 6)[1:3, ::2],
    "other_dtype": lambda x: x.view("i8"),
    "bytes": lambda x: x.view("u1")[3:50],
    "complex": lambda x: x.view("c16"),
    "real_part": lambda x: x.view("c16").imag,
    "fields": lambda x: x.view("f8,i4,i4"),
    "one_field": lambda x: x.view("f8,i4,i4")["f1"],
    "dates": lambda x: x.view("M8[s]"),
    "broadcast": lambda x: np.broadcast_to(x, (3, 24)),
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(x, 5),
    "scalar": lambda x: x[3:4].reshape(()),
    "whole": lambda x: x[:],
    "new_axis": lambda x: x[:, None],
}


@pytest.mark.parametrize("mode", ["copy", None])
@pytest.mark.parametrize("first", ["base", "view"])
@pytest.mark.parametrize("name", VIEWS)
def test_view_of_an_array_is_one_again(name, first, mode, tmp_path):
    """Whichever comes first, writing to the base shows in the view."""
    base = BASE.copy()
    view = VIEWS[name](base)
    values = {"base": base, "view": view}
    if first == "view":
        values = {"view": view, "base": base}
    read = through_file(tmp_path / "x.npz", values, mode)
    assert_same(values, read)
    assert read["view"].flags.writeable == view.flags.writeable
    before = read["view"].tobytes()
    read["base"][:] = base[::-1] + 1
    base[:] = base[::-1] + 1
    assert read["view"].tobytes() == view.tobytes() != before


@pytest.mark.parametrize("one", VIEWS)
@pytest.mark.parametrize("other", ["slice", "reversed", "column", "bytes"])
def test_views_without_their_base_share_as_before(one, other):
    """Two views of an array that is not stored itself."""
    base = BASE.copy()
    values = {"one": VIEWS[one](base), "other": VIEWS[other](base)}
    read = round_trip(values)
    assert_same(values, read)
    shared = np.shares_memory(values["one"], values["other"])
    assert np.shares_memory(read["one"], read["other"]) == shared


def test_base_is_a_member_of_its_name():
    """The array that holds all is what `np.load` finds."""
    x = BASE.copy()
    encoded = codec.encode({"part": x[2:5], "x": x})
    assert list(encoded.members) == ["x"]


def test_distant_views_do_not_store_what_lies_between():
    """Two ends of a large array that is not stored stay small."""
    large = np.zeros(1_000_000)
    encoded = codec.encode({"x": [large[:3], large[-3:]]})
    assert sum(array.nbytes for array in encoded.members.values()) < 1000


def test_interleaved_views_do_not_share():
    """Columns of a matrix are arrays of their own, as nothing connects them."""
    matrix = np.arange(20_000.0).reshape(2000, 10)
    values = {"a": matrix[:, 0], "b": matrix[:, 5]}
    encoded = codec.encode(values)
    assert sum(array.nbytes for array in encoded.members.values()) == 32_000
    assert_same(values, round_trip(values))


def test_broadcast_array_is_stored_small_and_stays_read_only():
    """A million times the same number is one number."""
    array = np.broadcast_to(np.float64(3), (1000, 1000))
    encoded = codec.encode({"x": array})
    assert sum(member.nbytes for member in encoded.members.values()) < 1000
    read = round_trip({"x": array})["x"]
    assert_same(array, read)
    assert not read.flags.writeable
    assert read.strides == (0, 0)


def test_read_only_view_stays_read_only():
    """A flag set on a view comes back, and its base stays writable."""
    x = BASE.copy()
    view = x[2:5]
    view.flags.writeable = False
    read = round_trip({"x": x, "v": view})
    assert read["x"].flags.writeable
    assert not read["v"].flags.writeable


def test_writable_view_of_a_read_only_array():
    """Each array of a group gets its own flag."""
    x = BASE.copy()
    view = x[2:5]
    x.flags.writeable = False
    read = round_trip({"x": x, "v": view})
    assert not read["x"].flags.writeable
    assert read["v"].flags.writeable
    assert np.shares_memory(read["x"], read["v"])


def test_read_only_mode_makes_views_read_only(tmp_path):
    """`mmap="read"` holds for views too."""
    x = np.zeros(100_000)
    read = through_file(tmp_path / "x.npz", {"x": x, "v": x[5:]}, "read")
    assert not read["v"].flags.writeable


def test_arrays_of_objects_share_their_elements():
    """Views of objects, before or after what they are views of."""
    o = np.array([[1], {"a": 2}, None, "t"], dtype=object)
    for values in ({"o": o, "p": o[1:3], "q": o[::-1]}, {"p": o[1:3], "o": o}):
        read = round_trip(values)
        assert_same(values, read)
        read["o"][1] = "new"
        assert read["p"][0] == "new"


def test_overlapping_arrays_of_objects_without_their_base():
    """Two views that overlap in one element."""
    o = np.array([[1], [2], None], dtype=object)
    values = {"a": o[:2], "b": o[1:].reshape(1, 2)}
    read = round_trip(values)
    assert_same(values, read)
    read["a"][1] = "new"
    assert read["b"][0, 0] == "new"


def test_array_over_a_bytearray_stays_over_it():
    """`np.frombuffer` of a bytearray that is stored too."""
    data = bytearray(b"abcdefgh")
    values = {"d": data, "a": np.frombuffer(data, "u2")[1:]}
    read = round_trip(values)
    read["d"][2] = 0
    assert read["a"][0] == ord("d") << 8


def test_fields_of_one_dtype_in_nested_containers():
    """Views are found wherever they stand."""
    x = BASE.copy()
    values = {"a": [{"x": x[3:]}, (x[:5],)], "b": np.array([x, None], dtype=object)}
    read = round_trip(values)
    assert_same(values, read)
    assert np.shares_memory(read["a"][0]["x"], read["b"][0])


def test_masked_array_shares_data_and_mask():
    """A masked array over an array that is stored too."""
    x, mask = np.arange(3), np.array([True, False, False])
    m = np.ma.array(x, mask=mask, copy=False, shrink=False)
    m._mask = mask
    read = round_trip({"m": m, "x": x, "mask": mask})
    assert np.shares_memory(read["m"].data, read["x"])
    assert np.shares_memory(read["m"].mask, read["mask"])


# ---------------------------------------------------------------- live arrays


@pytest.mark.parametrize("name", [name for name in VIEWS if name != "whole"])
def test_view_of_a_live_array_is_one_again(name):
    """`b = a[1:3]` with a live: the view is of that very array."""
    live = {"in": {"a": BASE.copy()}}
    view = VIEWS[name](live["in"]["a"])
    encoded = codec.encode({"b": view}, live=live)
    assert encoded.members == {}
    there = {"in": {"a": BASE.copy()}}
    tree = json.loads(json.dumps(encoded.tree))
    read = codec.decode(tree, None, live=there)
    assert_same(view, read["b"])
    assert np.shares_memory(read["b"], there["in"]["a"])


@pytest.mark.parametrize(
    "there",
    [
        np.arange(23.0),
        np.arange(24),
        np.arange(48.0)[::2],
        np.arange(24.0).reshape(2, 12),
        [1, 2],
        None,
    ],
)
def test_live_array_with_another_layout_is_a_lookup_error(there):
    """Nothing is viewed that is not laid out as it was."""
    encoded = codec.encode({"b": BASE[1:3]}, live={"a": BASE})
    with pytest.raises(LookupError):
        codec.decode(encoded.tree, None, live={"a": there})


def test_array_that_reaches_beyond_a_live_one_is_refused():
    """It could be made neither from the entry nor from the live array."""
    x = BASE.copy()
    with pytest.raises(UnstorableValue, match="shares memory with an input") as caught:
        codec.encode({"y": 1, "all": {"k": [x]}}, live={"a": x[2:5]})
    assert caught.value.path == "all['k'][0]"
    assert caught.value.type_name == "numpy.ndarray"


def test_view_of_a_live_array_of_objects():
    """Elements are found in the live array."""
    live = {"o": np.array([[1], [2], None], dtype=object)}
    read = round_trip({"p": live["o"][1:]}, live=live)
    assert np.shares_memory(read["p"], live["o"])
    assert read["p"][0] is live["o"][1]


# ---------------------------------------------------------------- properties

_STEPS = st.sampled_from(sorted(VIEWS))


@settings(max_examples=200, deadline=None)
@given(
    names=st.lists(st.tuples(_STEPS, st.booleans()), min_size=1, max_size=6),
    with_base=st.booleans(),
)
def test_generated_views_share_as_before(names, with_base):
    """Any set of views: same values, and the same pairs share memory."""
    base = BASE.copy()
    values = {"base": base} if with_base else {}
    for i, (name, half) in enumerate(names):
        view = VIEWS[name](base)
        values[f"v{i}"] = view[: (len(view) + 1) // 2] if half and view.ndim else view
    read = round_trip(values)
    assert_same(values, read)
    for a in values:
        for b in values:
            shared = np.shares_memory(values[a], values[b])
            assert np.shares_memory(read[a], read[b]) == shared, (a, b)
