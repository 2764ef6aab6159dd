"""What can be decorated: methods of all kinds, partials, callables, builtins."""

import functools
import inspect
import math
import operator
import subprocess
import sys

import counting
import numpy as np
import pytest

import nbcache


def test_the_instance_is_an_argument_like_others(cache, runs):
    """Equal instances share results, others do not."""

    class Model:
        def __init__(self, n):
            self.n = n

        @cache.cached
        def f(self, x=1):
            counting.count()
            return self.n + x

    first, same, other = Model(1), Model(1), Model(2)
    assert [first.f(), same.f(x=1), Model.f(first, 1), other.f()] == [2, 2, 2, 3]
    assert len(runs) == 2
    first.n = 5
    assert first.f() == 6
    assert len(runs) == 3


def test_a_bound_function_has_the_methods_of_the_wrapper(cache, runs):
    """With the instance filled in."""

    class Model:
        def __init__(self, n):
            self.n = n

        @cache.cached
        def f(self, x):
            """Add."""
            counting.count()
            return self.n + x

    model = Model(1)
    bound = model.f
    assert bound.key(2) == Model.f.key(model, 2)
    assert not bound.is_cached(2)
    assert "miss" in bound.explain(2)
    assert bound.refresh(2) == bound.peek(2) == bound.uncached(2) == 3
    assert bound.put(9, 3)
    assert bound(3) == 9
    assert bound.clear(3) == 1
    assert not bound.is_cached(3)
    assert bound.is_cached(2)
    assert Model(5).f(2) == 7
    assert bound.cache_info().currsize == len(bound.entries()) == 2
    assert bound.clear() == 2
    assert bound.__name__ == "f"
    assert bound.__doc__ == "Add."
    assert bound.__self__ is model
    assert bound == model.f
    assert bound != Model(1).f
    assert {bound, model.f} == {bound}
    assert list(inspect.signature(bound).parameters) == ["x"]


def test_static_and_class_methods_in_either_order(cache, runs):
    """They stay what they are, with the methods of the wrapper."""

    class Model:
        n = 2

        @cache.cached
        @staticmethod
        def a(x):
            counting.count("a")
            return x

        @staticmethod
        @cache.cached
        def b(x):
            counting.count("b")
            return x

        @cache.cached(version=1)
        @classmethod
        def c(cls, x):
            counting.count("c")
            return cls.n + x

        @classmethod
        @cache.cached
        def d(cls, x):
            counting.count("d")
            return cls.n + x

    class Other(Model):
        n = 3

    for _ in range(2):
        for owner in (Model, Model()):
            assert owner.a(1) == owner.b(1) == 1
            assert owner.c(1) == owner.d(1) == 3
        assert Other.c(1) == Other().d(1) == 4
    assert sorted(runs) == [("a",), ("b",), ("c",), ("c",), ("d",), ("d",)]
    assert Model.a.is_cached(1)
    assert Model.b.is_cached(1)
    assert Model.c.is_cached(1)
    assert not Model.c.is_cached(2)
    assert Other().c.key(1) != Model.c.key(1)
    if sys.version_info < (3, 13):
        assert Model.d.is_cached(1)


def test_properties_stand_above(cache, runs):
    """The other way round says so."""

    class Model:
        n = 2

        @property
        @cache.cached
        def a(self):
            counting.count()
            return self.n

        @functools.cached_property
        @cache.cached
        def b(self):
            counting.count()
            return self.n

    assert Model().a == Model().a == Model().b == 2
    assert len(runs) == 2
    for kind in (property, functools.cached_property):
        with pytest.raises(TypeError, match=f"@{kind.__name__} above @cached"):
            cache.cached(kind(lambda self: 1))


def test_partials_have_the_name_of_their_function(cache, runs):
    """And are told apart by what they fix."""

    def f(a, b, c=3):
        counting.count()
        return a, b, c

    one = cache.cached(functools.partial(f, 1))
    two = cache.cached(functools.partial(f, 2, c=4))
    assert one(5) == one(b=5) == (1, 5, 3)
    assert two(5) == (2, 5, 4)
    assert len(runs) == 2
    assert one._own_name == two._own_name
    assert one._own_name.endswith("f")


def test_callable_instances(cache, runs):
    """Their state belongs to the key, their attributes do not hide methods."""

    class Model:
        def __init__(self, n):
            self.n = n
            self.key = "an attribute"

        def __call__(self, x):
            counting.count()
            return self.n + x

    model = Model(1)
    cached = cache.cached(model)
    assert cached(1) == cached(1) == 2
    assert cached.is_cached(1)
    assert cached.key(1) != cached.key(2)
    assert cached.n == 1
    model.n = 5
    assert cached(1) == 6
    assert len(runs) == 2
    assert cached.__wrapped__ is model


def test_attributes_of_a_function_are_at_hand(cache):
    """Those that are no methods of the wrapper."""

    def f():
        return 1

    f.author, f.clear = "me", "mine"
    cached = cache.cached(f)
    assert cached.author == "me"
    assert callable(cached.clear)
    assert not hasattr(cached, "missing")


