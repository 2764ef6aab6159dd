"""What an entry that this user did not sign may do: give data, and nothing else.

At ``trust = "data"`` an undamaged entry of somebody else is a hit.  Its tree is then
decoded with the kinds of nodes of `DATA_KINDS` alone, so a kind that is added later is
refused until someone has thought about it.  Left out are

- ``pickle``, ``scope``, ``module``, ``type`` (readers of `register_type` are the user's
  code) and classes and functions by name: a tree that hands out any function that is
  loaded could put one in the place of another;
- instances, named tuples and members of the user's classes: their methods, ``__del__``
  and ``__hash__`` among them, would run on a state that somebody else chose;
- closed files (their encodings are looked up by importing), the state of frames that is
  written into live objects, and polars, whose reader checks nothing.

What is allowed may cost memory in proportion to the file, not more.
"""

from __future__ import annotations

import builtins
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.errors import DamagedEntry, UntrustedEntry
from nbcache.storage.codec_nodes import Kind, Unresolved, decoders
from nbcache.storage.live import resolve

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder

__all__ = [
    "DATA_KINDS",
    "code_in",
    "data_kinds",
    "described",
    "is_modest",
    "plain_state",
    "plain_trace",
    "require_new_names",
    "require_values",
]

DATA_KINDS = frozenset(
    (
        *("str", "bytes", "int", "float", "complex", "...", "NotImplemented"),
        *("=", "seq", "list", "tuple", "dict", "OrderedDict", "Counter"),
        *("defaultdict", "deque", "set", "frozenset", "namespace", "slice", "range"),
        *("Fraction", "Decimal", "UUID", "date", "datetime", "time", "timedelta"),
        *("timezone", "ZoneInfo", "pytz", "PosixPath", "WindowsPath"),
        *("PurePosixPath", "PureWindowsPath", "bytearray"),
        *("a", "read-only", "view", "spread", "objects", "subclass", "masked"),
        *("dtype", "scalar", "text"),
        *("global random", "Random", "SeedSequence", "bits", "Generator"),
        "RandomState",
        *("Index", "RangeIndex", "MultiIndex", "Series", "DataFrame", "extension"),
        *("pandas dtype", "missing", "Timestamp", "Timedelta", "Period", "Interval"),
        *("offset", "sparse", "arrow type", "arrow schema", "arrow table"),
        *("arrow array", "arrow texts"),
    )
)

_KINDS_OF_CODE = {
    "pickle": "pickled Python objects",
    "name": "classes or functions by name",
    "class": "your own classes",
    "object": "instances of your own classes",
    "type": "values that a function of register_type would read",
}


def described(kind: str) -> str:
    """Say what nodes of a kind that is more than data are."""
    return _KINDS_OF_CODE.get(kind, f"values of the kind {kind!r}")


def refusal(what: str) -> UntrustedEntry:
    """Give the error for an entry that would do more than give data."""
    return UntrustedEntry(
        f"the entry holds {what}, which you did not sign; they could run code, so they "
        "were not loaded. `nbcache trust FILE` shows what it holds and signs it"
    )


# ---------------------------------------------------------------- nodes


class _DataKinds(dict[str, Kind]):
    """The kinds of nodes that are data; asked for another one, it says why not."""

    def __missing__(self, name: str) -> Kind:
        if name in decoders:
            raise refusal(described(name))
        raise KeyError(name)


@cache
def data_kinds() -> Mapping[str, Kind]:
    """Give the table of the kinds of nodes that only give data."""
    found = _DataKinds({name: decoders[name] for name in DATA_KINDS & decoders.keys()})
    found["name"] = Kind(_named)
    found["live"] = Kind(_live)
    return found


_CLASSES: dict[tuple[str, str], type] = {
    ("builtins", name): getattr(builtins, name)
    for name in ("bool", "int", "float", "complex", "str", "bytes", "bytearray")
}
_CLASSES |= {
    ("builtins", cls.__name__): cls for cls in (list, tuple, dict, set, frozenset)
}
_CLASSES |= {
    ("numpy", np.dtype(code).type.__qualname__): np.dtype(code).type
    for code in np.typecodes["All"]
}


def _named(_: Decoder, content: Any) -> type:
    module, name = content
    cls = _CLASSES.get((module, name))
    if cls is None:
        raise refusal(_KINDS_OF_CODE["name"])
    return cls


_CONTAINERS = (list, tuple, dict, set, frozenset, deque, bytearray, OrderedDict)
_PLAIN = (*_CONTAINERS, defaultdict, bool, int, float, complex, str, bytes, type(None))
_LIBRARIES = ("numpy", "pandas", "pyarrow", "polars", "scipy")
# not the attributes of objects, nor classes, nor what functions read
_STEPS = frozenset("iknqfvbex")


