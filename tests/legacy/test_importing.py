"""`Cache.import_legacy`: the results of batchpy and numpy_caching as entries."""

from __future__ import annotations

import io
import os
import pickle
import sys
import zipfile
from types import ModuleType

import numpy as np
import pytest
from legacy.originals import Hostile, batch_of_2015, call, run_of_1
from trust.forging import STRANGER, resealed

import nbcache
from nbcache.batch.parameters import read_parameters
from nbcache.errors import NotCached, UnknownName, UntrustedEntry
from nbcache.legacy.importing import NothingToImport
from nbcache.legacy.numpy_caching import function_name

OLD = 1_440_000_000  # August 2015


@pytest.fixture
def cache(tmp_path):
    """A cache that is empty."""
    return nbcache.Cache(tmp_path / "store")


@pytest.fixture
def old(tmp_path):
    """A folder for files of earlier packages."""
    place = tmp_path / "old"
    place.mkdir()
    return place


def taken(cache, path, **more):
    """Import with pickles; all must go in."""
    done = cache.import_legacy(path, allow_pickle=True, **more)
    assert done, str(done)
    return done


def entries(cache):
    """The entries with all their metadata, oldest import first."""
    store = cache.core.store
    return [store.whole(entry) for entry in store.entries()]


# --- batchpy


def test_runs_of_batchpy_1_keep_id_parameters_runtime_and_time(cache, old):
    """Everything a reader of runs asks for stands in the entry."""
    number = run_of_1(old, "my_batch", {"val": np.arange(3)}, A=3, C="rms")
    file = old / "_res" / f"my_batch_{number}.npy"
    os.utime(file, (OLD, OLD))
    done = taken(cache, old)
    [entry] = entries(cache)
    assert (entry.kind, entry.name, entry.seconds) == ("imported", "my_batch", 1.5)
    assert entry.created == OLD
    run = entry.state["run"]
    assert (run["id"], run["batch"]) == (number, "my_batch")
    assert read_parameters(run["parameters"]) == {"A": 3, "C": "rms"}
    assert [(one.name, one.id, one.key) for one in done.results] == [
        ("my_batch", number, entry.key)
    ]
    value = cache.load(number)["value"]
    assert list(value) == ["val"]
    np.testing.assert_array_equal(value["val"], [0, 1, 2])
    assert cache.load("my_batch").keys() == cache.load(entry.key).keys() == {"value"}


def test_the_first_files_of_batchpy_1_had_no_parameters(cache, old):
    """Nor a runtime; the id is in the name as well."""
    (old / "_res").mkdir()
    number = "10ae24979c5028fa873651bca338152dc0484245"
    np.save(old / "_res" / f"a_b_{number}.npy", {"res": {"val": 10}})
    taken(cache, old)
    [entry] = entries(cache)
    assert (entry.name, entry.seconds) == ("a_b", 0.0)
    assert entry.state["run"] == {"id": number, "batch": "a_b", "parameters": []}
    assert cache.load(number) == {"value": {"val": 10}}


def test_batches_of_2015_become_a_run_each(cache, old):
    """Those that are done; `arr_0` to `arr_2` are flags, results, ids."""
    results = [{"result_1": 0}, {"result_1": 10}, {}]
    batch_of_2015(old, "my_batch", [True, True, False], results, ["aa", "bb", "cc"])
    done = taken(cache, old / "_res")
    assert (done.entries, done.unfinished) == (2, 1)
    assert cache.load("bb") == {"value": {"result_1": 10}}
    runs = {entry.state["run"]["id"]: entry.state["run"] for entry in entries(cache)}
    assert runs["aa"] == {"id": "aa", "batch": "my_batch", "parameters": []}
    with pytest.raises(NotCached):
        cache.load("cc")


def test_a_batch_of_2015_that_grew_adds_only_the_new_runs(cache, old):
    """The file is another one, the earlier runs are what they were."""
    batch_of_2015(old, "b", [True], [{"x": np.ones(3)}], ["aa"])
    taken(cache, old)
    batch_of_2015(old, "b", [True, True], [{"x": np.ones(3)}, {"x": 2}], ["aa", "bb"])
    done = taken(cache, old)
    assert (done.entries, done.known) == (1, 1)
    assert len(entries(cache)) == 2


