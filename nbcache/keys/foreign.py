"""Digests of random generators and of scipy.sparse, torch, jax and xarray values.

Loaded by `registry` at the first value of one of these packages, none of which is
imported here: types go by name, functions come from `sys.modules`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from nbcache.keys import plain
from nbcache.keys.arrays import put_contents, put_sharing
from nbcache.keys.instances import attributes, put_reduction, refusal
from nbcache.keys.registry import (
    Handler,
    Identity,
    Sink,
    Walker,
    mark,
    put_kind,
    qualified_name,
    register,
)

__all__: list[str] = []


def _put_extras(
    walk: Walker, sink: Sink, value: Any, left_out: frozenset[str], path: str
) -> None:
    """Write public attributes that an instance carries besides those left out."""
    named = {
        name: held
        for name, held in attributes(value).items()
        if not name.startswith("_") and name not in left_out
    }
    walk.keep(named)
    walk.put_named(sink, named, path)


# --- random generators


def _put_random(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "random.Random")
    kind = type(value)
    state = value.getstate()
    walk.keep(state)
    put_kind(walk, sink, value, path)
    if qualified_name(kind) != "random.Random":
        _put_extras(walk, sink, value, frozenset({"gauss_next"}), path)
    walk.put(sink, state, f"{path}.getstate()")


def _put_generator(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "numpy Generator")
    put_kind(walk, sink, value, path)
    walk.put(sink, value.bit_generator, f"{path}.bit_generator")


def _put_bit_generator(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "numpy BitGenerator")
    put_kind(walk, sink, value, path)
    state = value.state
    seeds = getattr(value, "seed_seq", None)
    if seeds is None:  # numpy before 1.25
        seeds = getattr(value, "_seed_seq", None)
    walk.keep((state, seeds))
    walk.put_pairs(sink, state, f"{path}.state")
    walk.put(sink, seeds, f"{path}.seed_seq")


def _put_seed_sequence(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "numpy SeedSequence")
    put_kind(walk, sink, value, path)
    walk.put(sink, value.entropy, f"{path}.entropy")
    facts = value.spawn_key, value.pool_size, value.n_children_spawned
    walk.put_items(sink, list(facts), path)


def _put_random_state(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "numpy RandomState")
    put_kind(walk, sink, value, path)
    state = value.get_state(legacy=False)
    walk.keep(state)
    walk.put_pairs(sink, state, f"{path}.get_state()")
    # another generator may draw from the same source
    walk.put(sink, value._bit_generator, f"{path}._bit_generator")


# --- scipy.sparse


_SPARSE_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "dia": ("data", "offsets"),
    "lil": ("data", "rows"),
}
_SPARSE_NAMES = frozenset(
    {
        *("data", "indices", "indptr", "offsets", "rows", "row", "col", "coords"),
        # what was found out about the order of the indices
        *("has_canonical_format", "has_sorted_indices"),
    }
)


def _put_sparse(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write a sparse array by its parts, without the slack at their ends."""
    mark(sink, f"sparse {value.format}")
    put_kind(walk, sink, value, path)
    walk.put(sink, tuple(int(size) for size in value.shape), path)
    if value.format == "dok":
        walk.put(sink, value.dtype, path)
        walk.put_pairs(sink, dict(value.items()), path)
    elif value.format == "coo":
        coords = value.coords if hasattr(value, "coords") else (value.row, value.col)
        _put_parts(walk, sink, [value.data, *coords], path)
    else:
        parts = [getattr(value, name) for name in _SPARSE_PARTS[value.format]]
        if value.format in ("csr", "csc", "bsr"):
            used = int(parts[2][-1])
            parts[:2] = [
                part if len(part) == used else part[:used] for part in parts[:2]
            ]
        _put_parts(walk, sink, parts, path)
    _put_extras(walk, sink, value, _SPARSE_NAMES, path)


