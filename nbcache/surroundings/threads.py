"""Threads and tasks of the user's that go on while or after something runs.

Pools and monitors of libraries idle in their own code; they do not count.
"""

from __future__ import annotations

import functools
import sys
import threading
from dataclasses import dataclass, field
from types import FrameType, FunctionType, MethodType
from typing import Any

from nbcache.keys import origin

__all__ = ["ThreadWatch"]


@dataclass
class ThreadWatch:
    """The threads that there were when something began.

    Parameters
    ----------
    before : set of Thread
        All of them.
    users : list of str
        Names of those that ran the user's code.
    tasks : set of Task
        Those of the event loop.
    """

    before: set[threading.Thread] = field(
        default_factory=lambda: set(threading.enumerate())
    )
    users: list[str] = field(
        default_factory=lambda: [one.name for one in _users(threading.enumerate())]
    )

    tasks: set[Any] = field(default_factory=lambda: _tasks())

    def is_alone(self) -> bool:
        """Whether new threads can only be its own: nothing tells who started one."""
        is_main = threading.current_thread() is threading.main_thread()
        return is_main and not self.users

    def left_running(self) -> str:
        """Say that a thread begun since then still runs the user's code; '' if none."""
        new = [one for one in threading.enumerate() if one not in self.before]
        found = _users(new)
        if not found:
            return ""
        return (
            f"its thread {found[0].name!r} still runs, and what that does no hit "
            "repeats. Join it, or move it to a cell of its own"
        )

    def left_waiting(self) -> str:
        """Say that a coroutine begun since then is not done; '' if none."""
        for task in _tasks() - self.tasks:
            code = getattr(task.get_coro(), "cr_code", None)
            if code is not None and origin.is_user_code(code):
                return (
                    f"its task {code.co_name!r} is not done, and what that does no hit "
                    "repeats. Await it, or move it to a cell of its own"
                )
        return ""

    def others(self) -> list[str]:
        """Name what else ran the user's code when it began: threads and tasks."""
        codes = (getattr(task.get_coro(), "cr_code", None) for task in self.tasks)
        return [f"the thread {name!r}" for name in self.users] + [
            f"the task {code.co_name!r}"
            for code in codes
            if code is not None and origin.is_user_code(code)
        ]

    def rebound(self, names: list[str]) -> str:
        """Say that another thread may have bound names; '' if none could."""
        if not names or not self.users:
            return ""
        return (
            f"{names[0]!r} may have been bound by the thread {self.users[0]!r}, which "
            "ran meanwhile. Join that first"
        )


def _tasks() -> set[Any]:
    # nobody has loaded it, or another thread is about to: no tasks, and no time for it
    all_tasks = getattr(sys.modules.get("asyncio"), "all_tasks", None)
    if all_tasks is None:
        return set()
    try:
        return set(all_tasks())
    except RuntimeError:  # no loop
        return set()


def _users(threads: list[threading.Thread]) -> list[threading.Thread]:
    own = threading.current_thread()
    others = [one for one in threads if one is not own and one.is_alive()]
    frames = sys._current_frames() if others else {}
    return [
        one
        for one in others
        if _has_users_target(one) or _runs_users(frames.get(one.ident or 0))
    ]


def _has_users_target(thread: threading.Thread) -> bool:
    # a thread drops its target when it is done; a timer has a function
    targets = (getattr(thread, "_target", None), getattr(thread, "function", None))
    return any(map(_is_users, (*targets, type(thread).run)))


def _is_users(target: Any) -> bool:
    while isinstance(target, functools.partial | MethodType):
        target = (
            target.func if isinstance(target, functools.partial) else (target.__func__)
        )
    return isinstance(target, FunctionType) and origin.is_user_function(target)


def _runs_users(frame: FrameType | None) -> bool:
    while frame is not None:
        filename = frame.f_code.co_filename
        # libraries make code too: `<string>`, `<decorator-gen-3>`
        is_made = filename.startswith("<") and "ipython-input" not in filename
        if not is_made and origin.is_user_file(filename):
            return True
        frame = frame.f_back
    return False
