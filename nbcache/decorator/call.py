"""One call of a cached function: its key, and how it is computed and restored."""

from __future__ import annotations

import base64
import inspect
import io
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from nbcache import randomness, trace
from nbcache.decorator.generators import CHANGED, Generators
from nbcache.decorator.options import Options, name_of
from nbcache.errors import NbcacheError, UnhashableValue
from nbcache.keys import hashing, origin, secret, source
from nbcache.keys.classes import UserClasses
from nbcache.keys.dependencies import Dependencies, reached, unwrap
from nbcache.keys.key import Key, Part
from nbcache.outcome import Computed
from nbcache.storage import codec
from nbcache.storage.described import package_versions, type_rows
from nbcache.storage.entry import Entry
from nbcache.storage.inplace import Writes
from nbcache.storage.store import Content, Opened
from nbcache.trace.named import Named
from nbcache.trace.observed import Observed

__all__ = ["BoundKey", "CallTask", "bound_key", "kept_arguments"]

CALL_BYTES = 64 * 1024
"""Arguments are kept with an entry, to compute it again, up to this size."""


@dataclass(frozen=True, slots=True)
class BoundKey:
    """The key of a call, the globals that it only writes to, and all that it reads."""

    key: Key
    slug: str
    written: Mapping[str, Any]
    values: Mapping[str, Any]
    functions: tuple[FunctionType, ...]


def bound_key(
    function: Callable[..., Any],
    name: str,
    bound: inspect.BoundArguments,
    options: Options,
) -> BoundKey:
    """Give the key of a call.

    Raises
    ------
    UnhashableValue
        An argument, or something that the function reads, cannot be part of a key.
    """
    found = Dependencies(
        hashing.Walk(options.hash_funcs),
        options.track,
        frozenset(options.ignore_globals),
        skip_written=True,
    )
    said = name if options.name or options.track == "none" else _plain_name(function)
    found.parts.append(Part("function", source.text_digest(said), said))
    _enter_function(found, function)
    for number, dependency in enumerate(options.depends_on):
        found.value(f"depends_on {_described(dependency, number)}", dependency)
    if callable(options.key):
        found.add("argument key", options.key(*bound.args, **bound.kwargs))
    else:
        for argument, value in counted(bound, options).items():
            found.add(f"argument {argument}", value)
    if options.version is not None:
        found.add("version", options.version)
    slug = _slug(function, bound, options) if options.key == "readable" else ""
    return BoundKey(
        Key.of(found.parts), slug, found.written, found.values, found.functions()
    )


def _plain_name(function: Callable[..., Any]) -> str:
    return name_of(function).rpartition(".")[2]


def _enter_function(found: Dependencies, function: Callable[..., Any]) -> None:
    inner = unwrap(function)
    if isinstance(inner, FunctionType) and origin.is_user_function(inner):
        found.function(inner)
    elif found.track != "none":
        found.value("code", inner)


def _described(dependency: Any, number: int) -> str:
    return str(getattr(dependency, "__name__", number))


def counted(bound: inspect.BoundArguments, options: Options) -> dict[str, Any]:
    """Give the arguments that belong to the key."""
    return {
        name: value
        for name, value in bound.arguments.items()
        if not name.startswith("_") and name not in options.ignore
    }


def _slug(
    function: Callable[..., Any], bound: inspect.BoundArguments, options: Options
) -> str:
    """Give a readable beginning for the file name: function and arguments."""
    words = [_plain_name(function)]
    kinds = bound.signature.parameters
    for name, value in counted(bound, options).items():
        if secret.is_secret_name(name):
            continue
        if kinds[name].kind is inspect.Parameter.VAR_POSITIONAL:
            words.extend(_text(item) for item in value)
        elif kinds[name].kind is inspect.Parameter.VAR_KEYWORD:
            for key, item in value.items():
                if not secret.is_secret_name(key):
                    words += [key, _text(item)]
        else:
            words.append(_text(value))
    plain = (re.sub(r"[^A-Za-z0-9]", "", word)[:20] for word in words)
    return "_".join(word for word in plain if word)[:60].strip("_") or "call"


def _text(value: Any) -> str:
    if isinstance(value, str | int | float | bool | None):
        return str(value)
    if isinstance(value, list | tuple) and len(value) < 20:
        return "".join(_text(item) for item in value)
    return type(value).__name__


