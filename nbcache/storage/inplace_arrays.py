"""numpy's arrays, written in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from nbcache.storage.inplace_form import Alone, Digest, Form, same
from nbcache.storage.live_parts import attributes
from nbcache.storage.sharing import is_writeable

__all__ = ["form_of"]


def _layout(value: Any) -> tuple[Any, ...]:
    return value.shape, value.strides, value.dtype


class _Array(Form):
    """Content: the elements, and whether they may be written; and might be before."""

    def note(self, value: Any, digest: Digest) -> Any:
        return digest(value), is_writeable(value), *_layout(value)

    def refusal(self, value: Any, before: Any, digest: Digest) -> str:
        if not same(_layout(value), before[2:]):
            return "has another shape or dtype than before, though it is the same array"
        if not (before[1] or value.flags.owndata):
            return "is a read-only part of other memory"
        return "is mapped from a file" if _is_mapped(value) else ""

    def content(self, value: Any, before: Any, digest: Digest) -> Any:
        return Alone(value), is_writeable(value), before[1]

    def copied(self, value: Any) -> Any:
        return value.copy(), is_writeable(value), is_writeable(value)

    def earlier(self, before: Any) -> Any:
        return None

    def misfit(self, value: Any, content: Any) -> str:
        if not _is_content(content) or type(content[0]) is not np.ndarray:
            return "is another kind of object now"
        if (content[0].shape, content[0].dtype) != (value.shape, value.dtype):
            return "has another shape or dtype now"
        return _unlike(value, content[2])

    def write(self, value: Any, content: Any) -> None:
        array, writeable, _ = content
        if not is_writeable(value):
            value.flags.writeable = True
        np.copyto(value, array)
        # numpy refuses to set the flag of some views, even to what it is
        if writeable != is_writeable(value):
            value.flags.writeable = writeable


class _Objects(_Array):
    """The same, with the elements as a list in C order."""

    def note(self, value: Any, digest: Digest) -> Any:
        items = tuple(value.ravel().tolist())
        return items, is_writeable(value), *_layout(value)

    def content(self, value: Any, before: Any, digest: Digest) -> Any:
        return value.ravel().tolist(), is_writeable(value), before[1]

    def copied(self, value: Any) -> Any:
        return value.ravel().tolist(), is_writeable(value), is_writeable(value)

    def earlier(self, before: Any) -> Any:
        return list(before[0]), before[1], before[1]

    def misfit(self, value: Any, content: Any) -> str:
        if not _is_content(content):
            return "is another kind of object now"
        if type(content[0]) is not list or len(content[0]) != value.size:
            return "has another shape or dtype now"
        return _unlike(value, content[2])

    def write(self, value: Any, content: Any) -> None:
        items = np.empty(value.size, object)
        for i, item in enumerate(content[0]):
            items[i] = item
        super().write(value, (items.reshape(value.shape), *content[1:]))


class _Subclass(Form):
    """A view of an array of its own class: what it has besides the array."""

    restless = True  # a masked array notes that its mask was given away

    def note(self, value: Any, digest: Digest) -> Any:
        where = value.__array_interface__["data"][0]
        found = attributes(value)
        return tuple(found), tuple(found.values()), where, *_layout(value)

    def refusal(self, value: Any, before: Any, digest: Digest) -> str:
        if not same(self.note(value, digest)[2:], before[2:]):
            return "is a view of other memory than before"
        return ""

    def copied(self, value: Any) -> Any:
        return attributes(value)

    def earlier(self, before: Any) -> Any:
        return dict(zip(*before[:2], strict=True))

    def misfit(self, value: Any, content: Any) -> str:
        fits = type(content) is dict and all(type(name) is str for name in content)
        if fits and isinstance(value, np.ma.MaskedArray):
            mask = content.get("_mask")
            is_array = type(mask) is np.ndarray and mask.shape == value.shape
            fits = is_array or mask is np.ma.nomask
        return "" if fits else "is another kind of object now"

    def write(self, value: Any, content: Any) -> None:
        own = object.__getattribute__(value, "__dict__") if content else {}
        own.clear()
        own.update(content)


def _is_content(content: Any) -> bool:
    if type(content) is not tuple or len(content) != 3:
        return False
    return all(type(flag) is bool for flag in content[1:])


def _unlike(value: Any, was_writeable: bool) -> str:
    """Say why what a run wrote may not be written: it would raise now, for instance."""
    if is_writeable(value) != was_writeable:
        return "is read-only now" if was_writeable else "may be written now"
    # what is read-only can be made writable if its memory is its own
    return "" if was_writeable or value.flags.owndata else "is read-only now"


def _is_mapped(value: Any) -> bool:
    while value is not None:
        if isinstance(value, np.memmap):
            return True
        value = getattr(value, "base", None)
    return False


_ARRAY, _OBJECTS, _SUBCLASS = _Array(), _Objects(), _Subclass()


def form_of(value: Any) -> Form | None:
    """Give how an array is written; None for other objects."""
    if type(value) is np.ndarray:
        if value.dtype.kind == "O":
            return _OBJECTS
        # texts of any length and structures with objects stand in memory of their own
        return None if value.dtype.hasobject else _ARRAY
    return _SUBCLASS if isinstance(value, np.ndarray) else None
