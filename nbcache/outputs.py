r"""What a cell displayed, as data: streams, displays, results, and how they are kept.

A recording is a list of events in the order in which they happened.  `coalesce` turns
it into what a front end shows in the end: chunks of a stream are joined, ``\r`` and
``\b`` are resolved, updates and `clear_output` are applied.  Replaying the shorter
list shows the same as the cell itself did.

No IPython here: the stored form of outputs can be read without a kernel.
"""

from __future__ import annotations

import base64
import datetime
import json
import numbers
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

__all__ = [
    "MAX_BYTES",
    "Clear",
    "Display",
    "Output",
    "Result",
    "Stream",
    "coalesce",
    "from_json",
    "resolve_text",
    "to_json",
]

MAX_BYTES = 10_000_000
"""What the outputs of one cell may take up, in bytes; more is left out with a note."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Text written to ``stdout`` or ``stderr``."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Display:
    """A displayed MIME bundle, or with `update` a new one for an earlier display.

    Parameters
    ----------
    data, metadata : mapping
        By MIME type, as `display_pub.publish` takes them.
    transient : mapping
        Holds ``display_id`` if the display can be updated.
    update : bool
        Whether displays of that id change and nothing new is shown.
    """

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    transient: Mapping[str, Any] = field(default_factory=dict)
    update: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """The MIME bundle of a value shown as ``Out[n]``."""

    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clear:
    """The outputs so far were cleared, with `wait` only when the next one comes."""

    wait: bool = False


Output: TypeAlias = Stream | Display | Result | Clear


# ------------------------------------------------------------------- resolving text


def resolve_text(text: str) -> str:
    r"""Give the text that a front end shows for one with ``\r`` and ``\b``.

    Parameters
    ----------
    text : str
        Everything that was written to one stream.

    Returns
    -------
    str
        The lines as they are shown.  If more text would overwrite the last line, a
        ``\r`` and the part before the cursor follow, so that what is written after
        a replay lands where it would have.

    References
    ----------
    Jupyter's front ends show a ``\r`` as a return to the start of the line, where new
    text overwrites the old one, and a ``\b`` as the removal of the character before:
    ``packages/outputarea/src/model.ts`` and ``packages/rendermime`` of JupyterLab.
    """
    if "\r" not in text and "\b" not in text:
        return text
    ends = ("\n", "\r\n")  # as a pseudo-terminal ends lines
    *lines, last = text.split("\n")
    ended = [shown + ends[back] for shown, _, back in map(_resolve_line, lines)]
    line, cursor, back = _resolve_line(last)
    line += "\r" + line[:cursor] if cursor < len(line) or back else ""
    return "".join([*ended, line])


def _resolve_line(line: str) -> tuple[str, int, bool]:
    r"""Give the line as shown, the cursor's place, and if a ``\r`` put it there."""
    if "\r" not in line and "\b" not in line:
        return line, len(line), False
    shown: list[str] = []  # a progress bar may rewrite its line a million times
    cursor = 0
    for piece in re.split(r"([\r\b])", line):
        if piece == "\r":
            cursor = 0
        elif piece == "\b":
            cursor = max(cursor - 1, 0)
            del shown[cursor : cursor + 1]
        else:
            shown[cursor : cursor + len(piece)] = piece
            cursor += len(piece)
    returned = not cursor and (bool(shown) or line.endswith("\r"))
    return "".join(shown), cursor, returned


# ----------------------------------------------------------------------- coalescing


