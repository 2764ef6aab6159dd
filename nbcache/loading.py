"""Read the values of an entry by name, without its code and without a shell."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from nbcache import randomness
from nbcache.cache import Core
from nbcache.errors import NotCached, UnhashableValue, UnknownName, UnstorableValue
from nbcache.info import imported_as, unknown
from nbcache.keys import hashing
from nbcache.keys.classes import UserClasses
from nbcache.storage.entry import FAILURE, Entry
from nbcache.storage.store import Opened

__all__ = ["load_values"]

_RESULT = "<result>"
_VALUE = "<value>"


def load_values(core: Core, wanted: str) -> dict[str, Any]:
    """Give the values of the newest entry of a name, or of the entry with a key.

    Parameters
    ----------
    core : Core
        Where it is.
    wanted : str
        A cell's name, else a function's or that of an imported result; or a key, or
        the id that an imported result had elsewhere.

    Returns
    -------
    dict of str to object
        A cell's variables by name; a function's result as ``value``.

    Raises
    ------
    NotCached
        There is none, or its values refer to what is not here.
    DamagedEntry, UntrustedEntry, OSError
        It cannot be used.
    """
    entry = _newest(core, wanted)
    opened = core.store.get(entry.key, entry.file.rpartition("-")[0])
    if opened is None:
        raise NotCached(f"the entry of {wanted!r} has just been deleted")
    try:
        values = _decoded(opened)
    except (LookupError, UnstorableValue) as error:
        said = error.args[0] if error.args else error
        raise NotCached(f"{wanted!r} refers to what is not here: {said}") from error
    finally:
        opened.close()
    values.pop(randomness.RANDOM, None)
    values.pop(_RESULT, None)
    if _VALUE in values:
        values["value"] = values.pop(_VALUE)
    return values


def _newest(core: Core, wanted: str) -> Entry:
    found = [one for one in core.store.by_name(wanted) if one.kind != FAILURE]
    cells = [entry for entry in found if entry.kind == "cell"]
    if cells or found:
        return (cells or found)[0]
    entries = core.store.entries()
    for entry in entries:
        if entry.key == wanted:
            return entry
    try:
        imported = imported_as(entries, wanted)
    except UnknownName as error:
        raise NotCached(str(error)) from error
    if imported:
        return imported[0]
    raise NotCached(str(unknown(wanted, {entry.name for entry in entries})))


def _decoded(opened: Opened) -> dict[str, Any]:
    scope = vars(sys.modules["__main__"])
    return opened.decode(
        live=_unchanged_inputs(opened.entry, scope),
        classes=UserClasses(),
        namespace=scope,
    )


def _unchanged_inputs(entry: Entry, scope: Mapping[str, Any]) -> dict[str, Any]:
    """Give the inputs to which values may refer: only those that are what they were."""
    found = {}
    for label, digest, *_ in entry.parts:
        kind, _, name = label.partition(" ")
        if kind != "input" or name not in scope:
            continue
        try:
            same = hashing.digest(scope[name], path=name) == digest
        except UnhashableValue:
            continue
        if same:
            found[name] = scope[name]
    return found
