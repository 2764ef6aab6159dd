"""The public `Cache`, and the functions of ``nbcache`` on the default cache."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from nbcache import config, info, loading, why
from nbcache.cache import Core, notebook_name
from nbcache.cores import OWN_SETTINGS, core_of, core_with, default_core
from nbcache.decorator.decorate import decorate
from nbcache.decorator.options import options_of
from nbcache.keys.key import Key
from nbcache.maintenance import Maintained
from nbcache.outcome import Hit, Miss, Outcome, Request, outcomes
from nbcache.switches import disabled, read_only, refreshing

if TYPE_CHECKING:
    from datetime import timedelta

    import pandas as pd

    from nbcache.decorator.asynchronous import AsyncCachedFunction
    from nbcache.decorator.function import CachedFunction
    from nbcache.decorator.typed import Decorator

__all__ = [
    "Cache",
    "cached",
    "clear",
    "core_of",
    "default_core",
    "disabled",
    "entries",
    "explain",
    "last",
    "load",
    "read_only",
    "refreshing",
]

P = ParamSpec("P")
R = TypeVar("R")


class Cache(Maintained):
    """A cache in a folder of its own.

    Parameters
    ----------
    directory : path, optional
        Made at the first write; None: the default cache, found anew for each call.
    **settings
        ``enabled, read_only, refresh, compress, verify, durability, trust, max_size,
        eviction`` for this cache alone.

    Raises
    ------
    ValueError
        No such setting, or not one of its values.
    """

    def __init__(
        self, directory: str | os.PathLike[str] | None = None, **settings: Any
    ) -> None:
        self._folder = None if directory is None else Path(directory).absolute()
        self._known: tuple[config.Settings, Path, Core] | None = None
        for name in settings.keys() - set(OWN_SETTINGS):
            raise ValueError(
                f"a Cache has the settings {', '.join(OWN_SETTINGS)}, not {name!r}; "
                "nbcache.configure sets those of the process"
            )
        self._settings = {
            name: config.parse(name, value) for name, value in settings.items()
        }

    @property
    def core(self) -> Core:
        """The core behind this cache."""
        settings, folder = config.current(), self.directory
        known = self._known
        if known is None or known[0] is not settings or known[1] is not folder:
            own = replace(settings, **self._settings) if self._settings else settings
            known = self._known = settings, folder, core_with(folder, own)
        return known[2]

    @property
    def directory(self) -> Path:
        """The folder of the store."""
        return config.cache_dir() if self._folder is None else self._folder

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Cache({str(self.directory)!r})"

    def __reduce__(self) -> Any:
        # the same folder in every process, whatever the settings are there
        return functools.partial(Cache, str(self.directory), **self._settings), ()

    def __nbcache_hash__(self) -> str:
        """Give nothing: which cache is used does not change what is computed."""
        return "Cache"

    def close(self) -> None:
        """Write the statistics that are held in memory."""
        self.core.store.history.flush()

    def cached(self, function: Any = None, /, **options: Any) -> Any:
        """Decorate a function so that this cache keeps its results; see `cached`."""
        given: dict[str, Any] = {**options, "cache": self}
        decorator = cached(**given)
        return decorator if function is None else decorator(function)

    def lookup(self, key: Key, name: str = "") -> Hit | Miss:
        """Say whether there is an entry for a key; a hit must be closed."""
        return self.core.lookup(Request(key, name, "function"))

    def entries(self) -> pd.DataFrame:
        """Give the entries as a DataFrame, newest first, key as index."""
        return info.frame(self.core)

    def load(self, key_or_name: str) -> dict[str, Any]:
        """Give the values of a stored result, running nothing; see `load`."""
        return loading.load_values(self.core, key_or_name)

    def explain(self, name: str) -> str:
        """Say what became of the last request of a name, and why.

        Parameters
        ----------
        name : str
            Of a cell or function; the end of a qualified name if only one has it.

        Returns
        -------
        str
            Hit or miss and when; each change; the versions that differ; a diff of the
            code.  The same in a later process, without the values.

        Raises
        ------
        UnknownName
            Nothing of that name was ever asked for.
        """
        return why.why_text(self.core, name, notebook_name())


_default = Cache()


@overload
def cached(  # type: ignore[overload-overlap]
    function: Callable[P, Coroutine[Any, Any, R]], /
) -> AsyncCachedFunction[P, R]: ...
@overload
def cached(function: Callable[P, R], /) -> CachedFunction[P, R]: ...
@overload
def cached(
    *,
    enabled: bool = True,
    write: bool = True,
    refresh: bool = False,
    compress: bool = False,
    key: str | Callable[..., Any] = "hash",
    ignore: str | tuple[str, ...] | list[str] = (),
    ignore_globals: str | tuple[str, ...] | list[str] = (),
    hash_funcs: Mapping[type, Callable[[Any], Any]] | None = None,
    version: Any = None,
    track: str = "auto",
    depends_on: Any = (),
    expires_after: str | float | timedelta | None = None,
    validate: Callable[[dict[str, Any]], bool] | None = None,
    name: str | None = None,
    cache: Cache | None = None,
    memory: bool = True,
    mmap: str | None = "copy",
    lock_timeout: str | float | timedelta | None = None,
    cache_exceptions: bool | type[Exception] | tuple[type[Exception], ...] = False,
    min_seconds: str | float | timedelta = 0,
    tags: str | tuple[str, ...] | list[str] = (),
    private: bool = False,
) -> Decorator: ...
def cached(
    function: Any = None,
    /,
    *,
    enabled: bool = True,
    write: bool = True,
    refresh: bool = False,
    compress: bool = False,
    key: str | Callable[..., Any] = "hash",
    ignore: str | tuple[str, ...] | list[str] = (),
    ignore_globals: str | tuple[str, ...] | list[str] = (),
    hash_funcs: Mapping[type, Callable[[Any], Any]] | None = None,
    version: Any = None,
    track: str = "auto",
    depends_on: Any = (),
    expires_after: str | float | timedelta | None = None,
    validate: Callable[[dict[str, Any]], bool] | None = None,
    name: str | None = None,
    cache: Cache | None = None,
    memory: bool = True,
    mmap: str | None = "copy",
    lock_timeout: str | float | timedelta | None = None,
    cache_exceptions: bool | type[Exception] | tuple[type[Exception], ...] = False,
    min_seconds: str | float | timedelta = 0,
    tags: str | tuple[str, ...] | list[str] = (),
    private: bool = False,
) -> Any:
    """Keep the results of a function.

    A call is looked up by the code that would run and every value that it would read:
    the function, its helpers, classes, closures, globals and arguments.  The function
    is called only if nothing stored fits.

    Parameters
    ----------
    function : callable
        Given directly (``@cached``), or to what ``@cached(...)`` gives.
    enabled : bool
        Off: nothing is read or written.
    write : bool
        Off: stored results are used, new ones are not stored.
    refresh : bool
        Compute and store at every call, also with ``write=False``.
    compress : bool
        Deflate entries.
    key : "hash", "readable" or callable
        How entries are identified: by digest; with a file name that begins with
        function and arguments; by what a callable makes of the arguments (it is
        called like the function; its value is hashed in their place).
    ignore : str or tuple of str
        Parameters to leave out of the key.  Those whose names begin with ``_`` are
        always left out.
    ignore_globals : str or tuple of str
        Globals to leave out of the key, for instance a dict that only saves work.
    hash_funcs : dict of type to callable, optional
        What identifies values of a type: ``{Model: lambda m: m.id}``.
    version
        Any value that belongs to the key.
    track : "auto", "source" or "none"
        What of the code belongs to the key: it and all that it reads; it, its defaults
        and its closure; only its name.
    depends_on : object or tuple
        Functions, modules, values that belong to the key besides.
    expires_after : str, number or timedelta, optional
        How old an entry may be to be used: ``"12h"``, ``"7d"``, seconds.  What is
        asked for today counts, not what was when it was stored.
    validate : callable, optional
        Says from an entry's metadata (a dict with name, key, created, seconds, bytes,
        tags, variables, packages, ...) whether it may be used.
    name : str, optional
        The entries' name; None: the qualified name of the function.
    cache : Cache, optional
        Where results are kept; None: the default cache, found anew for each call.
    memory : bool
        Whether a repeated hit may be served from what this process keeps of the
        entry.  Each caller gets an object of its own all the same.
    mmap : "copy", "read" or None
        How arrays of a hit are handed out: as private copy-on-write mappings, which
        may be changed; read-only; as plain memory.
    lock_timeout : str, number or timedelta, optional
        How long to wait while another thread or process computes the same call; then
        it is computed here too.  None: while the other one lives.
    cache_exceptions : bool or kinds of Exception
        Whether a call that raises is kept too, and raises the same again on a hit.
    min_seconds : str, number or timedelta
        What took less to compute is not stored.
    tags : str or tuple of str
        Words of yours for the entries, to list and clear by.
    private : bool
        Keep no summaries of values and no arguments with an entry, and never share it.

    Returns
    -------
    CachedFunction or AsyncCachedFunction
        Called like the function, or awaited; see its methods.  Of a static or class
        method, such a one again.

    Raises
    ------
    TypeError
        Not a function (a class, for instance), or a generator.
    ValueError
        An option cannot be meant.
    """
    found = _default if cache is None else cache
    options = options_of(
        functools.partial(getattr, found, "core"),
        enabled=enabled,
        write=write,
        refresh=refresh,
        compress=compress,
        key=key,
        ignore=ignore,
        ignore_globals=ignore_globals,
        hash_funcs=hash_funcs,
        version=version,
        track=track,
        depends_on=depends_on,
        expires_after=expires_after,
        validate=validate,
        name=name,
        memory=memory,
        mmap=mmap,
        lock_timeout=lock_timeout,
        cache_exceptions=cache_exceptions,
        min_seconds=min_seconds,
        tags=tags,
        private=private,
    )
    if function is None:
        options.check_values()
        return functools.partial(decorate, options=options)
    return decorate(function, options)


def entries() -> pd.DataFrame:
    """Give the entries of the default cache as a DataFrame, newest first."""
    return _default.entries()


def load(key_or_name: str) -> dict[str, Any]:
    """Give the values of the newest result of a name, running nothing.

    Works in any Python, without a notebook, as far as the values need none of its
    classes and variables.  Whether the result is current is not asked.

    Parameters
    ----------
    key_or_name : str
        Name of a cell, function or imported result, or the key of an entry; of an
        imported result also the id, or name of a file, that it had elsewhere.

    Returns
    -------
    dict of str to object
        The variables of the newest cell of that name; else the result of the newest
        call of the function of that name, as ``{"value": result}``.

    Raises
    ------
    NotCached
        There is no such entry, or its values refer to what is not here.
    DamagedEntry, UntrustedEntry, OSError
        The entry cannot be used.
    """
    return _default.load(key_or_name)


def clear(name: str | None = None, *, all: bool = False, **chosen: Any) -> int:
    """Delete entries of the default cache; see `Cache.clear`."""
    return _default.clear(name, all=all, **chosen)


def explain(name: str) -> str:
    """Say what became of the last request of a name; see `Cache.explain`."""
    return _default.explain(name)


def last() -> Outcome | None:
    """Give the latest outcome of this process: what was asked for, hit or miss, why."""
    return outcomes[-1] if outcomes else None
