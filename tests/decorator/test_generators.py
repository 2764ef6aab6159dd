"""Random generators among the arguments of cached functions."""

from __future__ import annotations

import random

import numpy as np
import pytest

import nbcache
from nbcache.errors import CacheWarning

MAKES = {
    "Generator": lambda: np.random.default_rng(5),
    "RandomState": lambda: np.random.RandomState(5),
    "Random": lambda: random.Random(5),
}


def drawn(generator) -> list[float]:
    """Give the next numbers of a generator."""
    return [float(generator.random()) for _ in range(3)]


@pytest.fixture
def cache(tmp_path):
    """Give a cache of its own."""
    with nbcache.Cache(tmp_path / "store") as made:
        yield made


@pytest.mark.parametrize("name", MAKES)
def test_a_hit_leaves_a_generator_as_the_call_did(cache, name):
    """What is drawn after the call is the same, and it comes back as that object."""

    @cache.cached
    def draw(generator):
        return drawn(generator), generator

    def ask():
        generator = MAKES[name]()
        values, same = draw(generator)
        return values, same is generator, drawn(generator), nbcache.last().hit

    assert ask() == (*ask()[:3], False)
    assert ask()[3]


def test_nested_generators_that_spawn(cache):
    """In a dict in a list; children spawned count too."""

    @cache.cached
    def draw(settings):
        child = settings[0]["rng"].spawn(1)[0]
        return drawn(child)

    def ask():
        settings = [{"rng": np.random.default_rng(1)}]
        first = draw(settings)
        return first, draw(settings), drawn(settings[0]["rng"]), nbcache.last().hit

    cold, warm = ask(), ask()
    assert warm == (*cold[:3], True)
    assert cold[0] != cold[1]


def test_another_changed_argument_is_named(cache):
    """A generator does not excuse it."""

    @cache.cached
    def draw(generator, held):
        held.append(1)
        return drawn(generator)

    with pytest.warns(CacheWarning, match="changed its argument 'held'"):
        draw(np.random.default_rng(0), [])
    assert not nbcache.last().stored
