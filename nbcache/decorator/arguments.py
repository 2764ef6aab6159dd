"""The arguments of a call, kept with its entry to compute that again."""

from __future__ import annotations

import base64
import inspect
import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from nbcache.errors import NbcacheError
from nbcache.keys import secret
from nbcache.storage import codec

__all__ = [
    "CALL_BYTES",
    "as_text",
    "kept_arguments",
    "packed",
    "unpacked",
    "unpacked_arguments",
]

CALL_BYTES = 64 * 1024
"""Arguments are kept with an entry, to compute it again, up to this size."""


def kept_arguments(bound: inspect.BoundArguments) -> Any:
    """Give the arguments as plain data, to compute the entry again; None if too large.

    Nothing that needs pickle is kept, and nothing if a name sounds like a secret's.
    """
    names = [*bound.arguments, *_keywords(bound)]
    if any(secret.is_secret_name(name) for name in names):
        return None
    if any(secret.holds_secret(value) for value in bound.arguments.values()):
        return None
    return packed({"args": list(bound.args), "kwargs": dict(bound.kwargs)})


def packed(values: dict[str, Any]) -> Any:
    """Give values as plain data; None if they are too large or one needs pickle."""
    try:
        encoded = codec.encode(values, allow_pickle=False)
    except (NbcacheError, RecursionError):
        return None
    size = sum(member.nbytes for member in encoded.members.values())
    if size > CALL_BYTES:
        return None
    return as_text(encoded.tree, encoded.members)


def as_text(tree: Any, members: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Give encoded values as plain data, however large."""
    texts = {name: _text(array) for name, array in members.items()}
    return {"tree": tree, "members": texts}


def _keywords(bound: inspect.BoundArguments) -> list[str]:
    return [
        key
        for name, parameter in bound.signature.parameters.items()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD
        for key in bound.arguments.get(name, ())
    ]


def _text(array: np.ndarray) -> str:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpacked_arguments(call: Any) -> tuple[list[Any], dict[str, Any]]:
    """Read back `kept_arguments`.

    Raises
    ------
    DamagedEntry
        They are not what was written.
    """
    values = unpacked(call)
    return values["args"], values["kwargs"]


def unpacked(
    plain: Any, *, most_bytes: int | None = None, **known: Any
) -> dict[str, Any]:
    """Read back what `packed` or `as_text` gave.

    Parameters
    ----------
    most_bytes : int, optional
        For what nobody may have signed: only data is read, and no more of it.
    **known
        As of `codec.decode`.

    Raises
    ------
    DamagedEntry
        It is not what was written.
    LookupError
        It refers to a class or function that is not here.
    """

    def read(name: str) -> np.ndarray:
        data = io.BytesIO(base64.b64decode(plain["members"][name]))
        return np.asarray(np.load(data, allow_pickle=False))

    return codec.decode(plain["tree"], read, most_bytes=most_bytes, **known)
