"""Read the newest entry of a name into the notebook, running nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbcache import explaining, randomness
from nbcache.cache import Core
from nbcache.cell.figures import FIGURES
from nbcache.cell.harmless import shown_of
from nbcache.cell.replay import replay
from nbcache.cell.task import RESULT
from nbcache.errors import NotCached
from nbcache.keys.classes import UserClasses
from nbcache.keys.dependencies import reached
from nbcache.keys.key import Key
from nbcache.storage.entry import Entry
from nbcache.storage.foreign import require_new_names
from nbcache.storage.inplace import CHANGED, Writes

__all__ = ["read_newest"]


def read_newest(
    shell: Any,
    core: Core,
    name: str,
    key: Key | None,
    live: Mapping[str, Any] | None = None,
) -> str:
    """Put the names of the newest entry of a name into the notebook.

    Parameters
    ----------
    shell : InteractiveShell
        Whose namespace receives them.
    core : Core
        Where the entry is.
    name : str
        Of a cell.
    key : Key, optional
        What the cell would be looked up by now; None if it has no key.
    live : mapping of str to object, optional
        What the cell reaches besides the notebook's names, by label.

    Returns
    -------
    str
        What was read, and whether it is what the cell would give now.

    Raises
    ------
    NotCached
        There is no such entry, or it cannot be used without its cell.
    """
    found = [entry for entry in core.store.by_name(name) if entry.kind == "cell"]
    if not found:
        raise NotCached(f"no cell {name!r} is cached: %nbcache ls lists what is")
    opened = core.store.get(found[0].key)
    if opened is None:
        raise NotCached(f"the entry of {name!r} has just been deleted")
    namespace = shell.user_ns
    try:
        values = opened.decode(
            live={**(live or {}), **namespace},
            classes=UserClasses(namespace),
            namespace=namespace,
            reach=reached,
        )
        if not opened.is_mine:
            require_new_names(values, namespace)
        writes = Writes(values.pop(CHANGED, ()))
        shown = shown_of(opened)
    except LookupError as error:
        raise NotCached(f"{name!r} needs what is not here: {error}") from error
    finally:
        opened.close()
    writes.apply(undoable=False)
    values.pop(randomness.RANDOM, None)
    result = values.pop(RESULT, None)
    values.pop(FIGURES, None)
    namespace.update(values)
    replay(shell, shown, value=result, has_value=result is not None)
    told = f"read {name!r} ({', '.join(values)})"
    return f"{told}: {_difference(opened.entry, key)}"


def _difference(entry: Entry, key: Key | None) -> str:
    if key is None:
        return "whether it is current cannot be known"
    changes = explaining.changes_between(entry, key.described)
    if not changes:
        return "it is current"
    return f"it is not current: {', '.join(map(str, changes))}"
