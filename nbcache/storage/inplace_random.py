"""Random generators, written in place: put into a state."""

from __future__ import annotations

import random
import sys
from typing import Any

import numpy as np

from nbcache.storage.inplace_form import Digest, Form, same

__all__ = ["RandomForm", "form_of"]


class RandomForm(Form):
    """A random generator, or what it is made of."""


class _Generator(RandomForm):
    """Its state is that of the bit generator that it holds."""

    def note(self, value: Any, digest: Digest) -> Any:
        return value.bit_generator

    def refusal(self, value: Any, before: Any, digest: Digest) -> str:
        return "was given another bit generator"

    def misfit(self, value: Any, content: Any) -> str:
        return "cannot be changed"


class _Python(RandomForm):
    def note(self, value: Any, digest: Digest) -> Any:
        return value.getstate()

    def copied(self, value: Any) -> Any:
        return value.getstate()

    def misfit(self, value: Any, content: Any) -> str:
        try:
            random.Random().setstate(content)
        except Exception as error:
            return f"does not take its state: {error}"
        return ""

    def write(self, value: Any, content: Any) -> None:
        value.setstate(content)


class _Bits(RandomForm):
    def note(self, value: Any, digest: Digest) -> Any:
        return _plain(value.state)

    def copied(self, value: Any) -> Any:
        return value.state

    def earlier(self, before: Any) -> Any:
        return _dictionary(before)

    def misfit(self, value: Any, content: Any) -> str:
        try:
            if content["bit_generator"] != type(value).__name__ or not (
                # numpy would read beyond its buffer
                0 <= content.get("buffer_pos", 0) <= 4
                and 0 <= content["state"].get("pos", 0) <= 624
            ):
                return "is another kind of generator now"
            type(value)(0).state = content
        except Exception as error:
            return f"does not take its state: {error}"
        return ""

    def write(self, value: Any, content: Any) -> None:
        value.state = content


def _plain(state: Any) -> Any:
    """Give a state as tuples that can be compared."""
    if isinstance(state, dict):
        return tuple((key, _plain(item)) for key, item in state.items())
    if isinstance(state, np.ndarray):
        return str(state.dtype), state.tobytes()
    return state


def _dictionary(plain: Any) -> Any:
    """Give a state back as `_plain` took it."""
    if type(plain) is not tuple:
        return plain
    if len(plain) == 2 and type(plain[1]) is bytes:
        return np.frombuffer(plain[1], plain[0]).copy()
    return {key: _dictionary(item) for key, item in plain}


class _Seeds(RandomForm):
    """A seed sequence counts the children that it has spawned."""

    def note(self, value: Any, digest: Digest) -> Any:
        return value.n_children_spawned

    def copied(self, value: Any) -> Any:
        return value.n_children_spawned

    def misfit(self, value: Any, content: Any) -> str:
        fits = type(content) is int and content >= 0
        return "" if fits else "is another kind of object now"

    def write(self, value: Any, content: Any) -> None:
        value.__init__(
            value.entropy,
            spawn_key=value.spawn_key,
            pool_size=value.pool_size,
            n_children_spawned=content,
        )


class _Old(RandomForm):
    """A `RandomState` holds half of a pair of normal numbers besides its bits."""

    def note(self, value: Any, digest: Digest) -> Any:
        state = value.get_state(legacy=False)
        return state["has_gauss"], state["gauss"]

    def copied(self, value: Any) -> Any:
        return self.note(value, str)

    def misfit(self, value: Any, content: Any) -> str:
        fits = type(content) is tuple and list(map(type, content)) == [int, float]
        return "" if fits else "is another kind of object now"

    def write(self, value: Any, content: Any) -> None:
        state = value.get_state(legacy=False)
        state["has_gauss"], state["gauss"] = content
        value.set_state(state)

    def is_same(self, value: Any, before: Any, digest: Digest) -> bool:
        return same(self.note(value, digest), before)


_PYTHON, _GENERATOR, _BITS, _SEEDS, _OLD = (
    *(_Python(), _Generator()),
    *(_Bits(), _Seeds(), _Old()),
)


def form_of(value: Any) -> Form | None:
    """Give how a random generator is written; None for other objects."""
    if type(value) is random.Random:
        return _PYTHON
    cls = type(value)
    if "numpy.random" not in sys.modules or cls.__module__.partition(".")[0] != "numpy":
        return None
    library = np.random
    if cls is library.Generator:
        return _GENERATOR
    if cls is library.RandomState:
        return _OLD
    if cls is library.SeedSequence:
        return _SEEDS
    return _BITS if isinstance(value, library.BitGenerator) else None
