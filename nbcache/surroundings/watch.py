"""All that surrounds one run: what it changed, and how a hit changes it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from nbcache.surroundings import place, settings
from nbcache.surroundings.threads import ThreadWatch

__all__ = ["Watch", "literals", "prepared", "watching"]


@dataclass
class Watch:
    """What one run changed around itself.

    Parameters
    ----------
    place : PlaceWatch
        Of working directory and environment.
    threads : ThreadWatch
        The threads that there were before.
    before : dict
        Settings of libraries before; what imports change is entered here.
    """

    place: place.PlaceWatch
    threads: ThreadWatch = field(default_factory=ThreadWatch)
    before: settings.Texts = field(default_factory=settings.texts)
    _settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    _unstorable: str = ""

    def imports_of(
        self, repeated: Sequence[ast.stmt]
    ) -> Callable[[ast.stmt], AbstractContextManager[None]]:
        """Give the context for a statement, which a hit executes too if it is here."""
        return lambda one: self._importing(one) if one in repeated else nullcontext()

    @contextmanager
    def _importing(self, statement: ast.stmt) -> Iterator[None]:
        """Count what an import does inside a ``with`` block as there before.

        A hit executes the import too.
        """
        if not _imports_anew(statement):
            yield
            return
        was = settings.texts()
        self.place.suspended += 1
        try:
            yield
        finally:
            self.place.suspended -= 1
            now = settings.texts()
            for library, names in settings.changed(was, now).items():
                mine = self.before.setdefault(library, {})
                for name in names:
                    mine.pop(name, None)
                    if name in now[library]:
                        mine[name] = now[library][name]
            for library in now.keys() - self.before.keys():
                self.before[library] = dict(now[library])

    def _end(self) -> None:
        names = settings.changed(self.before, settings.texts())
        try:
            self._settings = settings.to_json(names)
        except TypeError as error:
            self._unstorable = f"it changed {error}"

    def refusal(self) -> str:
        """Say what of it cannot be stored; '' if all can."""
        return (
            self._unstorable
            or self.place.refusal()
            or self.threads.left_running()
            or self.threads.left_waiting()
        )

    def left(self) -> str:
        """Say what is not as before, for whoever restores nothing; '' for nothing."""
        changed = self._unstorable or self.place.left()
        if not changed and self._settings:
            library, values = next(iter(self._settings.items()))
            changed = f"it changed {library}'s setting {next(iter(values))!r}"
        if changed:
            return f"{changed}, which a hit would not. Do that outside of it"
        # calls in several threads at once see each other's
        return self.threads.left_running() if self.threads.is_alone() else ""

    def to_json(self) -> dict[str, Any]:
        """Give what a hit has to restore."""
        found = self.place.to_json()
        if self._settings:
            found["settings"] = self._settings
        return found


def _imports_anew(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Import):
        return any(one.name not in sys.modules for one in statement.names)
    if not isinstance(statement, ast.ImportFrom):
        return isinstance(statement, ast.Expr)  # a magic such as %matplotlib
    if statement.level or statement.module not in sys.modules:
        return True
    module = sys.modules[statement.module]
    return any(not hasattr(module, one.name) for one in statement.names)


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch what surrounds a run inside a ``with`` block."""
    with place.watching() as here:
        watch = Watch(here)
        yield watch
        watch._end()


def literals(tree: ast.AST) -> frozenset[str]:
    """Give the texts that stand in code."""
    return frozenset(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def prepared(state: Mapping[str, Any]) -> Callable[[], list[str]]:
    """Check that what a run left can be restored, and give what restores it.

    Returns
    -------
    callable () -> list of str
        Never raises; gives what could not be restored all the same.

    Raises
    ------
    LookupError
        It cannot; nothing has been changed.
    """
    steps = [*place.prepared(state), *settings.prepared(state.get("settings", {}))]

    def restore() -> list[str]:
        failed = []
        for step in steps:
            try:
                step()
            except Exception as error:
                failed.append(f"{type(error).__name__}: {error}")
        return failed

    return restore
