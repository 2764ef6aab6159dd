"""Lists, dicts, sets and the like, written in place."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from functools import partial
from types import MethodType
from typing import Any

from nbcache.storage.inplace_form import Digest, Form, same_items

__all__ = ["form_of"]


class _Unchanging(Form):
    """What is as it is; what it holds may change."""

    def note(self, value: Any, digest: Digest) -> Any:
        return None

    def misfit(self, value: Any, content: Any) -> str:
        return "cannot be changed"


class _Sequence(Form):
    def note(self, value: Any, digest: Digest) -> Any:
        return tuple(value)

    def copied(self, value: Any) -> Any:
        return list(value)

    def misfit(self, value: Any, content: Any) -> str:
        if type(content) is not list:
            return "is another kind of object now"
        longest = getattr(value, "maxlen", None)
        fits = longest is None or len(content) <= longest
        return "" if fits else "is too short now"

    def write(self, value: Any, content: Any) -> None:
        if type(value) is list:
            value[:] = content
        else:
            value.clear()
            value.extend(content)


class _Bytes(Form):
    def note(self, value: Any, digest: Digest) -> Any:
        return bytes(value)

    def copied(self, value: Any) -> Any:
        return bytes(value)

    def misfit(self, value: Any, content: Any) -> str:
        if type(content) is not bytes:
            return "is another kind of object now"
        if len(content) != len(value):
            try:
                # Python refuses while an array or memoryview shares the memory
                value.append(0)
            except BufferError:
                return "cannot change its length now"
            del value[-1]
        return ""

    def write(self, value: Any, content: Any) -> None:
        value[:] = content


class _Mapping(Form):
    """Content: default factory, and a plain dict."""

    def note(self, value: Any, digest: Digest) -> Any:
        return getattr(value, "default_factory", None), tuple(value), _values(value)

    def copied(self, value: Any) -> Any:
        items = dict(zip(value, _values(value), strict=True))
        return getattr(value, "default_factory", None), items

    def earlier(self, before: Any) -> Any:
        return before[0], dict(zip(*before[1:], strict=True))

    def misfit(self, value: Any, content: Any) -> str:
        if type(content) is not tuple or len(content) != 2:
            return "is another kind of object now"
        factory, items = content
        fits = type(items) is dict and (factory is None or callable(factory))
        return "" if fits else "is another kind of object now"

    def write(self, value: Any, content: Any) -> None:
        factory, items = content
        if type(value) is defaultdict:
            value.default_factory = factory
        if type(value) is OrderedDict:
            value.clear()
            value.update(items)
        else:
            dict.clear(value)
            # not a Counter's update, which adds
            dict.update(value, items)


def _values(value: dict[Any, Any]) -> tuple[Any, ...]:
    return tuple(value.values())


class _Set(Form):
    def note(self, value: Any, digest: Digest) -> Any:
        return tuple(value)

    def is_same(self, value: Any, before: Any, digest: Digest) -> bool:
        if len(value) != len(before):
            return False
        if set(map(id, value)) == set(map(id, before)):
            return True
        return same_items(_sorted(value), _sorted(before))

    def copied(self, value: Any) -> Any:
        return set(value)

    def earlier(self, before: Any) -> Any:
        return set(before)

    def misfit(self, value: Any, content: Any) -> str:
        return "" if type(content) is set else "is another kind of object now"

    def write(self, value: Any, content: Any) -> None:
        value.clear()
        value.update(content)


def _sorted(value: Any) -> tuple[Any, ...]:
    return tuple(sorted(value, key=lambda item: (type(item).__name__, hash(item))))


_FORMS: dict[type, Form] = {
    **dict.fromkeys((list, deque), _Sequence()),
    **dict.fromkeys((dict, OrderedDict, defaultdict, Counter), _Mapping()),
    bytearray: _Bytes(),
    set: _Set(),
    **dict.fromkeys((frozenset, MethodType, partial), _Unchanging()),
}


def form_of(value: Any) -> Form | None:
    """Give how a container is written; None for other objects."""
    if isinstance(value, tuple):
        return _FORMS[frozenset]
    return _FORMS.get(type(value))
