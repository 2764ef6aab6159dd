"""The parameters of many runs: products, rows of frames, zipped columns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["factorial", "rows"]


def factorial(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give all combinations; the last parameter varies fastest.

    Parameters
    ----------
    parameters : mapping of str to object
        Lists, tuples, arrays, ranges and the like are iterated; anything else is one
        value for all: numbers, text, dicts, None, functions.  It is not changed.

    Raises
    ------
    ValueError
        One has no values: there would be no run at all.
    """
    names = list(parameters)
    values = [_values(name, parameters[name]) for name in names]
    for one in itertools.product(*values):
        yield dict(zip(names, one, strict=True))


def _values(name: str, given: Any) -> list[Any]:
    if isinstance(given, str | bytes | bytearray | Mapping) or not _is_iterated(given):
        return [given]
    found = list(given)
    if not found:
        raise ValueError(f"parameter {name!r} has no values: there would be no runs")
    return found


def _is_iterated(given: Any) -> bool:
    """Say whether something is a collection of values, rather than a value."""
    if isinstance(given, type) or callable(given):
        return False
    if isinstance(given, np.ndarray):
        return given.ndim > 0
    return hasattr(type(given), "__len__") and hasattr(type(given), "__iter__")


def rows(given: Any, names: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Give the parameters of one run for each row.

    Parameters
    ----------
    given : DataFrame, mapping of str to sequence, or iterable of mappings or tuples
        A frame or a mapping has a column for each parameter; the columns of a mapping
        are equally long, and what is one value there holds for all.  Cells of a frame
        become Python scalars.
    names : sequence of str
        Of the parameters, in the order in which tuples have them, as `zip` makes them.

    Raises
    ------
    ValueError
        Columns of different lengths, names that are not text, or a tuple with more
        values than there are parameters.
    TypeError
        None of these.
    """
    if hasattr(given, "to_dict") and hasattr(given, "columns"):
        yield from _of_frame(given)
    elif isinstance(given, Mapping):
        yield from _zipped(given)
    elif isinstance(given, Iterable) and not isinstance(given, str | bytes):
        for one in given:
            yield _row(one, names)
    else:
        raise TypeError(
            "runs are added from a DataFrame, a dict of lists, or dicts, not "
            f"{type(given).__name__}"
        )


def _row(given: Any, names: Sequence[str]) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, np.void) and given.dtype.names:
        return dict(zip(given.dtype.names, given.item(), strict=True))
    if hasattr(given, "_asdict"):
        return dict(given._asdict())
    if not isinstance(given, tuple | list):
        raise TypeError(f"a row is a dict of parameters, not {type(given).__name__}")
    if len(given) > len(names):
        raise ValueError(
            f"a row of {len(given)} values does not fit the parameters "
            f"{', '.join(names) or 'none'}"
        )
    return dict(zip(names, given, strict=False))


def _of_frame(frame: Any) -> Iterator[dict[str, Any]]:
    names = list(frame.columns)
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong or len(set(names)) < len(names):
        raise ValueError(f"columns are named by parameters, each once, not {names!r}")
    columns = [[_scalar(one) for one in _cells(frame[name])] for name in names]
    for row in zip(*columns, strict=True):
        yield dict(zip(names, row, strict=True))


def _cells(column: Any) -> list[Any]:
    if hasattr(column, "to_list"):  # pandas and polars have it
        return list(column.to_list())
    return list(column.tolist())


def _scalar(value: Any) -> Any:
    # so that a row equals a run that was written by hand
    return value.item() if isinstance(value, np.generic) else value


def _zipped(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    values = {name: _column(held) for name, held in given.items()}
    lengths = {len(held) for held in values.values() if held is not None}
    if len(lengths) > 1:
        told = ", ".join(f"{n}: {len(v)}" for n, v in values.items() if v is not None)
        raise ValueError(f"columns have different lengths: {told}")
    for place in range(lengths.pop() if lengths else 1):
        yield {
            name: given[name] if held is None else held[place]
            for name, held in values.items()
        }


def _column(given: Any) -> list[Any] | None:
    """Give the values of a column; None for one value that holds for all."""
    single = isinstance(given, str | bytes | bytearray | Mapping)
    return None if single or not _is_iterated(given) else list(given)
