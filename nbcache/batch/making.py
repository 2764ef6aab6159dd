"""What a batch makes of what it is given: runs, and the parameters of runs."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nbcache.batch.call_run import CallRun
from nbcache.batch.run import Run
from nbcache.decorator.options import signature_of
from nbcache.executors.callee import Callee, require_known

if TYPE_CHECKING:
    from nbcache.batch.batch import Batch

__all__ = ["made", "named", "positional"]


def made(batch: Batch, target: Any, given: dict[str, Any]) -> Run:
    """Give the run of a target; see `Batch.add_run`."""
    if isinstance(target, Run):
        if given:
            raise TypeError(f"{target!r} has its parameters already")
        return target
    if isinstance(target, type) and issubclass(target, Run):
        return target(batch, saveresult=batch.saveresult, **given)
    if isinstance(target, type):
        target, given = _instance(target, given), {}
    if not callable(target):
        raise TypeError(
            "a run is a subclass of nbcache.Run, a function or another callable, not "
            f"{type(target).__name__}"
        )
    if inspect.iscoroutinefunction(getattr(target, "__wrapped__", target)):
        raise TypeError(f"{target!r} is awaited: give a function that is called")
    return CallRun(batch, target, given, saveresult=batch.saveresult)


def named(parameters: Any) -> dict[str, Any]:
    """Give parameters by name.

    Raises
    ------
    TypeError
        They are no mapping, or names are no text.
    """
    if parameters is None:
        return {}
    if not isinstance(parameters, Mapping):
        raise TypeError(
            "parameters are a dict of names and values, not "
            f"{type(parameters).__name__}"
        )
    wrong = [name for name in parameters if not isinstance(name, str)]
    if wrong:
        raise TypeError(f"parameters have names, not {wrong[0]!r}")
    return dict(parameters)


def positional(target: Any) -> list[str]:
    """Give the names of parameters in the order in which they are given."""
    is_run = isinstance(target, type) and issubclass(target, Run)
    own = isinstance(target, type) and not is_run
    signature = signature_of(target) if own else Callee(target).signature
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [name for name, one in signature.parameters.items() if one.kind in kinds]


def _instance(kind: type, given: dict[str, Any]) -> Any:
    """Make an object that is called without arguments.

    Raises
    ------
    UnknownParameter
        The class takes no such parameter.
    TypeError
        Its instances cannot be called.
    """
    if not any("__call__" in vars(base) for base in kind.__mro__):
        raise TypeError(
            f"instances of {kind.__name__} cannot be called: subclass nbcache.Run, or "
            "give it a method __call__(self)"
        )
    require_known(kind, given)
    return kind(**given)
