"""What became of files while something ran: found, written, or past following."""

from __future__ import annotations

import glob
import importlib.util
import itertools
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from nbcache.keys import origin
from nbcache.trace import workers
from nbcache.trace.named import Named, look_at
from nbcache.trace.observed import (
    ABSENT,
    MOST_FILES,
    Observed,
    Stat,
    Today,
    file_digest,
    file_stat,
)

__all__ = ["Settled", "Trace"]

# what the system reads on its own account: devices, zone and locale tables, fonts
_SYSTEM = (
    *("/proc/", "/sys/", "/usr/lib", "/usr/share/", "/lib/", "/lib64/", "/bin/"),
    *(
        # not all of it: somebody's project may be its own environment
        os.path.join(prefix, folder, "")
        for prefix in {sys.prefix, sys.base_prefix}
        for folder in ("lib", "lib64", "bin", "share", "etc", "include", "Lib", "DLLs")
    ),
)
# fonts and compiled code: never an input, or made from what is followed already
_DERIVED = (".ttf", ".otf", ".nbi", ".nbc")


@dataclass(slots=True)
class _Found:
    """A file as the run found it."""

    name: str
    stat: Stat | None
    digest: str = ""
    rested: Stat | None = None
    native: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What a run found and left outside the process.

    Parameters
    ----------
    found, written : tuple of Observed
        What its result depends on; what a hit must find on disk.
    refused : str
        Why no hit could stand for it; '' if one can.
    told : str
        What a hit will not notice; '' if nothing.
    seconds : float
        s that results took which it got from the cache.
    """

    found: tuple[Observed, ...] = ()
    written: tuple[Observed, ...] = ()
    refused: str = ""
    told: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Trace:
    """Files and folders that a run touched.

    Parameters
    ----------
    folder : str
        The working directory when it began.
    number : int
        Of all recordings of a process, in the order in which they began.

    Attributes
    ----------
    outside : set of str
        What else it reached that no digest can follow.
    seconds : float
        s that results took which it got from the cache.
    has_workers : bool
        Whether it started processes of its own, whose files nobody hears.
    """

    folder: str = field(default_factory=lambda: _working_folder())
    number: int = 0
    outside: set[str] = field(default_factory=set)
    seconds: float = 0.0
    has_workers: bool = False
    _found: dict[str, _Found] = field(default_factory=dict)
    _listed: dict[str, Observed] = field(default_factory=dict)
    _written: dict[str, tuple[str, bool]] = field(default_factory=dict)
    _others: dict[tuple[str, str], Observed] = field(default_factory=dict)
    _lent: dict[str, Observed] = field(default_factory=dict)
    _pools: workers.Asked = field(default_factory=workers.asked)
    _refused: str = ""

    # --- what the hook tells

    def give_up(self, why: str) -> None:
        """Note that the run did what cannot be followed."""
        self._refused = self._refused or why

    def read(self, name: str) -> None:
        """Note a file about to be opened for reading."""
        if name.endswith(".pyc"):
            name = importlib.util.source_from_cache(name)
        path = os.path.abspath(name)
        if path in self._found or path in self._written or not _is_users(path):
            return
        found = file_stat(path)
        if found is not None or not os.path.exists(path):
            self._found[path] = _Found(self._name(name), found)
        elif not os.path.isdir(path):
            self.outside.add(f"what came through {name}")

    def open_native(self, name: str) -> None:
        """Note a file that code outside Python may read and write unheard."""
        path = os.path.abspath(name)
        found = self._found.get(path)
        if path in self._written or not _is_users(path) or os.path.isdir(path):
            return
        if found is None:
            found = self._found[path] = _Found(self._name(name), file_stat(path))
        found.native = True
        if not found.digest and found.stat is not None:
            found.digest, found.rested = file_digest(path)

    def write(self, name: str, *, needs: bool = False) -> None:
        """Note a file or folder about to be made, replaced or removed.

        With ``needs``, that fails unless it is there, or is not there, as now.
        """
        path = os.path.abspath(name)
        if path in self._written or not _is_users(path):
            return
        if needs:
            self.note([Today().observe("exists", self._name(name))])
        found = self._found.get(path)
        if found is not None and not found.digest and found.stat is not None:
            # it is an input as it was before
            found.digest, found.rested = file_digest(path)
        self._written[path] = (self._name(name), os.path.lexists(path))

    def append(self, name: str) -> None:
        """Note a file about to be appended to."""
        # also to a file that is not there yet: by the next run it is
        self._change(name, "appends to", "would not append again", always=True)

    def update(self, name: str) -> None:
        """Note a file about to be changed in place."""
        self._change(name, "changes", "would not")

    def _change(self, name: str, does: str, hit: str, *, always: bool = False) -> None:
        path = os.path.abspath(name)
        if path in self._written or not _is_users(path):
            return
        if os.path.isdir(path):
            return  # a nameless file in it
        if always or (os.path.exists(path) and os.path.getsize(path)):
            self.give_up(
                f"it {does} the file {name}, which a hit {hit}. "
                "Write a new file, or do that in a cell or function that is not cached"
            )
        else:
            self.write(name)

    def rename(self, source: str, target: str) -> None:
        """Note a file or folder about to be moved."""
        self.write(source, needs=True)
        self.write(target)
        if os.path.isdir(source):
            for number, path in enumerate(Path(source).rglob("*")):
                if number > MOST_FILES:
                    self.give_up(f"it moves the folder {source} of too many files")
                    return
                self.write(str(path))
                self.write(os.path.join(target, path.relative_to(source)))

    def list_folder(self, name: str) -> None:
        """Note a folder about to be listed."""
        path = os.path.abspath(name)
        if path in self._listed or path in self._written or not _is_users(path + "/"):
            return
        self._listed[path] = Today().observe("listing", self._name(name))

    def expect(self, named: Named) -> None:
        """Note what code that is about to run names and asks for, as it is now."""
        files, others = look_at(named)
        try:
            for file in files:
                self.open_native(file)
            self.note(Today().observe(kind, name) for kind, name in others)
        except OSError as error:
            self.give_up(f"what it reads cannot be followed: {error}")

    def note(self, found: Iterable[Observed]) -> None:
        """Note things as they were before the run."""
        for one in found:
            at = one.kind, one.name
            if one.kind == "metric" and one.digest == ABSENT:
                self._others[at] = one  # whatever it gave before, later it failed
            self._others.setdefault(at, one)

    def inherit(
        self, found: Iterable[list[Any]], written: Iterable[list[Any]], seconds: float
    ) -> None:
        """Take over what a restored result depends on."""
        for row in found:
            one = Observed.from_json(row)
            if one.kind == "random":
                continue  # its use shows as for a run
            path = os.path.abspath(one.name)
            if one.kind != "file" or path not in self._written:
                self._others.setdefault((one.kind, one.name), one)
        for row in written:
            one = Observed.from_json(row)
            self._lent[one.name] = one
        self.seconds += seconds

    def _name(self, name: str) -> str:
        """Give the path as the code gave it, if it means the same at a look-up."""
        if os.path.isabs(name) or _working_folder() == self.folder:
            return name
        return os.path.abspath(name)

    # --- what came of it

    def settled(self, store: str) -> Settled:
        """Give what came of it all; called once, after the run.

        Parameters
        ----------
        store : str
            Folder of the cache, whose files are its own affair.
        """
        if self.has_workers or workers.asked_since(self._pools):
            self._suppose_listed_files_read()
        if self._refused:
            return Settled(refused=self._refused)
        try:
            return Settled(
                found=self._all_found(store),
                written=self._all_written(store),
                told=self._told(),
                seconds=self.seconds,
            )
        except (OSError, ValueError) as error:
            return Settled(refused=str(error))

    def _suppose_listed_files_read(self) -> None:
        """Take every file of a listed folder for one that a worker process read."""
        names = [one.name for one in self._listed.values()]
        patterns = [name for kind, name in self._others if kind == "matches"]
        found = itertools.chain(
            (os.path.join(name, file) for name in names for file in _files(name)),
            *(glob.iglob(pattern, recursive=True) for pattern in patterns),
        )
        for number, file in enumerate(found):
            if number > MOST_FILES:
                self.give_up(
                    f"its worker processes may have read any of more than {MOST_FILES} "
                    "files. Name those that count: --file, depends_on=File(...)"
                )
                return
            self.read(file)

    def _told(self) -> str:
        if not self.outside:
            return ""
        return (
            f"it may depend on {' and '.join(sorted(self.outside))}, whose changes are "
            "not noticed. Let it expire (--ttl, expires_after=) or name what it "
            "depends on (--deps, depends_on=)"
        )

    def _all_found(self, store: str) -> tuple[Observed, ...]:
        rows = {
            at: one
            for at, one in self._others.items()
            if at[0] != "exists" or not _is_below(os.path.abspath(at[1]), store)
        }
        for path, found in self._found.items():
            if not _is_below(path, store):
                rows["file", found.name] = self._settled(path, found)
        for path, listing in self._listed.items():
            if not _is_below(path + "/", store):
                rows["listing", listing.name] = listing
        return tuple(rows.values())

    def _settled(self, path: str, found: _Found) -> Observed:
        """Give a file as the run found it; what was written natively is noted."""
        now = file_stat(path)
        if path not in self._written and now != found.stat:
            if not found.native:
                raise OSError(f"the file {found.name} changed while it ran")
            self._written[path] = (found.name, found.stat is not None)
        if found.stat is None:
            return Observed("file", found.name, ABSENT)
        if not found.digest:
            found.digest, found.rested = file_digest(path)
        return Observed("file", found.name, found.digest, found.rested)

    def _all_written(self, store: str) -> tuple[Observed, ...]:
        """Give what the run left on disk: what a hit needs to find there."""
        rows = dict(self._lent)
        for path, (name, existed) in self._written.items():
            if _is_below(path, store) or _is_below(path + "/", store):
                continue
            if os.path.lexists(path) or existed:
                digest, found = file_digest(path)
                rows[name] = Observed("file", name, digest, found)
            else:
                rows.pop(name, None)  # its own temporary file
        return tuple(rows.values())


def _files(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as scan:
            return [one.name for one in scan if one.is_file()]
    except OSError:
        return []


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return ""


def _is_below(path: str, folder: str) -> bool:
    return bool(folder) and path.startswith(folder.rstrip("/") + "/")


def _is_users(path: str) -> bool:
    if path.startswith(_SYSTEM) or not origin.is_user_file(path):
        return False
    if path.startswith("/dev/") and not path.startswith("/dev/shm/"):
        return False
    if path.endswith(_DERIVED) or "__pycache__" in PurePath(path).parts:
        return False
    if _is_below(path, _libraries_cache()):
        return False
    # sockets, pipes and memory of process pools
    return not ("/pymp-" in path or "/joblib_memmap" in path)


def _libraries_cache() -> str:
    """Give matplotlib's own folder, once it is loaded."""
    matplotlib = sys.modules.get("matplotlib")
    try:
        return str(matplotlib.get_cachedir()) if matplotlib is not None else ""
    except Exception:  # half imported, or nowhere to write
        return ""
