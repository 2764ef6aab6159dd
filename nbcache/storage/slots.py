"""What an instance of the user's classes holds: its dictionary and its slots."""

from __future__ import annotations

from types import MemberDescriptorType
from typing import Any

__all__ = ["members", "own_attributes"]


def own_attributes(value: object) -> dict[str, Any] | None:
    """Give an instance's own dictionary, whatever its class makes of ``__dict__``."""
    try:
        state = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return None
    return state if type(state) is dict else None


def members(cls: type) -> list[tuple[int, str, MemberDescriptorType]]:
    """Give a class's slots, each with the place of its class in its ``__mro__``."""
    return [
        (place, name, member)
        for place, base in enumerate(cls.__mro__)
        if "__slots__" in vars(base)
        for name, member in vars(base).items()
        if isinstance(member, MemberDescriptorType)
    ]
