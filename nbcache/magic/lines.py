"""``%nbcache``: show and steer the cache."""

from __future__ import annotations

from typing import Any

from IPython.core import magic_arguments
from IPython.core.error import StdinNotImplementedError, UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from nbcache import adoption, api, config, info, why
from nbcache.cache import Core, notebook_name
from nbcache.errors import NbcacheError
from nbcache.magic.arguments import near
from nbcache.magic.auto import NbcacheAutoMagics

__all__ = ["ACTIONS", "FLAGS", "TAKE_NAMES", "NbcacheLineMagics"]

TAKE_NAMES = ("info", "why", "adopt", "clear")
ACTIONS = ("panel", "ls", *TAKE_NAMES, "on", "off", "auto", "path")
FLAGS = ("--all", "--dry-run", "--min-time", "--yes")


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
        "code that changes no result; off: all code runs, nothing is stored, until "
        "on; auto: treat all following cells as %%%%cached, until auto off; path: the "
        "folder",
    )
    @argument("names", nargs="*", help="names of entries; clear takes globs")
    @argument("--min-time", metavar="TIME", help="auto: store what took longer: 2s")
    @argument("--all", action="store_true", help="clear all entries")
    @argument(
        "-n",
        "--dry-run",
        action="store_true",
        help="say what would be cleared, clear nothing",
    )
    @argument("-y", "--yes", action="store_true", help="do not ask before --all")
    @line_magic
    def nbcache(self, line: str) -> Any:
        """Show and steer the cache."""
        arguments = _parsed(self.nbcache, line)
        core = api.default_core()
        try:
            return getattr(self, f"_{arguments.action}")(core, arguments)
        except (NbcacheError, ValueError) as error:
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
        if arguments.all:
            chosen = core.store.entries()
        else:
            chosen = info.matching(core, _required(arguments))
        what = info.amount_text(chosen)
        if arguments.dry_run:
            names = ", ".join(sorted({entry.name for entry in chosen}))
            print(f"would delete {what}: {names}")
            return
        asks = arguments.all and config.current().confirm and not arguments.yes
        if asks and not _confirmed(f"Delete {what}?"):
            print("nothing deleted")
            return
        core.store.clear() if arguments.all else core.store.delete(chosen)
        print(f"deleted {what}")


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
    if arguments.min_time and arguments.action != "auto":
        raise UsageError("--min-time belongs to %nbcache auto")
    arguments.names = [name.strip("\"'") for name in arguments.names]
    return arguments


def _required(arguments: Any) -> list[str]:
    if not arguments.names:
        raise UsageError(f"%nbcache {arguments.action} needs the name of an entry")
    return list(arguments.names)


def _confirmed(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError, StdinNotImplementedError):
        # a front end that cannot ask raises one of these
        raise UsageError(f"{question} Nobody can answer here: add --yes") from None