@dataclass(slots=True)
class CallTask:
    """Computes, encodes and restores one call."""

    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    bound: inspect.BoundArguments
    options: Options
    found: BoundKey
    store: str
    compress: bool
    random: randomness.RandomWatch | None = None
    generators: Generators | None = None
    changes: list[Any] | None = None

    # --- computing

    def compute(self) -> Computed[Any]:
        """Call the function; see whether what it did allows storing the result."""
        before = self._written_digests()
        self.generators = Generators(self.found.values)
        with trace.recording(self._named()) as touched, randomness.watching() as random:
            began = time.perf_counter()
            value = self.function(*self.args, **self.kwargs)
            seconds = time.perf_counter() - began
        self.random = random
        refused = self._refused()
        if refused:
            return Computed(value, seconds, refused)
        for library, digest in random.found().items():
            touched.note([Observed("random", library, digest)])
        settled = touched.settled(self.store)
        return Computed(
            value,
            seconds + settled.seconds,
            settled.refused,
            self._repeated_not(before) or random.told() or settled.told,
            settled.found,
            settled.written,
        )

    def _named(self) -> Named:
        """Give what the function and those that it calls name and get."""
        named = Named()
        for function in self.found.functions:
            named.add_code(function.__code__)
        named.add_values(self.bound.arguments.values())
        named.add_values(self.found.values.values())
        return named

    def _refused(self) -> str:
        """Say why the result may not be kept; '' if it may."""
        try:
            after = bound_key(self.function, self.name, self.bound, self.options).key
        except Exception as error:
            return f"after the call, it has no key: {error}"
        differences = self.found.key.difference(after)
        if differences and self.generators is not None:
            self.changes = self.generators.changes()
        for change in differences:
            kind, _, what = change.label.rpartition(" → ")[2].partition(" ")
            if kind == "argument" and self.changes:
                continue
            if kind == "argument":
                what = (self.generators and self.generators.other) or what
                return (
                    f"it changed its argument {what!r} in place, which a hit would "
                    "not. Let it work on a copy"
                )
            if kind in ("global", "closure", "attributes"):
                return (
                    f"it reads and changes {change.label!r}. If that does not affect "
                    f"its result: @cached(ignore_globals=({what!r},))"
                )
            return f"{change.label} changed while it ran"
        return ""

    def _written_digests(self) -> dict[str, str]:
        return {name: hashing.digest(value) for name, value in self._hashable_written()}

    def _hashable_written(self) -> list[tuple[str, Any]]:
        found = []
        for name, value in self.found.written.items():
            try:
                hashing.digest(value)
            except NbcacheError:
                continue
            found.append((name, value))
        return found

    def _repeated_not(self, before: Mapping[str, str]) -> str:
        """Say which globals the function wrote to: a hit does not repeat that."""
        scope = getattr(unwrap(self.function), "__globals__", {})
        changed = []
        for name, digest in before.items():
            try:
                if hashing.digest(scope.get(name)) != digest:
                    changed.append(name)
            except UnhashableValue:
                changed.append(name)
        if not changed:
            return ""
        return f"it changes global {', '.join(changed)}, which a hit does not repeat"

    # --- storing

    def encode(self, computed: Computed[Any]) -> tuple[Entry, Content]:
        """Give the entry of a result.

        Raises
        ------
        UnstorableValue
            It cannot be kept.
        """
        values = {"value": computed.value}
        if self.random is not None and self.random.after:
            values[randomness.RANDOM] = self.random.after
        if self.changes:
            values[CHANGED] = self.changes
        encoded = codec.encode(
            values,
            live=self._live() if self.generators is None else self.generators.index,
            classes=UserClasses(),
            namespace=self._namespace(),
        )
        entry = Entry(
            key=self.found.key.digest,
            kind="function",
            name=self.name,
            parts=[list(row) for row in self.found.key.to_json()],
            variables=type_rows({"value": computed.value}),
            pickled=list(encoded.pickled),
            seconds=computed.seconds,
            created=time.time(),
            packages=package_versions(),
            options={"compress": self.compress},
            source=_source(self.function),
            state={} if self.random is None else dict(self.random.to_json()),
            # by now, generators are not what they were
            call=None if self.changes else kept_arguments(self.bound),
        )
        return entry, Content(encoded.tree, dict(encoded.members))

    def _live(self) -> Mapping[str, Any]:
        """Give what a result may refer to: all that is part of the key by value."""
        return self.found.values

    def _namespace(self) -> dict[str, Any] | None:
        return getattr(unwrap(self.function), "__globals__", None)

    # --- restoring

    def restore(self, opened: Opened) -> Any:
        """Decode the result of a stored call; restore the random states after it."""
        state = opened.entry.state
        values = codec.decode(
            opened.tree,
            lambda name: opened.archive.read(name, self.options.mmap),
            live=self._live(),
            classes=UserClasses(),
            namespace=self._namespace(),
            reach=reached,
            allow_pickle=True,
        )
        Writes(values.get(CHANGED, ())).apply(undoable=False)
        drawn = values.get(randomness.RANDOM, {})
        randomness.restore(drawn, state.get("seeded", []))
        return values["value"]


def _source(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        return ""


# --- arguments kept with an entry


def kept_arguments(bound: inspect.BoundArguments) -> Any:
    """Give the arguments as plain data, to compute the entry again; None if too large.

    Nothing that needs pickle is kept, and nothing if a name sounds like a secret's.
    """
    names = [*bound.arguments, *_keywords(bound)]
    if any(secret.is_secret_name(name) for name in names):
        return None
    try:
        encoded = codec.encode({"args": list(bound.args), "kwargs": dict(bound.kwargs)})
    except (NbcacheError, RecursionError):
        return None
    size = sum(member.nbytes for member in encoded.members.values())
    if encoded.pickled or size > CALL_BYTES:
        return None
    members = {name: _packed(array) for name, array in encoded.members.items()}
    return {"tree": encoded.tree, "members": members}


def _keywords(bound: inspect.BoundArguments) -> list[str]:
    return [
        key
        for name, parameter in bound.signature.parameters.items()
        if parameter.kind is inspect.Parameter.VAR_KEYWORD
        for key in bound.arguments.get(name, ())
    ]


def _packed(array: np.ndarray) -> str:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpacked_arguments(call: Any) -> tuple[list[Any], dict[str, Any]]:
    """Read back `kept_arguments`.

    Raises
    ------
    DamagedEntry
        They are not what was written.
    """

    def read(name: str) -> np.ndarray:
        data = io.BytesIO(base64.b64decode(call["members"][name]))
        return np.asarray(np.load(data, allow_pickle=False))

    values = codec.decode(call["tree"], read)
    return values["args"], values["kwargs"]
