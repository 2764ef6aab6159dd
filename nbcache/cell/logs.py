"""Settings of logging that a run changed, and a hit would not change."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

__all__ = ["LogSettings"]

# what code names that sets up logging; what libraries do while they are imported is
# done again on a hit
_WORDS = frozenset(
    {
        *("addFilter", "addHandler", "addLevelName", "basicConfig", "captureWarnings"),
        *("dictConfig", "disable", "disabled", "fileConfig", "handlers", "propagate"),
        *("removeFilter", "removeHandler", "setLevel", "level", "setLoggerClass"),
    }
)


@dataclass(frozen=True)
class LogSettings:
    """How loggers are set, by name."""

    loggers: Mapping[str, tuple[Any, ...]]

    @classmethod
    def now(cls) -> LogSettings:
        """Note how they are set."""
        logging = sys.modules.get("logging")
        if logging is None:
            return cls({})
        loggers = {"": logging.root, **logging.root.manager.loggerDict}
        found = {
            name: _settings(one)
            for name, one in loggers.items()
            if hasattr(one, "level")
        }
        return cls({**found, "<disabled>": (logging.root.manager.disable,)})

    def left(self, words: Set[str]) -> str:
        """Say that code which sets up logging has done so; '' if not.

        Parameters
        ----------
        words : set of str
            Names and attributes in the code.
        """
        if not _WORDS & words:
            return ""
        for name, settings in LogSettings.now().loggers.items():
            if name not in self.loggers and name.partition(".")[0] in sys.modules:
                continue  # of a library that the cell has loaded, as a hit does
            if settings != self.loggers.get(name, _NEW.get(name, _FRESH)):
                return (
                    "it changed settings of logging, which a hit would not. "
                    "Move that to a cell of its own"
                )
        return ""


def _settings(logger: Any) -> tuple[Any, ...]:
    handlers = tuple((id(one), one.level) for one in logger.handlers)
    filters = tuple(map(id, logger.filters))
    return logger.level, handlers, filters, logger.propagate, logger.disabled


_FRESH = (0, (), (), True, False)
_NEW = {"": (30, (), (), True, False), "<disabled>": (0,)}