def _live(decoder: Decoder, path: Any) -> Any:
    """Give a live object that is data and is reached through data alone."""
    name, *steps = path
    if any(step not in _STEPS for step, _ in steps):
        raise refusal("references into your own objects")
    for count in range(len(steps) + 1):
        value = resolve(decoder.live, [name, *steps[:count]])
        if not _is_data(value):
            raise refusal("references to your own objects")
    return value


def _is_data(value: object) -> bool:
    cls = type(value)
    if cls in _PLAIN:
        return True
    known = cls.__module__.partition(".")[0] in _LIBRARIES
    return known and not (callable(value) or isinstance(value, type))


def code_in(tree: Any) -> str:
    """Give the kind of the first node that is more than data; '' if none seems to be.

    The user's own lists may look like nodes: it may say too much, never too little.
    """
    pending: list[Any] = [tree]
    while pending:
        part = pending.pop()
        if type(part) is dict:
            pending.extend(part.values())
        elif type(part) is list:
            head = part[0] if part else None
            if type(head) is str and head in decoders and head not in DATA_KINDS:
                return head
            pending.extend(part)
    return ""


# ---------------------------------------------------------------- values and state

# `randomness.RANDOM` and `cell.task.RESULT`; others than these begin so as well
_MARKED = ("<random>", "<result>", "<value>")
_GENERATORS = frozenset(("random", "numpy"))


def require_values(values: Mapping[Any, Any]) -> None:
    """Refuse values that would be written into live objects, or raised.

    Raises
    ------
    UntrustedEntry
        There are such.
    DamagedEntry
        They are not what any entry holds.
    """
    for name in values:
        if type(name) is not str:
            raise DamagedEntry("the entry holds values without names")
        if name.startswith("<") and name not in _MARKED:
            raise refusal(f"{name.strip('<>')} values")
    drawn = values.get("<random>", {})
    if type(drawn) is not dict or not drawn.keys() <= _GENERATORS:
        raise refusal("states of random generators")


def require_new_names(names: Iterable[str], scope: Mapping[str, Any]) -> None:
    """Refuse names that would hide a builtin, a function, a class or a module.

    Raises
    ------
    UntrustedEntry
        One would.
    """
    for name in names:
        if name.startswith("<"):
            continue
        known = scope.get(name)
        hides = hasattr(builtins, name) or callable(known) or type(known) is type(np)
        if hides or name.startswith("_") or not name.isidentifier():
            raise refusal(f"a value for the name {name!r}")


def _texts(value: Any) -> bool:
    return type(value) is list and all(type(one) is str for one in value)


# what a state may say beyond values; all else changes the process
_STATE: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("names", "deleted", "seeded", "drawn", "unkept"), _texts),
    **dict.fromkeys(("result", "text", "pyplot"), lambda value: type(value) is str),
    # of a run of a batch; its parameters are decoded as data alone
    "run": lambda value: type(value) is dict,
    # where an entry says that it came from
    "imported": lambda value: type(value) is dict and _texts(list(value.values())),
}
# a digest that cannot be believed would stand for another value in later keys; what
# renames lines in outputs is worth no thought
_DROPPED = ("digest", "lines")


def plain_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Give the state of an entry as far as it is harmless.

    Raises
    ------
    UntrustedEntry
        It sets variables of the environment, settings, the directory, or inputs.
    """
    found = {}
    for name, value in state.items():
        if name in _DROPPED or not value:
            continue
        if name not in _STATE or not _STATE[name](value):
            raise refusal(f"changes of the {name.replace('_', ' ')}")
        found[name] = value
    if not set(found.get("seeded", ())) <= _GENERATORS:
        raise Unresolved("it seeds generators that are not known")
    return found


# ---------------------------------------------------------------- what a run found

# what is looked at without following what somebody else wrote through the machine
_LOOKS = frozenset(("file", "exists", "stat", "listing"))


def is_modest(kind: str, name: str) -> bool:
    """Say whether a foreign entry may have something compared: what is below here."""
    if kind not in _LOOKS:
        return kind in ("random", "folder") or kind.startswith("metric")
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts


def plain_trace(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Give what a run found or wrote, without what spares reading files.

    Raises
    ------
    UntrustedEntry
        To compare it, files anywhere on the machine would be read.
    """
    found = []
    for kind, name, digest, *_ in rows:
        if not is_modest(kind, name):
            raise refusal(f"observations of {name[:80]!r}")
        found.append([kind, name, digest, None])
    return found
