"""What may stand after ``%%cached`` and ``%cached``: declared, read and checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from IPython.core import magic_arguments
from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument

from nbcache import config
from nbcache.cell.options import CellOptions
from nbcache.wording import near

__all__ = [
    "Asked",
    "asked_of",
    "cached_arguments",
    "flags",
    "near",
    "split_statement",
]


def _declared(*names: str, **given: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return names, given


_NAMES = {"action": "append", "metavar": "NAMES"}
_ARGUMENTS = (
    _declared(
        "name",
        nargs="?",
        default="",
        help="the entry's name; default: the first names that the cell assigns",
    ),
    _declared("-o", "--only", help="store only these names (a,b)", **_NAMES),
    _declared("--skip", help="do not store these", **_NAMES),
    _declared("--ignore", help="leave these inputs out of the key", **_NAMES),
    _declared(
        "--opaque",
        help="inputs that carry no state, such as connections: only their types belong "
        "to the key, and other inputs and results may refer to them",
        **_NAMES,
    ),
    _declared(
        "--deps",
        action="append",
        metavar="EXPR",
        help="an expression whose value belongs to the key; quote spaces",
    ),
    _declared(
        "--file",
        action="append",
        metavar="GLOB",
        help="files whose content belongs to the key; a folder stands for all below it",
    ),
    _declared(
        "--ttl", metavar="TIME", help="stale after this time: 90s, 15m, 12h, 7d, 2w"
    ),
    _declared(
        "--rng",
        metavar="WAY",
        help="random numbers that nobody seeded: keep them and say so, refuse to store "
        "them, or ignore it",
    ),
    _declared("-f", "--refresh", action="store_true", help="run and replace"),
    _declared(
        "-r",
        "--read",
        action="store_true",
        help="read the newest entry of that name, run nothing",
    ),
    _declared(
        "-n",
        "--dry-run",
        action="store_true",
        help="say what would happen, and why; run nothing",
    ),
    _declared(
        "--if",
        dest="condition",
        metavar="COND",
        help="cache only if this expression is true; else the cell just runs",
    ),
    _declared("--min-time", metavar="TIME", help="store only what took longer: 1s, 2m"),
    _declared(
        "--keep",
        metavar="N",
        help="after storing, delete all but the newest N code versions of this name in "
        "this notebook",
    ),
    _declared("--no-output", action="store_true", help="do not replay outputs"),
    _declared("--compress", action="store_true", help="deflate the entry"),
    _declared("--cache", metavar="DIR", help="folder of another store"),
    _declared(
        "--private",
        action="store_true",
        help="keep no summaries of values in the entry, and never share it",
    ),
    _declared(
        "--trust-magics",
        action="store_true",
        help="store the cell though it has magics that may read anything",
    ),
    _declared("-q", "--quiet", action="store_true", help="say nothing"),
    _declared("-v", "--verbose", action="store_true", help="say all"),
)


def cached_arguments(magic: Callable[..., Any]) -> Callable[..., Any]:
    """Give the magic these arguments and a help text that lists them."""
    for names, given in reversed(_ARGUMENTS):
        magic = argument(*names, **given)(magic)
    decorated: Callable[..., Any] = magic_arguments.magic_arguments()(magic)
    return decorated


def flags(*, long: bool = False, valued: bool = False) -> set[str]:
    """Give the options; only long ones, or those that take a value, if asked for."""
    return {
        flag
        for names, given in _ARGUMENTS
        for flag in names
        if flag.startswith("--" if long else "-")
        and not (valued and given.get("action") == "store_true")
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of arguments.

    Parameters
    ----------
    options : CellOptions
        What belongs to the cell; settings stand where nothing was said.
    read, dry_run : bool
        Run nothing: read the newest entry; say what would happen.
    condition : str
        Expression without which the cell just runs; '' for none.
    folder : str
        Of another store; '' for the default.
    verbosity : str
        ``quiet`` or ``full``; '' as the settings say.
    """

    options: CellOptions
    read: bool = False
    dry_run: bool = False
    condition: str = ""
    folder: str = ""
    verbosity: str = ""


