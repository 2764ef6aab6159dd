"""What it means for a digest that one object is met twice."""

from __future__ import annotations

import collections
import copy
import functools
import time

import numpy as np
import pytest

from nbcache.errors import UnhashableValue
from nbcache.keys.hashing import Walk, digest


class Node:
    """A user's class that may refer to itself."""

    def __init__(self, **held):
        vars(self).update(held)


def nested(kind, depth, leaf):
    """A collection that holds the one below it twice."""
    value = leaf
    for _ in range(depth):
        value = kind([value, value])
    return value


# --- mutable objects


@pytest.mark.parametrize(
    "make",
    [
        list,
        dict,
        set,
        bytearray,
        collections.deque,
        collections.OrderedDict,
        lambda: collections.defaultdict(int),
        lambda: Node(a=1),
        lambda: np.zeros(3),
        lambda: [1, {"a": [2]}],
    ],
)
def test_a_mutable_object_twice_is_not_a_copy_of_it(make):
    """A change through one name shows through the other, or it does not."""
    one = make()
    assert digest([one, one]) != digest([one, copy.deepcopy(one)])
    assert digest([one, one]) == digest(copy.deepcopy([one, one]))


def test_which_of_two_equal_objects_is_repeated_counts():
    """References say which object they mean."""
    one, other = [], []
    assert digest([one, other, one]) != digest([one, other, other])


def test_references_into_a_plain_tree_find_their_object():
    """Parts of a tree that was written in one call have numbers too."""
    tree = {"a": [1, [2]], "b": {"c": [3, ({"d": 4},)]}}
    parts = [
        tree["a"],
        tree["a"][1],
        tree["b"],
        tree["b"]["c"],
        tree["b"]["c"][1][0],
        [2],
    ]
    digests = {digest([tree, part]) for part in parts}
    assert len(digests) == len(parts)
    fast, slow = Walk(), Walk()
    slow._wasted = 10**12  # no trees in one call
    for part in [tree, *parts]:
        assert fast.digest(part, "part") == slow.digest(part, "part")


def test_cycles_have_digests():
    """Of lists, dicts, instances and through tuples."""
    one: list = [1]
    one.append(one)
    other: list = [1]
    other.append([1, other])
    node = Node()
    node.itself, node.pair = node, (node, {"me": node})
    assert digest(one) == digest(copy.deepcopy(one))
    assert digest(one) != digest(other)
    assert digest(node) == digest(copy.deepcopy(node))


def test_objects_count_between_the_values_of_a_walk():
    """Two arguments that are one list are not two equal lists."""
    shared: list = [1]
    same, apart = Walk(), Walk()
    assert same.digest(shared, "a") == apart.digest(shared, "a")
    assert same.digest(shared, "b") != apart.digest([1], "b")


def test_references_inside_a_value_do_not_depend_on_earlier_values():
    """A change of one argument leaves the digests of the others as they are."""
    shared: list = []
    short, long = Walk(), Walk()
    short.digest([1], "a")
    long.digest([[1], [2], [3]], "a")
    assert short.digest([shared, shared], "b") == long.digest([shared, shared], "b")


def test_an_object_and_its_dict_are_related():
    """``vars(node)`` changes the node."""
    node = Node(a=1)
    assert digest([node, vars(node)]) != digest([node, {"a": 1}])


def test_temporaries_are_not_taken_for_each_other():
    """Objects that a reduction makes live until the walk ends."""

    class Made:
        def __reduce__(self):
            return Node, (), {"value": [time.time_ns() * 0, [1]]}

    assert digest([Made() for _ in range(50)]) == digest([Made() for _ in range(50)])
    one = digest([Made(), Made()])
    same = Made()
    assert digest([same, same]) != one


# --- immutable objects


