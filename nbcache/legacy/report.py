"""What became of files of earlier packages, to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nbcache import info
from nbcache.storage.verification import Problem

__all__ = ["LegacyImport", "Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """One result that is in the store now, or would be.

    Parameters
    ----------
    file : str
        Where it came from.
    kind : str
        The package that wrote it.
    name, id : str
        By which it can be loaded.
    key : str
        Of its entry.
    bytes : int
        Size of the entry; 0 where nothing was written.
    is_known : bool
        Whether it was there already.
    """

    file: str
    kind: str
    name: str
    id: str
    key: str
    bytes: int = 0
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class LegacyImport:
    """What was taken from files of earlier packages; true if all was.

    Parameters
    ----------
    results : tuple of Taken
        In the order of the files.
    refused : tuple of Problem
        What was not taken, and why.
    remarks : tuple of str
        What may be other than it was.
    unfinished : int
        Runs that were listed without a result.
    dry_run : bool
        Whether nothing was written.
    """

    results: tuple[Taken, ...] = ()
    refused: tuple[Problem, ...] = ()
    remarks: tuple[str, ...] = ()
    unfinished: int = 0
    dry_run: bool = False

    def __bool__(self) -> bool:
        """Say whether nothing was refused."""
        return not self.refused

    @property
    def entries(self) -> int:
        """How many entries are new."""
        return sum(not one.is_known for one in self.results)

    @property
    def known(self) -> int:
        """How many were there already."""
        return sum(one.is_known for one in self.results)

    @property
    def bytes(self) -> int:
        """Size of the new entries."""
        return sum(one.bytes for one in self.results)

    @property
    def exit_code(self) -> int:
        """What the command line ends with: 1 if something was refused."""
        return int(not self)

    def __str__(self) -> str:
        """Say it in lines, by name."""
        return "\n".join(map(info.printable, self._lines()))

    def _lines(self) -> Iterator[str]:
        verb = "would import" if self.dry_run else "imported"
        new = Counter((one.name, one.kind) for one in self.results if not one.is_known)
        for (name, kind), count in new.items():
            yield f"{verb} {info.counted(count)} as {name!r} (of {kind})"
        size = "" if self.dry_run else f" ({info.bytes_text(self.bytes)})"
        if len(new) != 1:
            yield f"{verb} {info.counted(self.entries)}{size}"
        if self.known:
            yield f"{info.counted(self.known)} there already"
        if self.unfinished:
            runs = "1 run" if self.unfinished == 1 else f"{self.unfinished} runs"
            yield f"{runs} without a result left out"
        yield from self.remarks
        for one in self.refused:
            yield f"refused  {one}"

    def to_json(self) -> list[dict[str, Any]]:
        """Give a plain row for each result, and for each file that was refused."""
        new = "new" if self.dry_run else "imported"
        rows = [
            {
                "file": one.file,
                "state": "known" if one.is_known else new,
                "kind": one.kind,
                "name": one.name,
                "id": one.id,
                "key": one.key,
                "size": one.bytes,
            }
            for one in self.results
        ]
        return rows + [
            {"file": one.file, "state": "refused", "reason": one.reason}
            for one in self.refused
        ]
