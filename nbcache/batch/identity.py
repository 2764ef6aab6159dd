"""The id of a run: known before it runs, and unchanged by edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import hashing
from nbcache.keys.summary import summarise

__all__ = ["digest_id"]


def digest_id(name: str, parameters: Mapping[str, Any], index: int | None) -> str:
    """Give 32 hexadecimal digits for a qualified name and bound parameters.

    Values count as in keys.  For what cannot be part of one stand a summary and the
    place in the batch.
    """
    digests = {}
    for one, value in parameters.items():
        try:
            digests[one] = hashing.digest(value)
        except UnhashableValue:
            digests[one] = f"{summarise(value)} of run {index}"
    return hashing.digest((name, sorted(digests.items())))
