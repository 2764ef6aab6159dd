"""Live handles are refused by name, wherever they stand."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import io
import itertools
import mmap
import multiprocessing
import queue
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import ExitStack, closing

import pytest

from nbcache.errors import UnhashableValue
from nbcache.keys.hashing import digest


class Client:
    """A user's class that holds something live."""

    def __init__(self, handle):
        self._handle = handle


async def coroutine():
    """Never awaited."""


async def asynchronous():
    """An asynchronous generator."""
    yield 1


def refused(value, reason):
    """Check that a value is refused for a reason, directly and inside others."""
    name = type(value).__qualname__
    with pytest.raises(UnhashableValue, match=reason) as caught:
        digest(value)
    assert name in caught.value.type_name
    with pytest.raises(UnhashableValue) as caught:
        digest({"model": [Client(value)]}, path="d")
    assert caught.value.path.startswith("d['model'][0]._handle")
    assert "register_hash" in str(caught.value)


def test_generators_and_iterators_that_are_used_up():
    """Reading them would change them."""
    refused((n for n in "x"), "used up")
    refused(asynchronous(), "used up")
    refused(itertools.chain([1], [2]), "used up")
    refused(itertools.count(), "used up")


def test_running_computations():
    """Coroutines, frames, threads, processes, futures, pools."""
    running = coroutine()
    with closing(running):
        refused(running, "running")
    refused(sys._getframe(), "running")
    refused(threading.Thread(), "running")
    refused(multiprocessing.get_context("spawn").Process(), "running")
    refused(concurrent.futures.Future(), "running")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        refused(pool, "running")
    loop = asyncio.new_event_loop()
    with closing(loop):
        refused(loop, "running")
        refused(loop.create_future(), "running")
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        refused(process, "running")


def test_open_files(tmp_path):
    """Of every kind; those in memory are values."""
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with ExitStack() as stack:
        for mode in ("r", "rb", "rb+"):
            refused(stack.enter_context(path.open(mode)), "open file")
        refused(stack.enter_context(open(path, "rb", buffering=0)), "open file")
        refused(stack.enter_context(tempfile.NamedTemporaryFile()), "open file")
        mapped = mmap.mmap(-1, 10)
        refused(stack.enter_context(mapped), "open file")
    assert digest(io.BytesIO(b"abc"))


def test_connections():
    """Sockets, databases, queues and pipes."""
    with ExitStack() as stack:
        refused(stack.enter_context(socket.socket()), "connection")
        base = stack.enter_context(closing(sqlite3.connect(":memory:")))
        refused(base, "connection")
        refused(base.cursor(), "connection")
        for end in multiprocessing.Pipe():
            refused(stack.enter_context(end), "connection")
    refused(queue.Queue(), "connection")
    refused(queue.SimpleQueue(), "connection")


def test_locks_and_events():
    """Of threads, processes and tasks."""
    refused(threading.Lock(), "lock")
    refused(threading.RLock(), "lock")
    refused(threading.Event(), "lock")
    refused(threading.Condition(), "lock")
    refused(threading.Semaphore(), "lock")
    refused(threading.Barrier(2), "lock")
    refused(asyncio.Lock(), "lock")
    refused(multiprocessing.get_context("spawn").Lock(), "lock")


def test_what_belongs_to_a_thread_or_task():
    """Its content is another one for each."""
    refused(threading.local(), "thread or task")
    refused(contextvars.ContextVar("a"), "thread or task")
    refused(contextvars.copy_context(), "thread or task")


def test_weak_references():
    """What they refer to may vanish between two runs."""
    held = Client(1)
    refused(weakref.ref(held), "weak")
    refused(weakref.WeakValueDictionary(a=held), "weak")
    refused(weakref.WeakSet([held]), "weak")
    with pytest.raises(UnhashableValue, match="weak"):
        digest(weakref.proxy(held))


def test_what_cannot_be_pickled():
    """Nothing is known of what is inside."""
    import zlib

    with pytest.raises(UnhashableValue, match="cannot pickle"):
        digest(zlib.compressobj())


def test_the_text_names_path_type_and_ways_out():
    """One line that says what to do."""
    with pytest.raises(UnhashableValue) as caught:
        digest(Client(threading.Lock()), path="model")
    assert str(caught.value) == (
        "cannot be part of a key: model._handle: _thread.lock (a lock or event). "
        "Leave it out with ignore=, or say what identifies it with "
        "nbcache.register_hash(type, function)"
    )
