"""Storages of plain files: names, metadata, writers that meet or die, bad disks."""

from __future__ import annotations

import datetime
import json
import os
import pickle
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbcache import FileStorage, JsonStorage, NotCached, NpyStorage, NpzStorage
from nbcache.errors import DamagedEntry
from nbcache.storage.files_names import decoded, encoded, is_cut

ODD = ["CON", "con.x", "a.meta", ".META", "x.META", ".", "..", " ", "a ", "~", "a/../b"]


@pytest.fixture
def storage(tmp_path) -> JsonStorage:
    """Give a storage whose files are easily read."""
    return JsonStorage(tmp_path / "folder")


def litter(folder):
    """Give the files that are neither values nor metadata, and held locks."""
    hidden = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    locks = list((folder / ".locks").glob("*"))
    return sorted({*hidden} - {".locks"}), locks


# ------------------------------------------------------------ names


@given(
    st.text(st.characters(), min_size=1, max_size=140)
    | st.text("aA.~%/ \\:é", min_size=1, max_size=120)
    | st.sampled_from(ODD)
)
def test_file_names_are_portable_and_tell_their_name(name):
    """Of those that were cut, the metadata tell it."""
    text = encoded(name)
    assert len(text) <= 100
    assert text.isascii()
    assert not set(text) & set('/\\:*?"<>|~' if not is_cut(text) else '/\\:*?"<>|')
    assert all(character.isprintable() for character in text)
    assert not text.startswith(".")
    assert not text.endswith((".", " "))
    assert not text.casefold().endswith(".meta")
    assert decoded(text) == (text if is_cut(text) else name)
    assert encoded(decoded(text)) == text


def test_names_stay_readable(storage):
    """As a metric is called."""
    assert storage.path("f(1, b=2)").name == "f(1, b=2).json"
    assert storage.path("f(x='a/b')").name == "f(x='a%2Fb').json"
    assert storage.path("NUL").name == "%4EUL.json"
    with pytest.raises(ValueError, match="one character"):
        storage.path("")
    with pytest.raises(TypeError, match="str, not int"):
        storage.path(3)


def test_suffixes_that_give_other_files_are_refused(tmp_path):
    """With what one looks like."""
    for suffix in ("", "npz", ".a/b", ".meta.json", ".x.META.JSON", "."):
        with pytest.raises(ValueError, match=r"suffix|metadata"):
            FileStorage(tmp_path, suffix)


def test_foreign_files_are_not_listed(storage):
    """Nor temporary ones, metadata, or names that nothing here gives."""
    storage.save("a", 1)
    storage.save("b.meta", 2)
    long = "x" * 200
    storage.save(long, 3)
    for name in ("a@b!.json", ".x.json", "%41.json", "é.json", ".json", "c.txt"):
        (storage.folder / name).write_text("1")
    (storage.folder / "mine.json").write_text("1")
    assert storage.list() == ["a", "b.meta", "mine", long]
    assert storage.load("mine") == 1
    assert storage.date("mine") is not None


def test_a_cut_name_without_metadata_is_its_file_name(storage):
    """Under which it can be had."""
    storage.save("x" * 200, 3)
    (meta,) = storage.folder.glob("*.meta.json")
    meta.unlink()
    (name,) = storage.list()
    assert name == storage.path("x" * 200).stem
    assert storage.load(name) == storage.load("x" * 200) == 3
    storage.save("x" * 200, 4)
    assert storage.list() == ["x" * 200]
    assert not storage.exists(name)


def test_a_file_system_that_takes_a_for_A_gives_no_other_value(storage):
    """Nor is the other value lost."""
    storage.save("a", 1)
    for suffix in (".json", ".meta.json"):
        os.link(storage.folder / f"a{suffix}", storage.folder / f"A{suffix}")
    assert not storage.exists("A")
    assert storage.meta("A") is None
    assert storage.date("A") is None
    assert not storage.delete("A")
    with pytest.raises(NotCached, match=r"is of another name, says A\.meta\.json"):
        storage.load("A")
    with pytest.raises(FileExistsError, match="'A' cannot be stored beside 'a'"):
        storage.save("A", 2)
    assert storage.load("a") == 1
    assert storage.list() == ["a"]


# ------------------------------------------------------------ metadata


