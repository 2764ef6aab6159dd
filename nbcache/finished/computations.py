"""Executors, pools, processes and threads that ended, and results that have come."""

from __future__ import annotations

import io
import multiprocessing
import os
import queue
import threading
from collections import deque
from typing import Any

from nbcache.finished.kinds import Kind, Left

__all__ = ["KINDS"]


def _own(value: Any, *names: str) -> dict[str, Any]:
    """Give some attributes, of those that this version has."""
    return {name: vars(value)[name] for name in names if name in vars(value)}


def _bare(cls: Any, state: dict[str, Any]) -> Any:
    made = object.__new__(cls)
    vars(made).update(state)
    return made


# --- concurrent.futures


def _take_future(future: Any) -> Left | None:
    if future._state not in ("FINISHED", "CANCELLED_AND_NOTIFIED", "CANCELLED"):
        return None
    parts = (future._state, future._result, future._exception)
    return parts, parts


def _make_future(home: Any, state: str, result: Any, exception: Any) -> Any:
    made = home.Future()
    made._state, made._result, made._exception = state, result, exception
    return made


_OF_THREADS = ("_max_workers", "_thread_name_prefix", "_initializer", "_initargs")


def _take_threads(executor: Any) -> Left | None:
    alive = any(thread.is_alive() for thread in executor._threads)
    if not executor._shutdown or executor._broken or alive:
        return None
    parts = tuple(getattr(executor, name) for name in _OF_THREADS)
    return parts, parts


def _make_threads(home: Any, *settings: Any) -> Any:
    made = home.ThreadPoolExecutor(*settings)
    made.shutdown()
    return made


_OF_PROCESSES = (
    *("_max_workers", "_safe_to_dynamically_spawn_children", "_initializer"),
    *("_initargs", "_max_tasks_per_child", "_queue_count", "_cancel_pending_futures"),
)
_GONE = (
    *("_executor_manager_thread", "_processes", "_executor_manager_thread_wakeup"),
    *("_call_queue", "_result_queue"),
)


def _take_processes(executor: Any) -> Left | None:
    if not executor._shutdown_thread or executor._broken:
        return None
    left = [getattr(executor, name) for name in (*_GONE, "_pending_work_items")]
    if any(left):
        return None
    method = executor._mp_context.get_start_method()
    parts = (_own(executor, *_OF_PROCESSES), method)
    return parts, parts


def _make_processes(home: Any, settings: dict[str, Any], method: str) -> Any:
    gone: dict[str, Any] = dict.fromkeys(_GONE)
    return _bare(
        home.ProcessPoolExecutor,
        {
            **settings,
            **gone,
            "_mp_context": multiprocessing.get_context(method),
            "_shutdown_thread": True,
            "_shutdown_lock": threading.Lock(),
            "_idle_worker_semaphore": threading.Semaphore(0),
            "_broken": False,
            "_pending_work_items": {},
            "_work_ids": queue.Queue(),
        },
    )


# --- multiprocessing

_OF_POOL = ("_maxtasksperchild", "_initializer", "_initargs", "_processes")
_HANDLERS = ("_worker_handler", "_task_handler", "_result_handler")


class _Ended:
    """A worker or thread of a pool that has ended."""

    exitcode = 0

    def join(self, timeout: float | None = None) -> None:
        """Return at once."""

    def is_alive(self) -> bool:
        """Say no."""
        return False


def _nothing() -> None:
    """Terminate what has ended."""


def _take_pool(pool: Any) -> Left | None:
    handlers = [getattr(pool, name) for name in _HANDLERS]
    # nothing waits for the threads of a pool, which end when they see that it has
    workers = pool._pool if type(pool).__name__ == "Pool" else []
    running = any(one.is_alive() for one in (*handlers, *workers))
    if pool._state not in ("CLOSE", "TERMINATE") or running or pool._cache:
        return None
    method = pool._ctx.get_start_method(allow_none=True)
    parts = (_own(pool, *_OF_POOL), pool._state, len(pool._pool), method)
    return parts, parts


def _pool_maker(name: str) -> Any:
    def make(
        home: Any, settings: dict[str, Any], state: str, size: int, method: str | None
    ) -> Any:
        return _bare(
            getattr(home, name),
            {
                **settings,
                "_pool": [_Ended() for _ in range(size)],
                "_state": state,
                "_ctx": multiprocessing.get_context(method),
                "_cache": {},
                "_terminate": _nothing,
                **{handler: _Ended() for handler in _HANDLERS},
            },
        )

    return make


_OF_RESULT = (
    *("_job", "_callback", "_error_callback", "_success", "_value"),
    *("_chunksize", "_number_left"),
)


def _take_result(result: Any) -> Left | None:
    if not result._event.is_set():
        return None
    parts = (_own(result, *_OF_RESULT),)
    return parts, (result._success, result._value)


def _result_maker(name: str) -> Any:
    def make(home: Any, state: dict[str, Any]) -> Any:
        event = threading.Event()
        event.set()
        more: dict[str, Any] = {"_event": event, "_pool": None, "_cache": {}}
        return _bare(getattr(home, name), {**state, **more})

    return make


_OF_ITERATOR = ("_job", "_index", "_length")


