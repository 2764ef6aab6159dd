"""One collected function: called, it gives the kept value."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from nbcache import trace
from nbcache.decorator.decorate import is_coroutine_function, require_function
from nbcache.decorator.options import signature_of
from nbcache.errors import UndeclaredParameters
from nbcache.metrics import live, names
from nbcache.metrics.every import get_all
from nbcache.metrics.names import Given
from nbcache.metrics.task import MetricOptions, value_digest
from nbcache.scripts import module_of
from nbcache.wording import near

if TYPE_CHECKING:
    from nbcache.metrics.collection import Collection

__all__ = ["Metric", "NameGeneration"]

NameGeneration = Callable[[str, list[Any]], str]

_RESERVED = ("cache", "use_stored", "verbose")


class Metric:
    """A function whose values are kept by name; made by `Metrics.collect`.

    Parameters
    ----------
    owner : Metrics
        Where it is collected.
    function : callable
        Called where nothing is stored; also ``.original_function``.
    base_name : str
        Its name without parameters.
    params_list : iterable, optional
        The parameters that it may be asked for: lists of positional ones, dicts by
        name, or single values.  None: none.
    name_generation : callable, optional
        Gives the name of a call from the base name and a list of the parameters.

    Raises
    ------
    TypeError
        Not a function; a generator or coroutine function.
    ValueError
        A parameter has a name that calls of metrics use; parameters do not fit the
        function; two of them have one name.
    """

    __nbcache_opaque__ = True

    def __init__(
        self,
        owner: Collection,
        function: Callable[..., Any],
        base_name: str,
        params_list: Iterable[Any] | None = None,
        name_generation: NameGeneration | None = None,
    ) -> None:
        _require(function, base_name)
        for one in functools.WRAPPER_ASSIGNMENTS:
            if hasattr(function, one):
                setattr(self, one, getattr(function, one))
        self.__name__ = base_name
        self._owner = owner
        self.base_name = base_name
        self._function = function
        self.name_generation = name_generation
        self._spelled: dict[str, str] = {}
        self._wrapper = owner._function_kind(function, self._options())
        self._is_listed = params_list is not None
        self._params = [()] if params_list is None else _listed(params_list)
        self._declared = self._declare()
        if not (self._is_listed or self._declared):
            self._params = []

    def _options(self) -> MetricOptions:
        owner = self._owner
        return MetricOptions(
            core=owner._core,
            name=f"{owner.name}:{self.base_name}",
            track=owner.track,
            spell=self._spell,
            origin={"collection": owner.name, "base": self.base_name},
        )

    def _declare(self) -> dict[str, Given]:
        declared: dict[str, Given] = {}
        for item in self._params:
            args, kwargs = names.given(item)
            try:
                said = self._said((args, kwargs))
            except TypeError as error:
                if not self._is_listed:
                    continue  # a function that needs parameters, and no list of them
                raise ValueError(
                    f"params_list of {self.base_name!r}: {item!r} does not fit "
                    f"{self.base_name}{signature_of(self._function)}: {error}"
                ) from None
            declared[said] = args, kwargs
        return declared

    # --- what it is made of, for whoever takes it from here

    @property
    def original_function(self) -> Callable[..., Any]:
        """The function itself."""
        # what it reads is told from the code of whoever names it
        trace.refuse(
            f"it takes the function of the metric {self.base_name} out of it: ask for "
            "the metric, or call the function by its own name"
        )
        return self._function

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        return self.original_function

    @property
    def params_list(self) -> list[Any]:
        """The parameters that it may be asked for."""
        live.depend_on_parameters(self)
        return self._params

    def _parameters_digest(self) -> str:
        return value_digest(self._params)

    # --- names

    def _spell(self, bound: inspect.BoundArguments) -> str:
        """Give the name of a call.

        Raises
        ------
        ValueError
            `name_generation` gave two calls one name.
        """
        wanted = self._wrapper._options.counted(bound)
        said = names.spelled(self.base_name, bound, wanted)
        if self.name_generation is None:
            return said
        values = [bound.arguments[name] for name in wanted]
        text = self.name_generation(self.base_name, values)
        if not (isinstance(text, str) and text):  # type: ignore[redundant-expr]
            raise ValueError(
                f"name_generation gave {text!r} for {said}, which is no name"
            )
        other = self._spelled.setdefault(text, said)
        if other != said:
            raise ValueError(
                f"name_generation names both {other} and {said} {text!r}: their values "
                "would be mixed up"
            )
        return text

    def _said(self, given: Given) -> str:
        args, kwargs = given
        return self._spell(self._wrapper._bound(args, kwargs))

    def _plain_names(self, given: Given) -> set[str]:
        """Give the names joined by underscores: of what was given, and of all."""
        args, kwargs = given
        try:
            bound = self._wrapper._bound(args, kwargs)
        except TypeError:
            return set()  # of an earlier function of this name
        wanted = self._wrapper._options.counted(bound)
        every = [*args, *kwargs.values()], [bound.arguments[name] for name in wanted]
        return {names.plain_name(self.base_name, values) for values in every}

    def _require_declared(self, said: str) -> None:
        if said in self._declared or self._owner.dynamic:
            return
        live.untold(self._owner.title, said)
        known = list(self._declared)
        there = f"{len(known)} are: {', '.join(known[:5])}" if known else "none are"
        more = ", …" if len(known) > 5 else ""
        raise UndeclaredParameters(
            f"{said} is not among the declared parameters of {self.base_name!r} "
            f"({there}{more}).{near(said, known)} Add them to params_list, or allow "
            "any with Metrics(dynamic=True)",
            said,
        )

    # --- values

    def __call__(
        self,
        /,
        *args: Any,
        use_stored: bool = True,
        verbose: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Give the value for some parameters: the stored one, else a computed one.

        Parameters
        ----------
        *args, **kwargs
            Of the function.
        use_stored : bool
            Off: compute it, and replace what is stored.
        verbose : bool
            Say what is computed and loaded.

        Raises
        ------
        UndeclaredParameters
            The metric was not declared with them.
        MetricCycle
            It depends on itself.
        TypeError
            They do not fit the function.
        """
        return self._owner._get(
            self, (args, kwargs), use_stored=use_stored, verbose=verbose
        )

    def get_all(
        self,
        *,
        use_stored: bool = True,
        verbose: bool = False,
        executor: Any = None,
        workers: int = 1,
    ) -> list[Any]:
        """Give the values for all declared parameters, in their order.

        Parameters
        ----------
        use_stored : bool
            Off: compute them all.
        verbose : bool
            Say how far it is, and what is computed and loaded.
        executor : executor, client or str, optional
            Where what is missing is computed: see `Batch`.
        workers : int
            More than 1: that many processes.

        Raises
        ------
        Exception
            What a metric raises; what was computed before is stored.
        """
        return get_all(
            self,
            use_stored=use_stored,
            verbose=verbose,
            executor=executor,
            workers=workers,
        )

    def __repr__(self) -> str:
        return f"<metric {self.base_name}{signature_of(self._function)}>"

    # --- as part of a key

    def __nbcache_hash__(self) -> str:
        """Give the name: what its values are is compared when it is asked for them."""
        return f"metric {self._owner.title}:{self.base_name}"


