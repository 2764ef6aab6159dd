"""Stored values get the name of another metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nbcache.errors import UnknownName
from nbcache.keys import source
from nbcache.keys.key import Key, Part
from nbcache.metrics import names
from nbcache.metrics.names import Given
from nbcache.storage.entry import METRIC, Entry
from nbcache.trace.observed import Observed, entry_key
from nbcache.wording import near

if TYPE_CHECKING:
    from nbcache.metrics.metrics import Metrics

__all__ = ["rename"]


@dataclass(frozen=True, slots=True)
class _Move:
    """One value and what it is to become."""

    entry: Entry
    said: str
    given: Given | None = None


def rename(
    owner: Metrics, old: str, new: str, parameters: Any, dry_run: bool
) -> list[tuple[str, str]]:
    """Give stored values the name of another metric; see `Metrics.rename`."""
    owner._require_name(new)
    moves = _moves(owner, old, new, parameters)
    if not moves:
        known = {_base(said) for said in owner._kept.entries()}
        raise UnknownName(f"no value of {old!r} is stored.{near(old, known)}", old)
    _require_free(owner, moves)
    if not dry_run:
        for move in moves:
            _moved(owner, move, new)
            for one in (move.entry.name, move.said):
                owner._held.pop(one, None)
                owner._seen.pop(one, None)
    return [(move.entry.name, move.said) for move in moves]


def _base(said: str) -> str:
    return said.partition("(")[0]


def _require_free(owner: Metrics, moves: list[_Move]) -> None:
    wanted = [move.said for move in moves]
    for said in wanted:
        if wanted.count(said) > 1:
            raise ValueError(f"several values would become {said}: nothing was renamed")
        if owner._kept.entries_of(said):
            raise ValueError(f"{said} is stored already: nothing was renamed")


def _moves(owner: Metrics, old: str, new: str, parameters: Any) -> list[_Move]:
    entries = owner._kept.entries()
    if parameters is not None:
        return list(_mapped(owner, old, new, parameters, entries))
    moves = []
    for said, entry in entries.items():
        if said == old or said.startswith(f"{old}("):
            moves.append(_Move(entry, f"{new}{said[len(old) :]}"))
    return moves


def _mapped(
    owner: Metrics, old: str, new: str, parameters: Any, entries: Mapping[str, Entry]
) -> Iterable[_Move]:
    is_mapping = isinstance(parameters, Mapping)
    pairs = parameters.items() if is_mapping else parameters
    for before, after in pairs:
        was = _spelled(owner, (old, new), old, names.given(before))
        becomes = _spelled(owner, (new, old), new, names.given(after))
        if was not in entries:
            raise UnknownName(f"{was} is not stored.{near(was, entries)}", was)
        yield _Move(entries[was], becomes, names.given(after))


def _spelled(owner: Metrics, bases: Iterable[str], base: str, given: Given) -> str:
    """Give the name of a call of a metric that one of some functions computes.

    Raises
    ------
    ValueError
        None of them is collected: nothing tells the names of their parameters.
    """
    for one in bases:
        metric = owner._metrics.get(one)
        if metric is not None:
            return base + metric._said(given).removeprefix(one)
    tried = " nor ".join(repr(one) for one in sorted(bases))
    raise ValueError(
        f"neither {tried} is collected here, so nothing tells what the parameters are "
        "called: run the code that collects one of them first"
    )


def _moved(owner: Metrics, move: _Move, new: str) -> None:
    """Store a value under its new name, and remove the old one."""
    entry = owner._kept.whole(move.entry)
    key = _key(owner, entry, move, new)
    found = [Observed.from_json(row) for row in entry.trace]
    state = {**entry.state}
    if METRIC in state:
        state[METRIC] = {**state[METRIC], "base": new}
    renamed = replace(
        entry,
        name=move.said,
        parts=[list(row) for row in key.to_json()],
        lookup=key.digest,
        key=entry_key(key.digest, found),
        state=state,
        call=None if move.given is not None else entry.call,
    )
    owner._kept.move(entry, renamed)


def _key(owner: Metrics, entry: Entry, move: _Move, new: str) -> Key:
    """Give the key of the same code, of the new name and parameters."""
    title = f"{owner.name}:{new}"
    today: dict[str, Part] = {}
    if move.given is not None:
        function = owner._metrics.get(new) or owner._metrics[_base(entry.name)]
        request, _ = function._wrapper._request(*move.given)
        today = {part.label: part for part in request.key.described.parts}
    parts = []
    for part in Key.from_json(entry.parts).parts:
        if part.label == "function":
            part = Part("function", source.text_digest(title), title)
        elif part.label.startswith("argument "):
            part = today.get(part.label, part)
        parts.append(part)
    return Key(tuple(parts))
