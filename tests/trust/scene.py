"""A store for each case, what lies outside it, and the list of the cases."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trust import forging

from nbcache.storage.folder import key_of

__all__ = ["CASES", "COMPUTE", "Scene", "case"]

COMPUTE = "trust.victims.compute"


class Scene:
    """A copy of the store for one case, and what lies outside it."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.store = folder / "store"
        shutil.copytree(template, self.store)
        self.outside = folder / "outside"
        self.outside.mkdir()
        (self.outside / "precious").write_text("precious secret")
        self.entries = [
            path
            for path in sorted((self.store / "entries").rglob("*.npz"))
            if forging.document_of(path)["name"].endswith("compute")
        ]
        self.entry = next(path for path in self.entries if _argument(path) == 2)
        self.other = next(path for path in self.entries if _argument(path) == 3)

    @property
    def key(self) -> str:
        """Key of the entry that is attacked."""
        found = key_of(self.entry.name)
        assert found
        return found

    @property
    def traces(self) -> Path:
        """The list of what the traced function found."""
        [found] = (self.store / "entries").rglob("*.traces")
        return found

    def lying_outside(self) -> dict[str, Any]:
        """Tell what is outside the store, byte by byte."""
        return {
            str(path): path.read_bytes()
            if path.is_file()
            else stat.S_IFMT(path.lstat().st_mode)
            for path in sorted(self.outside.rglob("*"))
        }


def _argument(path: Path) -> int:
    parts = forging.document_of(path)["parts"]
    [told] = [part[2] for part in parts if part[0] == "argument x"]
    return int(told.removeprefix("int "))


CASES: dict[str, tuple[Callable[[Scene], None], dict[str, Any]]] = {}


def case(name: str, **more: Any) -> Callable[[Any], Any]:
    """Enter a case: what an attacker makes of a scene."""

    def enter(make: Callable[[Scene], None]) -> Callable[[Scene], None]:
        CASES[name] = (make, more)
        return make

    return enter
