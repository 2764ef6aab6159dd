"""The global random generators: consumed, seeded, restored."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nbcache.keys import hashing

__all__ = [
    "RANDOM",
    "RandomWatch",
    "require_unseeded",
    "restore",
    "seeded_digest",
    "unchanged",
    "watching",
]

RANDOM = "<random>"
"""Under which an entry keeps the states after the run."""

_SEEDERS = {"random": ("seed", "setstate"), "numpy": ("seed", "set_state")}
_seeded: set[str] = set()
# by identity: two watches that begin together are equal
_active: dict[int, RandomWatch] = {}


def _module(library: str) -> Any:
    return random if library == "random" else np.random


def _state(library: str) -> Any:
    module = _module(library)
    return module.getstate() if library == "random" else module.get_state()


def _digest(library: str) -> str:
    return _digest_of(library, _state(library))


# the state digested last, by its content: each run asks twice, most draw nothing
_digested: dict[str, tuple[Any, str]] = {}


def _digest_of(library: str, state: Any) -> str:
    content = _content(library, state)
    known = _digested.get(library)
    if known is None or known[0] != content:
        known = _digested[library] = content, hashing.digest(state)
    return known[1]


def _content(library: str, state: Any) -> Any:
    """Give what tells states apart; texts of the numbers that may be -0.0 or NaN."""
    if library == "random":
        version, words, following = state
        return version, words, repr(following)
    kind, words, *rest = state
    return kind, words.tobytes(), str(words.dtype), repr(rest)


@dataclass
class RandomWatch:
    """What became of the global generators while something ran.

    Parameters
    ----------
    before : dict of str to str
        Digests of the states when it began.
    seeded_before : frozenset of str
        Libraries that the user had seeded by then.
    reseeded : set of str
        Those seeded meanwhile before anything was drawn.
    seeded : set of str
        Those seeded meanwhile at all.
    after : dict of str to state
        States at the end, of those that changed.
    untouched : dict of str to str
        Digests of the states as they are as long as nothing but imports draws.
    """

    before: dict[str, str]
    seeded_before: frozenset[str]
    reseeded: set[str] = field(default_factory=set)
    seeded: set[str] = field(default_factory=set)
    after: dict[str, Any] = field(default_factory=dict)
    untouched: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.untouched = dict(self.before)

    @contextmanager
    def importing(self, is_installed: Callable[[], bool]) -> Iterator[None]:
        """Do not count what an import draws inside a ``with`` block.

        A hit executes the import too, which draws where it loads something.

        Parameters
        ----------
        is_installed : callable () -> bool
            Whether it imported nothing of the user's, asked in the end: what the user's
            modules draw goes into their values.
        """
        unused = [one for one in _SEEDERS if _digest(one) == self.untouched[one]]
        try:
            yield
        finally:
            if is_installed():
                self.untouched.update((one, _digest(one)) for one in unused)

    def consumed(self) -> list[str]:
        """Give the libraries whose earlier state went into the results."""
        return [library for library in self.after if library not in self.reseeded]

    def found(self, mode: str = "keep") -> dict[str, str]:
        """Give the digests of states that the user had seeded, and that were used."""
        if mode == "ignore":
            return {}
        return {
            library: self.before[library]
            for library in self.consumed()
            if library in self.seeded_before
        }

    def _unseeded(self) -> list[str]:
        return [one for one in self.consumed() if one not in self.seeded_before]

    def refusal(self, mode: str = "keep") -> str:
        """Say that nobody seeded what it draws from, if that is refused; else ''.

        Parameters
        ----------
        mode : {'keep', 'refuse', 'ignore'}
            What becomes of values from a generator that nobody seeded: they are stored
            with a warning, are not stored, or count like any others.
        """
        drawn = self._unseeded() if mode == "refuse" else []
        if not drawn:
            return ""
        return (
            f"it draws from the global generator of {drawn[0]}, which nobody seeded: "
            "seed it in the cell, or choose --rng keep"
        )

    def told(self, mode: str = "keep") -> str:
        """Say that a random result is kept as it is; '' if none is."""
        drawn = self._unseeded() if mode == "keep" else []
        if not drawn:
            return ""
        return (
            f"it draws from the global generator of {drawn[0]}, which nobody seeded: "
            "its values stay as they are"
        )

    def left(self) -> str:
        """Give a digest of the states that runs after it draw from; '' if as before."""
        unseeded = self._unseeded()
        states = {
            library: _digest_of(library, state)
            for library, state in sorted(self.after.items())
            if library not in unseeded
        }
        return hashing.digest(states) if states else ""

    def kept(self, mode: str = "keep") -> dict[str, Any]:
        """Give the states to store."""
        return {} if mode == "ignore" else self.after

    def to_json(self, mode: str = "keep") -> dict[str, list[str]]:
        """Give what a hit must know: libraries drawn from, seeded, and not stored."""
        if mode == "ignore":
            return {"drawn": [], "seeded": [], "unkept": sorted(self.after)}
        return {"drawn": self._unseeded(), "seeded": sorted(self.seeded)}


@contextmanager
def watching() -> Iterator[RandomWatch]:
    """Watch the global generators inside a ``with`` block."""
    _notice_seeding()
    before = {library: _digest(library) for library in _SEEDERS}
    watch = RandomWatch(before, frozenset(_seeded))
    _active[id(watch)] = watch
    try:
        yield watch
    finally:
        del _active[id(watch)]
        for library, digest in watch.untouched.items():
            state = _state(library)
            # what was seeded may end as it began, but will not begin so each time
            if library in watch.seeded or _digest_of(library, state) != digest:
                watch.after[library] = state


def _notice_seeding() -> None:
    for library, names in _SEEDERS.items():
        for name in names:
            _wrap(library, name)


def _wrap(library: str, name: str) -> None:
    """Notice seeding from now on: nothing else tells a seeded state from a random."""
    module = _module(library)
    original: Callable[..., Any] | None = getattr(module, name, None)
    if original is None or hasattr(original, "__nbcache_wrapped__"):
        return

    def seeding(*args: Any, **kwargs: Any) -> Any:
        _tell(library)
        _seeded.add(library)
        return original(*args, **kwargs)

    for attribute in ("__doc__", "__name__", "__qualname__", "__module__"):
        setattr(seeding, attribute, getattr(original, attribute, None))
    seeding.__nbcache_wrapped__ = original  # type: ignore[attr-defined]
    setattr(module, name, seeding)


def _tell(library: str) -> None:
    """Tell whoever watches that a generator is about to be seeded."""
    for watch in tuple(_active.values()):
        watch.seeded.add(library)
        if _digest(library) == watch.untouched.get(library):
            watch.reseeded.add(library)


def seeded_digest(library: str) -> str:
    """Give the digest of a global generator's state, or '' if nobody seeded it."""
    return hashing.digest(_state(library)) if library in _seeded else ""


