"""The benchmarks run; how fast is not tested here."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import main
from benchmarks.rows import OURS, AtMost, Faster, Row

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the peers


LONG = ["store", "arrays", "listing", "frame", "batch-memory"]


@pytest.mark.parametrize(
    "name",
    [
        "keys",
        "batch",
        "metrics",
        *(pytest.param(one, marks=pytest.mark.slow) for one in LONG),
    ],
)
def test_a_benchmark_runs(name, tmp_path, monkeypatch, capsys):
    """With tiny sizes; its rows are printed and written."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    written = tmp_path / "results.md"
    folder = ["--folder", str(tmp_path)]
    rows = main(["--quick", "--only", name, "--write", str(written), *folder])
    assert rows
    assert all(row.ours > 0 for row in rows)
    assert rows[0].work in capsys.readouterr().out
    assert all(row.work in written.read_text() for row in rows)
    assert str(tmp_path) not in written.read_text()


def test_a_missed_target_is_said():
    """Of a time, of a ratio, and of a rate, where more is better."""
    row = Row("work", {OURS: 2.0, "peer": 3.0}, (AtMost(1.0),))
    assert row.missed
    assert Row("work", row.figures, (Faster(2, "peer"),)).missed
    assert not Row("work", row.figures, (AtMost(2.0), Faster(1.5, "peer"))).missed
    assert Row("work", row.figures, (Faster(1, "peer"),), "/s").missed
    assert not Row("work", row.figures, (Faster(9, "absent"),)).missed
