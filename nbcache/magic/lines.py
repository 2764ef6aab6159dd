"""``%nbcache``: show and steer the cache."""

from __future__ import annotations

import sqlite3
from typing import Any

from IPython.core import magic_arguments
from IPython.core.error import StdinNotImplementedError, UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from nbcache import (
    adoption,
    api,
    config,
    durations,
    info,
    maintenance,
    selection,
    sizes,
    why,
)
from nbcache.cache import Core, notebook_name
from nbcache.errors import NbcacheError
from nbcache.magic.auto import NbcacheAutoMagics
from nbcache.selection import Selection, pinned_text
from nbcache.wording import near

__all__ = ["ACTIONS", "FLAGS", "TAKE_NAMES", "NbcacheLineMagics"]

TAKE_NAMES = ("info", "why", "adopt", "pin", "unpin", "clear", "export")
ACTIONS = (
    *("panel", "ls", *TAKE_NAMES, "import", "gc", "verify", "stats"),
    *("on", "off", "auto", "path"),
)
OWN_FLAGS = {
    "--min-time": ("auto",),
    "--all": ("clear",),
    "--stale": ("clear",),
    "--older": ("clear",),
    "--tag": ("clear", "gc", "export"),
    "--max-size": ("gc",),
    "--max-age": ("gc",),
    "--keep": ("gc",),
    "--repair": ("verify",),
    "--sample": ("verify",),
}
"""Flags that belong to some actions alone."""

FLAGS = tuple(sorted([*OWN_FLAGS, "--dry-run", "--yes"]))


