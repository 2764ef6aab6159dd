"""One call to be computed, and what came of it, as data that travels."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import cloudpickle

from nbcache.executors.callee import Callee
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content

__all__ = ["FAILED", "FOUND", "RETURNED", "STORED", "Failed", "Point", "Report", "Work"]

STORED, FOUND, RETURNED, FAILED = "stored", "found", "returned", "failed"


@dataclass(slots=True)
class Point:
    """One call.

    Parameters
    ----------
    callee : Callee
        What is called.
    args, kwargs
        Its arguments.
    key : str
        Digest of the key, made where the batch is; "" if the call has none.
    label : str
        How it is named to the user.
    state : mapping
        What its entry keeps in its own.
    parts : mapping of str to str
        Digests of the parts of the key, to tell what a worker finds different.
    folder, settings
        Of the store where it is kept, and of its core.
    keep : bool
        Whether the result is stored.
    seconds : float or None
        What it took when it last ran.
    sends : bool
        Whether the result is to be sent back and stored where the call comes from.
    """

    callee: Callee
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: str
    label: str
    state: Mapping[str, Any] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    settings: Any = None
    keep: bool = True
    refresh: bool = False
    seconds: float | None = None
    sends: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """What a call raised.

    Parameters
    ----------
    error : Exception
        What was raised; where it cannot travel, a RuntimeError with its text.
    traceback : str
        As Python prints it, with the frames of the worker.
    kinds : tuple of str
        The error's class and its bases, by qualified name.
    host : str
        Where it was raised.
    """

    error: Exception
    traceback: str
    kinds: tuple[str, ...] = ()
    host: str = field(default_factory=socket.gethostname)

    def __reduce__(self) -> Any:
        # an error that cannot be pickled, or not be read elsewhere, costs only itself
        packed = b""
        with suppress(Exception):
            packed = cloudpickle.dumps(self.error)
        return _failed, (packed, self.traceback, self.kinds, self.host)


def _failed(packed: bytes, text: str, kinds: tuple[str, ...], host: str) -> Failed:
    try:
        error = cloudpickle.loads(packed)
    except Exception:
        error = None
    if not isinstance(error, Exception):
        error = RuntimeError(text.strip().splitlines()[-1] if text.strip() else "")
    return Failed(error, text, kinds, host)


@dataclass(slots=True)
class Report:
    """What came of one point; without its value, about 200 bytes.

    Parameters
    ----------
    number : int
        Of the point.
    status : str
        ``stored``, ``found`` (somebody else had stored it), ``returned`` (it could not
        be stored where it was computed) or ``failed``.
    seconds : float
        s that computing took.
    bytes : int
        Size of the entry.
    value
        Of a result that is stored nowhere.
    why : str
        Why a result was returned.
    entry, content
        A result to be stored where the batch is.
    failed : Failed, optional
        What it raised.
    """

    number: int
    status: str
    seconds: float = 0.0
    bytes: int = 0
    host: str = field(default_factory=socket.gethostname)
    value: Any = None
    why: str = ""
    entry: Entry | None = None
    content: Content | None = None
    failed: Failed | None = None


@dataclass(slots=True)
class Work:
    """Some points for one worker.

    Parameters
    ----------
    points : list of (int, Point)
        With their numbers.
    home : str
        Folder of the default cache where the batch is.
    canaries : dict of str to str
        By the folder of a store, the key of an entry that who sees it can read.
    sent_by : dict of str to str
        Versions where the batch is.
    """

    points: list[tuple[int, Point]]
    home: str = ""
    canaries: Mapping[str, str] = field(default_factory=dict)
    sent_by: Mapping[str, str] = field(default_factory=dict)
