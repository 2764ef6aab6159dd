"""Which earlier entry a miss is compared with, and what of it is remembered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nbcache
from nbcache import explaining
from nbcache.api import default_core
from nbcache.keys.key import Key, Part
from nbcache.outcome import Request
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def key(**parts: str) -> Key:
    return Key.of(
        [Part(label, value, f"int {value}") for label, value in parts.items()]
    )


def put(store: Store, found: Key, created: float, **more: Any) -> None:
    entry = Entry(
        found.digest, "cell", "a", parts=found.to_json(), created=created, **more
    )
    store.put(entry, Content({}, {}))


def miss(store: Store, found: Key, **more: Any) -> explaining.Miss:
    return explaining.explained(store, Request(found, "a", "cell", **more))


def test_the_entry_with_the_fewest_differing_parts_is_taken(store):
    """Not the newest: that may be a call with other arguments altogether."""
    put(store, key(x="1", y="1", z="1"), 1.0)
    put(store, key(x="7", y="8", z="9"), 2.0)
    found = miss(store, key(x="1", y="1", z="2"))
    assert [str(change) for change in found.changes] == ["z: 1 → 2"]


def test_of_several_that_of_the_same_notebook_then_the_newest_is_taken(store):
    """The user's own last run is what they remember."""
    put(store, key(x="1"), 1.0, notebook="mine")
    put(store, key(x="2"), 2.0, notebook="mine")
    put(store, key(x="3"), 3.0, notebook="other")
    assert str(miss(store, key(x="9"), notebook="mine").changes[0]) == "x: 2 → 9"
    assert str(miss(store, key(x="9"), notebook="none").changes[0]) == "x: 3 → 9"


def test_another_python_is_one_change(store):
    """Its version is in every digest of code: that all differ says nothing."""
    packages = {"python": "2.7.18"}
    put(
        store, Key((Part("code", "1"), Part("x", "1", "int 1"))), 1.0, packages=packages
    )
    found = miss(store, Key((Part("code", "2"), Part("x", "2", "int 2"))))
    assert found.reason == "library"
    first, second = map(str, found.changes)
    assert first.startswith("Python 2.7.18 → 3.")
    assert second == "x: 1 → 2"


def test_versions_are_told_that_the_key_allows(store):
    """Exactly, and only those that differ and are loaded."""
    packages = {"numpy": "1.0", "nbcache": nbcache.__version__, "nosuch": "3"}
    put(store, key(x="1"), 1.0, packages=packages)
    told = explaining.story(miss(store, key(x="2")))
    assert [row[:2] for row in told["versions"]] == [["numpy", "1.0"]]


def test_a_private_request_tells_no_value(store):
    """That it changed, not from what to what."""
    put(store, key(x="1").without_summaries(), 1.0, private=True)
    found = miss(store, key(x="2"), private=True)
    assert str(found) == "x changed"
    assert "2" not in str(explaining.story(found)["changes"])


def test_a_private_entry_is_stripped():
    """Of summaries, details and arguments."""
    entry = Entry("0" * 32, "cell", "a", parts=key(x="1").to_json(), call={"tree": 1})
    found = entry.without_summaries()
    assert found == replace(entry, parts=[["x", "1", ""]], call=None, private=True)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = os.environ.get("NBCACHE_DIR")
    os.environ["NBCACHE_DIR"] = str(tmp_path / "own")
    yield tmp_path / "own"
    if before is None:
        del os.environ["NBCACHE_DIR"]
    else:
        os.environ["NBCACHE_DIR"] = before


def test_the_list_of_entries_holds_no_details(folder):
    """It stays quick; the entry's own file has them."""

    @nbcache.cached(name="listed")
    def f(x: dict[str, int]) -> int:
        return len(x)

    f({"a": 1})
    store = default_core().store
    (entry,) = store.by_name("listed")
    assert all(len(row) == 3 for row in entry.parts)
    assert any(len(row) == 4 for row in store.whole(entry).parts)


def test_an_entry_that_was_deleted_is_told_from_a_first_run(folder):
    """The history knows that it was stored."""

    @nbcache.cached(name="gone")
    def f(x: int) -> int:
        return x

    f(1)
    assert nbcache.last().reason == "new"
    nbcache.clear("gone")
    f(1)
    assert nbcache.last().reason == "evicted"
