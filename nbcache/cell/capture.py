"""Record what a cell shows while it is shown: one permanent tee per process.

The tee wraps the few methods that all output goes through: `write` of ``sys.stdout``
and ``sys.stderr``, `publish` and `clear_output` of the display publisher, and the
writing methods of the display hook.  While no recording is open the wrappers only
pass on.  They are never taken off after a cell: other code may hold them (tqdm keeps
``sys.stderr.write``), and recordings in several threads or tasks do not end in the
order in which they began.

IPython 9 wraps `write` itself for each cell and afterwards puts back what it found,
which removes a tee that was installed in that cell.  So each recording looks whether
the tee is still there.
"""

from __future__ import annotations

import copy
import functools
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from nbcache.cell.descriptors import (
    drain,
    is_forked,
    without_marks,
    write_from_fork,
)
from nbcache.cell.recording import Recording, is_recording, opened, targets
from nbcache.cell.tracebacks import showing_user_frames
from nbcache.outputs import Clear, Display, Result, Stream

__all__ = ["Recording", "install", "muted", "recording", "uninstall"]

_Method = Callable[..., Any]

_MARK = object()
_is_muted: ContextVar[bool] = ContextVar("nbcache_muted", default=False)
_inside = threading.local()


@contextmanager
def recording(shell: Any, *, figures: bool = True) -> Iterator[Recording]:
    """Record what is shown inside the `with` block, while it is shown.

    Parameters
    ----------
    shell : InteractiveShell
        Whose outputs are recorded.
    figures : bool
        Whether figures of the inline backend that the block leaves open are shown at
        its end, as IPython does at the end of a cell.  False for a part of a cell,
        which may still draw on them.

    Yields
    ------
    Recording
        Complete once the block has ended.

    Notes
    -----
    Events belong to the recording of the context that they happen in, and to those
    around it; events of other threads belong to the recording opened last.  Recordings
    may be nested and may run in several threads or tasks at once.
    """
    install(shell)
    drain()
    flush = figures and not _is_drawing()
    hook, publisher = shell.displayhook, shell.display_pub
    with opened(sys.stdout, sys.stderr, hook, publisher) as record:
        record.is_shown = not _is_muted.get()
        token = _is_muted.set(False)
        try:
            yield record
            if flush:
                _flush_figures()
            record.is_whole = drain()
        finally:
            _is_muted.reset(token)


@contextmanager
def muted(shell: Any) -> Iterator[None]:
    """Show nothing of what the `with` block writes or displays in this context.

    A `recording` that is opened inside hears it all the same.

    Streams are not replaced meanwhile: a logging handler made in the block would keep
    the replacement for good.

    Parameters
    ----------
    shell : InteractiveShell
        Whose outputs are dropped.
    """
    install(shell)
    token = _is_muted.set(True)
    try:
        yield
    finally:
        _is_muted.reset(token)


def _is_drawing() -> bool:
    """Tell whether an inline figure waits to be shown.

    It belongs to the cell around a recording that begins now, which may go on drawing.
    """
    backend = sys.modules.get("matplotlib_inline.backend_inline")
    return backend is not None and bool(backend.show._draw_called)


def _flush_figures() -> None:
    backend = sys.modules.get("matplotlib_inline.backend_inline")
    if backend is not None:
        backend.flush_figures()


# --------------------------------------------------------------------- the wrappers


def install(shell: Any) -> None:
    """Put the tee on the streams and the shell, where it is not yet.

    Parameters
    ----------
    shell : InteractiveShell
        Of ipykernel or of a terminal.
    """
    for owner, name, tee in _places(shell):
        method = getattr(owner, name, None)
        if method is None or getattr(method, "nbcache_tee", None) is _MARK:
            continue
        wrapper = functools.wraps(method)(tee(owner, method))
        wrapper.nbcache_tee = _MARK  # type: ignore[attr-defined]
        wrapper.nbcache_own = name in vars(owner)  # type: ignore[attr-defined]
        setattr(owner, name, wrapper)


def uninstall(shell: Any) -> None:
    """Take the tee off again.

    Where other code has wrapped a method since, the tee stays below and passes on.

    Parameters
    ----------
    shell : InteractiveShell
        The shell given to `install`.
    """
    for owner, name, _ in _places(shell):
        wrapper: Any = getattr(owner, name, None)
        if getattr(wrapper, "nbcache_tee", None) is not _MARK:
            continue
        if wrapper.nbcache_own:
            setattr(owner, name, wrapper.__wrapped__)
        else:
            delattr(owner, name)


