"""Long sequences of plain items as arrays, so that trees stay small."""

from __future__ import annotations

import struct
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from nbcache.storage.codec_dtypes import layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbcache.storage.codec_decode import Decoder
    from nbcache.storage.codec_encode import Encoder

__all__ = ["SHORTEST", "count", "object_array", "packed", "unpacked"]

# shorter ones stand in the tree, item by item
SHORTEST = 32

_SCALARS = (
    *(np.bool_, np.int8, np.int16, np.int32, np.int64),
    *(np.uint8, np.uint16, np.uint32, np.uint64),
    *(np.float16, np.float32, np.float64, np.complex64, np.complex128),
)
# characters that text rarely holds; splitting at one is three times faster than slicing
_SEPARATORS = "\0\x1f\x1e\n"
_ANY_TEXT = ("utf-8", "surrogatepass")
_NAN = struct.pack("<d", np.nan)

# ---------------------------------------------------------------- writing


def packed(encoder: Encoder, values: Any) -> dict[str, Any] | None:
    """Give items of one plain type, or text with gaps, as arrays; None for others."""
    if len(values) < SHORTEST:
        return None
    kinds = set(map(type, values))
    if str in kinds:
        return _packed_text(encoder, values, kinds)
    if len(kinds) > 1:
        return None
    kind = kinds.pop()
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


def _packed_text(
    encoder: Encoder, values: Any, kinds: set[type]
) -> dict[str, Any] | None:
    """Give text with gaps: each text once if most repeat, else all of them joined."""
    gaps = sorted(filter(None, map(_gap_name, kinds - {str})))
    if len(gaps) < len(kinds) - 1:
        return None
    different = dict.fromkeys(values)
    if any(type(v) is float and struct.pack("<d", v) != _NAN for v in different):
        return None
    repeated = 2 * len(different) <= len(values)
    if not gaps and not repeated:
        return _joined(encoder, values)
    texts = [value for value in different if type(value) is str]
    codes = {
        value: -1 - gaps.index(type(value).__name__)
        for value in different
        if type(value) is not str
    }
    if repeated:
        codes.update(zip(texts, range(len(texts)), strict=True))
        places = np.fromiter(map(codes.__getitem__, values), np.int32, len(values))
    else:
        texts = [value if type(value) is str else "" for value in values]
        places = np.fromiter((codes.get(v, 0) for v in values), np.int8, len(values))
    inside = _joined(encoder, texts) if len(texts) >= SHORTEST else None
    nodes = inside or [encoder.node(text) for text in texts]
    return {"codes" if repeated else "gaps": [gaps, nodes, encoder.blob(places)]}


def _gap_name(kind: type) -> str | None:
    """Give the name of a class whose one value says that there is none."""
    standard = kind in (float, type(None)) or (
        kind.__module__.startswith("pandas.") and kind.__name__ in ("NAType", "NaTType")
    )
    return kind.__name__ if standard else None


def _joined(encoder: Encoder, values: Any) -> dict[str, Any]:
    for separator in _SEPARATORS:
        text = separator.join(values)
        if text.count(separator) == len(values) - 1:
            return {"split": [_blob(encoder, text), separator, len(values)]}
    # offsets count characters: the text is decoded as a whole
    offsets = np.fromiter(accumulate(map(len, values), initial=0), np.int64)
    return {"str": [_blob(encoder, "".join(values)), encoder.blob(offsets)]}


def _blob(encoder: Encoder, text: str) -> Any:
    return encoder.blob(np.frombuffer(text.encode(*_ANY_TEXT), np.uint8))


# ---------------------------------------------------------------- reading


def count(decoder: Decoder, content: Any) -> int:
    """Give the number of items of a sequence, however they are stored."""
    if type(content) is list:
        return len(content)
    ((kind, blob),) = content.items()
    if kind == "split":
        if blob[2] > decoder.blob(blob[0]).nbytes + 1:
            raise ValueError("a sequence of texts is not as long as it says")
        return int(blob[2])
    if kind in ("str", "bytes", "ragged"):
        return len(decoder.blob(blob[1])) - 1
    if kind in ("codes", "gaps", "arrays"):
        return len(decoder.blob(blob[2]))
    return len(decoder.blob(blob[1] if kind == "stacks" else blob))


