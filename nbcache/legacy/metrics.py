"""Results of simple_metrics_manager: a file a metric, and one with the day beside it.

``<name>.npz`` holds ``arr_0``, or ``arr_0`` to ``arr_n`` of a list or tuple, or the
arrays of a dict by name; ``<name>.npy`` an array, ``<name>.json`` a value.  The day on
which it was computed is the text ``YYYY-MM-DD``, stored likewise as ``<name>_date``.
A metric may be called ``<name>_date`` itself: it has a day of its own.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from blake3 import blake3

from nbcache.legacy.numpy_files import (
    ONLY,
    NumpyFile,
    damage_refused,
    irregular_refused,
    numpy_file,
)
from nbcache.legacy.result import Given, Refused, Result

__all__ = ["Metrics"]

_WHAT = "a metric"
_DATE = "_date"
_JSON = ".json"
_SUFFIXES = (".npz", ".npy", _JSON)
_ARRAY = "arr_0"
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# some hundred bytes, at most some MB when unpacked: it cannot fill the memory
_MAX_DAY_BYTES = 4096
_MAX_TEXT_BYTES = 128

_SCALARS = "single values were stored as arrays without dimensions, and stay such"
_NOTHING = "without an array: a list, tuple or dict that was empty"


@dataclass(frozen=True, slots=True)
class Metrics:
    """The format of simple_metrics_manager.

    Parameters
    ----------
    is_asked : bool
        Whether it alone is looked for: then a file without a day is refused, not left
        to the other formats.
    """

    is_asked: bool = False

    kind = "metrics"
    folder = ""

    def asked(self) -> Metrics:
        """Give the format as it is where it alone is looked for."""
        return replace(self, is_asked=True)

    def may_hold(self, path: Path) -> bool:
        """Say by its name, and those beside it, whether a file can be a metric."""
        if path.suffix not in _SUFFIXES:
            return False
        return self.is_asked or _is_there(_day_of(path)) or _has_value(path)

    def holds(self, path: Path) -> bool:
        """Say by the day whether a file is a metric, or the day of one."""
        if not self.may_hold(path):
            return False
        if self.is_asked or path.suffix == _JSON:  # which no other format has
            return True
        with suppress(Refused):
            _day(_day_of(path) if _is_there(_day_of(path)) else path)
            return True
        return False

    def read(self, path: Path, *, allow_pickle: bool) -> Given:
        """Give what a file holds."""
        beside = _day_of(path)
        if not _is_there(beside):
            return _without_day(path)
        try:
            day = _day(beside)
        except Refused as error:
            raise Refused(f"its date, {beside.name}: {error}") from error
        value, content, remark = _value(path, allow_pickle)
        if _has_value(path) and _is_day(path):
            other = _named_by(path)
            both = f"also the date of {other!r}: the two wrote over each other"
            remark = f"{remark}; {both}" if remark else both
        name = path.name.removesuffix(path.suffix)
        # the day counts: the same value of a later day is a later entry
        content = f"{content} {day.isoformat()}"
        result = Result(name, name, value, content, created=_created(path, day))
        return Given([result], remark=remark)


# --- the day


def _day_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(path.suffix) + _DATE + path.suffix)


def _named_by(path: Path) -> str:
    """Give the metric whose day a file is, if it is one; '' if by its name it is none.

    A metric without a name would be a file that is a suffix only, which is no file of
    such a suffix.
    """
    name = path.name.removesuffix(path.suffix)
    return name.removesuffix(_DATE) if name.endswith(_DATE) else ""


def _has_value(path: Path) -> bool:
    """Say whether that of which a file would be the day is there."""
    name = _named_by(path)
    return bool(name) and _is_there(path.with_name(name + path.suffix))


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _is_day(path: Path) -> bool:
    with suppress(Refused):
        _day(path)
        return True
    return False


def _without_day(path: Path) -> Given:
    """Give nothing for the day of a metric; refuse what is none."""
    beside = _day_of(path).name
    if not _has_value(path):
        raise Refused(f"not {_WHAT}: its date, {beside}, is not beside it")
    try:
        _day(path)
    except _NoDay as error:
        name = _named_by(path)
        told = f"not the date of {name!r} ({error}), nor is {beside} beside it"
        raise Refused(f"not {_WHAT}: {told}") from error
    except Refused:
        pass  # told with the metric
    return Given()


class _NoDay(Refused):
    """A file can be read, and holds no day."""


def _day(path: Path) -> date:
    """Give the day that a file holds; nothing in it is unpickled."""
    text = _text_of_json(path) if path.suffix == _JSON else _text_of_array(path)
    # strictly: fromisoformat takes other spellings as well
    if not _DAY.fullmatch(text):
        raise _NoDay(f"no date YYYY-MM-DD: {text[:20]!r}")
    try:
        day = date.fromisoformat(text)
        _span(day)
    except (ValueError, OverflowError, OSError) as error:
        raise _NoDay(f"no date: {text!r}") from error
    return day


def _text_of_json(path: Path) -> str:
    data = _bytes(path, _MAX_DAY_BYTES)
    with damage_refused():
        value = json.loads(data)
    if not isinstance(value, str):
        raise _NoDay("it holds no text")
    return value


def _text_of_array(path: Path) -> str:
    _refuse_large(path, _MAX_DAY_BYTES)
    with numpy_file(path) as file:
        if list(file.forms) != [_ARRAY if file.is_zip else ONLY]:
            raise _NoDay("it holds more than a date")
        [(name, form)] = file.forms.items()
        if form.shape != () or form.dtype.kind not in "US":
            raise _NoDay("it holds no text")
        if form.dtype.itemsize > _MAX_TEXT_BYTES:
            raise _NoDay("it holds more than a date")
        value = file.read(name, _WHAT, allow_pickle=False).item()
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _created(path: Path, day: date) -> float:
    """Give when a metric was computed: on that day.

    Its file may tell the hour; of several of one day the last is then the newest.
    """
    begin, end = _span(day)
    with damage_refused():
        changed = path.stat().st_mtime
    return changed if begin <= changed < end else begin


def _span(day: date) -> tuple[float, float]:
    """Give the begin and end of a day here, in s since 1970."""
    begin, end = (
        datetime.combine(one, time()).timestamp()
        for one in (day, day + timedelta(days=1))
    )
    return begin, end


# --- the value


def _value(path: Path, allow_pickle: bool) -> tuple[Any, str, str]:
    """Give a value, the digest of its file, and what to say of it."""
    if path.suffix == _JSON:
        data = _bytes(path)
        with damage_refused():
            return json.loads(data), blake3(data).hexdigest(), ""
    with numpy_file(path) as file:
        arrays = {
            name: file.read(name, _WHAT, allow_pickle=allow_pickle)
            for name in file.forms
        }
        said = [file.remark, _remark(file)]
        return _arranged(arrays), file.digest(), "; ".join(filter(None, said))


def _arranged(arrays: dict[str, Any]) -> Any:
    """Give arrays as they were loaded: one, a list, or a dict."""
    numbered = [f"arr_{n}" for n in range(len(arrays))]
    if not arrays or set(arrays) not in (set(numbered), {ONLY}):
        return arrays
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    return [arrays[name] for name in numbered]


def _remark(file: NumpyFile) -> str:
    if not file.forms:
        return _NOTHING
    return _SCALARS if any(one.shape == () for one in file.forms.values()) else ""


# --- files


def _bytes(path: Path, limit: int | None = None) -> bytes:
    irregular_refused(path)
    if limit is not None:
        _refuse_large(path, limit)
    with damage_refused():
        return path.read_bytes()


def _refuse_large(path: Path, limit: int) -> None:
    with damage_refused():
        if path.stat().st_size > limit:
            raise _NoDay("it holds more than a date")
