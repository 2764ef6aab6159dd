"""The short way to a hit: each thing that it takes for unchanged is changed here."""

import functools
import math
import os
import sys
import threading
import types
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbcache
from nbcache.decorator.binder import binder
from nbcache.decorator.options import signature_of
from nbcache.decorator.shortcut import NOTHING
from nbcache.keys import registry
from nbcache.storage import store as storage
from nbcache.storage.recent import Recent


@pytest.fixture(autouse=True, scope="module")
def nothing_registered():
    """Take back what other tests registered."""
    before = dict(registry._hashers)
    registry._hashers.clear()
    registry._plans.clear()
    yield
    registry._hashers.update(before)
    registry._plans.clear()


@pytest.fixture
def cache(tmp_path) -> nbcache.Cache:
    return nbcache.Cache(tmp_path / "cache")


def scope_of(text: str) -> dict:
    """Give the namespace that a notebook's cell leaves, of a module of its own."""
    scope = {"__name__": "__main__", "np": np, "math": math, "deque": deque}
    exec(compile(text, "<cell of a test>", "exec"), scope)
    return scope


def short(f, *args, **kwargs):
    """Give the result of a call by the short way alone."""
    return f._shortcut.find(f._options.core(), args, kwargs)


def warm(f, *args, **kwargs):
    """Call until the short way is taken."""
    for _ in range(4):
        found = f(*args, **kwargs)
    assert short(f, *args, **kwargs) is not NOTHING, "it was not learnt"
    return found


CODE = """
K = 3
TEXT = "a"
ITEMS = [1, 2]
NESTED = {"a": [1, {"b": 2}]}
ARRAY = np.arange(4.0)
PAIR = (1, [2])
SWITCH = None

def helper(x, by=2, *, more=1):
    return x * by + more

def deep(x):
    return helper(x) + K

class Model:
    depth = 1
    items = [1]
    def __init__(self, x):
        self.x = x
    def go(self):
        return self.x * self.depth + sum(self.items)
    @property
    def half(self):
        return self.x / 2
    @staticmethod
    def add(a):
        return a + 1
    @classmethod
    def make(cls, x):
        return cls(x)

class Child(Model):
    pass

MODEL = Model(2)

def maker(scale):
    def inner(x):
        return x * scale
    return inner

scaled = maker(5)

def uses_global(x): return x + K
def uses_text(x): return TEXT * x
def uses_list(x): return x + sum(ITEMS)
def uses_nested(x): return x + NESTED["a"][1]["b"]
def uses_array(x): return float(ARRAY.sum()) + x
def uses_pair(x): return x + PAIR[1][0]
def uses_helper(x): return helper(x)
def uses_deep(x): return deep(x)
def uses_class(x): return Model(x).go()
def uses_child(x): return Child(x).go()
def uses_property(x): return Model(x).half
def uses_static(x): return Model.add(x)
def uses_classmethod(x): return Model.make(x).go()
def uses_instance(x): return MODEL.go() + x
def uses_closure(x): return scaled(x)
def uses_module(x): return math.floor(x + math.pi)
def uses_builtin(x): return abs(x) + len("ab")
def uses_attribute(x): return np.sum([x, 1])
def with_default(x, y=4): return x + y
def with_list_default(x, y=[4]): return x + y[0]
def with_named(x, *, y=4): return x + y
def with_named_list(x, *, y=[4]): return x + y[0]
def annotated(x: int, y: "str" = "a") -> list[int]: return x
def plain(x): return x + 1
def environment(x):
    import os
    return os.environ.get("NBCACHE_TEST_HOT", "") * x
"""


def set_global(name, value):
    return lambda scope, *_: scope.__setitem__(name, value)


def code_of(text: str):
    return scope_of(text)["changed"].__code__


def change_code(name, text):
    def change(scope, *_):
        scope[name].__code__ = code_of(text)

    return change


def attribute(name, attr, value):
    return lambda scope, *_: setattr(scope[name], attr, value)


def new_property(scope, *_):
    scope["Model"].half = property(lambda self: self.x / 4)


def new_static(scope, *_):
    scope["Model"].add = staticmethod(lambda a: a + 100)


def new_classmethod(scope, *_):
    scope["Model"].make = classmethod(lambda cls, x: cls(x + 50))


def new_base(scope, *_):
    class Other(scope["Model"]):
        depth = 9

    Other.__module__ = "__main__"
    scope["Child"].__bases__ = (Other,)


def code_of_method(scope, *_):
    scope["Model"].go.__code__ = code_of("def changed(self): return 77")


