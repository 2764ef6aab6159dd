"""Run the cell of an entry again beside the notebook, which sees nothing of it."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import operator
import os
import random
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nbcache import randomness, surroundings
from nbcache.cache import Core
from nbcache.cell.body import Body
from nbcache.cell.capture import muted
from nbcache.cell.identity import CellIdentity, identify
from nbcache.cell.options import CellOptions
from nbcache.cell.statement import Statement
from nbcache.cell.task import CellTask
from nbcache.errors import NotCached
from nbcache.keys.dependencies import reached
from nbcache.keys.key import Change, Key
from nbcache.outcome import Computed, Miss, Outcome, Request
from nbcache.outputs import Result
from nbcache.storage.entry import IMPORTED, Entry
from nbcache.storage.inplace import form_of
from nbcache.storage.live import resolve
from nbcache.storage.reread import reread

__all__ = ["recompute_cell"]

_MAGIC = "%%cached"
_MISSING = object()


def recompute_cell(shell: Any, core: Core, entry: Entry) -> Outcome:
    """Run the stored source of a cell, and replace the entry by what it leaves.

    Parameters
    ----------
    shell : InteractiveShell
        Whose namespace has the inputs.
    core : Core
        Where the entry is.
    entry : Entry
        Of a cell; its file is verified and read anew.

    Returns
    -------
    Outcome
        Its ``refused`` says why the result could not be stored; the entry then stays.

    Raises
    ------
    NotCached
        An input is not what it was when the entry was made, or the source was not
        kept.  Nothing has run.
    UnhashableValue
        An input cannot be part of a key by now.  Nothing has run.
    DamagedEntry, UntrustedEntry, OSError
        The entry cannot be used.  Nothing has run.
    Exception
        What the cell raises; the entry stays.

    Notes
    -----
    The cell runs in the notebook's own namespace, since functions of the notebook read
    their globals there; afterwards every name is bound to what it was bound to before,
    what the cell changes in place is as it was, lists, dicts and sets have the items
    that they had, and random generators, working directory and environment are as they
    were.  Other threads see the cell's variables meanwhile.
    """
    stored = reread(core.store, entry)
    text = _body_text(stored)
    if stored.options.get("statement"):
        body: Body = Statement(shell, text, [])
    else:
        body = Body(shell, text, stored.source)
    with muted(shell), _put_back(shell.user_ns), _put_back_process():
        task = _prepared(shell, core, stored, body)
        request = Request(
            key=task.identity.key,
            name=stored.name,
            kind="cell",
            notebook=stored.notebook,
            refresh=True,
            rng=task.options.rng,
            expires_after=stored.expires_after,
            private=stored.private,
        )
        with core.flight(request), _put_back_inputs(task, stored):
            computed = _computed(task)
            return core.keep(request, task, computed, Miss("refreshed"))


def _body_text(entry: Entry) -> str:
    """Give what stands below the ``%%cached`` line of an entry's cell."""
    if entry.kind == IMPORTED:
        raise NotCached(f"{entry.name!r} was imported: there is no code to run again")
    if entry.kind != "cell":
        raise NotCached(f"{entry.name!r} is no cell: it is a {entry.kind}")
    lines = entry.source.splitlines(keepends=True)
    for number, line in enumerate(lines):
        words = line.split()
        if words and words[0] == _MAGIC:
            return "".join(lines[number + 1 :])
        if words and not line.lstrip().startswith("%%"):
            break
    raise NotCached(f"the source of {entry.name!r} was not kept: run its cell again")


def _prepared(shell: Any, core: Core, entry: Entry, body: Body) -> CellTask:
    """Give the task of a cell whose inputs are those of the entry.

    Raises
    ------
    NotCached
        They are not; the text names those that differ.
    """
    options = CellOptions.from_json(entry.options, refresh=True)
    namespace = shell.user_ns
    identity = identify(shell, body, options, namespace)
    if identity.key.digest != entry.lookup:
        _require_equal_inputs(entry, identity)
        # the entry was made when names that the cell itself binds were not yet bound
        for name in (set(identity.flow.reads) & identity.flow.stores) - (
            identity.flow.guarded
        ):
            namespace.pop(name, None)
        identity = identify(shell, body, options, namespace)
        _require_equal_inputs(entry, identity)
    _copy_ignored(namespace, options)
    return CellTask(
        shell=shell,
        body=body,
        options=options,
        identity=identity,
        name=entry.name,
        notebook=entry.notebook,
        raw=entry.source,
        store=str(core.store.folder),
        namespace=namespace,
    )


