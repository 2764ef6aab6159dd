"""Files of the schema that are checked in are read; numpy reads whatever we write.

``python tests/storage/test_golden.py`` makes the files of the schema in force: once,
when a change of the format has bumped its number.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from round_trips import assert_same
from storage.golden_values import KEY, golden_values
from strategies import values

from nbcache.errors import UnstorableValue
from nbcache.storage import codec, npz
from nbcache.storage.entry import Entry, read_manifest, write_manifest

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("schema*.npz"))


def write(path: Path, held: dict, *, compress: bool = False) -> None:
    """Write an entry as a store does, signed by nobody."""
    encoded = codec.encode(held)
    members = dict(encoded.members)
    entry = Entry(KEY, "cell", "golden", created=1.0, seconds=2.0, source="x = 1\n")
    manifest = write_manifest(entry, encoded.tree, None, members)
    with path.open("wb") as file:
        npz.write(
            file,
            members.items(),
            manifest,
            key=KEY,
            compress=compress,
            sign=lambda key, length, digest: "",
        )


def test_there_is_a_file_of_the_schema_in_force():
    """A new number of the format needs a file of its own."""
    assert f"schema{npz.SCHEMA}.npz" in {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_file_is_read(path):
    """Values, their types and what they share, and the metadata."""
    with npz.Archive.open(path) as archive:
        archive.verify()
        document = read_manifest(
            archive.manifest(), lambda name: archive.read(name, None), whole=True
        )
        found = codec.decode(document["tree"], lambda name: archive.read(name, "copy"))
    known = golden_values()
    # text is of another type before pandas 3
    is_new = int(pd.__version__.partition(".")[0]) >= 3
    table, wanted = found.pop("table"), known.pop("table")
    if not is_new:
        table, wanted = table.astype(object), wanted.astype(object)
    pd.testing.assert_frame_equal(
        table, wanted, check_index_type=is_new, check_column_type=is_new
    )
    for name, value in known.items():
        assert_same(found[name], value, name)
    assert found["shared"][0] is found["shared"][1]
    entry = Entry.from_json(document)
    assert (entry.key, entry.name, entry.seconds) == (KEY, "golden", 2.0)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_numpy_reads_a_golden_file(path):
    """The user's arrays under their names, without pickle."""
    with np.load(path, allow_pickle=False) as members:
        for name in ("x", "fortran", "structured", "when", "big"):
            assert_same(members[name], golden_values()[name], name)
        assert all(isinstance(members[name], np.ndarray) for name in members.files)


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(value=values())
def test_numpy_reads_whatever_is_written(tmp_path_factory, value):
    """Every member of every entry, compressed or not, equal to what we read."""
    path = tmp_path_factory.getbasetemp() / "any.npz"
    for compress in (False, True):
        try:
            write(path, {"value": value}, compress=compress)
        except UnstorableValue:
            return
        with (
            np.load(path, allow_pickle=False) as members,
            npz.Archive.open(path) as archive,
        ):
            assert set(members.files) == {*archive.names, npz.MANIFEST}
            for name in archive.names:
                assert_same(members[name], archive.read(name), name)


if __name__ == "__main__":
    for suffix, deflated in (("", False), ("-deflated", True)):
        target = DATA / f"schema{npz.SCHEMA}{suffix}.npz"
        write(target, golden_values(), compress=deflated)
        print(target, file=sys.stderr)
