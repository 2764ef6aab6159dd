"""Errors and the warning of nbcache.

Each error is an `NbcacheError` and the built-in that fits, so that callers may
catch either.  The text says what failed, which value, and what to do; the value is an
attribute too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = [
    "BatchError",
    "CacheWarning",
    "DamagedEntry",
    "MetricCycle",
    "NbcacheError",
    "NotCached",
    "UndeclaredParameters",
    "UnhashableValue",
    "UnknownName",
    "UnknownParameter",
    "UnstorableValue",
    "UntrustedEntry",
]


class NbcacheError(Exception):
    """Whatever nbcache raises on purpose."""


_IDENTIFY = "say what identifies it with nbcache.register_hash(type, function)"


class UnhashableValue(NbcacheError, TypeError):
    """A value cannot be part of a key.

    Parameters
    ----------
    path : str
        Where it stands, as the user would write it: ``model.client._lock``.
    type_name : str
        Its type, with module.
    reason : str, optional
        Why, when the type alone does not say.
    """

    def __init__(self, path: str, type_name: str, reason: str = "") -> None:
        self.path = path
        self.type_name = type_name
        self.reason = reason
        why = f" ({reason})" if reason else ""
        self._told = f"cannot be part of a key: {path}: {type_name}{why}. "
        super().__init__(f"{self._told}Leave it out with ignore=, or {_IDENTIFY}")

    def of_cell(self) -> str:
        """Say it of an input of a cell, where other words leave it out."""
        name = self.path.partition(".")[0].partition("[")[0]
        return (
            f"input {self._told}Leave it out with --ignore {name}, let only its type "
            f"count with --opaque {name}, or {_IDENTIFY}"
        )


class ResizedArray(UnhashableValue):
    """A cell may resize an array in place, which must have no other owner then."""

    def of_cell(self) -> str:
        """Say what to do instead."""
        return (
            f"it may resize an array of {self.path!r} in place, which numpy refuses "
            "while a cache looks at it. Make a new one: numpy.resize"
        )


class UnstorableValue(NbcacheError, TypeError, ValueError):
    """A value cannot be written to an entry.

    Parameters
    ----------
    path : str
        Where it stands: ``model.client``.
    type_name : str
        Its type, with module.
    reason : str, optional
        Why, when the type alone does not say.
    """

    def __init__(self, path: str, type_name: str, reason: str = "") -> None:
        self.path = path
        self.type_name = type_name
        self.reason = reason
        why = f": {reason}" if reason else ""
        super().__init__(f"cannot store {path!r} ({type_name}){why}")


class UnknownName(NbcacheError, KeyError, ValueError):
    """No entry has this name."""

    def __init__(self, text: str, name: str = "") -> None:
        self.name = name
        super().__init__(text)

    def __str__(self) -> str:
        # KeyError would show the repr of the text
        return str(self.args[0])


class UndeclaredParameters(NbcacheError, ValueError):
    """A metric was asked for with parameters that its list does not have.

    Parameters
    ----------
    text : str
        Which, and how to declare them.
    name : str
        Of the metric with these parameters.
    """

    def __init__(self, text: str, name: str = "") -> None:
        self.name = name
        super().__init__(text)


class MetricCycle(NbcacheError, RecursionError):
    """A metric asks for itself, directly or through others.

    Parameters
    ----------
    names : sequence of str
        Each asks for the next one; the last is the first.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(
            f"the metric {self.names[0]} depends on itself: {' → '.join(self.names)}"
        )


class UnknownParameter(NbcacheError, TypeError):
    """A function or run takes no parameter of this name."""

    def __init__(self, text: str, name: str = "") -> None:
        self.name = name
        super().__init__(text)


class BatchError(NbcacheError, RuntimeError):
    """Some runs of a batch failed; the others are finished.

    Parameters
    ----------
    text : str
        Each run with its error.
    failures : tuple
        Each with `run`, `error` and `traceback`.
    """

    def __init__(self, text: str, failures: tuple[Any, ...] = ()) -> None:
        self.failures = failures
        super().__init__(text)


class NotCached(NbcacheError, LookupError):
    """Only a stored result was asked for, and there is none."""


class DamagedEntry(NbcacheError, OSError):
    """An entry's bytes are not those that were written."""


class UntrustedEntry(NbcacheError, PermissionError):
    """An entry was not written by this user, or needs code that they did not sign."""


class CacheWarning(UserWarning):
    """The cache could not do its work; the user's result is not affected."""
