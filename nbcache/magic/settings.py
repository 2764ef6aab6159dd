"""``%config NbCache``: the settings of `nbcache.config` as traits of the shell."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from traitlets import TraitError, TraitType
from traitlets.config import Configurable

from nbcache import config
from nbcache.errors import CacheWarning

__all__ = ["NbCache", "settings_of"]


if TYPE_CHECKING:
    _AnyTrait = TraitType[Any, Any]
else:
    # traitlets 5.9 has no generic traits
    _AnyTrait = TraitType


class Setting(_AnyTrait):
    """Is the setting itself, whoever changed it last; None takes it back.

    Parameters
    ----------
    name : str
        Of the setting.
    """

    def __init__(self, name: str) -> None:
        help_text, choices, default = config.describe()[name]
        unsaid = not all(choice in help_text for choice in choices)
        told = f"{help_text} ({', '.join(choices)})" if unsaid else help_text
        super().__init__(default, allow_none=True, help=told)
        self.name = name
        self.tag(config=True)

    def get(self, _owner: Any, _kind: Any = None) -> Any:
        """Give the setting in force."""
        return getattr(config.current(), str(self.name))

    def set(self, owner: Any, value: Any) -> None:
        """Set the setting, also if the trait was set to the same before."""
        super().set(owner, value)
        config.configure(**{str(self.name): value})

    def validate(self, _owner: Any, value: Any) -> Any:
        """Give the value in the setting's type."""
        try:
            return config.parse(str(self.name), value)
        except ValueError as error:
            raise TraitError(str(error)) from None


class NbCache(Configurable):
    """Settings of nbcache: ``%config NbCache.verbosity = "full"``."""


def settings_of(shell: Any) -> NbCache:
    """Make the configurable of a shell; setting a trait sets the setting.

    A value in ``ipython_config.py`` that is none of a setting's is left out with one
    warning: a trait that refuses it would break every later ``%load_ext``.
    """
    traits = {name: Setting(name) for name in config.describe()}
    kind = type("NbCache", (NbCache,), {"__doc__": NbCache.__doc__, **traits})
    _drop_wrong(shell.config)
    made: NbCache = kind(parent=shell)
    return made


def _drop_wrong(loaded: Any) -> None:
    """Take out of the loaded configuration what no setting accepts."""
    for name, value in dict(loaded.get("NbCache", {})).items():
        try:
            if value is not None:
                config.parse(name, value)
        except ValueError as error:
            del loaded["NbCache"][name]
            warnings.warn(f"NbCache: {error}", CacheWarning, stacklevel=3)
