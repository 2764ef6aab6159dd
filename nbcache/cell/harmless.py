"""What an entry of somebody else may show and bind in a notebook.

HTML and JavaScript that are replayed count as what the user did, and run with the
rights of their server.  From an entry that this user did not sign only text and two
kinds of pictures are shown; the rest becomes its ``text/plain``.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

from nbcache import outputs
from nbcache.errors import UntrustedEntry
from nbcache.keys.flow import Flow
from nbcache.outputs import Clear, Display, Output, Result, Stream
from nbcache.storage.opened import Opened

__all__ = ["harmless", "require_own_names", "shown_of"]

_PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
# control characters and sequences of terminals, but for colours and ends of lines
_CONTROL = re.compile(
    r"\x1b(?!\[[0-9;]{0,32}m)|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]"
)


def shown_of(opened: Opened) -> tuple[Output, ...]:
    """Give the outputs of an entry as far as they may be shown.

    Raises
    ------
    ValueError
        They are not what any entry holds.
    """
    found = outputs.from_json(opened.outputs or [])
    return found if opened.is_mine else harmless(found)


def harmless(found: Iterable[Output]) -> tuple[Output, ...]:
    """Give outputs as text and pictures only, each by itself.

    Updates of displays are left out: they could change what other cells show.
    """
    return tuple(
        _harmless(one)
        for one in found
        if not (isinstance(one, Display) and one.update) and not isinstance(one, Clear)
    )


def _harmless(output: Output) -> Output:
    if isinstance(output, Stream):
        return Stream(output.name, _text(output.text))
    assert not isinstance(output, Clear)
    data = _bundle(output.data)
    return Result(data) if isinstance(output, Result) else Display(data)


def _bundle(data: Mapping[str, Any]) -> dict[str, Any]:
    """Give what of a bundle may be shown, and its text in any case."""
    plain = data.get("text/plain")
    left_out = ", ".join(sorted(str(mime)[:80] for mime in data if mime not in _KEPT))
    note = f"[nbcache: {left_out or 'an output'} is not shown: you did not sign it]"
    found = {"text/plain": _text(plain if isinstance(plain, str) else note)}
    for mime, signature in _PICTURES.items():
        if _is_picture(data.get(mime), signature):
            found[mime] = data[mime]
    return found


_KEPT = ("text/plain", *_PICTURES)


def _is_picture(value: Any, signature: bytes) -> bool:
    """Say whether it is a picture, and as text nothing but base64: it becomes a URL."""
    if isinstance(value, str):
        try:
            value = base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            return False
    return isinstance(value, bytes) and value.startswith(signature)


def _text(text: str) -> str:
    return _CONTROL.sub("�", text)


def require_own_names(
    values: Mapping[str, Any], state: Mapping[str, Any], flow: Flow
) -> None:
    """Refuse names that the code of the cell itself does not bind or delete.

    Raises
    ------
    UntrustedEntry
        There is one.
    """
    bound = {name for name in values if not name.startswith("<")}
    more = sorted(
        (bound - (flow.stores | flow.late))
        | (set(state.get("deleted", ())) - flow.deletes)
    )
    if more:
        raise UntrustedEntry(
            f"the entry, which you did not sign, binds or deletes {more[0]!r}, which "
            "the cell does not"
        )