@pytest.mark.parametrize(
    "value",
    [
        10**30,
        "some text",
        b"some bytes",
        (1, (2, "x")),
        frozenset([(1, 2)]),
        tuple(range(5000)),
        (tuple(range(5000)), (1,)),
        np.float64(1.5),
        np.dtype([("a", "i4")]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_identity_of_immutable_objects_never_shows(value):
    """Interned, cached or made anew: nobody can tell."""
    other = eval_copy(value)
    assert digest([value, value]) == digest([value, other])
    assert digest({"a": value, "b": [value]}) == digest({"a": value, "b": [other]})


def eval_copy(value):
    """Another object with the same value, where Python allows one."""
    if isinstance(value, tuple):
        return tuple([eval_copy(item) for item in value])
    if isinstance(value, frozenset):
        return frozenset([eval_copy(item) for item in value])
    if isinstance(value, str):
        return "".join(list(value))
    if isinstance(value, bytes):
        return bytes(bytearray(value))
    if isinstance(value, int):
        return int(str(value))
    return copy.deepcopy(value)


def test_a_tuple_with_something_mutable_counts_by_what_is_in_it():
    """The tuples cannot be told apart, the lists can."""
    inner: list = []
    pair = (inner,)
    assert digest([pair, pair]) == digest([pair, (inner,)])
    assert digest([pair, pair]) != digest([pair, ([],)])


@pytest.mark.parametrize("kind", [tuple, frozenset, lambda pair: (pair[0], [pair[1]])])
def test_sharing_does_not_make_a_walk_exponential(kind):
    """Sixty levels, each holding the one below twice."""
    began = time.perf_counter()
    digest(nested(kind, 60, "leaf"))
    digest(nested(kind, 60, ("leaf", [])) if kind is tuple else nested(kind, 60, 1))
    assert time.perf_counter() - began < 5


def test_large_tuples_have_the_digest_of_their_value():
    """On either side of the size from which they are digested by themselves."""
    for size in (4094, 4095, 4096, 5000):
        flat = tuple(range(size))
        assert digest([flat, flat]) == digest([flat, (*flat,)])
        assert digest(flat) != digest((*flat[:-1], None))


def test_deep_nesting_is_refused_and_not_a_crash():
    """Python's own recursion limit is met first."""
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(UnhashableValue, match="nested too deeply"):
        digest(deep)


# --- sets


def test_sets_of_mutable_objects_keep_what_they_share():
    """An element of a set may be met again outside it."""
    one, other = Node(a=1), Node(a=2)
    assert digest([{one, other}, one]) != digest([{one, other}, other])
    assert digest([{one, other}, one]) == digest(copy.deepcopy([{other, one}, one]))


def test_nested_sets_are_digested_once_each():
    """Frozen sets inside each other do not multiply the work."""
    value = frozenset(["leaf"])
    for level in range(60):
        value = frozenset([value, level])
    began = time.perf_counter()
    digest(value)
    assert time.perf_counter() - began < 5


def test_a_set_whose_element_refers_to_it_is_refused():
    """Its order would depend on itself."""
    node = Node()
    node.peers = {node}
    with pytest.raises(UnhashableValue, match="stable order"):
        digest(node)


# --- after an error


def test_a_failed_digest_leaves_no_trace():
    """What was met on the way counts as not met."""
    shared: list = [1]
    failed, fresh = Walk(), Walk()
    with pytest.raises(UnhashableValue):
        failed.digest([shared, (n for n in "x")], "a")
    with pytest.raises(UnhashableValue):
        fresh.digest([(n for n in "x")], "a")
    assert failed.digest([shared], "b") == fresh.digest([shared], "b")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([iter([0]), (n for n in "x")], r"d\[1\]"),
        ({"k": [(n for n in "x")]}, r"d\['k'\]\[0\]"),
        ({1: {"a": (1, (n for n in "x"))}}, r"d\[1\]\['a'\]\[1\]"),
        (Node(client=Node(_lock=(n for n in "x"))), r"d\.client\._lock"),
        ({(1, 2): (n for n in "x")}, r"d\[<tuple>\]"),
        (
            functools.reduce(lambda held, _: [held], range(3), (n for n in "x")),
            r"d\[0\]",
        ),
    ],
)
def test_errors_name_the_path_as_the_user_would_write_it(value, path):
    """From the name of the value down to the leaf."""
    with pytest.raises(UnhashableValue, match=rf"key: {path}.*generator") as caught:
        digest(value, path="d")
    assert caught.value.type_name == "generator"


def test_paths_of_wide_values_do_not_grow():
    """A long key is cut short."""
    with pytest.raises(UnhashableValue) as caught:
        digest({"x" * 10_000: (n for n in "x")}, path="d")
    assert len(caught.value.path) < 100
