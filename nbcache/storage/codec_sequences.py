"""Long sequences of plain items as arrays, so that trees stay small."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["count", "packed", "unpacked"]

SHORTEST = 32

_SCALARS = (
    np.bool_,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.uint16,
    np.uint32,
    np.uint64,
    np.float16,
    np.float32,
    np.float64,
    np.complex64,
    np.complex128,
)


def packed(encoder: Encoder, values: Any) -> dict[str, Any] | None:
    """Give items that all are of one plain type as arrays; None if they are not."""
    if len(values) < SHORTEST:
        return None
    kinds = set(map(type, values))
    if len(kinds) > 1:
        return None
    kind = kinds.pop()
    if kind is str:
        text, offsets = joined(values)
        return {"str": [encoder.blob(text), encoder.blob(offsets)]}
    if kind is bytes:
        offsets = np.fromiter(accumulate(map(len, values), initial=0), np.int64)
        data = np.frombuffer(b"".join(values), np.uint8)
        return {"bytes": [encoder.blob(data), encoder.blob(offsets)]}
    if kind is int:
        try:
            return {"int": encoder.blob(np.array(values, np.int64))}
        except OverflowError:
            return None
    if kind in (float, bool):
        return {kind.__name__: encoder.blob(np.array(values, kind))}
    if kind in _SCALARS:
        return {"scalar": encoder.blob(np.array(values, kind))}
    return None


def joined(values: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Give strings as UTF-8 of all in one, and the offsets of each, in characters."""
    data = "".join(values).encode("utf-8", "surrogatepass")
    offsets = np.fromiter(accumulate(map(len, values), initial=0), np.int64)
    return np.frombuffer(data, np.uint8), offsets


def split(data: np.ndarray[Any, Any], offsets: np.ndarray[Any, Any]) -> list[str]:
    """Give the strings back."""
    text = data.tobytes().decode("utf-8", "surrogatepass")
    return [text[start:stop] for start, stop in pairwise(offsets.tolist())]


def count(decoder: Decoder, content: Any) -> int:
    """Give the number of items of a sequence, however they are stored."""
    if type(content) is list:
        return len(content)
    ((kind, blob),) = content.items()
    if kind in ("str", "bytes", "ragged"):
        return len(decoder.blob(blob[1])) - 1
    return len(decoder.blob(blob))


def unpacked(decoder: Decoder, content: Any) -> list[Any]:
    """Give the items of a sequence, however they are stored."""
    if type(content) is list:
        value = decoder.value
        return [value(node) for node in content]
    ((kind, blob),) = content.items()
    if kind == "str":
        return split(decoder.blob(blob[0]), decoder.blob(blob[1]))
    if kind == "bytes":
        data = decoder.blob(blob[0]).tobytes()
        offsets = decoder.blob(blob[1]).tolist()
        return [data[start:stop] for start, stop in pairwise(offsets)]
    if kind == "ragged":
        array, offsets = decoder.blob(blob[0]), decoder.blob(blob[1]).tolist()
        return [array[start:stop] for start, stop in pairwise(offsets)]
    if kind in ("stack", "scalar"):
        return list(decoder.blob(blob))
    if kind in ("int", "float", "bool"):
        return list(decoder.blob(blob).tolist())
    raise ValueError(f"no sequence of {kind}")
