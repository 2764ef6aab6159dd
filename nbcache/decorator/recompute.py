"""Compute the entry of a function's call again, from the arguments kept with it."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

from nbcache.cache import Core
from nbcache.decorator.arguments import CALL_BYTES, unpacked_arguments
from nbcache.decorator.named import functions
from nbcache.decorator.wrapper import Wrapper
from nbcache.errors import NotCached
from nbcache.keys import secret
from nbcache.keys.key import Key
from nbcache.outcome import Miss, Outcome
from nbcache.storage.entry import IMPORTED, Entry
from nbcache.storage.reread import reread

__all__ = ["recompute_call"]


def recompute_call(core: Core, entry: Entry) -> Outcome:
    """Call a function again as an entry says, and store the result.

    Parameters
    ----------
    core : Core
        Where the entry is, and where the result goes.
    entry : Entry
        Of a function; its file is verified and read anew.

    Returns
    -------
    Outcome
        Its ``changes`` say how today's call differs from the stored one, for instance
        by an edit of the function; the result then stands under a key of its own.
        ``refused`` says why a result could not be stored.

    Raises
    ------
    NotCached
        The arguments were not kept, the function is not to be found, or it takes other
        arguments by now.  Nothing has run.
    UnhashableValue
        What the function reads by now cannot be part of a key.  Nothing has run.
    DamagedEntry, UntrustedEntry, OSError
        The entry cannot be used.  Nothing has run.
    Exception
        What the function raises.

    Notes
    -----
    The entry stays as it is until the result is complete; whatever is raised, it stays.
    """
    stored = reread(core.store, entry)
    args, kwargs = _arguments(stored)
    function = _function(stored.name)
    try:
        inspect.signature(function.__wrapped__).bind(*args, **kwargs)
    except TypeError as error:
        raise NotCached(f"{stored.name!r} takes other arguments now: {error}") from None
    request, task = function._request(args, kwargs, refresh=True)
    task.store = str(core.store.folder)
    request = replace(request, min_seconds=0.0)
    changes = Key.from_json(stored.parts).difference(request.key)
    with core.flight(request):
        computed = task.compute()
        return core.keep(request, task, computed, Miss("refreshed", changes))


# --- the arguments


def _arguments(entry: Entry) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if entry.kind == IMPORTED:
        raise NotCached(f"{entry.name!r} was imported: there is no code to run again")
    if entry.kind != "function":
        raise NotCached(f"{entry.name!r} is no function: it is a {entry.kind}")
    if entry.call is None:
        raise NotCached(
            f"the arguments of {entry.name!r} were not kept: {_why_not_kept(entry)}. "
            "Make the call again instead"
        )
    args, kwargs = unpacked_arguments(entry.call)
    return tuple(args), kwargs


def _why_not_kept(entry: Entry) -> str:
    """Say which argument it was, as far as the parts of the key tell."""
    if entry.private:
        return "the entry is private"
    given = {
        label.removeprefix("argument "): summary
        for label, _, summary, *_ in entry.parts
        if label.startswith("argument ")
    }
    for name in given:
        if secret.is_secret_name(name):
            return f"{name!r} sounds like a secret"
    told = [f"{name} = {text}" if text else name for name, text in given.items()]
    return (
        f"they are larger than {CALL_BYTES // 1024} KiB, or one needs pickle or sounds "
        f"like a secret ({', '.join(told) or 'none is in the key'})"
    )


# --- the function


def _function(name: str) -> Wrapper[..., Any]:
    """Give the cached function of a name: of this process, or imported."""
    if name in functions:
        return functions[name]
    module, rest = _imported(name)
    # importing may have defined it under this name, wherever in the module it stands
    found = functions.get(name) or _attribute(module, rest)
    if not isinstance(found, Wrapper):
        raise NotCached(
            f"no cached function {name!r} is defined here: run the cell, or import the "
            "module, that defines it"
        )
    return found


def _imported(name: str) -> tuple[ModuleType, list[str]]:
    """Import the module that a name begins with; give it and the rest of the name."""
    parts = name.split(".")
    found, rest = sys.modules["__main__"], parts
    if all(part.isidentifier() for part in parts):
        for count in range(1, len(parts)):
            module = _module(".".join(parts[:count]))
            if module is None:
                break
            found, rest = module, parts[count:]
    return found, rest


def _module(name: str) -> ModuleType | None:
    """Import a module; None if there is none of that name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            return None
        raise NotCached(f"{name} cannot be imported: {error}") from error
    except Exception as error:
        raise NotCached(f"{name} cannot be imported: {error!r}") from error


def _attribute(owner: Any, names: list[str]) -> Any:
    return functools.reduce(
        lambda found, name: getattr(found, name, None), names, owner
    )
