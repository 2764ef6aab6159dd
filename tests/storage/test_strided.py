"""Views with gaps come back with gaps: what a reshape shares depends on them."""

from __future__ import annotations

import numpy as np
import pytest

from nbcache import Cache


def _again(tmp_path, value):
    """Give a value as another process would get it."""
    function = Cache(tmp_path).cached(lambda: value, name="one", track="none")
    function()
    return Cache(tmp_path).cached(lambda: None, name="one", track="none")()


def _random_view(rng, dtype):
    shape = rng.integers(1, 5, rng.integers(1, 5))
    array = np.arange(int(np.prod(shape))).astype(dtype).reshape(shape)
    array = array.transpose(rng.permutation(array.ndim))
    steps = rng.choice([1, 1, 2, 3, -1, -2], array.ndim)
    return array[tuple(slice(None, None, int(step)) for step in steps)]


@pytest.mark.parametrize("dtype", ["f8", "O", "S3", "M8[s]"])
def test_layout_comes_back(tmp_path, dtype):
    """Contiguity, and whether a reshape is a view or a copy, are as they were."""
    rng = np.random.default_rng(1)
    arrays = [_random_view(rng, dtype) for _ in range(200)]
    for before, after in zip(arrays, _again(tmp_path, arrays), strict=True):
        assert before.shape == after.shape
        assert (before == after).all()
        assert before.flags.c_contiguous == after.flags.c_contiguous
        assert before.flags.f_contiguous == after.flags.f_contiguous
        shared = [np.shares_memory(one, one.reshape(-1)) for one in (before, after)]
        assert shared[0] == shared[1], (before.shape, before.strides)


def test_gaps_cost_little(tmp_path):
    """One column of many takes no memory for the others."""
    column = np.zeros((1000, 100))[:, 3]
    found = _again(tmp_path, column)
    assert not found.flags.c_contiguous
    assert abs(found.strides[0]) == 2 * found.itemsize


def test_read_only_views_stay_so(tmp_path):
    """And may not be made larger than what they hold."""
    array = np.arange(10.0)[::2]
    array.flags.writeable = False
    found = _again(tmp_path, [array, np.arange(3)])[0]
    assert not found.flags.writeable
    assert found.strides == (16,)