def test_positions_as_ids_of_several_batches_do_not_stand_for_each_other(cache, old):
    """Without ids of their own, runs of 2015 had their place."""
    batch_of_2015(old, "one", [True], [{"x": 1}], [0])
    batch_of_2015(old, "two", [True], [{"x": 2}], [0])
    taken(cache, old)
    with pytest.raises(NotCached, match="'0': one, two"):
        cache.load("0")
    assert cache.load("two") == {"value": {"x": 2}}


def test_a_batch_without_pickles_needs_no_flag(cache, old):
    """Results that are numbers make a plain array."""
    batch_of_2015(old, "plain", [True, True], [1.5, 2.5], ["aa", "bb"])
    assert cache.import_legacy(old)
    assert cache.load("bb") == {"value": np.float64(2.5)}


def test_bytes_of_python_2_are_ids_as_text(cache, old):
    """Its strings were bytes."""
    batch_of_2015(old, "b", [True], [1.5], [b"aa"])
    assert cache.import_legacy(old)
    assert cache.load("aa") == {"value": 1.5}


def test_lists_of_ids_are_no_results(cache, old):
    """Neither under the name that batchpy gave them nor under another one."""
    number = run_of_1(old, "b", {"x": 1}, A=1)
    np.save(old / "_res" / "b_ids.npy", [number])
    np.save(old / "_res" / "chosen.npy", [number])
    (old / "_res" / "b_ids.py").write_text(f"ids = [{number!r}]\n")
    assert len(taken(cache, old).results) == 1


# --- numpy_caching


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("fn_35_HelloWorld_y_123_0a1b2c", "fn"),
        ("fit_model_10__0a1b2c", "fit_model"),
        ("fit_model_True_None__0a1b2c", "fit_model"),
        ("fit___0a1b2c", "fit"),
        ("_inner_3__0a1b2c", "_inner"),
        ("step2_01234__0a1b2c", "step2"),
        ("5d41402abc4b2a76b9719d911017c592", "5d41402abc4b2a76b9719d911017c592"),
        ("0a1b2c", "0a1b2c"),
    ],
)
def test_names_are_functions_where_the_file_tells_them(stem, name):
    """What a user would type."""
    assert function_name(stem) == name


VALUES = [
    *(None, 23, 2.5, "txt", np.arange(5), (np.arange(5), np.arange(6))),
    *((23, ({1: 2, 4: 3}, np.eye(3))), [1, [2]], {1: 2}, np.float32(3)),
]


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("value", VALUES, ids=[str(n) for n in range(len(VALUES))])
def test_results_of_numpy_caching_keep_type_and_structure(cache, old, value, compress):
    """Loaded by the function, by the old file name, by the key."""
    call(old, "fn_35__0a1b2c", value, compress)
    [one] = taken(cache, old).results
    for wanted in ("fn", "fn_35__0a1b2c", one.key):
        found = cache.load(wanted)["value"]
        assert type(found) is type(value)
        np.testing.assert_equal(found, value)
    [entry] = entries(cache)
    assert (entry.kind, entry.pickled) == ("imported", [])


def test_plain_arrays_of_its_first_version_need_no_flag(cache, old):
    """They were saved as they are."""
    (old / "_cache").mkdir()
    np.savez(old / "_cache" / "0123.npz", np.arange(4))
    assert cache.import_legacy(old)
    np.testing.assert_array_equal(cache.load("0123")["value"], np.arange(4))


# --- both


def test_a_folder_that_holds_both_is_read_by_what_its_files_are(cache, old):
    """All together in one, or in the folders that the packages made."""
    number = run_of_1(old, "b", {"x": 1}, A=1)
    batch_of_2015(old, "c", [True], [{"x": 2}], ["cc"])
    path = call(old, "fn_1__0a1b2c", 3)
    assert len(taken(cache, old).results) == 3
    path.rename(old / "_res" / path.name)
    done = taken(cache, old / "_res")
    assert (done.entries, done.known) == (0, 3)
    kinds = {entry.origin["id"]: entry.origin["format"] for entry in entries(cache)}
    assert kinds == {
        number: "batchpy",
        "cc": "batchpy",
        "fn_1__0a1b2c": "numpy_caching",
    }


