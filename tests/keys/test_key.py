"""Keys: labelled parts and their difference."""

import pytest

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


def code(text: str, line: int = 1) -> dict:
    return {"kind": "code", "line": line, "text": text}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("a = 1\nb = 2", "a = 1\nb = 3", "code changed (line 2)"),
        ("a = 1\nb = 2", "# new\n\na = 1\nb = 3", "code changed (line 4)"),
        ("a = 1\nb = 2\nc = 3", "a = 1\nc = 3", "code changed (line 2)"),
        ("a = 1\nb = 2", "a = 1", "code changed (line 1)"),
        ("%%cached x\na = 1", "%%cached x -o a\na = 2", "code changed (line 2)"),
        ("!ls\na = '#'", "!ls\na = '#1'", "code changed (line 2)"),
    ],
)
def test_the_first_line_that_does_something_else_is_named(before, after, said):
    """Counted in the cell as it is now; comments and the magic do not count."""
    assert str(Change("code", "", "", code(before), code(after))) == said


def test_lines_of_helpers_count_in_their_cell_or_file():
    """There the user looks for them."""
    old, new = code("def f():\n    return 1", 9), code("def f():\n    return 2", 11)
    change = Change("helper f", "", "", old, new)
    assert str(change) == "helper f changed (line 12)"
    assert change.is_code
    assert change.difference("then", "now").splitlines()[:2] == [
        "--- helper f, then",
        "+++ helper f, now",
    ]


@pytest.mark.parametrize(
    ("label", "before", "after", "said"),
    [
        ("file data.csv", "", "", "file data.csv changed"),
        ("file data.csv", "", None, "file data.csv is gone"),
        ("file data.csv", None, "", "file data.csv is there now"),
        ("listing data", "", "", "what is in folder data changed"),
        ("matches *.csv", "", "", "other files match *.csv"),
        ("exists model.pt", None, "", "model.pt is there now"),
        ("wrote file a.csv", "", None, "file a.csv, which it wrote, is gone"),
        ("env STAGE", "", "", "environment variable STAGE changed"),
        ("random numpy", "", "", "state of the random generator numpy changed"),
        ("folder", "", "", "the working directory is another one"),
        ("library numpy", "2.3", "2.4", "numpy 2.3 → 2.4"),
        ("python", "3.11.7", "3.12.1", "Python 3.11.7 → 3.12.1"),
        ("settings numpy", "precision=3", None, "settings of numpy: precision=3 → "),
        ("helper f → library x", "1", "2", "helper f → x 1 → 2"),
    ],
)
def test_what_is_no_value_is_told_in_words(label, before, after, said):
    """Files, folders, generators, versions: never by digest."""
    assert str(Change(label, before, after)).startswith(said)
