"""Entries that are whole, but not those that were written under their key."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from faults.tally import Tally

from nbcache import Cache
from nbcache.storage import npz, trust


def work(number):
    """Give a few numbers."""
    return np.arange(4) * number


@pytest.fixture
def call(tmp_path):
    """Give a cached function with two results."""
    call = Cache(tmp_path / "store").cached(memory=False)(work)
    call(1)
    call(2)
    return call


def path_of(call, number) -> Path:
    """Give the file of a result."""
    (found,) = [row for row in call.entries() if row["key"] == call.key(number).digest]
    (path,) = Path(call._options.core().store.folder).rglob(f"*{found['key']}.npz")
    return path


def reseal(path: Path, values: np.ndarray, **changes) -> None:
    """Write an entry anew with other values: valid CRCs, a trailer of its own."""
    with npz.Archive.open(path) as archive:
        members = {name: archive.read(name, None) for name in archive.names}
        manifest, old = archive.manifest(), archive.trailer
    with path.with_suffix(".new").open("w+b") as file:
        trailer = npz.write(
            file,
            {**members, "value": values}.items(),
            manifest,
            key=old.key,
            sign=trust.signer().sign,
        )
        for name, value in changes.items():
            if name == "mac" and value is None:
                trailer = dataclasses.replace(trailer, mac="0" * 63 + "1")
            else:
                trailer = dataclasses.replace(trailer, **{name: value})
        file.seek(-npz.TRAILER_BYTES, os.SEEK_END)
        file.write(trailer.to_bytes())
    path.with_suffix(".new").replace(path)


def judge(tally: Tally, call, what: str) -> None:
    """Ask for a result twice."""
    tally.injected += 1
    for _ in range(2):
        if call(1).tolist() != work(1).tolist():
            tally.note("wrong", what)


def test_an_entry_with_another_digest_is_not_returned(call, report):
    """Values exchanged, CRCs right, the signature that of the old digest: no hit."""
    tally, path = Tally(), path_of(call, 1)
    with npz.Archive.open(path) as archive:
        old = archive.trailer
    reseal(path, np.arange(4) * 9, digest=old.digest, mac=old.mac)
    with pytest.warns(UserWarning, match="damaged"):
        judge(tally, call, "resealed with the old digest")
    report(tally)


def test_an_entry_of_another_key_is_not_returned(call, report):
    """A signed entry, copied to the name of another call."""
    tally = Tally()
    path, other = path_of(call, 1), path_of(call, 2)
    path.unlink()
    path.write_bytes(other.read_bytes())
    with pytest.warns(UserWarning, match="damaged"):
        judge(tally, call, "the entry of another key")
    report(tally)


def test_an_entry_that_nobody_signed_is_not_returned(call, report):
    """All is right in it but who wrote it."""
    tally = Tally()
    reseal(path_of(call, 1), np.arange(4) * 9, mac=None)
    with pytest.warns(UserWarning, match="someone else"):
        judge(tally, call, "unsigned")
    report(tally)


def test_an_entry_behind_a_link_is_not_returned(call, report):
    """Not even one that is whole and signed."""
    tally, path = Tally(), path_of(call, 1)
    elsewhere = path.with_name("elsewhere")
    path.replace(elsewhere)
    path.symlink_to(elsewhere)
    tally.injected += 1
    if call.is_cached(1):
        tally.note("wrong", "a link was followed")
    call(1)
    report(tally)
