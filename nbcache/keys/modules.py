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
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from nbcache.errors import UnhashableValue
from nbcache.keys import flow, hashing, origin, source, uses

__all__ = ["absolute_name", "import_parts", "is_module", "loaded_digest"]

Stat = tuple[int, int, int]


@dataclass(frozen=True)
class _Known:
    """A loaded module that was seen to be what its file said."""

    spec: object
    file_form: str
    running: str


_known: dict[str, _Known] = {}
_seen_unloaded: dict[str, Stat] = {}
_file_forms: dict[tuple[str, Stat], str] = {}
_active: set[str] = set()


def absolute_name(name: str, level: int, scope: dict[str, Any]) -> str:
    """Resolve a relative import against the package of a namespace."""
    if not level:
        return name
    package = str(scope.get("__package__") or scope.get("__name__") or "")
    parts = package.split(".")
    kept = parts[: len(parts) - level + 1]
    return ".".join([*kept, name] if name else kept)


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
            yield loaded_digest(module), f"module {part}", ""
            continue
        path = _find(part)
        if path is None or not origin.is_user_file(path):
            yield _library(part)
            return
        _seen_unloaded[path] = _stat(path)
        yield file_digest(path), f"module {part}", ""


def _library(name: str) -> tuple[str, str, str]:
    top = name.partition(".")[0]
    digest = source.text_digest(origin.version_token(top))
    return digest, f"library {top}", origin.version(top)


def _find(name: str) -> str | None:
    """Find the file of a module without importing it or its parents."""
    search: list[str] | None = None
    spec = None
    for count in range(1, name.count(".") + 2):
        part = ".".join(name.split(".")[:count])
        spec = importlib.machinery.PathFinder.find_spec(part, search)
        if spec is None:
            return None
        search = list(spec.submodule_search_locations or ())
    found = spec.origin if spec is not None else None
    return found if found is not None and found.endswith(".py") else None


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
        tree = ast.parse(Path(path).read_bytes())
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


def loaded_digest(module: ModuleType) -> str:
    """Digest a loaded local module.

    Returns
    -------
    str
        That of its file while the module is what the file says, else of what runs.
    """
    name = module.__name__
    if name in _active:
        return source.text_digest("module", name)
    _active.add(name)
    try:
        running = _running_digest(module)
        known = _known.get(name)
        if known is not None and known.spec is module.__spec__:
            return known.file_form if known.running == running else running
        path = getattr(module, "__file__", None)
        if not path or name == "__main__" or not _is_as_filed(module, path):
            return running
        form = file_digest(path)
        _known[name] = _Known(module.__spec__, form, running)
        return form
    finally:
        _active.discard(name)


def _running_digest(module: ModuleType) -> str:
    """Digest every attribute of a module by value."""
    walk = hashing.Walk()
    texts = [module.__name__]
    for name, value in sorted(vars(module).items()):
        if name.startswith("__") and name.endswith("__"):
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
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return _agrees(module, tree, path)


def _agrees(module: ModuleType, tree: ast.Module, path: str) -> bool:
    """Compare what a module holds with what its tree would bind."""
    bound = flow.analyse(tree).stores
    literals = dict(_literals(tree))
    for name, value in vars(module).items():
        if name.startswith("__") and name.endswith("__"):
            continue
        if isinstance(value, FunctionType) and value.__code__.co_filename == path:
            if source.function_node(value.__code__) is None:
                return False
        elif name in literals:
            if type(value) is not type(literals[name]) or value != literals[name]:
                return False
        elif name not in bound and not isinstance(value, ModuleType):
            return False
        elif (
            not isinstance(value, FunctionType | type | ModuleType)
            and path not in _seen_unloaded
        ):
            # computed at import: only a module seen unloaded is known to be as filed
            return False
    return True


def _literals(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            try:
                value = ast.literal_eval(statement.value)
            except ValueError:
                continue
            if isinstance(target, ast.Name):
                yield target.id, value


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
    return found is not None and origin.is_user_file(found)
