"""The entries as text and as HTML, for where no widget can be shown."""

from __future__ import annotations

import html
from typing import Any

from nbcache import info

__all__ = ["as_html", "as_text"]

MOST_ROWS = 100
"""More rows than this would only swell the notebook that is saved."""

_COLUMNS = ("name", "kind", "variables", "size", "hits", "cost", "created")


def as_text(rows: list[dict[str, Any]]) -> str:
    """Give the newest entries as a table of text, and the totals of all."""
    if len(rows) <= MOST_ROWS:
        return info.table_text(rows)
    table = info.table_text(rows[:MOST_ROWS]).rpartition("\n")[0]
    return f"{table}\n… and {len(rows) - MOST_ROWS} more\n{info.totals(rows)}"


def as_html(rows: list[dict[str, Any]]) -> str:
    """Give the newest entries as an HTML table, escaped, and the totals of all."""
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    body = "".join(_html_row(info.cells(row)) for row in rows[:MOST_ROWS])
    left = len(rows) - MOST_ROWS
    more = f"<p>… and {left} more</p>" if left > 0 else ""
    totals = html.escape(str(info.totals(rows)))
    return (
        f"<p>{totals}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{more}"
    )


def _html_row(texts: dict[str, str]) -> str:
    cells = "".join(f"<td>{html.escape(texts[name])}</td>" for name in _COLUMNS)
    return f"<tr>{cells}</tr>"
