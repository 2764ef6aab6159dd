"""What is to be done with a cell, decided before anything runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from IPython.core.error import UsageError

from nbcache import config, info
from nbcache.cache import Core, notebook_name
from nbcache.cell.body import Body
from nbcache.cell.identity import CellIdentity, identify, starred_values
from nbcache.cell.names import default_name
from nbcache.cell.options import CellOptions
from nbcache.cell.task import CellTask
from nbcache.errors import UnhashableValue
from nbcache.keys import reading
from nbcache.keys.dependencies import unwrap
from nbcache.magic.arguments import Asked
from nbcache.outcome import Hit, Request
from nbcache.wording import near

__all__ = ["Plain", "Plan", "foretold", "planned"]


@dataclass(frozen=True)
class Plan:
    """One cell, ready to be looked up or run."""

    core: Core
    request: Request
    task: CellTask


@dataclass(frozen=True)
class Plain:
    """One cell that just runs.

    Parameters
    ----------
    core : Core
        Where the entry would have been.
    name : str
        The entry's name.
    reason : str
        Why nothing is looked up or stored.
    is_refusal : bool
        Whether the user is told: they did not ask for it.
    """

    core: Core
    name: str
    reason: str
    is_refusal: bool = False


def planned(shell: Any, core: Core, body: Body, asked: Asked, raw: str) -> Plan | Plain:
    """Decide what is to be done with a cell.

    Raises
    ------
    UsageError
        Options name what the cell does not have, or the condition fails.
    """
    options, namespace = asked.options, shell.user_ns
    name = options.name or default_name(body.tree)
    if not config.current().enabled:
        return Plain(core, name, "the cache is off (%nbcache on)")
    if asked.condition and not _holds(asked.condition, namespace):
        return Plain(core, name, f"--if {asked.condition} is false")
    for client in options.opaque:
        if client not in namespace:
            hint = near(client, map(str, namespace))
            raise UsageError(f"--opaque {client}: there is no such variable.{hint}")
    try:
        identity = identify(shell, body, options, namespace)
    except UnhashableValue as error:
        return Plain(core, name, error.of_cell(), is_refusal=True)
    except Exception as error:
        return Plain(core, name, f"it has no key: {error!r}", is_refusal=True)
    _require_names(options, identity, body)
    request = _request(core, name, options, identity)
    task = CellTask(
        shell=shell,
        body=body,
        options=options,
        identity=identity,
        name=name,
        notebook=request.notebook,
        raw=raw,
        store=str(core.store.folder),
        namespace=namespace,
    )
    return Plan(core, request, task)


def _request(
    core: Core, name: str, options: CellOptions, identity: CellIdentity
) -> Request:
    return Request(
        key=identity.key,
        name=name,
        kind="cell",
        also=identity.also,
        notebook=notebook_name(),
        refresh=options.refresh,
        write=not core.settings.read_only,
        expires_after=options.expires_after,
        min_seconds=options.min_seconds,
        lock_timeout=core.settings.lock_timeout,
        private=options.private,
        rng=options.rng,
    )


def _holds(condition: str, namespace: dict[str, Any]) -> bool:
    try:
        return bool(eval(condition, dict(namespace)))
    except Exception as error:
        raise UsageError(f"--if {condition}: {type(error).__name__}: {error}") from None


def _require_names(options: CellOptions, identity: CellIdentity, body: Body) -> None:
    """Refuse names that the cell has nothing to do with: they are misspelt."""
    if identity.refused or options.trust_magics or starred_values(body.tree):
        return  # it may bind and read anything
    own = identity.flow.stores | identity.flow.late | set(identity.flow.reads)
    own |= _bound_by_helpers({**identity.inputs, **identity.values}.values())
    for flag, names in (("--only", options.only), ("--skip", options.skip)):
        for name in names:
            if name not in own:
                hint = near(name, own)
                raise UsageError(f"{flag} {name}: the cell does not assign it.{hint}")
    reads = set(identity.flow.reads)
    for name in options.ignore:
        if name not in reads:
            raise UsageError(
                f"--ignore {name}: the cell does not read it.{near(name, reads)}"
            )


def _bound_by_helpers(values: Iterable[Any]) -> set[str]:
    """Give the globals that functions bind which the cell reaches."""
    functions = [one for one in map(unwrap, values) if isinstance(one, FunctionType)]
    return {name for one in functions for name in reading.bound_globals(one.__code__)}


def foretold(plan: Plan | Plain) -> str:
    """Say what would become of a cell, and why."""
    if isinstance(plan, Plain):
        return f"{plan.name!r} would run, and not be stored: {plan.reason}"
    name = plan.request.name
    refused = plan.task.identity.refused
    if refused:
        return f"{name!r} would run, and not be stored: {refused}"
    found = plan.core.lookup(plan.request)
    if isinstance(found, Hit):
        found.opened.close()
        entry = found.opened.entry
        stored, took = info.when_text(entry.created), info.seconds_text(entry.seconds)
        size = info.bytes_text(entry.bytes)
        return (
            f"{name!r} would come from the cache: stored {stored}, computed in {took}, "
            f"{size}"
        )
    read_only = "" if plan.request.write else ", and not be stored: read_only is on"
    return f"{name!r} would run: {found}{read_only}"