@magics_class
class NbcacheLineMagics(Magics):
    """The magic that shows and steers.

    Parameters
    ----------
    shell : InteractiveShell
        Where it is registered.
    auto : NbcacheAutoMagics
        What ``%nbcache auto`` switches.
    """

    def __init__(self, shell: Any, auto: NbcacheAutoMagics) -> None:
        super().__init__(shell)
        self._cells = auto

    @no_var_expand
    @magic_arguments.magic_arguments()
    @argument(
        "action",
        nargs="?",
        default="panel",
        help="panel: show and steer; ls: the entries as a DataFrame; info, why, "
        "clear: of the names that follow; adopt: keep the entry after an edit of the "
        "code that changes no result; pin, unpin: never let the names go, or as "
        "others; gc: remove what is not worth keeping; verify: compare all checksums; "
        "stats: what the cache was worth, as a DataFrame; export FILE, import FILE: "
        "entries as one file; off: all code runs, nothing is stored, until on; auto: "
        "treat all following cells as %%%%cached, until auto off; path: the folder",
    )
    @argument("names", nargs="*", help="names of entries (globs allowed), or a file")
    @argument("--min-time", metavar="TIME", help="auto: store what took longer: 2s")
    @argument("--all", action="store_true", help="clear all entries")
    @argument("--stale", action="store_true", help="clear what is not current")
    @argument("--older", metavar="30d", help="clear what was stored before")
    @argument("--tag", metavar="T", default="", help="clear, gc, export: only with it")
    @argument("--max-size", metavar="5GB", help="gc: what may stay")
    @argument("--max-age", metavar="90d", help="gc: what was not used for so long goes")
    @argument("--keep", metavar="N", help="gc: versions of the code of each name")
    @argument("--repair", action="store_true", help="verify: set damaged ones aside")
    @argument("--sample", metavar="5%%", help="verify: read only a part")
    @argument(
        "-n",
        "--dry-run",
        action="store_true",
        help="say what would go, remove nothing",
    )
    @argument(
        "-y", "--yes", action="store_true", help="do not ask; export: replace the file"
    )
    @line_magic
    def nbcache(self, line: str) -> Any:
        """Show and steer the cache."""
        arguments = _parsed(self.nbcache, line)
        core = api.default_core()
        try:
            return getattr(self, f"_{arguments.action}")(core, arguments)
        except (NbcacheError, ValueError, OSError, sqlite3.Error) as error:
            raise UsageError(str(error).replace("nbcache ls", "%nbcache ls")) from None

    def _panel(self, core: Core, _arguments: Any) -> Any:
        if not hasattr(self.shell, "kernel"):
            print(info.table_text(info.rows(core)))
            return None
        from nbcache.widgets.panel import Panel

        return Panel(api.Cache())

    def _ls(self, core: Core, _arguments: Any) -> Any:
        return info.frame(core)

    def _info(self, core: Core, arguments: Any) -> None:
        for entry in info.matching(core, _required(arguments)):
            print(info.entry_text(core, entry))

    def _why(self, core: Core, arguments: Any) -> None:
        for name in _required(arguments):
            print(why.why_text(core, name, notebook_name()))

    def _adopt(self, core: Core, arguments: Any) -> None:
        for name in _required(arguments):
            proposal = adoption.propose(core, name, notebook_name())
            print(proposal)
            if arguments.dry_run:
                continue
            if arguments.yes or _confirmed(f"Adopt {name!r} for this code?"):
                adoption.adopt(core, proposal)
                print(f"adopted {name!r}: it comes from the cache again")
            else:
                print("nothing adopted")

    def _path(self, core: Core, _arguments: Any) -> str:
        return str(core.store.folder)

    def _on(self, _core: Core, _arguments: Any) -> None:
        config.configure(enabled=True)

    def _off(self, _core: Core, _arguments: Any) -> None:
        config.configure(enabled=False)

    def _auto(self, _core: Core, arguments: Any) -> None:
        if arguments.names not in ([], ["off"]):
            raise UsageError(f"%nbcache auto {arguments.names[0]}: only off may follow")
        if arguments.names and arguments.min_time:
            raise UsageError("%nbcache auto off takes no --min-time")
        options = f"--min-time {arguments.min_time}" if arguments.min_time else ""
        self._cells.switch(None if arguments.names else options)

    def _clear(self, core: Core, arguments: Any) -> None:
        older = arguments.older
        chosen = Selection(
            tuple(arguments.names),
            arguments.tag,
            arguments.stale,
            None if older is None else durations.seconds(older),
            arguments.all,
        )
        if chosen.is_empty:
            _required(arguments)
        if chosen.is_contradictory:
            raise UsageError("%nbcache clear --all takes no names and no other choice")
        found = chosen.of(core)
        free = core.store.unpinned(found)
        what = info.amount_text(free)
        if arguments.dry_run:
            names = ", ".join(sorted({entry.name for entry in free}))
            print(f"would delete {what}: {names}")
            return
        is_asked = arguments.all and config.current().confirm and not arguments.yes
        if is_asked and not _confirmed(f"Delete {what}?"):
            print("nothing deleted")
            return
        maintenance.clear(core, chosen)
        print(f"deleted {what}")
        if stays := pinned_text(len(found) - len(free)):
            print(stays)

    def _pin(self, core: Core, arguments: Any) -> None:
        names = selection.pin(core, _required(arguments))
        print(info.printable(f"pinned {', '.join(names)}"))

    def _unpin(self, core: Core, arguments: Any) -> None:
        names = selection.unpin(core, _required(arguments))
        print(info.printable(f"no longer pinned: {', '.join(names)}"))

    def _gc(self, _core: Core, arguments: Any) -> None:
        keep = arguments.keep
        done = api.Cache().gc(
            max_size=arguments.max_size,
            max_age=arguments.max_age,
            keep=None if keep is None else _number(keep),
            tag=arguments.tag,
            dry_run=arguments.dry_run,
        )
        print(done)

    def _verify(self, _core: Core, arguments: Any) -> None:
        sample = 1.0 if arguments.sample is None else sizes.part(arguments.sample)
        print(api.Cache().verify(arguments.repair, sample=sample))

    def _stats(self, _core: Core, _arguments: Any) -> Any:
        return api.Cache().stats()

    def _export(self, _core: Core, arguments: Any) -> None:
        file, *names = _required(arguments, "the name of a file")
        tag, overwrite = arguments.tag, arguments.yes
        print(api.Cache().export(file, *names, tag=tag, overwrite=overwrite))

    def _import(self, _core: Core, arguments: Any) -> None:
        for file in _required(arguments, "the name of a file"):
            print(api.Cache().import_(file))


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"--keep takes a number from 0, not {text!r}")
    return int(text)


def _parsed(magic: Any, line: str) -> Any:
    try:
        arguments = magic_arguments.parse_argstring(magic, line)
    except UsageError as error:
        word = str(error).partition("unrecognized arguments: ")[2].partition(" ")[0]
        hint = f".{near(word, FLAGS)}" if word else ""
        raise UsageError(f"{error}{hint}") from None
    except ValueError as error:  # a quotation that does not end
        raise UsageError(f"{error}: {line.strip()}") from None
    if arguments.action not in ACTIONS:
        hint = near(arguments.action, ACTIONS) or f" There are {', '.join(ACTIONS)}"
        raise UsageError(f"%nbcache cannot {arguments.action!r}.{hint}")
    for flag, actions in OWN_FLAGS.items():
        given = getattr(arguments, flag[2:].replace("-", "_"))
        if given and arguments.action not in actions:
            raise UsageError(f"{flag} belongs to %nbcache {', '.join(actions)}")
    arguments.names = [name.strip("\"'") for name in arguments.names]
    return arguments


def _required(arguments: Any, what: str = "the name of an entry") -> list[str]:
    if not arguments.names:
        raise UsageError(f"%nbcache {arguments.action} needs {what}")
    return list(arguments.names)


def _confirmed(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError, StdinNotImplementedError):
        # a front end that cannot ask raises one of these
        raise UsageError(f"{question} Nobody can answer here: add --yes") from None