def test_metadata_stand_beside_the_value_and_can_be_read(storage):
    """One document for all storages of a folder, with sections by suffix."""
    before = datetime.datetime.now().replace(microsecond=0)
    stored = storage.put("f(é)", [1], {"key": "ab" * 16, "needs": {"g": "1"}})
    NpyStorage(storage.folder).save("f(é)", np.arange(3))
    assert storage.meta("f(é)") == stored
    assert {"key": "ab" * 16, "needs": {"g": "1"}}.items() <= stored.items()
    assert before <= storage.date("f(é)") <= datetime.datetime.now()
    document = json.loads((storage.folder / "f(%C3%A9).meta.json").read_text())
    assert document["name"] == "f(é)"
    assert document["files"].keys() == {".json", ".npy"}
    storage.delete("f(é)")
    assert NpyStorage(storage.folder).meta("f(é)") is not None
    NpyStorage(storage.folder).delete("f(é)")
    assert list(storage.folder.iterdir()) == [storage.folder / ".locks"]


def test_a_given_date_is_kept(storage):
    """As an import or a rename gives it; what is told of the file is not."""
    given_ = {"date": "2020-01-02T03:04:05", "bytes": -1}
    assert storage.put("a", 1, given_)["bytes"] > 0
    assert storage.date("a") == datetime.datetime(2020, 1, 2, 3, 4, 5)


def test_a_value_replaced_by_hand_has_no_metadata(storage):
    """But is there, with its own date."""
    storage.put("a", [1], {"key": "x"})
    storage.path("a").write_text("[2]")
    os.utime(storage.path("a"), (1e9, 1e9))
    assert storage.meta("a") is None
    assert storage.load("a") == [2]
    assert storage.date("a") == datetime.datetime.fromtimestamp(1e9)


def test_a_copied_folder_has_its_metadata(storage, tmp_path):
    """Although the files have other times there."""
    storage.put("a", [1], {"key": "x"})
    shutil.copytree(storage.folder, tmp_path / "copy", copy_function=shutil.copyfile)
    assert JsonStorage(tmp_path / "copy").meta("a")["key"] == "x"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", '{"format": 2}', "[" * 100_000, "\udcff", '{"format": 1}'],
)
def test_damaged_metadata_are_none(storage, text):
    """The value is there all the same; the next write makes them anew."""
    storage.put("a", [1], {"key": "x"})
    place = storage.folder / "a.meta.json"
    place.write_bytes(text.encode(errors="surrogateescape"))
    assert storage.meta("a") is None
    assert storage.load("a") == [1]
    assert storage.list() == ["a"]
    storage.put("a", [1], {"key": "y"})
    assert storage.meta("a")["key"] == "y"


def test_metadata_that_are_no_plain_data_are_refused(storage):
    """And nothing is written."""
    storage.put("a", [1], {"key": "x"})
    with pytest.raises(TypeError):
        storage.put("a", [2], {"key": {3}})
    assert storage.load("a") == [1]
    assert storage.meta("a")["key"] == "x"
    assert litter(storage.folder) == ([], [])


def test_rename_takes_the_metadata_along(storage):
    """With the date; refused where the new name is taken."""
    stored = storage.put("a", [1], {"key": "x", "date": "2020-01-02T03:04:05"})
    storage.save("b", [2])
    NpyStorage(storage.folder).save("a", np.ones(1))
    with pytest.raises(FileExistsError, match="'b' is stored already"):
        storage.rename("a", "b")
    with pytest.raises(NotCached, match="'zzz'"):
        storage.rename("zzz", "c")
    storage.rename("a", "c")
    assert storage.meta("c") == stored
    assert storage.list() == ["b", "c"]
    storage.rename("c", "d/e", {"key": "z"})
    assert storage.meta("d/e")["key"] == "z"
    assert storage.date("d/e") == datetime.datetime(2020, 1, 2, 3, 4, 5)
    assert NpyStorage(storage.folder).meta("a") is not None
    assert litter(storage.folder) == ([], [])


# ------------------------------------------------------------ the storage itself


def test_nothing_is_made_before_the_first_write(storage):
    """Asking makes no folder."""
    assert not storage.exists("a")
    assert not storage.delete("a")
    assert storage.list() == []
    assert storage.date("a") is None
    assert storage.meta("a") is None
    with pytest.raises(NotCached, match=r"folder/a\.json"):
        storage.load("a")
    assert not storage.folder.exists()


