"""The identity of local modules: loaded ones by what runs, others by their file.

A cell that imports a local module has one identity before and after the import: as
long as the loaded module demonstrably is what its file says, both give the digest of
the file.  A module that was edited after its import, or changed from outside, is
digested by its running content instead.
"""

from __future__ import annotations

import ast
import importlib.machinery
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import filed, flow, hashing, origin, source, uses
from nbcache.keys.trees import tree_of
from nbcache.scripts import MAIN, plain_name

__all__ = [
    "absolute_name",
    "classes",
    "data",
    "import_parts",
    "is_module",
    "loaded_digest",
    "starred_names",
]

Stat = tuple[int, int, int]


@dataclass(frozen=True)
class _Known:
    """A loaded module that was seen to be what its file said."""

    spec: object
    file_form: str
    running: str


_known: dict[tuple[str, bool], _Known] = {}
_seen_unloaded: dict[str, Stat] = {}
_file_forms: dict[tuple[str, Stat], str] = {}


class _Active(threading.local):
    """The modules that a thread is digesting: one that leads back counts by name."""

    def __init__(self) -> None:
        self.names: set[str] = set()


_active = _Active()


def absolute_name(name: str, level: int, scope: dict[str, Any]) -> str:
    """Resolve a relative import against the package of a namespace."""
    if not level:
        return name
    package = str(scope.get("__package__") or scope.get("__name__") or "")
    parts = package.split(".")
    kept = parts[: len(parts) - level + 1]
    return ".".join([*kept, name] if name else kept)


def data(module: ModuleType) -> dict[str, Any]:
    """Give what a module holds by name, without code and what Python put there."""
    code = (ModuleType, type, FunctionType, BuiltinFunctionType)
    return {
        name: value
        for name, value in vars(module).items()
        if not (name.startswith("__") and name.endswith("__"))
        and not isinstance(value, code)
    }


def classes(module: ModuleType) -> dict[str, type]:
    """Give the classes that a module defines, by the name under which it holds them."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__
    }


def functions(module: ModuleType) -> dict[str, FunctionType]:
    """Give the functions that a module defines, by the name under which it has them."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__
    }


def import_parts(name: str) -> Iterator[tuple[str, str, str]]:
    """Give digest, label and summary of each module that an import brings in.

    Parameters
    ----------
    name : str
        Absolute name: for ``a.b``, local packages contribute ``a`` and ``a.b``.
    """
    steps = name.split(".")
    for count in range(1, len(steps) + 1):
        part = ".".join(steps[:count])
        module = sys.modules.get(part)
        if module is not None:
            if not origin.is_user_module(module):
                yield _library(part)
                return
            yield loaded_digest(module, imported=True), f"module {part}", ""
            continue
        if _is_user_folder(part):
            yield _folder_digest(part), f"module {part}", ""
            continue
        path = _find(part)
        if path is None or not origin.is_user_file(path):
            yield _library(part)
            return
        _seen_unloaded[path] = _stat(path)
        yield file_digest(path), f"module {part}", ""


def _is_user_folder(name: str) -> bool:
    """Say whether a name is that of a local package without ``__init__``."""
    spec = _find_spec(name)
    folders = list((spec and spec.submodule_search_locations) or ())
    return (
        spec is not None
        and spec.origin is None
        and any(origin.is_user_file(f"{folder}/__init__.py") for folder in folders)
    )


def _folder_digest(name: str) -> str:
    return source.text_digest("namespace package", name)


def _library(name: str) -> tuple[str, str, str]:
    top = name.partition(".")[0]
    digest = source.text_digest(origin.version_token(top))
    return digest, f"library {top}", origin.version(top)


def _find(name: str) -> str | None:
    """Find the file of a module without importing it or its parents."""
    spec = _find_spec(name)
    found = spec.origin if spec is not None else None
    return found if found is not None and found.endswith(".py") else None


def _find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
    search: list[str] | None = None
    spec = None
    for count in range(1, name.count(".") + 2):
        part = ".".join(name.split(".")[:count])
        spec = importlib.machinery.PathFinder.find_spec(part, search)
        if spec is None:
            return None
        search = list(spec.submodule_search_locations or ())
    return spec


def _stat(path: str) -> Stat:
    try:
        found = Path(path).stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size)


def file_digest(path: str) -> str:
    """Digest the normal form of a module's file and of the local ones it imports."""
    return _file_digest(path, frozenset())


