"""``%run FILE`` in a cell: the file's code belongs to the cell."""

from __future__ import annotations

import ast
import itertools
import sys
import tokenize
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nbcache.cell.magic_texts import expansions, split_words
from nbcache.keys import flow

__all__ = ["Script", "asked_script", "importable"]

# `-i`: in the notebook's namespace; `-e`: exit() is no error
_OPTIONS = frozenset({"-i", "-e"})


@dataclass(frozen=True)
class Script:
    """A file that a cell runs.

    Parameters
    ----------
    path : str
        As the cell names it.
    tree : ast.Module
        Of its text.
    inside : bool
        Whether it runs in the notebook's namespace.
    """

    path: str
    tree: ast.Module
    inside: bool

    @property
    def names(self) -> set[str]:
        """The names that it binds."""
        found = flow.analyse(self.tree)
        return found.stores | found.late


def asked_script(text: str) -> Script | None:
    """Give the script of a ``%run`` line; None if it is not a literal file of Python.

    Parameters
    ----------
    text : str
        What stands behind ``%run``.
    """
    words = split_words(text)
    options = list(itertools.takewhile(lambda word: word.startswith("-"), words))
    if expansions(text) or len(words) == len(options):
        return None
    if not _OPTIONS.issuperset(options):
        return None
    path = words[len(options)]
    tree = _read(path)
    return None if tree is None else Script(path, tree, "-i" in options)


def _read(path: str) -> ast.Module | None:
    """Parse a file that IPython would find under this name."""
    place = Path(path).expanduser()
    if not place.is_file() and place.suffix != ".py":
        place = Path(f"{place}.py")
    if place.suffix != ".py":
        return None
    try:
        with tokenize.open(place) as file:
            return ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return None


@contextmanager
def importable(scripts: Iterable[Script]) -> Iterator[None]:
    """Let modules beside the scripts be found in a ``with`` block, as `%run` does."""
    places = [str(Path(one.path).expanduser().absolute().parent) for one in scripts]
    before = list(sys.path)
    sys.path[:0] = places
    try:
        yield
    finally:
        if places:
            sys.path[:] = before
