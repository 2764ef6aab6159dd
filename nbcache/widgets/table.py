"""The table of a panel: one page of entries in the browser, drawn from plain texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from nbcache import config, info

__all__ = ["Table", "last_page", "view_of"]

_STATIC = files("nbcache") / "static"
_COLUMNS = ("name", "kind", "variables", "size", "hits", "cost", "created")
_FORMS = {"name": "wide", "variables": "wide"} | dict.fromkeys(
    ("size", "hits", "cost"), "number"
)


class Table(anywidget.AnyWidget):
    """Rows with checkboxes, pages, and a line that says what happened.

    The browser sends ``{"kind": "choose", "key": …, "on": …}``, ``{"kind": "all",
    "on": …}`` and ``{"kind": "turn", "by": …}``; nothing changes but by `view`.
    """

    _esm = (_STATIC / "table.js").read_text("utf-8")
    _css = (_STATIC / "table.css").read_text("utf-8")
    view = traitlets.Dict().tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)


def view_of(
    rows: Sequence[Mapping[str, Any]],
    chosen: Collection[str],
    page: int,
    *,
    hidden: int = 0,
    filtered: bool = False,
) -> dict[str, Any]:
    """Give what the table shows, as plain texts.

    Parameters
    ----------
    rows : sequence of dict
        Those that the filter shows (`storage.rows`), in their order.
    chosen : collection of str
        Keys of all selected rows.
    page : int
        From 0 to `last_page`.
    hidden : int
        How many selected rows the filter hides.
    filtered : bool
        Whether there is a filter, and thus perhaps more.
    """
    last = last_page(len(rows))
    size = config.current().page_size
    shown = rows[page * size : (page + 1) * size]
    count = sum(row["key"] in chosen for row in rows)
    return {
        "columns": [
            {"name": name, "form": _FORMS.get(name, "narrow")} for name in _COLUMNS
        ],
        "rows": [_texts(row, row["key"] in chosen) for row in shown],
        "empty": "no entry matches the filter" if filtered else "no entries yet",
        "all": "all" if rows and count == len(rows) else "some" if count else "none",
        "previous": page > 0,
        "next": page < last,
        "place": _place(page, last, len(rows), count, hidden) if rows else "",
    }


def last_page(count: int) -> int:
    """Give the number, from 0, of the last page of so many rows."""
    return max(count - 1, 0) // config.current().page_size


def _texts(row: Mapping[str, Any], on: bool) -> dict[str, Any]:
    texts = {name: _sendable(text) for name, text in info.cells(dict(row)).items()}
    label = f"{texts['name']}, {texts['kind']}, {texts['created']}"
    cells = [texts[name] for name in _COLUMNS]
    return {"key": texts["key"], "label": label, "cells": cells, "on": on}


def _sendable(text: str) -> str:
    """Give a text that can be sent: a name may hold half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _place(page: int, last: int, shown: int, count: int, hidden: int) -> str:
    told = [f"page {page + 1} / {last + 1}"] if last else []
    told.append(f"{shown} entr{'y' if shown == 1 else 'ies'}")
    if count + hidden:
        behind = f", {hidden} hidden by the filter" if hidden else ""
        told.append(f"{count + hidden} selected{behind}")
    return " · ".join(told)