def test_a_kind_leaves_the_others_aside(cache, old):
    """Without a line for them, as nobody asked for them."""
    run_of_1(old, "b", {"x": 1}, A=1)
    path = call(old, "fn_1__0a1b2c", 3)
    path.rename(old / "_res" / path.name)
    done = taken(cache, old / "_res", kind="numpy_caching")
    assert [one.name for one in done.results] == ["fn"]
    with pytest.raises(ValueError, match="'batchpy' or 'numpy_caching', not 'dman'"):
        cache.import_legacy(old, "dman")


def test_nothing_to_import_is_said(cache, old):
    """An empty folder, and one that is not there."""
    with pytest.raises(NothingToImport, match="no file of metrics, batchpy or"):
        cache.import_legacy(old)
    with pytest.raises(FileNotFoundError):
        cache.import_legacy(old / "nowhere")
    assert not cache.directory.exists()


def test_importing_twice_adds_nothing_twice(cache, old, tmp_path):
    """In a copy of the folder, with other times, neither."""
    run_of_1(old, "b", {"x": {3, 1}}, A=1)
    call(old, "fn_1__0a1b2c", {"frozen": frozenset("abc")})
    first = taken(cache, old)
    for file in (old / "_res").iterdir():
        os.utime(file, (OLD, OLD))
    old.rename(tmp_path / "moved")
    again = taken(cache, tmp_path / "moved")
    assert (again.entries, again.known) == (0, 2)
    assert [one.key for one in again.results] == [one.key for one in first.results]
    assert "2 entries there already" in str(again)
    assert len(entries(cache)) == 2


def test_an_entry_that_was_damaged_is_imported_again(cache, old):
    """It is not there already."""
    call(old, "fn_1__0a1b2c", 3)
    taken(cache, old)
    [path] = cache.core.store.place.files().values()
    path.write_bytes(path.read_bytes()[:-3])
    assert taken(cache, old).entries == 1
    assert cache.load("fn") == {"value": 3}


def test_a_dry_run_writes_nothing(cache, old):
    """And says the same."""
    call(old, "fn_1__0a1b2c", 3)
    done = taken(cache, old, dry_run=True)
    assert str(done) == "would import 1 entry as 'fn' (of numpy_caching)"
    assert not cache.directory.exists()
    assert [one.key for one in taken(cache, old).results] == [
        one.key for one in done.results
    ]


# --- pickles


def test_without_the_flag_nothing_is_unpickled(cache, old, tmp_path):
    """In none of the forms; each file is one line, which says what to give."""
    trap = tmp_path / "trap"
    number = run_of_1(old, "b", {"x": Hostile(trap)}, A=1)
    batch_of_2015(old, "c", [True], [{"x": Hostile(trap)}], ["cc"])
    call(old, "fn_1__0a1b2c", Hostile(trap))
    done = cache.import_legacy(old)
    assert not trap.exists()
    assert not done
    assert done.results == ()
    told = {os.path.basename(one.file): one.reason for one in done.refused}
    assert told.keys() == {f"b_{number}.npy", "c.npz", "fn_1__0a1b2c.npz"}
    for reason, what in zip(
        told.values(), ("a run of batchpy", "a batch of", "a result of"), strict=True
    ):
        assert reason.startswith(what)
        assert "unpickling can run code" in reason
        assert "--allow-pickle" in reason
        assert "\n" not in reason
    cache.import_legacy(old, allow_pickle=True)
    assert trap.exists()  # the trap works


def test_objects_in_fields_of_a_plain_looking_array_are_pickled_too(
    cache, old, tmp_path
):
    """The whole type of the array counts."""
    (old / "_cache").mkdir()
    array = np.zeros(1, [("a", "f8"), ("b", "O")])
    array["b"][0] = Hostile(tmp_path / "trap")
    np.savez(old / "_cache" / "x.npz", array)
    assert not cache.import_legacy(old)
    assert not (tmp_path / "trap").exists()