def _require_equal_inputs(entry: Entry, identity: CellIdentity) -> None:
    keys = (identity.key, *identity.also)
    if entry.lookup in {key.digest for key in keys}:
        return
    made_for = Key.from_json(entry.parts)
    nearest: tuple[Change, ...] = min(map(made_for.difference, keys), key=len)
    told = "; ".join(map(str, nearest)) or "its key is made differently by now"
    raise NotCached(
        f"{entry.name!r} was computed from other inputs: {told}. Run its cell instead"
    )


def _copy_ignored(namespace: dict[str, Any], options: CellOptions) -> None:
    """Give the cell inputs of its own where no key would tell that it changed them."""
    for name in options.ignore:
        # what cannot be copied, a connection say, is what a run would use as well
        with suppress(Exception):
            namespace[name] = copy.deepcopy(namespace[name])


# --- running it unseen


def _computed(task: CellTask) -> Computed[None]:
    """Run the cell; its value is recorded, not shown, and does not become ``_``."""
    shown = sys.displayhook
    sys.displayhook = _recorder(task)
    try:
        if task.body.is_async and _is_loop_running():
            return _run_beside(task)
        return task.compute()
    finally:
        sys.displayhook = shown


def _recorder(task: CellTask) -> Callable[[Any], None]:
    def record_value(value: Any) -> None:
        if value is None or task.run is None:
            return
        data, metadata = task.shell.display_formatter.format(value)
        record = task.run.record
        record.result, record.value = True, value
        if data:
            record.add(Result(dict(data), dict(metadata)))

    return record_value


def _is_loop_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_beside(task: CellTask) -> Computed[None]:
    """Run a cell that awaits in a thread, since this one's loop is busy with us."""
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def run() -> Computed[None]:
        running = asyncio.current_task()
        assert running is not None
        started.append((asyncio.get_running_loop(), running))
        return await task.compute_async()

    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(context.run, asyncio.run, run())
        try:
            return future.result()
        except BaseException:
            for loop, running in started:
                with suppress(RuntimeError):  # it has ended by itself
                    loop.call_soon_threadsafe(running.cancel)
            raise


# --- putting back


@contextmanager
def _put_back(namespace: dict[str, Any]) -> Iterator[None]:
    """Bind names as before at the end of the block, also after an error."""
    before = dict(namespace)
    items = [
        (value, taken, _items(value))
        for value in {id(value): value for value in before.values()}.values()
        if (taken := _PUTS.get(type(value))) is not None
    ]
    try:
        yield
    finally:
        # name by name: at no time do other threads find a name unbound that is bound
        for name in namespace.keys() - before.keys():
            del namespace[name]
        for name, value in before.items():
            if namespace.get(name, _MISSING) is not value:
                namespace[name] = value
        for value, put, had in items:
            if not _same(_items(value), had):
                put(value, had)


@contextmanager
def _put_back_inputs(task: CellTask, entry: Entry) -> Iterator[None]:
    """Make what the cell changes in place what it was, also after an error."""
    live = {**task.identity.values, **task.identity.inputs}
    copies = {}
    for path in entry.state.get("changed", ()):
        value = resolve(live, path, reached)
        form = form_of(value)
        if form is not None:
            copies[id(value)] = form.copied(value)
    try:
        yield
    finally:
        if task.run is not None:
            task.run.inputs.snapshot.undo(copies)


def _items(value: Any) -> list[Any]:
    """Give the items of a container; of a dict its keys, then its values."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return list(value)


def _same(now: list[Any], before: list[Any]) -> bool:
    return len(now) == len(before) and all(map(operator.is_, now, before))


def _put_sequence(value: Any, items: list[Any]) -> None:
    value.clear()
    value.extend(items)


def _put_set(value: set[Any], items: list[Any]) -> None:
    value.clear()
    value.update(items)


def _put_dict(value: dict[Any, Any], items: list[Any]) -> None:
    half = len(items) // 2
    value.clear()
    # not by the type's own `update`: a Counter would count
    dict.update(value, zip(items[:half], items[half:], strict=True))


# Exact types: a subclass may do anything when it is filled
_PUTS: dict[type, Callable[[Any, list[Any]], None]] = {
    list: _put_sequence,
    deque: _put_sequence,
    bytearray: _put_sequence,
    set: _put_set,
    dict: _put_dict,
    OrderedDict: _put_dict,
    defaultdict: _put_dict,
    Counter: _put_dict,
}


@contextmanager
def _put_back_process() -> Iterator[None]:
    """Put back random generators, directory, environment, settings."""
    states: dict[str, Any] = {"random": random.getstate()}
    if "numpy" in sys.modules:
        states["numpy"] = sys.modules["numpy"].random.get_state()
    seeded = set(randomness._seeded)
    environment, folder = dict(os.environ), Path.cwd()
    put_settings_back = surroundings.settings_kept()
    try:
        yield
    finally:
        put_settings_back()
        randomness.restore(states, [])
        randomness._seeded.intersection_update(seeded)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        with suppress(OSError):
            os.chdir(folder)
