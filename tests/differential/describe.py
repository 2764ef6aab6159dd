"""What a run of a notebook left, as texts by path: values, identities, shared memory.

``x[0]`` is a path; where an object is met again, its text says where it was met first.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import hashlib
import random
import re
import sys
import types
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["described", "without_addresses"]

_ATOMS = (type(None), bool, int, float, complex, str, bytes, range, slice, np.generic)
# which of several equal ones it is never shows
_TIMES = (datetime.date, datetime.time, datetime.timedelta, pd.Period, type(pd.NaT))
_ENTRIES = (dict, collections.OrderedDict, collections.Counter, collections.defaultdict)
_GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
_DUNDERS = frozenset(
    [
        "__dict__",
        "__weakref__",
        "__doc__",
        "__module__",
        "__firstlineno__",
        "__static_attributes__",
        "__annotations_cache__",
        "__annotate_func__",
        "__builtins__",
        "__loader__",
        "__spec__",
        "__cached__",
        "__file__",
        "__hash__",
        "__slotnames__",
    ]
)


def without_addresses(text: str) -> str:
    """Leave out where objects stand in memory."""
    return re.sub(r"0[xX][0-9a-fA-F]*", "0x", text)


def described(roots: dict[str, Any], namespace: dict[str, Any]) -> dict[str, str]:
    """Describe all that is reachable from some names.

    Parameters
    ----------
    roots : dict of str to object
        What to describe, by path.
    namespace : dict of str to object
        The notebook's namespace, known without being described.
    """
    walk = _Walk(namespace)
    for path in sorted(roots):
        walk.visit(path, roots[path])
    walk.share()
    return walk.lines


class _Walk:
    def __init__(self, namespace: dict[str, Any]) -> None:
        self.lines: dict[str, str] = {}
        self.met: dict[int, str] = {id(namespace): "<namespace>"}
        self.held: list[Any] = []
        self.arrays: list[tuple[str, np.ndarray]] = []
        self.columns: list[tuple[str, np.ndarray]] = []

    def visit(self, path: str, value: Any) -> None:
        if len(self.lines) > 3000:
            return
        is_atom = isinstance(value, _ATOMS) and not hasattr(value, "__dict__")
        if is_atom or isinstance(value, _TIMES):
            self.lines[path] = f"{type(value).__name__} {_atom(value)}"
        elif type(value) in (tuple, frozenset):
            self._elements(path, value)
        elif id(value) in self.met:
            self.lines[path] = f"is {self.met[id(value)]}"
        else:
            self.met[id(value)] = path
            self.held.append(value)
            self._object(path, value)

    def _object(self, path: str, value: Any) -> None:
        if isinstance(value, np.ndarray):
            self._array(path, value)
        elif isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            self._frame(path, value)
        elif isinstance(value, _GENERATORS):
            self._generator(path, value)
        elif isinstance(value, types.FunctionType):
            self._function(path, value)
        elif isinstance(value, type):
            self._class(path, value)
        elif isinstance(value, types.ModuleType):
            self._module(path, value)
        elif isinstance(value, types.MethodType):
            self.lines[path] = f"method {value.__name__}"
            self.visit(f"{path}.__self__", value.__self__)
            self.visit(f"{path}.__func__", value.__func__)
        else:
            self._instance(path, value)

    def _elements(self, path: str, value: Any) -> None:
        held = list(value)
        if isinstance(value, set | frozenset):
            held.sort(key=repr)
        self.lines[path] = f"{type(value).__name__} of {len(held)}"
        for number, element in enumerate(held):
            self.visit(f"{path}[{number}]", element)

    def _array(self, path: str, value: np.ndarray) -> None:
        flags = "".join(
            letter
            for letter, flag in zip("CFW", ("C", "F", "W"), strict=True)
            if value.flags[flag]
        )
        text = _digest(value.tobytes()) if value.dtype != object else ""
        shown = without_addresses(np.array2string(value, threshold=20)[:200])
        self.lines[path] = (
            f"{type(value).__name__} {value.dtype} {value.shape} {flags} {text} {shown}"
        )
        self.arrays.append((path, value))
        if value.dtype == object:
            for number, element in enumerate(value.ravel().tolist()):
                self.visit(f"{path}[{number}]", element)

    def _frame(self, path: str, value: Any) -> None:
        if isinstance(value, pd.Index):
            text = f"{value!r}"
            dtypes = str(value.dtype)
        else:
            text = value.to_csv(float_format=repr)
            dtypes = f"{value.dtypes} {value.index!r} {dict(value.attrs)} {value.flags}"
            dtypes += f" {value.columns!r}" if isinstance(value, pd.DataFrame) else ""
            dtypes += f" {value.name!r}" if isinstance(value, pd.Series) else ""
        shown = f"{type(value).__name__} {dtypes}\n{text}"
        self.lines[path] = without_addresses(shown)
        if isinstance(value, pd.DataFrame):
            series = [value.iloc[:, number] for number in range(value.shape[1])]
        else:
            series = [value]
        for number, column in enumerate(series):
            if isinstance(column.dtype, np.dtype):
                self.columns.append((f"{path} column {number}", column.to_numpy()))
            if column.dtype == object:
                for row, element in enumerate(column.tolist()):
                    self.visit(f"{path}[{number}][{row}]", element)

    def _generator(self, path: str, value: Any) -> None:
        if isinstance(value, np.random.Generator):
            state = value.bit_generator.state
        elif isinstance(value, np.random.RandomState):
            state = value.get_state(legacy=False)
        else:
            state = value.getstate()
        with np.printoptions(threshold=10**6):
            self.lines[path] = f"{type(value).__name__} {_digest(repr(state).encode())}"

    def _function(self, path: str, value: types.FunctionType) -> None:
        home = self.met.get(id(value.__globals__), value.__globals__.get("__name__"))
        self.lines[path] = (
            f"function {value.__module__}.{value.__qualname__} {value.__name__} in "
            f"{home} {value.__doc__!r} {_code(value.__code__)}"
        )
        self.visit(f"{path}.__defaults__", value.__defaults__)
        if value.__kwdefaults__:
            self.visit(f"{path}.__kwdefaults__", value.__kwdefaults__)
        if value.__annotations__:
            self.visit(f"{path}.__annotations__", value.__annotations__)
        if vars(value):
            self._entries(f"{path}.", vars(value))
        for number, cell in enumerate(value.__closure__ or ()):
            try:
                content = cell.cell_contents
            except ValueError:
                content = "<empty>"
            # functions share cells
            if id(cell) in self.met:
                self.lines[f"{path}.cell{number}"] = f"is {self.met[id(cell)]}"
            else:
                self.met[id(cell)] = f"{path}.cell{number}"
                self.held.append(cell)
                self.visit(f"{path}.cell{number}", content)

    def _class(self, path: str, value: type) -> None:
        self.lines[path] = f"class {value.__module__}.{value.__qualname__}"
        if not _is_users(value.__module__):
            return
        for number, base in enumerate(value.__bases__):
            self.visit(f"{path}.base{number}", base)
        own = {k: v for k, v in vars(value).items() if k not in _DUNDERS}
        self.lines[path] += f" {sorted(own)}"
        for name, held in sorted(own.items()):
            if isinstance(held, staticmethod | classmethod):
                held = held.__func__
            elif isinstance(held, property):
                held = held.fget
            if type(held).__name__ not in _DESCRIPTORS and not name.startswith("_abc_"):
                self.visit(f"{path}.{name}", held)

    def _module(self, path: str, value: types.ModuleType) -> None:
        self.lines[path] = f"module {value.__name__}"
        if _is_users(value.__name__):
            for name, held in sorted(vars(value).items()):
                if not name.startswith("__"):
                    self.visit(f"{path}.{name}", held)

    def _entries(self, path: str, value: Any) -> None:
        for key, held in list(value.items()):
            shown = repr(key) if isinstance(key, _ATOMS) else repr(key)[:40]
            self.visit(f"{path}[{without_addresses(shown)}]", held)

    def _instance(self, path: str, value: Any) -> None:
        kind = type(value)
        self.lines[path] = f"{kind.__module__}.{kind.__qualname__}"
        if _is_users(kind.__module__):
            self.visit(f"{path}.__class__", kind)
        if isinstance(value, dict):
            keys = without_addresses(repr(list(value)))[:300]
            self.lines[path] += f" of {len(value)} {keys}"
            self._entries(path, value)
            if isinstance(value, collections.defaultdict):
                self.visit(f"{path}.default_factory", value.default_factory)
        elif isinstance(value, list | tuple | set | frozenset | collections.deque):
            self._elements(path, value)
            self.lines[path] += f" {kind.__name__} {getattr(value, 'maxlen', '')}"
        elif isinstance(value, bytearray | memoryview):
            self.lines[path] += f" {bytes(value)!r}"
        elif not _is_users(kind.__module__) or dataclasses.is_dataclass(value):
            self.lines[path] += f" {without_addresses(repr(value))[:200]}"
        for name, held in sorted(getattr(value, "__dict__", {}).items()):
            if kind.__module__ not in ("pathlib", "pathlib._local") and not (
                name == "_cache" and kind.__module__.partition(".")[0] == "pandas"
            ):
                self.visit(f"{path}.{name}", held)
        for slot in _slots(kind):
            self.visit(f"{path}.{slot}", getattr(value, slot, "<unset>"))

    def share(self) -> None:
        """Say which arrays share memory, and how."""
        for number, (path, one) in enumerate(self.arrays):
            for other_path, other in self.arrays[number + 1 :] + self.columns:
                if not (one.flags.writeable or other.flags.writeable):
                    continue  # what pandas hands out
                if np.may_share_memory(one, other):
                    offset = (
                        other.__array_interface__["data"][0]
                        - one.__array_interface__["data"][0]
                    )
                    strides = (one.strides, other.strides)
                    told = f"{offset:+d} {strides} {np.shares_memory(one, other)}"
                    self.lines[f"memory {path} ~ {other_path}"] = told


_DESCRIPTORS = frozenset({"getset_descriptor", "member_descriptor", "_abc_data"})


def _slots(kind: type) -> list[str]:
    if not _is_users(kind.__module__):
        return []
    return [
        name
        for base in kind.__mro__
        for name in getattr(base, "__slots__", ())
        if name not in ("__dict__", "__weakref__")
    ]


def _is_users(module: str | None) -> bool:
    if module == "__main__":
        return True
    path = getattr(sys.modules.get(str(module)), "__file__", None)
    return isinstance(path, str) and path.startswith(sys.path[0])


def _atom(value: Any) -> str:
    if isinstance(value, str | bytes) and len(value) > 300:
        raw = value.encode("utf-8", "surrogatepass") if type(value) is str else value
        return f"{value[:100]!r} {_digest(raw)}"
    return without_addresses(repr(value))


def _code(code: types.CodeType) -> str:
    consts = [
        _code(one) if isinstance(one, types.CodeType) else repr(one)
        for one in code.co_consts
    ]
    told = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, consts)
    return _digest(code.co_code + repr(told).encode())


def _digest(raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=8).hexdigest()
