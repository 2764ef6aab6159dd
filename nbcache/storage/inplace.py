"""Objects changed in place: found after a run, stored, and changed again on a hit.

A `Snapshot` holds what each live object was before the run.  What then differs is a
*change*: the object, and its content now.  As part of a tree, a change is decoded like
any other value, into the live object and private content; nothing is written before
`Writes.apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nbcache.storage import (
    inplace_arrays,
    inplace_containers,
    inplace_frames,
    inplace_holders,
    inplace_random,
)
from nbcache.storage.codec_nodes import Unresolved
from nbcache.storage.inplace_form import Form, Target
from nbcache.storage.live import LiveIndex

__all__ = ["CHANGED", "Noted", "Snapshot", "Writes", "form_of"]

CHANGED = "<changed>"
"""Under which an entry keeps objects, each with what became of it."""

_FINDERS = (
    inplace_containers.form_of,
    inplace_arrays.form_of,
    inplace_random.form_of,
    inplace_frames.form_of,
    inplace_holders.form_of,
)


def form_of(value: Any) -> Form | None:
    """Give how objects of a class are written in place; None if they cannot be."""
    return next(filter(None, (find(value) for find in _FINDERS)), None)


@dataclass(frozen=True, slots=True)
class Noted:
    """A live object, its form if it can be written, and what it was."""

    value: Any
    form: Form | None
    before: Any


class Snapshot:
    """What live objects were before something ran.

    Parameters
    ----------
    index : LiveIndex
        The objects; those of a form are noted.
    digest : callable (value) -> str
        Tells whether large content changed.  An error stands for an own content.
    """

    def __init__(
        self,
        index: LiveIndex,
        digest: Callable[[Any], str],
    ) -> None:
        self.index = index
        self._digest = digest
        self._noted: list[Noted] = []
        self.extend()

    def extend(self) -> None:
        """Note what has come into the index since."""
        forms: dict[type, Form | None] = {}
        for value in self.index.objects()[len(self._noted) :]:
            cls = type(value)
            if cls is np.ndarray or cls not in forms:  # of arrays, the dtype counts too
                forms[cls] = form_of(value)
            form = forms[cls]
            self._noted.append(Noted(value, form, self._note(value, form)))

    def _note(self, value: Any, form: Form | None) -> Any:
        if form is None:
            return self._opaque(value)
        return form.note(value, self._digest)

    def _opaque(self, value: Any) -> str:
        if isinstance(value, tuple | frozenset):
            return ""  # their parts are noted
        try:
            return self._digest(value)
        except Exception:  # it belongs to no key
            return ""

    def changed(self) -> list[Noted]:
        """Give the objects that are not what they were."""
        return [one for one in self._noted if not self._is_same(one)]

    def _is_same(self, one: Noted) -> bool:
        if one.form is None:
            return bool(one.before == self._opaque(one.value))
        return one.form.is_same(one.value, one.before, self._digest)

    def refusal(self, one: Noted) -> str:
        """Say why a changed object cannot be changed again on a hit; '' if it can."""
        if one.form is None:
            return "cannot be changed in place by a hit"
        return one.form.refusal(one.value, one.before, self._digest)

    def change(self, one: Noted) -> tuple[Target, Any]:
        """Give what is to be stored: the object itself, and its content now."""
        assert one.form is not None
        content = one.form.content(one.value, one.before, self._digest)
        return Target(one.value), content

    def undo(self, copies: dict[int, Any]) -> None:
        """Make all objects what they were, as far as that is known.

        Parameters
        ----------
        copies : dict of int to content
            By identity, contents that a snapshot does not hold: see `copied`.
        """
        for one in self.changed():
            if one.form is not None:
                content = copies.get(id(one.value), one.form.earlier(one.before))
                if content is not None:
                    one.form.write(one.value, content)


def _name(value: Any) -> str:
    cls = type(value)
    return f"{cls.__module__}.{cls.__qualname__}"


class Writes:
    """What is to be written into live objects; made, it has written nothing.

    Parameters
    ----------
    changes : iterable of (object, content)
        As `Snapshot.changes` gave them, encoded and decoded.

    Raises
    ------
    LookupError
        One of them cannot be written.
    """

    def __init__(self, changes: Iterable[tuple[Any, Any]]) -> None:
        self._planned = [
            (value, *_checked(value, content)) for value, content in changes
        ]
        self._backups: list[tuple[Any, Form, Any]] = []

    def __len__(self) -> int:
        return len(self._planned)

    def apply(self, *, undoable: bool = True) -> None:
        """Write; if that fails, which it should not, everything is as before."""
        try:
            for value, form, content in self._planned:
                if undoable:
                    self._backups.append((value, form, form.copied(value)))
                form.write(value, content)
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Make everything what it was before `apply`."""
        for value, form, content in reversed(self._backups):
            form.write(value, content)
        self._backups.clear()


def _checked(value: Any, content: Any) -> tuple[Form, Any]:
    form = form_of(value)
    reason = "cannot be changed" if form is None else form.misfit(value, content)
    if reason or form is None:
        raise Unresolved(f"a {_name(value)} that the cell changes {reason}")
    return form, content
