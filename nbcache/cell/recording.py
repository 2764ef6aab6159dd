"""Recordings of what cells show, and which of them an event belongs to."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from nbcache.cell.freeze import freeze_widgets
from nbcache.outputs import Output, Stream, coalesce

__all__ = ["Recording", "is_recording", "opened", "targets"]

# Raw events are shortened from here on, so that a cell that prints for hours does not
# fill the memory: four times what is kept in the end.
_RAW_BYTES = 40_000_000
_RAW_EVENTS = 100_000

_current: ContextVar[Recording | None] = ContextVar("nbcache_recording", default=None)
_open: list[Recording] = []


class Recording:
    """The events of one cell, in order.

    Parameters
    ----------
    channels : tuple
        The streams, publisher and display hook whose events it hears.
    origin : str, optional
        Id of the request whose cell shows the events; None outside ipykernel.
    outer : Recording, optional
        The one around it, which hears the same events.

    Attributes
    ----------
    events : list of Output
        What happened so far.
    result : bool
        Whether a value was displayed as ``Out[n]``.
    value : object
        The last such value; None without one.
    error_shown : bool
        Whether a traceback was shown though the cell went on (a failing ``%run``, a
        failing ``__repr__``).  The outputs do not hold it.
    is_whole : bool
        Whether all that was written to file descriptors has arrived at the end.
    is_shown : bool
        Whether the events are shown too.  If not, they reach no recording around it.
    """

    def __init__(
        self,
        channels: tuple[Any, ...] = (),
        origin: str | None = None,
        outer: Recording | None = None,
    ) -> None:
        self.events: list[Output] = []
        self.result = False
        self.value: Any = None
        self.error_shown = False
        self.is_whole = True
        self.is_shown = True
        self.is_open = True
        self.origin = origin
        self.outer = outer
        self._channels = channels
        self._raw_bytes = 0
        self._raw_events = 0
        # Reentrant, since a signal handler or finaliser may print at any time.  It is
        # held only while the list changes, never while user code runs.
        self._lock = threading.RLock()

    def hears(self, channel: Any) -> bool:
        """Tell whether events of a channel are shown where this recording listens.

        Parameters
        ----------
        channel : object
            A stream, publisher or display hook.

        Returns
        -------
        bool
            False for the streams of a `capture_output` inside the cell, say.
        """
        return any(channel is own for own in self._channels)

    def add(self, event: Output) -> None:
        """Append an event.

        Parameters
        ----------
        event : Output
            What was just shown.
        """
        with self._lock:
            self.events.append(event)
            self._raw_events += 1
            if isinstance(event, Stream):
                self._raw_bytes += len(event.text)
            if self._raw_bytes > _RAW_BYTES or self._raw_events > _RAW_EVENTS:
                self.events[:] = coalesce(self.events, max_bytes=_RAW_BYTES)
                self._raw_bytes = self._raw_events = 0

    def close(self) -> None:
        """End the recording: widgets become the text that they show by now."""
        self.is_open = False
        # asks widgets for their text, thus outside the lock
        frozen = freeze_widgets(self.events)
        with self._lock:
            self.events[:] = frozen

    def outputs(self) -> tuple[Output, ...]:
        """Give the events as they are stored.

        Returns
        -------
        tuple of Output
            Coalesced, and cut to what the outputs of a cell may take up.
        """
        with self._lock:
            return coalesce(self.events)


@contextmanager
def opened(*channels: Any) -> Iterator[Recording]:
    """Give a recording that is open inside the `with` block.

    Parameters
    ----------
    *channels : object
        The streams, publisher and display hook that it hears.

    Yields
    ------
    Recording
        The current one of this context.
    """
    origin = _origin(channels[-1])
    # In a thread of the cell: part of the cell, not of what another thread records.
    around = _nearest_open(_current.get()) or _first_of(origin, _open)
    record = Recording(channels, origin, around)
    token = _current.set(record)
    _open.append(record)
    try:
        yield record
    finally:
        _open.remove(record)
        _current.reset(token)
        record.close()


def is_recording() -> bool:
    """Tell whether any recording is open.

    Returns
    -------
    bool
        False most of the time; cheap.
    """
    return bool(_open)


def targets(channel: Any) -> Iterator[Recording]:
    """Give the recordings that an event belongs to.

    Parameters
    ----------
    channel : object
        The stream, publisher or display hook that the event passes.

    Yields
    ------
    Recording
        That of this context, else the one opened last, and those around it.
    """
    if not _open:
        return
    # An event of a thread or task that has no recording.  What a front end shows in
    # the cell that started the thread belongs to no later one.
    record = _nearest_open(_current.get()) or _first_of(_origin(channel), _open[::-1])
    while record is not None:
        if record.is_open and record.hears(channel):
            yield record
        record = record.outer if record.is_shown else None


def _nearest_open(record: Recording | None) -> Recording | None:
    while record is not None and not record.is_open:
        record = record.outer
    return record


def _first_of(origin: str | None, records: list[Recording]) -> Recording | None:
    """Give the first that may be shown in the same cell."""
    for record in records.copy():
        if None in (origin, record.origin) or record.origin == origin:
            return record
    return None


def _origin(channel: Any) -> str | None:
    """Give the request whose cell shows what this channel is given now."""
    header = getattr(channel, "parent_header", None)
    return header.get("msg_id") if isinstance(header, Mapping) else None
