"""Results of numpy_caching: ``_cache/*.npz``, one a call.

An array ``arr_0`` without dimensions holds ``{0: value}``, pickled.  The first versions
saved the value itself, an array.
"""

from __future__ import annotations

import re
from pathlib import Path

from nbcache.legacy.numpy_files import NumpyFile, numpy_file
from nbcache.legacy.result import Given, Refused, Result

__all__ = ["NumpyCaching", "function_name"]

_WHAT = "a result of numpy_caching"
_ARRAY = "arr_0"
_READABLE = re.compile(r"(.+)_[0-9a-f]{6}")


class NumpyCaching:
    """The format of numpy_caching."""

    kind = "numpy_caching"
    folder = "_cache"

    def asked(self) -> NumpyCaching:
        """Give the format as it is where it alone is looked for."""
        return self

    def may_hold(self, path: Path) -> bool:
        """Say by its name whether a file can be one with results."""
        return path.name.endswith(".npz")

    def holds(self, path: Path) -> bool:
        """Say by its form whether a file is one of this package."""
        with numpy_file(path) as file:
            return file.is_zip and list(file.forms) == [_ARRAY]

    def read(self, path: Path, *, allow_pickle: bool) -> Given:
        """Give what a file holds."""
        with numpy_file(path) as file:
            value = _value(file, allow_pickle)
            result = Result(function_name(path.stem), path.stem, value, file.digest())
            return Given([result], remark=file.remark)


def _value(file: NumpyFile, allow_pickle: bool) -> object:
    form = file.forms[_ARRAY]
    array = file.read(_ARRAY, _WHAT, allow_pickle=allow_pickle)
    if not form.is_pickled:
        return array
    held = array.item() if array.ndim == 0 else None
    if not isinstance(held, dict) or list(held) != [0]:
        raise Refused(f"not {_WHAT}: it holds something else than one value")
    return held[0]


def function_name(stem: str) -> str:
    """Give the function's part of a readable file name; all of any other.

    Such a name is the function's, its arguments reduced to letters and digits, and six
    digits of a hash, joined by ``_``.  Where the function's part ends is not marked:
    it goes on while there are words as names of functions have them.
    """
    match = _READABLE.fullmatch(stem)
    if match is None:
        return stem
    words = match[1].split("_")
    count = next((n for n, word in enumerate(words) if word), 0) + 1
    while count < len(words) and _is_of_name(words[count]):
        count += 1
    return "_".join(words[:count])


def _is_of_name(word: str) -> bool:
    return word.islower() and not word[0].isdigit()
