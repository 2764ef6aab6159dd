"""Plain values in ``.json`` files; arrays become lists.

As Python's own `json` does it, NaN and the infinities stand as ``NaN``, ``Infinity``
and ``-Infinity``: they come back, though other programs may not read them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from nbcache.errors import DamagedEntry, UnstorableValue
from nbcache.storage.files import FileStorage
from nbcache.storage.files_meta import json_bytes
from nbcache.storage.files_writing import refused, write_new
from nbcache.storage.plain_files import open_plain

__all__ = ["JsonStorage"]

_PLAIN = (type(None), bool, int, float, str)
# bool, integers, floats and text
_KINDS = "biufU"


class JsonStorage(FileStorage):
    """A folder of ``.json`` files: numbers, text, lists and dicts.

    Parameters
    ----------
    folder : path
        Made at the first write.

    Notes
    -----
    What is loaded is what JSON has: arrays and tuples come back as lists, numpy's
    scalars as numbers.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__(folder, ".json")

    def _save(self, path: Path, data: Any) -> None:
        try:
            text = json_bytes(_Plain().of(data, "value"))
        except RecursionError:
            raise refused("value", data, "it is nested too deeply") from None
        except ValueError as error:  # integers of thousands of digits
            if isinstance(error, UnstorableValue):
                raise
            raise refused("value", data, str(error)) from error
        write_new(path, text)

    def _load(self, path: Path) -> Any:
        with open_plain(path) as file:
            data = file.read()
        try:
            return json.loads(str(data, "utf-8-sig"))
        except RecursionError as error:
            raise DamagedEntry("it is nested too deeply") from error


class _Plain:
    """One conversion: it knows what it is inside of."""

    def __init__(self) -> None:
        self._outer: set[int] = set()

    def of(self, value: Any, path: str) -> Any:
        if type(value) in _PLAIN:
            return value
        if isinstance(value, np.generic):
            return _number(value, path)
        if isinstance(value, np.ndarray):
            if type(value) is np.ndarray and value.dtype.kind in _KINDS:
                return self._checked(value, path)
            if type(value) is not np.ndarray or not value.dtype == object:
                raise refused(path, value, f"JSON has no {value.dtype}")
        if not isinstance(value, dict | list | tuple | np.ndarray):
            raise refused(path, value, "JSON has nothing for it; see NpzStorage")
        if id(value) in self._outer:
            raise refused(path, value, "it contains itself")
        self._outer.add(id(value))
        try:
            return self._inside(value, path)
        finally:
            self._outer.discard(id(value))

    def _inside(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {
                self._key(key, path): self.of(item, f"{path}[{key!r}]")
                for key, item in value.items()
            }
        if isinstance(value, np.ndarray):
            if value.ndim == 0:
                return self.of(value[()], path)
            value = [value[number] for number in range(len(value))]
        return [self.of(item, f"{path}[{number}]") for number, item in enumerate(value)]

    def _checked(self, value: np.ndarray[Any, Any], path: str) -> Any:
        if value.dtype.kind == "f" and value.dtype.itemsize > np.dtype(float).itemsize:
            raise refused(path, value, f"JSON has no {value.dtype}")
        return value.tolist()

    def _key(self, key: Any, path: str) -> str:
        if type(key) is str:
            return key
        if type(key) is np.str_:
            return str(key)
        why = f"the key {key!r} is no str, and JSON would make one of it"
        raise refused(path, key, why)


def _number(value: np.generic, path: str) -> Any:
    found = value.item()
    if value.dtype.kind in _KINDS and type(found) in _PLAIN:
        return found
    raise refused(path, value, f"JSON has no {value.dtype}")
