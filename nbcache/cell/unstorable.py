"""Say all that keeps what a run left from being stored, and how to leave it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from nbcache.errors import UnstorableValue

__all__ = ["all_unstorable", "storable"]

# bound by who does not want the value: `_ = plt.hist(x)`
_THROWAWAYS = frozenset(("_", "__"))
_Encoded = TypeVar("_Encoded")


def all_unstorable(
    parts: Iterable[tuple[str, str, Any]],
    encode: Callable[[dict[str, Any]], object],
    name: str,
    first: UnstorableValue,
) -> UnstorableValue:
    """Name every part that cannot be kept, with the flags that leave them out.

    Parameters
    ----------
    parts : iterable of (str, str, object)
        The user's name for a part, that in the tree, and the part.
    encode : callable (dict) -> object
        Encodes some of them; UnstorableValue where that cannot be.
    name : str
        Of the entry.
    first : UnstorableValue
        What encoding all of them raised.
    """
    bad: dict[str, UnstorableValue] = {}
    good: dict[str, None] = {}
    for said, entered, value in parts:
        try:
            encode({entered: value})
        except UnstorableValue as error:
            bad[said] = error
        else:
            good[said] = None
    if not bad:
        return first
    told = "; ".join(
        # what is not the user's own name says nothing
        f"{_path(error, said)!r} ({error.type_name})"
        for said, error in bad.items()
    )
    skips = " ".join(f"--skip {said}" for said in bad)
    kept = ",".join(said for said in good if said not in bad)
    choice = f", or choose: %%cached {name} -o {kept}" if kept else ""
    reason = f"{told}. Keep the rest: %%cached {name} {skips}{choice}"
    whole = UnstorableValue(first.path, first.type_name)
    whole.args = (f"cannot store {reason}",)
    return whole


def storable(
    values: dict[str, Any],
    encode: Callable[[dict[str, Any]], _Encoded],
    encode_part: Callable[[dict[str, Any]], object],
) -> tuple[dict[str, Any], _Encoded]:
    """Encode all that a run bound; if need be, all but what nobody reads.

    Parameters
    ----------
    values : dict of str to object
        By name.
    encode, encode_part : callable (dict) -> object
        Encode all; some of them; UnstorableValue where that cannot be.

    Returns
    -------
    dict, object
        What is kept, and what `encode` gave for it.
    """
    try:
        return values, encode(values)
    except UnstorableValue:
        kept = dict(values)
        for name in _THROWAWAYS & values.keys():
            try:
                encode_part({name: values[name]})
            except UnstorableValue:
                del kept[name]
        if len(kept) == len(values):
            raise
        return kept, encode(kept)


def _path(error: UnstorableValue, said: str) -> str:
    return error.path if error.path.startswith(said) else said
