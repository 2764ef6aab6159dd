"""The commands that keep a store in order: clear, pin, gc, verify, stats, export."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from nbcache import api, durations, info, maintenance, selection, sizes, stats
from nbcache.legacy.formats import KINDS
from nbcache.selection import Selection

__all__ = ["NO_ENTRY", "OK", "PROBLEMS", "WRONG_USE", "add_to", "agreed", "fail"]

OK, PROBLEMS, WRONG_USE, NO_ENTRY = 0, 1, 2, 3


def fail(text: str, code: int) -> int:
    """Say what went wrong; give the exit code."""
    print(f"nbcache: {text}", file=sys.stderr)
    return code


def add_to(commands: Any) -> None:
    """Add the commands to those of a parser."""
    clear = commands.add_parser("clear", help="delete entries")
    clear.add_argument("names", nargs="*", metavar="NAME", help="names; globs allowed")
    clear.add_argument("--tag", metavar="T", default="", help="only with this tag")
    clear.add_argument("--stale", action="store_true", help="only what is not current")
    clear.add_argument(
        "--older", type=_seconds, metavar="30d", help="only what was stored before"
    )
    clear.add_argument("--all", action="store_true", help="all entries")
    _add_dry_run(clear, "only say which")
    clear.add_argument("-y", "--yes", action="store_true", help="do not ask")
    clear.set_defaults(command=_clear)

    for name, help_text, command in (
        ("pin", "keep the entries of a name, now and later", _pin),
        ("unpin", "let them go as others", _unpin),
    ):
        pin = commands.add_parser(name, help=help_text)
        pin.add_argument("names", nargs="+", metavar="NAME", help="names; globs, keys")
        pin.set_defaults(command=command)

    gc = commands.add_parser("gc", help="remove what is not worth keeping")
    gc.add_argument(
        "--max-size", type=_size, metavar="5GB", help="default: the setting max_size"
    )
    gc.add_argument(
        "--max-age", type=_seconds, metavar="90d", help="what was not used for so long"
    )
    gc.add_argument(
        "--keep", type=_number, metavar="N", help="versions of the code of each name"
    )
    gc.add_argument("--tag", metavar="T", default="", help="only with this tag")
    _add_dry_run(gc, "only say what would go")
    gc.set_defaults(command=_gc)

    verify = commands.add_parser("verify", help="compare all checksums")
    verify.add_argument("--repair", action="store_true", help="set damaged ones aside")
    verify.add_argument(
        "--sample", type=_part, default=1.0, metavar="5%", help="read only a part"
    )
    verify.set_defaults(command=_verify)

    told = commands.add_parser("stats", help="tell what the cache was worth, by name")
    told.add_argument("--json", action="store_true", help="print JSON")
    told.set_defaults(command=_stats)
    _add_exchange(commands)


def _add_exchange(commands: Any) -> None:
    export = commands.add_parser("export", help="write entries to one file")
    export.add_argument("file", metavar="FILE")
    export.add_argument("names", nargs="*", metavar="NAME", help="default: all entries")
    export.add_argument("--tag", metavar="T", default="", help="only with this tag")
    export.add_argument("-y", "--yes", action="store_true", help="replace the file")
    export.set_defaults(command=_export)

    take = commands.add_parser("import", help="take the entries of such a file")
    take.add_argument("file", metavar="FILE")
    take.set_defaults(command=_import)

    legacy = commands.add_parser(
        "import-legacy", help="take the results of earlier caching packages"
    )
    legacy.add_argument(
        "path",
        metavar="PATH",
        help="a file, a folder of files, or the one in which _res and _cache are",
    )
    legacy.add_argument(
        "--kind",
        choices=KINDS,
        help="only what this one wrote; metrics: simple_metrics_manager",
    )
    legacy.add_argument(
        "--allow-pickle",
        action="store_true",
        help="unpickle files, which can run code that is in them",
    )
    legacy.add_argument("--json", action="store_true", help="print JSON")
    _add_dry_run(legacy, "only say what would be imported")
    legacy.set_defaults(command=_import_legacy)


def _add_dry_run(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument("-n", "--dry-run", action="store_true", help=help_text)


# --- what options are given as


def _seconds(text: str) -> float:
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _size(text: str) -> int:
    try:
        return sizes.size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"not a number from 0: {text!r}")
    return int(text)


def _part(text: str) -> float:
    try:
        return sizes.part(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


# --- the commands


def _cache(parsed: argparse.Namespace) -> api.Cache:
    return api.Cache(parsed.cache)


def _clear(parsed: argparse.Namespace) -> int:
    chosen = Selection(
        tuple(parsed.names), parsed.tag, parsed.stale, parsed.older, parsed.all
    )
    if chosen.is_empty or chosen.is_contradictory:
        told = "clear takes names, --tag, --stale or --older; or --all alone"
        return fail(told, WRONG_USE)
    core = _cache(parsed).core
    found = chosen.of(core)
    free = core.store.unpinned(found)
    stays = selection.pinned_text(len(found) - len(free))
    what = info.amount_text(free)
    if parsed.dry_run:
        names = ", ".join(sorted({info.printable(entry.name) for entry in free}))
        print(f"would delete {what}: {names or 'nothing'}")
    elif free or chosen.all:
        if not parsed.yes and not _confirmed(what):
            return WRONG_USE
        maintenance.clear(core, chosen)
        if not parsed.quiet:
            print(f"deleted {what}")
    elif not stays and not parsed.quiet:
        print("nothing to delete")
    if stays:
        print(stays, file=sys.stderr)
    return OK


def _confirmed(what: str) -> bool:
    question = f"Delete {what}? This cannot be undone."
    return agreed(f"delete {what}", question, "nothing deleted")


def agreed(what: str, question: str, otherwise: str) -> bool:
    """Ask on a terminal; elsewhere demand the flag."""
    if not sys.stdin.isatty():
        fail(f"would {what}: add -y to do it", WRONG_USE)
        return False
    if input(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print(otherwise)
    return False


def _pin(parsed: argparse.Namespace) -> int:
    names = selection.pin(_cache(parsed).core, parsed.names)
    if not parsed.quiet:
        print(info.printable(f"pinned {', '.join(names)}"))
    return OK


def _unpin(parsed: argparse.Namespace) -> int:
    names = selection.unpin(_cache(parsed).core, parsed.names)
    if not parsed.quiet:
        print(info.printable(f"no longer pinned: {', '.join(names)}"))
    return OK


def _gc(parsed: argparse.Namespace) -> int:
    done = _cache(parsed).gc(
        max_size=parsed.max_size,
        max_age=parsed.max_age,
        keep=parsed.keep,
        tag=parsed.tag,
        dry_run=parsed.dry_run,
    )
    if done.busy:
        return fail(str(done), PROBLEMS)
    if not parsed.quiet or parsed.dry_run:
        print(done)
    return OK


def _verify(parsed: argparse.Namespace) -> int:
    report = _cache(parsed).verify(parsed.repair, sample=parsed.sample)
    if not parsed.quiet or not report:
        print(report)
    return report.exit_code


def _stats(parsed: argparse.Namespace) -> int:
    core = _cache(parsed).core
    if parsed.json:
        print(json.dumps(stats.to_json(core), indent=1))
    else:
        print(stats.text(core))
    return OK


def _export(parsed: argparse.Namespace) -> int:
    done = _cache(parsed).export(
        parsed.file, *parsed.names, tag=parsed.tag, overwrite=parsed.yes
    )
    if not parsed.quiet or done.refused:
        print(done)
    return PROBLEMS if done.refused else OK


def _import(parsed: argparse.Namespace) -> int:
    done = _cache(parsed).import_(parsed.file)
    if not parsed.quiet or done.refused:
        print(done)
    return PROBLEMS if done.refused else OK


def _import_legacy(parsed: argparse.Namespace) -> int:
    done = _cache(parsed).import_legacy(
        parsed.path, parsed.kind, parsed.allow_pickle, dry_run=parsed.dry_run
    )
    if parsed.json:
        print(json.dumps(done.to_json(), indent=1))
    elif not parsed.quiet or parsed.dry_run or not done:
        print(done)
    return done.exit_code
