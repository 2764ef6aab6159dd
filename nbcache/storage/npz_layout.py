"""The bytes of an entry file: the trailer and zip records.

Pure: everything here turns values into bytes or bytes into values.  The layout is that
of a plain ``.npz`` (a zip of ``.npy`` members), so that `numpy.load` reads it; what is
ours hides where zip readers do not look: in the extra field that aligns the data, and
in the archive comment, which holds the `Trailer`.

References
----------
APPNOTE.TXT 6.3.10 (zip).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, NamedTuple

from nbcache.errors import DamagedEntry
from nbcache.storage.npy_header import ALIGNMENT

deflate: Any
try:
    deflate = import_module("isal.isal_zlib")
except ImportError:  # slower, same results
    try:
        deflate = import_module("zlib_ng.zlib_ng")
    except ImportError:
        deflate = import_module("zlib")

__all__ = ["SCHEMA", "TRAILER_BYTES", "Trailer"]

SCHEMA: Final = 1
TRAILER_BYTES: Final = 512
MANIFEST: Final = "__nbcache__/manifest"
STORED, DEFLATED = 0, 8
# bit 3: CRC and sizes follow the data; bit 11: names are UTF-8
FLAGS: Final = 0x808
# what stands in a 32-bit field whose value has 64 bits, and from where it has
MARK_32: Final = 0xFFFFFFFF
LIMIT_32 = MARK_32
LARGEST_16: Final = 0xFFFF
# 1980-01-01: equal content must give equal bytes
DATE: Final = (1 << 5) | 1
# Android's zipalign uses this id for the same purpose
PADDING_ID: Final = 0xD935

LOCAL = struct.Struct("<4s5H3L2H")
DESCRIPTOR = struct.Struct("<4s3L")
DESCRIPTOR_64 = struct.Struct("<4sL2Q")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
END_64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR_64 = struct.Struct("<4sLQL")

crc32 = deflate.crc32


# ---------------------------------------------------------------- the trailer

# numbers without leading zeros: each trailer has one spelling only
_TRAILER = re.compile(
    rb"(nbcache entry\nschema (0|[1-9]\d{0,5})\nkey ([0-9a-f]{32,64})\n"
    rb"length (0|[1-9]\d{0,18})\nmanifest (0|[1-9]\d{0,18}) (0|[1-9]\d{0,18})\n"
    rb"directory (0|[1-9]\d{0,18})\ndigest ([0-9a-f]{64})\nmac ([0-9a-f]{64})\n)"
    rb"check ([0-9a-f]{8})\n *\n"
)
_NOBODY = b"0" * 64


@dataclass(frozen=True)
class Trailer:
    """What the last 512 bytes of an entry say of the rest.

    Parameters
    ----------
    schema : int
        Number of the format.
    key : str
        Key of the entry, 32 to 64 lower-case hexadecimal digits.
    length : int
        Bytes before the trailer.
    manifest, manifest_bytes : int
        Where the manifest's JSON starts in the file, and its length.
    directory : int
        Where the zip's central directory starts.
    digest : str
        BLAKE3 of all bytes before the trailer, 64 hexadecimal digits.
    mac : str
        Who wrote it, 64 hexadecimal digits; ``""``: nobody, written as zeros.
    """

    schema: int
    key: str
    length: int
    manifest: int
    manifest_bytes: int
    directory: int
    digest: str
    mac: str

    def to_bytes(self) -> bytes:
        """Give the 512 ASCII bytes; a zip signature cannot occur in them.

        Raises
        ------
        ValueError
            If a field does not have the form that `from_bytes` accepts.
        """
        text = (
            f"nbcache entry\nschema {self.schema}\nkey {self.key}\n"
            f"length {self.length}\nmanifest {self.manifest} {self.manifest_bytes}\n"
            f"directory {self.directory}\ndigest {self.digest}\n"
            f"mac {self.mac or '0' * 64}\n"
        ).encode()
        # the digest does not cover the trailer, so a flip in the key would pass
        text += b"check %08x\n" % crc32(text)
        data = text.ljust(TRAILER_BYTES - 1) + b"\n"
        if not _TRAILER.fullmatch(data) or len(data) != TRAILER_BYTES:
            raise ValueError(f"not the fields of a trailer: {self}")
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Trailer:
        """Read a trailer.

        Raises
        ------
        DamagedEntry
            If `data` is not byte for byte what `to_bytes` gives.
        """
        match = _TRAILER.fullmatch(data)
        if match is None or len(data) != TRAILER_BYTES:
            raise DamagedEntry("not an entry of nbcache: no trailer at its end")
        text, schema, key, length, place, size, directory, digest, mac, check = (
            match.groups()
        )
        if b"%08x" % crc32(text) != check:
            raise DamagedEntry("the entry's trailer was altered")
        return cls(
            int(schema),
            key.decode(),
            int(length),
            int(place),
            int(size),
            int(directory),
            digest.decode(),
            "" if mac == _NOBODY else mac.decode(),
        )


# ---------------------------------------------------------------- zip records


class Member(NamedTuple):
    """One member of the zip, its name without ``.npy``; sizes in bytes.

    A tuple, as one is made for each member on each hit.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int


