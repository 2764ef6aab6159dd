"""gc: what goes, why, and what stays; choices by name, tag, age; pins."""

from __future__ import annotations

import warnings

import pytest
from full_stores import DAY, key, put, started, there

from nbcache import Cache, CacheWarning, UnknownName
from nbcache.storage import publishing
from nbcache.storage.entry import Entry


@pytest.fixture
def cache(tmp_path) -> Cache:
    """Give a cache in a folder of its own."""
    return Cache(tmp_path / "store")


def stored(cache: Cache, number: int, name: str = "fit", **more) -> Entry:
    """Store an entry; code= names its version."""
    code = more.pop("code", None)
    if code is not None:
        more["parts"] = [["code", code, ""]]
    return put(cache.core.store, number, name, **more)


def left(cache: Cache) -> set[int]:
    """Give the numbers of the entries that are there."""
    return there(cache.core.store)


def whys(collected) -> dict[int, str]:
    """Give why each entry went."""
    return {int(entry.key[:2], 16): why for entry, why in collected.gone}


def test_gc_removes_what_is_expired_and_old_failures(cache):
    """And says why; what may still be asked for stays."""
    stored(cache, 0, age=2 * DAY, expires_after=DAY)
    stored(cache, 1, age=2 * DAY, expires_after=3 * DAY)
    stored(cache, 2, "failed", age=31 * DAY, state={"failure": True})
    stored(cache, 3, "failed", age=29 * DAY, state={"failure": True})
    done = cache.gc()
    assert whys(done) == {0: "expired", 2: "a failure of more than 30 d ago"}
    assert left(cache) == {1, 3}
    assert (done.entries, done.busy, done.remark) == (2, False, "")
    assert "removed 1 entry of 'fit' (101." in str(done)
    assert str(done).splitlines()[-1].startswith("removed 2 entries (20")


def test_a_dry_run_changes_nothing(cache):
    """It says the same."""
    stored(cache, 0, expires_after=1.0)
    done = cache.gc(dry_run=True)
    assert whys(done) == {0: "expired"}
    assert "would remove 1 entry" in str(done)
    assert left(cache) == {0}


def test_gc_keeps_the_newest_versions_of_the_code(cache):
    """Of each name and kind in each notebook; a version may have many entries."""
    for number, (code, age) in enumerate(
        [("v1", 5), ("v1", 4), ("v2", 3), ("v3", 2), ("v3", 1)]
    ):
        stored(cache, number, code=code, age=age * DAY)
    stored(cache, 5, code="v1", age=9 * DAY, kind="cell")
    stored(cache, 6, code="v1", age=9 * DAY, notebook="b")
    assert whys(cache.gc(dry_run=True)) == {}
    done = cache.gc(keep=2)
    assert set(whys(done)) == {0, 1}
    assert set(whys(done).values()) == {"superseded: its code has newer versions"}
    assert left(cache) == {2, 3, 4, 5, 6}
    with pytest.raises(ValueError, match="keep is a number"):
        cache.gc(keep=-1)


def test_gc_removes_what_was_not_used_for_long(cache):
    """A hit counts as a use."""
    stored(cache, 0, age=100 * DAY)
    stored(cache, 1, age=100 * DAY)
    stored(cache, 2, age=80 * DAY)
    cache.core.store.history.note_hit(key(1), 1.0)
    assert whys(cache.gc(max_age="90d")) == {0: "not used for 90 d"}
    assert left(cache) == {1, 2}


def test_gc_cuts_to_a_size_what_is_stale_first(cache):
    """Superseded entries before current ones, however costly."""
    stored(cache, 0, code="v1", age=3 * DAY, seconds=1000.0)
    stored(cache, 1, code="v2", age=2 * DAY, seconds=1.0)
    stored(cache, 2, "other", seconds=5.0)
    stored(cache, 3, "young", seconds=0.0, age=60)
    done = cache.gc(max_size=250_000)
    assert whys(done) == {
        0: "over the limit of 250.0 kB, superseded",
        1: "over the limit of 250.0 kB, worth least",
    }
    assert left(cache) == {2, 3}


def test_gc_says_when_more_stays_than_was_asked_for(cache):
    """Pinned and young entries; nothing of them goes."""
    stored(cache, 0, "kept")
    stored(cache, 1, "young", age=60)
    assert cache.pin("kept") == ["kept"]
    done = cache.gc(max_size="1kB")
    assert whys(done) == {}
    assert done.remark.startswith("more than 1.0 kB stays: pinned entries")
    assert left(cache) == {0, 1}


def test_gc_leaves_pinned_entries_whatever_the_reason(cache):
    """Also expired and unused ones."""
    stored(cache, 0, age=300 * DAY, expires_after=1.0, code="v1")
    stored(cache, 1, age=DAY, code="v2")
    cache.pin("fit")
    assert whys(cache.gc(max_age="1d", keep=1, max_size=0)) == {}
    assert left(cache) == {0, 1}


def test_gc_takes_only_entries_of_a_tag(cache):
    """All others stay, also if there is not enough room then."""
    stored(cache, 0, tags=["sweep"], expires_after=1.0)
    stored(cache, 1, expires_after=1.0)
    stored(cache, 2, tags=["sweep", "b"], seconds=9.0)
    stored(cache, 3)
    assert set(whys(cache.gc(tag="sweep", max_size=0))) == {0, 2}
    assert left(cache) == {1, 3}


