"""What is asked of the cache, and what it answers, as data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, Protocol, TypeVar

from nbcache.keys.key import Change, Key
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content, Opened
from nbcache.trace.observed import Observed

__all__ = [
    "NOT_WORTH_IT",
    "Computed",
    "Hit",
    "Miss",
    "Outcome",
    "Request",
    "Restored",
    "Task",
    "hit_outcome",
    "outcomes",
]

Value = TypeVar("Value")

NOTICEABLE_S = 0.5
"""Below, storing that takes longer than computing is not worth a word."""

NOT_WORTH_IT = "storing took longer than computing: caching is not worth it here"


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Parameters
    ----------
    key : Key
        Identity of the computation.
    name : str
        The user's handle for it.
    kind : str
        ``function`` or ``cell``.
    slug : str
        Readable beginning of the entry's file name.
    also : tuple of Key
        Keys whose entries hold the same result.
    refresh, read, write : bool
        Compute in any case; look for an entry; store the result.
    expires_after : float, optional
        s after which an entry is too old to be used.
    validate : callable (dict) -> bool, optional
        Says from an entry's metadata whether it may be used.
    min_seconds : float
        s; what took less to compute is not stored.
    lock_timeout : float, optional
        s to wait for whoever computes the same; None waits while it lives.
    tags : tuple of str
        The user's words for an entry, to list and clear by.
    rng : {'keep', 'refuse', 'ignore'}
        What becomes of values that nobody seeded, see `randomness`.
    private : bool
        Keep no summaries of values in the entry, and never share it.
    memory : bool
        Whether a hit may come from what this process keeps of the entry's file.
    state : mapping
        Plain data that a new entry keeps in its own.
    """

    key: Key
    name: str
    kind: str
    slug: str = ""
    also: tuple[Key, ...] = ()
    notebook: str = ""
    refresh: bool = False
    read: bool = True
    write: bool = True
    expires_after: float | None = None
    validate: Callable[[dict[str, Any]], bool] | None = None
    min_seconds: float = 0.0
    lock_timeout: float | None = None
    tags: tuple[str, ...] = ()
    private: bool = False
    rng: str = "keep"
    memory: bool = False
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored result that may be used."""

    opened: Opened


@dataclass(frozen=True, slots=True)
class Miss:
    """Why nothing stored may be used.

    Parameters
    ----------
    reason : str
        new, code, input, dependency, library, file, damaged, unreadable, untrusted,
        expired, invalid, refreshed, disabled.
    changes : tuple of Change
        Parts that differ from the nearest earlier entry of the name.
    detail : str
        What else is to be said.
    damaged : tuple of str
        Keys of entries whose files are damaged.
    earlier : Entry, optional
        The entry from which the changes are told.
    """

    reason: str
    changes: tuple[Change, ...] = ()
    detail: str = ""
    damaged: tuple[str, ...] = ()
    earlier: Entry | None = None

    def __str__(self) -> str:
        """Say it as a notice does."""
        told = ", ".join(map(str, self.changes)) or self.detail
        return {"new": "first run"}.get(self.reason, told or self.reason)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one request; notices, `why` and listings all show this.

    Parameters
    ----------
    storing : float
        s that encoding and writing took.
    explained : dict
        Plain data that `explaining.story` makes of a miss: all that `why` says of it,
        in a later process too.
    """

    name: str
    kind: str
    key: str | None
    hit: bool
    reason: str
    stored: bool
    seconds: float
    changes: tuple[str, ...] = ()
    refused: str = ""
    saved: float = 0.0
    bytes: int = 0
    created: float = 0.0
    variables: tuple[str, ...] = ()
    explained: dict[str, Any] = field(default_factory=dict)
    storing: float = 0.0

    @property
    def is_not_worth_it(self) -> bool:
        """Whether storing took longer than computing, and long enough to be noticed."""
        return self.stored and self.storing > max(self.seconds, NOTICEABLE_S)

    def to_json(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def hit_outcome(name: str, kind: str, entry: Entry, seconds: float) -> Outcome:
    """Give the outcome of a request that an entry answered in some seconds."""
    return Outcome(
        name=name,
        kind=kind,
        key=entry.key,
        hit=True,
        reason="",
        stored=True,
        seconds=seconds,
        saved=entry.seconds,
        bytes=entry.bytes,
        created=entry.created,
        variables=tuple(str(row[0]) for row in entry.variables),
    )


def _whole(one: Any) -> Outcome:
    found: Outcome = one
    if type(one) is tuple:
        found = replace(one[0], seconds=one[1])
    return found


class Outcomes(deque[Any]):
    """Outcomes, oldest first.

    A hit like an earlier one may be a tuple: the outcome of that, and the seconds that
    it took itself.  Its own outcome, which costs as much as a hit, is made when
    somebody looks at it.
    """

    def __getitem__(self, index: Any) -> Any:
        return _whole(super().__getitem__(index))

    def __iter__(self) -> Iterator[Outcome]:
        return map(_whole, super().__iter__())

    def __reversed__(self) -> Iterator[Outcome]:
        return map(_whole, super().__reversed__())


outcomes: Outcomes = Outcomes(maxlen=1000)
"""The latest outcomes of this process, oldest first."""


@dataclass(slots=True)
class Computed(Generic[Value]):
    """A result fresh from the user's code.

    Parameters
    ----------
    value
        What the caller gets.
    seconds : float
        s that computing took.
    refused : str
        Why it may not be stored; '' if it may.
    told : str
        What a hit will not repeat.
    found, written : tuple of Observed
        What it found outside its key, and what it left on disk.
    is_overtaken : bool
        Whether another process has stored its result first.
    """

    value: Value
    seconds: float
    refused: str = ""
    told: str = ""
    found: tuple[Observed, ...] = ()
    written: tuple[Observed, ...] = ()
    is_overtaken: bool = False


class Task(Protocol[Value]):
    """How one request is computed, encoded and restored."""

    def compute(self) -> Computed[Value]:
        """Run the user's code; its errors pass."""

    def encode(self, computed: Computed[Value]) -> tuple[Entry, Content]:
        """Give the entry of a result.

        Raises
        ------
        UnstorableValue
            It cannot be kept.
        """

    def restore(self, opened: Opened) -> Value:
        """Decode everything, and only then put it where a run would have.

        Raises
        ------
        NbcacheError, LookupError
            It cannot be used here and now; nothing has been touched.
        """


@dataclass(frozen=True, slots=True)
class Restored(Generic[Value]):
    """The value of a hit."""

    value: Value
