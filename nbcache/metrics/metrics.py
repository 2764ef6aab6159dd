"""The public `Metrics`: a collection of named functions whose values are kept."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, overload

from nbcache.cache import Core, warn
from nbcache.cores import default_core
from nbcache.errors import NotCached, UnknownName
from nbcache.metrics import live, names
from nbcache.metrics.fetching import Answer, ask, day, digest_now, fetch
from nbcache.metrics.functions import Functions
from nbcache.metrics.held import Held
from nbcache.metrics.kept import Kept
from nbcache.metrics.metric import Metric, NameGeneration, collected, module_of_metric
from nbcache.metrics.names import Given
from nbcache.metrics.telling import quietly, tell
from nbcache.storage.entry import Entry
from nbcache.trace.observed import Unknowable
from nbcache.wording import near

if TYPE_CHECKING:
    from nbcache.metrics.graph import Graph

__all__ = ["Metrics"]

Function = TypeVar("Function", bound=Callable[..., Any])

# calls that were not declared, whose arguments are remembered
_MOST_MET = 1000
_TRACKS = ("auto", "source", "none")


class UnknownMetric(UnknownName, AttributeError):
    """No metric has this name; an attribute may be asked for as well as a name."""


class Metrics:
    """Named functions whose values are kept, and that know what they depend on.

    Parameters
    ----------
    where : Cache or storage, optional
        Where values are kept: a `Cache`, or plain files by name, for instance
        ``NpzStorage("metrics")``.  None: the default cache.
    name : str
        Tells collections in one cache apart.
    dynamic : bool
        Whether metrics may be asked for with any parameters, not only declared ones.
    track : "auto", "source" or "none"
        What of the code decides whether a stored value is used: as of `cached`.
        ``"none"``: the name and the parameters only.

    Notes
    -----
    What a metric asks of others while it is computed is recorded.  Before a stored
    value is used, these are brought up to date; if one of them has another value than
    it had, the metric is computed again.
    """

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
        self._shelf_core = _shelf_core(where)
        self._metrics: dict[str, Metric] = {}
        self._from_dict: set[str] = set()
        self._met: OrderedDict[str, tuple[str, Given]] = OrderedDict()
        self._held: dict[str, Held] = {}
        self._seen: dict[str, float] = {}
        self._kept = Kept(self)
        live.enter(self)

    # --- where values are

    def _core(self) -> Core:
        if self._shelf_core is not None:
            return self._shelf_core
        return default_core() if self.where is None else self.where.core  # type: ignore[no-any-return]

    @property
    def title(self) -> str:
        """The name, and the place if it is not the default cache."""
        if self.where is None:
            return self.name
        if self._shelf_core is not None:
            return f"{self.name}@{self._shelf_core.place}"
        return f"{self.name}@{self.where.directory}"

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
        base = name or getattr(function, "__name__", "")
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
            was, now = before.original_function.__qualname__, function.__qualname__
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
                    f"{said!r} is a metric of {other.base_name!r} already: their values "
                    "would be mixed up"
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

    # --- values

    def get(self, name: str, *, use_stored: bool = True, verbose: bool = True) -> Any:
        """Give the value of a metric: the stored one, else a computed one.

        Parameters
        ----------
        name : str
            Of a metric, with its parameters: ``"f"``, ``"f(1, b=2)"``; ``"f_1_2"``
            where only one metric can be meant.
        use_stored : bool
            Off: compute it, and replace what is stored.
        verbose : bool
            Say what is computed and loaded.

        Raises
        ------
        UnknownName
            There is no such metric; the text has a near match.
        UndeclaredParameters
            The metric was not declared with these parameters.
        MetricCycle
            It depends on itself.
        Exception
            What the metric raises.
        """
        metric, given = self._found(name)
        return self._get(metric, given, use_stored=use_stored, verbose=verbose)

    def __getitem__(self, name: str) -> Any:
        return self.get(name)

    def __getattr__(self, name: str) -> Metric:
        """Give a metric by its name."""
        known = self.__dict__.get("_metrics", {})
        if name in known:
            return known[name]  # type: ignore[no-any-return]
        if name.startswith("__") or "_metrics" not in self.__dict__:
            raise AttributeError(f"Metrics has no attribute {name!r}")
        raise UnknownMetric(_unknown(name, known), name)

    def _get(
        self, metric: Metric, given: Given, *, use_stored: bool, verbose: bool
    ) -> Any:
        said = metric._said(given)
        metric._require_declared(said)
        self._remember(metric, given, said)
        with quietly(not verbose):
            held = self._held.pop(said, None)
            if held is not None and use_stored:
                held.keep()
            answer = ask(
                metric, said, lambda: fetch(metric, given, said, not use_stored)
            )
            self._note(said, answer)
        return answer.value

    def _note(self, said: str, answer: Answer) -> None:
        """Say that a value was loaded, the first time that it is."""
        created = 0.0 if answer.entry is None else answer.entry.created
        if answer.entry is not None and not answer.is_new:
            if self._seen.get(said) != created:
                tell(f"Load {said} of {day(answer.entry)}")
        self._seen[said] = created

    def compute(self, name: str, *, force: bool = False, verbose: bool = True) -> Any:
        """Give a value that is kept in memory; nothing is stored.

        Parameters
        ----------
        name : str
            As of `get`.
        force : bool
            Compute also what is in memory, and up to date, already.
        verbose : bool
            Say what is computed.

        Raises
        ------
        Exception
            As of `get`.
        """
        metric, given = self._found(name)
        said = metric._said(given)
        metric._require_declared(said)
        if not force and said in self._seen:
            return self._get(metric, given, use_stored=True, verbose=verbose)
        held = self._held.get(said)
        with quietly(not verbose):
            if held is None or force or not held.is_current():
                held = Held.computed(metric, given, said)
                self._held[said] = held
            return ask(metric, said, held.answer).value

    def save(self, name: str, *, force: bool = False, verbose: bool = True) -> Any:
        """Store a value unless it is stored, and up to date, already; give it.

        Parameters
        ----------
        name : str
            As of `get`.
        force : bool
            Compute and store it in any case.
        verbose : bool
            Say what is computed and loaded.

        Raises
        ------
        Exception
            As of `get`.
        """
        return self.get(name, use_stored=not force, verbose=verbose)

    def load(self, name: str, *, force: bool = False, verbose: bool = True) -> Any:
        """Give the stored value; nothing is computed, no function is needed.

        Parameters
        ----------
        name : str
            As of `get`.
        force : bool
            Load what is stored also if memory has a value.
        verbose : bool
            Say when it was stored.

        Raises
        ------
        NotCached
            Nothing is stored.
        UnknownName
            There is no such metric, collected or stored.
        """
        with quietly(not verbose):
            held = self._held.get(self._said(name))
            if held is not None and not force:
                return held.answer().value
            said = self._said(name)
            value, entry = self._kept.load(said)
            if force or self._seen.get(said) != entry.created:
                tell(f"Load {said} of {day(entry)}")
            self._seen[said] = entry.created
            return value

    # --- what is stored

    def exists(self, name: str) -> bool:
        """Say whether a value is stored, up to date or not."""
        try:
            return self._kept.entry(self._said(name)) is not None
        except UnknownName:
            return False

    def date(self, name: str) -> datetime:
        """Give when the value that would be used, else the newest, was stored.

        Raises
        ------
        NotCached
            Nothing is stored.
        UnknownName
            There is no such metric, collected or stored.
        """
        said = self._said(name)
        entry = self._kept.entry(said)
        if entry is None:
            raise NotCached(f"{said} is not stored: get computes and stores it")
        return datetime.fromtimestamp(entry.created)

    def clear_cache(self) -> None:
        """Forget what is in memory; what is stored stays."""
        self._held.clear()
        self._seen.clear()

    def clear(self, name: str) -> int:
        """Delete what is stored of a metric; give how many values that were.

        Parameters
        ----------
        name : str
            With parameters: that value; a metric with parameters by its name alone: all
            of its values.

        Raises
        ------
        UnknownName
            There is no such metric, collected or stored.
        OSError
            It cannot be deleted.
        """
        if name in self._metrics and not self._is_single(name):
            wanted = self._kept.of_base(name)
        else:
            wanted = [self._said(name)]
        for said in wanted:
            self._held.pop(said, None)
            self._seen.pop(said, None)
        return sum(map(self._kept.delete, wanted))

    def _is_single(self, base: str) -> bool:
        return base in self._metrics[base]._declared

    def rename(
        self, old: str, new: str, *, parameters: Any = None, dry_run: bool = True
    ) -> list[tuple[str, str]]:
        """Give stored values of a metric the name of another.

        Parameters
        ----------
        old, new : str
            Names of metrics without parameters.
        parameters : mapping or iterable of pairs, optional
            Old parameters and the new ones in their places, as in a ``params_list``:
            only these values are renamed.  None: all, with the parameters they have.
        dry_run : bool
            Say it only.

        Returns
        -------
        list of (str, str)
            Names before and after.

        Raises
        ------
        ValueError
            A value is stored under the new name already; nothing is renamed then.
        UnknownName
            Nothing of the old name is stored.

        Notes
        -----
        The name of a function is no part of its code: what is renamed stays valid for
        the same code under its new name.
        """
        from nbcache.metrics.renaming import rename

        return rename(self, old, new, parameters, dry_run)

    # --- dependencies

    def graph(self) -> Graph:
        """Give which metrics depend on which, as their last runs were recorded."""
        from nbcache.metrics.graph import graph_of

        return graph_of(self)

    def recompute(
        self, name: str, downstream: bool = True, *, verbose: bool = True
    ) -> Any:
        """Compute a metric again and store it; give its value.

        Parameters
        ----------
        name : str
            As of `get`.
        downstream : bool
            Whether what depends on it is brought up to date at once; else that is done
            when it is asked for.
        verbose : bool
            Say what is computed and loaded.

        Raises
        ------
        Exception
            As of `get`.
        """
        value = self.get(name, use_stored=False, verbose=verbose)
        if downstream:
            for said in self.graph().downstream(self._said(name)):
                try:
                    metric, given = self._found(said)
                    metric._require_declared(said)
                except ValueError:
                    continue  # stored by code that is no longer here
                self._get(metric, given, use_stored=True, verbose=verbose)
        return value

    # --- names

    def _found(self, name: str) -> tuple[Metric, Given]:
        """Give the metric and the arguments that a name means.

        Raises
        ------
        UnknownName
            There is none, or several.
        """
        return self._kept.found(name)

    def _said(self, name: str) -> str:
        """Give the name as it is stored, also of what is only stored.

        Raises
        ------
        UnknownName
            There is no such metric, collected or stored.
        """
        return self._kept.said(name)

    def _remember(self, metric: Metric, given: Given, said: str) -> None:
        """Remember the arguments of a call that was not declared, for a while."""
        if said not in metric._declared:
            self._met[said] = metric.base_name, given
            self._met.move_to_end(said)
            if len(self._met) > _MOST_MET:
                self._met.popitem(last=False)

    # --- for those who depend on a metric

    def _has(self, said: str) -> bool:
        try:
            self._found(said)
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

    # --- as an object

    def __nbcache_hash__(self) -> str:
        """Give the name: what is asked of metrics is recorded, and compared."""
        return f"metrics {self.title}"

    def __repr__(self) -> str:
        place = "" if self.where is None else f" in {self.where!r}"
        return f"<{len(self._metrics)} metrics {self.name!r}{place}>"

    def __dir__(self) -> Iterator[str]:
        return iter([*super().__dir__(), *self._metrics])

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.functions)

    def __reduce__(self) -> Any:
        made = functools.partial(
            Metrics, self.where, name=self.name, dynamic=self.dynamic, track=self.track
        )
        rows = [
            (one.base_name, one.original_function, one.params_list, one.name_generation)
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
    """Give what can be iterated again: a decorator may be used for several functions."""
    return params_list if hasattr(params_list, "__len__") else list(params_list)


def _is_another(before: Metric, function: Callable[..., Any]) -> bool:
    own, other = before.original_function, function
    named = [getattr(one, "__qualname__", "") for one in (own, other)]
    return named[0] != named[1] or own.__module__ != other.__module__


def _unknown(name: str, known: Iterable[str]) -> str:
    there = list(known)
    told = f"there are {len(there)}" if there else "none was collected"
    return f"no metric {name!r}.{near(name, there)} {told.capitalize()}"


def _shelf_core(where: Any) -> Any:
    """Give the core of a storage; None for a cache.

    Raises
    ------
    TypeError
        It is neither.
    """
    if where is None or hasattr(where, "core"):
        return None
    from nbcache.metrics.shelf import shelf_core  # of no use to metrics in a cache

    return shelf_core(where)
