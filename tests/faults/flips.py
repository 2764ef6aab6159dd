"""Campaigns that damage the file of an entry in every way, and read it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.campaign import count, swept
from faults.forked import forked
from faults.kills import warm
from faults.subject import Subject, is_right, told
from faults.tally import Tally

from nbcache import NotCached

__all__ = ["damages", "everything"]

MEMORY = 4 << 30
CHUNK = 2_000


def damages(
    data: bytes, kinds: tuple[str, ...], most: int
) -> Iterator[tuple[str, bytes]]:
    """Give damaged copies of a file, each with what was done to it."""
    random_ = random.Random(3)
    if "bits" in kinds:
        places = range(8 * len(data))
        if most and len(places) > most:
            places = random_.sample(places, most)
        for place in places:
            changed = bytearray(data)
            changed[place // 8] ^= 1 << place % 8
            yield f"bit {place}", bytes(changed)
    if "cuts" in kinds:
        cuts = range(len(data))
        if most and len(cuts) > most:
            cuts = random_.sample(cuts, most)
        for cut in cuts:
            yield f"cut at {cut}", data[:cut]
    if "blocks" in kinds:
        yield from _blocks(data, random_)


def _blocks(data: bytes, random_: random.Random) -> Iterator[tuple[str, bytes]]:
    for size in (1, 16, 512, 4096):
        yield f"{size} zeros added", data + b"\0" * size
        yield f"{size} bytes added", data + os.urandom(size)
        yield f"{size} zeros before", b"\0" * size + data
    for _ in range(100):
        start, size = random_.randrange(len(data)), random_.randrange(1, 600)
        zeros = b"\0" * len(data[start : start + size])
        yield f"zeros at {start}", data[:start] + zeros + data[start + size :]
        source = random_.randrange(len(data))
        block = data[source : source + size]
        moved = data[:start] + block + data[start + len(block) :]
        yield f"{source} over {start}", moved
        yield f"{start} cut out", data[:start] + data[start + size :]
    yield "all zeros", b"\0" * len(data)
    yield "noise", os.urandom(len(data))
    yield "twice", data + data


def everything(
    folder: Path,
    *,
    kind: str = "small",
    kinds: tuple[str, ...] = ("bits", "cuts", "blocks"),
    most: int = 0,
    **options: Any,
) -> Tally:
    """Damage an entry, and ask for what it holds: nothing, or the right value."""
    tally = Tally()
    warm(folder, kind, **options)
    user = Subject(folder / "damaged", kind, **options)
    user.call(1)
    (path,) = (user.store / "entries").rglob("*.npz")
    data = path.read_bytes()
    faults = [one for one in damages(data, tuple(kinds), most) if one[1] != data]
    for start in range(0, len(faults), CHUNK):
        part = faults[start : start + CHUNK]
        done = 0

        def work(say: Any, part: Any = part) -> None:
            reader = Subject(folder / "damaged", kind, **options)
            for name, damaged in part:
                # a file of its own each time, as an inode has been verified once
                path.unlink(missing_ok=True)
                path.write_bytes(damaged)
                say([*_read(reader), name])
            path.unlink(missing_ok=True)
            path.write_bytes(data)
            _healed(reader, path, part[0][1], say)

        ended = forked(work, timeout_s=600, memory=MEMORY)
        for what, text, name in ended.said:
            done += name != "healing"
            if what != "good":
                tally.note(what, f"{text} after {name} of {kind}")
        tally.injected += done
        count(tally, ended, f"{part[done][0] if done < len(part) else 'all'} of {kind}")
    for name in swept(user.store):
        tally.note("litter", name)
    return tally


def _read(reader: Subject) -> list[str]:
    """Ask without computing; say what came."""
    try:
        value = reader.call.peek(1)
    except NotCached:
        return ["good", ""]
    except Exception as error:
        return ["raised", repr(error)[:200]]
    return (
        ["good", ""] if is_right(reader.kind, 1, value) else ["wrong", repr(value)[:80]]
    )


def _healed(reader: Subject, path: Path, damaged: bytes, say: Any) -> None:
    """Let a damaged entry be called: computed again, set aside, a hit from then on."""
    path.unlink(missing_ok=True)
    path.write_bytes(damaged)
    before = reader.computed()[1]
    if not (reader.is_right(1) and reader.is_right(1)):
        say(["wrong", "value", "healing"])
    if reader.computed()[1] != before + 1:
        say(["extra", f"{reader.computed()[1] - before} computations", "healing"])
    if told.file < 0:
        say(["raised", "nothing was counted", "healing"])
