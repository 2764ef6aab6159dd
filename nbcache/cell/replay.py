"""Show stored outputs again, as the cell itself showed them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from nbcache.cell.freeze import WIDGET_VIEW
from nbcache.outputs import Clear, Output, Result, Stream

__all__ = ["Standin", "replay"]


class Standin:
    """Stands for a last value that cannot outlive its kernel: it looks the same.

    Parameters
    ----------
    text : str
        The repr of what it stands for.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def replay(
    shell: Any,
    outputs: Iterable[Output],
    *,
    value: Any = None,
    has_value: bool = False,
    mimes: frozenset[str] | None = None,
) -> None:
    """Show outputs in the cell that runs now.

    Parameters
    ----------
    shell : InteractiveShell
        Where they are shown.
    outputs : iterable of Output
        As they were stored.  Display ids are kept, so that a handle restored with the
        cell's variables updates what is shown here.
    value : object
        The last displayed value, for ``_`` and ``Out[n]``.
    has_value : bool
        Whether `value` was stored.
    mimes : frozenset of str, optional
        The only MIME types shown; other data is reduced to its ``text/plain``.  None
        shows all but widget views, which need the kernel that made them.
    """
    shown = tuple(outputs)
    results = [place for place, one in enumerate(shown) if isinstance(one, Result)]
    last = results[-1] if results else -1
    for place, output in enumerate(shown):
        if isinstance(output, Stream):
            stream = getattr(sys, output.name)
            stream.write(output.text)
            stream.flush()
        elif isinstance(output, Clear):
            shell.display_pub.clear_output(output.wait)
        elif isinstance(output, Result):
            known = has_value and place == last
            _show_result(shell, _allowed(output, mimes), known, value)
        else:
            data, metadata = _allowed(output, mimes)
            shell.display_pub.publish(
                data,
                metadata,
                transient=dict(output.transient),
                update=output.update,
            )
    if has_value and not results:
        # a value that displays itself has an Out[n], but no bundle there
        _keep_value(shell, value)


def _allowed(
    output: Any, mimes: frozenset[str] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the data and metadata of the MIME types that may be shown."""

    def allows(mime: str) -> bool:
        if mime == WIDGET_VIEW:
            return False
        return mimes is None or mime in mimes or mime == "text/plain"

    def chosen(bundle: Mapping[str, Any]) -> dict[str, Any]:
        return {mime: item for mime, item in bundle.items() if allows(mime)}

    metadata = dict(output.metadata) if mimes is None else chosen(output.metadata)
    data = chosen(output.data)
    if output.data and not data:
        data = {"text/plain": f"[nbcache: {', '.join(output.data)} is not shown]"}
    return data, metadata


def _show_result(
    shell: Any,
    bundle: tuple[dict[str, Any], dict[str, Any]],
    has_value: bool,
    value: Any,
) -> None:
    """Take the display hook's own steps, with a bundle in place of formatting."""
    hook = shell.displayhook
    hook.check_for_underscore()
    hook.start_displayhook()
    hook.write_output_prompt()
    if has_value:
        hook.update_user_ns(value)
        hook.fill_exec_result(value)
    hook.write_format_data(*bundle)
    hook.log_output(bundle[0])
    hook.finish_displayhook()


def _keep_value(shell: Any, value: Any) -> None:
    hook = shell.displayhook
    hook.check_for_underscore()
    hook.update_user_ns(value)
    hook.fill_exec_result(value)
