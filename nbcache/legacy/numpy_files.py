"""Files that `numpy.save` and `savez` wrote; unpickled only where that is allowed."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from blake3 import blake3

from nbcache.legacy.result import Refused

__all__ = [
    *("ONLY", "Array", "Form", "NumpyFile"),
    *("damage_refused", "irregular_refused", "numpy_file"),
]

ONLY = ""
"""Name of the array of an ``.npy`` file."""

Array = np.ndarray[Any, Any]

_MAGIC = b"\x93NUMPY"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SUFFIX = ".npy"
_BLOCK = 1 << 20
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True, slots=True)
class Form:
    """What the header of an array says."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def is_pickled(self) -> bool:
        """Whether the array can be had by unpickling alone."""
        return self.dtype.hasobject


class NumpyFile:
    """The arrays of a file.

    Attributes
    ----------
    forms : dict of str to Form
        By name; that of an ``.npy`` file is `ONLY`.
    is_of_python2 : bool
        Whether an array could be read as one that Python 2 wrote only.
    """

    def __init__(
        self, path: Path, file: IO[bytes], packed: zipfile.ZipFile | None
    ) -> None:
        self.path = path
        self.is_of_python2 = False
        self._file = file
        self._packed = packed
        self.forms = {name: self._form(name) for name in self._names()}

    def _names(self) -> list[str]:
        if self._packed is None:
            return [ONLY]
        names = self._packed.namelist()
        if not all(name.endswith(_SUFFIX) for name in names):
            raise Refused("no file that numpy wrote")
        return [name.removesuffix(_SUFFIX) for name in names]

    def _form(self, name: str) -> Form:
        if self._packed is None:
            self._file.seek(0)
            return _form(self._file)
        with self._packed.open(name + _SUFFIX) as member:
            return _form(member)

    @property
    def remark(self) -> str:
        """What may be other than it was; '' if nothing."""
        if not self.is_of_python2:
            return ""
        return "written by Python 2: texts in it were read as Latin-1"

    @property
    def is_zip(self) -> bool:
        """Whether it may hold several arrays."""
        return self._packed is not None

    def digest(self) -> str:
        """Give a digest of all its bytes."""
        running = blake3()
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            running.update(block)
        return running.hexdigest()

    def read(self, name: str, what: str, *, allow_pickle: bool) -> Array:
        """Give an array.

        Parameters
        ----------
        name : str
            Of `forms`.
        what : str
            What the file is, for the user.
        allow_pickle : bool
            Whether code of the file may run.

        Raises
        ------
        Refused
            It is pickled and that is not allowed, or it cannot be read.
        """
        if not self.forms[name].is_pickled:
            with damage_refused():
                return np.lib.format.read_array(self._stream(name), allow_pickle=False)
        if not allow_pickle:
            raise Refused(
                f"{what}, pickled: unpickling can run code, so it was not read. If "
                "you trust the file: --allow-pickle, or allow_pickle=True"
            )
        with damage_refused():
            stream = self._stream(name)
        return self._unpickled(stream)

    def _stream(self, name: str) -> IO[bytes]:
        if self._packed is None:
            self._file.seek(0)
            return self._file
        # whole: only at its end is the checksum compared, and no pickle goes there
        return io.BytesIO(self._packed.read(name + _SUFFIX))

    def _unpickled(self, stream: IO[bytes]) -> Array:
        try:
            return _loaded(stream, "ASCII")
        except UnicodeError:
            pass
        except (Exception, SystemExit) as error:  # whatever the code in it raises
            raise Refused(_unpickling_told(error)) from error
        try:
            stream.seek(0)
            array = _loaded(stream, "latin1")
        except (Exception, SystemExit) as error:
            raise Refused(_unpickling_told(error)) from error
        self.is_of_python2 = True
        return array


def _form(file: IO[bytes]) -> Form:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise Refused(f"arrays of format {version[0]}.{version[1]} are not read")
    with _unwarned():
        shape, _, dtype = _HEADERS[version](file)
    return Form(shape, dtype)


def _loaded(stream: IO[bytes], encoding: str) -> Array:
    with _unwarned():
        array = np.lib.format.read_array(
            stream, allow_pickle=True, pickle_kwargs={"encoding": encoding}
        )
    if not isinstance(array, np.ndarray):
        raise pickle.UnpicklingError("it holds no array")
    return array


@contextmanager
def _unwarned() -> Iterator[None]:
    # numpy warns of its own earlier versions, which is what these files are of
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def damage_refused() -> Iterator[None]:
    """Refuse, in one line, a file that cannot be read."""
    try:
        yield
    except Refused:
        raise
    except OSError as error:
        raise Refused(f"cannot be read: {_said(error)}") from error
    except Exception as error:  # whatever zipfile and numpy make of other bytes
        raise Refused(f"damaged or truncated: {_said(error)}") from error


def irregular_refused(path: Path) -> None:
    """Refuse what is no regular file: to open a pipe might never end."""
    with damage_refused():
        if not path.is_file():
            raise Refused("not a regular file")


@contextmanager
def numpy_file(path: Path) -> Iterator[NumpyFile]:
    """Open a file of numpy's; nothing but headers is read.

    Raises
    ------
    Refused
        It is none, or cannot be read.
    """
    irregular_refused(path)
    with ExitStack() as stack:
        with damage_refused():
            file = stack.enter_context(path.open("rb"))
            opened = _opened(path, file)
        yield opened


def _opened(path: Path, file: IO[bytes]) -> NumpyFile:
    begin = file.read(len(_MAGIC))
    if not begin:
        raise Refused("damaged or truncated: it is empty")
    if begin == _MAGIC:
        return NumpyFile(path, file, None)
    if begin[:4] in _ZIP:
        return NumpyFile(path, file, zipfile.ZipFile(file))
    raise Refused("no file that numpy wrote, or a damaged one")


def _unpickling_told(error: BaseException) -> str:
    if isinstance(error, ImportError):
        return f"it needs a module that cannot be imported here: {_said(error)}"
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return (
            f"it needs what your script or notebook defined ({_said(error)}): define "
            "that again, and call Cache().import_legacy there"
        )
    return f"it cannot be unpickled, it may be damaged: {_said(error)}"


def _said(error: BaseException) -> str:
    """Give an error in one line."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text}"[:300] if text else name
