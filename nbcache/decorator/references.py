"""References to results: small, picklable, loaded only when the value is needed."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from nbcache import config, trace
from nbcache.decorator.named import functions
from nbcache.errors import NbcacheError, NotCached, UnstorableValue
from nbcache.keys import hashing
from nbcache.keys.classes import classes_of
from nbcache.keys.dependencies import unwrap
from nbcache.keys.key import KEY_SCHEMA
from nbcache.keys.registry import any_registered
from nbcache.storage import codec
from nbcache.storage.store import Opened, Store

__all__ = [
    "CachedRef",
    "Loading",
    "is_still",
    "plain_digest",
    "reference",
    "values_of",
]

R = TypeVar("R")
VALUE = "value"
DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class CachedRef(Generic[R]):
    """A reference to a stored result; made by ``function.ref(...)``.

    As an argument of a cached function it stands for the value: the key is the same as
    with the value itself, and only a call that has to be computed loads it.  Inside a
    list or dict it stays a reference, which the function loads itself.

    Parameters
    ----------
    name : str
        Of the function whose result it is.
    key : str
        Of the entry.
    digest : str
        Of the value.
    folder : str
        Of the store.
    slug : str
        Readable beginning of the entry's file name.
    content : str
        Digest of the entry's file.
    """

    name: str
    key: str
    digest: str
    folder: str
    slug: str = ""
    content: str = ""

    def load(self) -> R:
        """Give the value, a new one each time.

        Raises
        ------
        NotCached
            It is no longer there, or another result is; the text says which function
            to call again.
        """
        with trace.unseen():
            return self._loaded()

    def _loaded(self) -> R:
        try:
            opened = _store(self.folder).get(self.key, self.slug, memory=True)
        except (NbcacheError, OSError) as error:
            raise self._gone(f"cannot be used: {error}") from error
        if opened is None:
            raise self._gone("is no longer in the cache")
        try:
            value = loaded(opened, self.name)
            same = opened.archive.trailer.digest == self.content
            if not same and hashing.digest(value) != self.digest:
                raise self._gone("was replaced by another one")
        except NotCached:
            raise
        except Exception as error:
            raise self._gone(f"cannot be loaded here: {error}") from error
        finally:
            opened.close()
        return value  # type: ignore[no-any-return]

    def _gone(self, what: str) -> NotCached:
        return NotCached(
            f"the result of {self.name!r} {what}. Call {self.name}.ref(...) again, "
            "with the same arguments"
        )

    def __repr__(self) -> str:
        return f"<reference to a result of {self.name}>"

    def __nbcache_hash__(self) -> str:
        """Give the digest of the value, which identifies it wherever it stands."""
        return self.digest


def _store(folder: str) -> Store:
    return _store_with(folder, config.current().trust)


@functools.lru_cache(maxsize=32)
def _store_with(folder: str, trust: str) -> Store:
    return Store(Path(folder), trust=trust)


def loaded(opened: Opened, name: str) -> Any:
    """Decode the value of an entry by itself, without the call that it belongs to."""
    function = functions.get(name)
    own = None if function is None else unwrap(function)
    scope = getattr(own, "__globals__", None)
    values = opened.decode(classes=classes_of(scope), namespace=scope)
    return values[VALUE]


# --- making one


def reference(opened: Opened, name: str, folder: Path, slug: str) -> CachedRef[Any]:
    """Give the reference to the result that an entry holds.

    Raises
    ------
    UnstorableValue
        The result refers to the arguments of its call, so that nobody can load it
        without them.
    """
    entry = opened.entry
    known = entry.state.get(DIGEST)
    if any_registered() or not known or known[0] != KEY_SCHEMA:
        try:
            digest = hashing.digest(loaded(opened, name))
        except LookupError as error:
            reason = f"it cannot be loaded without its call ({error}): return a copy"
            raise UnstorableValue(f"the result of {name}", "CachedRef", reason) from (
                error
            )
    else:
        digest = str(known[1])
    content = opened.archive.trailer.digest
    return CachedRef(name, entry.key, digest, str(folder), slug, content)


def plain_digest(value: Any, encoded: codec.Encoded) -> list[Any] | None:
    """Give the digest of a result, to be kept with it; None if it may become another.

    Kept is only that of plain data: the digest of what holds user classes or functions
    is another one when their code has changed.
    """
    if any_registered():
        return None
    try:
        again = codec.decode(encoded.tree, encoded.members.__getitem__)[VALUE]
        digest = hashing.digest(value)
        same = hashing.digest(again) == digest
    except (NbcacheError, LookupError):
        return None
    return [KEY_SCHEMA, digest] if same else None


def is_still(opened: Opened) -> bool:
    """Say whether a hit gives a value and does nothing else.

    Another one also restores the global random generators, for instance.
    """
    names = [name for name, _ in opened.tree["values"]]
    return names == [VALUE] and not opened.entry.state.get("seeded")


# --- as arguments


def values_of(
    args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Give arguments with the values of references in their places.

    Raises
    ------
    NotCached
        One is no longer there.
    """
    return (
        tuple(one.load() if type(one) is CachedRef else one for one in args),
        {
            name: one.load() if type(one) is CachedRef else one
            for name, one in kwargs.items()
        },
    )


class Loading(Mapping[str, Any]):
    """Values by label, references among them loaded when asked for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, label: str) -> Any:
        value = self._values[label]
        return value.load() if type(value) is CachedRef else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, label: object) -> bool:
        return label in self._values
