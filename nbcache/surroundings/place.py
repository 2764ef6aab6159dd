"""Working directory and environment: what a run wrote, and how a hit writes it.

Writing is told by audit events, not by comparing: a cell that sets a variable to what
it is already must set it in the next kernel too.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from nbcache.keys import secret, source

__all__ = ["PlaceWatch", "prepared", "watching"]

# wider than for arguments: variables are named MYKEY, GITHUB_PASS
_SECRET = re.compile("KEY|TOKEN|SECRET|PASS", re.IGNORECASE)


@dataclass
class PlaceWatch:
    """What was written to directory and environment while something ran.

    Parameters
    ----------
    folder : str
        The working directory when it began.
    moves : list of str
        Where it went, as the code gave it; '' for a descriptor.
    has_left : bool
        Whether it was elsewhere when it went on.
    written : dict of str to list
        For each variable written its value before, then each one it got; None if unset.
    suspended : int
        Nothing is noted while this is not 0.
    end : str
        The working directory in the end.
    """

    folder: str
    moves: list[str] = field(default_factory=list)
    has_left: bool = False
    written: dict[str, list[str | None]] = field(default_factory=dict)
    suspended: int = 0
    end: str = ""

    def refusal(self) -> str:
        """Say what of it cannot be stored; '' if all can."""
        for name, values in self._lasting().items():
            told = f"it sets the environment variable {name}"
            if values[-1] is not None and _is_secret(name):
                return (
                    f"{told}, which may be a secret. Move that to a cell of its own "
                    "that is not cached"
                )
            if os.environ.get(name) != values[-1]:
                return f"{told} by os.putenv, which Python does not see: use os.environ"
        if self.moves and not self.end:
            return "it is in a folder that is gone"
        return ""

    def left(self) -> str:
        """Say what is not as before; '' for nothing."""
        if self.end != self.folder or (self.moves and not self.has_left):
            return "it changed the working directory"
        names = list(self._lasting())
        return f"it set the environment variable {names[0]}" if names else ""

    def start(self, literals: Set[str]) -> str:
        """Give the folder that decides where it went; '' if it does not matter.

        Parameters
        ----------
        literals : set of str
            Texts that stand in the code: an absolute path among them leads to the same
            folder from everywhere.
        """
        last = self.moves[-1] if self.moves else ""
        is_fixed = PurePath(last).is_absolute() and last in literals
        has_moved = bool(self.moves) or self.end != self.folder
        return self.folder if has_moved and not is_fixed else ""

    def to_json(self) -> dict[str, Any]:
        """Give what a hit has to write, and what must hold for that."""
        found: dict[str, Any] = {}
        rows = [[name, values[-1]] for name, values in self._lasting().items()]
        if rows:
            found["environment"] = rows
        kept = [
            [name, _digest(values[0])]
            for name, values in self.written.items()
            if name not in self._lasting()
        ]
        if kept:
            found["environment_kept"] = kept
        if self.moves or self.end != self.folder:
            found["folder"] = self.end
        return found

    def _lasting(self) -> dict[str, list[str | None]]:
        """Give what was not put back to what it was."""
        return {
            name: values
            for name, values in self.written.items()
            if values[-1] != values[0] or len(set(values)) == 1
        }


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None or secret.is_secret_name(name)


def _digest(value: str | None) -> str:
    # it may be a secret, and need only be compared
    return "" if value is None else source.text_digest(value)


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return ""


# --- watching

# each step is atomic: other threads may begin and end meanwhile
_active: dict[int, PlaceWatch] = {}
_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _active or event not in ("os.putenv", "os.unsetenv", "os.chdir"):
        return
    for watch in tuple(_active.values()):
        if event == "os.chdir":
            _note_move(watch, arguments[0])
        else:
            name = os.fsdecode(arguments[0])
            value = os.fsdecode(arguments[1]) if event == "os.putenv" else None
            _note_variable(watch, name, value)


def _note_move(watch: PlaceWatch, path: Any) -> None:
    if watch.suspended:
        return
    is_path = isinstance(path, str | bytes | os.PathLike)
    watch.moves.append(os.fsdecode(path) if is_path else "")
    watch.has_left = watch.has_left or _folder() != watch.folder


def _note_variable(watch: PlaceWatch, name: str, value: str | None) -> None:
    # what an import sets, it sets on a hit too, but not over what the cell set
    if not watch.suspended or name in watch.written:
        # the event comes before the change
        watch.written.setdefault(name, [os.environ.get(name)]).append(value)


@contextmanager
def watching() -> Iterator[PlaceWatch]:
    """Watch directory and environment inside a ``with`` block."""
    global _installed
    if not _installed:
        # an audit hook cannot be removed: one for the life of the process
        sys.addaudithook(_hook)
        _installed = True
    watch = PlaceWatch(_folder())
    _active[id(watch)] = watch
    try:
        yield watch
    finally:
        del _active[id(watch)]
        watch.end = _folder()


# --- writing


def prepared(state: Mapping[str, Any]) -> list[Callable[[], None]]:
    """Check that directory and environment can be written, and give what writes them.

    Raises
    ------
    LookupError
        The folder is gone, or what a run here would leave is another thing.
    """
    for name, digest in state.get("environment_kept", ()):
        if _digest(os.environ.get(name)) != digest:
            raise LookupError(f"the environment variable {name} is another one now")
    found: list[Callable[[], None]] = []
    rows = state.get("environment")
    if rows:
        found.append(lambda: _put_environment(rows))
    folder = state.get("folder")
    if folder:
        if not (Path(folder).is_dir() and os.access(folder, os.X_OK)):
            raise LookupError(f"the folder {folder}, to which it went, is gone")
        found.append(lambda: os.chdir(folder))
    return found


def _put_environment(rows: list[list[str | None]]) -> None:
    for name, value in rows:
        assert name is not None
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
