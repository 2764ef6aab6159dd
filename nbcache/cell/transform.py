"""Rewrite a `%%cached` cell that awaits, before IPython makes it a call.

A magic is called and cannot await.  IPython asks input transformers first: there the
cell becomes an await of the magic's async side.  A SyntaxError in the body is raised
there too, since IPython then shows it like one of the cell itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbcache.cell.parsing import parse, register

__all__ = ["await_transformer"]

_MAGIC = "%%cached"


def await_transformer(shell: Any) -> Callable[[list[str]], list[str]]:
    """Give a transformer for ``shell.input_transformers_cleanup``.

    Parameters
    ----------
    shell : InteractiveShell
        Whose cells are transformed.

    Returns
    -------
    callable
        Takes and gives the lines of a cell.  Raises `SyntaxError` for a `%%cached`
        cell whose body is no Python.
    """

    def transform(lines: list[str]) -> list[str]:
        start = next((at for at, line in enumerate(lines) if line.strip()), None)
        if start is None:
            return lines
        magic, _, options = lines[start].rstrip().partition(" ")
        if magic != _MAGIC:
            return lines
        body = "".join(lines[start + 1 :])
        above = [line.rstrip() for line in lines[: start + 1]]
        try:
            parsed = parse(shell, above, body)
        except SyntaxError as error:
            raw = "".join(lines)
            error.filename = register(shell, raw, shell.execution_count, raw)
            raise error.with_traceback(None) from None
        if not (parsed.awaits and shell.autoawait):
            return lines
        call = "get_ipython().magics_manager.registry['NbcacheMagics'].cached_async"
        return [f"await {call}({options!r}, {body!r})\n"]

    # A front end that asks whether a cell is complete would take the error in a half
    # typed body for the end of the cell.  IPython leaves out what is marked so.
    transform.has_side_effects = True  # type: ignore[attr-defined]
    return transform
