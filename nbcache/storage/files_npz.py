"""Any values in ``.npz`` files that `numpy.load` opens.

What people look for stands under its name: an array is member ``arr_0``, those of a
list or tuple are ``arr_0, arr_1, ...``, and those of a dict stand under their keys,
where these are identifiers.  A manifest says what the value was exactly, with the tree
of the codec.  The container is that of entries (`storage.npz`), unsigned.  Files of
`numpy.savez` itself are read too.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from blake3 import blake3

from nbcache.errors import DamagedEntry, UnstorableValue, UntrustedEntry
from nbcache.storage import codec, npz
from nbcache.storage.files import FileStorage
from nbcache.storage.files_writing import refused
from nbcache.storage.npz_layout import END, LARGEST_16
from nbcache.storage.plain_files import MAKE_FLAGS, open_plain

__all__ = ["NpzStorage"]

Array = np.ndarray[Any, Any]

_FORMAT: Final = 1
# no key of a computation: nothing takes such a file for an entry of it
_KEY: Final = blake3(b"nbcache storage").hexdigest(16)
_VALUE, _ARRAY = "value", "arr_0"
_NUMBERED = re.compile(r"arr_(0|[1-9]\d*)")
_OURS = npz.MANIFEST + ".npy"
_NPY = ".npy"


class NpzStorage(FileStorage):
    """A folder of ``.npz`` files: arrays, and all that is kept without pickle.

    Parameters
    ----------
    folder : path
        Made at the first write.
    compress : bool
        Deflate what becomes smaller by that.
    allow_pickle : bool
        Also keep, and load, what only pickle can: loading such a file runs code that is
        in it.
    list_limit : int, optional
        Refuse longer lists and tuples.

    Notes
    -----
    Values come back equal in type, dtype and order, and as shared as they were.
    Instances of your own classes are left to pickle, whose files need these classes.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        compress: bool = False,
        allow_pickle: bool = False,
        list_limit: int | None = None,
    ) -> None:
        super().__init__(folder, ".npz")
        self.compress = compress
        self.allow_pickle = allow_pickle
        self.list_limit = list_limit

    def _save(self, path: Path, data: Any) -> None:
        if self.list_limit is not None and isinstance(data, list | tuple):
            self._require_short(len(data), data)
        form, values = _formed(data)
        encoded = self._encoded(values)
        manifest = {"storage": _FORMAT, "form": form, "tree": encoded.tree}
        text = json.dumps(manifest, separators=(",", ":")).encode("ascii")
        with os.fdopen(os.open(path, MAKE_FLAGS, 0o666), "wb", buffering=0) as file:
            npz.write(
                *(file, encoded.members.items(), text),
                key=_KEY,
                compress=self.compress,
                sign=_nobody,
            )

    def _require_short(self, length: int, data: object) -> None:
        if self.list_limit is not None and length > self.list_limit:
            why = f"{length} items, more than list_limit={self.list_limit}"
            raise refused(_VALUE, data, why)

    def _encoded(self, values: dict[str, Any]) -> codec.Encoded:
        try:
            return codec.encode(values, allow_pickle=self.allow_pickle)
        except UnstorableValue as error:
            if self.allow_pickle or error.path != "?":
                raise
            path = next(iter(codec.encode(values).pickled), _VALUE)
            why = "only pickle keeps it: NpzStorage(..., allow_pickle=True)"
            raise UnstorableValue(path, error.type_name, why) from error

    def _load(self, path: Path) -> Any:
        try:
            archive = npz.Archive.open(path, mappable=False)
        except DamagedEntry:
            return self._of_numpy(path)
        with archive:
            archive.verify()
            try:
                return self._decoded(archive)
            except UntrustedEntry as error:
                raise _pickled(path) from error

    def _decoded(self, archive: npz.Archive) -> Any:
        if archive.trailer.key != _KEY:
            raise DamagedEntry("it is an entry of a cache, not of a storage")
        manifest = json.loads(archive.manifest())
        if manifest.get("storage") != _FORMAT or manifest.get("form") not in _FORMS:
            raise DamagedEntry("a later version of nbcache wrote it")
        values = codec.decode(
            manifest["tree"],
            lambda name: archive.read(name, None),
            allow_pickle=self.allow_pickle,
        )
        return _FORMS[manifest["form"]](values)

    # ------------------------------------------------------------ files of numpy's own

    def _of_numpy(self, path: Path) -> Any:
        """Read what `numpy.savez` wrote, or the package before this one."""
        with open_plain(path) as file, zipfile.ZipFile(file) as packed:
            names = packed.namelist()
            if _OURS in names or len(names) != _count(file, len(names)):
                raise DamagedEntry("it is not as it was written")
            if not all(name.endswith(_NPY) for name in names):
                raise DamagedEntry("it holds more than arrays")
            # whole: only at its end is the checksum of a member compared
            found = {
                name.removesuffix(_NPY): self._array(path, packed.read(name))
                for name in names
            }
        return _unformed(found)

    def _array(self, path: Path, data: bytes) -> Array:
        stream = io.BytesIO(data)
        if not self.allow_pickle and _holds_objects(data):
            raise _pickled(path)
        found: Array = np.lib.format.read_array(stream, allow_pickle=self.allow_pickle)
        return found


def _formed(data: Any) -> tuple[str, dict[str, Any]]:
    """Give what a value is, and the values that stand in the file for it."""
    if _is_plain(data):
        return "array", {_ARRAY: data}
    if type(data) in (list, tuple) and data and all(map(_is_plain, data)):
        named = {f"arr_{number}": array for number, array in enumerate(data)}
        return type(data).__name__, named
    if type(data) is dict and data and _is_of_arrays(data):
        return "dict", data
    return _VALUE, {_VALUE: data}


def _is_plain(value: object) -> bool:
    return type(value) is np.ndarray and not value.dtype.hasobject


def _is_of_arrays(data: dict[Any, Any]) -> bool:
    return all(type(key) is str for key in data) and all(map(_is_plain, data.values()))


_FORMS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "array": lambda values: values[_ARRAY],
    "list": lambda values: list(values.values()),
    "tuple": lambda values: tuple(values.values()),
    "dict": lambda values: values,
    _VALUE: lambda values: values[_VALUE],
}


def _unformed(found: dict[str, Array]) -> Any:
    """Give what the arrays of a file without manifest were."""
    numbers = [match and int(match[1]) for match in map(_NUMBERED.fullmatch, found)]
    if not found or sorted(numbers, key=str) != sorted(range(len(found)), key=str):
        return found
    ordered = [found[f"arr_{number}"] for number in range(len(found))]
    return ordered[0] if len(ordered) == 1 else ordered


def _count(file: BinaryIO, known: int) -> int:
    """Give how many members a zip says to have, where it says so at its end."""
    file.seek(-END.size, os.SEEK_END)
    record = END.unpack(file.read(END.size))
    is_told = record[0] == b"PK\x05\x06" and record[4] != LARGEST_16
    return int(record[4]) if is_told else known


def _holds_objects(data: bytes) -> bool:
    stream = io.BytesIO(data)
    read: Any = _HEADERS.get(np.lib.format.read_magic(stream))
    return read is not None and bool(read(stream)[2].hasobject)


_HEADERS: Final = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def _pickled(path: Path) -> UntrustedEntry:
    return UntrustedEntry(
        f"{path} holds pickled Python objects, and loading them can run code that is "
        "in it. If you trust it: NpzStorage(..., allow_pickle=True)"
    )


def _nobody(*_: object) -> str:
    return ""
