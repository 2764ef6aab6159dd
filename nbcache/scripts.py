"""The script that runs, under one name in all its processes.

`multiprocessing` imports it as ``__mp_main__`` where it starts workers without a fork.
"""

from __future__ import annotations

__all__ = ["MAIN", "module_of", "plain_name", "plain_names"]

MAIN = "__main__"
_IN_WORKERS = "__mp_main__"


def plain_name(module: str) -> str:
    """Give the name of a module, the same in every process."""
    return MAIN if module == _IN_WORKERS else module


def plain_names(text: str) -> str:
    """Give a text in which classes stand by name, the same in every process."""
    return text.replace(f"{_IN_WORKERS}.", f"{MAIN}.")


def module_of(value: object) -> str | None:
    """Give the name of the module that defined a class or function."""
    name = getattr(value, "__module__", None)
    return plain_name(name) if isinstance(name, str) else None
