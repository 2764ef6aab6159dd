"""Digests of numpy arrays, scalars and dtypes."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from digests import different, same

from nbcache.errors import UnhashableValue
from nbcache.keys import buffers
from nbcache.keys.hashing import digest

TEXTS = getattr(getattr(np, "dtypes", None), "StringDType", None)


class Units(np.ndarray):
    """A subclass with attributes, as those of units packages."""

    unit = None

    def __array_finalize__(self, template):
        """Hand the unit on to views and copies."""
        self.unit = getattr(template, "unit", None)


def units(values, unit):
    """An array of the subclass."""
    array = np.asarray(values).view(Units)
    array.unit = unit
    return array


# --- dtype, shape, order, bytes


@pytest.mark.parametrize(
    "dtype",
    [
        *("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g"),
        *("F", "D", "G", "S3", "U3", "M8[s]", "M8[ns]", "M8[2s]", "m8[s]", "V8"),
    ],
)
def test_dtypes_count(dtype):
    """All zeros, and yet not the same."""
    array = np.zeros(4, dtype)
    same(array, array.copy(), pickle.loads(pickle.dumps(array)))
    others = [np.zeros(4, other) for other in ("i8", "U2", "M8[D]") if other != dtype]
    different(array, *others, array.astype(object), array.reshape(2, 2))


def test_byte_order_counts():
    """Same values, other bytes."""
    different(np.arange(3, dtype="<i4"), np.arange(3, dtype=">i4"))


def test_shape_counts_also_where_there_is_nothing():
    """Empty arrays have shapes too."""
    different(np.zeros(0), np.zeros((0, 3)), np.zeros((3, 0)), np.zeros(0, "f4"))
    different(np.zeros(()), np.zeros(1), np.zeros((1, 1)), np.float64(0), 0.0)


def test_each_byte_counts():
    """NaNs by their bits, zeros by their sign."""
    different(np.array([0.0]), np.array([-0.0]), np.array([np.nan]))
    quiet = np.array([0x7FF8000000000001], "u8").view("f8")
    different(np.array([np.nan]), quiet)
    dates = np.array(["2020", "NaT"], "M8[D]")
    different(dates, dates[::-1].copy(), np.array(["NaT", "NaT"], "M8[D]"))


def test_memory_order_counts():
    """A matrix and its transpose in memory are not the same array."""
    square = np.arange(9.0).reshape(3, 3)
    different(square, np.asfortranarray(square), square.T, square.T.copy())
    different(square, square[::-1], square[:, ::-1])


def test_strides_do_not_count():
    """What is neither in C nor in Fortran order counts as a C copy of it."""
    data = np.arange(24.0).reshape(4, 6)
    second, third = np.zeros((4, 12)), np.zeros((8, 18))
    second[:, ::2], third[::2, ::3] = data, data
    same(data, second[:, ::2], third[::2, ::3], data[::-1].copy()[::-1])
    cube = np.arange(24.0).reshape(2, 3, 4).transpose(0, 2, 1)
    same(cube, cube.copy())


def test_a_vector_has_one_order():
    """Arrays that are contiguous in both senses are in C order."""
    same(np.arange(3.0), np.asfortranarray(np.arange(3.0)))
    same(np.zeros((3, 1)), np.zeros((3, 1), order="F"))


def test_writeable_does_not_count():
    """It changes nothing about the values."""
    array = np.arange(3)
    frozen = array.copy()
    frozen.flags.writeable = False
    same(array, frozen)


def test_broadcast_arrays_count_as_copies():
    """Unless no memory could hold one."""
    row = np.arange(3.0)
    same(np.broadcast_to(row, (4, 3)), np.array([row] * 4))
    with pytest.raises(UnhashableValue, match="more elements than can be read"):
        digest(np.broadcast_to(row, (10**12, 3)))


@pytest.mark.parametrize(
    "size", [0, 1, 2**19 - 1, 2**22 - 8, 2**22, 2**22 + 8, 2**23 + 4]
)
def test_one_changed_byte_changes_the_digest_at_every_size(size):
    """On either side of the sizes from which chunks are digested apart."""
    array = np.zeros(size, np.uint8)
    same(array, array.copy())
    for place in {0, size // 2, size - 1} if size else ():
        other = array.copy()
        other[place] = 1
        different(array, other)


def test_chunks_keep_their_order():
    """Two chunks swapped are another array."""
    array = np.repeat(np.arange(4, dtype=np.uint8), buffers.CHUNK)
    different(array, array[::-1].copy(), np.roll(array, buffers.CHUNK))


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[:, ::2],
        lambda a: a[::-1],
        lambda a: a[5:-5, 3:-3],
        lambda a: a.reshape(60, -1, 10).transpose(1, 0, 2),
        lambda a: a.reshape(-1)[::3],
    ],
)
def test_large_views_are_digested_without_being_copied_whole(view):
    """Piece by piece, with the digest of a copy."""
    base = np.arange(1200 * 1000.0).reshape(1200, 1000)
    one = view(base)
    other = view(base.copy())
    same(one, other, one.copy())
    other[(-1,) * other.ndim] += 1
    different(one, other)


def test_one_thread_gives_the_digest_of_two():
    """On a machine with one core, or where no thread can be started."""
    array = np.arange(2**20, dtype=np.float64)
    code = (
        "import numpy as np; from nbcache.keys import buffers, hashing;"
        "buffers._cores = lambda: 1;"
        "print(hashing.digest(np.arange(2**20, dtype=np.float64)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    alone = subprocess.check_output([sys.executable, "-c", code], env=environment)
    assert alone.decode().strip() == digest(array)


# --- elements that are not bytes


def test_object_arrays_are_digested_element_by_element():
    """By value, in each order, cycles too."""
    array = np.array([1, "x", None, [2]], object)
    same(array, copy.deepcopy(array))
    different(
        array,
        np.array([1, "x", None, (2,)], object),
        np.array([1.0, "x", None, [2]], object),
        array[::-1],
        array.tolist(),
        array.reshape(2, 2),
        np.asfortranarray(array.reshape(2, 2)),
    )
    array[3] = array
    assert digest(array)


def test_shared_elements_of_object_arrays_count():
    """A list in two cells is one list."""
    shared: list = []
    one, other = np.empty(2, object), np.empty(2, object)
    one[:] = [shared, shared]
    other[:] = [[], []]
    different(one, other)


def test_errors_inside_object_arrays_name_the_element():
    """With the index that leads there."""
    array = np.array([None, (n for n in "x")], object)
    with pytest.raises(UnhashableValue, match=r"a\[1\]: generator"):
        digest(array, path="a")
    with pytest.raises(UnhashableValue, match=r"a\.ravel\(\)\[1\]: generator"):
        digest(array.reshape(1, 2), path="a")


@pytest.mark.skipif(TEXTS is None, reason="numpy before 2.0 has no StringDType")
def test_variable_length_strings_are_digested_by_value():
    """What their memory holds differs in each process."""
    words = ["a", "longer than the inline limit of sixteen bytes", ""]
    array = np.array(words, TEXTS())
    same(array, array.copy(), np.array(list(words), TEXTS()))
    different(
        array,
        np.array(words),
        np.array(words, object),
        np.array(words[::-1], TEXTS()),
        np.array(words, TEXTS(coerce=False)),
        np.array(words, TEXTS(na_object=None)),
        np.array([*words[:2], None], TEXTS(na_object=None)),
    )


# --- subclasses and masked arrays


def test_subclasses_count_with_their_attributes():
    """A matrix is no array, metres are no feet."""
    data = np.zeros((2, 2))
    different(data, data.view(np.matrix), units(data, "m"), units(data, "ft"))
    same(units(data, "m"), copy.deepcopy(units(data, "m")))
    table = np.zeros(2, [("a", "i4")])
    different(table, table.view(np.recarray))


def test_a_memory_map_is_an_array(tmp_path):
    """Where the bytes come from does not show."""
    file = tmp_path / "data.bin"
    mapped = np.memmap(file, "f8", "w+", shape=(3,))
    mapped[:] = [1, 2, 3]
    same(mapped, np.array([1.0, 2.0, 3.0]))
    del mapped


def test_masked_arrays_are_data_mask_and_fill_value():
    """Also what is under the mask: unmasking shows it."""
    one = np.ma.array([1.0, 2.0], mask=[0, 1])
    same(one, one.copy())
    hard = one.copy()
    hard.harden_mask()
    different(
        one,
        np.ma.array([1.0, 3.0], mask=[0, 1]),
        np.ma.array([1.0, 2.0], mask=[1, 0]),
        np.ma.array([1.0, 2.0], mask=[0, 1], fill_value=7),
        np.ma.array([1.0, 2.0]),
        np.ma.array([1.0, 2.0], mask=[0, 0]),
        np.array([1.0, 2.0]),
        hard,
        np.ma.masked,
    )


def test_asking_for_the_fill_value_changes_nothing():
    """It is worked out and kept at the first time."""
    one = np.ma.array([1.0, 2.0], mask=[0, 1])
    before = digest(one)
    assert one.fill_value == 1e20
    assert digest(one) == before


def test_masked_arrays_of_structures_and_objects():
    """Masks have the structure of their data."""
    one = np.ma.array([(1, "x")], mask=[(0, 1)], dtype=[("a", "i4"), ("b", object)])
    other = np.ma.array([(1, "x")], mask=[(1, 1)], dtype=one.dtype)
    same(one, copy.deepcopy(one))
    different(one, other)


# --- scalars and dtypes


def test_scalars_count_by_type_and_value():
    """They are neither Python's numbers nor arrays."""
    different(
        *(np.float64(1), np.float32(1), np.int64(1), np.int32(1), np.bool_(True)),
        *(1, 1.0, True, "1", np.array(1), np.array(1.0), np.complex128(1)),
        *(np.str_("1"), np.bytes_(b"1"), b"1", np.void(b"1"), np.longdouble(1)),
        *(np.datetime64(1, "s"), np.datetime64(1, "ms"), np.timedelta64(1, "s")),
        *(
            np.datetime64("NaT", "s"),
            np.float64("nan"),
            np.float64(-0.0),
            np.float64(0),
        ),
    )