def require_unseeded(state: Mapping[str, Any], mode: str = "keep") -> None:
    """Refuse an entry whose random values today's seed would make others.

    Raises
    ------
    LookupError
        A library that it drew from has been seeded in this process, or its values or
        states are not what `mode` asks for (`RandomWatch.refusal`).
    """
    if mode == "ignore":
        return
    if state.get("unkept"):
        raise LookupError("it was stored with --rng ignore, without random states")
    if mode == "refuse" and state.get("drawn"):
        raise LookupError("it holds values of a generator that nobody seeded")
    for library in state.get("drawn", ()):
        if library in _seeded:
            raise LookupError(f"the global generator of {library} is seeded now")


@contextmanager
def unchanged() -> Iterator[None]:
    """Leave the global generators as they are before a ``with`` block."""
    before = {library: _state(library) for library in _SEEDERS}
    seeded = frozenset(_seeded)
    try:
        yield
    finally:
        restore(before, [])
        _seeded.intersection_update(seeded)


def restore(states: dict[str, Any], seeded: list[str], mode: str = "keep") -> None:
    """Put the generators into the states after a run; remember what it seeded."""
    if mode == "ignore":
        return
    for library in seeded:
        if library in states:
            _tell(library)
    for library, state in states.items():
        setter = getattr(_module(library), _SEEDERS[library][1])
        getattr(setter, "__nbcache_wrapped__", setter)(state)
    _seeded.update(seeded)


# what is seeded before the first cell counts too
_notice_seeding()
