"""T5 to T7, T17 and T18: links, pipes and names where a store has its files."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trust.forging import forge, value_tree
from trust.scene import COMPUTE, Scene, case

from nbcache.storage.trust import Signer

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


@case(
    "T18 deleting by name meets links",
    commands=[["clear", COMPUTE, "-y"]],
)
def _(scene: Scene) -> None:
    target = scene.outside / scene.entry.parent.name
    shutil.move(scene.entry.parent, target)
    scene.entry.parent.symlink_to(target)
