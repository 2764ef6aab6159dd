"""What a class consists of: what its author wrote, without what Python adds."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterator
from typing import Any

from nbcache.scripts import module_of, plain_names

__all__ = ["class_parts", "class_texts", "spell"]

_CLASS_SKIPPED = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__qualname__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotations__",
        "__annotations_cache__",
        "__annotate__",
        "__annotate_func__",
        "__dataclass_fields__",
        "__dataclass_params__",
        "__abstractmethods__",
        "_abc_impl",
        "__orig_bases__",
        "__parameters__",
        "__classcell__",
        "__slotnames__",
        "__pydantic_core_schema__",
        "__pydantic_serializer__",
        "__pydantic_validator__",
        "__pydantic_decorators__",
        "__pydantic_complete__",
        "__signature__",
        "__pydantic_fields__",
        "_member_names_",
        "_member_map_",
        "_value2member_map_",
        "_unhashable_values_",
        "_unhashable_values_map_",
        "_hashable_values_",
        "_use_args_",
        "_new_member_",
        "_member_type_",
        "_value_repr_",
        "__set_name__",
    ]
)


def class_texts(cls: type) -> Iterator[str]:
    """Give what a class is besides its attributes: bases, annotations, members."""
    for base in cls.__bases__:
        yield f"{module_of(base)}.{base.__qualname__}"
    for name, value in inspect.get_annotations(cls).items():
        yield f"{name}: {spell(value)}"
    # the order of an enumeration's members can be observed
    yield from vars(cls).get("_member_names_", ())


def spell(value: Any) -> str:
    """Spell an annotation, alike in every process."""
    text = value if isinstance(value, str) else plain_names(repr(value))
    # an address would make the key another one in every process
    return type(value).__qualname__ if " at 0x" in text else text


def class_parts(cls: type) -> Iterator[tuple[str, Any]]:
    """Give the attributes of a class that count, with the suffix of a label."""
    for name, value in sorted(vars(cls).items()):
        if name not in _CLASS_SKIPPED and not _is_slot(value):
            for suffix, inner in _class_values(value):
                yield f".{name}{suffix}", inner
    for name, held in vars(cls).get("__dataclass_fields__", {}).items():
        if held.metadata:
            yield f".{name}.metadata", dict(held.metadata)


def _is_slot(value: Any) -> bool:
    return isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)


def _class_values(value: Any) -> Iterator[tuple[str, Any]]:
    """Give the functions inside a descriptor, or the attribute's value."""
    if isinstance(value, staticmethod | classmethod):
        yield "", value.__func__
    elif isinstance(value, property):
        for suffix, inner in zip(
            ("", ".setter", ".deleter"),
            (value.fget, value.fset, value.fdel),
            strict=True,
        ):
            if inner is not None:
                yield suffix, inner
    elif isinstance(value, functools.cached_property):
        yield "", value.func
    else:
        yield "", value
