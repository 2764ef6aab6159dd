"""Kinds of nodes: pandas' Series, DataFrame and Index.

A frame is stored block by block, so that it comes back without a copy and laid out as
it was.  pandas is imported when a frame is read, never before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import Node, Write, finders, kind
from nbcache.storage.frames_arrays import (
    check,
    check_freq,
    inner,
    is_array,
    shares_memory,
    write_array,
)
from nbcache.storage.frames_scalars import write_scalar
from nbcache.storage.lent import lends

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__: list[str] = []

# names of indexes, and of the arrays under them
_INDEXES = {
    "Index": None,
    "DatetimeIndex": "DatetimeArray",
    "TimedeltaIndex": "TimedeltaArray",
    "PeriodIndex": "PeriodArray",
    "IntervalIndex": "IntervalArray",
    "CategoricalIndex": "Categorical",
}
# kinds of numpy's data types that pandas keeps as they are
_PLAIN = "biufcO"


def _find(_: Encoder, cls: type) -> Write | None:
    if cls.__module__.partition(".")[0] != "pandas":
        return None
    import pandas as pd

    if cls is pd.DataFrame:
        return _write_frame
    if cls is pd.Series:
        return _write_series
    if cls is pd.RangeIndex:
        return _write_range
    if cls is pd.MultiIndex:
        return _write_multi
    if cls in [getattr(pd, name) for name in _INDEXES]:
        return _write_index
    return write_array if is_array(cls) else write_scalar(cls)


finders.append(_find)

# ---------------------------------------------------------------- indexes


def _write_index(encoder: Encoder, value: Any) -> Node:
    def content() -> list[Any]:
        data = inner(encoder, value._data, alone=True)
        freq = getattr(value, "freq", None) if hasattr(value, "_freq") else None
        return [
            type(value).__name__,
            data,
            encoder.node(value.name),
            encoder.node(freq),
        ]

    return encoder.guarded(value, "Index", content)


def _index(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    name, data, label, freq = content
    if name not in _INDEXES:
        raise ValueError(f"no index is a {name}")
    values = decoder.value(data)
    cls = getattr(pd, name)
    check(values, _PLAIN, (1,))
    if _INDEXES[name] not in (None, type(values).__name__):
        raise TypeError(f"not the values of a {name}")
    # not the constructor: it would infer another type from the values
    index = cls._simple_new(values, name=decoder.value(label))
    if freq is not None:
        holder = index._data if hasattr(index._data, "_freq") else index
        holder._freq = check_freq(decoder.value(freq))
    return index


def _write_range(encoder: Encoder, value: Any) -> Node:
    parts = [value.start, value.stop, value.step, encoder.node(value.name)]
    return encoder.begin(value, "RangeIndex", parts)


def _range(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    start, stop, step, name = content
    return pd.RangeIndex(start, stop, step, name=decoder.value(name))


def _write_multi(encoder: Encoder, value: Any) -> Node:
    def content() -> list[Any]:
        levels = [encoder.node(level) for level in value.levels]
        codes = [encoder.alone(np.asarray(code)) for code in value.codes]
        names = [encoder.node(name) for name in value.names]
        return [levels, codes, names, value.sortorder]

    return encoder.guarded(value, "MultiIndex", content)


def _multi(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    levels, codes, names = (
        [decoder.value(node) for node in part] for part in content[:3]
    )
    return pd.MultiIndex(
        levels=levels,
        codes=codes,
        sortorder=content[3],
        names=names,
        verify_integrity=not decoder.trusted,
    )


kind("Index", _index)
kind("RangeIndex", _range)
kind("MultiIndex", _multi)

# ---------------------------------------------------------------- series and frames


def _details(encoder: Encoder, value: Any) -> list[Node]:
    """Give what series and frames have besides data and labels."""
    attrs = dict(value.attrs)
    return [
        encoder.node(encoder.keep(attrs)) if attrs else None,
        value.flags.allows_duplicate_labels,
    ]


def _set_details(decoder: Decoder, value: Any, details: list[Node]) -> Any:
    attrs, duplicates = details
    if attrs is not None:
        value.attrs = decoder.value(attrs)
    if not duplicates:
        value.flags.allows_duplicate_labels = False
    return value


def _write_series(encoder: Encoder, value: Any) -> Node:
    def content() -> list[Any]:
        (block,) = value._mgr.blocks
        alone = not shares_memory()
        data = inner(encoder, value._values, alone=alone, lends=lends(block))
        labels = [encoder.node(value.index), encoder.node(value.name)]
        return [data, *labels, *_details(encoder, value)]

    return encoder.guarded(value, "Series", content)


def _series(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    data, index, name, *details = content
    values = decoder.value(data)
    check(values, _PLAIN, (1,))
    # an object array would be taken for text
    dtype = values.dtype if isinstance(values, np.ndarray) else None
    series = pd.Series(
        values,
        index=decoder.value(index),
        dtype=dtype,
        name=decoder.value(name),
        copy=False,
    )
    return _set_details(decoder, series, details)


def _write_frame(encoder: Encoder, value: Any) -> Node:
    def content() -> list[Any]:
        alone = not shares_memory()
        blocks = [
            [
                _places(block.mgr_locs.as_array),
                inner(encoder, block.values, alone=alone, lends=lends(block)),
            ]
            for block in value._mgr.blocks
        ]
        labels = [encoder.node(value.index), encoder.node(value.columns)]
        return [blocks, *labels, *_details(encoder, value)]

    return encoder.guarded(value, "DataFrame", content)


def _places(columns: Any) -> list[int]:
    """Give the columns of a block, as [start, stop, step] if they are a range."""
    steps = set(np.diff(columns).tolist())
    if len(columns) == 1 or (len(steps) == 1 and min(steps) > 0):
        step = steps.pop() if steps else 1
        return [int(columns[0]), int(columns[-1]) + 1, step]
    # a list of three columns that are no range is told apart by its length
    return [*columns.tolist(), -1]


def _count(places: list[int]) -> int:
    return len(places) - 1 if places[-1] == -1 else len(range(*places))


def _columns(places: list[int]) -> Any:
    if places[-1] == -1:
        return np.array(places[:-1], np.intp)
    return np.arange(*places, dtype=np.intp)


def _frame(decoder: Decoder, content: Any) -> Any:
    import pandas as pd

    blocks, index, columns, *details = content
    labels = decoder.value(columns), decoder.value(index)
    if not all(isinstance(one, pd.Index) for one in labels):
        raise TypeError("the labels of a frame are no index")
    arrays = [(decoder.value(node), places) for places, node in blocks]
    _check(arrays, len(labels[0]), len(labels[1]))
    placed = [(values, _columns(places)) for values, places in arrays]
    taken = np.concatenate([np.empty(0, np.intp), *(places for _, places in placed)])
    if not np.array_equal(np.sort(taken), np.arange(len(labels[0]))):
        raise ValueError("the blocks of a frame are not its columns")
    return _set_details(decoder, _assembled(placed, *labels), details)


def _check(arrays: list[tuple[Any, Any]], columns: int, rows: int) -> None:
    """Fail unless the blocks of a frame have its shape."""
    for values, places in arrays:
        check(values, _PLAIN, (1, 2))
        count = _count(places)
        columns -= count
        flat = values.shape == (rows,) and count == 1 and type(values) is not np.ndarray
        if values.shape != (count, rows) and not flat:
            raise ValueError("a block of a frame has another shape than the frame")
    if columns != 0:
        raise ValueError("the blocks of a frame are more or less than its columns")


def _assembled(arrays: list[tuple[Any, Any]], columns: Any, index: Any) -> Any:
    """Make a frame of blocks as they are, without a copy."""
    try:
        public: Any = import_module("pandas.api.internals")
    except ImportError:  # before pandas 3
        library: Any = import_module("pandas.core.internals.blocks")
        internals: Any = import_module("pandas.core.internals")
        blocks = tuple(
            library.new_block(values, library.BlockPlacement(places), ndim=2)
            for values, places in arrays
        )
        axes = [columns, index]
        frame: Any = import_module("pandas").DataFrame
        return frame._from_mgr(internals.BlockManager(blocks, axes), axes)
    return public.create_dataframe_from_blocks(arrays, index=index, columns=columns)


kind("Series", _series)
kind("DataFrame", _frame)
