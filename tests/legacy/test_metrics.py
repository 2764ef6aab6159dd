"""`Cache.import_legacy`: the metrics of simple_metrics_manager as entries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest
from kernel import environment
from legacy.originals import Hostile, batch_of_2015, call, run_of_1

import nbcache
from nbcache.legacy.importing import NothingToImport

DAY = "2019-05-04"
KIND = "metrics"


def save(path: Path, value, pickled=False) -> Path:
    """Save a value as the storage of that suffix did."""
    if path.suffix == ".json":
        path.write_text(json.dumps(value))
    elif path.suffix == ".npy":
        np.save(path, value, allow_pickle=pickled)
    elif hasattr(value, "keys"):
        np.savez(path, **value)
    elif isinstance(value, list | tuple):
        np.savez(path, *value)
    else:
        np.savez(path, value)
    return path


def metric(folder: Path, name: str, value, day=DAY, suffix=".npz") -> Path:
    """Save a metric, and beside it the day."""
    path = save(folder / f"{name}{suffix}", value)
    save(folder / f"{name}_date{suffix}", day)
    return path


def midnight(day: str) -> float:
    """Give the begin of a day here, in s since 1970."""
    return datetime.combine(date.fromisoformat(day), datetime.min.time()).timestamp()


@pytest.fixture
def cache(tmp_path):
    """A cache that is empty."""
    return nbcache.Cache(tmp_path / "store")


@pytest.fixture
def old(tmp_path):
    """A folder of metrics, as the user named it."""
    place = tmp_path / "results"
    place.mkdir()
    return place


def entries(cache):
    """The entries with all their metadata, by name."""
    store = cache.core.store
    found = [store.whole(entry) for entry in store.entries()]
    return sorted(found, key=lambda entry: entry.name)


def reasons(done) -> dict[str, str]:
    """Give by the name of the file why it was refused, in one line."""
    told = {os.path.basename(one.file): one.reason for one in done.refused}
    assert len(told) == len(done.refused)
    assert not any("\n" in reason for reason in told.values())
    return told


# --- what is taken


def test_a_metric_keeps_its_name_and_day(cache, old):
    """The day beside it is no entry; midnight, as it says no hour."""
    metric(old, "metric_1", np.arange(3))
    done = cache.import_legacy(old, KIND)
    assert (done.entries, str(done.refused)) == (1, "()")
    [entry] = entries(cache)
    assert (entry.kind, entry.name) == ("imported", "metric_1")
    assert entry.created == midnight(DAY)
    assert entry.origin == {
        "format": "metrics",
        "file": "metric_1.npz",
        "id": "metric_1",
    }
    for wanted in ("metric_1", entry.key):
        np.testing.assert_array_equal(cache.load(wanted)["value"], [0, 1, 2])


ARRAYS = [np.arange(3), np.array(2.5), np.array("text"), np.zeros((2, 0), "<f4")]
VALUES = {
    ".npz": [
        *ARRAYS,
        [np.array([n]) for n in range(12)],
        {"a": np.arange(2), "b": np.eye(2)},
        {"arr_0": np.ones(1), "other": np.ones(2)},
        {"arr_1": np.ones(1), "arr_2": np.ones(2)},
        {},
    ],
    ".npy": ARRAYS,
    ".json": [[1, 2.5, None], {"k": ["v"]}, "2019-01-01", 3, None, float("inf")],
}


@pytest.mark.parametrize("suffix", VALUES)
def test_values_are_what_their_storage_gave(cache, old, suffix):
    """Arrays, lists of them in the order of their numbers, dicts; any of JSON."""
    values = {f"of_{n}": value for n, value in enumerate(VALUES[suffix])}
    for name, value in values.items():
        metric(old, name, value, suffix=suffix)
    done = cache.import_legacy(old, KIND)
    assert (done.entries, reasons(done)) == (len(values), {})
    for name, value in values.items():
        found = cache.load(name)["value"]
        assert type(found) is type(value)
        assert getattr(found, "dtype", 0) == getattr(value, "dtype", 0)
        np.testing.assert_equal(found, value)


def test_what_a_file_does_not_tell_is_said_once(cache, old):
    """Numbers were stored as arrays; so were the elements of a list of numbers."""
    metric(old, "empty", [])
    metric(old, "number", 2.5)
    metric(old, "pair", [1, 2])
    done = cache.import_legacy(old, KIND)
    first, second = done.remarks
    assert first.endswith(
        "empty.npz: without an array: a list, tuple or dict that was empty"
    )
    assert second.endswith(
        "number.npz and 1 more: single values were stored as arrays without "
        "dimensions, and stay such"
    )
    assert cache.load("empty") == {"value": {}}
    assert cache.load("pair")["value"] == [np.array(1), np.array(2)]


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_name_that_is_no_text_is_refused(cache, old):
    """No listing could show it."""
    metric(old, os.fsdecode(b"caf\xe9"), 1.5)
    metric(old, "caf\u00e9", np.arange(2))
    done = cache.import_legacy(old, KIND)
    assert [one.name for one in done.results] == ["caf\u00e9"]
    assert "not UTF-8: rename it" in done.refused[0].reason
    assert list(cache.entries()["name"]) == ["caf\u00e9"]
    str(done).encode()


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".json"])
def test_a_metric_whose_name_ends_as_a_day_does_is_one(cache, old, suffix):
    """Even if its value is a date: it has a day of its own."""
    metric(old, "release_date", "2020-01-02", suffix=suffix)
    done = cache.import_legacy(old, KIND)
    assert ([one.name for one in done.results], reasons(done)) == (
        ["release_date"],
        {},
    )
    assert cache.load("release_date")["value"] == "2020-01-02"
    assert entries(cache)[0].created == midnight(DAY)


def test_a_metric_that_wrote_over_the_day_of_another_is_told(cache, old):
    """As nobody knows which of the two it is."""
    metric(old, "release", np.arange(2))
    metric(old, "release_date", "2020-01-02")
    done = cache.import_legacy(old, KIND)
    assert [one.name for one in done.results] == ["release", "release_date"]
    assert "also the date of 'release': the two wrote over each" in done.remarks[0]
    save(old / "release_date.npz", np.arange(4))
    done = cache.import_legacy(old, KIND)
    assert [one.name for one in done.results] == ["release_date"]
    assert reasons(done) == {
        "release.npz": "its date, release_date.npz: it holds no text"
    }


def test_the_last_of_a_day_is_loaded(cache, old):
    """Where the file is of the day beside it, its hour counts."""
    day = datetime.fromtimestamp(midnight(DAY))
    for hour, value in ((9, 1.5), (15, 2.5), (12, 3.5)):
        time = day.replace(hour=hour).timestamp()
        os.utime(metric(old, "m", value), (time, time))
        assert cache.import_legacy(old, KIND).entries == 1
    assert cache.load("m")["value"] == 2.5


def test_the_day_of_python_2_is_bytes(cache, old):
    """Its texts were."""
    metric(old, "m", np.arange(2), day=DAY.encode())
    assert cache.import_legacy(old, KIND).entries == 1
    assert entries(cache)[0].created == midnight(DAY)


def test_importing_twice_adds_nothing_twice(cache, old, tmp_path):
    """From another folder, with other times, neither; a later day is another result."""
    metric(old, "m", np.arange(2))
    metric(old, "n", [1, 2], suffix=".json")
    first = cache.import_legacy(old, KIND)
    for file in old.iterdir():
        os.utime(file, (1e9, 1e9))
    moved = old.rename(tmp_path / "moved")
    again = cache.import_legacy(moved, KIND)
    assert (again.entries, again.known) == (0, 2)
    assert [one.key for one in again.results] == [one.key for one in first.results]
    metric(moved, "m", np.arange(2), day="2019-05-05")
    assert cache.import_legacy(moved, KIND).entries == 1
    assert [one.created for one in entries(cache) if one.name == "m"] == [
        midnight("2019-05-05"),
        midnight(DAY),
    ]


# --- what else is in a folder


def test_files_of_all_packages_are_told_apart(cache, old):
    """In one folder, without a kind: by what is beside them."""
    number = run_of_1(old, "b", {"x": 1}, A=1)
    batch_of_2015(old, "c", [True], [{"x": 2}], ["cc"])
    call(old, "fn_1__0a1b2c", 3)
    place = old / "together"
    place.mkdir()
    for folder in ("_res", "_cache"):
        for file in (old / folder).glob("*.np?"):
            file.rename(place / file.name)
    np.save(place / "b_ids.npy", [number])
    np.savez(place / "plain.npz", np.arange(4))
    metric(place, "one", np.arange(4))
    metric(place, "three", [np.arange(2), np.arange(2), np.arange(2)])
    metric(place, "texts", np.array(["a", "b"]), suffix=".npy")
    metric(place, "of_json", {"k": 1}, suffix=".json")
    (place / "notes.json").write_text("{}")
    done = cache.import_legacy(place, allow_pickle=True)
    assert reasons(done) == {}
    assert {one.name: one.kind for one in done.results} == {
        **dict.fromkeys(("one", "three", "texts", "of_json"), "metrics"),
        **dict.fromkeys("bc", "batchpy"),
        **dict.fromkeys(("fn", "plain"), "numpy_caching"),
    }
    others = cache.import_legacy(place, "numpy_caching", allow_pickle=True)
    assert {one.name for one in others.results} == {"fn", "plain"}
    metrics = cache.import_legacy(place, KIND)
    assert (metrics.entries, metrics.known) == (0, 4)
    assert {"b_ids.npy", "plain.npz", "notes.json", "c.npz"} < set(reasons(metrics))


def test_metrics_beside_the_folders_of_other_packages_are_found(cache, old):
    """What else is there is none of them, and nobody asked for it."""
    call(old, "fn_1__0a1b2c", 3)
    metric(old, "m", np.arange(3))
    np.savez(old / "mine.npz", np.arange(3))
    done = cache.import_legacy(old, allow_pickle=True)
    assert [one.name for one in done.results] == ["fn", "m"]
    assert reasons(done) == {}


def test_a_file_without_a_day_is_refused_where_metrics_are_asked_for(cache, old):
    """Each with what is missing or wrong; the day of nothing as well."""
    save(old / "alone.npz", np.arange(3))
    save(old / "gone_date.npz", DAY)
    metric(old, "badly", np.arange(3), day="4 May 2019")
    metric(old, "never", np.arange(3), day="2019-02-30")
    metric(old, "joined", np.arange(3), day="20190504")
    metric(old, "last", [1], day="9999-12-31", suffix=".json")
    done = cache.import_legacy(old, KIND)
    assert done.results == ()
    told = reasons(done)
    assert told["alone.npz"] == (
        "not a metric: its date, alone_date.npz, is not beside it"
    )
    assert "gone_date_date.npz, is not beside it" in told["gone_date.npz"]
    assert told["badly.npz"] == (
        "its date, badly_date.npz: no date YYYY-MM-DD: '4 May 2019'"
    )
    assert told["badly_date.npz"].startswith("not a metric: not the date of 'badly'")
    assert told["never.npz"] == "its date, never_date.npz: no date: '2019-02-30'"
    assert {"joined.npz", "last.json"} < told.keys()
    with pytest.raises(ValueError, match="'metrics' or 'batchpy' or 'numpy_caching'"):
        cache.import_legacy(old, "metric")


def test_a_file_can_be_given_alone(cache, old):
    """The day is still beside it; that of another gives nothing."""
    path = metric(old, "m", np.arange(3))
    assert cache.import_legacy(old / "m_date.npz").results == ()
    assert cache.import_legacy(path).results[0].kind == "metrics"


# --- what cannot be taken


def test_bad_files_are_a_line_each_and_the_others_go_in(cache, old):
    """Damaged, truncated, empty, huge by its header, a pipe, a broken link."""
    for name in ("cut", "cut_day", "flipped", "good", "pipe_day", "large_day", "empty"):
        metric(old, name, np.arange(30))
    for name in ("text", "deep"):
        metric(old, name, [1, 2], suffix=".json")
    for name in ("huge", "pipe", "link", "folder"):
        metric(old, name, np.arange(30), suffix=".npy")
    for name in ("cut", "cut_day_date"):
        whole = (old / f"{name}.npz").read_bytes()
        (old / f"{name}.npz").write_bytes(whole[:-40])
    whole = bytearray((old / "flipped.npz").read_bytes())
    whole[whole.index(np.arange(30).tobytes()) + 9] ^= 1
    (old / "flipped.npz").write_bytes(whole)
    (old / "empty.npz").write_bytes(b"")
    (old / "text.json").write_text("[1, 2")
    (old / "deep.json").write_text("[" * 100_000)
    data = (old / "huge.npy").read_bytes()
    (old / "huge.npy").write_bytes(
        data.replace(b"(30,), }" + b" " * 12, b"(3" + b"0" * 13 + b",), }")
    )
    save(old / "large_day_date.npz", np.array("x" * 10**6))
    for name in ("pipe.npy", "pipe_day_date.npz"):
        (old / name).unlink()
        os.mkfifo(old / name)
    for name in ("link.npy", "folder.npy"):
        (old / name).unlink()
    (old / "link.npy").symlink_to("nowhere")
    (old / "folder.npy").mkdir()
    done = cache.import_legacy(old, KIND)
    assert [one.name for one in done.results] == ["good"]
    begins = {
        "cut.npz": "damaged or truncated: BadZipFile",
        "cut_day.npz": "its date, cut_day_date.npz: damaged or truncated",
        "deep.json": "damaged or truncated: RecursionError",
        "empty.npz": "damaged or truncated: it is empty",
        "flipped.npz": "damaged or truncated: BadZipFile: Bad CRC",
        "folder.npy": "not a regular file",
        "huge.npy": "damaged or truncated: ",
        "large_day.npz": "its date, large_day_date.npz: it holds more than a date",
        "large_day_date.npz": "not a metric: not the date of 'large_day'",
        "link.npy": "not a regular file",
        "pipe.npy": "not a regular file",
        "pipe_day.npz": "its date, pipe_day_date.npz: not a regular file",
        "text.json": "damaged or truncated: JSONDecodeError",
    }
    told = reasons(done)
    assert told.keys() == begins.keys()
    assert [name for name in told if not told[name].startswith(begins[name])] == []
    assert done.exit_code == 1


def test_an_unreadable_file_stops_no_other(cache, old):
    """Nor does an unreadable day."""
    metric(old, "closed", 1.5).chmod(0)
    metric(old, "day", 1.5)
    (old / "day_date.npz").chmod(0)
    if os.access(old / "closed.npz", os.R_OK):
        pytest.skip("nothing is unreadable to root")
    metric(old, "good", 1.5)
    done = cache.import_legacy(old, KIND)
    assert [one.name for one in done.results] == ["good"]
    assert all("PermissionError" in reason for reason in reasons(done).values())


def test_a_link_to_a_file_elsewhere_is_taken(cache, old, tmp_path):
    """As people keep large metrics on another disk."""
    elsewhere = metric(old, "m", np.arange(3)).rename(tmp_path / "far.npz")
    (old / "m.npz").symlink_to(elsewhere)
    assert cache.import_legacy(old, KIND).results[0].name == "m"


def test_an_empty_folder_has_nothing(cache, old):
    """And the store is not even made."""
    with pytest.raises(NothingToImport, match="no file of metrics is in"):
        cache.import_legacy(old, KIND)
    assert not cache.directory.exists()


# --- pickles


def test_pickled_values_need_the_flag_and_days_are_never_unpickled(
    cache, old, tmp_path
):
    """What would run stays where it is."""
    trap = tmp_path / "trap"
    metric(old, "bad", {"x": np.array(Hostile(trap), dtype=object)})
    metric(old, "day", np.arange(2), day=np.array(Hostile(trap), dtype=object))
    done = cache.import_legacy(old, KIND)
    assert reasons(done)["bad.npz"].startswith("a metric, pickled: unpickling can run")
    (old / "bad.npz").unlink()
    done = cache.import_legacy(old, KIND, allow_pickle=True)
    assert reasons(done)["day.npz"] == "its date, day_date.npz: it holds no text"
    assert not trap.exists()


def test_pickled_values_are_what_they_were(cache, old):
    """With the flag: arrays of objects, as the package gave them."""
    metric(old, "nested", {"a": {"b": 1}})
    assert cache.import_legacy(old, KIND, allow_pickle=True)
    found = cache.load("nested")["value"]["a"]
    assert (found.dtype, found.item()) == (np.dtype(object), {"b": 1})


# --- the command


def test_the_command_tells_and_imports_them(old, tmp_path):
    """Dry, then in earnest, then loaded by a process that has neither."""
    metric(old, "metric_1", np.arange(3))
    save(old / "alone.npz", 1.5)

    def run(*arguments: str):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment(tmp_path, JUPYTER_DATA_DIR=str(tmp_path / "jupyter")),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    command = ("-m", "nbcache", "import-legacy", "--kind", "metrics", "results")
    dry = run(*command, "--dry-run")
    assert dry.returncode == 1
    assert dry.stdout == (
        "would import 1 entry as 'metric_1' (of metrics)\n"
        "refused  results/alone.npz: not a metric: its date, alone_date.npz, is not "
        "beside it\n"
    )
    assert not (tmp_path / ".nbcache").exists()
    (old / "alone.npz").unlink()
    assert run(*command).returncode == 0
    loaded = run("-c", "import nbcache; print(nbcache.load('metric_1')['value'])")
    assert loaded.stdout == "[0 1 2]\n"
    told = run("-m", "nbcache", "info", "metric_1").stdout
    assert "  imported  of metrics, 'metric_1' in metric_1.npz" in told
    assert f"  created   {DAY} 00:00" in told
