"""What travels to workers: points, large arguments once, and a canary."""

from __future__ import annotations

import sys
import time
import uuid
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from nbcache import config
from nbcache.cache import Core
from nbcache.decorator.references import (
    DIGEST,
    VALUE,
    CachedRef,
    plain_digest,
    reference,
)
from nbcache.errors import NbcacheError
from nbcache.executors.point import Point, Work
from nbcache.executors.work import versions
from nbcache.keys import hashing
from nbcache.storage import codec
from nbcache.storage.entry import Entry
from nbcache.storage.store import Content

__all__ = ["Travelling"]

LARGE_BYTES = 1 << 20
_KEPT_S = 7 * 86400.0


class Travelling:
    """Points as workers get them; a context manager.

    Parameters
    ----------
    points : list of Point
        As they are here.
    cores : list of Core
        Of each point.
    is_apart : bool
        Whether workers have another memory, and perhaps another disk.

    Notes
    -----
    Large arguments are stored once, and points carry references, which hash like their
    values.  A canary tells workers whether they see the store.  Both are deleted at the
    end; what a killed process leaves expires.
    """

    def __init__(self, points: list[Point], cores: list[Core], is_apart: bool) -> None:
        self._original = points
        self._cores = {
            point.folder: core
            for point, core in zip(points, cores, strict=True)
            if not point.sends
        }
        self._is_apart = is_apart
        self._made: list[tuple[Core, str]] = []
        self._canaries: dict[str, str] = {}
        self._references: dict[tuple[str, int], CachedRef[Any] | None] = {}
        self.points = points

    def __enter__(self) -> Self:
        if self._is_apart:
            for folder, core in self._cores.items():
                self._add_canary(folder, core)
            self.points = [self._light(point) for point in self._original]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for core, key in self._made:
            core.store.withdraw(key)

    def work(self, points: list[tuple[int, Point]]) -> Work:
        """Give some points as they are sent."""
        home = str(config.cache_dir()) if self._is_apart else ""
        return Work(points, home, self._canaries, versions())

    def inline(self, number: int) -> Point | None:
        """Give a point with its arguments in it; None if it has them already."""
        point = self._original[number]
        return None if self.points[number] is point else point

    def _add_canary(self, folder: str, core: Core) -> None:
        entry = Entry(
            key=hashing.digest(("canary", uuid.uuid4().hex)),
            kind="canary",
            name="(canary of a batch)",
            created=time.time(),
            expires_after=_KEPT_S,
        )
        key = self._put(core, entry, codec.encode({}))
        if not core.settings.read_only:
            # what could not be written is not seen: what workers write might not be
            self._canaries[folder] = key or entry.key

    def _put(self, core: Core, entry: Entry, encoded: codec.Encoded) -> str:
        """Store something for workers; give its key, or "" if that is not possible."""
        if core.settings.read_only or not core.settings.enabled:
            return ""
        with suppress(OSError, NbcacheError):
            core.store.put(entry, Content.of(encoded))
            self._made.append((core, entry.key))
            return entry.key
        return ""

    # --- large arguments

    def _light(self, point: Point) -> Point:
        values = [*point.args, *point.kwargs.values()]
        if not point.keep or point.sends or not any(map(_is_large, values)):
            return point
        met = [id(value) for value in values]
        args = tuple(self._referred(one, point, met) for one in point.args)
        kwargs = {
            name: self._referred(one, point, met) for name, one in point.kwargs.items()
        }
        return replace(point, args=args, kwargs=kwargs)

    def _referred(self, value: Any, point: Point, met: list[int]) -> Any:
        if not _is_large(value) or met.count(id(value)) > 1:
            return value
        known = point.folder, id(value)
        if known not in self._references:
            self._references[known] = self._kept(value, self._cores[point.folder])
        found = self._references[known]
        return value if found is None else found

    def _kept(self, value: Any, core: Core) -> CachedRef[Any] | None:
        """Store an argument; None if that is not possible."""
        name = "(argument of a batch)"
        try:
            encoded = codec.encode({VALUE: value})
            digest = plain_digest(value, encoded)
        except (NbcacheError, RecursionError):
            return None
        if digest is None or encoded.pickled:
            return None
        entry = Entry(
            key=hashing.digest(("argument", uuid.uuid4().hex)),
            kind="argument",
            name=name,
            created=time.time(),
            expires_after=_KEPT_S,
            state={DIGEST: digest},
        )
        key = self._put(core, entry, encoded)
        opened = core.store.get(key) if key else None
        if opened is None:
            return None
        try:
            return reference(opened, name, core.store.folder, "")
        finally:
            opened.close()


def _is_large(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.nbytes >= LARGE_BYTES and not value.dtype.hasobject
    if isinstance(value, bytes):
        return len(value) >= LARGE_BYTES
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        return int(np.sum(value.memory_usage())) >= LARGE_BYTES
    return False
