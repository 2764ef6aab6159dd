"""What a collection of metrics is: where its values are, and which functions it has."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from nbcache.cache import Core, warn
from nbcache.cores import default_core
from nbcache.errors import UnknownName
from nbcache.metrics import live
from nbcache.metrics.fetching import Answer, day, digest_now
from nbcache.metrics.functions import Functions
from nbcache.metrics.held import Held
from nbcache.metrics.kept import Kept
from nbcache.metrics.metric import Metric, NameGeneration, collected, module_of_metric
from nbcache.metrics.names import Given
from nbcache.metrics.task import MetricFunction
from nbcache.metrics.telling import tell
from nbcache.trace.observed import Unknowable
from nbcache.wording import near

if TYPE_CHECKING:
    from nbcache.metrics.shelf import Shelves

__all__ = ["Collection", "UnknownMetric"]

Function = TypeVar("Function", bound=Callable[..., Any])

# calls that were not declared, whose arguments are remembered
_MOST_MET = 1000
_TRACKS = ("auto", "source", "none")


class UnknownMetric(UnknownName, AttributeError):  # type: ignore[misc]
    """No metric has this name; an attribute may be asked for as well as a name."""


class Collection:
    """Functions by name, and the place of their values; see `Metrics`."""

    __nbcache_opaque__ = True

    def __init__(
        self,
        where: Any = None,
        *,
        name: str = "metrics",
        dynamic: bool = False,
        track: str = "auto",
    ) -> None:
        if not (isinstance(name, str) and name.strip()):  # type: ignore[redundant-expr]
            raise ValueError(f"metrics have a name, not {name!r}")
        if track not in _TRACKS:
            raise ValueError(f"track is {', '.join(_TRACKS)}, not {track!r}")
        self.name, self.dynamic, self.track = name, dynamic, track
        self.where = where
        self._shelves = _shelves(where, track == "none")
        self._metrics: dict[str, Metric] = {}
        self._from_dict: set[str] = set()
        self._met: OrderedDict[str, tuple[str, Given]] = OrderedDict()
        self._held: dict[str, Held] = {}
        self._seen: dict[str, float] = {}
        self._kept = Kept(self)
        live.enter(self)

    # --- where values are

    def _core(self) -> Core:
        if self._shelves is not None:
            return self._shelves.core()
        return default_core() if self.where is None else self.where.core

    @property
    def _function_kind(self) -> type[MetricFunction]:
        return MetricFunction if self._shelves is None else self._shelves.kind

    @property
    def title(self) -> str:
        """The name, and the place if it is not the default cache."""
        if self.where is None:
            place = ""
        elif self._shelves is not None:
            place = f"@{self._shelves.place}"
        else:
            place = f"@{self.where.directory}"
        # a colon stands between it and a metric
        return f"{self.name}{place}".replace("%", "%25").replace(":", "%3A")

    # --- collecting

    @overload
    def collect(self, function: Function, /) -> Function: ...
    @overload
    def collect(
        self,
        function: None = None,
        /,
        params_list: Iterable[Any] | None = None,
        name: str | None = None,
        name_generation: NameGeneration | None = None,
    ) -> Callable[[Function], Function]: ...
    def collect(
        self,
        function: Any = None,
        /,
        params_list: Iterable[Any] | None = None,
        name: str | None = None,
        name_generation: NameGeneration | None = None,
    ) -> Any:
        """Register a function as a metric; a decorator.

        Parameters
        ----------
        function : callable
            Given directly, or to what ``collect(...)`` gives.
        params_list : iterable, optional
            The parameters that it may be asked for: lists or tuples of positional ones,
            dicts by name, or single values.
        name : str, optional
            The metric's name; None: the function's.
        name_generation : callable, optional
            Gives the name of a call from the metric's name and the list of its
            parameters.

        Returns
        -------
        callable
            The function as it was: called plainly it computes, with ``cache=True`` or
            ``use_stored=False`` it goes through the metrics.

        Raises
        ------
        TypeError
            Not a function; a generator or coroutine function.
        ValueError
            The name is that of a method here; a parameter has a name that calls of
            metrics use; parameters do not fit the function.
        """
        if function is None:
            return functools.partial(
                self._collected,
                params_list=None if params_list is None else list_of(params_list),
                name=name,
                name_generation=name_generation,
            )
        return self._collected(function, params_list, name, name_generation)

    def _collected(
        self,
        function: Callable[..., Any],
        params_list: Iterable[Any] | None = None,
        name: str | None = None,
        name_generation: NameGeneration | None = None,
    ) -> Callable[..., Any]:
        function = getattr(function, "__nbcache_wrapped__", function)
        base = str(name or getattr(function, "__name__", ""))
        return collected(self._add(base, function, params_list, name_generation))

    def _add(
        self,
        base: str,
        function: Callable[..., Any],
        params_list: Iterable[Any] | None = None,
        name_generation: NameGeneration | None = None,
    ) -> Metric:
        self._require_name(base)
        metric = Metric(self, function, base, params_list, name_generation)
        for said in metric._declared:
            self._require_other(said, base)
        before = self._metrics.get(base)
        if before is not None and _is_another(before, function):
            was, now = before._function.__qualname__, function.__qualname__
            warn(f"the metric {base!r} is {now} now, no longer {was}: names are unique")
        self._metrics[base] = metric
        return metric

    def _require_name(self, base: Any) -> None:
        if not (isinstance(base, str) and base.strip()):
            raise ValueError(f"a metric has a name, not {base!r}: collect(name=...)")
        if hasattr(type(self), base) or base in vars(self) or base.startswith("__"):
            raise ValueError(
                f"no metric can be named {base!r}: Metrics has something of that name "
                "itself. Give it another one: collect(name=...)"
            )

    def _require_other(self, said: str, base: str) -> None:
        """Refuse a name that a call of another metric has."""
        for other in self._metrics.values():
            if other.base_name != base and said in other._declared:
                raise ValueError(
                    f"{said!r} is a metric of {other.base_name!r} already: their "
                    "values would be mixed up"
                )

    def set_functions_dict(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        """Register functions by name, in the place of those of an earlier dict.

        Parameters
        ----------
        functions : mapping of str to callable
            They may ask this object for each other.

        Raises
        ------
        TypeError, ValueError
            As of `collect`; nothing is registered then.
        """
        for name, function in functions.items():
            self._require_name(name)
            Metric(self, function, name)
        for name in self._from_dict - functions.keys():
            self._metrics.pop(name, None)
        for name, function in functions.items():
            self._add(name, function)
        self._from_dict = set(functions)

    @property
    def functions(self) -> Functions:
        """The metrics by name, each as a function without arguments that computes."""
        return Functions(self)

    @property
    def parameterized_metrics(self) -> list[Metric]:
        """The collected functions, in the order in which they were collected."""
        return list(self._metrics.values())

    def __getattr__(self, name: str) -> Metric:
        """Give a metric by its name."""
        known = self.__dict__.get("_metrics", {})
        if name in known:
            return known[name]  # type: ignore[no-any-return]
        if name.startswith("__") or "_metrics" not in self.__dict__:
            raise AttributeError(f"Metrics has no attribute {name!r}")
        live.untold(self.title, name)
        raise UnknownMetric(_unknown(name, known), name)

    # --- names

    def _found(self, name: str) -> tuple[Metric, Given]:
        """Give the metric and the arguments that a name means.

        Raises
        ------
        UnknownName
            There is none, or several.
        """
        try:
            return self._kept.found(name)
        except UnknownName:
            # there may be one when it is asked for again
            live.untold(self.title, str(name))
            raise

    def _said(self, name: str) -> str:
        """Give the name as it is stored, also of what is only stored.

        Raises
        ------
        UnknownName
            There is no such metric, collected or stored.
        """
        try:
            return self._kept.said(name)
        except UnknownName:
            live.untold(self.title, str(name))
            raise

    def _remember(self, metric: Metric, given: Given, said: str) -> None:
        """Remember the arguments of a call that was not declared, for a while."""
        if said not in metric._declared:
            self._met[said] = metric.base_name, given
            self._met.move_to_end(said)
            if len(self._met) > _MOST_MET:
                self._met.popitem(last=False)

    # --- for those who depend on a metric

    def _has(self, said: str) -> bool:
        # not `_found`: who looks up does not depend on it
        try:
            self._kept.found(said)
        except UnknownName:
            return False
        return True

    def _module_of(self, said: str) -> str:
        return module_of_metric(self._found(said)[0])

    def _digest_now(self, said: str, may_run: bool) -> str:
        metric, given = self._found(said)
        now = metric._said(given)
        if now != said:
            raise Unknowable(f"the metric {said} is {now} by now")
        return digest_now(metric, given, said, may_run)

    def _note(self, said: str, answer: Answer) -> None:
        """Say that a value was loaded, the first time that it is."""
        created = 0.0 if answer.entry is None else answer.entry.created
        is_new = answer.is_new or self._seen.get(said) == created
        if answer.entry is not None and not is_new:
            tell(f"Load {said} of {day(answer.entry)}")
        self._seen[said] = created

    # --- as an object

    def __nbcache_hash__(self) -> str:
        """Give the name: what is asked of metrics is recorded, and compared."""
        return f"metrics {self.title}"

    def __repr__(self) -> str:
        place = "" if self.where is None else f" in {self.where!r}"
        return f"<metrics {self.name!r}{place}>"

    def __dir__(self) -> Iterator[str]:
        return iter([*super().__dir__(), *self._metrics])

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.functions)

    def __reduce__(self) -> Any:
        made = functools.partial(
            type(self),
            self.where,
            name=self.name,
            dynamic=self.dynamic,
            track=self.track,
        )
        rows = [
            (
                one.base_name,
                one._function,
                one._params if one._is_listed else None,
                one.name_generation,
            )
            for one in self._metrics.values()
        ]
        # functions refer to this object: it is made before they are
        return made, (), {"metrics": rows, "from_dict": self._from_dict}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for base, function, params_list, name_generation in state["metrics"]:
            metric = Metric(self, function, base, params_list, name_generation)
            self._metrics[base] = metric
        self._from_dict = state["from_dict"]


def list_of(params_list: Iterable[Any]) -> Iterable[Any]:
    """Give what can be iterated again: one decorator may serve several functions."""
    return params_list if hasattr(params_list, "__len__") else list(params_list)


def _is_another(before: Metric, function: Callable[..., Any]) -> bool:
    own, other = before._function, function
    named = [getattr(one, "__qualname__", "") for one in (own, other)]
    return named[0] != named[1] or own.__module__ != other.__module__


def _unknown(name: str, known: Iterable[str]) -> str:
    there = list(known)
    told = f"there are {len(there)}" if there else "none was collected"
    return f"no metric {name!r}.{near(name, there)} {told.capitalize()}"


def _shelves(where: Any, takes_any: bool) -> Shelves | None:
    """Give the cores of a storage; None for a cache.

    Raises
    ------
    TypeError
        It is neither.
    """
    if where is None or hasattr(where, "core"):
        return None
    from nbcache.metrics.shelf import Shelves  # of no use to metrics in a cache

    return Shelves(where, takes_any)
