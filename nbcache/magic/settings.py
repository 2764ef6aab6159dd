"""``%config NbCache``: the settings of `nbcache.config` as traits of the shell."""

from __future__ import annotations

import warnings
from typing import Any

from traitlets import Bool, Enum, TraitError, TraitType, Unicode
from traitlets.config import Configurable

from nbcache import config
from nbcache.errors import CacheWarning

__all__ = ["NbCache", "settings_of"]


class _Read(TraitType[Any, Any]):
    """A number or duration, in any of the forms that the setting takes."""

    def __init__(self, name: str, value: Any, help_text: str) -> None:
        super().__init__(value, allow_none=True, help=help_text)
        self.setting = name

    def validate(self, _owner: Any, value: Any) -> Any:
        """Give the value in the setting's type; None takes the setting back."""
        try:
            return config.parse(self.setting, value)
        except ValueError as error:
            raise TraitError(str(error)) from None


def _trait(name: str) -> TraitType[Any, Any]:
    help_text, choices, default = config.describe()[name]
    # today's value, so that the environment and pyproject.toml show in %config
    value = getattr(config.current(), name)
    if isinstance(value, bool):
        return Bool(value, help=help_text).tag(config=True)
    if choices:
        return Enum(choices, value, help=help_text).tag(config=True)
    if not isinstance(default, str):
        return _Read(name, value, help_text).tag(config=True)
    return Unicode(value, help=help_text).tag(config=True)


class NbCache(Configurable):
    """Settings of nbcache: ``%config NbCache.verbosity = "full"``."""


def settings_of(shell: Any) -> NbCache:
    """Make the configurable of a shell; setting a trait sets the setting.

    A value in ``ipython_config.py`` that is none of a setting's is left out with one
    warning: a trait that refuses it would break every later ``%load_ext``.
    """
    traits = {name: _trait(name) for name in config.describe()}
    kind = type("NbCache", (NbCache,), {"__doc__": NbCache.__doc__, **traits})
    _drop_wrong(shell.config)
    made: NbCache = kind(parent=shell)
    made.observe(_take, names=list(traits))
    for name in shell.config.get("NbCache", {}):
        config.configure(**{name: getattr(made, name)})
    return made


def _drop_wrong(loaded: Any) -> None:
    """Take out of the loaded configuration what no setting accepts."""
    for name, value in dict(loaded.get("NbCache", {})).items():
        try:
            config.parse(name, value)
        except ValueError as error:
            del loaded["NbCache"][name]
            warnings.warn(f"NbCache: {error}", CacheWarning, stacklevel=3)


def _take(change: Any) -> None:
    config.configure(**{change["name"]: change["new"]})
