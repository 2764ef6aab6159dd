"""One stored result with its metadata; the page that documents the format.

An entry is one ``.npz`` file: `numpy.load` opens it.  An array that the user called
``x`` is member ``x.npy``, the array a function returned ``value.npy``; all else stands
under ``__nbcache__/`` by number.  ``__nbcache__/manifest.npy`` holds JSON as uint8:

====================  ==========================================================
``schema``            number of the format (`npz.SCHEMA`)
``key``               32-64 hexadecimal digits; the entry's name in the store
``kind``              ``cell``, ``function``, ``metric``, ``imported`` (of another
                      package), ``failure`` (of a run), and what batches need
``name``, ``notebook``  the user's handle, and where it was used
``parts``             the key's parts: label, digest, summary and, if there are any,
                      details (`keys.details`); packed text is deflated, in base64
``tree``              the values, as `storage.codec` writes them
``outputs``           what a cell displayed, as `nbcache.outputs` writes it
``variables``         name, type and bytes of each value
``pickled``           paths of the parts that only this user may decode
``lookup``            the key under which it was looked up, see `nbcache.trace`
``trace``             what the run depended on: kind, name, digest
``written``           files that the run wrote, with their digests
``expires_after``     s after which it is too old, if that was asked for
``tags``              the user's words for it
``private``           whether it keeps no summaries and is never shared
``adopted``           s since 1970 at which the user took it over for edited code
``state``             what else a hit restores: deleted names, the result
``seconds``           s that computing took
``created``           s since 1970
``packages``          exact versions of Python and the packages loaded then
``options``           options of the magic or decorator, as data
``source``            text of the cell or function
``call``              bound arguments of a function's call, if kept
``author``            `storage.trust.Signer.author` of who wrote it, as it claims
====================  ==========================================================

A field of more than 8 KiB stands as a member of its own, ``__nbcache__/<field>.npy``,
and in the manifest as ``{"member": name}``, so that the manifest stays small enough for
listings.  The zip comment is the trailer of `storage.npz`: lengths, BLAKE3 digest,
signature.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from nbcache.errors import DamagedEntry
from nbcache.storage.entry_fields import malformed
from nbcache.storage.npz import SCHEMA

__all__ = [
    "IMPORTED",
    "INTERNAL",
    "LARGE",
    "MANIFEST_MEMBERS",
    "METRIC",
    "Entry",
    "read_manifest",
    "write_manifest",
]

FAILURE = "failure"
"""The kind of what failed runs leave, which is never a hit."""
IMPORTED = "imported"
"""The kind of entries that no code here computes; their ``state`` says under it where
they came from: ``format``, ``file`` and ``id`` there."""
METRIC = "metric"
"""The kind of the values of metrics; their ``state`` says under it whose they are:
``collection`` and ``base``."""

INTERNAL = "__nbcache__/"
_INLINE_BYTES = 8 * 1024
LARGE = (
    *("parts", "tree", "outputs", "source", "state", "call", "variables"),
    *("trace", "written"),
)
MANIFEST_MEMBERS = frozenset(f"{INTERNAL}{name}" for name in ("manifest", *LARGE))
"""The members that hold no values."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a stored result without decoding a value."""

    key: str
    kind: str
    name: str
    notebook: str = ""
    parts: list[list[Any]] = field(default_factory=list)
    variables: list[list[Any]] = field(default_factory=list)
    pickled: list[str] = field(default_factory=list)
    seconds: float = 0.0
    created: float = 0.0
    packages: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    lookup: str = ""
    trace: list[list[Any]] = field(default_factory=list)
    written: list[list[Any]] = field(default_factory=list)
    expires_after: float | None = None
    tags: list[str] = field(default_factory=list)
    private: bool = False
    adopted: float = 0.0
    state: dict[str, Any] = field(default_factory=dict)
    call: Any = None
    author: str = ""
    schema: int = SCHEMA
    bytes: int = 0
    file: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the metadata as plain data; size and file are the store's to say."""
        # not asdict: it copies all that is in the fields, which takes 20 times as long
        return {name: getattr(self, name) for name in _STORED}

    @property
    def origin(self) -> dict[str, Any]:
        """Where an imported entry came from; of others, nothing is known."""
        found = self.state.get(IMPORTED) if self.kind == IMPORTED else None
        return found if isinstance(found, dict) else {}

    def without_summaries(self) -> Entry:
        """Give this entry as a private one: no text of a value, argument or helper."""
        parts = [[label, digest, ""] for label, digest, *_ in self.parts]
        return replace(self, parts=parts, call=None, private=True)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], **known: Any) -> Entry:
        """Read metadata back.

        Raises
        ------
        DamagedEntry
            A field is missing or is not what it should be.
        """
        given = {name: plain[name] for name in plain.keys() & _FIELDS}
        given.update(known)
        try:
            entry = cls(**given)
        except TypeError as error:
            raise DamagedEntry(f"manifest: {error}") from error
        wrong = malformed(entry)
        if wrong:
            raise DamagedEntry(f"manifest: {wrong} is not what it should be")
        return entry


_FIELDS = frozenset(one.name for one in fields(Entry))
_STORED = [one.name for one in fields(Entry) if one.name not in ("bytes", "file")]


def write_manifest(
    entry: Entry, tree: Any, outputs: Any, members: dict[str, np.ndarray]
) -> bytes:
    """Give the manifest; fields that are too long for it are added to members.

    Parameters
    ----------
    entry : Entry
        The metadata.
    tree, outputs
        Plain data: the encoded values, and the outputs of a cell.
    members : dict of str to ndarray
        Extended in place.
    """
    document = {**entry.to_json(), "tree": tree, "outputs": outputs}
    for name in LARGE:
        text = _dump(document[name])
        if len(text) > _INLINE_BYTES:
            member = INTERNAL + name
            members[member] = np.frombuffer(text, np.uint8)
            document[name] = {"member": member}
    return _dump(document)


def _dump(value: Any) -> bytes:
    # ASCII, so that lone surrogates of the user's strings survive
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def read_manifest(
    data: bytes, read: Callable[[str], np.ndarray], *, whole: bool
) -> dict[str, Any]:
    """Read a manifest and, if asked for, the fields that are members of their own.

    Raises
    ------
    DamagedEntry
        It is not JSON, or a field's member is not what it should be.
    """
    document = _load(data)
    if not isinstance(document, dict):
        raise DamagedEntry("manifest: not an object")
    for name in LARGE:
        value = document.get(name)
        if isinstance(value, dict) and set(value) == {"member"}:
            if value["member"] != INTERNAL + name:
                raise DamagedEntry(f"manifest: {name} names a foreign member")
            if whole or name not in ("tree", "outputs"):
                document[name] = _load(read(INTERNAL + name).tobytes())
    return document


def _load(data: bytes) -> Any:
    try:
        # as text: json.loads takes a while to guess the encoding of bytes
        return json.loads(str(data, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedEntry(f"manifest: {error}") from error
