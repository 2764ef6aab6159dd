"""What only pickle keeps: signed, shared with the rest of the tree, bound anew."""

import collections
import dataclasses
import functools
import io
import json
import pickle
import sqlite3
import subprocess
import sys
import threading
import types

import cloudpickle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from round_trips import assert_same, member_of, round_trip, through_file

from nbcache.errors import UnstorableValue, UntrustedEntry
from nbcache.storage import codec, functions


class Bag(dict):
    """A dictionary with attributes: pickle's affair."""


class Custom:
    """Says itself how it is pickled."""

    def __init__(self, items):
        self.items = list(items)
        self.source = items

    def __reduce__(self):
        return Custom, (self.source,)


class Hooked:
    """Changes its state on the way."""

    def __init__(self, value):
        self.value = value

    def __getstate__(self):
        return {"stored": self.value}

    def __setstate__(self, state):
        self.value = state["stored"]


@dataclasses.dataclass
class Model:
    """A plain class of the user's."""

    weights: object = None

    def predict(self):
        """Give the weights."""
        return self.weights


class Rule:
    """Counts the classes of this module as the user's."""

    def digest_of(self, cls):
        """Give the name."""
        return cls.__qualname__ if cls.__module__ == __name__ else None

    def resolve(self, module, qualname, digest):
        """Give the class of the name."""
        return globals()[qualname]


RULE = Rule()


def trusted(values, **options):
    return round_trip(values, allow_pickle=True, classes=RULE, **options)


class Trap:
    """Runs code when it is unpickled."""

    ran = False

    def __reduce__(self):
        return setattr, (Trap, "ran", True)


# ---------------------------------------------------------------- trust


def test_pickled_parts_are_listed_by_path():
    """The entry says what of it is code."""
    values = {"a": [1, {"k": Hooked(1)}], "m": Model(Bag()), "b": [Bag()] * 2}
    encoded = codec.encode(values, classes=RULE)
    assert encoded.pickled == ("a[1]['k']", "m.weights", "b[0]")


def test_pickled_parts_need_trust_and_nothing_runs_without():
    """Without it, the error comes before any byte is unpickled."""
    encoded = codec.encode({"a": 1, "x": [Trap()]})
    with pytest.raises(UntrustedEntry, match="nbcache trust"):
        codec.decode(encoded.tree, member_of(encoded))
    assert not Trap.ran


def test_functions_need_trust():
    """Code is code, whether it is pickled or marshalled."""
    encoded = codec.encode({"f": lambda x: x}, namespace=globals())
    assert encoded.pickled == ("f",)
    with pytest.raises(UntrustedEntry):
        codec.decode(encoded.tree, member_of(encoded), namespace=globals())


def test_nothing_is_unpickled_twice_nor_for_other_names(tmp_path):
    """Leaves of all names stand in one stream."""
    values = {"x": Hooked([1]), "y": [Hooked([2])]}
    read = through_file(tmp_path / "x.npz", values, allow_pickle=True, classes=RULE)
    assert read["x"].value == [1]
    assert read["y"][0].value == [2]


# ---------------------------------------------------------------- references


def test_leaves_share_with_each_other():
    """Two leaves that hold one object hold one afterwards."""
    shared = Bag()
    read = trusted({"a": Hooked(shared), "b": Hooked(shared), "c": shared})
    assert read["a"].value is read["b"].value is read["c"]


@pytest.mark.parametrize("order", [("leaf", "plain"), ("plain", "leaf")])
def test_leaves_share_with_plain_parts(order):
    """A list, array, instance, set, generator that a leaf holds and the tree holds."""
    parts = {
        "list": [1],
        "array": np.arange(3),
        "model": Model([2]),
        "dict": {"k": [3]},
        "set": {1},
        "rng": np.random.default_rng(1),
    }
    values = {"leaf": Hooked(parts.copy()), "plain": parts}
    read = trusted({name: values[name] for name in order})
    for name in parts:
        assert read["leaf"].value[name] is read["plain"][name], name
    assert_same(values["plain"], read["plain"])


def test_constructor_of_a_leaf_sees_whole_plain_parts():
    """A class that copies in its constructor gets the filled list, not an empty one."""
    items = [1, [2], np.arange(3)]
    read = trusted({"c": Custom(items), "items": items})
    assert len(read["c"].items) == 3
    assert read["c"].source is read["items"]
    assert read["c"].items[1] is read["items"][1]