def wide(size: int) -> bool:
    """Say whether a member of `size` bytes needs 64-bit sizes.

    Its packed size is not known yet, and DEFLATE may add a little.
    """
    return size + (size >> 10) + 1024 >= LIMIT_32


def local_record(
    name: bytes, method: int, offset: int, header: int, size: int
) -> bytes:
    """Give the local record of a member that starts at `offset`.

    Sizes and CRC are zero: they are known after the data only.  A stored member is
    padded so that its data, after an npy header of `header` bytes, is aligned.
    """
    extra = struct.pack("<2H2Q", 1, 16, 0, 0) if wide(size) else b""
    if method == STORED:
        start = offset + LOCAL.size + len(name) + len(extra) + header
        padding = -start % ALIGNMENT
        if 0 < padding < 4:
            padding += ALIGNMENT
        if padding:
            extra += struct.pack("<2H", PADDING_ID, padding - 4).ljust(padding, b"\0")
    version = 45 if wide(size) else 20
    lengths = len(name), len(extra)
    fixed = LOCAL.pack(
        b"PK\x03\x04", version, FLAGS, method, 0, DATE, 0, 0, 0, *lengths
    )
    return fixed + name + extra


def descriptor(member: Member) -> bytes:
    """Give the record that follows a member's data."""
    layout = DESCRIPTOR_64 if wide(member.size) else DESCRIPTOR
    return layout.pack(b"PK\x07\x08", member.crc, member.packed, member.size)


def central_records(members: list[Member], start: int) -> bytes:
    """Give the central directory at offset `start`, up to the archive comment."""
    records = b"".join(map(_central_record, members))
    count, size = len(members), len(records)
    tail = b""
    if count >= LARGEST_16 or start >= LIMIT_32 or size >= LIMIT_32:
        tail = END_64.pack(
            b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start
        ) + LOCATOR_64.pack(b"PK\x06\x07", 0, start + size, 1)
        count = LARGEST_16
        size, start = min(size, MARK_32), MARK_32
    end = END.pack(b"PK\x05\x06", 0, 0, count, count, size, start, TRAILER_BYTES)
    return records + tail + end


def _central_record(member: Member) -> bytes:
    name = member.name.encode() + b".npy"
    values = (member.size, member.packed, member.offset)
    extended = [value for value in values if value >= LIMIT_32]
    extra = b""
    if extended:
        extra = struct.pack(f"<2H{len(extended)}Q", 1, 8 * len(extended), *extended)
    size, packed, offset = (MARK_32 if value >= LIMIT_32 else value for value in values)
    return (
        CENTRAL.pack(
            b"PK\x01\x02",
            3 << 8 | 45,
            45 if extra or wide(member.size) else 20,
            FLAGS,
            member.method,
            0,
            DATE,
            member.crc,
            packed,
            size,
            len(name),
            len(extra),
            0,
            0,
            0,
            0o600 << 16,
            offset,
        )
        + name
        + extra
    )


