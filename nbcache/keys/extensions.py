"""What the user hung onto classes of data libraries: accessors, namespaces, methods."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["CLASSES", "extensions", "inner"]

CLASSES = {
    "pandas": ("DataFrame", "Series", "Index"),
    "polars": ("DataFrame", "LazyFrame", "Series", "Expr"),
    "xarray": ("Dataset", "DataArray"),
    "numpy": ("ndarray",),
}
# where the descriptors of accessors and namespaces keep what was registered
_HELD = ("_accessor", "_ns", "fget", "__func__")


def extensions(names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Give what attributes of these names would find on classes of data libraries.

    Parameters
    ----------
    names : iterable of str
        Attributes that code uses, of whatever objects.

    Yields
    ------
    tuple of str and object
        ``DataFrame.geo`` and the function or class, the library's own ones too.
    """
    wanted = sorted(set(names))
    for library, kinds in CLASSES.items():
        module = sys.modules.get(library)
        for kind in kinds if module is not None else ():
            held = vars(getattr(module, kind, object))
            for name in wanted:
                if name in held:
                    yield f"{kind}.{name}", inner(held[name])


def inner(value: Any) -> Any:
    """Give the function or class behind a descriptor, or the value itself."""
    for name in _HELD:
        found = getattr(value, name, None)
        if callable(found):
            return found
    return value
