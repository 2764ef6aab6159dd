"""The one table of settings.

A setting is looked for in this order: what `configure` (or ``%config NbCache``)
was given, the environment (``NBCACHE_<NAME>``), ``[tool.nbcache]`` of the nearest
``pyproject.toml``, the default.  Arguments of `cached` and flags of the magics go
before all of these.  Argument names, environment names, `%config` traits and help
texts are all made from the fields of `Settings`.
"""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nbcache import durations, environment, project, sizes
from nbcache.errors import CacheWarning

__all__ = [
    "Settings",
    "configure",
    "current",
    "describe",
    "set_cache_dir",
    "using",
]

FOLDER = ".nbcache"
_START = Path.cwd()


def _setting(
    default: Any,
    help: str,
    choices: tuple[str, ...] = (),
    read: Callable[[str, Any], Any] | None = None,
) -> Any:
    """Make a field; ``read`` turns a value from outside into the setting's type."""
    metadata = {"help": help, "choices": choices, "read": read}
    return field(default=default, metadata=metadata)


def _seconds(name: str, value: Any) -> float:
    try:
        return durations.seconds(value)
    except ValueError as error:
        raise ValueError(f"setting {name}: {error}") from None


def _seconds_or_never(name: str, value: Any) -> float | None:
    if isinstance(value, str) and value.strip().lower() == "never":
        return None
    return _seconds(name, value)


def _size_or_none(name: str, value: Any) -> int | None:
    if isinstance(value, str) and value.strip().lower() == "none":
        return None
    try:
        return sizes.size(value)
    except ValueError as error:
        raise ValueError(f"setting {name}: {error}") from None


def _url(name: str, value: Any) -> str:
    text = value.strip() if isinstance(value, str) else None
    if text == "" or (text is not None and re.match(_URL, text)):
        return str(text)
    # not the value itself: it may hold a password
    raise ValueError(f"setting {name} is a URL like s3://bucket/prefix, or empty")


_URL = r"[a-z][a-z0-9+.-]*://\S+\Z"


def _count(name: str, value: Any) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isdecimal():
        raise ValueError(f"setting {name} is a number from 0, not {value!r}")
    return int(text)


def _size(name: str, value: Any) -> int:
    try:
        return sizes.size(value)
    except ValueError as error:
        raise ValueError(f"setting {name}: {error}") from None


def _positive(name: str, value: Any) -> int:
    number = _count(name, value)
    if not number:
        raise ValueError(f"setting {name} is a number from 1, not {value!r}")
    return number


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, with their defaults."""

    dir: str = _setting("", "Folder of the store; empty: the nearest .nbcache upward")
    enabled: bool = _setting(True, "Use the cache; off: nothing is read or written")
    read_only: bool = _setting(False, "Use stored results, store no new ones")
    refresh: bool = _setting(False, "Compute and store all that is asked for")
    verbosity: str = _setting(
        "auto",
        "How much is said of hits and misses; auto: brief where a person watches",
        ("auto", "quiet", "brief", "full"),
    )
    replay_output: bool = _setting(True, "Show a cell's stored outputs again on a hit")
    compress: bool = _setting(False, "Deflate entries")
    expires_after: float | None = _setting(
        None,
        "Age after which results are stale: 90s, 15m, 12h, 7d, 2w, or never",
        read=_seconds_or_never,
    )
    min_seconds: float = _setting(
        0.0, "Store only what took longer to compute: s, or 2s, 1m", read=_seconds
    )
    max_size: int | None = _setting(
        5_000_000_000,
        "Size above which entries go that are worth least to keep: 500MB, 5GB, bytes, "
        "or none for no limit",
        read=_size_or_none,
    )
    eviction: str = _setting(
        "greedy-dual-size",
        "Which go first: what is computed again fastest for its size and was not used "
        "for long; what was used longest ago; none",
        ("greedy-dual-size", "lru", "none"),
    )
    keep: int = _setting(
        0,
        "Code versions of a cell to keep under one name in a notebook; 0: all",
        read=_count,
    )
    rng: str = _setting(
        "keep",
        "What becomes of results with random numbers that nobody seeded: keep them and "
        "say so, refuse to store them, ignore it",
        ("keep", "refuse", "ignore"),
    )
    lock_timeout: float | None = _setting(
        None,
        "How long to wait for another process that computes the same, before computing "
        "as well: 30s, 5m, or never (wait while it lives)",
        read=_seconds_or_never,
    )
    max_memory: int = _setting(
        500_000_000,
        "What a process keeps in memory of the results that it used last: bytes, or "
        "500MB, 2GB; 0: nothing",
        read=_size,
    )
    page_size: int = _setting(15, "Rows of a page of the panel", read=_positive)
    confirm: bool = _setting(True, "Ask before all entries are deleted")
    track_versions: str = _setting(
        "major.minor",
        "How much of an installed package's version belongs to a key",
        ("major.minor", "exact", "off"),
    )
    verify: str = _setting(
        "first",
        "When an entry's checksum is compared: first use in a process, always, never",
        ("first", "always", "never"),
    )
    remote: str = _setting(
        "",
        "Object store that is shared with others: s3://bucket/prefix, gs://, az://, "
        "file:///folder; empty: none",
        read=_url,
    )
    trust: str = _setting(
        "mine",
        "Whose entries are used: mine (those that you signed), data (anybody's, but "
        "only data, text and pictures of them), none (nothing is used, only stored)",
        ("mine", "data", "none"),
    )
    durability: str = _setting(
        "auto",
        "Flush entries to the disk: auto (results of more than 1 s), always, never",
        ("auto", "always", "never"),
    )


def describe() -> dict[str, tuple[str, tuple[str, ...], Any]]:
    """Give each setting's help, choices (empty: any) and default, by name."""
    return {
        one.name: (one.metadata["help"], one.metadata["choices"], one.default)
        for one in fields(Settings)
    }


