"""Single arrays in ``.npy`` files, exactly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from nbcache.errors import DamagedEntry
from nbcache.storage.files import FileStorage
from nbcache.storage.files_writing import refused, write_new
from nbcache.storage.npy_header import array_header, array_over, parse_header
from nbcache.storage.plain_files import open_plain

__all__ = ["NpyStorage"]


class NpyStorage(FileStorage):
    """A folder of ``.npy`` files, each with one array.

    Parameters
    ----------
    folder : path
        Made at the first write.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__(folder, ".npy")

    def _save(self, path: Path, data: Any) -> None:
        if type(data) is not np.ndarray:
            raise refused(
                "value", data, "only a numpy array is; NpzStorage keeps other values"
            )
        if data.dtype.hasobject:
            why = f"an array of {data.dtype} holds Python objects; see NpzStorage"
            raise refused("value", data, why)
        fortran = bool(data.flags.f_contiguous and not data.flags.c_contiguous)
        flat = np.ascontiguousarray(data.T if fortran else data).reshape(-1)
        body = flat.view(np.uint8).data if data.nbytes else b""
        write_new(path, array_header(data, fortran), body)

    def _load(self, path: Path) -> np.ndarray[Any, Any]:
        with open_plain(path) as file:
            whole = file.read()
        header, start = parse_header(whole)
        if start + header.nbytes != len(whole):
            raise DamagedEntry("it is not as long as its array")
        # of its own, so that it can be written to and resized
        return array_over(header, whole, start).copy("K")
