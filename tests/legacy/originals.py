"""Files as batchpy and numpy_caching wrote them, by the same calls of numpy."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np

__all__ = ["Hostile", "batch_of_2015", "call", "run_of_1", "sha1"]


def sha1(*parameters) -> str:
    """Give an id as batchpy made it."""
    return hashlib.sha1(str(sorted(map(str, parameters))).encode()).hexdigest()


def run_of_1(folder: Path, name: str, result, runtime=1.5, **parameters) -> str:
    """Save a run as batchpy 1.x did; give its id."""
    place = folder / "_res"
    place.mkdir(parents=True, exist_ok=True)
    (place / "__init__.py").touch()
    number = sha1(*parameters.values())
    np.save(
        os.path.join(place, f"{name}_{number}.npy"),
        {"res": result, "id": number, "runtime": runtime, "parameters": parameters},
    )
    return number


def batch_of_2015(folder: Path, name: str, done: list, results: list, ids: list):
    """Save a batch as batchpy did in 2015."""
    place = folder / "_res"
    place.mkdir(parents=True, exist_ok=True)
    np.savez(os.path.join(place, f"{name}.npz"), done, results, ids)


def call(folder: Path, stem: str, value, compress=True) -> Path:
    """Save the result of a call as numpy_caching did."""
    place = folder / "_cache"
    place.mkdir(parents=True, exist_ok=True)
    save = np.savez_compressed if compress else np.savez
    save(place / f"{stem}.npz", np.array({0: value}))
    return place / f"{stem}.npz"


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self):
        return os.mkdir, (str(self.trap),)
