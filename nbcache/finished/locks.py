"""Locks, events and queues that nobody holds or waits for."""

from __future__ import annotations

from typing import Any

from nbcache.finished.kinds import Kind, Left

__all__ = ["KINDS"]


def _take_lock(lock: Any) -> Left | None:
    return None if lock.locked() else ((), ())


def _take_reentrant(lock: Any) -> Left | None:
    # only since Python 3.14 can it be asked; its repr tells it in all
    return ((), ()) if repr(lock).startswith("<unlocked") else None


def _is_free(condition: Any) -> bool:
    return not condition._waiters and repr(condition._lock).startswith("<unlocked")


def _take_event(event: Any) -> Left | None:
    parts = (event.is_set(),)
    return (parts, parts) if _is_free(event._cond) else None


def _make_event(home: Any, is_set: bool) -> Any:
    made = home.Event()
    if is_set:
        made.set()
    return made


def _take_semaphore(semaphore: Any) -> Left | None:
    initial = getattr(semaphore, "_initial_value", None)
    parts = (semaphore._value, initial)
    return (parts, parts) if _is_free(semaphore._cond) else None


def _semaphore_maker(name: str) -> Any:
    def make(home: Any, value: int, initial: int | None) -> Any:
        made = getattr(home, name)(value)
        if initial is not None:
            made._initial_value = initial
        return made

    return make


_CONDITIONS = ("not_empty", "not_full", "all_tasks_done")


def _take_queue(queue: Any) -> Left | None:
    is_free = all(_is_free(getattr(queue, name)) for name in _CONDITIONS)
    if not is_free or getattr(queue, "is_shutdown", False):
        return None
    parts = (queue.maxsize, list(queue.queue), queue.unfinished_tasks)
    return parts, parts


def _queue_maker(name: str) -> Any:
    def make(home: Any, maxsize: int, items: list[Any], unfinished: int) -> Any:
        made = getattr(home, name)(maxsize)
        made.queue.extend(items)
        made.unfinished_tasks = unfinished
        return made

    return make


KINDS = {
    "lock": Kind("_thread", "LockType", _take_lock, lambda home: home.allocate_lock()),
    "RLock": Kind("_thread", "RLock", _take_reentrant, lambda home: home.RLock()),
    "Event": Kind("threading", "Event", _take_event, _make_event),
    **{
        name: Kind("threading", name, _take_semaphore, _semaphore_maker(name))
        for name in ("Semaphore", "BoundedSemaphore")
    },
    **{
        name: Kind("queue", name, _take_queue, _queue_maker(name))
        for name in ("Queue", "LifoQueue", "PriorityQueue")
    },
}
