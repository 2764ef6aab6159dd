"""Hostile stores: the corpus of the threat model, each case in a child with limits.

Whatever stands in a store, the user's function gives the right value, nothing of the
store runs, nothing outside it is written, deleted or read into a value, nobody hangs and
no error reaches the user.  The names of the cases begin with the number of the threat
(T1 to T18; T10 to T14 stand in `test_levels`, `test_outputs` and `test_private`).

Mutation check: each of these defences was switched off by hand, and then failed

=============================================  =====================================
comparison of the digest (`Archive.verify`)    ``T3 swapped body``
comparison of the key (`Acceptance._check`)    ``T3 copied to another key``
the HMAC (`Signer.is_mine` says yes)           ``T1 pickle``, ``T2 no signature``
``O_EXCL`` of temporaries                      ``test_a_temporary_is_never_reused``
``O_NOFOLLOW`` of entries                      ``T6 link to a signed entry``
=============================================  =====================================

`test_mutations` does the same by itself.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from trust import forging
from trust.arena import Arena
from trust.forging import Raw, forge, npy, npy_claiming, raw_entry, value_tree

from nbcache.storage import codec, history
from nbcache.storage.folder import key_of
from nbcache.storage.trust import Signer

MOST_GROWN = 250_000_000
LEVELS = ("mine", "data")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def arena(home) -> Iterator[Arena]:
    found = Arena(home, home)
    (home / "data.txt").write_text("fresh")
    yield found
    found.close()


@pytest.fixture(scope="module")
def template(arena, home) -> Path:
    """A store with honest, signed entries of two calls and of one that reads a file."""
    store = home / "template"
    assert arena.run(store, calls=[2, 3])["error"] is None
    assert arena.run(store, function="traced")["error"] is None
    return store


class Scene:
    """A copy of the store for one case, and what lies outside it."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.store = folder / "store"
        shutil.copytree(template, self.store)
        self.outside = folder / "outside"
        self.outside.mkdir()
        (self.outside / "precious").write_text("precious secret")
        by_call = {
            json.dumps(forging.document_of(path)["variables"]): path
            for path in sorted((self.store / "entries").rglob("*.npz"))
        }
        self.entries = [
            path
            for path in sorted((self.store / "entries").rglob("*.npz"))
            if forging.document_of(path)["name"].endswith("compute")
        ]
        assert by_call
        self.entry = next(path for path in self.entries if _argument(path) == 2)
        self.other = next(path for path in self.entries if _argument(path) == 3)

    @property
    def key(self) -> str:
        found = key_of(self.entry.name)
        assert found
        return found

    @property
    def traces(self) -> Path:
        [found] = (self.store / "entries").rglob("*.traces")
        return found

    def lying_outside(self) -> dict[str, Any]:
        """Tell what is outside the store, byte by byte."""
        return {
            str(path): path.read_bytes()
            if path.is_file()
            else stat.S_IFMT(path.lstat().st_mode)
            for path in sorted(self.outside.rglob("*"))
        }


def _argument(path: Path) -> int:
    parts = forging.document_of(path)["parts"]
    [told] = [part[2] for part in parts if part[0] == "argument x"]
    return int(told.removeprefix("int "))


@pytest.fixture
def scene(template, tmp_path) -> Scene:
    return Scene(template, tmp_path)


CASES: dict[str, tuple[Callable[[Scene], None], dict[str, Any]]] = {}


def case(name: str, **more: Any) -> Callable[[Any], Any]:
    """Enter a case: what an attacker makes of a scene."""

    def enter(make: Callable[[Scene], None]) -> Callable[[Scene], None]:
        CASES[name] = (make, more)
        return make

    return enter


# ---------------------------------------------------------------- T1: code in entries


def _pickled(value: Any) -> tuple[Any, dict[str, np.ndarray]]:
    encoded = codec.encode({"value": value})
    return encoded.tree, dict(encoded.members)


@case("T1 pickle")
def _(scene: Scene) -> None:
    from trust.victims import Evil

    Evil.__module__ = "victims"
    tree, members = _pickled(Evil())
    # the stream names the module under which the arena knows it
    forge(scene.entry, tree=tree, members=members, pickled=["value"])


@case("T1 pickle that the manifest does not admit")
def _(scene: Scene) -> None:
    from trust.victims import Evil

    tree, members = _pickled([1, {"deep": [Evil()]}])
    forge(scene.entry, tree=tree, members=members, pickled=[])


