"""Results of batchpy, of both of its generations, in ``_res``.

That of 2015 kept a batch in one ``<name>.npz``: whether each run was done, the results
(pickled dicts), the ids.  From 1.0 on, each run had a ``<name>_<id>.npy``: an array
without dimensions that holds ``{'res', 'id', 'runtime', 'parameters'}``, pickled; the
last two came later.  Lists of ids lie beside them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from nbcache.batch.parameters import kept_parameters
from nbcache.keys import hashing
from nbcache.legacy.numpy_files import ONLY, NumpyFile, numpy_file
from nbcache.legacy.result import Given, Refused, Result

__all__ = ["Batchpy"]

_RUN = "a run of batchpy"
_BATCH = "a batch of batchpy"
# flags, results, ids; for a while in 2015 they had names
_NAMES = (("arr_0", "arr_1", "arr_2"), ("rundone", "res", "id"))


class Batchpy:
    """The format of batchpy."""

    kind = "batchpy"
    folder = "_res"

    def asked(self) -> Batchpy:
        """Give the format as it is where it alone is looked for."""
        return self

    def may_hold(self, path: Path) -> bool:
        """Say by its name whether a file can be one with results."""
        name = path.name
        return name.endswith((".npz", ".npy")) and not name.endswith("_ids.npy")

    def holds(self, path: Path) -> bool:
        """Say by its form whether a file is one of this package."""
        with numpy_file(path) as file:
            if file.is_zip:
                return _names(file) is not None
            form = file.forms[ONLY]
            return _is_list_of_ids(file) or (form.is_pickled and form.shape == ())

    def read(self, path: Path, *, allow_pickle: bool) -> Given:
        """Give what a file holds."""
        with numpy_file(path) as file:
            if file.is_zip:
                return _batch(file, allow_pickle)
            if _is_list_of_ids(file):
                return Given()
            return Given([_run(file, allow_pickle)], remark=file.remark)


def _is_list_of_ids(file: NumpyFile) -> bool:
    form = file.forms[ONLY]
    return form.dtype.kind in "US" and len(form.shape) == 1


def _names(file: NumpyFile) -> tuple[str, str, str] | None:
    return next((names for names in _NAMES if set(names) == set(file.forms)), None)


# --- since 1.0


def _run(file: NumpyFile, allow_pickle: bool) -> Result:
    array = file.read(ONLY, _RUN, allow_pickle=allow_pickle)
    held = array.item() if array.ndim == 0 else None
    if not isinstance(held, dict) or "res" not in held:
        raise Refused(f"not {_RUN}: it holds no 'res'")
    stem = file.path.stem
    number = _text(held["id"]) if "id" in held else stem.rpartition("_")[2]
    batch = stem.removesuffix(f"_{number}")
    parameters = held.get("parameters")
    if not isinstance(parameters, dict):
        parameters = {}
    return Result(
        batch,
        number,
        held["res"],
        file.digest(),
        _seconds(held.get("runtime")),
        _state(batch, number, parameters),
    )


def _seconds(runtime: Any) -> float:
    try:
        seconds = float(runtime)
    except (TypeError, ValueError):
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def _state(batch: str, number: str, parameters: dict[Any, Any]) -> dict[str, Any]:
    kept = kept_parameters({_text(name): one for name, one in parameters.items()})
    return {"run": {"id": number, "batch": batch, "parameters": kept}}


# --- of 2015


def _batch(file: NumpyFile, allow_pickle: bool) -> Given:
    names = _names(file)
    assert names is not None
    done, results, ids = (
        file.read(name, _BATCH, allow_pickle=allow_pickle) for name in names
    )
    shapes = {one.shape[:1] for one in (done, results, ids)}
    if len(shapes) > 1 or () in shapes:
        raise Refused(f"not {_BATCH}, or damaged: its lists are not of one length")
    batch, whole = file.path.stem, file.digest()
    found = []
    for place, number in enumerate(map(_text, ids)):
        if done[place]:
            value = _copied(results[place])
            content = _content(value) or f"{whole} {place}"
            state = _state(batch, number, {})
            found.append(Result(batch, number, value, content, state=state))
    return Given(found, len(done) - len(found), file.remark)


def _copied(value: Any) -> Any:
    """Give what shares no memory with the results of other runs."""
    return value.copy() if isinstance(value, np.ndarray) else value


def _content(value: Any) -> str:
    """Give the digest of a value; '' if it has none.

    Not that of the file: it was written anew for each run.
    """
    try:
        return hashing.digest(value)
    except Exception:  # whatever a class of the user's raises
        return ""


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
