"""State of libraries that changes what a cell computes or shows.

Only what differs from a library's own defaults belongs to a key, so that loading a
library changes nothing.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

from nbcache.keys import source
from nbcache.keys.key import Part

__all__ = ["setting_parts"]

# the backend is the front end's affair, and what these say depends on it
_BACKEND_PARAMETERS = frozenset(
    {"backend", "backend_fallback", "interactive", "toolbar", "webagg.port"}
)


def setting_parts() -> Iterator[Part]:
    """Give one part for each library whose settings are not its defaults."""
    for library, differing in (
        ("numpy", _numpy),
        ("pandas", _pandas),
        ("matplotlib", _matplotlib),
    ):
        if library in sys.modules:
            try:
                texts = differing(sys.modules[library])
            except Exception:  # another version keeps them elsewhere
                texts = ["unknown"]
            if texts:
                told = ", ".join(texts)
                yield Part(f"settings {library}", source.text_digest(*texts), told[:80])


def _numpy(numpy: Any) -> list[str]:
    texts = []
    for options, defaults in (
        (numpy.get_printoptions(), _PRINT_DEFAULTS),
        (numpy.geterr(), _ERROR_DEFAULTS),
    ):
        texts += [
            f"{name}={value!r}"
            for name, value in sorted(options.items())
            if name in defaults and value != defaults[name]
        ]
    return texts


_PRINT_DEFAULTS = {
    "edgeitems": 3,
    "threshold": 1000,
    "floatmode": "maxprec",
    "precision": 8,
    "suppress": False,
    "linewidth": 75,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
    "formatter": None,
    "legacy": False,
}
_ERROR_DEFAULTS = {
    "divide": "warn",
    "over": "warn",
    "under": "ignore",
    "invalid": "warn",
}


def _pandas(pandas: Any) -> list[str]:
    # no public function tells a default
    options: Any = importlib.import_module("pandas._config.config")
    texts = []
    for name, option in sorted(options._registered_options.items()):
        if name in options._deprecated_options:
            continue
        value = pandas.get_option(name)
        if value != option.defval:
            texts.append(f"{name}={value!r}")
    return texts


def _matplotlib(matplotlib: Any) -> list[str]:
    defaults = matplotlib.rcParamsDefault
    parameters = matplotlib.rcParams
    return [
        f"{name}={dict.__getitem__(parameters, name)!r}"
        for name in sorted(parameters)
        if name not in _BACKEND_PARAMETERS
        and dict.__getitem__(parameters, name) != dict.get(defaults, name)
    ]