NODES: dict[str, Any] = {
    "function by name": ["name", ["victims", "mark"]],
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
    "flag with _missing_": ["member", [["name", ["victims", "Looks"]], 64]],
    "default_factory": ["defaultdict", [["name", ["victims", "mark"]]]],
    "namespace of the function": ["scope", 0],
    "function in an array": [
        "objects",
        ["O", [1], 0, [["name", ["victims", "mark"]]]],
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
        tree["classes"] = [["victims", "Gadget", "0" * 32]]
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


# ---------------------------------------------------------------- T6: what is no file


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


def _socket(path: Path) -> None:
    made = socket.socket(socket.AF_UNIX)
    before = Path.cwd()
    os.chdir(path.parent)  # the names of sockets are short
    try:
        made.bind(path.name)
    finally:
        os.chdir(before)
        made.close()


THINGS: dict[str, Callable[[Path, Scene], Any]] = {
    "link to a signed entry": lambda path, scene: path.symlink_to(_moved(scene)),
    "link to /dev/zero": lambda path, scene: path.symlink_to("/dev/zero"),
    "link to itself": lambda path, scene: path.symlink_to(path),
    "link to nothing": lambda path, scene: path.symlink_to(scene.outside / "none"),
    "link to a file outside": lambda path, scene: path.symlink_to(
        scene.outside / "precious"
    ),
    "pipe": lambda path, scene: os.mkfifo(path),
    "device": lambda path, scene: _device(path),
    "folder": lambda path, scene: path.mkdir(),
    "full folder": lambda path, scene: (path / "deep").mkdir(parents=True),
    "socket": lambda path, scene: _socket(path),
}


def _moved(scene: Scene) -> Path:
    """Give this very entry, signed, with another value, where a link may lead to."""
    target = scene.outside / scene.entry.name
    signer = _signer_of(scene)
    shutil.copy(scene.saved, target)  # type: ignore[attr-defined]
    forge(target, tree=value_tree(666), signer=signer)
    return target


def _signer_of(scene: Scene) -> Signer:
    secret = scene.home / "nbcache" / "secret"  # type: ignore[attr-defined]
    return Signer(secret.read_bytes())


for _name, _make in THINGS.items():

    @case(f"T6 {_name}")
    def _(scene: Scene, make: Any = _make) -> None:
        scene.saved = scene.outside / "saved"  # type: ignore[attr-defined]
        shutil.move(scene.entry, scene.saved)  # type: ignore[attr-defined]
        make(scene.entry, scene)

    if "signed" not in _name:

        @case(f"T6 traces: {_name}", function="traced", right=["2 fresh"])
        def _(scene: Scene, make: Any = _make) -> None:
            path = scene.traces
            path.unlink()
            make(path, scene)


# ------------------------------------------------- T4, T7: planted links and indexes

PLACES = (
    *("entries/CACHEDIR.TAG", ".gitignore", "entries", "tmp", "locks", "damaged"),
    *("index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.sqlite-journal"),
    *("history.sqlite", "history.sqlite-wal", "history.sqlite-journal"),
)

for _place in PLACES:

    @case(f"T7 link in place of {_place}", calls=[5], commands=[["ls"], ["why", "x"]])
    def _(scene: Scene, place: str = _place) -> None:
        path = scene.store / place
        target = scene.outside / "precious"
        if path.is_dir():
            shutil.rmtree(path)
            target = scene.outside / "folder"
            target.mkdir()
            (target / "keep.lock").write_text("keep")
        else:
            path.unlink(missing_ok=True)
        path.symlink_to(target)


@case("T7 links in place of all fan-out folders", calls=[5], commands=[["ls"]])
def _(scene: Scene) -> None:
    target = scene.outside / "folder"
    target.mkdir()
    for number in range(256):
        folder = scene.store / "entries" / f"{number:02x}"
        if not folder.exists():
            folder.symlink_to(target)


@case("T7 link in place of the lock")
def _(scene: Scene) -> None:
    scene.entry.unlink()
    lock = scene.store / "locks" / f"{scene.key}.lock"
    lock.symlink_to(scene.outside / "precious")


@case("T17 pipe in place of the lock")
def _(scene: Scene) -> None:
    scene.entry.unlink()
    os.mkfifo(scene.store / "locks" / f"{scene.key}.lock")


@case("T17 lock of another user")
def _(scene: Scene) -> None:
    if os.getuid():
        pytest.skip("only root makes files of others")
    scene.entry.unlink()
    lock = scene.store / "locks" / f"{scene.key}.lock"
    lock.write_text("")
    os.chown(lock, 65534, 65534)
    _hold(lock)


def _hold(lock: Path) -> None:
    import fcntl

    descriptor = os.open(lock, os.O_RDWR)  # held until the test process ends
    fcntl.flock(descriptor, fcntl.LOCK_EX)


@case(
    "T17 lock that nobody lets go, with a limit",
    options={"lock_timeout": 0.3},
    limit_s=20,
)
def _(scene: Scene) -> None:
    scene.entry.unlink()
    lock = scene.store / "locks" / f"{scene.key}.lock"
    lock.write_text("")
    _hold(lock)


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


@case("T8 numbers that are none", commands=[["ls"], ["info", "victims.compute"]])
def _(scene: Scene) -> None:
    _members(scene, created=float("nan"), seconds=float("inf"))


@case("T8 fields of other types", commands=[["ls"], ["info", "victims.compute"]])
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


# ------------------------------------------------- traces


def _traces(scene: Scene, items: list[list[str]]) -> None:
    rows = [{"items": items, "newest": scene.key}]
    scene.traces.write_text(json.dumps({"descriptors": rows, "mac": "0" * 64}))


for _name, _items in {
    "what never ends": [["file", "/proc/kcore"], ["file", "/proc/kmsg"]],
    "a device": [["file", "/dev/zero"]],
    "the whole machine": [["tree", "/"], ["matches", "/**/*"]],
    "paths upward": [["file", "../../../../../../../../proc/kcore"]],
    "kinds that are none": [["evil", "x"], ["file", "\0"]],
}.items():

    @case(f"T8 traces of {_name}", function="traced", right=["2 fresh"])
    def _(scene: Scene, items: Any = _items) -> None:
        _traces(scene, items)


@case("T8 traces that are huge", function="traced", right=["2 fresh"])
def _(scene: Scene) -> None:
    scene.traces.write_bytes(b"[" * (200 << 20))


@case("T8 entry that looks at the whole machine")
def _(scene: Scene) -> None:
    rows = [["tree", "/", "0" * 32, None], ["file", "/proc/kcore", "0" * 32, None]]
    forge(scene.entry, trace=rows, written=rows)


@case("T4 listing that looks at the whole machine", commands=[["ls", "--json"]])
def _(scene: Scene) -> None:
    rows = [["tree", "/", "0" * 32, None], ["file", "/proc/kcore", "0" * 32, None]]
    forge(scene.entry, trace=rows)
    for path in scene.store.glob("index.sqlite*"):
        path.unlink()


# ---------------------------------------------------------------- databases


def _database(scene: Scene, name: str) -> sqlite3.Connection:
    path = scene.store / name
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return sqlite3.connect(path)


_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
_INDEX = "file, key, name, kind, created, seconds, bytes, meta"
_COMMANDS = [["ls"], ["info", "victims.compute"], ["why", "victims.compute"]]


@case("T4 index: a view that never ends", calls=[5], commands=_COMMANDS)
def _(scene: Scene) -> None:
    with _database(scene, "index.sqlite") as database:
        columns = ", ".join(f"i AS {one}" for one in _INDEX.split(", "))
        database.execute(f"CREATE VIEW entries AS {_ENDLESS} SELECT {columns} FROM n")


@case("T4 index: a trigger that never ends", calls=[5], commands=_COMMANDS)
def _(scene: Scene) -> None:
    with sqlite3.connect(scene.store / "index.sqlite") as database:
        database.execute(
            "CREATE TRIGGER slow BEFORE INSERT ON entries BEGIN SELECT count(*) FROM ("
            f"{_ENDLESS} SELECT i FROM n); END"
        )


@case("T4 index: rows of wrong types", calls=[5], commands=_COMMANDS)
def _(scene: Scene) -> None:
    with sqlite3.connect(scene.store / "index.sqlite") as database:
        database.execute("DELETE FROM entries")
        for file in ("../../outside/precious", "/etc/passwd", b"\xff\0", 5, "x.npz"):
            row = (file, "../..", "victims.compute", "x", "y", "z", "w", b"\0\xff")
            database.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)


@case("T4 index: paths outside", calls=[5], commands=[*_COMMANDS, ["clear", "*", "-y"]])
def _(scene: Scene) -> None:
    meta = forging.document_of(scene.entry)
    name = "0123456789abcdef" * 2 + ".npz"
    (scene.outside / name).write_text("keep")
    (scene.store / name).write_text("keep")
    rows = [
        (name, "../../outside", {**meta, "key": "../../outside"}),
        (f"{'ab' * 16}.npz", "..", {**meta, "key": ".."}),
        (f"../../../outside/{name}", "0" * 32, meta),
    ]
    with sqlite3.connect(scene.store / "index.sqlite") as database:
        for file, key, told in rows:
            row = (file, key, "victims.compute", "function", 9e9, 1.0, 5)
            database.execute(
                "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*row, json.dumps(told)),
            )


@case("T4 index: a huge value", calls=[5], commands=[["ls"]])
def _(scene: Scene) -> None:
    with sqlite3.connect(scene.store / "index.sqlite") as database:
        database.execute("UPDATE entries SET meta = zeroblob(100000000)")


@case("T4 index: a journal that names a file to delete", calls=[5], commands=[["ls"]])
def _(scene: Scene) -> None:
    victim = str(scene.outside / "precious").encode()
    total = sum(victim).to_bytes(4, "big")
    magic = bytes.fromhex("d9d505f920a163d7")
    tail = victim + len(victim).to_bytes(4, "big") + total + magic
    head = magic + bytes(8) + (1).to_bytes(4, "big") + (512).to_bytes(4, "big")
    head += (4096).to_bytes(4, "big")
    page = (1).to_bytes(4, "big")
    data = head.ljust(512, b"\0") + (0xFFFFFFFF).to_bytes(4, "big") + page + tail
    (scene.store / "index.sqlite-journal").write_bytes(data)


@case("T4 history: a view that never ends", calls=[5], commands=_COMMANDS)
def _(scene: Scene) -> None:
    with _database(scene, "history.sqlite") as database:
        for name, columns in (
            ("uses", "i AS key, i AS hits, i AS saved, i AS last"),
            ("outcomes", "i AS name, i AS notebook, i AS time, i AS outcome"),
        ):
            database.execute(
                f"CREATE VIEW {name} AS {_ENDLESS} SELECT {columns} FROM n"
            )


@case("T4 history: rows of wrong types", calls=[5], commands=_COMMANDS)
def _(scene: Scene) -> None:
    with sqlite3.connect(scene.store / "history.sqlite") as database:
        database.executescript(history._SCHEMA)
        database.execute("INSERT INTO uses VALUES (?, 'a', 'b', 'c')", (scene.key,))
        for number, told in enumerate(('{"name": "victims.compute"}', "[1]", "{", "5")):
            database.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, 'when', ?)",
                ("victims.compute", str(number), told),
            )


