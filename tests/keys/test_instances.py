"""Digests of instances: records by fields, everything else by reduction."""

from __future__ import annotations

import abc
import collections
import copy
import copyreg
import dataclasses
import functools
import itertools
import threading
import time
from typing import ClassVar

import attrs
import pytest

from nbcache.errors import UnhashableValue
from nbcache.keys.hashing import digest


@dataclasses.dataclass
class Data:
    """A dataclass."""

    x: object
    y: list = dataclasses.field(default_factory=list, compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Frozen:
    """A dataclass that cannot be changed."""

    shared: ClassVar[list] = []
    x: object
    y: object = None


@dataclasses.dataclass(slots=True)
class Slotted:
    """A dataclass without a dict."""

    x: object


@dataclasses.dataclass
class Listing(list):
    """A dataclass that is a list too."""

    name: str = ""


@attrs.define
class Defined:
    """An attrs class with slots."""

    x: object


@attrs.frozen(cache_hash=True)
class Fixed:
    """An attrs class that cannot be changed."""

    x: object


class Plain:
    """No fields, only what is set."""

    def __init__(self, **held):
        vars(self).update(held)


class Slots:
    """Private and public slots, some never set."""

    __slots__ = ("__private", "public", "unset")

    def __init__(self, public, private):
        self.public, self.__private = public, private


class SlotsAndDict(Slots):
    """Has both."""


class Reduced:
    """Says by ``__reduce__`` what it is."""

    def __init__(self, key, noise=None):
        self.key, self.noise = key, noise

    def __reduce__(self):
        return Reduced, (self.key,)


class Stateful(Plain):
    """Leaves something out of its state."""

    def __getstate__(self):
        state = dict(vars(self))
        state.pop("cache", None)
        return state


class Different(Plain):
    """Another reduction each time."""

    def __reduce__(self):
        return Plain, (), {"now": time.perf_counter_ns()}


class Broken:
    """Cannot be reduced."""

    def __reduce__(self):
        raise RuntimeError("no way")


class Wrong:
    """Its reduction is not one."""

    def __reduce__(self):
        return (Plain,)


class Doubled(Plain):
    """Makes its parts anew for each reduction."""

    def __getstate__(self):
        return {"data": Plain(**vars(self))}


class Shape(abc.ABC):
    """An abstract class."""

    @abc.abstractmethod
    def area(self):
        """Say how large it is."""


class Circle(Shape):
    """One that is not."""

    def area(self):
        """Say how large it is."""
        return 3


SINGLETON = Plain()


class ByName:
    """Found again by its name."""

    def __reduce__(self):
        return "SINGLETON"


def different(*values):
    """Check that no two values have the same digest."""
    return len({digest(value) for value in values}) == len(values)


# --- records


@pytest.mark.parametrize("kind", [Data, Frozen, Slotted, Defined, Fixed])
def test_fields_and_class_make_a_record(kind):
    """Each field counts, and of which class it is."""
    assert digest(kind(1)) == digest(kind(1)) == digest(copy.deepcopy(kind(1)))
    assert different(kind(1), kind(1.0), kind([1]), Plain(x=1), {"x": 1})


def test_fields_that_are_not_compared_count_too():
    """They can be observed."""
    assert different(Data(1), Data(1, [2]))


def test_attributes_beside_the_fields_count():
    """Nothing that can be observed is left out."""
    one = Data(1)
    one.extra = 2
    assert different(one, Data(1))


def test_a_missing_field_is_not_none():
    """Deleted or never set."""
    one = Slotted(None)
    del one.x
    assert different(one, Slotted(None))


def test_a_record_that_is_a_list_has_both():
    """Items and fields count."""
    one, other, third = Listing("a"), Listing("a"), Listing("b")
    other.append(1)
    assert different(one, other, third)


def test_a_field_that_cannot_be_read_is_named():
    """A property that raises is no reason to crash."""

    class Odd:
        def __get__(self, instance, owner):
            if instance is None:
                return 0
            raise RuntimeError("odd")

        def __set__(self, instance, value):
            pass

    @dataclasses.dataclass
    class Holder:
        x: int = Odd()

    with pytest.raises(UnhashableValue, match="field 'x' cannot be read"):
        digest(Holder())


@pytest.mark.parametrize("kind", [Frozen, Fixed])
def test_identity_of_a_frozen_record_never_shows(kind):
    """Its parts that can be changed show as ever."""
    one = kind((1, "a"))
    assert digest([one, one]) == digest([one, kind((1, "a"))])
    inner = kind([1])
    assert digest([inner, inner]) == digest([inner, kind(inner.x)])
    assert digest([inner, inner]) != digest([inner, kind([1])])


def test_shared_frozen_records_do_not_make_a_walk_exponential():
    """An expression graph, each node used twice."""
    node = Frozen("leaf")
    for _ in range(60):
        node = Frozen(node, node)
    began = time.perf_counter()
    digest(node)
    assert time.perf_counter() - began < 5


def test_a_frozen_record_may_refer_to_itself():
    """Somebody forced it."""
    one = Frozen(1)
    object.__setattr__(one, "y", one)
    other = Frozen(1, Frozen(1))
    assert different(one, other)


def test_a_cached_hash_does_not_count():
    """It is another one in each process."""
    one, other = Fixed("text"), Fixed("text")
    hash(other)
    assert digest(one) == digest(other)


def test_pydantic_models_are_records():
    """Fields, which of them were given, and extra ones."""
    pydantic = pytest.importorskip("pydantic")

    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(extra="allow")
        a: int
        b: list[int] = pydantic.Field(default_factory=list)

    class Fast(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(frozen=True)
        a: int

    assert different(Model(a=1), Model(a=2), Model(a=1, b=[]), Model(a=1, c=1))
    assert digest(Model(a=1)) == digest(Model(a=1).model_copy(deep=True))
    one = Fast(a=1)
    assert digest([one, one]) == digest([one, Fast(a=1)])


# --- reductions


def test_attributes_and_slots_count():
    """Whatever their names."""
    assert different(Plain(), Plain(a=1), Plain(a=2), Plain(b=1), Plain(a=1, b=1))
    assert different(Slots(1, 2), Slots(2, 1), Slots(1, 1))
    one, other = SlotsAndDict(1, 2), SlotsAndDict(1, 2)
    other.more = 3
    assert different(one, other, Slots(1, 2))


def test_only_what_a_reduction_says_counts():
    """As in a pickle."""
    assert digest(Reduced(1, "x")) == digest(Reduced(1, "y"))
    assert different(Reduced(1), Reduced(2), Reduced)
    assert digest(Stateful(a=1, cache=2)) == digest(Stateful(a=1, cache=3))
    assert different(Stateful(a=1), Stateful(a=2), Plain(a=1))


def test_a_reduction_may_be_a_name():
    """Of a module's global."""
    assert digest(ByName()) == digest(ByName())


def test_parts_that_are_made_anew_are_no_reason_to_refuse():
    """The second pass finds the same content."""
    assert digest(Doubled(a=[1])) == digest(Doubled(a=[1])) != digest(Doubled(a=[2]))
    assert digest([Doubled(a=1), Doubled(a=1)]) == digest([Doubled(a=1), Doubled(a=1)])


def test_a_reduction_that_differs_is_refused():
    """The path leads to the innermost object that differs."""
    value = {"model": Plain(inner=[Different()], other=Doubled(a=1))}
    with pytest.raises(UnhashableValue, match=r"d\['model'\]\.inner\[0\]") as caught:
        digest(value, path="d")
    assert "another one each time" in caught.value.reason


def test_a_reduction_that_fails_is_refused():
    """With the reason that the object gives."""
    with pytest.raises(UnhashableValue, match="no way"):
        digest(Broken())
    with pytest.raises(UnhashableValue, match="not one"):
        digest(Wrong())


def test_registered_reducers_are_used():
    """As pickle would, for classes of others."""

    class Foreign:
        def __init__(self, key):
            self.key, self.noise = key, object()

    copyreg.pickle(Foreign, lambda value: (Foreign, (value.key,)))
    try:
        assert digest(Foreign(1)) == digest(Foreign(1)) != digest(Foreign(2))
    finally:
        del copyreg.dispatch_table[Foreign]


def test_items_of_a_reduction_count():
    """Those of list-like and dict-like classes."""

    class Keeper:
        def __init__(self, items, pairs):
            self.items, self.pairs = items, pairs

        def __reduce__(self):
            return Plain, (), None, iter(self.items), iter(self.pairs)

    assert different(
        Keeper([], []), Keeper([1], []), Keeper([], [(1, 2)]), Keeper([1], [(1, 2)])
    )
    with pytest.raises(UnhashableValue, match=r"k\['a'\]: _thread.lock"):
        digest(Keeper([], [("a", threading.Lock())]), path="k")


def test_the_class_of_an_instance_counts():
    """Also if it has no state."""
    assert different(Circle(), Plain(), Circle, Shape)


def test_classes_that_derive_from_collections_reduce_too():
    """What a subclass says beside its items counts."""

    class Custom(dict):
        def __init__(self, extra):
            super().__init__()
            self._extra = extra

        def __reduce__(self):
            return Custom, (self._extra,)

    assert different(Custom(1), Custom(2))


def test_standard_instances_have_digests():
    """A few of many."""
    assert different(
        functools.partial(int, base=2),
        functools.partial(int, base=3),
        itertools.repeat,
        collections.UserList([1]),
        collections.UserString("a"),
    )


def test_an_iterator_over_a_list_is_not_used_up():
    """Its rest is its content."""
    one = iter([1, 2, 3])
    next(one)
    before = digest(one)
    assert digest(one) == before
    assert list(one) == [2, 3]
