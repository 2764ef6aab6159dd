"""Digests of random generators and of values of libraries that may not be there."""

from __future__ import annotations

import copy
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest
from digests import different, same

from nbcache.errors import UnhashableValue
from nbcache.keys.hashing import digest


def test_no_library_is_imported_for_values_of_others():
    """Digesting numbers and arrays loads numpy and nothing heavier."""
    code = (
        "import sys; from nbcache.keys.hashing import digest; digest([1, {'a': 2.5}]);"
        "plain = 'numpy' in sys.modules;"
        "import numpy as np; digest([np.zeros(3), np.random.default_rng(1)]);"
        "heavy = {'pandas', 'pyarrow', 'polars', 'xarray', 'scipy', 'torch', 'jax'};"
        "print(plain, sorted(heavy & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    output = subprocess.check_output([sys.executable, "-c", code], env=environment)
    assert output.decode().split(" ", 1)[1].strip() == "[]"


# --- random generators


class Loaded(random.Random):
    """A user's generator."""


def after(generator, draws):
    """The generator after some draws."""
    for _ in range(draws):
        generator.random()
    return generator


GENERATORS = {
    "random": random.Random,
    "numpy": np.random.default_rng,
    "legacy": np.random.RandomState,
    "subclass": Loaded,
    **{
        name: (
            lambda seed, name=name: np.random.Generator(getattr(np.random, name)(seed))
        )
        for name in ("MT19937", "Philox", "SFC64", "PCG64DXSM")
    },
}


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS)
def test_generators_count_by_their_full_state(make):
    """Seed, and every draw since."""
    different(make(1), make(2), after(make(1), 1), after(make(1), 2))
    same(make(1), make(1))
    if np.__version__ >= "2" or isinstance(make(1), random.Random):
        # copies of numpy 1 get another source of seeds for their children
        same(make(1), copy.deepcopy(make(1)), pickle.loads(pickle.dumps(make(1))))


def test_a_digest_draws_nothing():
    """Looking at a generator leaves it as it was."""
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    digest(one)
    assert one.random() == other.random()


def test_kinds_of_generators_count():
    """They give other numbers from the same seed."""
    different(*[make(1) for make in GENERATORS.values()])
    different(np.random.PCG64(1), np.random.Generator(np.random.PCG64(1)))


def test_the_second_normal_number_counts():
    """Two are made at once, one is kept for the next call."""
    one, other = random.Random(1), random.Random(1)
    one.gauss(0, 1)
    other.setstate((*one.getstate()[:2], None))
    different(one, other)
    left, right = np.random.RandomState(1), np.random.RandomState(1)
    left.normal()
    state = left.get_state(legacy=False)
    right.set_state({**state, "has_gauss": 0})
    different(left, right)


def test_children_spawned_from_a_seed_count():
    """The next ones are others."""
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    other.bit_generator.seed_seq.spawn(1)
    different(one, other)
    different(
        np.random.SeedSequence(1),
        np.random.SeedSequence(2),
        np.random.SeedSequence([1]),
        np.random.SeedSequence(1, spawn_key=(1,)),
        np.random.SeedSequence(1).spawn(1)[0],
        np.random.SeedSequence(1, pool_size=8),
    )


def test_generators_that_draw_from_one_source_are_related():
    """A draw from one moves the other."""
    source = np.random.PCG64(1)
    shared = [np.random.Generator(source), np.random.Generator(source)]
    apart = [np.random.Generator(np.random.PCG64(1)) for _ in range(2)]
    different(shared, apart)


def test_attributes_of_a_users_generator_count():
    """Beside its state."""
    one, other = Loaded(1), Loaded(1)
    other.weight = 2
    different(one, other)


def test_the_systems_generator_is_refused():
    """It has no state that could be the same again."""
    with pytest.raises(UnhashableValue, match="from the system"):
        digest(random.SystemRandom())


# --- scipy.sparse


