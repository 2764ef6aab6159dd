"""Hostile stores: the corpus of the threat model, each case in a child with limits.

Whatever stands in a store, the user's function gives the right value, nothing of the
store runs, nothing outside it is written, deleted or read into a value, nobody hangs
and no error reaches the user.  The names of the cases begin with the number of the
threat (T1 to T18; T9 to T14 stand in `test_levels`, `test_shown` and `test_private`).

Mutation check: without one of these defences the test beside it fails

=============================================  =====================================
comparison of the digest (`Archive.verify`)    ``T3 swapped body``
comparison of the key (`Acceptance._check`)    ``test_a_copied_entry_is_not_loaded...``
the HMAC (`Signer.is_mine` says yes)           ``T1 pickle``, ``T2 no signature``
``O_EXCL`` of temporaries                      ``test_a_temporary_is_never_reused``
``O_NOFOLLOW`` of entries                      ``T6 link to a signed entry``
=============================================  =====================================

`test_mutations` (slow) takes each away in a copy of the package and sees the harm.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from trust import corpus_entries, corpus_hints, corpus_places
from trust.arena import Arena
from trust.forging import forge, value_tree
from trust.scene import CASES, Scene

# that they are imported enters their cases into the list
CORPUS = (corpus_entries, corpus_hints, corpus_places)
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


@pytest.fixture
def scene(template, tmp_path) -> Scene:
    return Scene(template, tmp_path)


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


def test_a_copied_entry_is_not_loaded_by_its_new_key(arena, scene):
    """Where no function asks, the name of the file and the trailer must agree."""
    shutil.copy(scene.other, scene.entry)
    assert arena.run(scene.store, calls=[], load=[scene.key])["values"] == ["refused"]


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
