"""Stores with entries of any age, cost and size, for the tests of what goes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from nbcache.storage import codec
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content, Store

DAY = 86400.0


def key(number: int) -> str:
    """Give a key by its number; each in a folder of its own."""
    return f"{number:02x}{number:030x}"


def put(
    store: Store,
    number: int,
    name: str = "fit",
    *,
    size: int = 100_000,
    age: float = DAY,
    **more,
) -> Entry:
    """Store an array of some bytes under a key, as if some seconds ago."""
    data = np.random.default_rng(number).bytes(size)
    encoded = codec.encode({"value": np.frombuffer(data, np.uint8)})
    more.setdefault("kind", "function")
    entry = Entry(key(number), name=name, created=time.time() - age, **more)
    return store.put(entry, Content(encoded.tree, dict(encoded.members)))


def there(store: Store) -> set[int]:
    """Give the numbers of the entries whose files are there."""
    return {int(file[:2], 16) for file in store.place.files()}


def path_of(store: Store, entry: Entry) -> Path:
    """Give the file of an entry."""
    return store.place.entries / entry.key[:2] / entry.file


def array_of(store: Store, number: int) -> np.ndarray:
    """Give the array of an entry, mapped."""
    opened = store.get(key(number))
    assert opened is not None
    try:
        tree, archive = opened.tree, opened.archive
        return codec.decode(tree, lambda name: archive.read(name, "copy"))["value"]
    finally:
        opened.close()


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process; it talks through its pipes."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def expected(number: int, size: int) -> np.ndarray:
    """Give the array that `put` stores."""
    return np.frombuffer(np.random.default_rng(number).bytes(size), np.uint8)
