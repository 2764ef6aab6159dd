"""What is watched of each statement of a cell: imports and definitions.

A hit executes them too: what an import does is not the run's, and a definition must
stay as it was made.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from nbcache import randomness, surroundings
from nbcache.cell.altered import DefinitionWatch
from nbcache.cell.definitions import imported_data
from nbcache.cell.mutation import InputWatch
from nbcache.keys import origin
from nbcache.keys.classes import UserClasses

__all__ = ["watched_statements"]


def watched_statements(
    around: surroundings.Watch,
    random: randomness.RandomWatch,
    defined: DefinitionWatch,
    inputs: InputWatch,
    classes: UserClasses,
    repeated: Sequence[ast.stmt],
) -> Callable[[ast.stmt], AbstractContextManager[None]]:
    """Give the context for each statement of a cell.

    Parameters
    ----------
    around, random, defined, inputs
        What watches the run.
    classes : UserClasses
        Those that instances may be of.
    repeated : sequence of ast.stmt
        The statements that a hit executes too.
    """
    settings = around.imports_of(repeated)

    @contextmanager
    def watched(statement: ast.stmt) -> Iterator[None]:
        imported = _names(statement) if statement in repeated else []
        with settings(statement), _importing(random, imported):
            yield
        defined.note(statement)
        if imported:
            inputs.add(imported_data([statement]))
            classes.hold(inputs.classes())

    return watched


def _importing(
    random: randomness.RandomWatch, imported: list[str]
) -> AbstractContextManager[None]:
    if not imported:
        return nullcontext()
    return random.importing(lambda: all(map(_is_installed, imported)))


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Import):
        return [one.name for one in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return ["." * statement.level + (statement.module or "")]
    return []


def _is_installed(name: str) -> bool:
    """Say whether a module was imported, and is none of the user's."""
    module = sys.modules.get(name)
    if module is None:
        return False
    path = getattr(module, "__file__", None)
    return path is None or not origin.is_user_file(path)