def test_gc_takes_the_settings_where_nothing_is_asked_for(tmp_path):
    """`max_size` and `keep`; the policy none is for who did not ask."""
    cache = Cache(tmp_path / "store", max_size="150 kB", eviction="none")
    stored(cache, 0, seconds=1.0)
    stored(cache, 1, seconds=2.0)
    assert left(cache) == {0, 1}
    assert set(whys(cache.gc())) == {0}


def test_gc_does_nothing_while_another_process_evicts(cache):
    """It says so, and waits for nobody."""
    stored(cache, 0, expires_after=1.0)
    code = (
        "import sys; from pathlib import Path\n"
        "from nbcache.storage.locks import exclusive\n"
        "with exclusive(Path(sys.argv[1])) as mine:\n"
        "    print(mine, flush=True); sys.stdin.readline()\n"
    )
    holder = started(code, cache.core.store.place.evictor_lock)
    try:
        assert holder.stdout.readline() == "True\n"
        done = cache.gc()
        assert done.busy
        assert "nothing was done" in str(done)
        assert left(cache) == {0}
    finally:
        holder.communicate("\n")
    assert set(whys(cache.gc())) == {0}


def test_gc_of_no_store_makes_none(tmp_path):
    """Nothing to collect."""
    assert Cache(tmp_path / "none").gc().gone == ()
    assert not (tmp_path / "none").exists()


def test_gc_refuses_a_folder_without_our_marker(cache, tmp_path):
    """Nothing of somebody's is removed, not even what has our names."""
    stored(cache, 0, expires_after=1.0)
    (cache.core.store.place.entries / "CACHEDIR.TAG").unlink()
    with pytest.raises(OSError, match="not a store of nbcache"):
        cache.gc()
    assert left(cache) == {0}
    assert Cache(tmp_path).gc().gone == ()


# --- clear, pin


def test_clear_by_tag_age_and_state(cache):
    """All that is given must hold."""
    stored(cache, 0, age=40 * DAY, tags=["a"])
    stored(cache, 1, age=40 * DAY)
    stored(cache, 2, age=DAY, tags=["a"])
    stored(cache, 3, age=DAY, expires_after=1.0)
    assert cache.clear(tag="a", older="30d") == 1
    assert left(cache) == {1, 2, 3}
    assert cache.clear(stale=True) == 1
    assert cache.clear(older="30d") == 1
    assert left(cache) == {2}
    assert cache.clear(tag="a") == 1


def test_clear_by_key(cache):
    """One entry of a name."""
    stored(cache, 0)
    stored(cache, 1)
    assert cache.clear(key(1)) == 1
    assert left(cache) == {0}


@pytest.mark.parametrize(
    "chosen", [{}, {"all": True, "tag": "a"}, {"all": True, "stale": True}]
)
def test_clear_wants_a_choice(cache, chosen):
    """All is asked for alone."""
    with pytest.raises(ValueError, match="all=True alone"):
        cache.clear(**chosen)


def test_an_unknown_tag_is_no_entry(cache):
    """The text names those that there are."""
    stored(cache, 0, tags=["b", "a"])
    with pytest.raises(UnknownName, match="no entry has the tag 'x'; tags: a, b"):
        cache.clear(tag="x")


def test_clear_leaves_pinned_entries_with_a_warning(cache):
    """By name and with all."""
    stored(cache, 0, "a")
    stored(cache, 1, "b")
    cache.pin("a")
    with pytest.warns(CacheWarning, match="1 pinned entry stays"):
        assert cache.clear("a") == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        assert cache.clear(all=True) == 1
    assert left(cache) == {0}
    assert cache.unpin("a") == ["a"]
    assert cache.clear(all=True) == 1


def test_a_pin_is_for_a_name_now_and_later(cache):
    """A glob stands for the names that are there, a key for one entry."""
    stored(cache, 0, "fit_a")
    stored(cache, 1, "fit_b")
    stored(cache, 2, "other")
    assert cache.pin("fit_*") == ["fit_b", "fit_a"]
    assert cache.pin(key(2)) == [key(2)]
    stored(cache, 3, "fit_a")
    stored(cache, 4, "fit_c")
    stored(cache, 5, "other")
    rows = cache.entries()
    pinned = {int(one[:2], 16) for one in rows.index[rows.pinned]}
    assert pinned == {0, 1, 2, 3}
    assert cache.unpin("fit_*") == ["fit_a", "fit_b"]
    assert cache.unpin(key(2)) == [key(2)]
    assert not cache.entries().pinned.any()


def test_a_pin_of_nothing_says_so(cache):
    """With a near match, or what is pinned."""
    stored(cache, 0, "fit")
    with pytest.raises(UnknownName, match="Did you mean 'fit'"):
        cache.pin("fti")
    with pytest.raises(UnknownName, match="'fit' is not pinned; pinned: nothing"):
        cache.unpin("fit")


def test_a_store_that_another_reads_keeps_working_after_clear(cache, monkeypatch):
    """A writer whose folders are renamed away in mid-put stores all the same."""
    stored(cache, 0)
    publish, cleared = publishing.publish, []

    def cleared_before(*arguments, **named):
        if not cleared:
            cleared.append(cache.core.store.clear())
        return publish(*arguments, **named)

    monkeypatch.setattr("nbcache.storage.store.publish", cleared_before)
    stored(cache, 1)
    assert cleared == [1]
    assert left(cache) == {1}
