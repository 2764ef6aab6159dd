"""T4: what a store keeps beside its entries: traces, index and history."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import Any

from trust import forging
from trust.forging import forge
from trust.scene import COMPUTE, Scene, case

from nbcache.storage import history

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
_COMMANDS = [
    ["ls"],
    ["info", COMPUTE],
    ["why", COMPUTE],
]


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
            row = (
                file,
                "../..",
                COMPUTE,
                "x",
                "y",
                "z",
                "w",
                b"\0\xff",
            )
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
            row = (file, key, COMPUTE, "function", 9e9, 1.0, 5)
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
        for number, told in enumerate((f'{{"name": "{COMPUTE}"}}', "[1]", "{", "5")):
            database.execute(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, 'when', ?)",
                (COMPUTE, str(number), told),
            )


@case("T4 databases that are something else", calls=[5], commands=_COMMANDS)
def _(scene: Scene) -> None:
    for name in ("index.sqlite", "history.sqlite"):
        for suffix in ("", "-wal", "-shm"):
            (scene.store / (name + suffix)).unlink(missing_ok=True)
    os.mkfifo(scene.store / "index.sqlite")
    (scene.store / "history.sqlite").mkdir()
