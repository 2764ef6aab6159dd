"""Inputs that a cell changes in place: found after its run, changed again on a hit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbcache.cell.names import HISTORY
from nbcache.keys import hashing
from nbcache.keys.dependencies import reached
from nbcache.keys.key import Key
from nbcache.storage.inplace import CHANGED, Snapshot, Writes
from nbcache.storage.lent import follows
from nbcache.storage.live import LiveIndex

__all__ = ["InputWatch", "change_and_bind", "watch"]


@dataclass
class InputWatch:
    """What inputs and all that they hold were before a run, and what changed.

    Parameters
    ----------
    index : LiveIndex
        The inputs, and what is reached through functions, classes and modules.
    snapshot : Snapshot
        What they were.
    changes : list of (Target, content)
        What is to be stored of those that a run changed.
    after : dict of str to str
        Digests of the parts of the key that the changes made others.
    """

    index: LiveIndex
    snapshot: Snapshot
    changes: list[Any] = field(default_factory=list)
    after: dict[str, str] = field(default_factory=dict)

    def add(self, live: Mapping[str, Any]) -> None:
        """Note objects that came to exist while the cell runs."""
        self.index.add(live)
        self.snapshot.extend()

    def note(
        self,
        after: Mapping[str, str],
        left_out: Callable[[str], bool],
        *,
        whole: bool,
    ) -> str:
        """Take in what a run changed; say why a hit could not, '' if it can.

        Parameters
        ----------
        after : mapping of str to str
            Labels of the parts of the key that are others now, and their digests.
        left_out : callable (name) -> bool
            Says which inputs are not to be restored.
        whole : bool
            Whether the run bound names anew, all of which a hit binds: then what
            functions read of them may be all that changed.
        """
        found = self.snapshot.changed()
        values = [one.value for one in found]
        found = [
            one
            for one in found
            if not (self._shown(one.value) or follows(one.value, values))
        ]
        if not after:
            found = [one for one in found if not (one.form and one.form.restless)]
        kept = [one for one in found if not left_out(self.root(one.value))]
        for one in kept:
            reason = self.snapshot.refusal(one)
            if reason:
                cls = type(one.value)
                name = self.root(one.value)
                told = "" if name == cls.__name__ else f" ({cls.__qualname__})"
                return _refusal(name, f"which{told} {reason}")
        # what a module became shows in no name
        inner = any(label.rpartition(" → ")[2].startswith("module ") for label in after)
        seen = found or (whole and not inner)
        if after and not (seen and self.index.complete):
            label = next(iter(after))
            return _refusal(label.partition(" ")[2], "in a way that no hit can repeat")
        self.changes = [self.snapshot.change(one) for one in kept]
        # what is left out makes the others different too
        self.after = dict(after) if len(kept) == len(found) else {}
        return ""

    def _shown(self, value: Any) -> bool:
        """Say whether IPython fills an object itself, as it does `Out`."""
        name, *steps = self.index.path(value)
        return not steps and name in HISTORY

    def classes(self) -> list[type]:
        """Give the classes among the inputs and of what they hold."""
        return [one for one in self.index.objects() if isinstance(one, type)]

    def root(self, value: Any) -> str:
        """Give the name under which a live object is reached."""
        return str(self.index.path(value)[0]).rpartition(" ")[2]

    def state(self) -> dict[str, Any]:
        """Give what an entry says about changed inputs, as plain data."""
        if not (self.changes or self.after):
            return {}
        paths = [self.index.path(target.value) for target, _ in self.changes]
        return {"changed": paths, "after": self.after}


def _refusal(name: str, reason: str) -> str:
    return (
        f"it changed its input {name!r} in place, {reason}. Make a new object, put "
        f"what makes {name!r} into this cell, or leave it as it is: --skip {name}"
    )


def watch(live: Mapping[str, Any]) -> InputWatch:
    """Note what the inputs of a cell are before it runs."""
    index = LiveIndex(live, reached)
    return InputWatch(index, Snapshot(index, hashing.digest))


def change_and_bind(
    values: dict[str, Any],
    namespace: dict[str, Any],
    state: Mapping[str, Any],
    key_now: Callable[[], Key],
) -> None:
    """Change inputs in place, then bind names, then delete names.

    Parameters
    ----------
    values : dict of str to object
        What an entry holds by name, and what became of inputs.
    namespace : dict
        The notebook's.
    state : mapping
        The entry's.
    key_now : callable () -> Key
        Gives the key of the cell with its inputs as they are by then.

    Raises
    ------
    LookupError
        The inputs are not what a run makes of them; they are as they were.
    """
    writes = Writes(values.pop(CHANGED, ()))
    writes.apply()
    try:
        namespace.update(values)
        for name in state.get("deleted", []):
            namespace.pop(name, None)
        if state.get("after"):
            today = {part.label: part.digest for part in key_now().parts}
            for label, digest in state["after"].items():
                if today.get(label) != digest:
                    raise LookupError(f"changing it again gives another {label!r}")
    except BaseException:
        writes.undo()
        raise
