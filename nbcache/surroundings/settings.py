"""Settings of libraries: as parts of a key, and what a run changed of them."""

from __future__ import annotations

import copy
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nbcache.keys import source
from nbcache.keys.key import Part
from nbcache.surroundings import plain
from nbcache.surroundings.libraries import LIBRARIES

__all__ = [
    "Texts",
    "changed",
    "prepared",
    "setting_parts",
    "settings_kept",
    "texts",
    "to_json",
]

Texts = dict[str, dict[str, str]]
"""By library and name, a text for the value of each setting that is no default."""


def setting_parts() -> Iterator[Part]:
    """Give one part for each library whose settings are not its defaults."""
    for library, how in LIBRARIES.items():
        if library not in sys.modules:
            continue
        try:
            differing = how.differing(sys.modules[library])
        except Exception:  # another version keeps them elsewhere
            differing = {"unknown": None}
        if differing:
            rows = sorted(differing.items())
            told = ", ".join(f"{name}={value!r}" for name, value in rows)
            spelt = [f"{name}={plain.text(value)}" for name, value in rows]
            yield Part(f"settings {library}", source.text_digest(*spelt), told[:80])


def texts() -> Texts:
    """Give the settings of the loaded libraries, to be compared later."""
    found: Texts = {}
    for library, how in LIBRARIES.items():
        module = sys.modules.get(library)
        if module is not None and not _is_being_imported(module):
            try:
                found[library] = _spelt(how.differing(module))
            except Exception:  # another version keeps them elsewhere
                continue
    return found


def _is_being_imported(module: Any) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _spelt(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: plain.text(value) for name, value in values.items()}


def changed(before: Texts, after: Texts) -> dict[str, set[str]]:
    """Name what is other than before, by library.

    Of a library that was not loaded before, what importing alone leaves is the measure.
    """
    found = {}
    for library, now in after.items():
        was = before.get(library)
        if was is None:
            how = LIBRARIES[library]
            was = _spelt(how.differing_when_imported(sys.modules[library]))
        names = {name for name in was.keys() | now if was.get(name) != now.get(name)}
        if names:
            found[library] = names
    return found


def settings_kept() -> Callable[[], None]:
    """Give what makes the settings again what they are now."""
    before = texts()
    values = {
        library: copy.deepcopy(LIBRARIES[library].values(sys.modules[library]))
        for library in before
    }

    def put_back() -> None:
        for library, names in changed(before, texts()).items():
            how, module = LIBRARIES[library], sys.modules[library]
            first = {**how.defaults(module), **how.imported(module)}
            was = values.get(library, first)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                how.put(module, {name: was[name] for name in names})

    return put_back


def to_json(names: Mapping[str, set[str]]) -> dict[str, dict[str, Any]]:
    """Give today's values of settings as plain data.

    Raises
    ------
    TypeError
        One of them cannot be stored; the text names it.
    """
    found: dict[str, dict[str, Any]] = {}
    for library, wanted in names.items():
        values = LIBRARIES[library].values(sys.modules[library])
        found[library] = {}
        for name in sorted(wanted):
            try:
                found[library][name] = plain.encoded(values[name])
            except TypeError as error:
                raise TypeError(f"{library}'s setting {name!r}: {error}") from error
    return found


def prepared(stored: Mapping[str, Mapping[str, Any]]) -> list[Callable[[], None]]:
    """Check that settings can be set here, and give what sets them.

    Raises
    ------
    LookupError
        A library, or one of its settings, is not what it was.
    """
    found: list[Callable[[], None]] = []
    for library, plain_values in stored.items():
        try:
            found.append(_prepared(library, plain_values))
        except LookupError:
            raise
        except Exception as error:
            raise LookupError(f"settings of {library}: {error}") from error
    return found


def _prepared(library: str, plain_values: Mapping[str, Any]) -> Callable[[], None]:
    if library not in LIBRARIES:
        raise LookupError(f"settings of {library} are not known here")
    how = LIBRARIES[library]
    module = importlib.import_module(library)
    values = {name: plain.decoded(value) for name, value in plain_values.items()}
    how.check(module, values)

    def put() -> None:
        with warnings.catch_warnings():
            # the run showed the warnings of deprecated ones
            warnings.simplefilter("ignore")
            how.put(module, values)

    return put
