"""Arrow's stream of bytes, as far as it must be known before Arrow reads it.

Streams of somebody else may hold compressed buffers, which unpack to any size, and
extension types, whose packages may unpickle what stands in the schema.  Neither is ever
written here; both are told by a look at the messages' heads.

References
----------
Arrow columnar format 1.5: encapsulated messages; ``Message.fbs``.  FlatBuffers
internals: tables and their vtables.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["check"]

_CONTINUED = 0xFFFFFFFF
_EXTENSION = b"ARROW:extension"
# Message.fbs: places of fields in their tables, and numbers of the kinds of heads
_HEAD_KIND, _HEAD, _BODY_BYTES = 1, 2, 3
_DICTIONARY, _BATCH = 2, 3
_DATA_OF_DICTIONARY, _COMPRESSION_OF_BATCH = 1, 3


def check(data: memoryview) -> None:
    """Refuse a stream that is compressed or has types of other packages.

    Parameters
    ----------
    data : memoryview of bytes
        A stream, or a schema alone.

    Raises
    ------
    ValueError
        It is one of these, or no stream at all.
    """
    data = data.cast("B")
    try:
        for start, stop in _heads(data):
            head = data[start:stop]
            if _EXTENSION in bytes(head):
                raise ValueError("Arrow data with types of other packages")
            if _is_compressed(head):
                raise ValueError("Arrow data that is compressed")
    except (struct.error, IndexError) as error:
        raise ValueError("not a stream of Arrow") from error


def _heads(data: memoryview) -> Iterator[tuple[int, int]]:
    """Give where the head of each message stands; bodies are passed over."""
    place = 0
    while place + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, place)
        place += 4
        if length == _CONTINUED:
            (length,) = struct.unpack_from("<I", data, place)
            place += 4
        if length == 0:
            return
        if length > len(data) - place:
            raise ValueError("a message of Arrow is cut")
        yield place, place + length
        place += length + _body_bytes(data[place : place + length])


def _body_bytes(head: memoryview) -> int:
    field = _field(head, _root(head), _BODY_BYTES)
    size = struct.unpack_from("<q", head, field)[0] if field else 0
    if size < 0:
        raise ValueError("a message of Arrow has a body of less than nothing")
    return int(size)


def _is_compressed(head: memoryview) -> bool:
    root = _root(head)
    place = _field(head, root, _HEAD_KIND)
    kind = head[place] if place else 0
    if kind not in (_DICTIONARY, _BATCH):
        return False
    batch = _table(head, root, _HEAD)
    if kind == _DICTIONARY:
        batch = _table(head, batch, _DATA_OF_DICTIONARY)
    return _field(head, batch, _COMPRESSION_OF_BATCH) != 0


# --- flatbuffers


def _root(head: memoryview) -> int:
    return int(struct.unpack_from("<I", head, 0)[0])


def _field(head: memoryview, table: int, number: int) -> int:
    """Give where a field of a table stands; 0 if it is left out."""
    (back,) = struct.unpack_from("<i", head, table)
    vtable = table - back
    if vtable < 0:
        raise ValueError("a message of Arrow is none")
    (size,) = struct.unpack_from("<H", head, vtable)
    slot = 4 + 2 * number
    if slot + 2 > size:
        return 0
    (offset,) = struct.unpack_from("<H", head, vtable + slot)
    return table + int(offset) if offset else 0


def _table(head: memoryview, table: int, number: int) -> int:
    place = _field(head, table, number)
    if not place:
        raise ValueError("a message of Arrow lacks its head")
    return place + int(struct.unpack_from("<I", head, place)[0])
