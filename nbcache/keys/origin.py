"""Whose code it is: the user's, or installed; and which version of it.

*User code* is what can change under a result without its package's version changing:
notebooks, scripts, modules beside them, editable installs.  It is digested by content;
everything installed by name and version.
"""

from __future__ import annotations

import functools
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import PurePath
from types import CodeType, FunctionType, ModuleType

from nbcache import config

__all__ = [
    "is_user_class",
    "is_user_code",
    "is_user_file",
    "is_user_function",
    "is_user_module",
    "recorded_version",
    "version",
    "version_token",
]

_INSTALLED_FOLDERS = frozenset({"site-packages", "dist-packages"})
_STDLIB = tuple(
    str(PurePath(sysconfig.get_path(kind))) for kind in ("stdlib", "platstdlib")
)
# nbcache itself may be an editable install; a change of it must not make every
# user's function look changed (the key has a schema number for that)
_OURSELVES = str(PurePath(__file__).parents[1])


@functools.lru_cache(maxsize=4096)
def is_user_file(filename: str) -> bool:
    """Say whether a source file (or the name of a cell) is the user's."""
    if filename.startswith("<"):
        return not filename.startswith(("<frozen", "<__array_function__"))
    path = PurePath(filename)
    if _INSTALLED_FOLDERS.intersection(path.parts):
        return False
    return not any(_is_below(filename, root) for root in (*_STDLIB, _OURSELVES))


def _is_below(filename: str, root: str) -> bool:
    return filename.startswith((f"{root}/", f"{root}\\"))


def is_user_code(code: CodeType) -> bool:
    """Say whether a code object was compiled from the user's source."""
    return is_user_file(code.co_filename)


def is_user_module(module: ModuleType) -> bool:
    """Say whether a module is the user's: a notebook, script or local file."""
    if module.__name__ == "__main__":
        return True
    filename = getattr(module, "__file__", None)
    if not isinstance(filename, str):
        return _has_user_folder(module)
    return is_user_file(filename)


def _has_user_folder(module: ModuleType) -> bool:
    """Namespace packages have folders and no file; built-in modules neither."""
    folders = list(getattr(module, "__path__", ()))
    return any(is_user_file(f"{folder}/__init__.py") for folder in folders)


def is_user_function(function: FunctionType) -> bool:
    """Say whether a function's code is the user's, whatever module it claims."""
    code = function.__code__
    if not code.co_filename.startswith("<"):
        return is_user_code(code)
    # made by exec: dataclass and namedtuple methods, or the user's own
    name = function.__globals__.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return is_user_code(code) and (module is None or is_user_module(module))


def is_user_class(cls: type) -> bool:
    """Say whether a class was defined in the user's code."""
    module = sys.modules.get(cls.__module__)
    if module is None:
        return cls.__module__ not in sys.builtin_module_names
    return is_user_module(module)


@functools.lru_cache(maxsize=1024)
def version(module_name: str) -> str:
    """Give the exact version of the package that holds a module, or ''."""
    top = module_name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return "{}.{}.{}".format(*sys.version_info)
    # not getattr: some packages warn of it, or import more, in __getattr__
    stated = getattr(sys.modules.get(top), "__dict__", {}).get("__version__")
    if isinstance(stated, str):
        return stated
    if not top:
        return ""
    return recorded_version(top) or _version_of_import(top)


def recorded_version(package: str) -> str:
    """Give the version in the record of an installed package; '' if there is none."""
    import importlib.metadata  # 20 ms, of use to few keys

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _version_of_import(top: str) -> str:
    """Give the version of a package that is imported under another name (sklearn)."""
    for name in _distributions().get(top, ()):
        return recorded_version(name)
    return ""


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    # reads the records of every installed package: only when a name alone says nothing
    import importlib.metadata

    return importlib.metadata.packages_distributions()


def version_token(module_name: str) -> str:
    """Give as much of a package's version as the settings make part of a key."""
    mode = config.current().track_versions
    if mode == "off":
        return ""
    exact = version(module_name)
    if mode == "exact" or module_name.partition(".")[0] == "":
        return exact
    return ".".join(exact.split(".")[:2])
