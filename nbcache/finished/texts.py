"""Matches, iterators that were read to their end, and readers of closed files."""

from __future__ import annotations

import csv
import gc
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from nbcache.finished.kinds import Kind, Left

__all__ = ["KINDS"]

# --- matches

_MOST_MATCHES = 1000
_WAYS = ("match", "fullmatch", "search")


def _take_match(match: re.Match[Any]) -> Left | None:
    pattern, text = match.re, match.string
    if type(text) not in (str, bytes) or pattern.flags & re.DEBUG:
        return None
    place = (pattern.pattern, pattern.flags, text, match.pos, match.endpos)
    for way in (*_WAYS, ""):
        for number, one in enumerate(_matches(pattern, text, *place[3:], way)):
            if _span(one) == _span(match):
                return (*place, way, number, *_span(match)), (*place, *_span(match))
    return None


def _span(match: re.Match[Any] | None) -> tuple[Any, ...]:
    return () if match is None else (match.regs, match.lastindex, match.groups())


def _matches(
    pattern: re.Pattern[Any], text: Any, start: int, end: int, way: str
) -> Iterator[re.Match[Any] | None]:
    if way:
        return iter([getattr(pattern, way)(text, start, end)])
    return islice(pattern.finditer(text, start, end), _MOST_MATCHES)


def _make_match(
    _: Any, pattern: Any, flags: int, text: Any, start: int, end: int, *how: Any
) -> Any:
    way, number, *span = how
    compiled = re.compile(pattern, flags)
    found = next(islice(_matches(compiled, text, start, end, way), number, None), None)
    if found is None or _span(found) != tuple(span):
        raise LookupError(f"{pattern!r} matches otherwise now")
    return found


# --- generators


def _take_generator(generator: Any) -> Left | None:
    if generator.gi_frame is not None:
        return None
    parts = (generator.__name__, generator.__qualname__)
    return parts, parts


def _make_generator(_: Any, name: str, qualname: str) -> Any:
    nothing: tuple[Any, ...] = ()
    made: Any = (one for one in nothing)
    made.__name__, made.__qualname__ = name, qualname
    made.close()
    return made


# --- csv

_DIALECT = (
    *("delimiter", "quotechar", "doublequote", "escapechar", "skipinitialspace"),
    *("lineterminator", "quoting", "strict"),
)


class _Closed:
    """Lines and then what a closed file says; stands for it in a reader."""

    def __init__(self, lines: int) -> None:
        self._lines = lines

    def __iter__(self) -> _Closed:
        return self

    def __next__(self) -> str:
        if not self._lines:
            raise ValueError("I/O operation on closed file.")
        self._lines -= 1
        return "\n"


def _dialect(reader: Any) -> dict[str, Any]:
    return {name: getattr(reader.dialect, name) for name in _DIALECT}


def _is_over(reader: Any) -> bool:
    """Say whether the file that a reader or writer goes through is closed."""
    held = gc.get_referents(reader)
    files = [getattr(one, "__self__", one) for one in held]
    return any(isinstance(one, io.IOBase) and one.closed for one in files) or any(
        isinstance(one, _Closed) for one in files
    )


def _take_reader(reader: Any) -> Left | None:
    parts = (_dialect(reader), reader.line_num)
    return (parts, parts) if _is_over(reader) else None


def _make_reader(_: Any, dialect: dict[str, Any], lines: int) -> Any:
    # an empty line counts and leaves nothing behind, whatever the dialect
    made = csv.reader(_Closed(lines), **dialect)
    for _line in range(lines):
        next(made)
    return made


def _take_writer(writer: Any) -> Left | None:
    parts = (_dialect(writer),)
    return (parts, parts) if _is_over(writer) else None


def _make_writer(_: Any, dialect: dict[str, Any]) -> Any:
    file = io.StringIO()
    file.close()
    return csv.writer(file, **dialect)


KINDS = {
    "Match": Kind("re", "Match", _take_match, _make_match),
    "generator": Kind("types", "GeneratorType", _take_generator, _make_generator),
    "reader": Kind("_csv", "Reader", _take_reader, _make_reader),
    "writer": Kind("_csv", "Writer", _take_writer, _make_writer),
}