def test_what_is_no_file_of_numpy_is_never_unpickled(cache, old, tmp_path):
    """A bare pickle under such a name: `numpy.load` would take it."""
    (old / "_cache").mkdir()
    data = pickle.dumps({0: Hostile(tmp_path / "trap")})
    (old / "_cache" / "x.npz").write_bytes(data)
    done = cache.import_legacy(old, allow_pickle=True)
    assert "no file that numpy wrote" in done.refused[0].reason
    assert not (tmp_path / "trap").exists()


def test_pickled_parts_are_signed_and_load_again(cache, old, monkeypatch):
    """What only pickle keeps is this user's from now on."""
    module = ModuleType("of_old")
    exec("class Model:\n    def __init__(self, n): self.n = n", vars(module))
    module.Model.__module__ = "of_old"
    module.Model.__reduce__ = lambda self: (type(self), (self.n,))
    monkeypatch.setitem(sys.modules, "of_old", module)
    call(old, "fit_1__0a1b2c", [module.Model(3), 1.5])
    taken(cache, old)
    [model, number] = cache.load("fit")["value"]
    assert (type(model), model.n, number) == (module.Model, 3, 1.5)


def test_what_a_script_defined_is_asked_for(cache, old, monkeypatch):
    """Its class is not here: one line says where to import, the others go in."""
    main = sys.modules["__main__"]

    class Gone:
        pass

    Gone.__module__, Gone.__qualname__ = "__main__", "Gone"
    monkeypatch.setattr(main, "Gone", Gone, raising=False)
    call(old, "fit_1__0a1b2c", Gone())
    call(old, "fit_2__0a1b2d", 2)
    monkeypatch.delattr(main, "Gone")
    done = cache.import_legacy(old, allow_pickle=True)
    assert "define that again" in done.refused[0].reason
    assert cache.load("fit") == {"value": 2}


def of_python_2(shape, code, flags, data):
    """Pickle an array as Python 2 did; all parts are pickled already."""
    made = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n"
    made += b"K\x00\x85" + b"U\x01b" + b"\x87R"
    dtype = b"cnumpy\ndtype\n" + code + b"K\x00K\x01\x87R"
    dtype += b"(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff" + flags + b"tb"
    return made + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


def test_arrays_that_python_2_pickled_are_read(cache, old):
    """Its pickles hold the bytes of arrays as strings; one line says it."""
    numbers = of_python_2(b"K\x02\x85", b"U\x02u1", b"K\x00", b"U\x02\xff\x07")
    pickled = of_python_2(b")", b"U\x02O8", b"K\x3f", b"]}K\x00" + numbers + b"sa")
    member = io.BytesIO()
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    np.lib.format.write_array_header_1_0(member, header)
    member.write(b"\x80\x02" + pickled + b".")
    (old / "_cache").mkdir()
    with zipfile.ZipFile(old / "_cache" / "two.npz", "w") as packed:
        packed.writestr("arr_0.npy", member.getvalue())
    done = taken(cache, old)
    np.testing.assert_array_equal(cache.load("two")["value"], np.array([255, 7], "u1"))
    assert "Python 2" in done.remarks[0]


# --- what cannot be taken