BUILTINS = [
    (np.linalg.svd, (np.eye(2),)),
    (np.dot, (np.eye(2), np.ones(2))),
    (np.add, (1, 2)),
    (max, (1, 5, 3)),
    (sorted, ([2, 1],)),
    (math.hypot, (3, 4)),
    (operator.itemgetter(1), ([5, 6],)),
    ("a,b".split, (",",)),
    (str.upper, ("x",)),
    (dict.fromkeys, ("ab",)),
]


@pytest.mark.parametrize(("function", "args"), BUILTINS, ids=range(len(BUILTINS)))
def test_builtins_and_functions_of_libraries(cache, function, args):
    """With a signature or without one."""
    cached = cache.cached(function)
    first, again = cached(*args), cached(*args)
    assert repr(first) == repr(again) == repr(function(*args))
    assert nbcache.last().hit
    assert len(cached.entries()) == 1
    assert [one.hit for one in list(nbcache.cache.outcomes)[-2:]] == [False, True]


def test_builtins_of_different_objects_differ(cache):
    """A bound builtin carries its object."""
    first, other = cache.cached("a,b".split), cache.cached("c,d".split)
    assert first(",") == ["a", "b"]
    assert other(",") == ["c", "d"]
    assert cache.cached(operator.itemgetter(0))([5, 6]) == 5
    assert cache.cached(operator.itemgetter(1))([5, 6]) == 6


def test_every_kind_of_parameter(cache, runs):
    """Positional-only, keyword-only, ``*args``, ``**kwargs``, defaults."""

    @cache.cached
    def f(a, /, b, *rest, c, d=4, **more):
        counting.count()
        return a, b, rest, c, d, more

    assert f(1, 2, c=3) == f(1, b=2, c=3, d=4) == (1, 2, (), 3, 4, {})
    assert len(runs) == 1
    assert f(1, 2, 5, 6, c=3, a=7) == (1, 2, (5, 6), 3, 4, {"a": 7})
    assert f(1, 2, (5, 6), c=3, a=7) == (1, 2, ((5, 6),), 3, 4, {"a": 7})
    assert f(1, 2, c=3, x=1, y=2)[-1] == {"x": 1, "y": 2}
    assert list(f(1, 2, c=3, y=2, x=1)[-1]) == ["y", "x"]
    assert len(runs) == 5
    with pytest.raises(TypeError, match="missing"):
        f(1, 2)


def test_decorators_below(cache, runs):
    """What they do counts; the signature is that of the function."""

    def times(n):
        def decorate(function):
            @functools.wraps(function)
            def inner(*args, **kwargs):
                return n * function(*args, **kwargs)

            return inner

        return decorate

    def f(x, y=1):
        counting.count()
        return x + y

    two, three = cache.cached(times(2)(f)), cache.cached(times(3)(f))
    assert two(1) == two(x=1, y=1) == 4
    assert three(1) == 6
    assert len(runs) == 2


def test_lambdas_are_told_apart(cache):
    """Also on one line."""
    first, other = cache.cached(lambda x: x + 1), cache.cached(lambda x: x + 2)
    assert (first(1), other(1)) == (2, 3)


def test_parameters_left_out_stand_in_the_docstring(cache, runs):
    """Those that begin with ``_``, and the ignored ones."""

    @cache.cached(ignore="verbose")
    def f(x, _log=None, verbose=False):
        """Give x.

        More.
        """
        counting.count()
        return x

    def plain(x):
        """Give x."""

    assert f.__doc__.startswith("Give x.\n\nMore.")
    assert f.__doc__.endswith("Not part of the cache's key: _log, verbose.")
    assert cache.cached(plain).__doc__ == "Give x."
    assert cache.cached(lambda _a: 1).__doc__ == "Not part of the cache's key: _a."
    f(1), f(1, _log=[]), f(1, verbose=True)
    assert len(runs) == 1


def test_classes_are_refused_with_advice(cache):
    """What comes out would be no class."""
    with pytest.raises(TypeError, match="a function that makes the instance"):
        cache.cached(dict)


RECURSION = """
import sys, nbcache
cache = nbcache.Cache(sys.argv[1])
sys.setrecursionlimit(1000)
@cache.cached
def total(n):
    return n and n + total(n - 1)
print(total(290))
try:
    total(2000)
except RecursionError as error:
    print(type(error).__name__)
print(total(290), nbcache.last().hit, total(100))
"""


def test_deep_recursion_needs_few_frames_a_level(tmp_path):
    """Close to 300 levels under the default limit; beyond, Python's own error."""
    done = subprocess.run(
        [sys.executable, "-c", RECURSION, str(tmp_path / "c")],
        capture_output=True,
        text=True,
    )
    assert done.stdout.split("\n")[:3] == ["42195", "RecursionError", "42195 True 5050"]
    assert done.returncode == 0, done.stderr