@pytest.mark.parametrize("name", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_sparse_arrays_count_by_format_and_values(name):
    """Each stored value, its place, and whether it is an array or a matrix."""
    sparse = pytest.importorskip("scipy.sparse")
    data = np.array([[0, 1.5, 0], [2, 0, 0]])
    make = getattr(sparse, f"{name}_array")
    one, other = make(data), make(data * 2)
    different(
        one,
        other,
        make(data[::-1]),
        make(data.astype("f4")),
        getattr(sparse, f"{name}_matrix")(data),
        data,
        sparse.csr_array(data) if name != "csr" else sparse.csc_array(data),
    )
    same(one, one.copy(), copy.deepcopy(one))


def test_slack_at_the_end_of_sparse_arrays_does_not_count():
    """Room for values to come, or left by those that went."""
    sparse = pytest.importorskip("scipy.sparse")
    one = sparse.csr_array(np.array([[0, 1.5], [2, 0]]))
    other = one.copy()
    other.data = np.append(other.data, 99.0)
    other.indices = np.append(other.indices, one.indices[:1])
    same(one, other)


def test_what_was_found_out_about_sparse_arrays_does_not_count():
    """Whether the indices are sorted follows from them."""
    sparse = pytest.importorskip("scipy.sparse")
    one, other = (sparse.csr_array(np.eye(3)) for _ in range(2))
    assert other.has_sorted_indices
    assert other.has_canonical_format
    same(one, other)


def test_sparse_arrays_share_their_parts():
    """Writing to the values shows in the array."""
    sparse = pytest.importorskip("scipy.sparse")
    one = sparse.csr_array(np.eye(3))
    different([one, one.data], [one, one.data.copy()])


# --- xarray


def test_data_arrays_count_by_all_that_they_carry():
    """Name, dims, coordinates, attributes, values."""
    xr = pytest.importorskip("xarray")

    def make(values=(1.0, 2.0), dim="x", coords=(1, 2), name="a", **attrs):
        return xr.DataArray(
            np.array(values), {dim: list(coords)}, [dim], name=name, attrs=attrs
        )

    one = make()
    encoded = make()
    encoded.encoding["dtype"] = "f4"
    different(
        one,
        make(values=(1.0, 3.0)),
        make(dim="y"),
        make(coords=(1, 3)),
        make(coords=("a", "b")),
        make(name="b"),
        make(unit="m"),
        one.drop_vars("x"),
        one.assign_coords(z=("x", [3, 4])),
        one.drop_indexes("x"),
        one.variable,
        one.to_dataset(),
        encoded,
    )
    same(one, one.copy(), copy.deepcopy(one), pickle.loads(pickle.dumps(one)))


def test_datasets_count_by_their_variables():
    """And by which of them are coordinates."""
    xr = pytest.importorskip("xarray")
    one = xr.Dataset({"a": ("x", [1, 2]), "b": ("x", [3, 4])}, {"x": [0, 1]})
    different(
        one,
        one[["b", "a"]],
        one[["a"]],
        one.set_coords("b"),
        one.assign_attrs(k="v"),
        one.rename(a="c"),
        one.stack(z=["x"]),
    )
    same(one, one.copy(deep=True))


def test_trees_of_datasets_count_by_their_nodes():
    """Names, datasets and children."""
    xr = pytest.importorskip("xarray")
    if not hasattr(xr, "DataTree"):
        pytest.skip("this xarray has no trees")
    one = xr.DataTree.from_dict({"/a": xr.Dataset({"x": 1}), "/b": xr.Dataset()})
    other = xr.DataTree.from_dict({"/a": xr.Dataset({"x": 2}), "/b": xr.Dataset()})
    third = xr.DataTree.from_dict({"/a": xr.Dataset({"x": 1})})
    different(one, other, third)
    same(one, one.copy(deep=True))


# --- torch


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_tensors_count_by_dtype_shape_and_values():
    """And by whether gradients are taken of them."""
    torch = pytest.importorskip("torch")
    one = torch.arange(6.0).reshape(2, 3)
    halves = [one.to(kind) for kind in (torch.bfloat16, torch.float16, torch.int32)]
    different(
        *(one, one.reshape(3, 2), one.T, one.T.contiguous(), one + 1, *halves),
        *(one.clone().requires_grad_(), torch.nn.Parameter(one), one.to_sparse()),
        *(one.to_sparse_csr(), one.numpy(), one.tolist(), torch.tensor(1.0)),
    )
    same(one, one.clone(), copy.deepcopy(one), pickle.loads(pickle.dumps(one)))
    graded = torch.nn.Parameter(one.clone())
    before = digest(graded)
    (graded * 2).sum().backward()
    assert digest(graded) != before


def test_tensors_share_memory_with_arrays_and_each_other():
    """Writing to one shows in the other."""
    torch = pytest.importorskip("torch")
    array = np.zeros(4)
    tensor = torch.from_numpy(array)
    different([array, tensor], [array, tensor.clone()])
    different([tensor, tensor[1:]], [tensor, tensor[1:].clone()])


def test_tensors_of_a_graph_are_refused():
    """What they came from cannot be stored."""
    torch = pytest.importorskip("torch")
    with pytest.raises(UnhashableValue, match="detach"):
        digest(torch.ones(2, requires_grad=True) * 2)
    with pytest.raises(UnhashableValue, match="no content"):
        digest(torch.empty(2, device="meta"))


def test_modules_and_generators_of_torch():
    """By parameters and by state."""
    torch = pytest.importorskip("torch")
    one = torch.nn.Linear(2, 3)
    other = copy.deepcopy(one)
    same(one, other, pickle.loads(pickle.dumps(one)))
    with torch.no_grad():
        other.weight[0, 0] += 1
    different(one, other)
    seeds = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    different(*seeds, torch.float32, torch.device("cpu"), torch.Size([1]), (1,))


# --- jax


@pytest.mark.filterwarnings("ignore")
def test_jax_arrays_count_by_value():
    """And by how strongly they hold on to their dtype."""
    jax = pytest.importorskip("jax")
    one = jax.numpy.arange(3)
    different(
        *(one, one + 1, one.astype("float32"), one.astype(jax.numpy.bfloat16)),
        *(one.reshape(1, 3), np.asarray(one), jax.numpy.asarray(1)),
        *(jax.numpy.asarray(np.int32(1)), jax.random.key(0), jax.random.key(1)),
        jax.random.PRNGKey(0),
    )
    assert digest([one, one]) == digest([one, jax.numpy.arange(3)])


@pytest.mark.filterwarnings("ignore")
def test_tracers_are_refused():
    """Their values are not known yet."""
    jax = pytest.importorskip("jax")
    with pytest.raises(UnhashableValue, match="tracer"):
        jax.jit(lambda x: digest(x) and x)(1.0)


# --- frames of others


def test_geographic_frames_count_by_geometry():
    """And by their reference system."""
    geopandas = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    one = geopandas.GeoDataFrame(
        {"a": [1]}, geometry=[shapely.Point(1, 2)], crs="EPSG:4326"
    )
    other = one.set_geometry([shapely.Point(1, 3)])
    different(one, other, one.to_crs(3857), one.drop(columns="a"))
    same(one, one.copy())


def test_collections_that_have_not_been_computed_are_refused():
    """What they will read may change."""
    arrays = pytest.importorskip("dask.array")
    with pytest.raises(UnhashableValue, match="in a file"):
        digest(arrays.ones(3))
