"""What a cache was worth: sums that persist, and their picture."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nbcache import Cache, stats

RUN = """
import sys, time, nbcache
cache = nbcache.Cache("store")

@cache.cached(name="slow")
def slow(x):
    time.sleep(0.05)
    return x

@cache.cached(name="quick")
def quick(x):
    return [x]

for n in (1, 2, 1, 1):
    slow(n)
quick(1)
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Fill a store from two processes."""
    place = tmp_path_factory.mktemp("filled")
    home = {**os.environ, "JUPYTER_DATA_DIR": str(place)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", RUN], cwd=place, env=home, check=True)
    return place


@pytest.fixture
def folder(filled, tmp_path, monkeypatch):
    """Give the folder of a store that two processes have used."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(filled))
    return Path(shutil.copytree(filled / "store", tmp_path / "store"))


def test_sums_by_name_persist(folder):
    """Hits, misses by reason, seconds, bytes; most saved first."""
    cache = Cache(folder)
    slow, quick = stats.sums(cache.core)
    assert (slow.name, slow.hits, slow.entries) == ("slow", 6, 2)
    assert dict(slow.misses) == {"new": 1, "input": 1}
    assert slow.computed >= 0.1
    assert slow.saved >= 0.3
    assert (quick.name, quick.hits, quick.missed) == ("quick", 1, 1)
    total = stats.summed([slow, quick])
    assert (total.hits, total.missed, total.entries) == (7, 3, 3)
    assert total.bytes == sum(one.bytes for one in cache.core.store.entries())


def test_stats_are_a_data_frame(folder):
    """A row a name, a column a reason."""
    table = Cache(folder).stats()
    assert table.index.tolist() == ["slow", "quick"]
    assert table.loc["slow", ["hits", "misses", "entries"]].tolist() == [6, 2, 2]
    assert table.loc["quick", "missed: input"] == 0
    assert table["missed: new"].sum() == 2


def test_stats_outlive_the_entries(folder):
    """What was saved was saved."""
    cache = Cache(folder)
    cache.clear(all=True)
    table = cache.stats()
    assert table["hits"].sum() == 7
    assert table["bytes"].sum() == 0


def test_lost_statistics_leave_what_is_stored(folder):
    """A database that is nonsense costs only what it told."""
    (folder / "history.sqlite").write_bytes(b"nonsense" * 600)
    table = Cache(folder).stats()
    assert table["hits"].sum() == 0
    assert table["entries"].sum() == 3


def test_stats_of_nothing_are_empty(tmp_path):
    """With all columns, so that a program need not ask."""
    cache = Cache(tmp_path / "none")
    assert cache.stats().columns.tolist() == [
        *("hits", "misses", "computed", "saved", "bytes", "entries"),
    ]
    assert stats.text(cache.core) == "nothing was asked for yet"
    assert not (tmp_path / "none").exists()


def test_the_text_is_aligned_and_ends_with_all(folder):
    """Reasons by number."""
    lines = stats.text(Cache(folder).core).splitlines()
    assert lines[0].split() == (
        [
            "name",
            "hits",
            "misses",
            "computed",
            "saved",
            "size",
            "misses",
            "by",
            "reason",
        ]
    )
    assert lines[1].split()[:3] == ["slow", "6", "2"]
    assert lines[-1].startswith("in all")
    assert lines[-1].endswith("2 new, 1 input")


def test_json_has_total_and_names(folder):
    """Plain numbers."""
    told = json.loads(json.dumps(stats.to_json(Cache(folder).core)))
    assert told["total"]["hits"] == 7
    assert [one["name"] for one in told["names"]] == ["slow", "quick"]


# --- the picture


def test_the_plot_shows_time_and_size_by_name(folder):
    """A figure that knows no window, and shows itself in a notebook."""
    pytest.importorskip("matplotlib")
    figure = Cache(folder).plot()
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["slow", "quick"]
    widths = [[bar.get_width() for bar in axes.patches] for axes in (left, right)]
    found = stats.sums(Cache(folder).core)
    assert widths == [[one.saved for one in found], [one.bytes for one in found]]
    assert left.get_title().startswith("time saved: 0.")
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_the_plot_of_nothing_and_of_strange_names_is_drawn(tmp_path):
    """Formulas, lone surrogates, and more names than there is room for."""
    pytest.importorskip("matplotlib")
    cache = Cache(tmp_path / "store")
    assert cache.plot()._repr_png_()
    cache.core.store.prepare()
    for name in ["$x_", "\ud800", "a" * 90, *map(str, range(30))]:
        outcome = {"hit": True, "saved": 1.0, "kind": "cell"}
        cache.core.store.history.note_outcome(name, "", outcome)
    figure = cache.plot()
    assert len(figure.axes[0].patches) == 21
    assert figure.axes[0].get_yticklabels()[-1].get_text() == "13 others"
    assert figure._repr_png_()


def test_without_matplotlib_the_error_says_what_to_install(tmp_path):
    """In a process in which it cannot be imported."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import nbcache\n"
        "try: nbcache.Cache('store').plot()\n"
        "except ImportError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.stdout == "the plot needs matplotlib: pip install 'nbcache[plot]'\n"
