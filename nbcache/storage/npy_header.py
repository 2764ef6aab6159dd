"""Headers of arrays in npy format, remembered: numpy's own takes 30 us to parse.

References
----------
NEP 1 (npy).
"""

from __future__ import annotations

import ast
import math
import re
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from nbcache.errors import DamagedEntry

__all__ = [
    "ALIGNMENT",
    "ArrayHeader",
    "array_header",
    "array_over",
    "header_length",
    "parse_header",
]

ALIGNMENT: Final = 64
# version 1 has 16 bits for the length
_LONGEST_1 = 0xFFFF
_PLAIN_HEADER = re.compile(
    rb"\{'descr': '([<>|=]?[a-zA-Z]\d*(?:\[\w+\])?)', 'fortran_order': (True|False), "
    rb"'shape': \(([\d, ]*)\), \} *\n"
)
_LARGEST_MEMORY = 4096
# fields by the ten thousand, and their names
_LONGEST = 1 << 20
_written: dict[tuple[np.dtype[Any], bool, tuple[int, ...]], bytes] = {}
_parsed: dict[bytes, ArrayHeader] = {}


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What an npy header says: ``nbytes`` of data of `dtype` in this shape."""

    dtype: np.dtype[Any]
    fortran: bool
    shape: tuple[int, ...]
    nbytes: int


def array_header(array: np.ndarray[Any, Any], fortran: bool) -> bytes:
    """Give the npy header of an array, remembered by dtype, order and shape."""
    # fields may differ in ways that comparing dtypes does not see
    known = (array.dtype, fortran, array.shape) if array.dtype.names is None else None
    header = _written.get(known) if known else None
    if header is None:
        header = _format_header(array.dtype, fortran, array.shape)
        if known:
            if len(_written) >= _LARGEST_MEMORY:
                _written.clear()
            _written[known] = header
    return header


def _format_header(
    dtype: np.dtype[Any], fortran: bool, shape: tuple[int, ...]
) -> bytes:
    descr = np.lib.format.dtype_to_descr(dtype)
    text = (
        f"{{'descr': {descr!r}, 'fortran_order': {fortran!r}, "
        f"'shape': {tuple(map(int, shape))!r}, }}"
    )
    try:
        body, version, size = text.encode("latin-1"), 1, "<H"
    except UnicodeEncodeError:
        body, version, size = text.encode(), 3, "<I"
    if version == 1 and len(body) > _LONGEST_1 - 2 * ALIGNMENT:
        version, size = 2, "<I"
    start = 8 + struct.calcsize(size)
    body += b" " * (-(start + len(body) + 1) % ALIGNMENT) + b"\n"
    magic = b"\x93NUMPY" + bytes((version, 0))
    return magic + struct.pack(size, len(body)) + body


def parse_header(data: bytes | memoryview) -> tuple[ArrayHeader, int]:
    """Read an npy header at the start of `data`; also give its length in bytes.

    Raises
    ------
    DamagedEntry
        If it is not one, or describes what cannot be mapped (objects).
    """
    if len(data) < 12 or bytes(data[:6]) != b"\x93NUMPY":
        raise DamagedEntry("a member of the entry is not an array")
    start, size = (10, "<H") if data[6] == 1 else (12, "<I")
    end = start + struct.unpack_from(size, data, 8)[0]
    if end > min(len(data), _LONGEST):
        raise DamagedEntry("an array's header is longer than its member, or any")
    raw = bytes(data[6:end])
    header = _parsed.get(raw)
    if header is None:
        header = _parse_text(raw[start - 6 :], raw[0])
        if len(_parsed) >= _LARGEST_MEMORY:
            _parsed.clear()
        if end <= _LARGEST_MEMORY:
            _parsed[raw] = header
    return header, end


def header_length(data: bytes | memoryview) -> int:
    """Give how long the npy header at the start of `data` says it is, in bytes."""
    if len(data) < 12:
        return len(data)
    start, size = (10, "<H") if data[6] == 1 else (12, "<I")
    return start + int(struct.unpack_from(size, data, 8)[0])


def _parse_text(text: bytes, version: int) -> ArrayHeader:
    try:
        match = _PLAIN_HEADER.fullmatch(text)
        if match:
            dtype = np.dtype(match[1].decode())
            fortran = match[2] == b"True"
            shape = tuple(int(n) for n in match[3].replace(b",", b" ").split())
        else:
            encoding = "utf-8" if version == 3 else "latin-1"
            fields = ast.literal_eval(text.decode(encoding))
            dtype = np.lib.format.descr_to_dtype(fields["descr"])
            fortran, shape = fields["fortran_order"], fields["shape"]
        sound = (
            not dtype.hasobject
            and isinstance(fortran, bool)
            and type(shape) is tuple
            and all(type(n) is int and n >= 0 for n in shape)
            and len(shape) <= 64
        )
    except Exception as error:  # whatever hostile text makes numpy or ast raise
        raise DamagedEntry("an array's header cannot be read") from error
    if not sound:
        raise DamagedEntry("an array's header describes no plain array")
    return ArrayHeader(dtype, fortran, shape, math.prod(shape) * dtype.itemsize)


def array_over(
    header: ArrayHeader, data: bytes | bytearray | memoryview, offset: int
) -> np.ndarray[Any, Any]:
    """Give the array of a header over its data, which begins at an offset."""
    if header.nbytes == 0:
        return np.empty(header.shape, header.dtype, "F" if header.fortran else "C")
    if header.fortran:
        return np.ndarray(header.shape, header.dtype, data, offset, order="F")
    return np.ndarray(header.shape, header.dtype, data, offset)
