"""Cut what is not the user's out of tracebacks: our frames, and the call of the magic.

As an error leaves the magic, the frames of IPython's call and of the generated line
``get_ipython().run_cell_magic(...)`` join its traceback.  No `with_traceback` inside
the magic can prevent that, so `install` (in `nbcache.cell.capture`) has IPython cut
them when it shows the error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

from nbcache.errors import NbcacheError

__all__ = ["showing_user_frames", "user_traceback"]

# names in the code that IPython and our transformer make of a cell with a magic
_CELL_MAGIC = ("get_ipython", "run_cell_magic")
_REGISTERED_MAGIC = ("get_ipython", "magics_manager", "registry")


def user_traceback(error: BaseException, filename: str) -> BaseException:
    """Give the error with a traceback that begins in the user's cell.

    Parameters
    ----------
    error : BaseException
        What the body of a cell raised.
    filename : str
        Of the body.

    Returns
    -------
    BaseException
        The same error.  Frames above the body's, those of nbcache below it and those
        with a true ``__tracebackhide__`` are gone; unchanged if none is of the body.
    """
    entries = list(_entries(error.__traceback__))
    start = next(
        (
            place
            for place, entry in enumerate(entries)
            if entry.tb_frame.f_code.co_filename == filename
        ),
        None,
    )
    if start is None:
        return error
    kept = [
        entry
        for entry in entries[start:]
        if not (_is_ours(entry.tb_frame) or _is_hidden(entry.tb_frame))
    ]
    return error.with_traceback(_joined(kept))


def showing_user_frames(show: Callable[..., Any]) -> Callable[..., Any]:
    """Give a `showtraceback` that leaves out frames which are not the user's.

    Parameters
    ----------
    show : callable
        `InteractiveShell.showtraceback`.

    Returns
    -------
    callable
        The same for the current exception or the given one.
    """

    def shows(exc_tuple: Any = None, *args: Any, **options: Any) -> Any:
        error = sys.exc_info()[1] if exc_tuple is None else exc_tuple[1]
        if isinstance(error, BaseException):
            for one in _chain(error):
                _cut(one)
            if exc_tuple is not None:
                exc_tuple = (exc_tuple[0], error, error.__traceback__)
        return show(exc_tuple, *args, **options)

    return shows


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give the error and those that led to it."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__]
            waiting += getattr(one, "exceptions", ())
            yield one


def _cut(error: BaseException) -> None:
    entries = list(_entries(error.__traceback__))
    ours = [_is_ours(entry.tb_frame) for entry in entries]
    if not any(ours):
        return
    compiled = len(entries) > 1 and ours[-2] and _is_compiler(entries[-1])
    if compiled and isinstance(error, SyntaxError):
        # IPython shows a cell that does not compile without any frames
        error.with_traceback(None)
        return
    if ours[-1] and not isinstance(error, NbcacheError):
        # a bug of nbcache, which its frames help to find
        return
    dropped = _dropped(entries, ours)
    kept = [entry for place, entry in enumerate(entries) if not dropped[place]]
    # the first is IPython's `run_code`, which it leaves out by itself
    if len(kept) > 1:
        error.with_traceback(_joined(kept))


def _dropped(entries: list[TracebackType], ours: list[bool]) -> list[bool]:
    """Our frames, and before each of them those of the call of the magic."""
    dropped = ours.copy()
    for place in range(len(entries) - 1, 0, -1):
        if dropped[place] and place > 1 and _is_call(entries[place - 1].tb_frame):
            dropped[place - 1] = True
    return dropped


def _is_ours(frame: FrameType) -> bool:
    """Tell whether a frame is of nbcache, or the call of one of its magics."""
    if frame.f_code.co_names[:-1] == _REGISTERED_MAGIC or _is_named(frame, "nbcache"):
        return True
    if frame.f_code.co_name not in ("run_cell_magic", "run_line_magic"):
        return False
    # a bare `raise` in the magic leaves no frame of its own
    module = getattr(frame.f_locals.get("fn"), "__module__", None)
    return str(module).startswith("nbcache.")


def _is_named(frame: FrameType, package: str) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    return name == package or name.startswith(f"{package}.")


def _is_hidden(frame: FrameType) -> bool:
    # at the top level the variables are those of the notebook
    is_function = not frame.f_code.co_name.startswith("<")
    return is_function and bool(frame.f_locals.get("__tracebackhide__"))


def _is_compiler(entry: TracebackType) -> bool:
    name = entry.tb_frame.f_globals.get("__name__")
    return name in ("codeop", "IPython.core.compilerop")


def _is_call(frame: FrameType) -> bool:
    """Tell whether a frame is IPython's, or of the line generated for a magic."""
    return frame.f_code.co_names == _CELL_MAGIC or _is_named(frame, "IPython")


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _joined(entries: list[TracebackType]) -> TracebackType | None:
    joined: TracebackType | None = None
    for entry in reversed(entries):
        joined = TracebackType(joined, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return joined
