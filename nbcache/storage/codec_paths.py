"""Where in the user's values the nodes of a tree stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["node_paths"]

# how attributes and items are written behind the path of what holds them
_PAIRS = {
    "dict": "[{!r}]",
    "OrderedDict": "[{!r}]",
    "Counter": "[{!r}]",
    "namespace": ".{}",
}


def node_paths(nodes: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Give each node of some values with its path, as the user would write it.

    Parameters
    ----------
    nodes : list of [name, node]
        The values of a tree, made by us: not a tree from a file.
    """
    for name, node in nodes:
        yield from _paths(node, name if type(name) is str else "?")


def _paths(node: Any, path: str) -> Iterator[tuple[str, list[Any]]]:
    if type(node) is not list or len(node) < 2:
        return
    yield path, node
    name, content = node[0], node[1]
    if name in _PAIRS:
        yield from _dict_paths(content, path, _PAIRS[name])
    elif name == "defaultdict":
        yield from _paths(content[0], f"{path}.default_factory")
        yield from _dict_paths(content[1:], path, "[{!r}]")
    elif name == "object":
        yield from _object_paths(content, path)
    elif type(content) is list:
        for i, item in enumerate(content):
            inside = f"{path}[{i}]" if name in ("list", "tuple") else path
            if type(item) is list and item and type(item[0]) is list:
                item = ["list", item]
            yield from _paths(item, inside)


def _object_paths(content: list[Any], path: str) -> Iterator[tuple[str, list[Any]]]:
    _, state, slots = content
    if state and state[0] != "=":
        yield from _dict_paths(state, path, ".{}")
    for attribute, item in zip(slots[1::3], slots[2::3], strict=True):
        yield from _paths(item, f"{path}.{attribute}")


def _dict_paths(
    content: list[Any], path: str, form: str
) -> Iterator[tuple[str, list[Any]]]:
    if len(content) == 1:
        keys, items = content[0]["keys"]
        keys = keys if type(keys) is list else [None] * len(items)
        pairs = zip(keys, items if type(items) is list else (), strict=False)
    else:
        pairs = zip(content[::2], content[1::2], strict=True)
    for key, item in pairs:
        label = "..." if isinstance(key, list | None) else key
        yield from _paths(key, path)
        yield from _paths(item, path + form.format(label))
