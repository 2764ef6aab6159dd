"""Which stored entry answers a request: one whose run found what is there today."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from nbcache import randomness
from nbcache.conditions import broken
from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.keys.key import Change
from nbcache.outcome import Hit, Miss, Request
from nbcache.storage.entry import Entry
from nbcache.storage.store import Opened, Source
from nbcache.storage.traces import Descriptor
from nbcache.trace.observed import (
    ABSENT,
    FOLDER,
    Observed,
    Today,
    Unknowable,
    entry_key,
    may_not_run,
)

__all__ = ["Candidates"]


@dataclass
class Candidates:
    """The search for the entry of one request.

    Parameters
    ----------
    store : Source
        Where the entries are.
    request : Request
        What is wanted.
    """

    store: Source
    request: Request
    today: Today = field(default_factory=Today)
    missed: Miss | None = None
    _tried: set[str] = field(default_factory=set)

    def find(self) -> Hit | Miss | None:
        """Give the first entry that may be used, or why one that is there may not.

        Returns
        -------
        Hit, Miss or None
            None if there is nothing under any of the keys.
        """
        for key in (self.request.key, *self.request.also):
            for opened in self._opened(key.digest):
                entry = opened.entry
                miss = self._mismatch(entry, key.digest)
                miss = miss or broken(self.request, entry, time.time())
                if miss is None:
                    return Hit(opened)
                opened.close()
                self._note(miss)
        return self.missed

    def _note(self, miss: Miss) -> None:
        """Keep the first reason, and every damaged file."""
        if self.missed is None:
            self.missed = miss
        elif miss.damaged:
            damaged = (*self.missed.damaged, *miss.damaged)
            self.missed = Miss("damaged", detail=miss.detail, damaged=damaged)

    # --- entries under one look-up key

    def _opened(self, lookup: str) -> Iterator[Opened]:
        """Open what may answer: the entry of a run that found nothing, then others."""
        plain = self._get(lookup)
        if plain is not None:
            yield plain
        for descriptor in self.store.traces.read(lookup):
            yield from self._described(lookup, descriptor)

    def _described(self, lookup: str, descriptor: Descriptor) -> Iterator[Opened]:
        newest = self._get(descriptor.newest)
        if newest is not None:
            # its stats spare reading the files, whichever entry it will be
            self.today.trust(_rows(newest.entry.trace))
        try:
            found = self._found_today(descriptor, newest)
        except BaseException as error:
            if newest is not None:
                newest.close()
            if not isinstance(error, OSError | KeyError | Unknowable):
                raise
            is_file = not isinstance(error, Unknowable)
            reason = "file" if is_file else "dependency"
            self._note(Miss(reason, detail=str(error)))
            return
        key = entry_key(lookup, found)
        if newest is not None:
            yield newest
        other = self._get(key)
        if other is not None:
            yield other

    def _found_today(
        self, descriptor: Descriptor, newest: Opened | None
    ) -> list[Observed]:
        """Observe what a run found, and what others say of it.

        Metrics come last, in the order in which they were asked for: once something is
        not as it was, what comes after need not be what a run would ask for, and is not
        computed for that.

        Raises
        ------
        OSError, KeyError, Unknowable
            It cannot be told.
        """
        earlier = {} if newest is None else _by_name(newest.entry.trace)
        place = {at: number for number, at in enumerate(earlier)}
        items = sorted(
            descriptor.items,
            key=lambda at: (at[0] == "metric", place.get((at[0], at[1]), len(place))),
        )
        found = []
        is_same = newest is not None
        for kind, name in items:
            with nullcontext() if is_same else may_not_run():
                one = self.today.observe(kind, name)
            found.append(one)
            is_same = is_same and earlier.get((kind, name)) == one.digest
        return found

    def _get(self, key: str) -> Opened | None:
        """Open an entry once; note why it cannot be."""
        if key in self._tried:
            return None
        self._tried.add(key)
        try:
            return self.store.get(key, self.request.slug, memory=self.request.memory)
        except DamagedEntry as error:
            self._note(Miss("damaged", detail=str(error), damaged=(key,)))
        except UntrustedEntry as error:
            self._note(Miss("untrusted", detail=str(error)))
        except OSError as error:
            name = type(error).__name__
            self._note(Miss("unreadable", detail=f"{name}: {error}"))
        return None

    # --- whether an entry may be used

    def _mismatch(self, entry: Entry, lookup: str) -> Miss | None:
        """Say why an entry may not be used now; None if it may."""
        try:
            found, written = _rows(entry.trace), _rows(entry.written)
            if entry.key != entry_key(lookup, found):
                return Miss("new")
            changes = [*self._changes(found, ""), *self._changes(written, "wrote ")]
        except OSError as error:
            return Miss("file", detail=str(error))
        except Unknowable as error:
            return Miss("dependency", detail=str(error))
        except (KeyError, ValueError, TypeError) as error:
            return Miss("damaged", detail=f"trace: {error}", damaged=(entry.key,))
        if changes:
            is_metric = all(one.label.startswith("metric ") for one in changes)
            reason = "dependency" if is_metric else "file"
            return Miss(reason, tuple(changes), earlier=entry)
        try:
            randomness.require_unseeded(entry.state, self.request.rng)
        except LookupError as error:
            return Miss("dependency", detail=str(error))
        return None

    def _changes(self, rows: list[Observed], verb: str) -> Iterator[Change]:
        is_same = True
        for one in sorted(rows, key=lambda one: one.kind == "metric"):
            try:
                with nullcontext() if is_same else may_not_run():
                    now = self.today.observe(one.kind, one.name)
            except Unknowable:
                if is_same:
                    raise
                return  # it has changed in any case
            if now.digest != one.digest:
                is_same = False
                label = f"{verb}{one.kind} {one.name}".strip()
                yield Change(label, _said(one), _said(now))


def _by_name(rows: list[list[Any]]) -> dict[tuple[str, str], str]:
    return {(one.kind, one.name): one.digest for one in _rows(rows)}


def _rows(rows: list[list[Any]]) -> list[Observed]:
    return [Observed.from_json(row) for row in rows]


def _said(one: Observed) -> str | None:
    """Say what is there; None for nothing."""
    if one.digest == ABSENT:
        return None
    return "a folder" if one.digest == FOLDER else ""
