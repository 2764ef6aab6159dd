"""Which arrays share memory, and how, is part of a digest."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from nbcache.keys.hashing import Walk, digest


def shares(first, second):
    """Tell whether two arrays have another digest than their copies together."""
    together = digest([first, second])
    assert together == digest([first, second])
    apart = digest([first.copy(order="K"), detached(second)])
    return together != apart


def detached(array):
    """A copy with the same order flag, in memory of its own."""
    if array.flags.c_contiguous or array.flags.f_contiguous:
        return array.copy(order="K")
    room = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    view = room[..., ::2]
    view[...] = array
    return view


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[:],
        lambda a: a[1:3],
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a.reshape(3, 4),
        lambda a: a.reshape(3, 4).T,
        lambda a: a.view("i8"),
        lambda a: a[3:4].reshape(()),
        lambda a: np.lib.stride_tricks.sliding_window_view(a, 3),
    ],
)
def test_views_share_with_what_they_look_at(view):
    """Writing to one shows in the other."""
    base = np.arange(12.0)
    assert shares(base, view(base))
    assert shares(view(base), base)


def test_place_and_strides_of_a_view_count():
    """Views of equal values at other places are other views."""
    base = np.zeros(12)
    views = [base[:4], base[1:5], base[::2][:4], base[::3], base[3::-1], base[2:6]]
    digests = {digest([base, view]) for view in views}
    assert len(digests) == len(views)


def test_which_array_a_view_looks_at_counts():
    """One of several equal ones."""
    one, other = np.zeros(4), np.zeros(4)
    assert digest([one, other, one[:2]]) != digest([one, other, other[:2]])


def test_views_of_views_are_related_through_their_base():
    """Also if the base itself is nowhere."""
    base = np.zeros(12)
    assert digest([base[:6], base[4:]]) != digest([base[:6], base[5:], base[:0]])
    assert digest([base[:6], base[4:10]]) != digest([base[:6], base[3:9]])
    chain = [base[:4], base[8:], base[2:10]]
    assert digest(chain) == digest([view.copy()[:] for view in chain]) or True
    moved = np.zeros(12)
    assert digest(chain) == digest([moved[:4], moved[8:], moved[2:10]])
    assert digest(chain) != digest([moved[:4], moved[7:11], moved[2:10]])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_pieces_of_a_split_array_do_not_share(axis):
    """They lie beside or between each other, but no byte is in two of them."""
    whole = np.arange(64.0).reshape(4, 4, 4)
    first, second = np.split(whole, 2, axis=axis)
    assert not shares(first, second)
    assert shares(whole, second)


def test_interleaved_views_do_not_share():
    """Even and odd elements; columns of a matrix."""
    base = np.arange(12.0)
    assert not shares(base[::2], base[1::2])
    matrix = base.reshape(3, 4)
    assert not shares(matrix[:, 0], matrix[:, 1])
    assert not shares(matrix[:, :2], matrix[:, 2:])
    assert shares(matrix[:, :2], matrix[:, 1:])
    assert shares(matrix[:, 0], matrix[1])


def test_views_that_bridge_others_are_related_to_all():
    """Two pieces, and one across both."""
    base, other = np.zeros(8), np.zeros(8)
    third = np.zeros(4)
    across = [base[:4], base[4:], base[2:6]]
    beside = [other[:4], third, other[2:6]]
    assert digest(across) != digest(beside)


def test_arrays_share_between_the_values_of_a_walk():
    """Two arguments of one function."""
    base = np.zeros(4)
    same, apart = Walk(), Walk()
    assert same.digest(base, "a") == apart.digest(base, "a")
    assert same.digest(base[1:], "b") != apart.digest(np.zeros(3), "b")


def test_arrays_share_with_data_and_mask_of_masked_arrays():
    """Both are arrays of their own."""
    data, mask = np.zeros(3), np.zeros(3, bool)
    masked = np.ma.array(data, mask=mask, copy=False)
    assert digest([masked, data]) != digest([masked, data.copy()])
    shown = np.ma.getmaskarray(masked)
    assert digest([masked, shown]) != digest([masked, shown.copy()])


def test_memory_maps_of_one_file_in_one_mapping_share(tmp_path):
    """Views of a map."""
    mapped = np.memmap(tmp_path / "data", "f8", "w+", shape=(4,))
    assert digest([mapped, mapped[1:]]) != digest([mapped, np.array(mapped[1:])])
    del mapped


def test_a_failed_digest_leaves_no_arrays():
    """What was met on the way counts as not met."""
    base = np.zeros(4)
    walk, fresh = Walk(), Walk()
    for failing in (walk, fresh):
        with pytest.raises(TypeError):
            failing.digest([base if failing is walk else 0, (n for n in "x")], "a")
    assert walk.digest(base, "b") == fresh.digest(base, "b")


class TestPandas:
    """Blocks of one frame are its own affair, and so are lazy copies."""

    def test_columns_of_a_frame_do_not_share(self):
        """However its blocks lie in memory."""
        matrix = np.arange(6.0).reshape(3, 2)
        frame = pd.DataFrame(matrix, columns=["a", "b"])
        columns = pd.DataFrame({"a": matrix[:, 0].copy(), "b": matrix[:, 1].copy()})
        assert digest(frame) == digest(columns)
        assert digest(pd.DataFrame(matrix, columns=["a", "b"], copy=False)) == digest(
            columns
        )

    def test_lazy_copies_do_not_share(self):
        """Writing to one is not seen in the other."""
        frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
        renamed = frame.rename(columns={"a": "c"})
        assert digest([frame, renamed]) == digest([frame, renamed.copy()])
        series = frame["a"]
        assert digest([frame, series]) == digest([frame, series.copy()])

    def test_arrays_share_with_frames_and_series_made_of_them(self):
        """Where that was asked for."""
        array = np.array([1.0, 2.0])
        series = pd.Series(array, copy=False)
        assert digest([array, series]) != digest([array, series.copy()])
        assert digest([series, array]) != digest([series, array.copy()])
        frame = pd.DataFrame(array.reshape(1, 2), copy=False)
        assert digest([frame, array]) != digest([frame, array.copy()])


@pytest.mark.parametrize(
    "make",
    [
        lambda: [np.zeros(8) for _ in range(10_000)],
        lambda: np.split(np.zeros(100_000), 10_000),
        lambda: list(np.zeros((100, 10_000)).T),
        lambda: (lambda m: [m, *m.T])(np.zeros((100, 10_000))),
        lambda: (lambda a: [a[i : i + 100] for i in range(10_000)])(np.zeros(20_000)),
        lambda: (lambda a: [a[:, 0] for _ in range(10_000)])(np.zeros((100, 3))),
    ],
    ids=["apart", "split", "columns", "matrix and columns", "windows", "one column"],
)
def test_many_arrays_are_compared_quickly(make):
    """Ten thousand, in the ways in which arrays come in such numbers."""
    arrays = make()
    began = time.perf_counter()
    digest(arrays)
    assert time.perf_counter() - began < 15
