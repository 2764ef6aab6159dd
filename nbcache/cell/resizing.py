"""Cells that may resize arrays in place, which numpy allows to a sole owner only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from nbcache.errors import ResizedArray
from nbcache.keys import reading
from nbcache.keys.dependencies import reached
from nbcache.storage.live import LiveIndex

__all__ = ["require_no_resizing"]


def require_no_resizing(
    tree: ast.Module,
    functions: Iterable[FunctionType],
    live: Mapping[str, Any],
    namespace: Mapping[str, Any],
) -> None:
    """Fail if a run that is watched could not resize an array, and a plain one could.

    Parameters
    ----------
    tree : ast.Module
        The cell.
    functions : iterable of function
        Those of the user's that it reaches.
    live : mapping of str to object
        What it reads, which whoever watches the run refers to.
    namespace : mapping of str to object
        What its names stand for.

    Raises
    ------
    ResizedArray
        Naming an input.
    """
    if not _resizes(tree, namespace) and not any(
        "resize" in reading.attributes(function.__code__) for function in functions
    ):
        return
    index = LiveIndex(live, reached)
    for array in index.arrays():
        if array.flags.owndata and array.base is None:
            name = str(index.path(array)[0]).rpartition(" ")[2]
            raise ResizedArray(name, "numpy.ndarray", "resized in place")


def _resizes(tree: ast.Module, namespace: Mapping[str, Any]) -> bool:
    """Say whether code asks something for `resize` that is no module."""
    asked = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "resize"
    )
    return any(
        not isinstance(one, ast.Name)
        or not isinstance(namespace.get(one.id), ModuleType)
        for one in asked
    )
