"""Live objects that are noted, compared and written in place."""

from __future__ import annotations

import gc
import json
import random
from collections import Counter, OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbcache.keys import hashing
from nbcache.storage import codec
from nbcache.storage.codec_nodes import Unresolved
from nbcache.storage.inplace import Snapshot, Writes, form_of
from nbcache.storage.live import LiveIndex


def make() -> dict[str, Any]:
    """Give live objects of many kinds."""
    array = np.arange(6.0)
    return {
        "list": [1, [2]],
        "deque": deque([1], maxlen=4),
        "dict": {"a": 1, "b": [2]},
        "ordered": OrderedDict(a=1, b=2),
        "default": defaultdict(list, a=[1]),
        "counter": Counter("aab"),
        "set": {1, 2},
        "bytes": bytearray(b"abc"),
        "array": array,
        "view": array[1:3],
        "objects": np.array([[1], None], dtype=object),
        "masked": np.ma.array([1.0, 2], mask=[True, False]),
        "frame": pd.DataFrame({"a": [1, 2], "b": [1.5, None], "c": ["x", None]}),
        "series": pd.Series([1, 2], name="s"),
        "generator": np.random.default_rng(2),
        "random": random.Random(2),
    }


def change(live: dict[str, Any]) -> None:
    """Change all of them in place."""
    live["list"][1].append(live["dict"])
    live["deque"].extend([live["list"], 5])
    live["dict"]["b"].append(3)
    live["dict"]["new"] = live["array"][2:]
    live["ordered"].move_to_end("a")
    live["default"]["z"].append(live["set"])
    live["counter"].update("zz")
    live["set"].add("new")
    live["bytes"] += b"more"
    live["array"][2] = 9
    live["objects"][1] = live["list"]
    live["masked"][1] = np.ma.masked
    live["frame"]["d"] = [True, False]
    live["frame"].loc[0, "a"] = 7
    live["series"].iloc[1] = 8
    live["series"].name = "t"
    live["generator"].normal()
    live["random"].random()


def changes(live: dict[str, Any]) -> codec.Encoded:
    """Change live objects; give what became of them as it is stored."""
    index = LiveIndex(live)
    snapshot = Snapshot(index, hashing.digest)
    change(live)
    found = snapshot.changed()
    assert [snapshot.refusal(one) for one in found] == [""] * len(found)
    return codec.encode(
        {"changes": [snapshot.change(one) for one in found]}, live=index
    )


def decoded(encoded: codec.Encoded, live: dict[str, Any]) -> Any:
    """Decode what was stored against live objects."""
    tree = json.loads(json.dumps(encoded.tree))
    return codec.decode(tree, encoded.members.__getitem__, live=live)["changes"]


def test_all_kinds_are_changed_again_and_undone():
    """Decoding changes nothing; writing everything; undoing gives what was."""
    live, other = make(), make()
    encoded = changes(live)
    before = hashing.digest(other)
    writes = Writes(decoded(encoded, other))
    assert hashing.digest(other) == before
    writes.apply()
    assert hashing.digest(other) == hashing.digest(live) != before
    assert other["list"][1][-1] is other["dict"]
    assert other["objects"][1] is other["list"]
    assert np.shares_memory(other["dict"]["new"], other["array"])
    writes.undo()
    assert hashing.digest(other) == before


def test_nothing_changed_is_nothing_found():
    """Neither by looking nor by digesting."""
    live = make()
    snapshot = Snapshot(LiveIndex(live), hashing.digest)
    hashing.digest(live)
    repr(live)
    assert [one for one in snapshot.changed() if not one.form.restless] == []


def test_a_snapshot_can_be_undone():
    """With copies of what it does not hold."""
    live = make()
    index = LiveIndex(live)
    snapshot = Snapshot(index, hashing.digest)
    before = hashing.digest(live)
    copies = {
        id(one): form_of(one).copied(one)
        for one in index.objects()
        if type(one) in (np.ndarray, pd.DataFrame, pd.Series)
    }
    change(live)
    snapshot.undo(copies)
    assert hashing.digest(live) == before


MISFITS = {
    "array": lambda live: live.update(array=np.arange(7.0), view=None),
    "array dtype": lambda live: live.update(array=np.arange(6), view=None),
    "read-only": lambda live: live["array"].setflags(write=False),
    "another kind": lambda live: live.update(dict=[1]),
    "gone": lambda live: live.pop("set"),
    "frame": lambda live: live.update(frame=pd.DataFrame({"a": [1, 2]})),
    "frame dtype": lambda live: live.update(frame=live["frame"].astype({"a": "f4"})),
    "exported": lambda live: live.update(held=memoryview(live["bytes"])),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_is_found_before_anything_is_written(name):
    """The others stay as they were."""
    encoded = changes(make())
    live = make()
    MISFITS[name](live)
    before = hashing.digest({k: v for k, v in live.items() if k != "held"})
    with pytest.raises(Unresolved):
        Writes(decoded(encoded, live)).apply()
    assert hashing.digest({k: v for k, v in live.items() if k != "held"}) == before


def _mutants(tree: Any, rng: random.Random, count: int) -> list[Any]:
    text = json.dumps(tree)
    found = []
    for _ in range(count):
        mutant = json.loads(text)
        nodes: list[Any] = []

        def gather(node: Any, nodes: list[Any] = nodes) -> None:
            if isinstance(node, list) and node:
                nodes.append(node)
                for inner in node:
                    gather(inner)
            elif isinstance(node, dict):
                for inner in node.values():
                    gather(inner)

        gather(mutant["values"])
        for _ in range(rng.randint(1, 3)):
            node, other = rng.choice(nodes), rng.choice(nodes)
            value = rng.choice([None, -1, 0, 10**9, "x", [], ["list", []], *other])
            node[rng.randrange(len(node))] = value
        try:
            found.append(json.loads(json.dumps(mutant)))
        except (ValueError, RecursionError):
            continue
    return found


@pytest.mark.filterwarnings("ignore")
def test_hostile_trees_change_nothing_by_being_decoded():
    """Whatever is raised, and whatever is decoded: only `apply` writes."""
    encoded = changes(make())
    live = make()
    before = hashing.digest(live)
    rng = random.Random(0)
    for mutant in _mutants(encoded.tree, rng, 300):
        try:
            found = codec.decode(mutant, encoded.members.__getitem__, live=live)
            Writes(found.get("changes", ()))
        except (LookupError, TypeError, ValueError, codec.DamagedEntry):
            continue
    gc.collect()
    assert hashing.digest(live) == before


def test_plain_lists_are_cheap():
    """A million numbers cost a copy of their references."""
    live = {"x": list(range(1_000_000))}
    index = LiveIndex(live)
    snapshot = Snapshot(index, hashing.digest)
    assert len(index.objects()) == 1
    live["x"][3] = -1
    assert [one.value is live["x"] for one in snapshot.changed()] == [True]