def test_cycles_through_leaves_and_plain_parts():
    """A list that holds a leaf that holds the list, in all directions."""
    bag = Bag()
    items = [bag, [1]]
    bag["items"] = items
    bag["inner"] = items[1]
    bag["self"] = bag
    model = Model(bag)
    bag["model"] = model
    values = {"items": items, "bag": bag, "model": model, "inner": items[1]}
    read = trusted(values)
    assert_same(values, read)


def test_leaves_hold_views_of_plain_arrays():
    """An array inside a leaf that is a view of one in the tree."""
    x = np.arange(10.0)
    read = trusted({"b": Hooked(x[2:5]), "x": x})
    assert np.shares_memory(read["b"].value, read["x"])
    read["x"][2] = -1
    assert read["b"].value[0] == -1


def test_arrays_in_leaves_are_members():
    """Large arrays inside pickled parts are mapped, not unpickled."""
    x = np.arange(100_000)
    encoded = codec.encode({"b": Hooked(x)})
    assert max(array.nbytes for array in encoded.members.values()) == x.nbytes
    assert sum(array.nbytes for array in encoded.members.values()) < x.nbytes + 2000


def test_buffers_of_leaves_are_members():
    """What a class pickles out of band does not lie in the stream."""

    class Buffer:
        def __init__(self, data):
            self.data = data

        def __reduce_ex__(self, protocol):
            return bytes, (pickle.PickleBuffer(self.data),)

    encoded = codec.encode({"b": Buffer(bytearray(50_000))})
    sizes = [array.nbytes for array in encoded.members.values()]
    assert 50_000 in sizes
    read = codec.decode(encoded.tree, member_of(encoded), allow_pickle=True)
    assert read["b"] == bytes(50_000)


def test_leaves_refer_to_live_objects():
    """A live object inside a leaf is that object afterwards."""
    live = {"d": {"k": [1]}, "a": np.arange(5)}
    values = {"x": Hooked([live["d"]["k"], live["a"], live["a"][1:]])}
    value = trusted(values, live=live)["x"].value
    assert value[0] is live["d"]["k"]
    assert value[1] is live["a"]
    assert np.shares_memory(value[2], live["a"])


def test_attributes_dictionary_in_a_leaf():
    """`vars(m)` held by a leaf is the very dictionary of m."""
    m = Model([1])
    read = trusted({"m": m, "h": Hooked(vars(m))})
    assert read["h"].value is vars(read["m"])


def test_user_classes_in_leaves_go_by_name_and_digest():
    """Leaves refer to the rule's class, not to a pickled copy of it."""
    encoded = codec.encode({"b": Bag(m=Model(1), c=Model)}, classes=RULE)
    assert {name for _, name, _ in encoded.classes} == {"Bag", "Model"}

    class Other(Rule):
        def resolve(self, module, qualname, digest):
            raise LookupError(f"{qualname} changed")

    with pytest.raises(LookupError, match="changed"):
        codec.decode(
            encoded.tree, member_of(encoded), classes=Other(), allow_pickle=True
        )


def test_what_a_leaf_needs_and_is_gone_is_a_lookup_error(monkeypatch):
    """A class or module that no longer exists is no damage."""
    module = types.ModuleType("passing_module")
    monkeypatch.setitem(sys.modules, "passing_module", module)
    exec("class Thing(dict): pass", vars(module))
    encoded = codec.encode({"t": module.Thing(a=1)})
    monkeypatch.delitem(sys.modules, "passing_module")
    with pytest.raises(LookupError, match="passing_module"):
        codec.decode(encoded.tree, member_of(encoded), allow_pickle=True)


# ---------------------------------------------------------------- functions

FACTOR = 2


def counter():
    """Give two functions that share a variable."""
    count = 0

    def step():
        nonlocal count
        count += 1
        return count * FACTOR

    def get():
        return count

    return step, get


def in_namespace(source):
    namespace = {"__name__": "__main__", "FACTOR": 2}
    exec(source, namespace)
    return namespace


def test_function_gets_the_globals_of_the_reader():
    """What it reads is today's, not a copy from then."""
    there = in_namespace("f = lambda x: x * FACTOR")
    here = {"FACTOR": 10}
    encoded = codec.encode({"f": there["f"]}, namespace=there)
    read = codec.decode(
        encoded.tree, member_of(encoded), namespace=here, allow_pickle=True
    )
    assert read["f"](3) == 30
    assert read["f"].__globals__ is here


