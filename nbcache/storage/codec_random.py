"""Kinds of nodes: random generators, by their state.

numpy imports its generators only when they are used, and so do we.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_nodes import Node, kind, named_encoders

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__: list[str] = []

_BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


def _global(name: str) -> Any:
    """Give the generator behind the functions of a module."""
    if name == "random":
        return import_module("random")._inst
    return import_module("numpy.random.mtrand")._rand


def _write_random(encoder: Encoder, value: Any) -> Node:
    if value is _global("random"):
        return ["global random", "random"]
    content: list[Any] = []
    node = encoder.begin(value, "Random", content)
    content.append(encoder.node(encoder.keep(value.getstate())))
    return node


def _write_seeds(encoder: Encoder, value: Any) -> Node:
    state = value.state
    if not _is_entropy(state["entropy"]):
        return encoder.leaf(value)
    content: list[Any] = []
    node = encoder.begin(value, "SeedSequence", content)
    content += [encoder.node(encoder.keep(state["entropy"]))]
    content += [encoder.node(encoder.keep(tuple(state["spawn_key"])))]
    content += [state["pool_size"], state["n_children_spawned"]]
    return node


def _is_entropy(value: Any) -> bool:
    """Say whether a seed is of a kind that numpy takes without looking inside."""
    if type(value) in (list, tuple):
        return all(type(part) is int for part in value)
    return value is None or type(value) is int


def _seeds(decoder: Decoder, content: Any) -> np.random.SeedSequence:
    entropy, spawn_key = map(decoder.value, content[:2])
    if not _is_entropy(entropy) or not _is_entropy(spawn_key):
        raise TypeError("a seed sequence is made of numbers")
    if not 4 <= content[2] <= _LARGEST_POOL:
        raise ValueError("a seed sequence has too large a pool")
    return np.random.SeedSequence(
        entropy,
        spawn_key=spawn_key,
        pool_size=content[2],
        n_children_spawned=content[3],
    )


_LARGEST_POOL = 1 << 16


def _write_bits(encoder: Encoder, value: Any) -> Node:
    seeds = value.seed_seq
    if not isinstance(seeds, np.random.SeedSequence | None):
        return encoder.leaf(value)
    content: list[Any] = [type(value).__name__]
    node = encoder.begin(value, "bits", content)
    content += [encoder.node(seeds), encoder.node(encoder.keep(value.state))]
    return node


def _bits(decoder: Decoder, content: Any) -> Any:
    seeds = decoder.value(content[1])
    if type(seeds) not in (np.random.SeedSequence, type(None)):
        raise TypeError("a bit generator needs a seed sequence")
    if content[0] not in _BIT_GENERATORS:
        raise ValueError(f"numpy has no bit generator {content[0]!r}")
    bits: Any = getattr(np.random, content[0])(seeds)
    if seeds is None:
        # seeded the old way; spawning from it fails, as it did
        bits._legacy_seeding(0)
    state = decoder.value(content[2])
    # numpy would read beyond its buffer
    if not 0 <= state.get("buffer_pos", 0) <= 4 or not (
        0 <= state["state"].get("pos", 0) <= 624
    ):
        raise ValueError("a bit generator is beyond its end")
    bits.state = state
    return bits


def _write_generator(encoder: Encoder, value: Any) -> Node:
    if value is _global("numpy"):
        return ["global random", "numpy"]
    content: list[Any] = []
    old = isinstance(value, np.random.RandomState)
    node = encoder.begin(value, "RandomState" if old else "Generator", content)
    if old:
        state = encoder.keep(value.get_state(legacy=False))
        content += [encoder.node(encoder.keep(value._bit_generator))]
        content += [encoder.node(state["has_gauss"]), encoder.node(state["gauss"])]
    else:
        content.append(encoder.node(value.bit_generator))
    return node


def _generator(decoder: Decoder, content: Any) -> np.random.Generator:
    return np.random.Generator(decoder.value(content[0]))


def _old_generator(decoder: Decoder, content: Any) -> np.random.RandomState:
    generator = np.random.RandomState(decoder.value(content[0]))
    state = generator.get_state(legacy=False)
    state["has_gauss"], state["gauss"] = map(decoder.value, content[1:])
    generator.set_state(state)
    return generator


def _random(decoder: Decoder, content: Any) -> Any:
    generator = import_module("random").Random()
    generator.setstate(decoder.value(content[0]))
    return generator


named_encoders["random", "Random"] = _write_random
named_encoders["numpy", "SeedSequence"] = _write_seeds
for _name in _BIT_GENERATORS:
    named_encoders["numpy", _name] = _write_bits
named_encoders["numpy", "Generator"] = _write_generator
named_encoders["numpy", "RandomState"] = _write_generator
kind("global random", lambda _, content: _global(content))
kind("Random", _random)
kind("SeedSequence", _seeds)
kind("bits", _bits)
kind("Generator", _generator)
kind("RandomState", _old_generator)
