"""Handles that are finished: as values of an entry and as parts of a key."""

import csv
import gzip
import http.client
import io
import multiprocessing
import multiprocessing.pool
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from nbcache.errors import UnhashableValue, UnstorableValue
from nbcache.keys.hashing import digest
from nbcache.storage import codec

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def round_trip(value):
    encoded = codec.encode({"v": value})
    members = dict(encoded.members)
    tree = codec.decode(encoded.tree, members.__getitem__, allow_pickle=True)
    return tree["v"]


def shown(value):
    return re.sub(r"0x[0-9a-f]+", "0x", repr(value))


def threads():
    with ThreadPoolExecutor(2, "named") as executor:
        executor.submit(abs, -1)
    return executor


def processes():
    with ProcessPoolExecutor(1) as executor:
        executor.submit(abs, -1)
    return executor


def pool(ended="with"):
    with multiprocessing.pool.ThreadPool(2) as made:
        made.map(abs, [-1])
    return made


def joined_pool():
    made = multiprocessing.pool.ThreadPool(1)
    result = made.map_async(abs, [-1, 2])
    counted = made.imap(abs, [-3])
    assert list(counted) == [3]
    made.close()
    made.join()
    return [made, result, counted]


def future():
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(abs, -1)


def failed_future():
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(int, "x")


def cancelled():
    made = Future()
    made.cancel()
    return made


def thread():
    made = threading.Thread(target=abs, args=(1,), name="worker", daemon=True)
    made.start()
    made.join()
    return made