class _Text:
    """Chunks of one stream that nothing separates."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.chunks: list[str] = []

    def stream(self) -> Stream:
        return Stream(self.name, resolve_text("".join(self.chunks)))


class _Page:
    """The output area of a cell, as events fill it."""

    def __init__(self) -> None:
        self.items: list[_Text | Display | Result] = []
        self.cleared: Clear | None = None
        self.pending: Clear | None = None

    def add(self, event: Output) -> None:
        if isinstance(event, Clear):
            self.pending = event
            if not event.wait:
                self.clear()
        elif isinstance(event, Display) and event.update:
            self.update(event)
        else:
            # only what adds to the page carries out a clear that waits
            if self.pending is not None:
                self.clear()
            if isinstance(event, Stream):
                self.write(event)
            else:
                self.items.append(event)

    def clear(self) -> None:
        self.items.clear()
        self.cleared, self.pending = self.pending, None

    def write(self, event: Stream) -> None:
        last = self.items[-1] if self.items else None
        if not isinstance(last, _Text) or last.name != event.name:
            last = _Text(event.name)
            self.items.append(last)
        last.chunks.append(event.text)

    def update(self, event: Display) -> None:
        """Change the displays of that id; keep the update if an earlier cell has it."""
        identity = event.transient.get("display_id")
        found = False
        for place, item in enumerate(self.items):
            if isinstance(item, Display) and identity == item.transient.get(
                "display_id"
            ):
                new = replace(item, data=event.data, metadata=event.metadata)
                self.items[place], found = new, True
        if not found:
            self.items.append(event)

    def outputs(self) -> list[Output]:
        items: list[Output | _Text | None] = [self.cleared, *self.items, self.pending]
        shown = (one.stream() if isinstance(one, _Text) else one for one in items)
        return [one for one in shown if one is not None]


def coalesce(
    events: Iterable[Output], *, max_bytes: int = MAX_BYTES
) -> tuple[Output, ...]:
    """Give the shortest outputs that show what the events showed.

    Parameters
    ----------
    events : iterable of Output
        In the order in which they happened.
    max_bytes : int
        Size from which text is cut and rich data replaced by a note, in bytes.

    Returns
    -------
    tuple of Output
        A `Clear` comes first if the cell cleared its outputs, since an enclosing cell
        may have shown something before; one that still waits comes last.  Coalescing
        outputs together with later events gives the same as all events would.
    """
    page = _Page()
    for event in events:
        page.add(event)
    return _capped(page.outputs(), max_bytes)


def _capped(outputs: list[Output], max_bytes: int) -> tuple[Output, ...]:
    kept: list[Output] = []
    room, is_cut = max_bytes, False
    for output in outputs:
        size = _size(output)
        if isinstance(output, Display | Result):
            fits = size <= room
            kept.append(output if fits else _without_data(output, size))
            room -= size if fits else 0
        elif size <= room and not is_cut:
            kept.append(output)
            room -= size
        elif isinstance(output, Stream) and not is_cut:
            kept.append(_cut(output, room, max_bytes))
            # all text ends here: with a hole it would look complete
            is_cut, room = True, 0
    return tuple(kept)


def _cut(stream: Stream, room: int, max_bytes: int) -> Stream:
    text = _encode(stream.text)[:room].decode(errors="ignore")
    size = f"{max_bytes / 1e6:g} MB"
    return replace(
        stream, text=f"{text}\n[nbcache: text of more than {size} is not kept]\n"
    )


def _without_data(shown: Display | Result, size: int) -> Display | Result:
    note = f"[nbcache: {size / 1e6:.1f} MB of rich output are not kept]"
    return replace(shown, data={"text/plain": note}, metadata={})


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _size(output: Output) -> int:
    """Bytes that the output takes up, about."""
    if isinstance(output, Stream):
        return len(output.text) if output.text.isascii() else len(_encode(output.text))
    if isinstance(output, Clear):
        return 0
    values = [*output.data.values(), output.metadata]
    return sum(
        len(value if isinstance(value, str | bytes) else json.dumps(_plain(value)))
        for value in values
    )


# ------------------------------------------------------------------------------ JSON


def to_json(outputs: Iterable[Output]) -> list[dict[str, Any]]:
    """Give the outputs as lists, dicts and strings that `json.dumps` takes.

    Parameters
    ----------
    outputs : iterable of Output
        As `coalesce` gives them.

    Returns
    -------
    list of dict
        One for each output; ``type`` says which it is.  Bytes are marked as
        ``{"base64": text}`` and other values than text as ``{"json": value}``.
    """
    return [_output_to_json(output) for output in outputs]


def _output_to_json(output: Output) -> dict[str, Any]:
    if isinstance(output, Stream):
        return {"type": "stream", "name": output.name, "text": output.text}
    if isinstance(output, Clear):
        return {"type": "clear", "wait": output.wait}
    data = {str(mime): _pack(value) for mime, value in output.data.items()}
    bundle = {"data": data, "metadata": _plain(output.metadata)}
    if isinstance(output, Result):
        return {"type": "result", **bundle}
    kind = "update" if output.update else "display"
    return {"type": kind, **bundle, "transient": _plain(output.transient)}


def _pack(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return {"json": _plain(value)}


def _plain(value: Any) -> Any:
    """Give the value in JSON's own types, as jupyter_client sends it."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    # no message to a front end could hold it either
    return str(value)


def from_json(stored: Any) -> tuple[Output, ...]:
    """Give the outputs that `to_json` was given.

    Parameters
    ----------
    stored : list of dict
        What `to_json` gave, possibly read from a damaged or foreign file.

    Returns
    -------
    tuple of Output
        The outputs.

    Raises
    ------
    ValueError
        If it is not what `to_json` gives.
    """
    outputs = []
    for place, item in enumerate(_of_type(stored, list)):
        try:
            outputs.append(_output_from_json(_of_type(item, dict)))
        except (ValueError, KeyError) as error:
            raise ValueError(f"output {place} is malformed: {error!r}") from error
    return tuple(outputs)


def _output_from_json(item: dict[str, Any]) -> Output:
    kind = item["type"]
    if kind == "stream" and item["name"] in ("stdout", "stderr"):
        return Stream(item["name"], _of_type(item["text"], str))
    if kind == "clear":
        return Clear(_of_type(item["wait"], bool))
    if kind not in ("result", "display", "update"):
        raise ValueError(f"no output is {item!r:.80}")
    packed = _of_type(item["data"], dict)
    data = {mime: _unpack(value) for mime, value in packed.items()}
    metadata = _of_type(item["metadata"], dict)
    if kind == "result":
        return Result(data, metadata)
    transient = _of_type(item["transient"], dict)
    return Display(data, metadata, transient, update=kind == "update")


def _unpack(packed: Any) -> Any:
    if isinstance(packed, str):
        return packed
    kinds = list(_of_type(packed, dict))
    if kinds == ["json"]:
        return packed["json"]
    if kinds != ["base64"]:
        raise ValueError(f"a MIME value is marked {kinds!r:.80}")
    # b64decode says what is wrong by a ValueError
    return base64.b64decode(_of_type(packed["base64"], str), validate=True)


def _of_type(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{value!r:.80} is not of type {kind.__name__}")
    return value
