"""Sizes and parts as people write them."""

import pytest

from nbcache import sizes


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("5GB", 5_000_000_000),
        ("5gb", 5_000_000_000),
        ("1.5 GiB", 1_610_612_736),
        ("500MB", 500_000_000),
        ("10k", 10_000),
        ("0", 0),
        (" 7 B ", 7),
        (12, 12),
        (2.5e3, 2500),
    ],
)
def test_a_size_is_a_number_of_bytes(given, count):
    """Powers of 1000, or of 1024 with an i."""
    assert sizes.size(given) == count


@pytest.mark.parametrize("given", ["", "GB", "-1GB", "5XB", "5 G B", True, None, "nan"])
def test_what_is_no_size_is_refused(given):
    """With what one may write."""
    with pytest.raises(ValueError, match="Write it as '5GB'"):
        sizes.size(given)


def test_a_part_is_percent_or_a_number():
    """Of all, and not nothing."""
    assert sizes.part("5%") == 0.05
    assert sizes.part(" 0.25 ") == 0.25
    assert sizes.part("100%") == 1
    for wrong in ("0", "0%", "101%", "-5%", "5%%", "five", "", "nan"):
        with pytest.raises(ValueError, match="not a part"):
            sizes.part(wrong)


def test_a_size_is_told_with_a_unit():
    """One figure behind the point, none for bytes."""
    assert [sizes.text(n) for n in (0, 999, 1000, 1_250_000, 5e9, 2e17)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "1.2 MB",
        "5.0 GB",
        "200.0 PB",
    ]
