"""What users say in place of a value: functions, methods, and what has no order."""

from __future__ import annotations

import numpy as np
import pytest

from nbcache.errors import UnhashableValue
from nbcache.keys import hashing
from nbcache.keys.hashing import digest, unordered


class Model:
    """A user's class."""

    def __init__(self, alpha=1, cache=None):
        self.alpha, self.cache = alpha, cache


class Special(Model):
    """A class derived from it."""


class TestHashFuncs:
    """Functions that stand for values of a type."""

    def test_only_the_result_counts(self):
        """What the function leaves out may differ."""
        by_alpha = {Model: lambda model: model.alpha}
        one, other = (digest(Model(1, cache=n), hash_funcs=by_alpha) for n in range(2))
        assert one == other
        assert digest(Model(2), hash_funcs=by_alpha) != one

    def test_they_apply_at_any_depth(self):
        """Inside lists, dicts and other instances."""
        funcs = {Model: lambda model: model.alpha}
        one, other = (
            digest({"a": [Record(Model(1, n))]}, hash_funcs=funcs) for n in "xy"
        )
        assert one == other

    def test_the_result_is_tagged_with_the_class(self):
        """A model with alpha 1 is not the number 1, nor a derived model."""
        funcs = {Model: lambda model: model.alpha}
        digests = {digest(v, hash_funcs=funcs) for v in (Model(1), Special(1), 1)}
        assert len(digests) == 3

    def test_the_exact_type_comes_before_its_bases(self):
        """As in a method resolution order."""
        funcs = {Model: lambda model: model.alpha, Special: lambda model: "special"}
        one, other = (digest(Special(n), hash_funcs=funcs) for n in range(2))
        assert one == other

    def test_they_may_change_builtin_types(self):
        """Strings without regard to case, lists without regard to order."""
        lower = {str: str.lower}
        assert digest(["A", {"B": "C"}], hash_funcs=lower) == digest(
            ["a", {"b": "c"}], hash_funcs=lower
        )
        ordered = {list: sorted}
        assert digest([[2, 1], 3], hash_funcs={list: lambda v: sorted(v, key=str)})
        assert digest([2, 1], hash_funcs=ordered) == digest([1, 2], hash_funcs=ordered)

    def test_a_function_that_gives_its_argument_changes_nothing_else(self):
        """Two models that differ still differ."""
        same = {Model: lambda model: model}
        assert digest(Model(1), hash_funcs=same) != digest(Model(2), hash_funcs=same)

    def test_a_failing_function_is_named(self):
        """The error says which value it was for."""
        with pytest.raises(
            UnhashableValue, match=r"v\[0\]: .*Model .*ZeroDivisionError"
        ):
            digest([Model()], hash_funcs={Model: lambda model: 1 / 0}, path="v")

    def test_arrays_may_have_one(self):
        """They come before the handlers for known types."""
        funcs = {np.ndarray: lambda array: array.shape}
        assert digest(np.zeros(3), hash_funcs=funcs) == digest(
            np.ones(3), hash_funcs=funcs
        )


class Record:
    """Holds a value."""

    def __init__(self, held):
        self.held = held


class Tagged:
    """Says itself what identifies it."""

    def __init__(self, key, noise):
        self.key, self.noise = key, noise

    def __nbcache_hash__(self):
        """What identifies it."""
        return self.key


class Registered:
    """Somebody registered a function for it."""

    def __init__(self, key, noise):
        self.key, self.noise = key, noise


def test_nbcache_hash_of_a_class_is_used():
    """The method stands for the instance."""
    assert digest(Tagged(1, 2)) == digest(Tagged(1, 3)) != digest(Tagged(2, 2))


def test_registered_hashes_apply_to_subclasses_and_by_name():
    """A class, or its name where the module may not be loaded."""
    derived = type("Derived", (Registered,), {})
    hashing.register_hash(f"{__name__}.Registered", lambda value: value.key)
    assert digest(Registered(1, 2)) == digest(Registered(1, 3))
    assert digest(derived(1, 2)) == digest(derived(1, 3)) != digest(Registered(1, 3))


def test_hash_funcs_come_before_nbcache_hash():
    """The caller knows better than the class."""
    funcs = {Tagged: lambda value: value.noise}
    assert digest(Tagged(1, 2), hash_funcs=funcs) == digest(
        Tagged(9, 2), hash_funcs=funcs
    )


class TestUnordered:
    """The marker for collections whose order does not count."""

    def test_order_of_a_dict_does_not_count(self):
        """Neither for atoms as keys nor for tuples."""
        one = {"b": 1, ("a", 2): [3], 4: 5}
        other = {4: 5, "b": 1, ("a", 2): [3]}
        assert digest(one) != digest(other)
        assert digest(unordered(one)) == digest(unordered(other))

    def test_content_still_counts(self):
        """Another value is another digest."""
        assert digest(unordered({"a": 1})) != digest(unordered({"a": 2}))
        assert digest(unordered({"a": 1})) != digest({"a": 1})
        assert digest(unordered([1, 2])) != digest(unordered([1, 2, 2]))

    def test_the_kind_still_counts(self):
        """A list is no tuple, whatever its order."""
        assert digest(unordered([1, 2])) != digest(unordered((1, 2)))

    def test_lists_and_iterators_may_be_unordered(self):
        """Items that repeat count as often as they do."""
        one, other = [1, [2], "x", 1], ["x", 1, 1, [2]]
        assert digest(unordered(one)) == digest(unordered(other))
        assert digest(unordered(iter(one))) == digest(unordered(iter(other)))

    def test_dicts_at_any_depth(self):
        """As a hash function for all dicts."""
        one = {"a": [{"b": 1, "c": {"d": 2, "e": 3}}], "f": 4}
        other = {"f": 4, "a": [{"c": {"e": 3, "d": 2}, "b": 1}]}
        funcs = {dict: unordered}
        assert digest(one, hash_funcs=funcs) == digest(other, hash_funcs=funcs)
        assert digest(one) != digest(other)

    def test_inside_it_order_counts(self):
        """Only the marked collection is unordered."""
        assert digest(unordered({"a": [1, 2]})) != digest(unordered({"a": [2, 1]}))