def test_records_count_by_their_fields():
    """A row of a structured array."""
    table = np.array([(1, "x"), (1, "y")], [("a", "i4"), ("b", object)])
    different(table[0], table[1])
    same(table[0], copy.deepcopy(table)[0])


def test_subclasses_of_scalars_count():
    """With what they carry."""

    class Metre(np.float64):
        pass

    one, other = Metre(1), Metre(1)
    other.name = "x"
    different(one, other, np.float64(1))


def test_dtypes_are_values():
    """Which object it is does not show."""
    names = ["i4", "i8", "f8", ">i4", "U3", "U4", "S3", "M8[s]", "M8[ms]", "O", "V4"]
    different(*map(np.dtype, names), "i4")
    kind = np.dtype([("a", "i4")])
    same([kind, kind], [kind, np.dtype([("a", "i4")])])


def test_dtypes_from_elsewhere_count_by_name_and_package():
    """To numpy, seven of them are one byte of anything."""
    elsewhere = pytest.importorskip("ml_dtypes")
    names = ["float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "int4", "uint4"]
    kinds = [np.dtype(getattr(elsewhere, name)) for name in names]
    different(*kinds)
    different(*[np.zeros(3, kind) for kind in kinds])
    different(*[np.zeros((), kind)[()] for kind in kinds])
    one = np.ones((2, 3), elsewhere.bfloat16)
    same(one, one.copy())
    different(one, one.T, one * 2)