def test_a_storage_stays_where_it_was_made(tmp_path, monkeypatch):
    """In another working directory, and in another process."""
    monkeypatch.chdir(tmp_path)
    storage = NpzStorage("there", compress=True, list_limit=2)
    monkeypatch.chdir("/")
    storage.save("a", None)
    assert (tmp_path / "there" / "a.npz").exists()
    assert storage.given == "there"
    assert repr(storage) == "NpzStorage('there')"
    code = "import pickle, sys; s = pickle.load(sys.stdin.buffer); print(s.load('a'))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(storage),
        capture_output=True,
        check=True,
    )
    assert told.stdout.split() == [b"None"]


def test_where_values_are_kept_is_no_part_of_keys(tmp_path):
    """A metric that uses a storage is the same with another."""
    one, other = JsonStorage(tmp_path / "a"), JsonStorage(tmp_path / "b")
    assert one.__nbcache_hash__() == other.__nbcache_hash__()


@pytest.mark.skipif(os.name != "posix", reason="has permissions")
def test_files_have_the_usual_permissions(storage):
    """They are the user's own, and shared as others are."""
    before = os.umask(0o027)
    try:
        storage.save("a", 1)
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in storage.folder.glob("a*")}
    assert modes == {0o640}


def test_a_storage_without_its_methods_says_so(tmp_path):
    """And writes nothing, as does one that writes elsewhere."""
    with pytest.raises(TypeError, match="no _save"):
        FileStorage(tmp_path, ".x").save("a", 1)

    class Elsewhere(FileStorage):
        def _save(self, path, data):
            """Forget to write."""

    with pytest.raises(OSError, match=r"Elsewhere\._save wrote no file"):
        Elsewhere(tmp_path, ".x").save("a", 1)
    (tmp_path / "b.x").write_text("1")
    with pytest.raises(DamagedEntry, match="no _load"):
        Elsewhere(tmp_path, ".x").load("b")


# ------------------------------------------------------------ what stands in the way


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "dangling"])
def test_what_is_no_file_is_damage(storage, tmp_path, kind):
    """And no endless wait; a link is replaced, not followed."""
    storage.folder.mkdir()
    target = tmp_path / "target"
    place = storage.path("a")
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to(target)
        if kind == "link":
            target.write_text("1")
    assert storage.exists("a")
    assert storage.meta("a") is None
    with pytest.raises(DamagedEntry, match="not a regular file"):
        storage.load("a")
    if kind == "folder":
        with pytest.raises(OSError, match=r"a\.json"):
            storage.save("a", 2)
        return
    storage.save("a", 2)
    assert storage.load("a") == 2
    assert not place.is_symlink()
    assert not target.exists() or target.read_text() == "1"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes")
def test_a_pipe_in_the_place_of_metadata_is_none(storage):
    """And is replaced by the next write."""
    storage.folder.mkdir()
    os.mkfifo(storage.folder / "a.meta.json")
    assert storage.meta("a") is None
    storage.save("a", 2)
    assert storage.meta("a") is not None


def test_bytes_that_rot_are_noticed(storage):
    """Also where the format has no checksum: nobody wrote, and they are others."""
    storage.save("a", [1])
    status = storage.path("a").stat()
    storage.path("a").write_text(storage.path("a").read_text().replace("1", "3"))
    os.utime(storage.path("a"), ns=(status.st_atime_ns, status.st_mtime_ns))
    assert storage.meta("a") is None
    with pytest.raises(DamagedEntry, match="its bytes changed"):
        storage.load("a")


def test_old_temporary_files_are_swept_at_a_write(storage):
    """Those of the dead; not those that somebody may be writing."""
    storage.folder.mkdir()
    old, new = (storage.folder / f".{digit * 32}.tmp.json" for digit in "ab")
    mine = storage.folder / ".mine.tmp"
    for path in (old, new, mine):
        path.write_text("1")
    for path in (old, mine):
        os.utime(path, (time.time() - 4000,) * 2)
    storage.save("a", 1)
    assert litter(storage.folder)[0] == sorted([new.name, mine.name])


