"""What must hold of an entry besides its key: not too old, and approved of.

Today's request decides: an entry's own ``expires_after`` is for listings only.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from nbcache import durations
from nbcache.outcome import Computed, Miss, Request
from nbcache.storage.entry import Entry
from nbcache.trace.observed import entry_key

__all__ = ["broken", "failed", "finished"]

# clocks of hosts that share a folder differ a little
_SKEW_S = 2.0
_FAILED = "validate failed with"


def broken(request: Request, entry: Entry, now: float) -> Miss | None:
    """Say why an entry that was found may not be used; None if it may.

    Parameters
    ----------
    request : Request
        What is asked for today.
    entry : Entry
        Whole, and this user's own.
    now : float
        s since 1970.
    """
    if request.expires_after is not None:
        told = _too_old(now - entry.created, request.expires_after)
        if told:
            return Miss("expired", detail=told)
    if request.validate is not None:
        told = _invalid(request, entry)
        if told:
            return Miss("invalid", detail=told)
    return None


def _too_old(age: float, limit: float) -> str:
    if age < -_SKEW_S:
        # nobody can tell how old it really is
        return f"expired: stored {durations.text(-age)} in the future"
    if age >= limit:
        return f"expired {durations.text(age - limit)} ago"
    return ""


def _invalid(request: Request, entry: Entry) -> str:
    assert request.validate is not None
    try:
        approved = bool(request.validate(_described(entry)))
    except Exception as error:
        return f"{_FAILED} {type(error).__name__}: {' '.join(str(error).split())}"
    return "" if approved else "validate refused the entry"


def failed(miss: Miss) -> bool:
    """Say whether `validate` itself failed, which the user should hear of."""
    return miss.reason == "invalid" and miss.detail.startswith(_FAILED)


def _described(entry: Entry) -> dict[str, Any]:
    """Give an entry's metadata as plain data of the caller's own."""
    plain = asdict(entry)
    del plain["call"], plain["state"]
    return plain


def finished(entry: Entry, request: Request, computed: Computed[Any]) -> Entry:
    """Give an entry with what its run found and what the request says of it.

    What was found makes its key.  A private one keeps neither summaries of values nor
    arguments.
    """
    entry = replace(
        entry,
        key=entry_key(request.key.digest, computed.found),
        lookup=request.key.digest,
        trace=[one.to_json() for one in computed.found],
        written=[one.to_json() for one in computed.written],
        expires_after=request.expires_after,
        tags=list(request.tags),
        private=request.private,
        state={**entry.state, **request.state},
    )
    return entry.without_summaries() if request.private else entry
