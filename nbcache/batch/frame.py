"""A batch as a table, and as arrays over its parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import xarray

    from nbcache.batch.run import Run

__all__ = ["dataframe", "dataset"]


def dataframe(runs: Sequence[Run]) -> pd.DataFrame:
    """Give one row for each run.

    Returns
    -------
    DataFrame
        Columns ``(parameter, name)``; ``(result, key)`` of results that are mappings
        and ``(result, value)`` of others, None where a run is not done; ``(run, id)``,
        ``(run, done)`` and ``(run, runtime)``, in s.
    """
    import pandas as pd

    if not runs:
        return pd.DataFrame()
    rows = []
    for run in runs:
        result, done = run.result, run.done
        row: dict[tuple[str, str], Any] = {
            ("parameter", name): value for name, value in run.parameters.items()
        }
        if done:
            row |= {("result", key): value for key, value in _items(result).items()}
        row[("run", "id")], row[("run", "done")] = run.id, done
        row[("run", "runtime")] = run.runtime
        rows.append(row)
    labels = list(dict.fromkeys(label for row in rows for label in row))
    order = {"parameter": 0, "result": 1, "run": 2}
    labels.sort(key=lambda label: order[label[0]])
    columns = {label: _column([row.get(label) for row in rows]) for label in labels}
    index = pd.RangeIndex(len(rows), name="index")
    frame = pd.DataFrame(dict(enumerate(columns.values())), index=index)
    frame.columns = pd.MultiIndex.from_tuples(labels, names=None)
    return frame


def _items(result: Any) -> dict[str, Any]:
    if isinstance(result, Mapping):
        return {str(key): value for key, value in result.items()}
    return {"value": result}


_PLAIN = (int, float, str, bool, np.generic, type(None))


def _column(values: list[Any]) -> pd.Series[Any]:
    """Give a column; what is not plain stays the object that it is."""
    import pandas as pd

    plain = all(
        isinstance(one, int | float | str | bool | np.generic | None) for one in values
    )
    if plain:
        return pd.Series(values) if values else pd.Series(values, dtype=object)
    held = pd.Series([None] * len(values), dtype=object)
    for place, value in enumerate(values):
        held.array[place] = value  # an array would be taken for several rows
    return held


def dataset(runs: Sequence[Run]) -> xarray.Dataset:
    """Give results as arrays whose dimensions are the parameters that vary.

    Parameters
    ----------
    runs : sequence of Run
        Those that are not done are missing values (NaN).

    Returns
    -------
    xarray.Dataset
        A variable for each key of the results: numbers, arrays of one shape, or else
        objects.  Parameters that do not vary are coordinates without a dimension.

    Raises
    ------
    ImportError
        xarray is not installed.
    ValueError
        Two runs have the same parameters.
    """
    try:
        import xarray
    except ImportError as error:
        raise ImportError("to_xarray needs xarray: pip install xarray") from error
    parameters = [run.parameters for run in runs]
    names = list(dict.fromkeys(name for one in parameters for name in one))
    levels = {name: _levels([one.get(name) for one in parameters]) for name in names}
    varying = [name for name in names if len(levels[name]) > 1]
    shape = tuple(len(levels[name]) for name in varying)
    places = [
        tuple(_place(levels[name], one.get(name)) for name in varying)
        for one in parameters
    ]
    _require_distinct(places, runs)
    results = [_items(run.result) if run.done else {} for run in runs]
    variables = {}
    for key in dict.fromkeys(key for one in results for key in one):
        pairs = zip(places, results, strict=True)
        data = _grid(shape, {place: one[key] for place, one in pairs if key in one})
        own = [f"{key}_{axis}" for axis in range(data.ndim - len(shape))]
        variables[key] = ([*varying, *own], data)
    coordinates: dict[str, Any] = {name: _labels(levels[name]) for name in varying}
    for name in names:
        if name not in varying and np.isscalar(levels[name][0]):
            coordinates[name] = levels[name][0]
    return xarray.Dataset(variables, coordinates)


def _levels(values: list[Any]) -> list[Any]:
    """Give the different values, sorted if they can be, else as they come."""
    found: list[Any] = []
    for value in values:
        if not any(_same(value, known) for known in found):
            found.append(value)
    try:
        return sorted(found)
    except (TypeError, ValueError):
        return found


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    try:
        return bool(one == other) and type(one) is type(other)
    except Exception:
        return one is other


def _place(levels: list[Any], value: Any) -> int:
    return next(i for i, known in enumerate(levels) if _same(known, value))


def _labels(levels: list[Any]) -> Any:
    if all(np.isscalar(one) for one in levels):
        return np.array(levels)
    return [getattr(one, "__qualname__", None) or str(one) for one in levels]


def _require_distinct(places: list[tuple[int, ...]], runs: Sequence[Run]) -> None:
    seen: dict[tuple[int, ...], Run] = {}
    for place, run in zip(places, runs, strict=True):
        if place in seen:
            raise ValueError(
                f"{seen[place]!r} and {run!r} have the same parameters: to_xarray has "
                "one place for each"
            )
        seen[place] = run


def _grid(shape: tuple[int, ...], given: dict[tuple[int, ...], Any]) -> Any:
    """Give the values of one result; what is no array of one shape, as objects."""
    arrays = {place: _array(value) for place, value in given.items()}
    inner = {value.shape for value in arrays.values()}
    kind = np.result_type(*{value.dtype for value in arrays.values()})
    is_whole = len(arrays) == math.prod(shape)
    if len(inner) > 1 or kind.hasobject or not (is_whole or kind.kind in "biufcmM"):
        objects = np.full(shape, None, object)
        for place, value in given.items():
            objects[place] = value
        return objects
    if kind.kind in "biu" and not is_whole:
        kind = np.dtype(float)
    data = np.empty((*shape, *inner.pop()), kind)
    if not is_whole:
        data[...] = np.array("NaT", kind) if kind.kind in "mM" else np.nan
    for place, value in arrays.items():
        data[place] = value
    return data


def _array(value: Any) -> np.ndarray[Any, Any]:
    """Give an array of a value; what is none becomes one object."""
    if np.isscalar(value) or isinstance(value, np.ndarray):
        return np.asarray(value)
    held = np.empty((), object)
    if isinstance(value, list | tuple):
        with suppress(ValueError):  # of different lengths
            found = np.asarray(value)
            return held if found.dtype.hasobject else found
    return held