def _listed(params_list: Iterable[Any]) -> list[Any]:
    # plain numbers: a call f(0.5) means the 0.5 of an array as well
    made = getattr(params_list, "tolist", None)
    return list(made() if callable(made) else params_list)


def _require(function: Any, base_name: str) -> None:
    require_function(function)
    if is_coroutine_function(function):
        raise TypeError(
            f"{base_name} is a coroutine function: a metric is computed when it is "
            "asked for. Await inside of it: asyncio.run(...)"
        )
    taken = [one for one in _RESERVED if one in signature_of(function).parameters]
    if taken:
        raise ValueError(
            f"{base_name} has the parameter {taken[0]!r}, which calls of metrics have "
            "themselves: give it another name"
        )


def collected(metric: Metric) -> Callable[..., Any]:
    """Give the function as it is called plainly: uncached, unless asked for."""
    function = metric._function

    @functools.wraps(function)
    def plain(
        *args: Any,
        cache: bool = False,
        use_stored: bool = True,
        verbose: bool = True,
        **kwargs: Any,
    ) -> Any:
        if cache or not use_stored:
            return metric(*args, use_stored=use_stored, verbose=verbose, **kwargs)
        return function(*args, **kwargs)

    plain.__nbcache_wrapped__ = function  # type: ignore[attr-defined]
    return plain


def module_of_metric(metric: Metric) -> str:
    """Give the module in which a metric is defined."""
    return str(module_of(metric._function))
