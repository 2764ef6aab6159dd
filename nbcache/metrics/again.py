"""Compute the entry of a metric again, from its name."""

from __future__ import annotations

from nbcache.cache import Core
from nbcache.errors import NotCached, UnknownName
from nbcache.metrics import live
from nbcache.metrics.collection import Collection
from nbcache.metrics.fetching import ask, fetch
from nbcache.metrics.telling import quietly
from nbcache.outcome import Outcome, outcomes
from nbcache.storage.entry import METRIC, Entry

__all__ = ["recompute_metric"]


def recompute_metric(core: Core, entry: Entry) -> Outcome:
    """Compute a metric of this process again, and store it.

    Parameters
    ----------
    core : Core
        Where the entry is.
    entry : Entry
        Of a metric.

    Returns
    -------
    Outcome
        Of the metric itself; what depends on it is brought up to date when that is
        asked for.

    Raises
    ------
    NotCached
        It is not collected here.  Nothing has run.
    Exception
        What it raises.
    """
    owner = _owner(core, entry)
    metric, given = owner._found(entry.name)
    said = metric._said(given)
    with quietly(True):
        ask(metric, said, lambda: fetch(metric, given, said, refresh=True))
    return next(one for one in reversed(outcomes) if one.name == said)


def _owner(core: Core, entry: Entry) -> Collection:
    collection = entry.state.get(METRIC, {}).get("collection")
    for owner in live.every():
        if owner.name != collection or owner._core().store.folder != core.store.folder:
            continue
        try:
            metric, given = owner._found(entry.name)
        except UnknownName:
            continue
        if metric._said(given) == entry.name:
            return owner
    raise NotCached(
        f"no metric {entry.name!r} of {collection!r} is collected here: run the code "
        "that collects it"
    )
