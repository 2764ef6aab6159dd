"""Exceptions as results: kept, and raised again by a hit."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbcache.errors import NbcacheError, UnstorableValue
from nbcache.scripts import module_of
from nbcache.storage.entry import Entry

__all__ = [
    "FAILURE",
    "Failure",
    "described",
    "is_kept",
    "kept_failure",
    "restored",
    "unwanted",
]

FAILURE = "<failure>"
"""Under which an entry keeps the exception that a call raised."""

# they tell of the process or the cache, not of the call
_NEVER = (RecursionError, MemoryError, NbcacheError)


@dataclass(frozen=True, slots=True)
class Failure:
    """That a call raised: what stands in the place of its value."""

    error: Exception


def is_kept(error: BaseException, wanted: bool | tuple[type[Exception], ...]) -> bool:
    """Say whether ``cache_exceptions`` asks for keeping an exception.

    Never kept are exceptions that end a program or a task, and those that tell of the
    process rather than of the call.
    """
    if not wanted or not isinstance(error, Exception) or isinstance(error, _NEVER):
        return False
    return True if isinstance(wanted, bool) else isinstance(error, wanted)


def kept_failure(error: Exception, encode: Callable[..., Any]) -> Any:
    """Encode an exception, if it comes back as what it was.

    Raises
    ------
    UnstorableValue
        It does not: callers that catch it could not catch what a hit would raise.
    """
    kind = type(error)
    name = _name(kind)
    bare = _without_traceback(error)
    try:
        encoded = encode({FAILURE: bare})
    except UnstorableValue as cause:
        raise UnstorableValue("the exception", name, cause.reason) from cause
    return encoded


def _without_traceback(error: Exception) -> Exception:
    """Give a copy without what refers to frames; the exception itself if none can be.

    Raises
    ------
    UnstorableValue
        It cannot be made again from what pickle takes of it.
    """
    kind = type(error)
    try:
        reduced: Any = error.__reduce_ex__(2)
        make, given, *rest = reduced[:3]
        other = make(*given)
        if rest and rest[0]:
            other.__setstate__(rest[0])
    except Exception as cause:
        name = _name(kind)
        reason = f"it cannot be made again: {cause!r}"
        raise UnstorableValue("the exception", name, reason) from cause
    if type(other) is not kind or str(other) != str(error):
        name = _name(kind)
        reason = "it cannot be made again as it was"
        raise UnstorableValue("the exception", name, reason)
    return other


def described(error: Exception) -> dict[str, Any]:
    """Give what an entry says of an exception: kinds, message, traceback as text."""
    return {
        "kinds": [_name(kind) for kind in type(error).__mro__[:-1]],
        "message": str(error),
        "traceback": "".join(traceback.format_exception(error)),
    }


def unwanted(entry: Entry, wanted: bool | tuple[type[Exception], ...]) -> str:
    """Say that an entry holds an exception which may not be raised; '' otherwise."""
    failure = entry.state.get("failure")
    if not failure or wanted is True:
        return ""
    kinds = wanted or ()
    if any(_name(kind) in failure.get("kinds", ()) for kind in kinds):
        return ""
    return "the entry holds an exception, which cache_exceptions does not ask for"


def _name(kind: type) -> str:
    return f"{module_of(kind)}.{kind.__qualname__}"


def restored(
    error: Any, wanted: bool | tuple[type[Exception], ...], entry: Entry
) -> Failure:
    """Give a stored exception back, with a note that says where it comes from.

    Raises
    ------
    LookupError
        Exceptions of its kind are not wanted.
    """
    why = unwanted(entry, wanted)
    if why or not isinstance(error, Exception):
        raise LookupError(why or "what was stored as an exception is none")
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.created))
    text = entry.state.get("failure", {}).get("traceback", "")
    error.add_note(f"from the cache: raised {when}, then with this traceback:\n{text}")
    return Failure(error)
