"""Executors of all kinds behind one face: send work, hear when it is done."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import suppress
from typing import Any

from nbcache.cache import warn
from nbcache.executors.point import Report, Work
from nbcache.executors.sending import packed
from nbcache.executors.work import compute, computed, unframed

__all__ = ["Pool", "pool_of"]

LEAST_SENT = 64
NO_WORKER_TOLD_S = 20.0
NO_WORKER_S = 900.0
"""Clusters may wait long for their first workers, and for others after these."""


class Pool(ABC):
    """Where work is computed.

    Attributes
    ----------
    workers : int
        How many pieces of work run at a time.
    needs_canary : bool
        Whether workers may not see the store.
    """

    workers: int = 1
    needs_canary: bool = True

    @property
    def most_sent(self) -> int:
        """How many pieces of work are on their way at a time."""
        return 2 * self.workers

    @abstractmethod
    def submit(self, key: str, packed: Any) -> Any:
        """Send work; give its future.

        Raises
        ------
        RuntimeError
            The executor takes none.
        """

    def pack(self, work: Work) -> Any:
        """Give work as it is submitted: pickled.

        Raises
        ------
        Exception
            It cannot be.
        """
        return packed(work)

    def reports(self, future: Any) -> list[Report]:
        """Give what came of work that is done.

        Raises
        ------
        Exception
            Nothing came of it.
        """
        return list(unframed(future.result()))

    def lost(self, error: BaseException) -> str:
        """Say how work was lost: "" (it failed), "killed", "alone", "cancelled"."""
        if isinstance(error, BrokenExecutor):
            return "killed"
        return "cancelled" if isinstance(error, CancelledError) else ""

    def renew(self) -> None:  # noqa: B027  nothing to do for threads
        """Go on after a worker died.

        Raises
        ------
        RuntimeError
            The executor cannot go on.
        """

    def gone(self) -> str:
        """Say why nothing that is on its way will ever be done; "" if it may be."""
        return ""

    def release(self, futures: list[Any]) -> None:
        """Cancel what has not begun, and forget what came of the rest."""
        for future in futures:
            with suppress(Exception):
                future.cancel()

    def close(self) -> None:  # noqa: B027  most is the user's
        """End what was made here."""


class Threads(Pool):
    """Threads of this process: nothing is pickled."""

    needs_canary = False

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self._executor = executor
        self.workers = executor._max_workers

    def pack(self, work: Work) -> Work:
        """Give the work itself."""
        return work

    def submit(self, key: str, packed: Any) -> Any:
        """Have a thread compute it."""
        return self._executor.submit(computed, packed)

    def reports(self, future: Any) -> list[Report]:
        """Give what came of it."""
        found: list[Report] = future.result()
        return found

    def lost(self, error: BaseException) -> str:
        """Tell what is cancelled: threads do not die."""
        return "cancelled" if isinstance(error, CancelledError) else ""


class Processes(Pool):
    """An executor of the user's."""

    def __init__(self, executor: Any) -> None:
        self._executor, self._own = executor, False
        self.workers = int(getattr(executor, "_max_workers", 0) or 4)

    def submit(self, key: str, packed: Any) -> Any:
        """Submit it."""
        return self._executor.submit(compute, packed)

    def renew(self) -> None:
        """Make such a pool again, if it is one of the standard library."""
        old = self._executor
        if type(old) is not ProcessPoolExecutor:
            raise RuntimeError(
                f"a worker of {type(old).__name__} died, and another such executor "
                "cannot be made here: call the batch again with a new one"
            )
        known: Any = old
        made = ProcessPoolExecutor(
            known._max_workers,
            known._mp_context,
            initializer=known._initializer,
            initargs=known._initargs,
            max_tasks_per_child=known._max_tasks_per_child,
        )
        self.close()
        self._executor, self._own = made, True

    def gone(self) -> str:
        """Say whether the thread that hears of the workers has ended."""
        return _unheard(self._executor)

    def close(self) -> None:
        """Shut down what was made in the place of the user's."""
        if self._own:
            self._executor.shutdown(wait=False, cancel_futures=True)


