"""``%nbcache``: show and steer the cache."""

from __future__ import annotations

from typing import Any

from IPython.core import magic_arguments
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument

from nbcache import adoption, api, info, why
from nbcache.cache import Core, notebook_name
from nbcache.errors import NbcacheError

__all__ = ["NbcacheLineMagics"]


@magics_class
class NbcacheLineMagics(Magics):
    """The magic that shows and steers."""

    @no_var_expand
    @magic_arguments.magic_arguments()
    @argument(
        "action",
        nargs="?",
        default="panel",
        choices=("panel", "ls", "info", "why", "adopt", "clear"),
        help="panel: show and steer; ls: the entries as a DataFrame; info, why, "
        "clear: of the names that follow; adopt: keep the entry after an edit of the "
        "code that changes no result",
    )
    @argument("names", nargs="*", help="names of entries; clear takes globs")
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
        arguments = magic_arguments.parse_argstring(self.nbcache, line)
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
        if arguments.all and not (arguments.yes or _confirmed(f"Delete {what}?")):
            print("nothing deleted")
            return
        core.store.clear() if arguments.all else core.store.delete(chosen)
        print(f"deleted {what}")


def _required(arguments: Any) -> list[str]:
    if not arguments.names:
        raise UsageError(f"%nbcache {arguments.action} needs the name of an entry")
    return list(arguments.names)


def _confirmed(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, RuntimeError, NotImplementedError):
        # a front end that cannot ask raises one of these
        raise UsageError(f"{question} Nobody can answer here: add --yes") from None
