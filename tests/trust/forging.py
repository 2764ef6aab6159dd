"""Entries as an attacker makes them: of the right form, with the right checksums."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from nbcache.storage import npz, npz_layout
from nbcache.storage.entry import read_manifest
from nbcache.storage.npz_layout import DEFLATED, STORED, Member, Trailer
from nbcache.storage.trust import Signer

STRANGER = Signer(b"o" * 32)


def document_of(path: Path) -> dict[str, Any]:
    """Give all that the manifest of an honest entry says."""
    with npz.Archive.open(path) as archive:
        return read_manifest(
            archive.manifest(), lambda name: archive.read(name, None), whole=True
        )


def forge(
    path: Path,
    *,
    tree: Any = None,
    members: dict[str, np.ndarray] | None = None,
    signer: Signer | None = STRANGER,
    **fields: Any,
) -> None:
    """Replace an honest entry by one with another content, sealed by a stranger."""
    document = {**document_of(path), **fields}
    if tree is not None:
        document["tree"] = tree
    with path.open("wb") as file:
        npz.write(
            file,
            (members or {}).items(),
            json.dumps(document).encode(),
            key=path.stem.rpartition("-")[2],
            sign=signer.sign if signer else lambda *_: "",
        )


def value_tree(node: Any) -> dict[str, Any]:
    """Give the tree of a function's entry with one node as its value."""
    return {"values": [["value", node]]}


def resealed(data: bytes, signer: Signer | None = None, **changed: Any) -> bytes:
    """Give an entry with the digest of its bytes as they are now.

    Without a signer, the signature stays the one of what was there before.
    """
    body, old = data[:-512], Trailer.from_bytes(data[-512:])
    digest = changed.pop("digest", None) or blake3(body).hexdigest()
    new = replace(old, length=len(body), digest=digest, **changed)
    if signer is not None:
        new = replace(new, mac=signer.sign(new.key, new.length, new.digest))
    return body + new.to_bytes()


def with_other_value(data: bytes) -> bytes:
    """Give an entry with another number in its array, and the right CRC-32 for it."""
    needle = np.arange(20_000).__mul__(2)[100:110].tobytes()
    at = data.index(needle)
    start = data.index(b"\x93NUMPY")
    other = data[:at] + np.arange(10).tobytes() + data[at + len(needle) :]
    end = data.index(b"PK\x07\x08", at)
    old_crc = zlib.crc32(data[start:end]).to_bytes(4, "little")
    new_crc = zlib.crc32(other[start:end]).to_bytes(4, "little")
    assert other.count(old_crc) >= 2
    return other.replace(old_crc, new_crc)


@dataclass
class Raw:
    """A member as it will stand in the file, honest or not."""

    name: str
    data: bytes
    size: int | None = None
    method: int = STORED
    crc: int = 0


def npy(array: np.ndarray) -> bytes:
    """Give an array in npy format."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def npy_claiming(shape: str, data: bytes, *, more: str = "", version: int = 1) -> bytes:
    """Give an npy header that claims a shape, before some data."""
    text = (
        f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, {more}}}"
    ).encode()
    text = text.ljust(-(-(len(text) + 11) // 64) * 64 - 11) + b"\n"
    size = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes((version, 0)) + size + text + data


def raw_entry(
    path: Path,
    members: Iterable[Raw],
    manifest: bytes,
    signer: Signer | None = STRANGER,
) -> None:
    """Write an entry out of members as they are, well sealed."""
    body = b""
    known = []
    every = [*members, Raw("__nbcache__/manifest", npy(_bytes(manifest)))]
    for raw in every:
        size = len(raw.data) if raw.size is None else raw.size
        member = Member(raw.name, raw.method, raw.crc, len(raw.data), size, len(body))
        known.append(member)
        body += _local(raw.name, raw.method)
        start = len(body)
        body += raw.data + npz_layout.descriptor(member)
    directory = len(body)
    place = start + len(every[-1].data) - len(manifest)
    body += npz_layout.central_records(known, directory)
    trailer = Trailer(
        npz.SCHEMA,
        path.stem.rpartition("-")[2],
        len(body),
        place,
        len(manifest),
        directory,
        blake3(body).hexdigest(),
        "",
    )
    if signer is not None:
        mac = signer.sign(trailer.key, trailer.length, trailer.digest)
        trailer = replace(trailer, mac=mac)
    path.write_bytes(body + trailer.to_bytes())


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def _local(name: str, method: int) -> bytes:
    text = name.encode() + b".npy"
    return (
        npz_layout.LOCAL.pack(
            *(b"PK\x03\x04", 20, npz_layout.FLAGS, method, 0, npz_layout.DATE),
            *(0, 0, 0, len(text), 0),
        )
        + text
    )


def bomb(total: int) -> Raw:
    """Give an array of zeros that inflates a thousandfold."""
    header = npy_claiming(f"({total // 8},)", b"")
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    again = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = again.compress(bytes(1 << 20)) + again.flush(zlib.Z_FULL_FLUSH)
    data += block * (total >> 20)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    data += last.flush(zlib.Z_FINISH)
    return Raw("value", data, len(header) + total, DEFLATED)
