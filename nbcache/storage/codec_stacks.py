"""Many small arrays written as few large ones."""

from __future__ import annotations

from itertools import accumulate
from operator import attrgetter
from typing import Any

import numpy as np

from nbcache.storage.codec_members import Members
from nbcache.storage.codec_nodes import Array

__all__ = ["stacked"]

_shape_of, _nbytes_of = attrgetter("shape"), attrgetter("nbytes")
# if fewer are alike, each stands for itself
ALIKE_IN_STACK = 4


def stacked(arrays: list[Array], specs: list[Any], members: Members) -> Any:
    """Give many small arrays as few large ones."""
    shapes = list(map(_shape_of, arrays))
    different = set(shapes)
    same = len(set(specs)) == 1
    if same and len(different) == 1:
        return {"stack": members.blob(_stack_of(arrays))}
    if same and all(len(shape) == 1 for shape in different):
        ends = np.fromiter(accumulate(map(len, arrays), initial=0), np.int64)
        return {"ragged": [members.blob(np.concatenate(arrays)), members.blob(ends)]}
    layouts: dict[Any, list[Array]] = {}
    kinds = list(zip(specs, shapes, strict=True))
    for kind, array in zip(kinds, arrays, strict=True):
        layouts.setdefault(kind, []).append(array)
    places = dict(zip(layouts, range(len(layouts)), strict=True))
    count = len(arrays)
    codes = members.blob(np.fromiter(map(places.__getitem__, kinds), np.int32, count))
    # a stack of items without bytes could be of any length
    if ALIKE_IN_STACK * len(layouts) <= count and all(map(_nbytes_of, arrays)):
        stacks = [members.blob(_stack_of(some)) for some in layouts.values()]
        return {"stacks": [stacks, codes]}
    starts = np.fromiter(map(members.add_small, arrays), np.int64, count)
    table = [[spec, list(shape)] for spec, shape in layouts]
    return {"arrays": [table, codes, members.blob(starts)]}


def _stack_of(arrays: list[Array]) -> Array:
    return np.concatenate(arrays).reshape(len(arrays), *arrays[0].shape)
