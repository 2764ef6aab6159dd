"""One run of a batch: a call with named parameters, computed once."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from nbcache.batch.failures import Failure, drop_failure, keep_failure, read_failure
from nbcache.batch.identity import digest_id, state_of
from nbcache.batch.parameters import kept_parameters
from nbcache.cache import Core
from nbcache.candidates import Candidates
from nbcache.cores import default_core
from nbcache.decorator.failures import unwanted
from nbcache.decorator.wrapper import Wrapper
from nbcache.errors import NotCached, UnhashableValue
from nbcache.executors.attempt import attempt_here
from nbcache.executors.callee import Callee
from nbcache.executors.point import FAILED, RETURNED, Point, Report
from nbcache.outcome import Hit, Request
from nbcache.storage.entry import Entry

if TYPE_CHECKING:
    from nbcache.batch.batch import Batch

__all__ = ["Run"]


_OURS = frozenset({"_inside", "_origin"})


@dataclass
class _Inside:
    """What a run knows of itself, apart from the user's attributes.

    Parameters
    ----------
    core : callable
        Gives the core that has its results.
    held : tuple, optional
        A result that is stored nowhere, and its seconds.
    """

    batch: Batch | None
    saveresult: bool
    callee: Callee
    bound: inspect.BoundArguments
    core: Callable[[], Core]
    index: int | None = None
    held: tuple[Any, float] | None = None
    failure: Failure | None = None

    @cached_property
    def wrapper(self) -> Wrapper[..., Any]:
        """The cached function that is called."""
        if self.batch is not None:
            return self.batch._wrapper(self.callee, self.core)
        return self.callee.wrapper(self.core)


class Run:
    """A run; its class is subclassed with a method ``run(self, **named)``.

    Parameters
    ----------
    batch : Batch, optional
        Where its results are kept.  `Batch.add_run` adds a run to it.
    saveresult : bool
        Whether its result is stored; off: nothing is read or written.
    **parameters
        Of the method ``run``; those that are not given have their defaults.

    Raises
    ------
    UnknownParameter
        ``run`` takes none of that name.
    TypeError
        One is missing, or there is no method ``run``.

    Notes
    -----
    A run is a cached call: code and parameters decide whether it is computed.
    Attributes that ``__init__`` sets count like parameters; ``batch`` and ``index`` do
    not, nor do parameters whose names begin with ``_``.  Attributes that ``run`` sets
    are gone when it ends, as a stored result could not bring them back.
    """

    _inside: _Inside
    _origin: weakref.ref[Run] | None = None

    def __init__(
        self,
        batch: Batch | None = None,
        *,
        saveresult: bool = True,
        **parameters: Any,
    ) -> None:
        kind = type(self)
        if not callable(getattr(kind, "run", None)):
            raise TypeError(
                f"{kind.__name__} has no method run(self, **named), which computes "
                "the result"
            )
        self._begin(batch, saveresult, Callee(kind), parameters)

    def _begin(
        self,
        batch: Batch | None,
        saveresult: bool,
        callee: Callee,
        parameters: Mapping[str, Any],
    ) -> None:
        bound = callee.bind(parameters)
        core = default_core if batch is None else batch._core_of(callee)
        self._inside = _Inside(batch, saveresult, callee, bound, core)

    def _join(self, batch: Batch, index: int) -> None:
        """Become the run of a batch."""
        inside = self._inside
        if inside.batch is not None and inside.index is not None:
            raise ValueError(f"{self!r} is in the batch {inside.batch.name!r} already")
        if inside.batch is not batch:
            inside.batch, inside.core = batch, batch._core_of(inside.callee)
            inside.__dict__.pop("wrapper", None)
        inside.callee, inside.index = batch._shared(inside.callee), index

    # --- what it is

    @property
    def batch(self) -> Batch | None:
        """The batch that it belongs to."""
        return self._inside.batch

    @property
    def index(self) -> int | None:
        """Its place in the batch; None if it was not added to one."""
        return self._inside.index

    @property
    def saveresult(self) -> bool:
        """Whether its result is stored."""
        return self._inside.saveresult

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters, with defaults, without those that begin with ``_``."""
        found: dict[str, Any] = {}
        for name, value in self._inside.bound.arguments.items():
            kind = self._inside.bound.signature.parameters[name].kind
            found.update(
                value if kind is inspect.Parameter.VAR_KEYWORD else {name: value}
            )
        return {name: found[name] for name in found if not name.startswith("_")}

    @property
    def id(self) -> str:
        """32 hexadecimal digits that name and parameters make, unchanged by edits."""
        name = self._inside.callee.name
        return digest_id(name, self.parameters, self.index, self._state())

    def _state(self) -> dict[str, Any]:
        """Give what tells runs apart besides their parameters."""
        callee = self._inside.callee
        return self._own() if callee.is_class else state_of(callee.target)

    @property
    def key(self) -> str:
        """Digest of the key: code, dependencies and parameters; "" if it has none."""
        try:
            return str(self._inside.wrapper.key(*self._args(), **self._kwargs()).digest)
        except UnhashableValue:
            return ""

    def _args(self) -> tuple[Any, ...]:
        # what it belongs to is no part of a call, and would be looked through
        bare = type(self).__new__(type(self))
        vars(bare).update(self._own())
        bare._origin = weakref.ref(self)
        return self._inside.callee.arguments(bare, self._inside.bound)[0]

    def _kwargs(self) -> dict[str, Any]:
        return dict(self._inside.bound.kwargs)

    def __repr__(self) -> str:
        named = ", ".join(
            f"{name}={_short(value)}" for name, value in self.parameters.items()
        )
        return f"<run {self._inside.callee.name}({named})>"

    # --- as part of a key, and in other processes

    def __nbcache_hash__(self) -> tuple[type, dict[str, Any]]:
        """Give what counts of a run: its class, and attributes of the user's."""
        return type(self), self._own()

    def _own(self) -> dict[str, Any]:
        return {name: held for name, held in vars(self).items() if name not in _OURS}

    def __getstate__(self) -> dict[str, Any]:
        """Leave batch, store and parameters where they are: they travel apart."""
        return self._own()

    def _for_call(self, bound: inspect.BoundArguments) -> Self:
        """Give a run whose attributes may be changed, with what it is called with."""
        bound.apply_defaults()
        other = type(self).__new__(type(self))
        vars(other).update(self._own())
        origin = self._origin() if self._origin else None
        if origin is None:
            other._inside = _Inside(None, True, Callee(type(self)), bound, default_core)
        else:
            other._inside = replace(origin._inside, bound=bound)
        return other

    # --- its result

    def _point(self, refresh: bool = False) -> tuple[Point, Request | None]:
        """Give the call, and what is asked of the store; None if it has no key."""
        inside = self._inside
        wrapper, core = inside.wrapper, inside.core()
        point = Point(
            inside.callee,
            self._args(),
            self._kwargs(),
            key="",
            label="",
            folder=str(core.store.folder),
            settings=core.settings,
            keep=inside.saveresult and not wrapper._is_off(core),
            refresh=refresh or wrapper._options.refresh or core.settings.refresh,
        )
        try:
            request, _ = wrapper._request(point.args, point.kwargs, refresh=refresh)
        except UnhashableValue:
            return point, None
        point.key = request.key.digest
        point.parts = {part.label: part.digest for part in request.key.parts}
        return point, request

    def _looked_up(self, refresh: bool) -> tuple[Point, bool]:
        """Give the call, and whether it need not be made."""
        point, request = self._point(refresh)
        is_done = not refresh and self._inside.held is not None
        if not is_done:
            is_done = request is not None and self._is_stored(point, request)
        if not is_done:
            self._describe(point)
        return point, is_done

    def _is_stored(self, point: Point, request: Request) -> bool:
        core = self._inside.core()
        if point.refresh or not point.keep or core.store.trust == "none":
            return False
        found = Candidates(core.store, request).find()
        if not isinstance(found, Hit):
            return False
        found.opened.close()
        wanted = self._inside.wrapper._options.cache_exceptions
        return not unwanted(found.opened.entry, wanted)

    def _describe(self, point: Point) -> None:
        """Enter what only a call that is made needs: what is told and kept of it."""
        inside = self._inside
        private = inside.wrapper._options.private
        told = {
            "id": self.id,
            "batch": inside.batch.name if inside.batch is not None else "",
            "parameters": kept_parameters(self.parameters, private=private),
            "given": self._given(),
        }
        index = inside.index
        point.label = repr(self) if index is None else f"run {index} {self!r}"
        point.state = {"run": told}

    def _given(self) -> str:
        """Digest parameters and state, but no code: what tells two runs of one id."""
        return digest_id(self._inside.callee.name, self.parameters, None, self._state())

    def __call__(self) -> Any:
        """Give the result: the stored one, or what a run computes.

        Raises
        ------
        Exception
            What the run raises.
        """
        if self._inside.held is not None:
            return self._inside.held[0]
        core = self._inside.core()
        point, _ = self._point()
        self._describe(point)
        report = attempt_here(0, point, self._inside.wrapper, core)
        self._heard(report)
        is_kept = point.keep and bool(point.key)
        if report.failed is not None:
            if is_kept:
                failure = keep_failure(core, self, point.key, report.failed)
                self._inside.failure = failure
            raise report.failed.error
        if is_kept:
            drop_failure(core, point.key)
        return self.load()

    def _heard(self, report: Report) -> None:
        """Take in what came of a run that was just made."""
        inside = self._inside
        inside.held = inside.failure = None
        if report.status == RETURNED and report.entry is None:
            inside.held = report.value, report.seconds
        if report.status == FAILED:
            assert report.failed is not None
            inside.failure = Failure.of(self, report.failed)

    @property
    def done(self) -> bool:
        """Whether there is a result that a run made now would give."""
        if self._inside.held is not None:
            return True
        return self._entry() is not None

    def _entry(self) -> Entry | None:
        """Give the entry of the result, if that may be used."""
        inside = self._inside
        if not inside.saveresult:
            return None
        try:
            found = inside.wrapper._lookup(self._args(), self._kwargs())
        except UnhashableValue:
            return None
        if not isinstance(found, Hit):
            return None
        found.opened.close()
        return found.opened.entry

    def load(self) -> Any:
        """Give the result, running nothing; None if there is none."""
        inside = self._inside
        if inside.held is not None:
            return inside.held[0]
        if not inside.saveresult:
            return None
        try:
            return inside.wrapper.peek(*self._args(), **self._kwargs())
        except (NotCached, UnhashableValue):
            return None

    @property
    def result(self) -> Any:
        """The result; None if there is none."""
        return self.load()

    @property
    def runtime(self) -> float | None:
        """Seconds that the run took; None if there is no result."""
        if self._inside.held is not None:
            return self._inside.held[1]
        entry = self._entry()
        return None if entry is None else entry.seconds

    @property
    def filename(self) -> str:
        """Where the entry is, or would be."""
        entry, place = self._entry(), self._inside.core().store.place
        if entry is not None:
            return str(place.entries / entry.key[:2] / entry.file)
        key = self.key
        return str(place.entry(key)) if key else ""

    @property
    def error(self) -> Failure | None:
        """What the last attempt raised; None if it did not fail."""
        inside = self._inside
        if not inside.saveresult:
            return inside.failure
        if self.done:
            return None
        return inside.failure or read_failure(inside.core(), self)

    def clear(self) -> bool:
        """Delete the result; say whether there was one."""
        inside = self._inside
        was_held, inside.held, inside.failure = inside.held is not None, None, None
        if not inside.saveresult:
            return was_held
        key, store = self.key, inside.core().store
        if not key:
            return was_held
        drop_failure(inside.core(), key)
        named = store.by_name(inside.callee.name)
        own = [one for one in named if key in (one.key, one.lookup)]
        return bool(store.delete(own)) or was_held


def _short(value: Any) -> str:
    text = repr(value) if isinstance(value, int | float | str | bool | None) else ""
    return text if 0 < len(text) <= 30 else type(value).__name__
