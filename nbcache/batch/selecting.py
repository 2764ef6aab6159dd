"""Which runs are meant: by place, mask, condition, or what their parameters are."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nbcache.batch.run import Run
from nbcache.errors import UnhashableValue
from nbcache.keys import hashing
from nbcache.wording import near

__all__ = ["chosen_runs", "runs_with"]


def chosen_runs(runs: Sequence[Run], wanted: Any) -> list[Run]:
    """Give the runs that are meant, in the order of the batch, each once.

    Parameters
    ----------
    runs : sequence of Run
        Of the batch.
    wanted
        None: all.  An index, indices, a range, a slice, a mask; a run, or runs; or a
        function of a run.

    Raises
    ------
    IndexError
        There is no such run.
    TypeError, ValueError
        Nothing that could be meant, or a mask of another length.
    """
    places = sorted(set(_places(runs, wanted)))
    return [runs[place] for place in places]


def _places(runs: Sequence[Run], wanted: Any) -> Iterable[int]:
    count = len(runs)
    if wanted is None:
        return range(count)
    if isinstance(wanted, slice):
        return range(count)[wanted]
    if isinstance(wanted, Run):
        return [_place_of(runs, wanted)]
    if isinstance(wanted, bool | np.bool_):
        raise TypeError("runs are chosen by index, mask, Run or condition, not a bool")
    if isinstance(wanted, int | np.integer):
        return [_index(int(wanted), count)]
    if callable(wanted) and not isinstance(wanted, type):
        return [place for place, run in enumerate(runs) if wanted(run)]
    if isinstance(wanted, str | bytes | Mapping) or not isinstance(wanted, Iterable):
        raise TypeError(
            "runs are chosen by an index, indices, a slice, a mask, a Run or a "
            f"function of a run, not {type(wanted).__name__}"
        )
    return _several(runs, list(wanted))


def _several(runs: Sequence[Run], wanted: list[Any]) -> list[int]:
    flags = [isinstance(one, bool | np.bool_) for one in wanted]
    if wanted and all(flags):
        if len(wanted) != len(runs):
            raise ValueError(
                f"a mask of {len(wanted)} values does not fit {len(runs)} runs"
            )
        return [place for place, one in enumerate(wanted) if one]
    found = []
    for one in wanted:
        if isinstance(one, Run):
            found.append(_place_of(runs, one))
        elif isinstance(one, int | np.integer) and not isinstance(one, bool):
            found.append(_index(int(one), len(runs)))
        else:
            raise TypeError(f"runs are chosen by whole numbers, not {one!r}")
    return found


def _place_of(runs: Sequence[Run], wanted: Run) -> int:
    for place, run in enumerate(runs):
        if run is wanted:
            return place
    raise IndexError(f"{wanted!r} is not in this batch: add_run adds it")


def _index(wanted: int, count: int) -> int:
    if not -count <= wanted < count:
        raise IndexError(f"there is no run {wanted}: the batch has {count}")
    return wanted % count


# --- by parameters


def _equal(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
            return np.shape(one) == np.shape(other) and bool(np.all(one == other))
        if isinstance(one, float) or isinstance(other, float):
            return bool(np.isclose(one, other, equal_nan=True))
        return bool(one == other)
    except Exception:  # arrays inside of lists, frames, and what is no number
        return _same_content(one, other)


def _same_content(one: Any, other: Any) -> bool:
    try:
        return hashing.digest(one) == hashing.digest(other)
    except UnhashableValue:
        return False


def _within(one: Any, others: Any) -> bool:
    if isinstance(others, str) or not isinstance(others, Iterable):
        raise TypeError(f"__in takes several values, not {others!r}")
    return any(_equal(one, other) for other in others)


def _ordered(compare: Callable[[Any, Any], Any], or_equal: bool) -> Any:
    def holds(one: Any, other: Any) -> bool:
        if _equal(one, other):
            return or_equal
        try:
            return bool(compare(one, other))
        except (TypeError, ValueError):  # no order
            return False

    return holds


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "ne": lambda one, other: not _equal(one, other),
    "lt": _ordered(operator.lt, False),
    "le": _ordered(operator.le, True),
    "gt": _ordered(operator.gt, False),
    "ge": _ordered(operator.ge, True),
    "in": _within,
}


def runs_with(runs: Sequence[Run], conditions: Mapping[str, Any]) -> list[Run]:
    """Give the runs whose parameters fulfil all conditions.

    Parameters
    ----------
    runs : sequence of Run
        Of the batch.
    conditions : mapping of str to object
        ``name`` or ``name__eq``, ``__ne``, ``__lt``, ``__le``, ``__gt``, ``__ge``,
        ``__in``; floats are compared as by `numpy.isclose`.  Runs without that
        parameter do not match.

    Raises
    ------
    ValueError
        No run has that parameter, or there is no such operator.
    TypeError
        ``__in`` is given one value.
    """
    parameters = [run.parameters for run in runs]
    names = {name for one in parameters for name in one}
    tests = [(*_condition(text, names), value) for text, value in conditions.items()]
    return [
        run
        for run, given in zip(runs, parameters, strict=True)
        if all(name in given and test(given[name], want) for name, test, want in tests)
    ]


def _condition(text: str, names: set[str]) -> tuple[str, Callable[[Any, Any], bool]]:
    if text in names:
        return text, _equal
    name, separator, how = text.rpartition("__")
    if not separator or name not in names:
        raise _unknown(
            "parameter", name if separator and how in _OPERATORS else text, names
        )
    if how not in _OPERATORS:
        raise _unknown("operator", how, _OPERATORS)
    return name, _OPERATORS[how]


def _unknown(what: str, name: str, known: Iterable[str]) -> ValueError:
    names = sorted(known)
    hint = near(name, names)
    hint = hint and f".{hint}"
    return ValueError(
        f"no run has the {what} {name!r}, only {', '.join(names) or 'none'}{hint}"
        if what == "parameter"
        else f"no {what} {name!r}, only {', '.join(names)}{hint}"
    )