def _put_parts(walk: Walker, sink: Sink, parts: list[Any], path: str) -> None:
    walk.keep(parts)
    mark(sink, "parts", len(parts))
    for part in parts:
        walk.put(sink, part, path)


# --- torch


def _put_tensor(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    if value.is_meta:
        raise refusal(value, path, "a meta tensor has no content")
    if value.grad_fn is not None:
        raise refusal(value, path, "part of a graph: use .detach()")
    mark(sink, "torch Tensor")
    put_kind(walk, sink, value, path)
    facts = (
        *(str(value.dtype), str(value.device), str(value.layout)),
        *(bool(value.requires_grad), bool(value.is_conj()), bool(value.is_neg())),
    )
    sink.update(plain.dumps((facts, tuple(value.shape))))
    _put_extras(walk, sink, value, frozenset(), path)
    walk.put(sink, value.grad, f"{path}.grad")
    # none yet, or none any more
    walk.put(sink, value._backward_hooks or None, f"{path}._backward_hooks")
    torch = sys.modules["torch"]
    if value.layout is not torch.strided:
        _put_sparse_tensor(walk, sink, value.detach(), path)
    elif value.is_quantized:
        put_reduction(walk, sink, value, path)
    else:
        _put_elements(walk, sink, value, path)


def _put_elements(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    torch = sys.modules["torch"]
    is_ordered = bool(value.is_contiguous())
    sink.update(plain.dumps(None if is_ordered else tuple(value.stride())))
    # no numpy dtype for bfloat16 and the like: bytes
    plainly = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
    raw = plainly.reshape(-1).view(torch.uint8).numpy()
    walk.keep(raw)
    put_contents(walk, sink, raw, path)
    if value.device.type == "cpu" and is_ordered:
        put_sharing(walk, sink, raw, value)
    elif value.device.type == "cpu" and not (value.is_conj() or value.is_neg()):
        try:
            view = value.detach().numpy()
        except TypeError:
            return  # a dtype that numpy has not: not compared with other tensors
        walk.keep(view)
        put_sharing(walk, sink, view, value)


def _put_sparse_tensor(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    if str(value.layout) == "torch.sparse_coo":
        sink.update(plain.dumps(bool(value.is_coalesced())))
        parts = [value._indices(), value._values()]
    elif hasattr(value, "crow_indices") and str(value.layout) in (
        "torch.sparse_csr",
        "torch.sparse_bsr",
    ):
        parts = [value.crow_indices(), value.col_indices(), value.values()]
    else:
        parts = [value.ccol_indices(), value.row_indices(), value.values()]
    _put_parts(walk, sink, parts, path)


def _put_torch_generator(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "torch Generator")
    walk.put(sink, str(value.device), path)
    state = value.get_state()
    walk.keep(state)
    walk.put(sink, state, f"{path}.get_state()")


# --- jax


def _put_jax_array(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "jax Array")
    jax = sys.modules["jax"]
    if jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        walk.put(sink, str(value.dtype), path)
        value = jax.random.key_data(value)
    sink.update(plain.dumps(bool(getattr(value, "weak_type", False))))
    array = np.asarray(value)
    walk.keep(array)
    put_contents(walk, sink, array, path)


def _refuse_tracer(_walk: Walker, _sink: Sink, value: Any, path: str) -> None:
    raise refusal(value, path, "a tracer stands for a value that is not known yet")


# --- xarray


def _put_variable(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "xarray Variable")
    put_kind(walk, sink, value, path)
    walk.put_items(sink, list(value.dims), path)
    _put_metadata(walk, sink, value, path)
    data = value._data
    inner = getattr(data, "array", None)
    if type(inner).__module__.partition(".")[0] == "pandas":
        walk.put(sink, value.dtype, path)
        walk.put(sink, inner, path)
    elif type(data).__module__.partition(".")[0] == "xarray":
        # not read from its file yet
        loaded = value.values
        walk.keep(loaded)
        walk.put(sink, loaded, f"{path}.values")
    else:
        walk.put(sink, data, f"{path}.data")


def _put_metadata(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    for name in ("attrs", "encoding"):
        held = dict(getattr(value, name))
        walk.keep(held)
        walk.put_pairs(sink, held, f"{path}.{name}")


def _put_variables(
    walk: Walker, sink: Sink, variables: dict[Any, Any], path: str
) -> None:
    walk.keep(variables)
    walk.put_pairs(sink, variables, path)


def _put_indexes(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    """Write which index each coordinate has; those on pandas follow from its values."""
    mark(sink, "indexes", len(value.xindexes))
    for name, index in value.xindexes.items():
        walk.put(sink, name, path)
        walk.put(sink, type(index), path)
        if type(index).__module__.partition(".")[0] != "xarray":
            walk.put(sink, index, f"{path}.xindexes[{name!r}]")


def _put_data_array(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "xarray DataArray")
    put_kind(walk, sink, value, path)
    walk.put(sink, value.name, path)
    walk.put(sink, value.variable, path)
    coords = {name: held.variable for name, held in value.coords.items()}
    _put_variables(walk, sink, coords, f"{path}.coords")
    _put_indexes(walk, sink, value, path)


def _put_dataset(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "xarray Dataset")
    put_kind(walk, sink, value, path)
    _put_metadata(walk, sink, value, path)
    _put_variables(walk, sink, dict(value.variables), path)
    walk.put_unordered(sink, list(value.coords), path)
    _put_indexes(walk, sink, value, path)


def _put_tree(walk: Walker, sink: Sink, value: Any, path: str) -> None:
    mark(sink, "xarray DataTree")
    put_kind(walk, sink, value, path)
    walk.put(sink, value.name, path)
    own = value.to_dataset(inherit=False)
    walk.keep(own)
    walk.put(sink, own, path)
    _put_variables(walk, sink, dict(value.children), path)


_HANDLERS: dict[str, tuple[Identity, Handler]] = {
    "_random.Random": (Identity.COUNTS, _put_random),
    "numpy.random._generator.Generator": (Identity.COUNTS, _put_generator),
    "numpy.random.bit_generator.BitGenerator": (Identity.COUNTS, _put_bit_generator),
    "numpy.random.bit_generator.SeedSequence": (Identity.COUNTS, _put_seed_sequence),
    "numpy.random.mtrand.RandomState": (Identity.COUNTS, _put_random_state),
    "scipy.sparse._base._spbase": (Identity.COUNTS, _put_sparse),
    "torch.Tensor": (Identity.COUNTS, _put_tensor),
    "torch._C.Generator": (Identity.COUNTS, _put_torch_generator),
    "torch.device": (Identity.NESTED, put_reduction),
    "torch.dtype": (Identity.NESTED, put_reduction),
    "jax.Array": (Identity.ATOMIC, _put_jax_array),
    "jaxlib._jax.ArrayImpl": (Identity.ATOMIC, _put_jax_array),
    "jaxlib.xla_extension.ArrayImpl": (Identity.ATOMIC, _put_jax_array),
    "jax.jaxlib._jax.Array": (Identity.ATOMIC, _put_jax_array),
    "jax._src.prng.PRNGKeyArray": (Identity.ATOMIC, _put_jax_array),
    "jax._src.random.prng.PRNGKeyArray": (Identity.ATOMIC, _put_jax_array),
    "jax._src.core.Tracer": (Identity.ATOMIC, _refuse_tracer),
    "xarray.core.variable.Variable": (Identity.COUNTS, _put_variable),
    "xarray.core.dataarray.DataArray": (Identity.COUNTS, _put_data_array),
    "xarray.core.dataset.Dataset": (Identity.COUNTS, _put_dataset),
    "xarray.core.datatree.DataTree": (Identity.COUNTS, _put_tree),
}
for _name, (_identity, _handler) in _HANDLERS.items():
    register(_name, _handler, identity=_identity)