@case("T4 databases that are something else", calls=[5], commands=_COMMANDS)
def _(scene: Scene) -> None:
    for name in ("index.sqlite", "history.sqlite"):
        for suffix in ("", "-wal", "-shm"):
            (scene.store / (name + suffix)).unlink(missing_ok=True)
    os.mkfifo(scene.store / "index.sqlite")
    (scene.store / "history.sqlite").mkdir()


# ---------------------------------------------------------------- T5, T18


@case(
    "T5 names that look like paths",
    calls=[5],
    options={"name": "../../outside/evil\0\n\x1b]0;x"},
    commands=[["ls"]],
)
def _(scene: Scene) -> None:
    forge(scene.entry, name="../../outside/precious\x1b]0;owned\x07")


@case("T18 clearing meets links", commands=[["clear", "--all", "-y"]], calls=[2])
def _(scene: Scene) -> None:
    target = scene.outside / "folder"
    target.mkdir()
    (target / scene.entry.name).write_text("keep")
    (scene.store / "entries" / "zz").symlink_to(target)
    link = scene.store / "entries" / scene.entry.parent.name / f"{'ab' * 16}.npz"
    link.symlink_to(scene.outside / "precious")
    (scene.store / "tmp" / "old").symlink_to(target)


@case("T18 deleting by name meets links", commands=[["clear", "victims.compute", "-y"]])
def _(scene: Scene) -> None:
    target = scene.outside / scene.entry.parent.name
    shutil.move(scene.entry.parent, target)
    scene.entry.parent.symlink_to(target)