def unpacked(decoder: Decoder, content: Any) -> list[Any]:
    """Give the items of a sequence, however they are stored."""
    if type(content) is list:
        value = decoder.value
        return [value(node) for node in content]
    ((kind, blob),) = content.items()
    items = _READERS[kind](decoder, blob)
    return items if type(items) is list else items.tolist()


def object_array(decoder: Decoder, content: Any) -> Any:
    """Give the items of a sequence as an array of objects of one dimension."""
    if type(content) is dict and "codes" in content:
        return _coded(decoder, content["codes"])
    items = unpacked(decoder, content)
    array = np.empty(len(items), object)
    if type(content) is dict and {"stack", "stacks", "ragged", "arrays"}.isdisjoint(
        content
    ):
        array[:] = items
    else:
        # one by one: numpy would take sequences apart
        for i, item in enumerate(items):
            array[i] = item
    return array


def _split(decoder: Decoder, blob: Any) -> list[str]:
    data, separator, length = blob
    texts = decoder.blob(data).tobytes().decode(*_ANY_TEXT).split(separator)
    if len(texts) != length:
        raise ValueError("a sequence of texts is not as long as it says")
    return texts


def _cut(decoder: Decoder, blob: Any) -> list[str]:
    text = decoder.blob(blob[0]).tobytes().decode(*_ANY_TEXT)
    return [text[start:stop] for start, stop in pairwise(_offsets(decoder, blob[1]))]


def _cut_bytes(decoder: Decoder, blob: Any) -> list[bytes]:
    data, offsets = decoder.blob(blob[0]).tobytes(), _offsets(decoder, blob[1])
    return [data[start:stop] for start, stop in pairwise(offsets)]


def _offsets(decoder: Decoder, content: Any) -> list[int]:
    """Give where each item begins; items that overlap would take any memory."""
    offsets = decoder.blob(content)
    if not decoder.trusted and (np.diff(offsets.astype(np.int64)) < 0).any():
        raise ValueError("the items of a sequence overlap")
    return offsets.tolist()  # type: ignore[no-any-return]


def _ragged(decoder: Decoder, blob: Any) -> list[Any]:
    array, offsets = decoder.blob(blob[0]), decoder.blob(blob[1]).tolist()
    return [array[start:stop] for start, stop in pairwise(offsets)]


def _arrays(decoder: Decoder, blob: Any) -> list[Any]:
    table, codes, starts = blob
    layouts = [layout(spec, shape) for spec, shape in table]
    return [
        decoder.small(start, layouts[code])
        for code, start in zip(
            decoder.blob(codes).tolist(), decoder.blob(starts).tolist(), strict=True
        )
    ]


def _gap(name: str) -> Any:
    if name == "NoneType":
        return None
    if name == "float":
        return np.nan
    import pandas as pd

    return {"NAType": pd.NA, "NaTType": pd.NaT}[name]


def _coded(decoder: Decoder, blob: Any) -> Any:
    gaps, nodes, codes = blob
    texts = object_array(decoder, nodes)
    table = np.empty(len(texts) + len(gaps), object)
    table[: len(texts)] = texts
    # code -1 is the last place
    table[len(texts) :] = [_gap(name) for name in reversed(gaps)]
    return table.take(decoder.blob(codes))


def _with_gaps(decoder: Decoder, blob: Any) -> Any:
    gaps, nodes, codes = blob
    texts, places = object_array(decoder, nodes), decoder.blob(codes)
    for i, name in enumerate(gaps):
        texts[places == -1 - i] = _gap(name)
    return texts


def _stacks(decoder: Decoder, blob: Any) -> list[Any]:
    stacks, codes = blob
    # each array comes next in the stack of those alike
    rows = [iter(decoder.blob(stack)).__next__ for stack in stacks]
    items = [rows[code]() for code in decoder.blob(codes).tolist()]
    if len(items) != sum(len(decoder.blob(stack)) for stack in stacks):
        raise ValueError("a sequence of arrays is not as long as it says")
    return items


_READERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "split": _split,
    "str": _cut,
    "bytes": _cut_bytes,
    "ragged": _ragged,
    "codes": _coded,
    "gaps": _with_gaps,
    "arrays": _arrays,
    "stacks": _stacks,
    "stack": lambda decoder, blob: list(decoder.blob(blob)),
    "scalar": lambda decoder, blob: list(decoder.blob(blob)),
    **dict.fromkeys(("int", "float", "bool"), lambda decoder, blob: decoder.blob(blob)),
}
