"""Rows: how long storing takes, and lists of arrays, both ways."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from nbcache.storage import codec
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content, Store

from . import work
from .rows import OURS, Faster, Row, Setup, benchmarks, remove, text_of
from .subjects import peer
from .timing import Case, measure


class _Stored:
    """A store in which a value is put again and again, each time as a new entry."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.store = Store(folder)
        self._keys = (f"{number:032x}" for number in count(1))
        self._options = options
        self.entry: Entry | None = None

    def put(self, value: Any) -> None:
        encoded = codec.encode({"value": value})
        entry = Entry(next(self._keys), "function", "f", options=self._options)
        self.entry = self.store.put(entry, Content(encoded.tree, encoded.members))

    def get(self) -> Any:
        assert self.entry is not None
        opened = self.store.get(self.entry.key)
        assert opened is not None
        value = codec.decode(opened.tree, opened.archive.read)["value"]
        opened.close()
        return value

    def remove(self) -> None:
        """Free the space: writes into memory that was just freed are faster for all."""
        if self.entry:
            remove(self.store.place.entry(self.entry.key))


def _raw(path: Path, data: memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for start in range(0, len(data), 1 << 20):
        os.write(descriptor, data[start : start + (1 << 20)])
    os.close(descriptor)


@benchmarks("store")
def large(setup: Setup) -> Iterator[Row]:
    """Measure storing a large array."""
    size = setup.size(100_000_000, 1_000_000)
    folder, array = setup.fresh("store"), work.numbers(size)
    data = memoryview(array).cast("B")
    stored, path = _Stored(folder / "ours"), folder / "file"
    limit = "raw write + BLAKE3"

    def write_and_digest() -> None:
        _raw(path, data)
        blake3(data).digest()

    ways: dict[str, Callable[[], object]] = {
        limit: write_and_digest,
        "np.savez": lambda: np.savez(folder / "file.npz", value=array),
        "np.save": lambda: np.save(folder / "file.npy", array),
    }
    if joblib := peer("joblib"):
        ways["joblib"] = lambda: joblib.dump(array, path)
    if diskcache := peer("diskcache"):
        cache = diskcache.Cache(folder / "diskcache", size_limit=1 << 40)
        ways["diskcache"] = lambda: cache.set("a", array)
    files = (path, folder / "file.npz", folder / "file.npy")
    cases = [
        Case(name, way, after=lambda: [remove(one) for one in files])
        for name, way in ways.items()
    ]
    cases.append(Case(OURS, lambda: stored.put(array), after=stored.remove))
    yield Row(
        f"store {text_of(size, 'B')}",
        measure(cases, setup.rounds),
        (Faster(1 / 1.3, limit), Faster(1.5, "np.savez"), Faster(1, "joblib")),
    )


@benchmarks("compressed")
def compressed(setup: Setup) -> Iterator[Row]:
    """Measure storing deflated, and how small it gets."""
    length, rng = setup.size(2_000_000, 20_000), np.random.default_rng(0)
    sparse = np.where(rng.random(length) < 0.05, rng.standard_normal(length), 0)
    prices = np.round(np.cumsum(rng.standard_normal(length)) * 0.1 + 100, 2)
    arrays = {
        "integers to 1000": rng.integers(0, 1000, length),
        "5 % of floats": sparse,
        "prices": prices,
        "random floats": rng.standard_normal(length),
    }
    for name, array in arrays.items():
        folder = setup.fresh(f"compressed-{name[:3]}")
        path, stored = folder / "file.npz", _Stored(folder / "ours", compress=True)
        saved = "np.savez_compressed"
        cases = [
            Case(OURS, lambda s=stored, a=array: s.put(a)),
            Case(saved, lambda p=path, a=array: np.savez_compressed(p, value=a)),
        ]
        figures = measure(cases, min(3, setup.rounds))
        yield Row(f"store compressed, {name}", figures, (Faster(8, saved),))
        assert stored.entry is not None
        yield Row(
            f"bytes of the same, {name}",
            {OURS: float(stored.entry.bytes), saved: float(path.stat().st_size)},
            (Faster(0.9, saved),),
            "B",
        )


@benchmarks("arrays")
def many(setup: Setup) -> Iterator[Row]:
    """Measure lists of small arrays."""
    length = setup.size(10_000, 100)
    kinds = {"alike": work.many_arrays, "of many lengths": work.ragged_arrays}
    joblib, diskcache = peer("joblib"), peer("diskcache")
    for kind, make in kinds.items():
        folder, arrays = setup.fresh(f"arrays-{kind}"), make(length)
        stored, path = _Stored(folder / "ours"), folder / "file"
        writes = [Case(OURS, lambda s=stored, a=arrays: s.put(a))]
        reads = [Case(OURS, stored.get)]
        if joblib:
            writes.append(Case("joblib", lambda p=path, a=arrays: joblib.dump(a, p)))
            reads.append(Case("joblib", lambda p=path: joblib.load(p)))
        if diskcache:
            cache = diskcache.Cache(folder / "diskcache", size_limit=1 << 40)
            writes.append(Case("diskcache", lambda c=cache, a=arrays: c.set("a", a)))
            reads.append(Case("diskcache", lambda c=cache: c["a"]))
        said = f"list of {length} small arrays {kind}"
        rounds = min(5, setup.rounds)
        yield Row(f"{said}, write", measure(writes, rounds), (Faster(20, "joblib"),))
        yield Row(f"{said}, read", measure(reads, rounds), (Faster(100, "joblib"),))
