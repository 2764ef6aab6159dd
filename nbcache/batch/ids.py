"""Ids of runs in files, and results that are loaded when they are asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from nbcache.storage.plain_files import beside

__all__ = ["Lazy", "save"]

_FORMATS = ("json", "npy", "py")


def save(
    ids: list[str],
    name: str,
    folder: Path | None,
    filename: str | os.PathLike[str] | None,
    format: str,
) -> Path:
    """Write ids to a file, whole or not at all; see `Batch.save_ids`."""
    own = f"{name.replace(os.sep, '_')}_ids"
    path = Path(own if filename is None else filename)
    form = path.suffix[1:] if filename is not None and path.suffix else format
    if form not in _FORMATS:
        raise ValueError(f"ids are written as {', '.join(_FORMATS)}, not {form!r}")
    if filename is None or not path.suffix:
        path = path.with_name(f"{path.name}.{form}")
    path = ((folder or Path()) / path if filename is None else path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as (file, temporary):
        if form == "npy":
            np.save(file, np.array(ids, dtype=str), allow_pickle=False)
        else:
            text = json.dumps(ids, indent=1)
            file.write(f"ids = {text}\n".encode() if form == "py" else text.encode())
        file.flush()
        temporary.replace(path)
    return path


class Lazy(Sequence[Any]):
    """Values that are made when they are asked for, each time anew.

    Parameters
    ----------
    makers : iterable of callable
        Each gives a value.
    """

    def __init__(self, makers: Iterable[Callable[[], Any]]) -> None:
        self._makers = list(makers)

    @overload
    def __getitem__(self, place: int) -> Any: ...
    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...
    def __getitem__(self, place: int | slice) -> Any:
        """Give a value, or a list of some."""
        if isinstance(place, slice):
            return [make() for make in self._makers[place]]
        return self._makers[place]()

    def __len__(self) -> int:
        return len(self._makers)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} results>" if len(self) > 20 else repr(list(self))