def test_closures_share_their_cells():
    """Two functions over one variable stay two functions over one variable."""
    namespace = globals()
    step, get = counter()
    step()
    read = trusted({"f": [step, get]}, namespace=namespace)["f"]
    assert read[0]() == 4
    assert read[1]() == 2
    assert get() == 1


def test_function_keeps_all_its_attributes():
    """Defaults, keyword defaults, annotations, dict, doc, names."""
    namespace = in_namespace(
        "def f(a: int, b=[1], *, c={}) -> str:\n 'doc'\n return a\nf.x = b = [5]\n"
    )
    f = namespace["f"]
    values = {"f": f, "b": f.__defaults__[0], "x": f.x}
    read = trusted(values, namespace=namespace)
    g = read["f"]
    assert g is not f
    for name in (
        "__name__",
        "__qualname__",
        "__doc__",
        "__annotations__",
        "__module__",
    ):
        assert getattr(g, name) == getattr(f, name), name
    assert g.__defaults__[0] is read["b"]
    assert g.x is read["x"]
    assert g.__kwdefaults__ == {"c": {}}


def test_recursive_and_generic_closures():
    """A function that holds itself, one with an empty cell, one that holds a leaf."""
    namespace = in_namespace(
        "def make(extra):\n"
        "    def fact(n): return 1 if n < 2 else n * fact(n - 1)\n"
        "    def late(): return unbound\n"
        "    def held(): return extra\n"
        "    if extra is None: unbound = 1\n"
        "    return fact, late, held\n"
    )
    bag = Bag(a=1)
    fact, late, held = namespace["make"](bag)
    read = trusted({"f": [fact, late, held], "bag": bag}, namespace=namespace)
    assert read["f"][0](5) == 120
    assert read["f"][2]() is read["bag"]
    with pytest.raises(NameError):
        read["f"][1]()


def test_method_is_bound_to_the_restored_instance():
    """A bound method and its instance stay together."""
    m = Model([1])
    read = trusted({"call": m.predict, "m": m}, namespace=globals())
    assert read["call"].__self__ is read["m"]
    assert read["call"]() is read["m"].weights


def test_method_of_a_user_class_is_that_of_the_class():
    """`f = Model.predict` is looked up in the class."""
    read = trusted({"f": Model.predict}, namespace=globals())
    assert read["f"] is Model.predict


def test_code_of_another_python_is_a_lookup_error():
    """Marshalled code is never run by another version."""
    parts = ("00" * 16, b"", "f", {}, None)
    with pytest.raises(LookupError, match="another version of Python"):
        functions.make_function(*parts)


def test_the_namespace_itself_is_never_stored():
    """What holds `globals()` holds those of the reader."""
    namespace = in_namespace("x = 1")
    there = {"other": 1}
    values = {"g": [namespace], "bag": Bag(g=namespace)}
    encoded = codec.encode(values, namespace=namespace)
    read = codec.decode(
        encoded.tree, member_of(encoded), namespace=there, allow_pickle=True
    )
    assert read["g"][0] is there
    assert read["bag"]["g"] is there


def test_function_without_the_namespace_is_a_lookup_error():
    """Where there is no notebook, there are no globals to bind to."""
    namespace = in_namespace("f = lambda: 1")
    encoded = codec.encode({"f": namespace["f"]}, namespace=namespace)
    with pytest.raises(LookupError, match="namespace"):
        codec.decode(encoded.tree, member_of(encoded), allow_pickle=True)


def test_nameless_function_of_a_module_keeps_that_modules_globals(monkeypatch):
    """A closure made by a library reads the library's globals, not a copy."""
    module = types.ModuleType("factory_module")
    monkeypatch.setitem(sys.modules, "factory_module", module)
    exec("n = 1\ndef make():\n    return lambda: n\n", vars(module))
    read = trusted({"f": module.make()})["f"]
    module.n = 5
    assert read() == 5


def test_live_functions_and_functions_of_modules_are_referred_to():
    """`callbacks = [f]` with f live, or from a library."""
    namespace = in_namespace("def f(): return 1")
    live = {"f": namespace["f"]}
    values = {"c": [live["f"], functools.reduce, Bag(f=live["f"])]}
    read = trusted(values, live=live, namespace=namespace)["c"]
    assert read[0] is live["f"]
    assert read[1] is functools.reduce
    assert read[2]["f"] is live["f"]


def test_partials_and_wrapped_functions():
    """What functools makes keeps its parts."""
    namespace = in_namespace("def f(a, b): return [a, b]")
    part = [1]
    p = functools.partial(namespace["f"], part)
    read = trusted({"p": p, "part": part}, namespace=namespace)
    assert read["p"](2)[0] is read["part"]


