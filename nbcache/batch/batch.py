"""Batches: ordered sets of runs, each computed once, here or by many workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbcache.batch import adding, frame, ids
from nbcache.batch.calling import call_runs
from nbcache.batch.listed import Listed, listed
from nbcache.batch.making import made, named, positional
from nbcache.batch.result_run import ResultRun, Results
from nbcache.batch.run import Run
from nbcache.batch.selecting import chosen_runs, runs_with
from nbcache.cache import Core
from nbcache.cores import core_of, default_core
from nbcache.decorator.wrapper import Wrapper
from nbcache.executors.callee import Callee
from nbcache.keys.key import Key

if TYPE_CHECKING:
    import pandas as pd
    import xarray

__all__ = ["Batch"]


class Batch:
    """An ordered set of runs, whose results are kept.

    Parameters
    ----------
    name : str
        Names the list of its runs in the store.
    cache : Cache, optional
        Where results are kept; None: where a cached function keeps its own, else the
        default cache.
    path : path, optional
        The folder of a store, in the place of `cache`.
    saveresult : bool
        Whether results are stored; off: they are kept in memory only.

    Attributes
    ----------
    run : list of Run
        The runs, in the order in which they were added.

    Raises
    ------
    TypeError, ValueError
        No name, or both a cache and a path.
    """

    def __init__(
        self,
        name: str,
        cache: Any = None,
        path: str | os.PathLike[str] | None = None,
        saveresult: bool = True,
    ) -> None:
        if not (isinstance(name, str) and name.strip()):  # type: ignore[redundant-expr]
            raise ValueError(f"a batch has a name, not {name!r}")
        if cache is not None and path is not None:
            raise ValueError("give a cache or a path, not both")
        if cache is not None and not hasattr(cache, "core"):
            raise TypeError(f"cache is a nbcache.Cache, not {type(cache).__name__}")
        self.name = name
        self.cache = cache
        self.path = None if path is None else Path(path).expanduser().absolute()
        self.saveresult = saveresult
        self.run: list[Run] = []
        self._callees: dict[tuple[int, str], Callee] = {}
        self._wrappers: dict[int, Wrapper[..., Any]] = {}
        # by the folder of a store: what was finished there, by place in the batch
        self._finished: dict[Any, tuple[Core, dict[int, Listed]]] = {}

    # --- where results are

    @property
    def cache_core(self) -> Core:
        """The core that keeps the list of the batch, and its results by default."""
        if self.path is not None:
            return core_of(self.path)
        return default_core() if self.cache is None else self.cache.core

    def _core_of(self, callee: Callee) -> Callable[[], Core]:
        own = callee.own_core
        if own is not None and self.cache is None and self.path is None:
            return own
        return lambda: self.cache_core

    def _shared(self, callee: Callee) -> Callee:
        """Give one callee for all runs of a target: it is pickled once for many."""
        # its target is held, so that the id stays its own
        return self._callees.setdefault((id(callee.target), callee.identity), callee)

    def _wrapper(self, callee: Callee, core: Callable[[], Core]) -> Wrapper[..., Any]:
        """Give the cached function of a callee, made once."""
        # which is held, so that its id stays its own
        known = id(self._shared(callee))
        if known not in self._wrappers:
            self._wrappers[known] = callee.wrapper(core)
        return self._wrappers[known]

    # --- adding runs

    def add_run(self, target: Any, parameters: Mapping[str, Any] | None = None) -> Run:
        """Add a run.

        Parameters
        ----------
        target : Run class, Run, or callable
            A class with a method ``run(self, **named)``; a function, cached or not; an
            object that is called without arguments, perhaps with an ``id``; another
            class, whose instances are such objects.
        parameters : mapping of str to object, optional
            By name.

        Returns
        -------
        Run
            The one that was added.

        Raises
        ------
        UnknownParameter
            It takes no parameter of that name.
        TypeError
            It cannot be called, or needs another parameter.
        """
        return self._added(self._checked(target, named(parameters)))

    def _checked(self, target: Any, given: dict[str, Any]) -> Run:
        run = made(self, target, given)
        if not isinstance(target, Run):
            self._wrapper(run._inside.callee, run._inside.core)  # refuses generators
        return run

    def _added(self, run: Run) -> Run:
        if any(run is one for one in self.run):
            raise ValueError(f"{run!r} is in the batch already")
        if isinstance(run, ResultRun):
            run._index = len(self.run)
        else:
            run._join(self, len(self.run))
        self.run.append(run)
        return run

    def add_factorial_runs(
        self, target: Any, parameters: Mapping[str, Any]
    ) -> list[Run]:
        """Add a run for each combination of parameters; the last one varies fastest.

        Lists, tuples, arrays and ranges are iterated; numbers, text, dicts, functions
        and None are the same in all runs.

        Raises
        ------
        UnknownParameter, TypeError, ValueError
            As of `add_run`, or a parameter has no values; nothing is added then.
        """
        return self._add_all(target, list(adding.factorial(named(parameters))))

    def add_runs(self, target: Any, rows: Any) -> list[Run]:
        """Add a run for each row of a frame, or dict or tuple of an iterable.

        A dict of lists is zipped.  Tuples have their values in the order of the
        parameters.

        Raises
        ------
        UnknownParameter, TypeError, ValueError
            As of `add_run`, or no rows can be told; nothing is added then.
        """
        return self._add_all(target, list(adding.rows(rows, positional(target))))

    def _add_all(self, target: Any, rows: list[dict[str, Any]]) -> list[Run]:
        runs = [self._checked(target, row) for row in rows]
        return [self._added(run) for run in runs]

    def add_resultrun(self, id: Any) -> list[Run]:
        """Add stored results by the ids or keys of their runs: one, or several.

        Raises
        ------
        UnknownName
            There is no such result.
        ValueError
            Runs that differ have an id.
        TypeError
            That is no id.
        """
        if not isinstance(id, str | Key | Iterable):
            raise TypeError(f"a result is added by its id or key, not {id!r}")
        wanted = [id] if isinstance(id, str | Key) else list(id)
        core = self.cache_core
        results = Results(core)
        found = [
            ResultRun.of(self, core, results.entry(one), results.known_as(one))
            for one in wanted
        ]
        return [self._added(run) for run in found]

    def add_resultrun_folder(
        self, folder: str | os.PathLike[str] | None = None
    ) -> list[Run]:
        """Add the finished runs of the batch of this name, in their order.

        Parameters
        ----------
        folder : path, optional
            Of another store, or the folder that has it; None: the batch's own.

        Raises
        ------
        FileNotFoundError
            There is no such folder.
        """
        core = self.cache_core if folder is None else core_of(_store_folder(folder))
        entries = Results(core).of_list(listed(core, self.name))
        return [self._added(ResultRun.of(self, core, one, id)) for id, one in entries]

    # --- computing

    def __call__(
        self,
        runs: Any = None,
        *,
        executor: Any = None,
        workers: int = 1,
        progress: bool = True,
        on_error: str = "raise",
        refresh: bool = False,
    ) -> None:
        """Compute the runs that have no result yet.

        Parameters
        ----------
        runs : optional
            None: all.  An index, indices, a range, a slice, a mask, a Run, several, or
            a function of a run.
        executor : optional
            None: this process, or with `workers` several of loky; an object with
            ``submit`` such as those of `concurrent.futures`; a Dask client; ``"dask"``
            for the current one.
        workers : int
            Processes, if there is no executor.
        progress : bool
            Whether a bar shows how far it is.
        on_error : {"raise", "keep", "stop"}
            All others are computed, then a BatchError names the failed ones; the same
            as a notice; at the first one.
        refresh : bool
            Compute all, whatever is stored.

        Raises
        ------
        BatchError
            Some failed.
        IndexError, TypeError, ValueError
            An argument cannot be meant; nothing has run.
        KeyboardInterrupt
            What is finished is kept; call again to go on.
        """
        call_runs(
            self,
            chosen_runs(self.run, runs),
            executor=executor,
            workers=workers,
            progress=progress,
            on_error=on_error,
            refresh=refresh,
        )

    # --- results

    @property
    def res(self) -> ids.Lazy:
        """The results, None where a run is not done; each is loaded when asked for."""
        return ids.Lazy([run.load for run in self.run])

    @property
    def rundone(self) -> list[bool]:
        """Whether each run is done."""
        return [run.done for run in self.run]

    @property
    def ids(self) -> list[str]:
        """The ids of the runs."""
        return [run.id for run in self.run]

    def get_res(self, key: Any) -> list[Any]:
        """Give one item of each result; None where a run is not done.

        Raises
        ------
        KeyError
            A result has no such item.
        TypeError
            A result has no items.
        """
        found: list[Any] = []
        for run in self.run:
            result = run.result
            if result is None and not run.done:
                found.append(None)
            elif isinstance(result, Mapping):
                if key not in result:
                    raise KeyError(
                        f"the result of {run!r} has no {key!r}, only "
                        f"{', '.join(map(str, result))}"
                    )
                found.append(result[key])
            else:
                raise TypeError(
                    f"the result of {run!r} is no mapping: it is a "
                    f"{type(result).__name__}"
                )
        return found

    def get_runs_with(self, **conditions: Any) -> list[Run]:
        """Give the runs whose parameters fulfil all conditions.

        Parameters
        ----------
        **conditions
            ``length=2``, or ``length__ge=2`` with ``eq, ne, lt, le, gt, ge, in``.

        Raises
        ------
        ValueError
            No run has that parameter, or there is no such operator.
        """
        return runs_with(self.run, conditions)

    def save_ids(
        self, filename: str | os.PathLike[str] | None = None, format: str = "json"
    ) -> Path:
        """Write the ids of the runs to a file.

        Parameters
        ----------
        filename : path, optional
            Its extension, if it has one, tells the form; None: ``<name>_ids`` in the
            folder `path`, else in the working directory.
        format : {"json", "npy", "py"}
            A list; an array for `numpy.load`; a module with the list ``ids``.

        Returns
        -------
        Path
            Of the file.

        Raises
        ------
        ValueError
            No such form.
        OSError
            It cannot be written.
        """
        return ids.save(self.ids, self.name, self.path, filename, format)

    def to_dataframe(self) -> pd.DataFrame:
        """Give a row for each run: parameters, results, and what is known of it."""
        return frame.dataframe(self.run)

    def to_xarray(self) -> xarray.Dataset:
        """Give results as arrays over the parameters that vary.

        Raises
        ------
        ImportError
            xarray is not installed.
        ValueError
            Two runs have the same parameters.
        """
        return frame.dataset(self.run)

    def __len__(self) -> int:
        return len(self.run)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.run)

    def __repr__(self) -> str:
        count = len(self.run)
        return f"<batch {self.name!r} of {count} run{'' if count == 1 else 's'}>"


def _store_folder(folder: str | os.PathLike[str]) -> Path:
    path = Path(folder).expanduser().absolute()
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {path}")
    inner = path / ".nbcache"
    is_store = (path / "entries").is_dir()
    return inner if inner.is_dir() and not is_store else path
