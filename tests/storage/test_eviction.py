"""Which entries go: the choice alone, as a function of what is known of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbcache.storage.eviction import (
    MUCH,
    RECENT_S,
    YOUNG_S,
    Candidate,
    Limit,
    level_after,
    victims,
)

NOW = 1_000_000.0
OLD = NOW - 10 * RECENT_S


def one(file, size=100, seconds=1.0, **more):
    """An entry of long ago."""
    more.setdefault("created", OLD)
    return Candidate(file, file, size, seconds, **more)


def chosen(candidates, limit, target=None, **more):
    """The files that go, in order."""
    limit = Limit(limit, limit if target is None else target)
    return [entry.file for entry, _ in victims(candidates, limit, now=NOW, **more)]


def test_nothing_goes_within_the_limit():
    """As much as the limit is allowed."""
    assert chosen([one("a"), one("b")], 200) == []


def test_the_cheapest_for_its_size_goes_first():
    """Bulk that is computed again in no time, before small costly results."""
    known = [one("costly", 100, 50.0), one("bulky", 1000, 1.0), one("cheap", 100, 0.5)]
    assert chosen(known, 1100) == ["bulky"]
    assert chosen(known, 150) == ["bulky", "cheap"]


def test_lru_takes_what_was_used_longest_ago():
    """Whatever it costs; a hit counts as a use, and so does storing."""
    known = [
        one("used", 100, 0.1, used=NOW - 2 * RECENT_S),
        one("stored", 100, 99.0),
        one("later", 100, 0.1, created=OLD + 5),
    ]
    assert chosen(known, 100, policy="lru") == ["stored", "later"]


def test_none_keeps_everything():
    """Also far above the limit."""
    assert chosen([one("a", 1000)], 1, policy="none") == []


def test_an_unused_entry_ages_behind_a_cheap_one_that_is_used():
    """The level that rose since lifts what was touched after it."""
    known = [
        one("dear", 100, 50.0, created=OLD),
        one("cheap", 100, 1.0, created=OLD, used=OLD + 100),
    ]
    assert chosen(known, 100) == ["cheap"]
    assert chosen(known, 100, levels=[(OLD + 50, 0.9)]) == ["dear"]


@pytest.mark.parametrize("size", [105, 1000])
def test_pinned_and_young_entries_never_go(size):
    """However much there is."""
    pinned = one("pinned", size, 0.0, pinned=True)
    young = one("young", 50, 0.0, created=NOW - YOUNG_S + 1)
    assert chosen([pinned, young], 100) == []
    older = one("older", 50, 0.0, created=NOW - YOUNG_S)
    assert chosen([pinned, older], 100) == ["older"]


@pytest.mark.parametrize(
    "more", [{"used": NOW - RECENT_S + 1}, {"leased": True}], ids=["used", "leased"]
)
def test_what_is_in_use_goes_only_far_above_the_limit(more):
    """Above 110 %, and no more than brings it below that."""
    known = [one("a", 50, **more), one("b", 60, **more)]
    assert chosen(known, 100) == []
    assert chosen([*known, one("c", 2, **more)], 100) == ["b"]


def test_what_is_leased_goes_last():
    """A process that holds its arrays may ask for it again."""
    known = [
        one("leased", 100, 0.0, leased=True),
        one("used", 100, 9.0, used=NOW - 1),
    ]
    assert chosen(known, 100) == ["used"]


def test_what_is_stale_goes_first():
    """Even if it was costly."""
    assert chosen([one("a"), one("b", 100, 99.0, stale=True)], 100) == ["b"]


def test_it_is_cut_to_the_target_once_it_is_too_large():
    """So that the next entry does not drive out another."""
    known = [one(name, 10, cost) for cost, name in enumerate("abcdefghij")]
    assert chosen(known, 100, 90) == []
    assert chosen(known, 99, 75) == ["a", "b", "c"]


def test_a_young_entry_that_alone_passes_the_limit_drives_out_no_other():
    """All others would go, in vain; later it goes itself."""
    small = one("small", 50, 1.0)
    assert chosen([small, one("huge", 500, 1.0, created=NOW)], 100) == []
    assert chosen([small, one("huge", 500, 1.0)], 100) == ["huge"]


def test_the_level_rises_to_the_last_that_went_for_its_rank_and_never_falls():
    """What was stale or in use tells nothing of what an entry is worth."""
    gone = [(one("a"), 0.5), (one("b", stale=True), 9.0), (one("c", leased=True), 8.0)]
    assert level_after([], gone, NOW) == 0.5
    assert level_after([(1.0, 0.7)], gone, NOW) is None


# --- properties

candidates = st.lists(
    st.builds(
        Candidate,
        file=st.text("abcdef", min_size=4, max_size=6),
        key=st.just(""),
        bytes=st.integers(0, 1000),
        seconds=st.floats(0, 1e6),
        created=st.floats(NOW - 3 * RECENT_S, NOW + 100),
        used=st.just(0.0) | st.floats(NOW - 3 * RECENT_S, NOW + 100),
        pinned=st.booleans(),
        leased=st.booleans(),
        stale=st.booleans(),
    ),
    max_size=30,
    unique_by=lambda one: one.file,
)
levels = st.lists(
    st.tuples(st.floats(NOW - 3 * RECENT_S, NOW), st.floats(0, 1e6)), max_size=4
).map(sorted)


@given(
    candidates,
    st.integers(0, 5000),
    st.floats(0.1, 1),
    st.sampled_from(["greedy-dual-size", "lru"]),
    levels,
)
def test_the_choice_keeps_its_promises(known, size, share, policy, levels):
    """Enough goes if it may, never more than needed, never what must not."""
    limit = Limit(size, int(size * share))
    gone = [
        pair[0] for pair in victims(known, limit, now=NOW, policy=policy, levels=levels)
    ]
    assert len(set(gone)) == len(gone)
    assert set(gone) <= set(known)
    assert not any(one.pinned or NOW - one.created < YOUNG_S for one in gone)
    counted = [
        one for one in known if not (one.bytes > size and NOW - one.created < YOUNG_S)
    ]
    before = sum(one.bytes for one in counted)
    if before <= size:
        assert gone == []
        return
    in_use = [one for one in gone if one.leased or NOW - one.used < RECENT_S]
    idle = [one for one in gone if one not in in_use]
    assert gone == idle + in_use
    left = before
    for entry in idle:
        assert left > limit.target
        left -= entry.bytes
    for entry in in_use:
        assert left > MUCH * size
        left -= entry.bytes
    may = [one for one in known if not one.pinned and NOW - one.created >= YOUNG_S]
    stay = [one for one in may if one not in gone]
    if left > limit.target:
        assert all(one.leased or NOW - one.used < RECENT_S for one in stay)
    if left > MUCH * size:
        assert not stay


@given(candidates, st.integers(0, 3000), levels)
def test_the_choice_does_not_depend_on_the_order_of_the_listing(known, size, levels):
    """Two evictors would choose the same."""
    limit = Limit(size, size)
    there = victims(known, limit, now=NOW, levels=levels)
    assert victims(known[::-1], limit, now=NOW, levels=levels) == there


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60),
    st.lists(
        st.tuples(st.integers(1, 50), st.integers(0, 100)), min_size=10, max_size=10
    ),
)
def test_it_evicts_what_greedy_dual_size_does(asked, kinds):
    """The published algorithm, step by step, against ours from times and levels."""
    limit, clock = 100, OLD - 1_000
    inflation, heaps = 0.0, {}
    levels, known = [], {}
    for number, _ in asked:
        clock += 1
        size, cost = kinds[number]
        if number in known:
            known[number] = Candidate(
                str(number), "", size, float(cost), OLD - 1000, used=clock
            )
        else:
            known[number] = Candidate(str(number), "", size, float(cost), clock)
        heaps[number] = inflation + cost / size
        gone = victims(known.values(), Limit(limit, limit), now=NOW, levels=levels)
        for entry, rank in gone:
            lowest = min(heaps.values())
            assert heaps[int(entry.file)] == rank == lowest
            inflation = lowest
            del known[int(entry.file)], heaps[int(entry.file)]
        assert sum(kinds[one][0] for one in heaps) <= limit
        clock += 1
        level = level_after(levels, gone, NOW)
        if level is not None:
            levels.append((clock, level))