# ---------------------------------------------------------------- refusals


def refused(value, **options):
    with pytest.raises(UnstorableValue) as caught:
        codec.encode({"result": value}, classes=RULE, **options)
    return caught.value


def test_culprit_is_named_with_path_and_type():
    """`result.client: sqlite3.Connection`, not "cannot pickle"."""
    connection = sqlite3.connect(":memory:")
    error = refused(Model({"a": [1], "client": connection}))
    assert error.path == "result.weights['client']"
    assert error.type_name == "sqlite3.Connection"
    connection.close()


def test_culprit_inside_a_leaf_is_found():
    """The path goes on into what is pickled."""
    value = [1, Hooked(Bag(inner=[threading.Lock()]))]
    error = refused(value)
    assert error.path.startswith("result[1].value['inner'][0]")
    assert error.type_name == "_thread.lock"


@pytest.mark.parametrize("name", ["generator", "file", "memoryview", "frame", "socket"])
def test_what_cannot_come_back_is_refused(name, tmp_path):
    """Generators, open files, views of memory: refused, not turned into something."""
    import socket

    with open(tmp_path / "f", "w") as file, socket.socket() as connection:
        value = {
            "generator": (i for i in range(3)),
            "file": file,
            "memoryview": memoryview(b"abc"),
            "frame": sys._getframe(),
            "socket": connection,
        }[name]
        assert refused({"x": value}).path == "result['x']"


def test_files_in_memory_are_kept():
    """StringIO and BytesIO are values."""
    text = io.StringIO("abc")
    text.read(1)
    read = trusted({"t": text, "b": io.BytesIO(b"xy")})
    assert read["t"].read() == "bc"
    assert read["b"].getvalue() == b"xy"


def test_error_of_a_users_reduction_is_the_reason():
    """Whatever a class raises when it is pickled becomes the reason."""

    class Broken(Bag):
        def __reduce_ex__(self, protocol):
            raise RuntimeError("no way")

    assert refused(Broken()).reason == "no way"


def test_module_that_is_not_loaded_by_name_is_pickled_by_value():
    """A module made by hand is no reference to another of its name."""
    module = types.ModuleType("made_by_hand")
    module.x = [1]
    read = trusted({"m": module, "x": module.x})
    assert read["m"].x == [1]
    assert cloudpickle is trusted({"m": [cloudpickle]})["m"][0]


# ---------------------------------------------------------------- another process


def test_leaves_are_read_by_another_process(tmp_path):
    """Everything, through a file, in a process that has only the notebook's names."""
    namespace = in_namespace("def f(x): return x + FACTOR")
    values = {"f": namespace["f"], "d": collections.ChainMap({"a": np.arange(3)})}
    encoded = codec.encode(values, namespace=namespace)
    np.savez(tmp_path / "members.npz", **encoded.members)
    (tmp_path / "tree.json").write_text(json.dumps(encoded.tree))
    code = (
        "import json, sys, numpy as np\n"
        "from nbcache.storage import codec\n"
        "tree = json.load(open('tree.json'))\n"
        "members = np.load('members.npz')\n"
        "values = codec.decode(tree, lambda n: members[n], allow_pickle=True,\n"
        "    namespace={'FACTOR': 5})\n"
        "print(values['f'](1), values['d']['a'].tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n")[0] == "6 [0, 1, 2]", done.stderr


# ---------------------------------------------------------------- properties


@st.composite
def _graphs(draw):
    """Plain containers and leaves that hold each other at will."""
    nodes = []
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.integers(0, 4))
        make = (list, dict, Bag, Model, lambda: Hooked(None))[kind]
        nodes.append(make())
    base = np.arange(6)
    nodes += [base, base[1:3], (nodes[0],)]
    for node in nodes:
        parts = draw(st.lists(st.sampled_from(nodes), max_size=3))
        if isinstance(node, list):
            node.extend(parts)
        elif isinstance(node, dict):
            node.update(enumerate(parts))
        elif isinstance(node, Model) and parts:
            node.weights = parts[0]
        elif isinstance(node, Hooked) and parts:
            node.value = parts[0]
    return {f"v{i}": draw(st.sampled_from(nodes)) for i in range(3)}


@settings(max_examples=400, deadline=None)
@given(values=_graphs())
def test_generated_graphs_of_leaves_and_plain_parts_come_back(values):
    """Any mixture of both, cycles included, comes back as it was."""
    assert_same(values, trusted(values))