def process(**options):
    made = subprocess.Popen(
        [sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE, **options
    )
    made.communicate()
    return made


def used_generator():
    made = (one for one in range(3))
    assert list(made) == [0, 1, 2]
    return made


def database():
    made = sqlite3.connect(":memory:")
    made.row_factory = sqlite3.Row
    made.close()
    return made


def archive():
    with zipfile.ZipFile(io.BytesIO(), "w") as made:
        made.writestr("a.txt", "text")
    return made


def compressed(folder, mode):
    with gzip.open(folder / "a.gz", mode) as made:
        made.write("text" if "t" in mode else b"text")
    return made


class Sent:
    """Stands for a socket on which an answer came."""

    def makefile(self, mode):
        """Give what was sent."""
        return io.BytesIO(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


def response():
    made = http.client.HTTPResponse(Sent())
    made.begin()
    with made:
        assert made.read() == b"hi"
    return made


def read_rows(kind, folder):
    (folder / "a.csv").write_text("a;b\n1;2\n3;4\n")
    with open(folder / "a.csv", newline="") as file:
        made = kind(file, delimiter=";")
        assert list(made)
    return made


def writer(folder):
    with open(folder / "a.csv", "w", newline="") as file:
        made = csv.writer(file)
        made.writerow([1])
    return made


def closed_socket():
    made = socket.socket()
    made.close()
    return made


FINISHED = {
    "thread executor": lambda _: threads(),
    "process executor": lambda _: processes(),
    "pool": lambda _: pool(),
    "future": lambda _: future(),
    "cancelled future": lambda _: cancelled(),
    "thread": lambda _: thread(),
    "process": lambda _: process(),
    "process of text": lambda _: process(text=True),
    "match": lambda _: re.match("(a)(?P<x>b)?", "ac"),
    "match of bytes": lambda _: re.search(b"b+", b"abbc"),
    "match inside": lambda _: re.compile("a").search("bab", 1, 3),
    "whole match": lambda _: re.fullmatch("a|ab", "ab"),
    "match in a row": lambda _: list(re.finditer("a.", "abacad"))[-1],
    "generator": lambda _: used_generator(),
    "database": lambda _: database(),
    "archive": lambda _: archive(),
    "compressed text": lambda folder: compressed(folder, "wt"),
    "compressed": lambda folder: compressed(folder, "wb"),
    "rows": lambda folder: read_rows(csv.reader, folder),
    "rows by name": lambda folder: read_rows(csv.DictReader, folder),
    "writer": writer,
    "response": lambda _: response(),
    "socket": lambda _: closed_socket(),
}


@pytest.mark.parametrize("make", FINISHED.values(), ids=FINISHED)
def test_finished_handle_comes_back_as_it_is(make, tmp_path):
    """One object, of the same class, that says the same and has the same digest."""
    value = make(tmp_path)
    one, other = round_trip([value, value])
    assert one is other
    assert type(one) is type(value)
    if type(value) is not threading.Thread or value.native_id:
        assert shown(one) == shown(value)
    assert digest(one) == digest(value)
    assert digest(round_trip(one)) == digest(value)


def test_executor_takes_no_more_work():
    """It says what one says that was shut down."""
    for executor in (round_trip(threads()), round_trip(processes())):
        with pytest.raises(RuntimeError, match="after shutdown"):
            executor.submit(abs, 1)
        executor.shutdown()


def test_pool_takes_no_more_work():
    """Closed or left by `with`; its results have come."""
    left = round_trip(pool())
    with pytest.raises(ValueError, match="Pool not running"):
        left.map(abs, [1])
    left.join()
    made, result, counted = round_trip(joined_pool())
    assert made._state == "CLOSE"
    made.join()
    assert result.ready()
    assert result.get() == [1, 2]
    with pytest.raises(StopIteration):
        next(counted)


def test_future_has_its_result_or_its_error():
    """Shared with a name that holds the result."""
    again, number = round_trip([future(), 1])
    assert again.done()
    assert again.result() == number
    failed = round_trip(failed_future())
    with pytest.raises(ValueError, match="invalid literal"):
        failed.result()


def test_match_gives_its_groups():
    """By number and by name, and the pattern and text that it is of."""
    match = round_trip(re.match(r"(?P<key>\w+)=(\d+)", "a=12;"))
    assert match["key"] == "a"
    assert match.groups() == ("a", "12")
    assert match.string == "a=12;"
    assert match.end() == 4


def test_rows_are_counted_and_closed(tmp_path):
    """The fields stay; reading on says that the file is closed."""
    reader = round_trip(read_rows(csv.DictReader, tmp_path))
    assert reader.fieldnames == ["a", "b"]
    assert reader.line_num == 3
    with pytest.raises(ValueError, match="closed file"):
        next(reader)


def test_archive_still_lists_its_content():
    """As a closed one does; reading says that it is closed."""
    again = round_trip(archive())
    assert again.namelist() == ["a.txt"]
    with pytest.raises(ValueError, match="closed"):
        again.read("a.txt")


def test_process_has_ended():
    """With its code and arguments."""
    ended = process()
    again = round_trip(ended)
    assert (again.poll(), again.wait()) == (0, 0)
    assert (again.args, again.pid) == (ended.args, ended.pid)
    assert again.stdout.closed


@pytest.mark.parametrize("flavour", ["std", "notebook", "auto"])
@pytest.mark.parametrize("options", [{}, {"disable": True}], ids=["shown", "hidden"])
def test_bar_at_its_end_comes_back(flavour, options, capsys):
    """With its figures; neither that nor what follows prints anything."""
    pytest.importorskip("tqdm")
    module = pytest.importorskip(f"tqdm.{flavour}")
    if flavour == "notebook":
        pytest.importorskip("ipywidgets")
    bar = module.tqdm(range(3), desc="loop", **options)
    assert list(bar) == [0, 1, 2]
    bar.close()
    capsys.readouterr()
    (again,) = round_trip([bar])
    assert type(again) is type(bar)
    for name in ("n", "total", "desc", "disable", "unit"):
        assert getattr(again, name, None) == getattr(bar, name, None)
    if not options:
        assert _steady(str(again)) == _steady(str(bar))
    assert digest(again) == digest(bar)
    assert list(again) == [0, 1, 2]
    again.update()
    again.refresh()
    again.close()
    del again
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def _steady(text):
    # the bar itself is as long as the time and rate behind it leave room for
    return re.sub("█+", "█", re.sub(r"\[.*\]", "", text))


def test_bar_in_use_is_refused():
    """It would go on to print."""
    tqdm = pytest.importorskip("tqdm")
    with tqdm.tqdm(range(3), file=io.StringIO()) as bar:
        with pytest.raises(UnstorableValue, match="in use"):
            round_trip(bar)
        with pytest.raises(UnhashableValue):
            digest(bar)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_parallel_works_again(n_jobs):
    """As after `with Parallel(...) as p`."""
    joblib = pytest.importorskip("joblib")
    with joblib.Parallel(n_jobs=n_jobs, backend="threading") as parallel:
        parallel(joblib.delayed(abs)(i) for i in range(-2, 0))
    again = round_trip(parallel)
    assert repr(again) == repr(parallel)
    assert digest(again) == digest(parallel)
    assert again(joblib.delayed(abs)(i) for i in range(-2, 0)) == [2, 1]


IN_USE = {
    "executor": lambda stack: stack.enter_context(ThreadPoolExecutor(1)),
    "pool": lambda stack: stack.enter_context(multiprocessing.pool.ThreadPool(1)),
    "future": lambda stack: Future(),
    "database": lambda stack: stack.enter_context(closing(sqlite3.connect(":memory:"))),
    "archive": lambda stack: stack.enter_context(zipfile.ZipFile(io.BytesIO(), "w")),
    "socket": lambda stack: stack.enter_context(socket.socket()),
    "generator": lambda stack: (one for one in "a"),
    "rows": lambda stack: csv.reader(["a"]),
}


@pytest.mark.parametrize("make", IN_USE.values(), ids=IN_USE)
def test_handle_in_use_is_refused(make):
    """What it stands for is not in it."""
    with ExitStack() as stack:
        value = make(stack)
        with pytest.raises(UnstorableValue):
            round_trip(value)
        with pytest.raises(UnhashableValue):
            digest(value)


def test_digest_tells_finished_handles_apart():
    """Kind by kind, by what can be asked of them."""
    values = [
        re.match("a", "ab"),
        re.match("a", "ac"),
        re.match("a|ab", "ab"),
        re.match("a", "ab", re.IGNORECASE),
        *re.finditer("a", "aa"),
        future(),
        cancelled(),
        threads(),
        thread(),
        used_generator(),
        database(),
    ]
    digests = [digest(value) for value in values]
    assert len(set(digests)) == len(digests)
    assert digests == [digest(round_trip(value)) for value in values]


def test_lock_is_refused():
    """Whoever holds it is in another process, or nobody is."""
    for lock in (threading.Lock(), threading.RLock(), threading.Event()):
        with pytest.raises(UnstorableValue):
            round_trip(lock)
