"""``nbcache trust``: look at entries that somebody else wrote, and sign them.

Nothing is decoded: what is shown stands in the manifests, as whoever wrote them says.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blake3 import blake3

from nbcache import info
from nbcache.errors import DamagedEntry, NbcacheError
from nbcache.storage import foreign, npz
from nbcache.storage.entry import Entry
from nbcache.storage.folder import Folder, key_of
from nbcache.storage.foreign_entry import document_of
from nbcache.storage.plain_files import beside, open_plain
from nbcache.storage.traces import Traces
from nbcache.storage.trust import signer

__all__ = ["Found", "examined", "signed"]

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """An entry's file, and what it says of itself.

    Parameters
    ----------
    path : Path
        The file.
    entry : Entry, optional
        None if it is refused.
    refused : str
        Why it cannot be signed; '' if it can.
    is_mine : bool
        Whether it has this user's signature already.
    digest : str
        Of the bytes that were looked at, which are those that will be signed.
    holds : tuple of str
        What it could do besides giving data.
    """

    path: Path
    entry: Entry | None = None
    refused: str = ""
    is_mine: bool = False
    digest: str = ""
    holds: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Tell what would be agreed to."""
        if self.entry is None:
            return info.printable(f"{self.path}: refused: {self.refused}")
        one = self.entry
        rows = [
            f"{one.name}  ({one.kind})",
            f"  file      {self.path}, {info.bytes_text(one.bytes)}",
            f"  created   {info.when_text(one.created)}, as it says",
            f"  author    {one.author or 'unknown'}{', as it says' * bool(one.author)}",
        ]
        rows += [f"  holds     {name}: {kind}" for name, kind, _ in one.variables]
        rows += [f"  can       {one}" for one in self.holds]
        if not self.holds:
            rows.append("  can       give data, text and pictures only")
        return "\n".join(map(info.printable, rows))


def examined(path: Path) -> list[Found]:
    """Look at an entry's file, or at all entries in a folder.

    Parameters
    ----------
    path : Path
        A file, the folder of a store, or a folder with files of entries.

    Raises
    ------
    OSError
        It is not there.
    """
    if stat.S_ISDIR(os.lstat(path).st_mode):
        return [_examined(file) for file in sorted(_files(path))]
    return [_examined(path)]


def _files(folder: Path) -> Iterator[Path]:
    """Give what has the name of an entry, two folders deep; links are not followed."""
    inside = folder / "entries"
    base = inside if inside.is_dir() and not inside.is_symlink() else folder
    for root, folders, names in os.walk(base):
        if len(Path(root).relative_to(base).parts) >= 2:
            folders.clear()
        yield from (Path(root) / name for name in names if key_of(name))


def _examined(path: Path) -> Found:
    try:
        return _opened(path)
    except (OSError, NbcacheError, ValueError) as error:
        return Found(path, refused=str(error))


def _opened(path: Path) -> Found:
    key = key_of(path.name)
    if key is None:
        raise DamagedEntry("its name is not that of an entry")
    if path.is_symlink():
        raise DamagedEntry("it is a link: name the file itself")
    with npz.Archive.open(path) as archive:
        trailer = archive.trailer
        if trailer.key != key:
            raise DamagedEntry(f"it holds the entry of {trailer.key}, not of its name")
        archive.verify()
        document = document_of(archive, whole=True)
        entry = Entry.from_json(document, file=path.name, bytes=archive.size)
        if entry.key != key:
            raise DamagedEntry("its manifest is that of another entry")
        mine = signer().sign(key, trailer.length, trailer.digest) == trailer.mac
        holds = tuple(_abilities(entry, document))
        return Found(path, entry, "", mine, trailer.digest, holds)


def _abilities(entry: Entry, document: dict[str, Any]) -> Iterator[str]:
    """Say what an entry could do when it is a hit, besides giving data."""
    code = foreign.code_in(document.get("tree"))
    if entry.pickled:
        yield f"run code: pickled objects ({', '.join(entry.pickled)})"
    elif code:
        yield f"run code: {foreign.described(code)}"
    shown = document.get("outputs") or ()
    mimes = {
        str(mime)
        for one in shown
        if isinstance(one, dict) and isinstance(one.get("data"), dict)
        for mime in one["data"]
    }
    rich = sorted(mimes - {"text/plain", "image/png", "image/jpeg"})
    if rich:
        yield f"show {', '.join(rich)}, which run code in the browser"
    for name, value in entry.state.items():
        with suppress(LookupError):
            try:
                foreign.plain_state({name: value})
            except NbcacheError:
                yield f"change the {name.replace('_', ' ')}"


def signed(found: Found) -> None:
    """Put this user's signature in place of the one that an entry has.

    Raises
    ------
    DamagedEntry
        It is no longer what was looked at.
    OSError
        It cannot be read or written.
    """
    with beside(found.path) as (target, made):
        _copy_signed(found, target)
        target.flush()
        os.fsync(target.fileno())
        made.replace(found.path)
    _enter_trace(found)


def _copy_signed(found: Found, target: Any) -> None:
    running = blake3()
    with open_plain(found.path) as source:
        found_size = os.fstat(source.fileno()).st_size
        left = length = found_size - npz.TRAILER_BYTES
        while left > 0 and (block := source.read(min(_BLOCK, left))):
            running.update(block)
            target.write(block)
            left -= len(block)
        trailer = npz.Trailer.from_bytes(source.read(npz.TRAILER_BYTES))
    same = trailer.length == length and trailer.key == key_of(found.path.name)
    if not (same and trailer.digest == running.hexdigest() == found.digest):
        raise DamagedEntry(f"{found.path} became another one while it was looked at")
    mac = signer().sign(trailer.key, trailer.length, trailer.digest)
    target.write(replace(trailer, mac=mac).to_bytes())


def _enter_trace(found: Found) -> None:
    """List what the entry's run found, so that a look-up comes to it."""
    entry = found.entry
    store = found.path.parent.parent.parent
    in_store = found.path.parent.parent == Folder(store).entries
    if entry is None or not in_store or entry.lookup in ("", entry.key):
        return
    items = [(kind, name) for kind, name, *_ in entry.trace]
    with suppress(OSError, ValueError):
        Traces(Folder(store)).add(entry.lookup, items, entry.key)