def _take_iterator(iterator: Any) -> Left | None:
    if iterator._items or iterator._unsorted or iterator._index != iterator._length:
        return None
    return (_own(iterator, *_OF_ITERATOR),), (iterator._length,)


def _iterator_maker(name: str) -> Any:
    def make(home: Any, state: dict[str, Any]) -> Any:
        condition = threading.Condition(threading.Lock())
        more: dict[str, Any] = {"_items": deque(), "_unsorted": {}, "_cond": condition}
        return _bare(
            getattr(home, name), {**state, **more, "_pool": None, "_cache": {}}
        )

    return make


# --- threads and processes


def _take_thread(thread: threading.Thread) -> Left | None:
    if thread.ident is None or thread.is_alive():
        return None
    settings = (thread.name, thread.daemon)
    own = vars(thread).keys() - vars(threading.Thread(name="x")).keys()
    if own:
        return None
    return (*settings, thread.ident, thread.native_id), settings


def _make_thread(
    home: Any, name: str, daemon: bool, ident: int, native: int | None
) -> Any:
    # only by having run does it end in the same way in every version of Python
    made = home.Thread(target=_nothing, name=name, daemon=daemon)
    made.start()
    made.join()
    made._ident, made._native_id = ident, native
    return made


_PIPES = ("stdin", "stdout", "stderr")
_OF_PROCESS = (
    *("args", "pid", "returncode", "encoding", "errors", "pipesize", "text_mode"),
    *("_sigint_wait_secs", "_closed_child_pipe_fds", "_child_created"),
    "_communication_started",
)


def _take_popen(process: Any) -> Left | None:
    pipes = (process.stdin, process.stdout, process.stderr)
    if process.returncode is None or any(one and not one.closed for one in pipes):
        return None
    files = [one and (_number(one), isinstance(one, io.TextIOBase)) for one in pipes]
    parts = (_own(process, *_OF_PROCESS), files)
    return parts, (process.args, process.returncode, process.encoding, process.errors)


def _number(pipe: Any) -> Any:
    return getattr(pipe, "buffer", pipe).raw.name


def _make_popen(home: Any, state: dict[str, Any], files: list[Any]) -> Any:
    pipes = {
        name: one and _closed_pipe(one[0], one[1], "w" if name == "stdin" else "r")
        for name, one in zip(_PIPES, files, strict=True)
    }
    more = {"_input": None, "_waitpid_lock": threading.Lock()}
    return _bare(home.Popen, {**state, **pipes, **more})


def _closed_pipe(number: Any, is_text: bool, letter: str) -> Any:
    raw = io.FileIO(os.devnull, letter)
    vars(raw)["name"] = number
    made: Any = io.BufferedReader(raw) if letter == "r" else io.BufferedWriter(raw)
    made = io.TextIOWrapper(made, "utf-8") if is_text else made
    made.close()
    return made


# --- joblib

_OF_PARALLEL = ("n_jobs", "verbose", "timeout", "pre_dispatch", "batch_size")
_OF_BACKEND = ("max_nbytes", "temp_folder", "mmap_mode", "prefer", "require")


def _take_parallel(parallel: Any) -> Left | None:
    active = ("_running", "_managed_backend", "_calling", "_iterating", "_jobs")
    if any(getattr(parallel, name, False) for name in active):
        return None
    backend = parallel._backend
    is_joblibs = type(backend).__module__ == "joblib._parallel_backends"
    if not is_joblibs or getattr(backend, "inner_max_num_threads", None) is not None:
        return None
    if getattr(backend, "backend_kwargs", None):
        return None
    settings = {name: getattr(parallel, name) for name in _OF_PARALLEL}
    settings |= {name: parallel._backend_kwargs[name] for name in _OF_BACKEND}
    if hasattr(parallel, "return_as"):
        settings["return_as"] = parallel.return_as
    parts = (settings, type(backend).__name__, backend.nesting_level)
    return parts, parts


def _make_parallel(
    home: Any, settings: dict[str, Any], backend: str, level: int | None
) -> Any:
    chosen = getattr(home, backend)(nesting_level=level)
    return home.Parallel(backend=chosen, **settings)


KINDS = {
    "Future": Kind("concurrent.futures", "Future", _take_future, _make_future),
    "ThreadPoolExecutor": Kind(
        *("concurrent.futures.thread", "ThreadPoolExecutor"),
        *(_take_threads, _make_threads),
    ),
    "ProcessPoolExecutor": Kind(
        *("concurrent.futures.process", "ProcessPoolExecutor"),
        *(_take_processes, _make_processes),
    ),
    **{
        name: Kind("multiprocessing.pool", name, _take_pool, _pool_maker(name))
        for name in ("Pool", "ThreadPool")
    },
    **{
        name: Kind("multiprocessing.pool", name, _take_result, _result_maker(name))
        for name in ("ApplyResult", "MapResult")
    },
    **{
        name: Kind("multiprocessing.pool", name, _take_iterator, _iterator_maker(name))
        for name in ("IMapIterator", "IMapUnorderedIterator")
    },
    "Popen": Kind("subprocess", "Popen", _take_popen, _make_popen),
    "Thread": Kind("threading", "Thread", _take_thread, _make_thread),
    "Parallel": Kind("joblib.parallel", "Parallel", _take_parallel, _make_parallel),
}
