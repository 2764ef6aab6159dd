"""Settings of numpy, pandas and matplotlib: values, defaults, how to set them.

Only what differs from a library's own defaults counts, so that loading a library
changes nothing.
"""

from __future__ import annotations

import copy
import importlib
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["LIBRARIES", "Library"]

Values = dict[str, Any]


@dataclass(frozen=True)
class Library:
    """How to read and write the settings of one library.

    Parameters
    ----------
    values, defaults : callable (module) -> dict
        All settings as they are, and as the library has them by itself.
    imported : callable (module) -> dict
        As importing it leaves them on this machine, where that is not the default.
    check, put : callable (module, dict)
        Raise if these cannot be set; set them.
    """

    values: Callable[[Any], Values]
    defaults: Callable[[Any], Values]
    imported: Callable[[Any], Values]
    check: Callable[[Any, Values], None]
    put: Callable[[Any, Values], None]

    def differing(self, module: Any) -> Values:
        """Give the settings that are not the library's defaults."""
        return _differing(self.values(module), self.defaults(module))

    def differing_when_imported(self, module: Any) -> Values:
        """Give those that importing alone makes differ from the defaults."""
        return _differing(self.imported(module), self.defaults(module))


def _differing(values: Values, defaults: Values) -> Values:
    return {
        name: value
        for name, value in values.items()
        if name in defaults and not _is_same(value, defaults[name])
    }


def _is_same(one: Any, other: Any) -> bool:
    try:
        return bool(one is other or (type(one) is type(other) and one == other))
    except ValueError:  # arrays
        return False


def _nothing(_: Any) -> Values:
    return {}


def _require(known: Mapping[str, Any], wanted: Values, library: str) -> None:
    unknown = sorted(wanted.keys() - known.keys())
    if unknown:
        raise LookupError(f"{library} has no setting {unknown[0]!r} here")


# --- numpy: how arrays are printed, and what happens on floating-point errors

_PRINTING = "print "
_ERRORS = "error "
_NUMPY_DEFAULTS = {
    "print edgeitems": 3,
    "print threshold": 1000,
    "print floatmode": "maxprec",
    "print precision": 8,
    "print suppress": False,
    "print linewidth": 75,
    "print nanstr": "nan",
    "print infstr": "inf",
    "print sign": "-",
    "print formatter": None,
    "print legacy": False,
    "print override_repr": None,
    "error divide": "warn",
    "error over": "warn",
    "error under": "ignore",
    "error invalid": "warn",
    "error call": None,
}


def _numpy_values(numpy: Any) -> Values:
    printing = {f"{_PRINTING}{k}": v for k, v in numpy.get_printoptions().items()}
    errors = {f"{_ERRORS}{k}": v for k, v in numpy.geterr().items()}
    return {**printing, **errors, "error call": numpy.geterrcall()}


def _check_numpy(numpy: Any, wanted: Values) -> None:
    _require(_numpy_values(numpy), wanted, "numpy")


def _put_numpy(numpy: Any, wanted: Values) -> None:
    printing = _inner(wanted, _PRINTING)
    errors = _inner(wanted, _ERRORS)
    if printing:
        # these two go back to None whenever others are set
        now = numpy.get_printoptions()
        kept = {k: now[k] for k in ("formatter", "override_repr") if k in now}
        numpy.set_printoptions(**{**kept, **printing})
    if "call" in errors:
        numpy.seterrcall(errors.pop("call"))
    if errors:
        numpy.seterr(**errors)


def _inner(wanted: Values, prefix: str) -> Values:
    return {
        name.removeprefix(prefix): value
        for name, value in wanted.items()
        if name.startswith(prefix)
    }


# --- pandas: options


@cache
def _options() -> Any:
    # no public function tells a default, or reads a deprecated option silently
    return importlib.import_module("pandas._config.config")


def _pandas_names() -> list[str]:
    options = _options()
    renamed = {
        name
        for name, option in options._deprecated_options.items()
        if option.rkey is not None
    }
    return [name for name in options._registered_options if name not in renamed]


def _pandas_values(_: Any) -> Values:
    found = {}
    for name in _pandas_names():
        value = _options()._global_config
        for step in name.split("."):
            value = value[step]
        found[name] = value
    return found


def _pandas_defaults(_: Any) -> Values:
    registered = _options()._registered_options
    return {name: registered[name].defval for name in _pandas_names()}


def _check_pandas(_: Any, wanted: Values) -> None:
    registered = _options()._registered_options
    _require(registered, wanted, "pandas")
    for name, value in wanted.items():
        if registered[name].validator is not None:
            registered[name].validator(value)