DISK = """
import errno, os, subprocess, sys
import numpy as np
from nbcache import NpyStorage, NpzStorage, JsonStorage
disk = sys.argv[1]
mount = lambda *a: subprocess.run(["mount", *a], check=True)
mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", disk)
storages = [NpzStorage(disk + "/x"), NpyStorage(disk + "/x"), JsonStorage(disk + "/x")]
for storage in storages[:2]:
    storage.save("a", np.arange(3))
storages[2].save("a", [0, 1, 2])
def refused(number):
    for storage in storages:
        large = np.random.default_rng(1).random(40_000)
        try:
            storage.save("a", large)
        except OSError as error:
            assert error.errno == number, error
            assert error.filename == str(storage.path("a")), error
        else:
            raise AssertionError(f"{storage} wrote it")
        assert list(storage.load("a")) == [0, 1, 2]
        assert storage.meta("a")
    names = {"a.npz", "a.npy", "a.json", "a.meta.json", ".locks"}
    assert set(os.listdir(disk + "/x")) == names, os.listdir(disk + "/x")
refused(errno.ENOSPC)
mount("-o", "remount,ro", disk)
refused(errno.EROFS)
try:
    storages[0].delete("a")
except OSError as error:
    assert error.errno == errno.EROFS
    assert storages[0].exists("a")
print("done")
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.getuid() != 0, reason="mounting"
)
def test_full_and_read_only_disks_keep_what_there_is(tmp_path):
    """The error is the system's, with the path; nothing is left behind."""
    told = subprocess.run(
        ["unshare", "-m", sys.executable, "-W", "error", "-c", DISK, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in told.stderr or "permission denied" in told.stderr:
        pytest.skip("may not mount")
    assert told.stdout == "done\n", told.stderr


LARGE = """
import resource, sys
import numpy as np
from nbcache import NpzStorage
storage = NpzStorage(sys.argv[1])
storage.save("a", 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    storage.save("a", np.zeros(100_000))
except OSError as error:
    assert error.filename == str(storage.path("a")), error
print(storage.load("a"))
"""


@pytest.mark.skipif(os.name != "posix", reason="has limits")
def test_a_file_that_grows_too_large_keeps_the_earlier_one(tmp_path):
    """With the path in the error, and no temporary file."""
    told = subprocess.run(
        [sys.executable, "-c", LARGE, str(tmp_path)], capture_output=True, text=True
    )
    assert told.stdout == "1\n", told.stderr
    assert litter(tmp_path) == ([], [])


# ------------------------------------------------------------ writers that meet or die

WRITERS = """
import os, random, signal, sys, time
import numpy as np
from nbcache import NpyStorage, NpzStorage
folder, what = sys.argv[1:]
storage, other = NpzStorage(folder), NpyStorage(folder)
sizes = (1, 500, 70_000)

def write(number):
    storage.put("a", np.full(random.choice(sizes), number), {"number": number})

    other.put("a", np.full(3, number), {"number": number})

def look(expect_meta, storage=storage):
    value = storage.load("a")
    assert (value == value[0]).all() and value.size in (3, *sizes), value
    meta = storage.meta("a")
    assert meta is None or not expect_meta or meta["number"] == value[0], meta
    return meta

def child(work):
    if (pid := os.fork()):
        return pid
    try:
        random.seed(os.getpid())
        work()
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def many():
    for number in range(30):
        write(os.getpid() * 1000 + number)

def ever():
    while True:
        write(random.randrange(10**6))

write(0)
if what == "race":
    pids = [child(many) for _ in range(3)]
    while pids:
        look(False)
        pids = [pid for pid in pids if os.waitpid(pid, os.WNOHANG) == (0, 0)]
    assert look(True) is not None
    assert look(True, other) is not None
    assert [one for one in os.listdir(folder) if "tmp" in one] == []
else:
    for _ in range(25):
        before = len([one for one in os.listdir(folder) if "tmp" in one])
        pid = child(ever)
        time.sleep(random.uniform(0.005, 0.04))
        os.kill(pid, signal.SIGKILL)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
        look(True)
        look(True, other)
        after = len([one for one in os.listdir(folder) if "tmp" in one])
        # the value's and that of its metadata
        assert after - before <= 2, (before, after)
    start = time.monotonic()
    write(1)
    assert time.monotonic() - start < 5, "the dead hold the lock"
    assert look(True)["number"] == 1
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
@pytest.mark.parametrize("what", ["race", "kill"])
def test_processes_that_meet_or_die_leave_a_whole_value(tmp_path, what):
    """With metadata of this value, or none; the dead hold no lock."""
    told = subprocess.run(
        [sys.executable, "-c", WRITERS, str(tmp_path / "folder"), what],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.stdout == "done\n", told.stderr
