"""Value -> digest: exact, type-tagged, the same in every process.

A `Walk` (`walk.py`) feeds values into xxh3_128.  Plain trees go there in one piece
(`plain.py`); every other type has a handler, found through its MRO (`registry.py`):
built-in and standard types in `standard.py`, other instances in `instances.py`, arrays
in `arrays.py`, tables in `tables.py` and `arrow.py`, the rest in `foreign.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import xxhash

# teach the registry its types
from nbcache.keys import closed_files, finished, instances, live, loggers, standard
from nbcache.keys.registry import Hasher, Identity, mark, register, register_hash
from nbcache.keys.walk import Walk

__all__ = [
    "Identity",
    "Walk",
    "digest",
    "digest_bytes",
    "mark",
    "register",
    "register_hash",
    "unordered",
]

instances.teach()
standard.teach()
live.teach()
closed_files.teach()
finished.teach()
loggers.teach()


def digest(
    value: Any,
    *,
    hash_funcs: Mapping[type, Hasher] | None = None,
    path: str = "value",
) -> str:
    """Give the digest of one value.

    Parameters
    ----------
    value : object
        Anything but live handles.
    hash_funcs : mapping of type to callable, optional
        What stands for values of a type and its subclasses, for example
        ``{Model: lambda model: model.id}``.
    path : str, optional
        How errors name the value.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    UnhashableValue
        A part of the value has no content that could be digested.
    """
    return Walk(hash_funcs).digest(value, path)


def digest_bytes(data: Any) -> str:
    """Give the xxh3_128 of contiguous memory as 32 hexadecimal digits."""
    return str(xxhash.xxh3_128_hexdigest(data))


def unordered(value: Iterable[Any]) -> object:
    """Mark a dict, list or other iterable as one whose order does not count in a key.

    Parameters
    ----------
    value : iterable
        An iterator is used up.  What is inside keeps its order; with
        ``hash_funcs={dict: unordered}`` no dict at any depth does.

    Returns
    -------
    object
        To be passed in place of the value.
    """
    return standard.Unordered(value)