def _put_pandas(pandas: Any, wanted: Values) -> None:
    for name, value in wanted.items():
        pandas.set_option(name, value)


# --- matplotlib: rcParams, and the letters that stand for colours

# the backend is the front end's affair, and what these say depends on it
_BACKEND_PARAMETERS = frozenset(
    {"backend", "backend_fallback", "interactive", "toolbar", "webagg.port"}
)
_COLOUR = "color "
_LINE = re.compile(r"^#? ?([a-z][\w.]*):[ \t]*(.*?)(?:(?<=\s)#.*)?$", re.MULTILINE)
_lists: Values = {}


def _matplotlib_values(matplotlib: Any) -> Values:
    inline = _set_by_inline_backend()
    defaults = matplotlib.rcParamsDefault
    found = {
        # not by []: for some it resolves the backend
        name: dict.__getitem__(matplotlib.rcParams, name)
        for name in dict.keys(matplotlib.rcParams)
        if name not in _BACKEND_PARAMETERS
    }
    for name, value in inline.items():
        if name in found and name in defaults:
            set_there = matplotlib.rcParams.validate[name](value)
            if _is_same(found[name], set_there):
                found[name] = dict.get(defaults, name)
    return {**found, **_colours()}


def _colours() -> Values:
    # seaborn.set_theme gives the letters other colours
    colors = sys.modules.get("matplotlib.colors")
    if colors is None:
        return {}
    known = colors.colorConverter.colors
    return {f"{_COLOUR}{one}": known[one] for one in colors.BASE_COLORS}


def _set_by_inline_backend() -> Mapping[str, Any]:
    """Give what the inline backend sets when it is first used, if it is there."""
    module = sys.modules.get("matplotlib_inline.config")
    backend = getattr(module, "InlineBackend", None)
    if backend is None or not backend.initialized():
        return {}
    return dict(backend.instance().rc)


def _matplotlib_defaults(matplotlib: Any) -> Values:
    found = dict(dict.items(matplotlib.rcParamsDefault))
    if not _lists:
        _lists.update(_default_lists(matplotlib))
    colors = sys.modules.get("matplotlib.colors")
    if colors is not None:
        letters = colors.BASE_COLORS.items()
        found.update((f"{_COLOUR}{letter}", value) for letter, value in letters)
    return {**found, **_lists}


def _default_lists(matplotlib: Any) -> Values:
    """Give the defaults that are lists, which rcParams shares with its defaults.

    ``rcParams["font.family"].append("Arial")`` changes both: so these are read from the
    file that matplotlib has them from.
    """
    path = Path(matplotlib.get_data_path(), "matplotlibrc")
    stated = dict(_LINE.findall(path.read_text(encoding="utf-8")))
    found = {}
    for name, value in dict.items(matplotlib.rcParamsDefault):
        if isinstance(value, list):
            found[name] = copy.deepcopy(value)
            if name in stated:
                found[name] = matplotlib.rcParams.validate[name](stated[name].strip())
    return found


def _matplotlib_imported(matplotlib: Any) -> Values:
    """Give what the user's own matplotlibrc says."""
    found = dict(dict.items(matplotlib.rcParamsOrig))
    for name in _BACKEND_PARAMETERS:
        found.pop(name, None)
    return found


def _check_matplotlib(matplotlib: Any, wanted: Values) -> None:
    for name, value in wanted.items():
        if not name.startswith(_COLOUR):
            _require(matplotlib.rcParams.validate, {name: value}, "matplotlib")
            matplotlib.rcParams.validate[name](value)


def _put_matplotlib(matplotlib: Any, wanted: Values) -> None:
    for name, value in wanted.items():
        if name.startswith(_COLOUR):
            colors = importlib.import_module("matplotlib.colors")
            colors.colorConverter.colors[name.removeprefix(_COLOUR)] = value
        else:
            matplotlib.rcParams[name] = value


LIBRARIES: dict[str, Library] = {
    "numpy": Library(
        _numpy_values, lambda _: _NUMPY_DEFAULTS, _nothing, _check_numpy, _put_numpy
    ),
    "pandas": Library(
        _pandas_values, _pandas_defaults, _nothing, _check_pandas, _put_pandas
    ),
    "matplotlib": Library(
        _matplotlib_values,
        _matplotlib_defaults,
        _matplotlib_imported,
        _check_matplotlib,
        _put_matplotlib,
    ),
}