def closure(scope, *_):
    scope["scaled"].__closure__[0].cell_contents = 50


def shadow_builtin(scope, *_):
    scope["abs"] = lambda x: 999


def swap_modules(scope, *_):
    other = types.ModuleType("math")
    other.floor, other.pi = (lambda x: 1234), 3.0
    scope["math"] = other


def own_code(scope, function):
    function.__code__ = code_of("def changed(x): return x + 1000")


def own_defaults(scope, function):
    function.__defaults__ = (40,)


def own_list_default(scope, function):
    function.__defaults__[0][0] = 40


def own_named(scope, function):
    function.__kwdefaults__ = {"y": 40}


def own_named_inside(scope, function):
    function.__kwdefaults__["y"] = 40


def own_named_list(scope, function):
    function.__kwdefaults__["y"][0] = 40


CHANGES = {
    "a global": ("uses_global", set_global("K", 30)),
    "a global of another type": ("uses_global", set_global("K", 3.0)),
    "a global that is True instead of 1": ("uses_global", set_global("K", True)),
    "a text": ("uses_text", set_global("TEXT", "b")),
    "a list in place": ("uses_list", lambda s, *_: s["ITEMS"].append(10)),
    "a list by an equal number": (
        "uses_list",
        lambda s, *_: s["ITEMS"].__setitem__(0, 1.0),
    ),
    "a dict deep inside": (
        "uses_nested",
        lambda s, *_: s["NESTED"]["a"][1].__setitem__("b", 20),
    ),
    "an array in place": ("uses_array", lambda s, *_: s["ARRAY"].__setitem__(0, 9)),
    "a list in a tuple": ("uses_pair", lambda s, *_: s["PAIR"][1].__setitem__(0, 9)),
    "a helper": ("uses_helper", set_global("helper", lambda x: -x)),
    "the code of a helper": (
        "uses_helper",
        change_code("helper", "def changed(x, by=2, *, more=1): return 500"),
    ),
    "the defaults of a helper": (
        "uses_helper",
        attribute("helper", "__defaults__", (7,)),
    ),
    "the named defaults of a helper": (
        "uses_helper",
        lambda s, *_: s["helper"].__kwdefaults__.__setitem__("more", 70),
    ),
    "an attribute of a helper": ("uses_helper", attribute("helper", "note", 1)),
    "annotations of a helper": (
        "uses_helper",
        lambda s, *_: s["helper"].__annotations__.__setitem__("x", int),
    ),
    "a helper's helper": ("uses_deep", set_global("helper", lambda x: -x)),
    "a helper's global": ("uses_deep", set_global("K", 300)),
    "a class attribute": ("uses_class", attribute("Model", "depth", 4)),
    "a class attribute in place": (
        "uses_class",
        lambda s, *_: s["Model"].items.append(5),
    ),
    "a new class attribute": ("uses_class", attribute("Model", "extra", 4)),
    "a method": ("uses_class", attribute("Model", "go", lambda self: 5)),
    "the code of a method": ("uses_class", code_of_method),
    "a class": ("uses_class", set_global("Model", type("Model", (), {}))),
    "the class of a class method": ("uses_classmethod", new_classmethod),
    "a property": ("uses_property", new_property),
    "a static method": ("uses_static", new_static),
    "an attribute of a base": ("uses_child", attribute("Model", "depth", 4)),
    "a base": ("uses_child", new_base),
    "an instance": ("uses_instance", lambda s, *_: setattr(s["MODEL"], "x", 20)),
    "the class of an instance": ("uses_instance", attribute("Model", "depth", 20)),
    "a closure": ("uses_closure", closure),
    "a module": ("uses_module", swap_modules),
    "a builtin": ("uses_builtin", shadow_builtin),
    "its own code": ("plain", own_code),
    "its own defaults": ("with_default", own_defaults),
    "a list among its defaults": ("with_list_default", own_list_default),
    "its named defaults": ("with_named", own_named),
    "inside its named defaults": ("with_named", own_named_inside),
    "a list among its named defaults": ("with_named_list", own_named_list),
    "its annotations": (
        "annotated",
        lambda s, f: f.__annotations__.__setitem__("x", float),
    ),
    "its name": ("plain", lambda s, f: setattr(f, "__qualname__", "other")),
    "its attributes": ("plain", lambda s, f: setattr(f, "note", 1)),
    "the environment": (
        "environment",
        lambda *_: os.environ.__setitem__("NBCACHE_TEST_HOT", "x"),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_noticed(cache, what, monkeypatch):
    """The short way gives nothing as soon as the key would be another one."""
    monkeypatch.delenv("NBCACHE_TEST_HOT", raising=False)
    monkeypatch.setenv("NBCACHE_TEST_HOT", "")
    name, change = CHANGES[what]
    scope = scope_of(CODE)
    function = scope[name]
    f = cache.cached(function)
    warm(f, 3)
    before = f.key(3).digest
    change(scope, function)
    assert f.key(3).digest != before, "this change is none"
    assert short(f, 3) is NOTHING


@pytest.mark.parametrize("what", [one for one in CHANGES if one != "a class"])
def test_the_result_is_that_of_the_changed_code(cache, what, monkeypatch):
    """After a change, a cached call gives what the function itself gives."""
    monkeypatch.setenv("NBCACHE_TEST_HOT", "")
    name, change = CHANGES[what]
    scope = scope_of(CODE)
    f = cache.cached(scope[name], memory=what < "m")
    warm(f, 3)
    change(scope, scope[name])
    for _ in range(5):
        assert f(3) == scope[name](3)


def test_a_patched_attribute_of_an_installed_module_is_noticed(cache, monkeypatch):
    """What the user puts in the place of a library's function counts."""
    f = cache.cached(scope_of(CODE)["uses_attribute"])
    assert warm(f, 3) == 4
    monkeypatch.setattr(np, "sum", lambda _: 500)
    assert f(3) == 500
    monkeypatch.undo()
    assert f(3) == 4


def test_a_patched_builtin_is_noticed(cache, monkeypatch):
    """Put into `builtins` by the user."""
    scope = scope_of("def f(x): return surprise(x)")
    monkeypatch.setattr("builtins.surprise", lambda x: x + 1, raising=False)
    f = cache.cached(scope["f"])
    assert warm(f, 3) == 4
    monkeypatch.setattr("builtins.surprise", lambda x: x + 10)
    assert f(3) == 13


def test_a_method_hung_onto_frames_is_noticed(cache, monkeypatch):
    """New, changed and gone, by a name that the code uses."""
    scope = scope_of("import pandas as pd\ndef f(x): return pd.Series([x]).doubled_()")
    monkeypatch.setattr(
        pd.Series, "doubled_", lambda self: float(self[0]) * 2, raising=False
    )
    f = cache.cached(scope["f"])
    assert warm(f, 3) == 6
    monkeypatch.setattr(pd.Series, "doubled_", lambda self: float(self[0]) * 3)
    assert f(3) == 9


def test_a_method_that_was_not_there_is_noticed(cache, monkeypatch):
    """An attribute that the code uses may come to a class of frames."""
    scope = scope_of("def f(x): return x.appears_ if hasattr(x, 'appears_') else 1")
    f = cache.cached(scope["f"])
    warm(f, 3)
    monkeypatch.setattr(pd.DataFrame, "appears_", lambda self: 5, raising=False)
    assert short(f, 3) is NOTHING


def test_a_helper_that_is_cached_itself_is_followed(cache):
    """The function behind the wrapper counts, and which one that is."""
    scope = scope_of("def g(x): return x + 1\ndef f(x): return g(x)")
    inner = scope["g"]
    scope["g"] = cache.cached(inner)
    f = cache.cached(scope["f"])
    assert warm(f, 3) == 4
    inner.__code__ = code_of("def changed(x): return x + 50")
    assert f(3) == 53
    warm(f, 3)
    scope["g"]._function = lambda x: x + 90
    assert short(f, 3) is NOTHING


def test_a_decorated_helper_is_followed(cache):
    """What stands behind `__wrapped__` counts too."""
    scope = scope_of("def f(x): return g(x)")

    def g(x):
        return x + 1

    def outer(function):
        @functools.wraps(function)
        def run(x):
            return function(x)

        return run

    scope["g"] = outer(g)
    f = cache.cached(scope["f"])
    assert warm(f, 3) == 4
    g.__code__ = code_of("def changed(x): return x + 50").replace(
        co_freevars=(), co_name="g"
    )
    assert f(3) == 53


def test_fields_of_a_dataclass_are_noticed(cache):
    """Defaults and methods of a dataclass."""

    @dataclass
    class Point:
        x: int
        y: int = 2
        rest: list = field(default_factory=list)

        def total(self):
            return self.x + self.y

    def f(x):
        return Point(x).total()

    f = cache.cached(f)
    assert warm(f, 1) == 3
    Point.total = lambda self: 100
    assert f(1) == 100


def test_an_abstract_base_is_followed(cache):
    """Its methods count as those of any base."""

    class Base(ABC):
        @abstractmethod
        def go(self): ...

        def run(self):
            return self.go() + 1

    class Real(Base):
        def go(self):
            return 1

    def f():
        return Real().run()

    f = cache.cached(f)
    assert warm(f) == 2
    Base.run = lambda self: 50
    assert f() == 50


def test_what_depends_on_names_is_noticed(cache):
    """A dependency that the user declared, changed in place."""
    table = {"a": 1}

    def f(x):
        return x

    f = cache.cached(f, depends_on=(table,))
    warm(f, 1)
    table["a"] = 2
    assert short(f, 1) is NOTHING


def test_a_module_of_the_users_is_left_to_the_whole_way(cache, tmp_path, monkeypatch):
    """What it holds is read each time: a changed attribute is a miss."""
    (tmp_path / "hot_own_module.py").write_text("K = 1\ndef go(x):\n    return x + K\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import hot_own_module as own

    monkeypatch.setitem(sys.modules, "hot_own_module", own)

    def f(x):
        return own.go(x)

    f = cache.cached(f)
    for _ in range(5):
        assert f(1) == 2
    own.K = 10
    assert f(1) == 11
    for _ in range(5):
        assert f(1) == 11
    own.go = lambda x: 77
    assert f(1) == 77


# --- arguments


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)
OTHERS = st.sampled_from(
    [
        np.arange(3.0),
        np.float64(2.5),
        {1, 2},
        frozenset([1]),
        pd.Series([1, 2]),
        math.sin,
        b"x" * 100,
        range(3),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PLAIN | OTHERS, min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["c", "d", "e"]), PLAIN | OTHERS),
    st.booleans(),
)
def test_the_short_way_makes_the_same_key(shared_short, args, named, same):
    """Whatever the arguments are, also if two of them are the same object."""
    f = shared_short
    if same:
        args = [*args[:1], *args]
    learnt = f._shortcut._learnt
    place = learnt._place(learnt._bind(*args, **named))
    assert place.digest == f._request(tuple(args), named)[0].key.digest


@pytest.fixture(scope="module")
def shared_short(tmp_path_factory):
    """Give a function whose short way is known."""
    scope = scope_of(
        "LIST = [1, [2]]\n"
        "def f(a, b=1, *rest, c=2, **named): return 0 if LIST else math.pi"
    )
    f = nbcache.Cache(tmp_path_factory.mktemp("c")).cached(scope["f"], version=(1, "v"))
    warm(f, 3)
    f.globals_ = scope
    return f


@pytest.mark.parametrize("own", ["global", "inside a global", "default"])
def test_an_argument_that_the_code_reads_too_is_another_one(cache, own):
    """The list itself is not a copy of it: a change of one would show in the other."""
    scope = scope_of(
        "ITEMS = [[1]]\ndef f(x, y=[5]): return len(x) + len(ITEMS) + len(y)"
    )
    f = cache.cached(scope["f"])
    warm(f, [1])
    found = {
        "global": scope["ITEMS"],
        "inside a global": scope["ITEMS"][0],
        "default": scope["f"].__defaults__[0],
    }[own]
    learnt = f._shortcut._learnt
    for value in (found, [*found]):
        place = learnt._place(learnt._bind(value))
        assert place.digest == f.key(value).digest
    assert f.key(found).digest != f.key([*found]).digest


def test_numbers_that_are_equal_are_not_the_same(cache):
    """1, 1.0, True and -0.0 have results of their own."""

    @cache.cached
    def f(x):
        return repr(x)

    values = [1, 1.0, True, 0, 0.0, -0.0, False, 1 + 0j, float("nan"), "1", b"1"]
    for _ in range(5):
        for value in values:
            assert f(value) == repr(value)


def test_a_subclass_of_a_plain_type_is_not_plain(cache):
    """It is digested by the walk, with its class."""

    class Number(int):
        pass

    @cache.cached
    def f(x):
        return type(x).__name__

    warm(f, 1)
    for _ in range(4):
        assert f(Number(1)) == "Number"
        assert f(1) == "int"


def test_a_registered_hash_ends_the_short_way(cache):
    """From then on, the walk asks the user's function."""

    @cache.cached
    def f(x):
        return x

    warm(f, 1)
    nbcache.register_hash(complex, repr)
    try:
        assert short(f, 1) is NOTHING
        for _ in range(5):
            f(1)
        assert short(f, 1) is NOTHING
    finally:
        registry._hashers.pop(complex)
        registry._plans.clear()


def test_settings_reach_the_short_way(cache):
    """The versions of packages that count, and the switches."""
    scope = scope_of(CODE)
    f = cache.cached(scope["uses_attribute"])
    warm(f, 1)
    with nbcache.config.using(track_versions="exact"):
        assert short(f, 1) is NOTHING
    warm(f, 1)
    with nbcache.disabled():
        assert short(f, 1) is NOTHING


def test_the_default_folder_reaches_the_short_way(tmp_path):
    """A function that is already decorated uses the new folder."""
    ran = []

    def f(x):
        ran.append(x)
        return x

    f = nbcache.cached(f, ignore_globals="ran", track="none", name="of folders")
    with nbcache.config.using(dir=str(tmp_path / "a")):
        warm(f, 1)
    with nbcache.config.using(dir=str(tmp_path / "b")):
        f(1)
    assert len(ran) == 2


# --- results


@pytest.mark.parametrize("memory", [True, False])
def test_a_file_changed_in_place_is_noticed(cache, memory):
    """By its times, and where memory is off by its bytes."""

    @cache.cached(memory=memory)
    def f(x):
        return [x, 2]

    warm(f, 1)
    (path,) = (cache.directory / "entries").rglob("*.npz")
    found = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert short(f, 1) is NOTHING
    with pytest.warns(nbcache.CacheWarning, match="damaged"):
        assert f(1) == [1, 2]


@pytest.mark.parametrize("memory", [True, False])
def test_an_entry_that_is_gone_is_noticed(cache, memory):
    """However it went."""

    @cache.cached(memory=memory)
    def f(x):
        return x

    warm(f, 1)
    cache.clear(all=True)
    assert short(f, 1) is NOTHING
    warm(f, 1)
    (path,) = (cache.directory / "entries").rglob("*.npz")
    path.unlink()
    assert short(f, 1) is NOTHING


@pytest.mark.parametrize("memory", [True, False])
def test_a_link_in_the_place_of_an_entry_is_not_followed(cache, memory, tmp_path):
    """Not even to the very same bytes."""

    @cache.cached(memory=memory)
    def f(x):
        return x

    warm(f, 1)
    (path,) = (cache.directory / "entries").rglob("*.npz")
    path.rename(tmp_path / "moved.npz")
    path.symlink_to(tmp_path / "moved.npz")
    assert short(f, 1) is NOTHING


def test_a_result_of_another_age_is_expired(cache):
    """Today's limit decides, also after the short way was learnt."""

    @cache.cached
    def f(x):
        return x

    warm(f, 1)
    with nbcache.config.using(expires_after=0):
        assert short(f, 1) is NOTHING


RESULTS = {
    "none": lambda x: None,
    "number": lambda x: 1.5,
    "scalar": lambda x: np.float64(1.5),
    "list": lambda x: [1, [2], {"a": (1, 2)}],
    "list twice": lambda x: [y := [1], y],
    "array": lambda x: np.arange(6.0).reshape(2, 3),
    "fortran": lambda x: np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": lambda x: np.arange(6.0)[::2],
    "read-only": lambda x: np.frombuffer(b"12345678"),
    "structured": lambda x: np.zeros(2, [("a", "i1"), ("b", "f8")]),
    "objects": lambda x: np.array([[1], None], dtype=object),
    "frame": lambda x: pd.DataFrame({"a": [1, 2]}),
    "set": lambda x: {1, 2},
    "argument": lambda x: x,
}


@pytest.mark.parametrize("mode", ["copy", "read", None])
@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("what", RESULTS)
def test_results_are_those_of_the_whole_way(cache, what, memory, mode):
    """In value, type, order, and in what may be written to; nothing is shared."""
    f = cache.cached(RESULTS[what], memory=memory, mmap=mode, name=what)
    x = [1, 2]
    f(x)
    whole = f.peek(x)
    for _ in range(5):
        got = f(x)
        assert type(got) is type(whole)
        assert repr(got) == repr(whole)
        if isinstance(got, np.ndarray):
            assert got.flags.writeable is whole.flags.writeable
            assert got.strides == whole.strides
            assert got.flags.owndata == whole.flags.owndata
            assert not np.shares_memory(got, whole)
            if got.flags.writeable and got.dtype != object:
                got[...] = got[::-1].copy()
                got.resize((1,), refcheck=False) if got.flags.owndata else None
        elif what == "argument":
            assert got is x
        elif isinstance(got, list):
            got[-1] = "spoilt"
            got.append(3)


def test_what_the_same_entry_gives_depends_on_how_arrays_are_asked_for(cache):
    """Two wrappers of one function share its entries."""

    def f():
        return np.arange(3)

    writable, fixed = cache.cached(f), cache.cached(f, mmap="read")
    for _ in range(5):
        assert writable().flags.writeable
        assert not fixed().flags.writeable


def test_threads_take_the_short_way_at_once(cache):
    """While the memory is far too small for what they ask for."""
    kept = storage._recent
    storage._recent = Recent(20_000)
    wrong = []

    @cache.cached
    def f(x):
        return [x, "-" * 500]

    def work():
        for x in list(range(20)) * 10:
            got = f(x)
            if got[0] != x:
                wrong.append(got)
            got[0] = "spoilt"

    try:
        for x in range(20):
            f(x)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert storage._recent.bytes <= 20_000
    finally:
        storage._recent = kept
    assert wrong == []


def test_max_memory_is_a_setting(cache):
    """A size; lowered, what is kept shrinks with the next entry; 0 keeps nothing."""
    kept = storage._recent
    storage._recent = Recent()

    @cache.cached
    def f(x):
        return "-" * 1000

    try:
        for x in range(30):
            f(x), f(x)
        before = storage._recent.bytes
        with nbcache.config.using(max_memory="60kB"):
            f(100), f(100)
            assert 0 < storage._recent.bytes <= 60_000 < before
        with nbcache.config.using(max_memory=0):
            f(101), f(101)
            assert storage._recent.bytes == 0
    finally:
        storage._recent = kept


def test_repeated_hits_are_counted(cache):
    """In the outcomes, the history and the figures of the function."""

    @cache.cached
    def f(x):
        return x

    for _ in range(12):
        f(1)
    assert nbcache.last().hit
    assert nbcache.last().name.endswith("f")
    assert f.cache_info().hits == 11
    assert cache.core.store.history.outcomes(f._own_name)[0]["hit"]


def test_a_recorded_call_inherits_from_the_short_way(cache):
    """Seconds that the inner result took count for the outer one."""

    @cache.cached
    def inner(x):
        return x

    warm(inner, 1)

    def outer(x):
        return inner(x) + 1

    assert cache.cached(outer)(1) == 2
    assert cache.cached(outer)(1) == 2


@pytest.mark.parametrize(
    "function",
    [
        lambda: 0,
        lambda a, b=2: 0,
        lambda a, /, b, *, c=3: 0,
        lambda a, /, *rest, c=3, **named: 0,
        lambda *rest: 0,
        lambda a, b=1, /: 0,
        lambda given=1, lambda_=2: 0,
    ],
)
def test_binding_is_that_of_the_signature(function):
    """Values as `inspect` binds them, errors where it raises."""
    signature = signature_of(function)
    bind = binder(signature, list(signature.parameters))
    calls = [
        ((), {}),
        ((1,), {}),
        ((1, 2), {}),
        ((1, 2, 3), {"c": 4}),
        ((1,), {"b": 2, "c": 5}),
        ((), {"a": 1}),
        ((), {"given": 4}),
    ]
    for args, kwargs in calls:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            with pytest.raises(TypeError):
                bind(*args, **kwargs)
            continue
        bound.apply_defaults()
        assert bind(*args, **kwargs) == tuple(bound.arguments.values())


def test_coroutine_functions_take_the_short_way_too(cache):
    """And notice what it notices."""
    import asyncio

    scope = scope_of("K = 1\nasync def f(x): return [x + K]")
    f = cache.cached(scope["f"])

    async def several():
        found = [await f(1) for _ in range(6)]
        assert short(f, 1) == [2]
        found[-1].append("spoilt")
        assert await f(1) == [2]
        scope["K"] = 10
        assert await f(1) == [11]

    asyncio.run(several())


def test_a_hash_registered_for_another_type_leaves_the_short_way(cache):
    """It is learnt anew, and asks that function where the type is met."""

    class Thing:
        mark = 1

    thing = Thing()
    asked = []

    def f(x):
        return x, thing.mark

    f = cache.cached(f)
    warm(f, 1)
    nbcache.register_hash(Thing, lambda one: asked.append(one) or one.mark)
    try:
        assert short(f, 1) is NOTHING
        f(1)
        warm(f, 1)
        thing.mark = 5
        assert f(1) == (1, 5)
        assert asked
    finally:
        registry._hashers.pop(Thing)
        registry._plans.clear()
