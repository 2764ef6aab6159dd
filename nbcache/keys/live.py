"""Types that are refused: what they stand for is not in their content.

Most would fail to reduce anyway; they stand here so that the error says what they are.
"""

from __future__ import annotations

import types
import weakref
from typing import Any

from nbcache.keys.instances import refusal
from nbcache.keys.registry import Handler, Identity, Sink, Walker, register

__all__ = ["teach"]

_ITERTOOLS = (
    *("accumulate", "batched", "chain", "combinations", "compress", "count", "cycle"),
    *("combinations_with_replacement", "dropwhile", "filterfalse", "groupby", "islice"),
    *("pairwise", "permutations", "product", "repeat", "starmap", "takewhile", "_tee"),
    *("zip_longest", "_grouper"),
)
# Strings name types of modules that need not be loaded.
_REFUSED: dict[str, tuple[type | str, ...]] = {
    "an iterator is used up by reading it": (
        types.GeneratorType,
        types.AsyncGeneratorType,
        *map("itertools.{}".format, _ITERTOOLS),
    ),
    "a running computation": (
        types.CoroutineType,
        types.FrameType,
        types.TracebackType,
        "threading.Thread",
        "_asyncio.Future",
        "asyncio.futures.Future",
        "asyncio.events.AbstractEventLoop",
        "concurrent.futures._base.Future",
        "concurrent.futures._base.Executor",
        "multiprocessing.process.BaseProcess",
        "multiprocessing.pool.Pool",
        "subprocess.Popen",
    ),
    "an open file": ("_io._IOBase", "tempfile._TemporaryFileWrapper", "mmap.mmap"),
    "a live connection": (
        "_socket.socket",
        "sqlite3.Connection",
        "sqlite3.Cursor",
        "sqlite3.Blob",
        "multiprocessing.connection._ConnectionBase",
        "multiprocessing.queues.Queue",
        "queue.Queue",
        "_queue.SimpleQueue",
        "asyncio.queues.Queue",
    ),
    "its content is in a file, a store or another process": (
        "dask.array.core.Array",
        "dask.bag.core.Bag",
        "dask.dataframe.dask_expr._collection.FrameBase",
        "dask.delayed.Delayed",
        "distributed.client.Client",
        "distributed.client.Future",
        "fsspec.core.OpenFile",
        "h5py._hl.base.HLObject",
        "multiprocessing.managers.BaseProxy",
        "multiprocessing.shared_memory.ShareableList",
        "multiprocessing.shared_memory.SharedMemory",
        "netCDF4._netCDF4.Dataset",
        "pyarrow._dataset.Dataset",
        "zarr.core.array.Array",
        "zarr.core.group.Group",
    ),
    "a lock or event": (
        "_thread.lock",
        "_thread.RLock",
        "threading.Event",
        "threading.Condition",
        "threading.Semaphore",
        "threading.Barrier",
        "asyncio.locks.Lock",
        "asyncio.locks.Event",
        "asyncio.locks.Condition",
        "asyncio.locks.Semaphore",
        "_multiprocessing.SemLock",
        "multiprocessing.synchronize.SemLock",
        "multiprocessing.synchronize.Event",
    ),
    "its content belongs to a thread or task": (
        "_thread._local",
        "_contextvars.Context",
        "_contextvars.ContextVar",
        "_contextvars.Token",
    ),
    "a weak reference: what it refers to may vanish": (
        weakref.ReferenceType,
        weakref.ProxyType,
        weakref.CallableProxyType,
        weakref.WeakKeyDictionary,
        weakref.WeakValueDictionary,
        weakref.WeakSet,
        weakref.finalize,
    ),
    "its numbers come from the system": ("random.SystemRandom",),
}


def _refuser(reason: str) -> Handler:
    def refuse(_walk: Walker, _sink: Sink, value: Any, path: str) -> None:
        raise refusal(value, path, reason)

    return refuse


def teach() -> None:
    """Register the refused types."""
    for reason, kinds in _REFUSED.items():
        for kind in kinds:
            register(kind, _refuser(reason), identity=Identity.ATOMIC)