def _file_digest(path: str, above: frozenset[str]) -> str:
    key = (path, _stat(path))
    # what it imports may have changed all the same, and is looked at again
    own = _file_forms.get(key, "") if not above else ""
    try:
        tree = tree_of(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return source.text_digest("unreadable", str(key))
    if not own:
        own = _file_forms[key] = source.tree_digest(tree)
    texts = [own]
    for name, level, names in uses.imported_modules(tree):
        scope = {"__package__": _package_of(path)}
        absolute = absolute_name(name, level, scope)
        for wanted in (absolute, *(f"{absolute}.{one}" for one in names)):
            found = _find(wanted)
            if found is None or not origin.is_user_file(found) or found in above:
                continue
            if wanted not in sys.modules:
                _seen_unloaded[found] = _stat(found)
            texts.append(_file_digest(found, above | {path}))
    return source.text_digest("file", *texts)


def _package_of(path: str) -> str:
    """Name the package of a file by the folders above that hold an ``__init__``."""
    folder = Path(path).parent
    names: list[str] = []
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names)


def loaded_digest(module: ModuleType, *, imported: bool = False) -> str:
    """Digest a loaded local module.

    Parameters
    ----------
    module : ModuleType
        Of the user's.
    imported : bool
        Whether it stands for an import alone: then the modules inside a package, which
        other imports load, do not count.

    Returns
    -------
    str
        That of its file while the module is what the file says, else of what runs.
    """
    name = plain_name(module.__name__)
    if name in _active.names:
        return source.text_digest("module", name)
    if imported and getattr(module, "__file__", None) is None and name != MAIN:
        return _folder_digest(name)
    _active.names.add(name)
    try:
        running = _running_digest(module, imported)
        known = _known.get((name, imported))
        if known is not None and known.spec is module.__spec__:
            return known.file_form if known.running == running else running
        path = getattr(module, "__file__", None)
        if not path or name == MAIN or not _is_as_filed(module, path):
            return running
        form = file_digest(path)
        _known[name, imported] = _Known(module.__spec__, form, running)
        return form
    finally:
        _active.names.discard(name)


def _running_digest(module: ModuleType, imported: bool) -> str:
    """Digest every attribute of a module by value."""
    walk = hashing.Walk()
    texts = [plain_name(module.__name__)]
    for name, value in sorted(vars(module).items()):
        if name.startswith("__") and name.endswith("__"):
            continue
        inside = getattr(value, "__name__", "") == f"{module.__name__}.{name}"
        if imported and inside and isinstance(value, ModuleType):
            continue
        try:
            texts += [name, walk.digest(value, f"{module.__name__}.{name}")]
        except UnhashableValue as error:
            # a lock or a connection of the module's own does not make it useless
            texts += [name, f"opaque {error.type_name}"]
    return source.text_digest("running", *texts)


def _is_as_filed(module: ModuleType, path: str) -> bool:
    """Say whether a module certainly is what its file says today."""
    stat = _stat(path)
    if not (_seen_unloaded.get(path) == stat or _older_than_process(stat)):
        return False
    try:
        tree = tree_of(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    starred = _starred(tree, path)
    names = flow.analyse(tree).stores | starred
    seen = path in _seen_unloaded
    return filed.agrees(module, tree, path, names, computed=seen) and all(
        _is_inside_as_filed(value) for value in vars(module).values()
    )


def _is_inside_as_filed(value: Any) -> bool:
    """Say of a local module that another one holds whether it is what its file says."""
    path = getattr(value, "__file__", None)
    if not (isinstance(value, ModuleType) and origin.is_user_module(value) and path):
        return True
    return value.__name__ in _active.names or loaded_digest(value) == file_digest(path)


def _starred(tree: ast.Module, path: str) -> set[str]:
    """Give the names that ``from module import *`` brings, of loaded modules."""
    scope = {"__package__": _package_of(path)}
    return {
        name
        for module, level, names in uses.imported_modules(tree)
        if "*" in names
        for name in starred_names(absolute_name(module, level, scope))
    }


def starred_names(name: str) -> set[str]:
    """Give the names that ``from name import *`` binds; none if it is not loaded."""
    module = sys.modules.get(name)
    if module is None:
        return set()
    stated = getattr(module, "__all__", None)
    if stated is not None:
        return set(stated)
    return {one for one in vars(module) if not one.startswith("_")}


def _older_than_process(stat: Stat) -> bool:
    started = _process_start()
    return started is not None and max(stat[0], stat[1]) < (started - 2) * 1e9


def _process_start() -> float | None:
    """Give the time at which this process began, in s; None where nothing tells."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        ticks = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    return time.time() - uptime + int(fields[19]) / ticks


def is_module(name: str) -> bool:
    """Say whether a dotted name is a local module rather than a module's attribute."""
    if name in sys.modules:
        return origin.is_user_module(sys.modules[name])
    found = _find(name)
    if found is None:
        return _is_user_folder(name)
    return origin.is_user_file(found)