class Loky(Pool):
    """Processes of loky, which are used again by the next batch."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.renew()

    def submit(self, key: str, packed: Any) -> Any:
        """Submit it."""
        return self._executor.submit(compute, packed)

    def renew(self) -> None:
        """Take the pool, made anew if it is broken."""
        from loky import get_reusable_executor

        self._executor = get_reusable_executor(max_workers=self.workers)

    def gone(self) -> str:
        """Say whether the thread that hears of the workers has ended."""
        return _unheard(self._executor)


def _unheard(executor: Any) -> str:
    thread = getattr(executor, "_executor_manager_thread", None)
    if thread is None or thread.is_alive():
        return ""
    return f"{type(executor).__name__} has ended"


class Dask(Pool):
    """A cluster of Dask."""

    def __init__(self, client: Any) -> None:
        if client.asynchronous:
            raise TypeError(
                "the Dask client is asynchronous: a batch needs one that is not, "
                "Client(address)"
            )
        self._client = client
        self._seen_at = time.monotonic()
        self._told = False
        self._require_running()
        self.workers = max(1, sum(client.nthreads().values()))

    @property
    def most_sent(self) -> int:
        """Enough that a cluster that grows with its work does grow."""
        return max(2 * self.workers, LEAST_SENT)

    def _require_running(self) -> None:
        if self._client.status not in ("running", "connecting"):
            raise RuntimeError("the Dask client is closed")

    def submit(self, key: str, packed: Any) -> Any:
        """Submit it under our own key, which equal calls in the cluster share.

        Notes
        -----
        Dask's own keys would not do: its tokens of an array and of its transpose are
        the same, so that one would get the other's result.
        """
        self._require_running()
        named = f"nbcache-{key or uuid.uuid4().hex}"
        return self._client.submit(compute, packed, key=named, pure=False)

    def reports(self, future: Any) -> list[Report]:
        """Give what came of it; the cluster forgets it."""
        try:
            return list(unframed(future.result()))
        finally:
            # failed work must be forgotten before the same key is submitted again
            future.release()

    def lost(self, error: BaseException) -> str:
        """Tell a task that has killed its workers from one that was cancelled."""
        kinds = [one.__name__ for one in type(error).__mro__]
        if "KilledWorker" in kinds:
            return "alone"
        lost = {"CancelledError", "FutureCancelledError", "FuturesCancelledError"}
        return "cancelled" if lost & set(kinds) else ""

    def renew(self) -> None:
        """Go on if the client does: the cluster starts workers by itself."""
        self._require_running()

    def gone(self) -> str:
        """Say whether the client is closed, or for long no worker has been there."""
        if self._client.status not in ("running", "connecting"):
            return "the Dask client is closed"
        try:
            threads = sum(self._client.nthreads().values())
        except Exception:
            threads = 0
        now = time.monotonic()
        if threads:
            self.workers, self._seen_at, self._told = threads, now, False
        waited = now - self._seen_at
        if waited > NO_WORKER_S:
            return f"the Dask cluster has had no worker for {waited:.0f} s"
        if waited > NO_WORKER_TOLD_S and not self._told:
            self._told = True
            warn("the Dask cluster has no worker: waiting for one")
        return ""

    def release(self, futures: list[Any]) -> None:
        """Cancel it in the cluster."""
        with suppress(Exception):
            self._client.cancel(futures)


def pool_of(executor: Any, workers: Any) -> Pool | None:
    """Give the pool for what the user asked for; None: in this process.

    Raises
    ------
    TypeError, ValueError
        It is no executor, or not a number of workers.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers is a number from 1, not {workers!r}")
    if executor is None:
        return None if workers == 1 else Loky(workers)
    if executor == "dask":
        return Dask(_current_client())
    if _is_dask(executor):
        return Dask(executor)
    if isinstance(executor, ThreadPoolExecutor):
        return Threads(executor)
    if callable(getattr(executor, "submit", None)):
        return Processes(executor)
    raise TypeError(
        "executor is None, an object with submit() such as those of "
        "concurrent.futures, a dask.distributed.Client, or 'dask' for the current "
        f"one, not {executor!r}"
    )


def _is_dask(executor: Any) -> bool:
    return any(
        one.__module__.startswith("distributed.") and one.__name__ == "Client"
        for one in type(executor).__mro__
    )


def _current_client() -> Any:
    try:
        from distributed import get_client
    except ImportError as error:
        raise ImportError(
            "executor='dask' needs dask.distributed: pip install 'nbcache[dask]'"
        ) from error
    try:
        return get_client()
    except ValueError as error:
        raise ValueError(
            "executor='dask' stands for the current client, and there is none: make a "
            "dask.distributed.Client first"
        ) from error