def test_bad_files_are_a_line_each_and_the_others_go_in(cache, old):
    """Damaged, truncated, empty, foreign, a folder, a pipe."""
    run_of_1(old, "good", {"x": 1}, A=1)
    number = run_of_1(old, "cut", {"x": list(range(99))}, A=2)
    place = old / "_res"
    whole = (place / f"cut_{number}.npy").read_bytes()
    (place / f"cut_{number}.npy").write_bytes(whole[:-20])
    (place / "empty.npy").touch()
    (place / "text.npy").write_text("nothing of numpy's")
    (place / "folder.npz").mkdir()
    os.mkfifo(place / "pipe.npy")
    np.save(place / "mine.npy", np.arange(3))
    np.save(place / "other.npy", {"not": "a run"})
    np.savez(place / "named.npz", x=1)
    batch_of_2015(old, "uneven", [True], [{"x": 1}], ["aa", "bb"])
    (place / "uneven2.npz").write_bytes((place / "uneven.npz").read_bytes()[:-30])
    done = cache.import_legacy(old, allow_pickle=True)
    assert [one.name for one in done.results] == ["good"]
    told = {os.path.basename(one.file): one.reason for one in done.refused}
    assert {name: reason.partition(":")[0] for name, reason in told.items()} == {
        f"cut_{number}.npy": "it cannot be unpickled, it may be damaged",
        "empty.npy": "damaged or truncated",
        "text.npy": "no file that numpy wrote, or a damaged one",
        "folder.npz": "not a regular file",
        "pipe.npy": "not a regular file",
        "mine.npy": "no result of metrics, batchpy or numpy_caching",
        "other.npy": "not a run of batchpy",
        "named.npz": "no result of metrics, batchpy or numpy_caching",
        "uneven.npz": "not a batch of batchpy, or damaged",
        "uneven2.npz": "damaged or truncated",
    }
    assert all(len(reason.splitlines()) == 1 for reason in told.values())
    assert done.exit_code == 1


def test_no_flipped_bit_of_a_zip_gives_another_value(cache, old):
    """Checksums are compared to the end, where no pickle would read."""
    path = call(
        old, "fn_1__0a1b2c", b"a text that pickle does not check", compress=False
    )
    whole = path.read_bytes()
    start = whole.index(b"a text that")
    for place in range(start, start + 20):
        broken = bytearray(whole)
        broken[place] ^= 1
        path.write_bytes(broken)
        done = cache.import_legacy(old, allow_pickle=True)
        assert "damaged or truncated" in done.refused[0].reason
    path.write_bytes(whole)
    taken(cache, old)


def test_a_value_that_cannot_be_stored_is_a_line(cache, old, monkeypatch):
    """The other runs of its file go in."""
    module = ModuleType("of_old")
    exec(
        "import threading\n"
        "class Held:\n"
        "    def __reduce__(self): return make, ()\n"
        "def make():\n"
        "    held = Held(); held.lock = threading.Lock(); return held\n",
        vars(module),
    )
    monkeypatch.setitem(sys.modules, "of_old", module)
    for name in ("Held", "make"):
        getattr(module, name).__module__ = "of_old"
    results = [{"x": module.make()}, {"x": 2}]
    batch_of_2015(old, "b", [True, True], results, ["aa", "bb"])
    del module.Held.__reduce__
    done = cache.import_legacy(old, allow_pickle=True)
    [refused] = done.refused
    assert "run aa" in refused.file
    assert "cannot pickle '_thread.lock' object" in refused.reason
    assert cache.load("bb") == {"value": {"x": 2}}


def test_objects_that_do_as_they_like_stop_no_other_file(cache, old, monkeypatch):
    """An id that cannot even be shown."""
    module = ModuleType("of_old")
    exec(
        "class Odd:\n    def __str__(self): raise RuntimeError('not me\\nagain')",
        vars(module),
    )
    module.Odd.__module__ = "of_old"
    monkeypatch.setitem(sys.modules, "of_old", module)
    (old / "_res").mkdir()
    np.save(old / "_res" / "a_1.npy", {"res": 1, "id": module.Odd()})
    run_of_1(old, "b", {"x": 1}, A=1)
    done = cache.import_legacy(old, allow_pickle=True)
    [refused] = done.refused
    assert refused.reason == "it cannot be read: RuntimeError: not me again"
    assert [one.name for one in done.results] == ["b"]


# --- beside what is computed


def test_imported_entries_are_current_and_nothing_takes_them_for_computed(cache, old):
    """Neither a listing, nor a function of that name, nor what tells why it ran."""
    call(old, "fit_1__0a1b2c", 1)
    call(old, "fit_2__0a1b2d", 2)
    taken(cache, old)

    @cache.cached(name="fit")
    def fit(x):
        return x

    assert fit(5) == 5
    assert nbcache.last().reason == "new"
    assert fit.cache_info().currsize == 1
    assert fit.clear() == 1
    table = cache.entries()
    assert list(table["kind"]) == ["imported", "imported"]
    assert list(table["state"]) == ["current", "current"]
    assert cache.clear(stale=True) == 0
    assert "fit ran" in cache.explain("fit")


