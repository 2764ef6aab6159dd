"""The list of a batch: ids and keys of its finished runs, in a file of the store."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbcache.cache import Core
from nbcache.keys import hashing
from nbcache.storage.locks import exclusive
from nbcache.storage.plain_files import beside, open_plain

__all__ = ["Listed", "all_listed", "keep_listed", "listed"]

_FORMAT = 1
_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A finished run.

    Parameters
    ----------
    id : str
        Of the run.
    key : str
        Under which its result was looked up.
    """

    id: str
    key: str


def _path(core: Core, name: str) -> Path:
    slug = re.sub(r"[^A-Za-z0-9]+", "_", name)[:40].strip("_") or "batch"
    return core.store.folder / "batches" / f"{slug}-{hashing.digest(name)[:16]}.json"


def listed(core: Core, name: str) -> list[Listed]:
    """Give the finished runs of a batch, in its order."""
    return _read(_path(core, name))


def all_listed(core: Core) -> list[Listed]:
    """Give the finished runs of all batches of a store."""
    found: list[Listed] = []
    with suppress(OSError):
        for path in sorted((core.store.folder / "batches").glob("*.json")):
            found += _read(path)
    return found


def _read(path: Path) -> list[Listed]:
    """Read a list; what is no such list has no runs, as the entries tell them too."""
    try:
        with open_plain(path) as file:
            document = json.loads(file.read())
        return [Listed(str(one["id"]), str(one["key"])) for one in document["runs"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def keep_listed(core: Core, name: str, runs: Iterable[Listed]) -> None:
    """Enter finished runs into the list of a batch, in the order of the batch.

    New ones go behind the one that precedes them here, the others to the end.

    Raises
    ------
    OSError
        It cannot be written.
    """
    given = list(dict.fromkeys(runs))
    path = _path(core, name)
    if not given or not core.store.prepare():
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    lock = core.store.place.lock(hashing.digest(("batch", name)))
    with exclusive(lock, _WAIT_S):
        before = _read(path)
        whole = _merged(before, given)
        if whole == before:
            return
        document: dict[str, Any] = {
            "format": _FORMAT,
            "name": name,
            "runs": [{"id": one.id, "key": one.key} for one in whole],
        }
        with beside(path) as (file, temporary):
            file.write(json.dumps(document, indent=1).encode())
            file.flush()
            temporary.replace(path)


def _merged(before: list[Listed], given: list[Listed]) -> list[Listed]:
    known, behind = set(before), dict[Listed | None, list[Listed]]()
    last = first = None
    for one in given:
        if one in known:
            last, first = one, first or one
        else:
            behind.setdefault(last, []).append(one)
    whole: list[Listed] = []
    for one in dict.fromkeys(before):
        if one == first:
            whole += behind.pop(None, [])
        whole += [one, *behind.get(one, ())]
    whole += behind.get(None, [])
    in_order, mine = iter(given), set(given)
    return [next(in_order) if one in mine else one for one in whole]
