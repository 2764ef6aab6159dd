"""T1 to T3 and T8: entries that somebody else wrote, well sealed."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

import numpy as np
import pyarrow as pa
from trust import forging
from trust.forging import Raw, forge, npy, npy_claiming, raw_entry, value_tree
from trust.scene import COMPUTE, Scene, case

from nbcache.storage import codec

# ---------------------------------------------------------------- T1: code in entries


def _pickled(value: Any) -> tuple[Any, dict[str, np.ndarray]]:
    encoded = codec.encode({"value": value})
    return encoded.tree, dict(encoded.members)


@case("T1 pickle")
def _(scene: Scene) -> None:
    from trust.victims import Evil

    tree, members = _pickled(Evil())
    forge(scene.entry, tree=tree, members=members, pickled=["value"])


@case("T1 pickle that the manifest does not admit")
def _(scene: Scene) -> None:
    from trust.victims import Evil

    tree, members = _pickled([1, {"deep": [Evil()]}])
    forge(scene.entry, tree=tree, members=members, pickled=[])


NODES: dict[str, Any] = {
    "function by name": ["name", ["trust.victims", "mark"]],
    "os.system by name": ["name", ["os", "system"]],
    "class by name": ["name", ["subprocess", "Popen"]],
    "module": ["module", "os"],
    "module that is not loaded": ["module", "antigravity"],
    "registered reader": ["type", ["evil", ["list", []]]],
    "instance of a class with __del__": ["object", [["class", 0], ["path", "x"], []]],
    "key of a class with __hash__": [
        "dict",
        [["object", [["class", 0], [], []]], 1],
    ],
    "flag with _missing_": ["member", [["name", ["trust.victims", "Looks"]], 64]],
    "default_factory": ["defaultdict", [["name", ["trust.victims", "mark"]]]],
    "namespace of the function": ["scope", 0],
    "function in an array": [
        "objects",
        ["O", [1], 0, [["name", ["trust.victims", "mark"]]]],
    ],
    "class of a live object": ["live", ["argument x", ["t", 0]]],
    "closed file": ["closed_file", ["FileIO", "/etc/passwd", "wb"]],
    "fraction of a huge power": ["Fraction", ["1e999999999", 1]],
    "polars": ["polars", [False, 0]],
    "pickle without a stream": ["pickle", 0],
    "unknown kind": ["nonsense", 1],
}

for _name, _node in NODES.items():

    @case(f"T1 {_name}", register=True)
    def _(scene: Scene, node: Any = _node) -> None:
        tree = value_tree(node)
        tree["classes"] = [["trust.victims", "Gadget", "0" * 32]]
        forge(scene.entry, tree=tree)


@case("T1 state that sets the environment")
def _(scene: Scene) -> None:
    forge(scene.entry, state={"environment": [["LD_PRELOAD", "/tmp/x.so"]]})


@case("T1 values that are written into live objects")
def _(scene: Scene) -> None:
    tree = value_tree(5)
    tree["values"].append(["<changed>", ["list", []]])
    forge(scene.entry, tree=tree)


@case("T1 stored exception")
def _(scene: Scene) -> None:
    tree = {"values": [["<failure>", ["name", ["builtins", "SystemExit"]]]]}
    forge(scene.entry, tree=tree, state={"failure": {"kinds": []}})


# ------------------------------------------------- T2, T3: forged and swapped entries


@case("T2 no signature", levels=["mine"])
def _(scene: Scene) -> None:
    forge(scene.entry, tree=value_tree(666), signer=None)


@case("T2 signature of a stranger", levels=["mine"])
def _(scene: Scene) -> None:
    forge(scene.entry, tree=value_tree(666))


@case("T2 manifest of another key inside")
def _(scene: Scene) -> None:
    forge(scene.entry, tree=value_tree(666), key="0" * 32)


@case("T3 copied to another key")
def _(scene: Scene) -> None:
    shutil.copy(scene.other, scene.entry)


@case("T3 copied, with the key in its trailer changed", levels=["mine"])
def _(scene: Scene) -> None:
    data = scene.other.read_bytes()
    scene.entry.write_bytes(forging.resealed(data, key=scene.key))


@case("T3 swapped body")
def _(scene: Scene) -> None:
    data = scene.entry.read_bytes()
    other = forging.with_other_value(data)
    old = forging.Trailer.from_bytes(data[-512:])
    scene.entry.write_bytes(other[:-512] + old.to_bytes())


@case("T3 swapped body under its own digest", levels=["mine"])
def _(scene: Scene) -> None:
    data = forging.with_other_value(scene.entry.read_bytes())
    scene.entry.write_bytes(forging.resealed(data))


@case("T3 trailer of this entry under the body of another")
def _(scene: Scene) -> None:
    body = scene.other.read_bytes()[:-512]
    scene.entry.write_bytes(body + scene.entry.read_bytes()[-512:])


# ---------------------------------------------------------------- T8: size and form


def _manifest(scene: Scene, **fields: Any) -> bytes:
    found = {**forging.document_of(scene.entry), "tree": value_tree(["a", "value"])}
    return json.dumps({**found, **fields}).encode()


def _members(scene: Scene, *members: Raw, **fields: Any) -> None:
    raw_entry(scene.entry, members, _manifest(scene, **fields))


@case("T8 bomb of 4 MB for 4 GB")
def _(scene: Scene) -> None:
    _members(scene, forging.bomb(1 << 32))


@case("T8 bombs that are small each")
def _(scene: Scene) -> None:
    one = forging.bomb(60 << 20)
    several = [Raw(f"x{i}", one.data, one.size, one.method) for i in range(20)]
    _members(scene, one, *several)


@case("T8 header that claims 8 TiB")
def _(scene: Scene) -> None:
    _members(scene, Raw("value", npy_claiming(f"({1 << 40},)", bytes(64))))


@case("T8 member that claims 8 TiB")
def _(scene: Scene) -> None:
    _members(scene, Raw("value", npy(np.arange(3)), size=1 << 43))


@case("T8 nested header")
def _(scene: Scene) -> None:
    deep = "(" * 3000 + ")" * 3000
    _members(scene, Raw("value", npy_claiming(deep, b"", version=2)))


@case("T8 huge header")
def _(scene: Scene) -> None:
    more = f"'x': '{'A' * (8 << 20)}', "
    _members(scene, Raw("value", npy_claiming("(1,)", bytes(8), more=more, version=2)))


@case("T8 header with negative lengths")
def _(scene: Scene) -> None:
    _members(scene, Raw("value", npy_claiming("(-1, -8)", bytes(64))))


@case("T8 members of one name")
def _(scene: Scene) -> None:
    one = Raw("value", npy(np.arange(3)))
    _members(scene, one, one)


for _escaping in ("../../escaped", "/tmp/nbcache-escaped", "a\\b", "x\0y"):

    @case(f"T8 member {_escaping!r}")
    def _(scene: Scene, name: str = _escaping) -> None:
        tree = value_tree(["list", [["a", name], ["nonsense", 0]]])
        _members(scene, Raw(name, npy(np.arange(3))), tree=tree)


@case("T8 oversize manifest")
def _(scene: Scene) -> None:
    _members(scene, source="x" * (40 << 20))


@case("T8 oversize tree")
def _(scene: Scene) -> None:
    text = b"[" + b"[]," * (20 << 20) + b"[]]"
    _members(
        scene,
        Raw("__nbcache__/tree", npy(np.frombuffer(text, np.uint8))),
        tree={"member": "__nbcache__/tree"},
    )


@case("T8 deep JSON")
def _(scene: Scene) -> None:
    raw_entry(scene.entry, [], b"[" * 500_000)


@case("T8 deep tree")
def _(scene: Scene) -> None:
    deep = '["list", [' * 50_000 + "]]" * 50_000
    text = json.dumps(value_tree("here")).replace('"here"', deep)
    _members(
        scene,
        Raw("__nbcache__/tree", npy(np.frombuffer(text.encode(), np.uint8))),
        tree={"member": "__nbcache__/tree"},
    )


@case("T8 numbers that are none", commands=[["ls"], ["info", COMPUTE]])
def _(scene: Scene) -> None:
    _members(scene, created=float("nan"), seconds=float("inf"))


@case("T8 fields of other types", commands=[["ls"], ["info", COMPUTE]])
def _(scene: Scene) -> None:
    wrong = {"variables": [1], "parts": "x", "name": ["a"], "packages": 3, "tags": {}}
    _members(scene, **wrong)


@case("T8 one array taken a thousand times")
def _(scene: Scene) -> None:
    tree = value_tree(["list", [["a", "value"]] * 5000])
    _members(scene, Raw("value", npy(np.zeros(1 << 17))), tree=tree)


@case("T8 small arrays taken a thousand times")
def _(scene: Scene) -> None:
    tree = value_tree(["list", [["a", [0, "|u1", [1 << 20]]]] * 5000])
    tree["small"] = 0
    _members(scene, Raw("__nbcache__/0", npy(np.zeros(1 << 20, np.uint8))), tree=tree)


_ALIKE = [["int", hex(number * ((1 << 61) - 1) + 5)] for number in range(60_000)]


@case("T8 keys that collide", limit_s=20)
def _(scene: Scene) -> None:
    node = ["dict", [{"keys": [_ALIKE, [0] * len(_ALIKE)]}]]
    forge(scene.entry, tree=value_tree(node))


@case("T8 keys in turn that collide", limit_s=20)
def _(scene: Scene) -> None:
    content = [part for key in _ALIKE for part in (key, 0)]
    forge(scene.entry, tree=value_tree(["dict", content]))


@case("T8 members of a set that collide", limit_s=20)
def _(scene: Scene) -> None:
    forge(scene.entry, tree=value_tree(["set", [_ALIKE]]))


@case("T8 items that overlap")
def _(scene: Scene) -> None:
    offsets = np.array([0, 1 << 20] * 2000, np.int64)
    members = [
        Raw("__nbcache__/0", npy(np.full(1 << 20, 65, np.uint8))),
        Raw("__nbcache__/1", npy(offsets)),
    ]
    _members(scene, *members, tree=value_tree(["list", {"str": [0, 1]}]))


@case("T8 items that are not there")
def _(scene: Scene) -> None:
    node = ["objects", ["O", [1 << 36], 0, {"split": [0, ",", 1 << 36]}]]
    member = Raw("__nbcache__/0", npy(np.full(10, 65, np.uint8)))
    _members(scene, member, tree=value_tree(node))


@case("T8 compressed Arrow")
def _(scene: Scene) -> None:
    table = pa.table({"a": np.zeros(1 << 26, np.uint8)})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write(table)
    data = np.frombuffer(sink.getvalue(), np.uint8)
    node = ["arrow table", ["Table", 0]]
    _members(scene, Raw("__nbcache__/0", npy(data)), tree=value_tree(node))


@case("T8 file of holes that says to be 1 TB")
def _(scene: Scene) -> None:
    with scene.entry.open("r+b") as file:
        trailer = file.read()[-512:]
        file.truncate(1 << 40)
        file.seek(-512, os.SEEK_END)
        file.write(trailer)