def parse(name: str, value: Any) -> Any:
    """Turn a value from outside into the setting's type.

    Raises
    ------
    ValueError
        No such setting, or not one of its values.
    """
    table = describe()
    if name not in table:
        raise ValueError(f"no setting {name!r}; there are {', '.join(table)}")
    _, choices, default = table[name]
    if (read := _READS[name]) is not None:
        return read(name, value)
    if isinstance(default, bool):
        return _flag(name, value)
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str):
        raise ValueError(f"setting {name} takes text, not {value!r}")
    if choices and text not in choices:
        raise ValueError(f"setting {name} is one of {', '.join(choices)}, not {text!r}")
    return text


_READS: Mapping[str, Callable[[str, Any], Any] | None] = {
    one.name: one.metadata["read"] for one in fields(Settings)
}
_FLAGS = {"1": True, "true": True, "yes": True, "on": True}
_FLAGS |= {"0": False, "false": False, "no": False, "off": False}


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return _FLAGS[str(value).strip().lower()]
    except KeyError:
        raise ValueError(f"setting {name} is on or off, not {value!r}") from None


_given: dict[str, Any] = {}
_resolved: Settings | None = None
_resolved_for: tuple[Any, ...] = ()


def current() -> Settings:
    """Give the settings in force."""
    global _resolved, _resolved_for
    watched = environment.watched()
    found = _resolved
    if found is None or watched != _resolved_for:
        found = _resolve()
        _resolved, _resolved_for = found, watched
    return found


def _resolve() -> Settings:
    values: dict[str, Any] = {}
    _take(values, project.settings(_START), "pyproject.toml")
    names = [one.name for one in fields(Settings)]
    environment = {
        name: os.environ[f"NBCACHE_{name.upper()}"]
        for name in names
        if f"NBCACHE_{name.upper()}" in os.environ
    }
    _take(values, environment, "the environment")
    return replace(Settings(), **{**values, **_given})


def _take(values: dict[str, Any], found: Mapping[str, Any], origin: str) -> None:
    """Accept what is valid; say what is not, once, and go on without it."""
    for name, value in found.items():
        try:
            values[name] = parse(name, value)
        except ValueError as error:
            warnings.warn(f"{origin}: {error}", CacheWarning, stacklevel=4)


def configure(**settings: Any) -> None:
    """Set settings for this process; None takes a setting back.

    Parameters
    ----------
    **settings
        Fields of `Settings`: ``configure(verbosity="full", compress=True)``.

    Raises
    ------
    ValueError
        No such setting, or not one of its values; nothing is changed then.
    """
    global _resolved
    parsed = {
        name: None if value is None else parse(name, value)
        for name, value in settings.items()
    }
    for name, value in settings.items():
        if name not in describe():
            raise ValueError(f"no setting {name!r}; there are {', '.join(describe())}")
        if value is None:
            _given.pop(name, None)
        else:
            _given[name] = parsed[name]
    _resolved = None


@contextmanager
def using(**settings: Any) -> Iterator[Settings]:
    """Hold other settings inside a ``with`` block."""
    before = dict(_given)
    try:
        configure(**settings)
        yield current()
    finally:
        global _resolved
        _given.clear()
        _given.update(before)
        _resolved = None


def set_cache_dir(path: str | os.PathLike[str]) -> Path:
    """Keep the default cache in a folder, which is made at once.

    Parameters
    ----------
    path : path
        A relative path is resolved now, not when the working directory has changed.

    Returns
    -------
    Path
        The absolute path.

    Raises
    ------
    OSError
        The folder cannot be made.
    """
    folder = Path(path).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    configure(dir=str(folder))
    return folder


def cache_dir() -> Path:
    """Give the folder of the default cache, which need not exist."""
    given = current().dir
    if given.startswith("~"):
        return Path(given).expanduser().absolute()
    return _folder(_START, given)


@functools.lru_cache(maxsize=64)
def _folder(start: Path, given: str) -> Path:
    """Give the folder, found once in a process: its results belong together."""
    if given:
        return (start / given).absolute()
    for folder in (start, *start.parents):
        if _is_own(folder / FOLDER):
            return folder / FOLDER
    return start / FOLDER


def _is_own(folder: Path) -> bool:
    """Say whether a folder is there and ours: results do not go to somebody else's."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return (
        folder.is_dir()
        and getattr(os, "getuid", lambda: found.st_uid)() == found.st_uid
    )