# ---------------------------------------------------------------- all of them


RUNS = [
    pytest.param(name, level, id=f"{name} [{level}]")
    for name, (_, more) in CASES.items()
    for level in more.get("levels", LEVELS)
]


@pytest.mark.parametrize(("name", "level"), RUNS)
def test_a_hostile_store_does_no_harm(arena, scene, home, name, level):
    """The right value, and nothing else happens."""
    make, more = CASES[name]
    scene.home = home
    make(scene)
    before = scene.lying_outside()
    more = {key: value for key, value in more.items() if key != "levels"}
    right = more.pop("right", None)
    found = arena.run(scene.store, level=level, **more)
    assert not arena.mark.exists(), "code of the store ran"
    assert found["error"] is None, found
    assert found["values"] == (right or found["right"])
    assert scene.lying_outside() == before
    assert "precious secret" not in json.dumps(found)
    assert "\x1b" not in found["said"]
    assert found["grown"] < MOST_GROWN


def test_a_foreign_entry_is_told_in_one_line_and_replaced(arena, scene):
    """It says whose it is not, and what to do; the next call is a hit of one's own."""
    forge(scene.entry, tree=value_tree(666))
    first = arena.run(scene.store)
    assert first["computed"] == [True]
    [told] = first["told"]
    assert "written by someone else" in told
    assert f'nbcache trust "{scene.entry}"' in told
    assert 'trust = "data"' in told
    assert "\n" not in told
    second = arena.run(scene.store)
    assert (second["computed"], second["told"]) == ([False], [])
