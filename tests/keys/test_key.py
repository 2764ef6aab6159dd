"""Keys: labelled parts and their difference."""

from nbcache.keys.key import Change, Key, Part


def key(**parts: str) -> Key:
    return Key.of([Part(label, value, value) for label, value in parts.items()])


def test_the_digest_covers_labels_and_digests():
    """No two lists of parts share a digest by running into each other."""
    assert key(a="1", b="2").digest != key(a="2", b="1").digest
    assert key(ab="1").digest != key(a="b1").digest
    assert Key(()).digest != key(a="").digest
    assert len(key(a="1").digest) == 32


def test_summaries_do_not_count():
    """They are for people: two spellings of one value are one key."""
    assert Key((Part("a", "1", "x"),)) == Key((Part("a", "1", "y"),))


def test_difference_names_what_changed_came_and_went():
    """Each differing part once, with what it was and is."""
    found = key(a="1", b="2", c="3").difference(key(a="1", b="9", d="4"))
    assert found == (
        Change("b", "2", "9"),
        Change("c", "3", None),
        Change("d", None, "4"),
    )
    assert [str(change) for change in found] == ["b: 2 → 9", "c is gone", "d is new"]


def test_a_frame_is_explained_by_its_columns():
    """Of two summaries only the columns that differ are told."""
    before = "DataFrame 10 \N{MULTIPLICATION SIGN} 2: price float32, day object"
    after = "DataFrame 10 \N{MULTIPLICATION SIGN} 2: price float64, day object"
    change = Change("input df", before, after)
    assert str(change) == "input df: column 'price' float32 → float64"


def test_equal_summaries_only_say_that_it_changed():
    """Texts that look alike explain nothing."""
    assert str(Change("input a", "list of 3", "list of 3")) == "input 'a' changed"


def test_repeated_labels_stay_apart():
    """A second part of a label is numbered, so that no part hides another."""
    found = Key.of([Part("a", "1"), Part("a", "2")])
    assert [part.label for part in found.parts] == ["a", "a (2)"]


def test_json_round_trip():
    """An entry's manifest gives the key back."""
    one = key(a="1", b="2")
    assert Key.from_json(one.to_json()).parts == one.parts