def test_explain_says_where_it_came_from(cache, old):
    """Nothing was ever asked for under that name."""
    call(old, "fit_1__0a1b2c", 1)
    taken(cache, old)
    told = cache.explain("fit")
    assert told.startswith(
        "fit was imported: of numpy_caching, 'fit_1__0a1b2c' in fit_"
    )


def test_room_and_gc_leave_them_alone(tmp_path, old):
    """They are old and cost nothing, and yet nothing here could compute them again."""
    cache = nbcache.Cache(tmp_path / "small", max_size="200kB")
    path = call(old, "fit_1__0a1b2c", np.random.default_rng(1).bytes(150_000))
    os.utime(path, (OLD, OLD))
    assert "imported entries are never evicted" not in str(taken(cache, old))

    @cache.cached
    def other(n):
        return np.random.default_rng(n).bytes(60_000)

    for n in range(4):
        other(n)
    done = cache.gc(max_age="30d", max_size="1kB", keep=1)
    assert "fit" not in {entry.name for entry, _ in done.gone}
    assert len(cache.load("fit")["value"]) == 150_000


def test_they_are_cleared_pinned_and_exported_as_others(cache, old, tmp_path):
    """By name, and by the id that they had."""
    number = run_of_1(old, "b", {"x": 1}, A=1)
    call(old, "fit_1__0a1b2c", 2)
    taken(cache, old)
    cache.export(tmp_path / "out", number)
    other = nbcache.Cache(tmp_path / "other")
    assert other.import_(tmp_path / "out").entries == 1
    assert other.load(number) == {"value": {"x": 1}}
    assert cache.pin("fit") == ["fit"]
    assert cache.clear(number) == 1
    with pytest.raises(UnknownName):
        cache.clear(number)
    assert cache.load("fit") == {"value": 2}


def test_there_is_nothing_to_compute_again_or_adopt(cache, old):
    """Each says so in a line."""
    from nbcache import adoption
    from nbcache.decorator.recompute import recompute_call

    call(old, "fit_1__0a1b2c", 2)
    taken(cache, old)
    [entry] = cache.core.store.entries()
    with pytest.raises(NotCached, match="'fit' was imported: there is no code"):
        recompute_call(cache.core, entry)
    with pytest.raises(UnknownName):
        adoption.propose(cache.core, "fit")


def test_a_result_of_a_kept_secret_is_not_told(cache, old):
    """Parameters are kept as those of any run."""
    run_of_1(old, "b", {"x": 1}, A=1, api_token="hunter2")
    taken(cache, old)
    [entry] = entries(cache)
    assert "hunter2" not in str(entry.to_json())
    assert read_parameters(entry.state["run"]["parameters"]) == {
        "A": 1,
        "api_token": "",
    }


def test_too_much_for_the_store_is_said(tmp_path, old):
    """As all that is computed later will have to go."""
    cache = nbcache.Cache(tmp_path / "small", max_size="10kB")
    call(old, "fit_1__0a1b2c", np.random.default_rng(1).bytes(50_000))
    done = taken(cache, old)
    assert "more than max_size (10.0 kB)" in str(done)
    assert len(cache.load("fit")["value"]) == 50_000


def test_plain_data_that_a_colleague_imported_can_be_used_as_data(cache, old):
    """Where an entry came from changes nothing where it is loaded."""
    call(old, "fit_1__0a1b2c", {"a": np.arange(3)})
    taken(cache, old)
    [path] = cache.core.store.place.files().values()
    path.write_bytes(resealed(path.read_bytes(), STRANGER))
    other = nbcache.Cache(cache.directory, trust="data")
    np.testing.assert_array_equal(other.load("fit")["value"]["a"], np.arange(3))
    with pytest.raises(UntrustedEntry):
        nbcache.Cache(cache.directory, trust="mine").load("fit")
