"""Work as it is sent: pickled, with what tells the code of sent functions apart."""

from __future__ import annotations

import io
from types import FunctionType
from typing import Any

import cloudpickle

from nbcache.decorator.pickling import known_sources, learn_sources
from nbcache.executors.point import Work

__all__ = ["packed", "unpacked"]


def packed(work: Work) -> bytes:
    """Pickle work.

    Raises
    ------
    Exception
        It cannot be.
    """
    file = io.BytesIO()
    pickler = _Pickler(file)
    # the second after all functions of the first were met, in one pickle: the code
    # that is known over there is the very code that the functions have
    pickler.dump((work, _Sources(pickler.sent)))
    return file.getvalue()


def unpacked(payload: bytes) -> Work:
    """Give work that `packed` pickled; functions have the keys of where it was."""
    work: Work = cloudpickle.loads(payload)[0]
    return work


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Notes which functions go by value: their sources are not over there."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.sent: list[FunctionType] = []

    def reducer_override(self, obj: Any) -> Any:
        """Give how an object is pickled."""
        found = super().reducer_override(obj)
        if found is not NotImplemented and isinstance(obj, FunctionType):
            self.sent.append(obj)
        return found


class _Sources:
    def __init__(self, functions: list[FunctionType]) -> None:
        self._functions = functions

    def __reduce__(self) -> Any:
        return learn_sources, (known_sources(self._functions),)