def _places(shell: Any) -> Iterator[tuple[Any, str, Callable[[Any, _Method], _Method]]]:
    """Give each method that output passes, with what to wrap it in."""
    for stream in ("stdout", "stderr"):
        owner = getattr(sys, stream)
        # a stream without attributes of its own (None under pythonw) cannot be heard
        if hasattr(owner, "__dict__"):
            yield owner, "write", functools.partial(_tee_write, stream)
    yield shell.display_pub, "publish", _tee_publish
    yield shell.display_pub, "clear_output", _tee_clear
    yield shell.displayhook, "write_format_data", _tee_result
    yield shell.displayhook, "update_user_ns", _tee_value
    # a terminal writes its prompt and separators as text
    yield shell.displayhook, "write_output_prompt", _pass_on
    yield shell.displayhook, "finish_displayhook", _pass_on
    yield shell, "_showtraceback", _tee_error
    yield shell, "showtraceback", _show_user_frames
    if not hasattr(sys.stdout, "watch_fd_thread"):
        yield shell, "system", _tee_system


def _is_outermost() -> bool:
    """Tell whether no other wrapper of the tee is at work in this thread."""
    return not getattr(_inside, "depth", 0)


def _within(method: _Method, *args: Any, **options: Any) -> Any:
    """Call what a wrapper wraps; a terminal displays by writing, heard but once."""
    depth = getattr(_inside, "depth", 0)
    _inside.depth = depth + 1
    try:
        return method(*args, **options)
    finally:
        _inside.depth = depth


def _tee_write(name: str, stream: Any, write: _Method) -> _Method:
    def teed(text: str, *args: Any, **options: Any) -> Any:
        with without_marks(name, text) as kept:
            return recorded(text, kept, *args, **options)

    def recorded(text: str, kept: str, *args: Any, **options: Any) -> Any:
        if _is_muted.get() or (text and not kept):
            return len(text)
        if not is_recording():
            return write(kept, *args, **options)
        if is_forked() and write_from_fork(name, stream, kept):
            return len(text)
        heard = tuple(targets(stream))
        written = len(text)
        if _are_shown(heard):
            written = _within(write, kept, *args, **options)
        if kept and _is_outermost():
            for record in heard:
                record.add(Stream(name, kept))
        return written

    return teed


def _tee_publish(publisher: Any, publish: _Method) -> _Method:
    def teed(data: Any, metadata: Any = None, *args: Any, **options: Any) -> None:
        if _is_muted.get():
            return
        heard = tuple(targets(publisher))
        if _are_shown(heard):
            _within(publish, data, metadata, *args, **options)
        if heard and _is_outermost():
            event = Display(
                _snapshot(data),
                _snapshot(metadata),
                transient=dict(options.get("transient") or {}),
                update=bool(options.get("update")),
            )
            for record in heard:
                record.add(event)

    return teed


def _tee_clear(publisher: Any, clear: _Method) -> _Method:
    def teed(wait: bool = False) -> None:
        if _is_muted.get():
            return
        heard = tuple(targets(publisher))
        if _are_shown(heard):
            _within(clear, wait)
        if _is_outermost():
            for record in heard:
                record.add(Clear(bool(wait)))

    return teed


def _tee_result(hook: Any, write: _Method) -> _Method:
    def teed(data: Any, metadata: Any = None) -> None:
        heard = tuple(targets(hook))
        if heard:
            # what child processes wrote stands before it, on a replay too
            drain()
        if _are_shown(heard):
            _within(write, data, metadata)
        if heard and _is_outermost():
            event = Result(_snapshot(data), _snapshot(metadata))
            for record in heard:
                record.add(event)

    return teed


def _tee_value(hook: Any, update: _Method) -> _Method:
    def teed(value: Any) -> None:
        update(value)
        for record in targets(hook):
            record.result, record.value = True, value

    return teed


def _tee_error(shell: Any, show: _Method) -> _Method:
    def teed(*args: Any, **options: Any) -> None:
        heard = tuple(targets(shell.displayhook))
        if _are_shown(heard):
            show(*args, **options)
        for record in heard:
            record.error_shown = True

    return teed


def _show_user_frames(_shell: Any, show: _Method) -> _Method:
    return showing_user_frames(show)


def _tee_system(shell: Any, system: _Method) -> _Method:
    """Run ``!command`` where its output can be heard.

    A terminal's shell hands its own file descriptors to the command; IPython's other
    way copies what it writes to ``sys.stdout``.
    """

    def teed(command: str) -> Any:
        if is_recording() and not command.rstrip().endswith("&"):
            return shell.system_piped(command)
        return system(command)

    return teed


def _pass_on(_owner: Any, method: _Method) -> _Method:
    return functools.partial(_within, method)


def _are_shown(heard: tuple[Recording, ...]) -> bool:
    """Tell whether an event is shown, not only recorded."""
    return all(record.is_shown for record in heard)


def _snapshot(data: Any) -> dict[str, Any]:
    """Copy a bundle so that later changes do not reach the copy."""
    try:
        return copy.deepcopy(dict(data or {}))
    except Exception:
        # whatever cannot be copied was sent to the front end all the same
        return dict(data or {})
