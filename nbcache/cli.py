"""The command line: ``nbcache ls | info | why | trust | path | demo``, and more."""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nbcache import api, cli_maintenance, config, info, trusting, why
from nbcache.cli_maintenance import NO_ENTRY, OK, PROBLEMS, WRONG_USE, agreed, fail
from nbcache.errors import NbcacheError, UnknownName
from nbcache.selection import Selection

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        None: those of the process.

    Returns
    -------
    int
        0: ok, 1: problems found, 2: wrong use, 3: no such entry.
    """
    parsed = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = parsed.command
    try:
        code = command(parsed)
        sys.stdout.flush()
        return code
    except UnknownName as error:
        return fail(str(error), NO_ENTRY)
    except (NbcacheError, ValueError) as error:
        return fail(str(error), WRONG_USE)
    except BrokenPipeError:
        # whoever read has gone; nor must Python complain when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (OSError, sqlite3.Error) as error:
        return fail(str(error), PROBLEMS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nbcache", description="Show and steer a cache of nbcache."
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="folder of the store (default: as notebooks here)",
    )
    parser.add_argument("--quiet", action="store_true", help="print no confirmations")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    ls = commands.add_parser("ls", help="list the entries, newest first")
    ls.add_argument("--sort", choices=("age", "size", "hits", "cost"), default="age")
    ls.add_argument("--stale", action="store_true", help="only what is not current")
    ls.add_argument("--tag", metavar="T", default="", help="only with this tag")
    ls.add_argument("--limit", type=_count, metavar="N", help="show at most N")
    ls.add_argument("--json", action="store_true", help="print JSON")
    ls.set_defaults(command=_ls)

    tell = commands.add_parser("info", help="tell all about the entries of a name")
    tell.add_argument("name")
    tell.add_argument("--json", action="store_true", help="print JSON")
    tell.set_defaults(command=_info)

    tell = commands.add_parser("why", help="tell why a name ran, or did not, last time")
    tell.add_argument("name")
    tell.set_defaults(command=_why)

    cli_maintenance.add_to(commands)

    tell = commands.add_parser(
        "trust", help="show what entries of others hold, and sign them as yours"
    )
    tell.add_argument("path", metavar="FILE|DIR", type=Path)
    tell.add_argument("-y", "--yes", action="store_true", help="do not ask")
    tell.set_defaults(command=_trust)

    path = commands.add_parser("path", help="print the folder of the store")
    path.set_defaults(command=_path)

    demo = commands.add_parser("demo", help="run the tour twice, cold and warm")
    demo.set_defaults(command=_demo)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _cache(parsed: argparse.Namespace) -> api.Cache:
    return api.Cache(parsed.cache)


_ORDERS: dict[str, str] = {
    "age": "created",
    "size": "size",
    "hits": "hits",
    "cost": "cost",
}


def _ls(parsed: argparse.Namespace) -> int:
    core = _cache(parsed).core
    table = info.rows(core)
    if parsed.stale or parsed.tag:
        chosen = Selection(tag=parsed.tag, stale=parsed.stale).of(core)
        keys = {entry.key for entry in chosen}
        table = [one for one in table if one["key"] in keys]
    table.sort(key=lambda one: one[_ORDERS[parsed.sort]], reverse=True)
    shown = table[: parsed.limit] if parsed.limit else table
    print(json.dumps(shown, indent=1) if parsed.json else info.table_text(shown))
    return OK


def _info(parsed: argparse.Namespace) -> int:
    core = _cache(parsed).core
    found = info.matching(core, [parsed.name])
    if parsed.json:
        print(json.dumps([entry.to_json() for entry in found], indent=1))
    else:
        print("\n".join(info.entry_text(core, entry) for entry in found))
    return OK


def _why(parsed: argparse.Namespace) -> int:
    print(why.why_text(_cache(parsed).core, parsed.name))
    return OK


def _trust(parsed: argparse.Namespace) -> int:
    found = trusting.examined(parsed.path)
    wanted = [one for one in found if one.entry and not one.is_mine]
    for one in found:
        if one.is_mine:
            continue
        print(one, file=sys.stdout if one.entry else sys.stderr)
    code = PROBLEMS if any(one.refused for one in found) else OK
    if not wanted:
        print(f"nothing to sign: {sum(one.is_mine for one in found)} are yours already")
        return code
    what = f"{len(wanted)} entr{'y' if len(wanted) == 1 else 'ies'}"
    question = f"Sign {what}? From then on, all of it counts as written by you."
    if not parsed.yes and not agreed(f"sign {what}", question, "nothing signed"):
        return WRONG_USE
    for one in wanted:
        trusting.signed(one)
    if not parsed.quiet:
        print(f"signed {what}")
    return code


def _path(parsed: argparse.Namespace) -> int:
    folder = Path(parsed.cache).absolute() if parsed.cache else config.cache_dir()
    print(folder)
    return OK


def _demo(parsed: argparse.Namespace) -> int:
    from nbcache import demo

    return demo.run(cache_dir=parsed.cache)