def asked_of(magic: Callable[..., Any], line: str) -> Asked:
    """Read the line after the magic.

    Raises
    ------
    UsageError
        It cannot be meant; the text says what is wrong in one line.
    """
    given = _parsed(magic, line)
    wrong = _contradiction(given)
    if wrong:
        raise UsageError(wrong)
    settings = config.current()
    options = CellOptions(
        name=given.name,
        only=_names(given.only),
        skip=_names(given.skip),
        ignore=_names(given.ignore),
        opaque=_names(given.opaque),
        deps=tuple(_expression("--deps", text) for text in given.deps or ()),
        files=tuple(given.file or ()),
        refresh=given.refresh or settings.refresh,
        output=not given.no_output and settings.replay_output,
        compress=given.compress or settings.compress,
        expires_after=_set("--ttl", "expires_after", given.ttl),
        min_seconds=_set("--min-time", "min_seconds", given.min_time),
        keep=_set("--keep", "keep", given.keep),
        rng=_set("--rng", "rng", given.rng),
        private=given.private,
        trust_magics=given.trust_magics,
    )
    loud = "full" if given.verbose else ""
    return Asked(
        options,
        read=given.read,
        dry_run=given.dry_run,
        condition=_expression("--if", given.condition or ""),
        folder=given.cache or "",
        verbosity="quiet" if given.quiet else loud,
    )


def _parsed(magic: Callable[..., Any], line: str) -> Any:
    try:
        given = magic_arguments.parse_argstring(magic, line)
    except UsageError as error:
        raise UsageError(_said(str(error))) from None
    except ValueError as error:  # a quotation that does not end
        raise UsageError(f"{error}: {line.strip()}") from None
    for name, value in vars(given).items():
        if isinstance(value, str):
            setattr(given, name, _unquoted(value))
        elif isinstance(value, list):
            setattr(given, name, [_unquoted(one) for one in value])
    return given


def _said(message: str) -> str:
    """Say what argparse could not read, with the option that may have been meant."""
    found = re.match(r"unrecognized arguments: (\S+)", message)
    if found is None:
        return message
    if not found[1].startswith("-"):
        return f"one name, and {found[1]!r} besides: quote a name with spaces"
    option = found[1].partition("=")[0]
    return f"no option {option}.{near(option, flags(long=True))}  %%cached? lists them"


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _names(texts: list[str] | None) -> tuple[str, ...]:
    """Split ``a,b`` and repeated flags into names."""
    parts = (part.strip() for text in texts or () for part in text.split(","))
    return tuple(part for part in parts if part)


def _set(flag: str, setting: str, text: str | None) -> Any:
    """Give what a flag was set to, else the setting that stands for it."""
    if text is None:
        return getattr(config.current(), setting)
    try:
        return config.parse(setting, text)
    except ValueError as error:
        reason = str(error).removeprefix(f"setting {setting}").removeprefix(":")
        raise UsageError(f"{flag}{':' if ':' in str(error) else ''}{reason}") from None


def _expression(flag: str, text: str) -> str:
    if not text:
        return text
    try:
        compile(text, flag, "eval")
    except SyntaxError as error:
        raise UsageError(f"{flag} {text}: {error.msg}. Quote spaces") from None
    return text


def _contradiction(given: Any) -> str:
    """Say which options cannot be meant together; '' if all can."""
    pairs = (
        ("-f", given.refresh, "-r", given.read),
        ("-n", given.dry_run, "-r", given.read),
        ("--if", given.condition, "-r", given.read),
        ("-q", given.quiet, "-v", given.verbose),
    )
    for one, has_one, other, has_other in pairs:
        if has_one and has_other:
            return f"{one} and {other} contradict each other"
    for one, other in (("only", "skip"), ("ignore", "opaque")):
        both = set(_names(getattr(given, one))) & set(_names(getattr(given, other)))
        if both:
            return f"--{one} and --{other} both name {min(both)!r}"
    return ""


# --- the line magic: options, then a statement

_WORD = re.compile(r"""\s*("[^"]*"|'[^']*'|\S+)""")


def split_statement(line: str) -> tuple[str, str]:
    """Part the options of ``%cached`` from the statement after them."""
    valued = flags(valued=True)
    place = 0
    while found := _WORD.match(line, place):
        word = found[1]
        if not word.startswith("-"):
            break
        place = found.end()
        if word == "--":
            return line[: found.start()].strip(), line[place:].strip()
        value = _WORD.match(line, place)
        if word in valued and value is not None:
            place = value.end()
    return line[:place].strip(), line[place:].strip()