def parse_directory(data: bytes, start: int) -> dict[str, tuple[Member, int]]:
    """Read the central directory, which lies at offset `start`, with all that follows.

    Returns
    -------
    dict of str to (Member, int)
        By name, in the order of the file, each with the offset of the next record.

    Raises
    ------
    DamagedEntry
        If it cannot be read, names a member twice, or its members overlap.
    """
    try:
        members, end = _members(data)
    except (struct.error, ValueError, StopIteration) as error:
        raise DamagedEntry("the entry's directory cannot be read") from error
    if len(data) - end not in _ENDINGS:
        raise DamagedEntry("the entry's directory does not end where it should")
    known = {}
    limit = start
    for member in reversed(members):
        size = LOCAL.size + len(member.name) + member.packed
        if member.offset + size > limit:
            raise DamagedEntry(f"member {member.name!r} overlaps what follows it")
        known[member.name] = member, limit
        limit = member.offset
    if len(known) != len(members):
        raise DamagedEntry("the entry names a member twice")
    return dict(reversed(known.items()))


_ENDINGS = (END.size, END_64.size + LOCATOR_64.size + END.size)


def _members(data: bytes) -> tuple[list[Member], int]:
    members = []
    position = 0
    while data[position : position + 4] == b"PK\x01\x02":
        (_, _, _, _, method, _, _, crc, packed, size, names, extras, comments) = (
            record := CENTRAL.unpack_from(data, position)
        )[:13]
        offset = record[16]
        extra = position + CENTRAL.size + names
        name = data[extra - names : extra].decode()
        position = extra + extras + comments
        if extras:
            wides = iter(struct.unpack_from(f"<{(extras - 4) // 8}Q", data, extra + 4))
            size = next(wides) if size == MARK_32 else size
            packed = next(wides) if packed == MARK_32 else packed
            offset = next(wides) if offset == MARK_32 else offset
        if method not in (STORED, DEFLATED) or not name.endswith(".npy"):
            raise ValueError(f"member {name!r} has method {method}")
        members.append(Member(name[:-4], method, crc, packed, size, offset))
    return members, position


def data_offset(member: Member, local: bytes) -> int:
    """Give where a member's data starts, from the bytes of its local record.

    Raises
    ------
    DamagedEntry
        If the local record is not that of this member.
    """
    if len(local) < LOCAL.size:
        raise DamagedEntry(f"member {member.name!r} is cut")
    record = LOCAL.unpack_from(local)
    end = LOCAL.size + record[9]
    if (
        record[0] != b"PK\x03\x04"
        or record[3] != member.method
        or local[LOCAL.size : end] != member.name.encode() + b".npy"
    ):
        raise DamagedEntry(f"member {member.name!r} is not where it should be")
    return int(member.offset + end + record[10])


def check_structure(trailer: Trailer, size: int, tail: bytes) -> None:
    """Compare what trailer and end record of a file of `size` bytes say of it.

    Raises
    ------
    DamagedEntry
        They do not agree.
    """
    end = END.unpack_from(tail, len(tail) - TRAILER_BYTES - END.size)
    if (
        trailer.length != size - TRAILER_BYTES
        or end[0] != b"PK\x05\x06"
        or end[7] != TRAILER_BYTES
        or end[6] not in (trailer.directory, MARK_32)
        or trailer.directory + END.size > trailer.length
        or trailer.manifest + trailer.manifest_bytes > trailer.directory
    ):
        raise DamagedEntry("the entry is not as long as it says")
