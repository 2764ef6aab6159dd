"""What keeps a cache in order, as methods: clear, pin, gc, verify, stats, export.

What they need is imported when they are called: nothing of it is of use to a hit.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING

from nbcache import durations, selection, sizes
from nbcache.cache import Core, warn
from nbcache.selection import Selection

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from nbcache.collection import Collected
    from nbcache.legacy.report import LegacyImport
    from nbcache.storage.exchange import Exported, Imported
    from nbcache.storage.verification import Report

__all__ = ["Maintained", "clear"]


class Maintained(ABC):
    """A cache that can be kept in order; `Cache` is one."""

    @property
    @abstractmethod
    def core(self) -> Core:
        """The core behind this cache."""

    def clear(
        self,
        name: str | None = None,
        *,
        all: bool = False,
        tag: str = "",
        stale: bool = False,
        older: str | float | timedelta | None = None,
    ) -> int:
        """Delete entries: what is given must hold of them all at once.

        Parameters
        ----------
        name : str, optional
            Their name (globs allowed), or a key.
        all : bool
            All of the store, without any other choice.
        tag : str
            One of their tags.
        stale : bool
            What a look-up today would not take.
        older : str, number or timedelta, optional
            What was stored longer ago: ``"30d"``, seconds.

        Returns
        -------
        int
            How many entries were deleted.  Pinned ones stay, with a warning.

        Raises
        ------
        ValueError
            No choice at all, or ``all=True`` with another one.
        UnknownName
            No entry has that name or tag.
        OSError
            The folder cannot be written, or is not a store.
        """
        names = () if name is None else (name,)
        older_s = None if older is None else durations.seconds(older)
        chosen = Selection(names, tag, stale, older_s, all)
        if chosen.is_empty or chosen.is_contradictory:
            raise ValueError(
                "clear takes a name, tag=, stale=True, older=, or all=True alone"
            )
        count, pinned = clear(self.core, chosen)
        if pinned:
            warn(selection.pinned_text(pinned))
        return count

    def pin(self, name: str) -> list[str]:
        """Keep the entries of a name, now and later, from eviction, gc and clear.

        Parameters
        ----------
        name : str
            Name of entries (a glob stands for those that are there), or a key.

        Returns
        -------
        list of str
            What is pinned by it.

        Raises
        ------
        UnknownName
            No entry has that name.
        OSError, sqlite3.Error
            It cannot be written.
        """
        return selection.pin(self.core, [name])

    def unpin(self, name: str) -> list[str]:
        """Take a pin away; give what was pinned.

        Raises
        ------
        UnknownName
            Nothing is pinned under that name.
        OSError, sqlite3.Error
            It cannot be written.
        """
        return selection.unpin(self.core, [name])

    def gc(
        self,
        *,
        max_size: str | float | None = None,
        max_age: str | float | timedelta | None = None,
        keep: int | None = None,
        tag: str = "",
        dry_run: bool = False,
    ) -> Collected:
        """Remove what is not worth keeping, and what dead processes left behind.

        Expired entries, failures of more than 30 days ago and superseded versions
        beyond those to keep go; then, while there is more than the limit, what is
        stale, then what is worth least.

        Parameters
        ----------
        max_size : str or number, optional
            ``"5GB"`` or bytes; None: the setting of that name.
        max_age : str, number or timedelta, optional
            What was neither stored nor used for so long goes.
        keep : int, optional
            Versions of the code of each name that stay; 0: all.  None: of cells, as
            the setting of that name says.
        tag : str
            Only entries that have it go.
        dry_run : bool
            Say only what would go.

        Returns
        -------
        Collected
            What went and why; its text tells it.

        Raises
        ------
        ValueError
            Not a size, age or number.
        OSError
            The folder cannot be written.
        """
        from nbcache.collection import Wanted, collect

        if keep is not None and keep < 0:
            raise ValueError(f"keep is a number of versions from 0, not {keep!r}")
        most = self.core.settings.max_size if max_size is None else sizes.size(max_size)
        age = None if max_age is None else durations.seconds(max_age)
        return collect(self.core, Wanted(most, age, keep, tag, dry_run))

    def verify(self, repair: bool = False, *, sample: float = 1.0) -> Report:
        """Read every entry to the last byte and compare it with its checksum.

        Parameters
        ----------
        repair : bool
            Set damaged files aside, and make the index agree with the folder.
        sample : float
            Part of the entries that is read, chosen at random: 0.05.

        Returns
        -------
        Report
            What was found; true if there is no problem.

        Raises
        ------
        ValueError
            No such part.
        """
        from nbcache.storage import verification

        return verification.verify(self.core.store, sample=sample, repair=repair)

    def stats(self) -> pd.DataFrame:
        """Give hits, misses by reason, s computed and saved, bytes: a row a name."""
        from nbcache import stats

        return stats.frame(self.core)

    def plot(self) -> Figure:
        """Give a figure of the time saved and the size on disk, by name.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from nbcache import plotting

        return plotting.plot(self.core)

    def export(
        self,
        file: str | os.PathLike[str],
        *names: str,
        tag: str = "",
        overwrite: bool = False,
    ) -> Exported:
        """Write entries to one file, to be imported elsewhere.

        Their summaries, sources and kept arguments go with them.  Entries that are
        private or damaged are left out.

        Parameters
        ----------
        file : path
            A zip of entries.
        *names : str
            Names (globs allowed) or keys; none: all entries.
        tag : str
            Only entries that have it.
        overwrite : bool
            Whether to replace a file that is there.

        Returns
        -------
        Exported
            How many, and what was left out; its text tells it.

        Raises
        ------
        UnknownName
            No entry has one of the names, or the tag.
        OSError
            The file is there, or cannot be written.
        """
        from nbcache.storage import exchange

        chosen = Selection(names, tag).of(self.core)
        return exchange.export(self.core.store, chosen, file, overwrite=overwrite)

    def import_(self, file: str | os.PathLike[str]) -> Imported:
        """Take the entries of a file that `export` wrote.

        Entries that are there stay.  What another user signed is not used until it is
        trusted.

        Returns
        -------
        Imported
            How many, and what was refused; its text tells it.

        Raises
        ------
        NotAnExport
            The file is none.
        OSError
            It cannot be read, or the folder not be written.
        """
        from nbcache.storage import exchange

        return exchange.import_(self.core.store, file)

    def import_legacy(
        self,
        path: str | os.PathLike[str],
        kind: str | None = None,
        allow_pickle: bool = False,
        *,
        dry_run: bool = False,
    ) -> LegacyImport:
        """Take the results that an earlier caching package stored.

        Runs of batchpy keep their ids.  Results of numpy_caching are named by their
        function where the file tells it, else as the file.  Those of
        simple_metrics_manager keep their names, and the date stored beside them.  What
        is there already stays.  Eviction and `gc` leave these entries alone: no code
        here could compute them again.

        Parameters
        ----------
        path : path
            A file, the folder of the files (``_res``, ``_cache`` or any other), or
            the one in which these two are.
        kind : "metrics", "batchpy" or "numpy_caching", optional
            Take only files of it; "metrics" are those of simple_metrics_manager.
            None: each by what it is.
        allow_pickle : bool
            Whether to unpickle, which can run code of the file.  Without it, what
            needs that is refused.
        dry_run : bool
            Say only what would be imported.  With `allow_pickle`, files are unpickled
            all the same.

        Returns
        -------
        LegacyImport
            What was taken, and what was refused and why; its text tells it.

        Raises
        ------
        ValueError
            No such kind, or no such file in the folder.
        OSError
            The path cannot be read, or the folder of the store not be written.
        """
        from nbcache.legacy.importing import import_legacy

        return import_legacy(
            self.core, path, kind, allow_pickle=allow_pickle, dry_run=dry_run
        )


def clear(core: Core, chosen: Selection) -> tuple[int, int]:
    """Delete what was chosen; give how many went, and how many pinned ones stay.

    Raises
    ------
    UnknownName
        No entry has one of the names, or the tag.
    OSError
        The folder cannot be written, or is not a store.
    """
    store = core.store
    found = chosen.of(core)
    free = store.unpinned(found)
    pinned = len(found) - len(free)
    return (store.clear() if chosen.all else store.delete(free)), pinned
